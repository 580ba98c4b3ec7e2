// A JSON text on its way through simdjson's on-demand parser, and what a thread keeps for it from one text to the next.
//
// On demand means that what nobody visits is not looked at: so whoever reads visits each value, consumes each string by
// text_of() or skip(), and asks for the end.
#pragma once

#include <simdjson.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "contract/key_set.h"

namespace duplex::contract {

namespace ondemand = simdjson::ondemand;

// An object or array deeper than this is refused; protobuf's own limit.
inline constexpr int kMostJsonDepth = 100;

struct JsonScratch {
  ondemand::parser parser;
  std::unique_ptr<char[]> text;  // the document, with room behind it
  size_t text_size = 0;
  std::string unescaped;
  std::vector<uint64_t> seen;  // a bit a field, of each message that is open
  KeySet keys;

  // Whether it has grown past what is worth keeping.
  bool is_large() const;
};

// What is wrong, and where. The path is made from its end, while the readers return.
struct JsonFault {
  std::string what;
  std::string path;          // "items[2].price_cents"
  const char* at = nullptr;  // in the text, if it is no JSON there
};

class JsonInput {
 public:
  explicit JsonInput(JsonScratch& scratch) : scratch_(scratch) {}

  // The one value that `json` is. False: there is a fault().
  bool open(std::string_view json, ondemand::value& value);
  // Whether nothing follows it. To be asked when the value has been read.
  bool end();

  const JsonFault& fault() const { return fault_; }
  // "line 2, column 7", where fault().at is known.
  std::string place() const;

  // All of these note a fault and return false.
  bool fail(std::string what);
  bool wanted(std::string_view what, std::string_view token);
  bool malformed(simdjson::error_code error);
  bool bad_escape(ondemand::raw_json_string raw);
  bool in_member(ondemand::raw_json_string key);
  bool in_element(size_t index);

  // The value's text without the space around it: what a scalar is; of a container only its bracket.
  static std::string_view token(ondemand::value& value);
  static bool is_object(ondemand::value& value) { return *value.raw_json_token().data() == '{'; }
  static bool is_null(ondemand::value& value) {
    return *value.raw_json_token().data() == 'n' && token(value) == "null";
  }
  // A string's text, or the token of something else (`quoted` tells). Valid until the next call.
  bool text_of(ondemand::value& value, std::string_view& text, bool& quoted);
  // The text of a string that simdjson has handed over. Valid until the next call.
  bool text_of(ondemand::raw_json_string raw, std::string_view& text);
  // Looks at all that is in the value, and takes nothing.
  bool skip(ondemand::value& value, int depth);

  // How many octets from `at` on may be read.
  size_t left(const char* at) const {
    return static_cast<size_t>(json_.data() + json_.size() - at) + simdjson::SIMDJSON_PADDING;
  }
  bool object_of(ondemand::value& value, ondemand::object& object, std::string_view what, int depth);
  bool array_of(ondemand::value& value, ondemand::array& array, std::string_view what, int depth);

  JsonScratch& scratch() { return scratch_; }

 private:
  bool is_deep(int depth);
  bool skip_object(ondemand::value& value, int depth);
  bool skip_array(ondemand::value& value, int depth);

  JsonScratch& scratch_;
  ondemand::document document_;
  std::string_view json_;  // the copy
  ondemand::array outer_;  // what we put around it
  simdjson::simdjson_result<ondemand::array_iterator> only_;
  JsonFault fault_;
};

}  // namespace duplex::contract
