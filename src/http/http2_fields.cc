#include "http/http2_fields.h"

#include <algorithm>

#include "duplex/base/metadata.h"
#include "http/http1_text.h"

namespace duplex::http {
namespace {

constexpr bool is_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

// A token in lower case (RFC 9113 section 8.2.1).
bool is_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) { return c != 0 && token_lower(c) == c; });
}

// Neither control octets nor blanks at an end (RFC 9113 section 8.2.1).
bool is_value(std::string_view value) {
  auto blank = [](char c) { return c == ' ' || c == '\t'; };
  return value.empty() || (!blank(value.front()) && !blank(value.back()) && is_field_value(value));
}

// host [":" port], without user information (RFC 9113 section 8.3.1).
bool is_authority(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char c) {
    return is_alnum(c) || std::string_view("-._~%!$&'()*+,;=:[]").find(c) != std::string_view::npos;
  });
}

bool is_scheme(std::string_view value) {
  return !value.empty() && !(value[0] >= '0' && value[0] <= '9') && std::all_of(value.begin(), value.end(), [](char c) {
    return is_alnum(c) || c == '+' || c == '-' || c == '.';
  });
}

bool is_path(std::string_view value) {
  return (value.starts_with('/') || value == "*") &&
         std::none_of(value.begin(), value.end(), [](unsigned char c) { return c <= 0x20 || c == 0x7f; });
}

// Three digits, of which 101 has no meaning here (RFC 9113 section 8.6).
bool is_status(std::string_view value) {
  return value.size() == 3 && value[0] >= '1' && value[0] <= '9' &&
         std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; }) && value != "101";
}

FieldKind pseudo_kind(std::string_view name, std::string_view value) {
  auto checked = [](bool right, FieldKind kind) { return right ? kind : FieldKind::kMalformed; };
  if (name == ":path") return checked(is_path(value), FieldKind::kPath);
  if (name == ":method") return checked(is_token(value), FieldKind::kMethod);
  if (name == ":scheme") return checked(is_scheme(value), FieldKind::kScheme);
  if (name == ":status") return checked(is_status(value), FieldKind::kStatus);
  if (name == ":authority") return checked(is_authority(value), FieldKind::kAuthority);
  return FieldKind::kMalformed;
}

FieldKind kind_of(std::string_view name, std::string_view value) {
  if (name.starts_with(':')) return pseudo_kind(name, value);
  if (!is_name(name) || !is_value(value)) return FieldKind::kMalformed;
  switch (name.size()) {
    case 2:
      if (name == "te" && !equals_ignoring_case(value, "trailers")) return FieldKind::kMalformed;
      break;
    case 4:
      if (name == "host") return FieldKind::kHost;
      break;
    case 14:
      if (name == "content-length") return FieldKind::kContentLength;
      break;
    default:
      // What belongs to a connection of HTTP/1.1 (section 8.2.2).
      if (name == "connection" || name == "proxy-connection" || name == "keep-alive" || name == "transfer-encoding" ||
          name == "upgrade")
        return FieldKind::kMalformed;
  }
  return FieldKind::kRegular;
}

}  // namespace

uint8_t field_kind(std::string_view name, std::string_view value) { return static_cast<uint8_t>(kind_of(name, value)); }

bool FieldRules::once(FieldKind kind) {
  const auto bit = static_cast<uint16_t>(1u << static_cast<unsigned>(kind));
  const bool first = !(seen_ & bit);
  seen_ |= bit;
  return first;
}

bool FieldRules::add_special(FieldKind kind, std::string_view value) {
  switch (kind) {
    case FieldKind::kHost:
      regular_ = true;
      return part_ == Part::kTrailers || once(kind);
    case FieldKind::kContentLength: {
      regular_ = true;
      if (part_ == Part::kTrailers) return true;
      uint64_t length;
      if (!once(kind) || !parse_length(value, length)) return false;
      content_length_ = length;
      return true;
    }
    case FieldKind::kMethod:
      connect_ = value == "CONNECT";
      options_ = value == "OPTIONS";
      break;
    case FieldKind::kPath:
      star_ = value == "*";
      break;
    case FieldKind::kScheme:
    case FieldKind::kAuthority:
    case FieldKind::kStatus:
      break;
    case FieldKind::kMalformed:
    case FieldKind::kRegular:
      return false;
  }
  // A pseudo-header field: at the beginning, of the right kind of message.
  return !regular_ && part_ == (kind == FieldKind::kStatus ? Part::kResponse : Part::kRequest) && once(kind);
}

bool FieldRules::complete() const {
  if (part_ == Part::kTrailers) return true;
  if (part_ == Part::kResponse) return has(FieldKind::kStatus);
  if (!has(FieldKind::kMethod)) return false;
  if (connect_)  // section 8.5
    return has(FieldKind::kAuthority) && !has(FieldKind::kScheme) && !has(FieldKind::kPath);
  return has(FieldKind::kScheme) && has(FieldKind::kPath) && (!star_ || options_);
}

}  // namespace duplex::http
