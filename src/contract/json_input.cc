#include "contract/json_input.h"

#include <algorithm>
#include <cstring>

#include "contract/json_number.h"
#include "contract/json_string.h"
#include "contract/json_text.h"

namespace duplex::contract {

namespace {

constexpr size_t kLeastText = 4096;
constexpr size_t kMostPath = 512;
constexpr size_t kMostShown = 64;

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

// As much of a text as an error shows, whole characters only.
std::string shown(std::string_view text) {
  if (text.size() <= kMostShown) return std::string(text);
  size_t end = kMostShown;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return std::string(text.substr(0, end)) + "...";
}

const char* meaning(simdjson::error_code error) {
  switch (error) {
    case simdjson::UNCLOSED_STRING:
      return "a string does not end: a quote is missing";
    case simdjson::UTF8_ERROR:
      return "the text is not UTF-8";
    case simdjson::UNESCAPED_CHARS:
      return "a string holds a raw control character: escape it, as \\n or \\u0001";
    case simdjson::MEMALLOC:
    case simdjson::CAPACITY:
      return "the text is too large";
    case simdjson::INCOMPLETE_ARRAY_OR_OBJECT:
      return "an object or array does not end: a bracket is missing";
    default:
      return "no JSON: a comma, colon, quote or bracket is missing, or one is too many";
  }
}

}  // namespace

bool JsonScratch::is_large() const {
  constexpr size_t kWorthKeeping = 1 << 20;
  return text_size > kWorthKeeping || unescaped.capacity() > kWorthKeeping || keys.capacity() > kWorthKeeping / 64;
}

bool JsonInput::open(std::string_view json, ondemand::value& value) {
  // In brackets, a scalar is a value like any other, and so is what follows it by mistake.
  const size_t size = json.size() + 2;
  if (scratch_.text_size < size + simdjson::SIMDJSON_PADDING) {
    scratch_.text_size = std::max(kLeastText, size * 2 + simdjson::SIMDJSON_PADDING);
    scratch_.text.reset(new char[scratch_.text_size]);
  }
  char* const text = scratch_.text.get();
  text[0] = '[';
  if (!json.empty()) std::memcpy(text + 1, json.data(), json.size());
  text[size - 1] = ']';
  std::memset(text + size, ' ', simdjson::SIMDJSON_PADDING);
  json_ = {text, size};
  if (scratch_.parser.capacity() < size) {
    const size_t capacity = scratch_.text_size - simdjson::SIMDJSON_PADDING;
    if (auto error = scratch_.parser.allocate(capacity)) return malformed(error);
  }
  if (auto error = scratch_.parser.iterate(text, size, scratch_.text_size).get(document_)) return malformed(error);
  if (auto error = document_.get_array().get(outer_)) return malformed(error);
  only_ = outer_.begin();
  if (only_.error()) return malformed(only_.error());
  if (!(only_ != outer_.end())) return fail("there is no JSON: the text is empty");
  if (auto error = (*only_).get(value)) return malformed(error);
  return true;
}

bool JsonInput::end() {
  ++only_;
  if (only_ != outer_.end()) {
    ondemand::value more;
    if (auto error = (*only_).get(more)) return malformed(error);
    fault_.at = token(more).data();
    return fail("something follows the value: one value is wanted");
  }
  const char* rest = nullptr;
  if (document_.current_location().get(rest) == simdjson::OUT_OF_BOUNDS) return true;
  fault_.at = rest;
  return fail("something follows the value: one value is wanted");
}

std::string JsonInput::place() const {
  const std::string_view before =
      json_.substr(1, static_cast<size_t>(std::max<std::ptrdiff_t>(fault_.at - json_.data() - 1, 0)));
  const auto lines = std::count(before.begin(), before.end(), '\n');
  const size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  return "line " + std::to_string(lines + 1) + ", column " + std::to_string(before.size() - line_start + 1);
}

bool JsonInput::fail(std::string what) {
  fault_.what = std::move(what);
  return false;
}

bool JsonInput::wanted(std::string_view what, std::string_view token) {
  std::string found;
  if (token.starts_with('{')) {
    found = "an object";
  } else if (token.starts_with('[')) {
    found = "an array";
  } else {
    found = shown(token);
  }
  return fail(std::string(what) + " is wanted, not " + found);
}

bool JsonInput::malformed(simdjson::error_code error) {
  const char* at = nullptr;
  // Of a text that could not be indexed there is no place.
  if (only_.error() == simdjson::SUCCESS && !document_.current_location().get(at)) fault_.at = at;
  return fail(meaning(error));
}

bool JsonInput::bad_escape(ondemand::raw_json_string raw) {
  fault_.at = raw.raw();
  return fail("a string holds an escape that is none, or half of a surrogate pair");
}

bool JsonInput::in_member(ondemand::raw_json_string key) {
  std::string_view name;
  plain_json(key.raw(), name);
  std::string part = shown(name);
  if (!fault_.path.empty() && fault_.path[0] != '[') part += '.';
  if (fault_.path.size() < kMostPath) fault_.path.insert(0, part);
  return false;
}

bool JsonInput::in_element(size_t index) {
  std::string part = "[" + std::to_string(index) + "]";
  if (!fault_.path.empty() && fault_.path[0] != '[') part += '.';
  if (fault_.path.size() < kMostPath) fault_.path.insert(0, part);
  return false;
}

std::string_view JsonInput::token(ondemand::value& value) {
  std::string_view token = value.raw_json_token();
  while (!token.empty() && is_space(token.back())) token.remove_suffix(1);
  return token;
}

bool JsonInput::text_of(ondemand::value& value, std::string_view& text, bool& quoted) {
  text = token(value);
  quoted = text.starts_with('"');
  if (!quoted) return true;
  ondemand::raw_json_string raw;
  if (auto error = value.get_raw_json_string().get(raw)) return malformed(error);
  return text_of(raw, text);
}

bool JsonInput::text_of(ondemand::raw_json_string raw, std::string_view& text) {
  if (plain_json(raw.raw(), text)) return true;
  // Up to its end, which a backslash hides from plain_json().
  const char* end = raw.raw();
  for (; *end != '"'; ++end)
    if (*end == '\\') ++end;
  scratch_.unescaped.resize(static_cast<size_t>(end - raw.raw()) + kJsonStringSlack);
  const char* const made = unescape_json(raw.raw(), scratch_.unescaped.data());
  if (!made) return bad_escape(raw);
  text = {scratch_.unescaped.data(), static_cast<size_t>(made - scratch_.unescaped.data())};
  return true;
}

bool JsonInput::is_deep(int depth) {
  if (depth < kMostJsonDepth) return false;
  fail("it is nested more than " + std::to_string(kMostJsonDepth) + " deep");
  return true;
}

bool JsonInput::object_of(ondemand::value& value, ondemand::object& object, std::string_view what, int depth) {
  if (is_deep(depth)) return false;
  const auto error = value.get_object().get(object);
  if (error == simdjson::INCORRECT_TYPE) return wanted(what, token(value));
  return error ? malformed(error) : true;
}

bool JsonInput::array_of(ondemand::value& value, ondemand::array& array, std::string_view what, int depth) {
  if (is_deep(depth)) return false;
  const auto error = value.get_array().get(array);
  if (error == simdjson::INCORRECT_TYPE) return wanted(what, token(value));
  return error ? malformed(error) : true;
}

bool JsonInput::skip(ondemand::value& value, int depth) {
  const std::string_view whole = token(value);
  switch (whole.empty() ? '\0' : whole[0]) {
    case '{':
      return skip_object(value, depth);
    case '[':
      return skip_array(value, depth);
    case '"': {
      std::string_view text;
      bool quoted = false;
      return text_of(value, text, quoted);
    }
    default:
      if (whole == "true" || whole == "false" || whole == "null" || is_json_number(whole)) return true;
      fault_.at = whole.data();
      return wanted("a value", whole);
  }
}

bool JsonInput::skip_object(ondemand::value& value, int depth) {
  ondemand::object object;
  if (!object_of(value, object, "an object", depth)) return false;
  for (auto&& member : object) {
    if (auto error = member.error()) return malformed(error);
    ondemand::field&& field = std::move(member).value_unsafe();
    std::string_view name;
    if (!text_of(field.key(), name)) return false;
    if (!skip(field.value(), depth + 1)) return in_member(field.key());
  }
  return true;
}

bool JsonInput::skip_array(ondemand::value& value, int depth) {
  ondemand::array array;
  if (!array_of(value, array, "an array", depth)) return false;
  size_t index = 0;
  for (auto&& element : array) {
    if (auto error = element.error()) return malformed(error);
    ondemand::value&& item = std::move(element).value_unsafe();
    if (!skip(item, depth + 1)) return in_element(index);
    ++index;
  }
  return true;
}

}  // namespace duplex::contract
