// JsonStream: the messages of a stream of JSON texts, taken out of a body as its octets arrive.
//
// Source: NDJSON (https://github.com/ndjson/ndjson-spec) and Server-Sent Events (WHATWG HTML, section 9.2.6).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "duplex/base/bytes.h"
#include "duplex/base/status.h"

namespace duplex::rest {

class JsonStream {
 public:
  enum class Form : uint8_t { kLines, kEvents };
  // `limit`: octets of one message.
  JsonStream(Form form, size_t limit) : form_(form), limit_(limit) {}

  class Item {
   public:
    Item(std::string_view t, bool f) : text(t), failure(f) {}
    std::string_view text;  // valid until the next call
    bool failure;           // an event named "error"
  };
  void feed(std::string_view octets);
  // The next whole message; nullopt: more must arrive first. RESOURCE_EXHAUSTED past the limit.
  Result<std::optional<Item>> next();
  // The body has ended, and next() gave all it had: a last line without its line break, or nothing. INTERNAL: an event
  // that was begun, which may be cut off.
  Result<std::optional<Item>> finish();

 private:
  std::optional<std::string_view> line();
  bool field(std::string_view line);
  Status too_long() const;

  const Form form_;
  const size_t limit_;
  Buffer pending_;
  size_t at_ = 0, searched_ = 0;  // in pending_: what was taken, and where to look on for a line's end
  bool skip_line_feed_ = false;   // the line before ended in CR
  bool at_start_ = true;
  // The event that is being read.
  std::string data_;
  bool has_data_ = false, failure_ = false, given_ = false;
};

}  // namespace duplex::rest
