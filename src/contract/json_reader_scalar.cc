// Reading what is one value: text, bytes, numbers, bools, enums.
#include <bit>
#include <cstring>
#include <limits>

#include "contract/base64.h"
#include "contract/json_number.h"
#include "contract/json_reader.h"
#include "contract/json_string.h"

namespace duplex::contract {

namespace {

template <class T>
constexpr T kLeast = std::numeric_limits<T>::min();
template <class T>
constexpr T kMost = std::numeric_limits<T>::max();

template <class T>
bool named_real(std::string_view text, T& value) {
  if (text == "NaN") {
    value = std::numeric_limits<T>::quiet_NaN();
  } else if (text == "Infinity") {
    value = std::numeric_limits<T>::infinity();
  } else if (text == "-Infinity") {
    value = -std::numeric_limits<T>::infinity();
  } else {
    return false;
  }
  return true;
}

}  // namespace

bool JsonReader::text(const FieldTable& field, ondemand::value& value, Zero zero) {
  const std::string_view token = JsonInput::token(value);
  if (!token.starts_with('"')) return input_.wanted("a string", token);
  ondemand::raw_json_string raw;
  if (auto error = value.get_raw_json_string().get(raw)) return input_.malformed(error);
  // Straight to its place: as if it were as long as it is with its escapes, and moved if it was shorter by much.
  const size_t most = token.size() - 2;
  const size_t room = ByteOutput::varint_size(most);
  out_.need(8 + ByteOutput::kMostVarint + most + kJsonStringSlack);
  char* const before = out_.at();
  out_.put_tag(field.tag, field.tag_size);
  char* const length_at = out_.at();
  char* const begin = length_at + room;
  char* const end = unescape_json(raw.raw(), begin);
  if (!end) return input_.bad_escape(raw);
  const auto size = static_cast<size_t>(end - begin);
  if (size == 0 && zero == Zero::kIsLeftOut) {
    out_.move_to(before);
    return true;
  }
  char* const text_at = ByteOutput::write_varint(length_at, size);
  if (text_at != begin) std::memmove(text_at, begin, size);
  out_.move_to(text_at + size);
  return true;
}

bool JsonReader::bytes(const FieldTable& field, ondemand::value& value, Zero zero) {
  std::string_view text;
  bool quoted = false;
  if (!input_.text_of(value, text, quoted)) return false;
  if (!quoted) return input_.wanted("a string of base64", JsonInput::token(value));
  if (text.empty() && zero == Zero::kIsLeftOut) return true;
  const size_t size = base64_decoded_size(text);
  out_.need(8 + ByteOutput::kMostVarint + size);
  out_.put_tag(field.tag, field.tag_size);
  out_.put_varint(size);
  if (!base64_decode(text, out_.at())) return input_.wanted("base64", JsonInput::token(value));
  out_.move_to(out_.at() + size);
  return true;
}

bool JsonReader::number(const FieldTable& field, ondemand::value& value, uint64_t& bits, bool& skipped) {
  if (field.kind == Kind::kEnum) return enum_number(*field.enumeration, value, bits, skipped);
  std::string_view text;
  bool quoted = false;
  if (!input_.text_of(value, text, quoted)) return false;
  std::string_view wanted = "true or false";
  if (!quoted || field.kind != Kind::kBool) wanted = number_of_text(field.kind, text, quoted, bits);
  return wanted.empty() || input_.wanted(wanted, JsonInput::token(value));
}

std::string_view JsonReader::number_of_text(Kind kind, std::string_view text, bool quoted, uint64_t& bits) {
  int64_t whole = 0;
  switch (kind) {
    case Kind::kInt32:
    case Kind::kSint32:
    case Kind::kSfixed32:
      if (!parse_whole(text, kLeast<int32_t>, kMost<int32_t>, whole)) return "a whole number of 32 bits";
      bits = kind == Kind::kSint32 ? wire::zigzag(whole) : static_cast<uint64_t>(whole);
      return {};
    case Kind::kInt64:
    case Kind::kSint64:
    case Kind::kSfixed64:
      if (!parse_whole(text, kLeast<int64_t>, kMost<int64_t>, whole)) return "a whole number of 64 bits";
      bits = kind == Kind::kSint64 ? wire::zigzag(whole) : static_cast<uint64_t>(whole);
      return {};
    case Kind::kUint32:
    case Kind::kFixed32:
      return parse_whole(text, kMost<uint32_t>, bits) ? "" : "a whole number of 32 bits, not negative,";
    case Kind::kUint64:
    case Kind::kFixed64:
      return parse_whole(text, kMost<uint64_t>, bits) ? "" : "a whole number of 64 bits, not negative,";
    case Kind::kDouble: {
      double real = 0;
      if (!parse_real(text, real) && !(quoted && named_real(text, real))) return "a number that a double can hold";
      bits = std::bit_cast<uint64_t>(real);
      return {};
    }
    case Kind::kFloat: {
      float real = 0;
      if (!parse_real(text, real) && !(quoted && named_real(text, real))) return "a number that a float can hold";
      bits = std::bit_cast<uint32_t>(real);
      return {};
    }
    default:
      if (text != "true" && text != "false") return "true or false";
      bits = text == "true";
      return {};
  }
}

bool JsonReader::enum_number(const EnumTable& type, ondemand::value& value, uint64_t& bits, bool& skipped) {
  std::string_view text;
  bool quoted = false;
  if (!input_.text_of(value, text, quoted)) return false;
  if (quoted) {
    const int32_t* const found = type.numbers.find(text);
    if (!found && reading_.skip_unknown) {
      skipped = true;
      return true;
    }
    if (!found) return input_.wanted("the name of a value of " + std::string(type.full_name), JsonInput::token(value));
    bits = static_cast<uint64_t>(static_cast<int64_t>(*found));
    return true;
  }
  if (type.is_null && text == "null") {
    bits = 0;
    return true;
  }
  int64_t whole = 0;
  if (!parse_whole(text, kLeast<int32_t>, kMost<int32_t>, whole))
    return input_.wanted("a value of " + std::string(type.full_name) + ", by its name or number,", text);
  bits = static_cast<uint64_t>(whole);
  return true;
}

void JsonReader::put_number(Kind kind, uint64_t bits) {
  switch (wire_type(kind)) {
    case wire::Type::kFixed32:
      return out_.put_fixed32(static_cast<uint32_t>(bits));
    case wire::Type::kFixed64:
      return out_.put_fixed64(bits);
    default:
      return out_.put_varint(bits);
  }
}

}  // namespace duplex::contract
