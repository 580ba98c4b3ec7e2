// Which fields make a right request, response or trailers over HTTP/2 (RFC 9113 sections 8.2 and 8.3). What breaks a
// rule makes the message malformed: its stream is reset with PROTOCOL_ERROR.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace duplex::http {

enum class FieldKind : uint8_t {
  kRegular,
  kMethod,
  kScheme,
  kAuthority,
  kPath,
  kStatus,
  kContentLength,
  kHost,
  kMalformed,  // in whatever message: its name or value has octets that it must not have, or belongs to HTTP/1.1
};

// What a field is by itself: an HpackDecoder::Mark, so that a field that comes by index was looked at once.
uint8_t field_kind(std::string_view name, std::string_view value);

// Looks at a header block's fields one after the other.
class FieldRules {
 public:
  enum class Part : uint8_t { kRequest, kResponse, kTrailers };
  explicit FieldRules(Part part) : part_(part) {}

  // False: malformed.
  bool add(FieldKind kind, std::string_view value) {
    if (kind != FieldKind::kRegular) return add_special(kind, value);
    regular_ = true;
    return true;
  }
  // The block's end: is all there that must be?
  bool complete() const;
  std::optional<uint64_t> content_length() const { return content_length_; }
  bool has(FieldKind kind) const { return seen_ & 1u << static_cast<unsigned>(kind); }

 private:
  bool add_special(FieldKind kind, std::string_view value);
  bool once(FieldKind kind);

  const Part part_;
  bool regular_ = false;                                   // pseudo-header fields come before all others
  bool connect_ = false, options_ = false, star_ = false;  // the method, the path
  uint16_t seen_ = 0;
  std::optional<uint64_t> content_length_;
};

}  // namespace duplex::http
