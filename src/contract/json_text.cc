#include "contract/json_text.h"

namespace duplex::contract {

namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// Past the string that begins at `at` (a quote); npos if it does not end.
size_t skip_string(std::string_view text, size_t at) {
  for (++at; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == '"') {
      return at + 1;
    }
  }
  return std::string_view::npos;
}

// Past the value at `at`: to the first `,` or closing bracket that is not its own, or the end. npos: malformed.
size_t skip_value(std::string_view text, size_t at) {
  int depth = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"') {
      at = skip_string(text, at);
      if (at == std::string_view::npos) return at;
      continue;
    }
    if (c == '\'') return std::string_view::npos;  // no JSON has it, and some parsers take it for a quote
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']') && depth-- == 0) return at;
    if (c == ',' && depth == 0) return at;
    ++at;
  }
  return depth == 0 ? at : std::string_view::npos;
}

}  // namespace

size_t utf8_length(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto follows = [&](size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const unsigned first = byte(at);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return follows(at + 1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    if (!follows(at + 1) || !follows(at + 2)) return 0;
    if (first == 0xe0 && byte(at + 1) < 0xa0) return 0;
    if (first == 0xed && byte(at + 1) > 0x9f) return 0;
    return 3;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    if (!follows(at + 1) || !follows(at + 2) || !follows(at + 3)) return 0;
    if (first == 0xf0 && byte(at + 1) < 0x90) return 0;
    if (first == 0xf4 && byte(at + 1) > 0x8f) return 0;
    return 4;
  }
  return 0;
}

bool is_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const size_t length = utf8_length(text, i);
    if (length == 0) return false;
    i += length;
  }
  return true;
}

void append_json_string(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    const size_t length = utf8_length(text, i);
    if (length == 0) {
      out += "\xEF\xBF\xBD";
      ++i;
      continue;
    }
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += "\\u00";
      out += kHex[c >> 4];
      out += kHex[c & 15];
    } else {
      out += text.substr(i, length);
    }
    i += length;
  }
  out += '"';
}

std::string json_string(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

std::vector<std::string_view> json_items(std::string_view json) {
  std::vector<std::string_view> items;
  size_t at = 0;
  while (at < json.size() && is_space(json[at])) ++at;
  if (at == json.size() || json[at] != '[') return items;
  do {
    const size_t from = ++at;
    at = skip_value(json, from);
    if (at == std::string_view::npos || at == json.size()) return {};
    const std::string_view item = json.substr(from, at - from);
    if (item.find_first_not_of(" \t\r\n") != std::string_view::npos) items.push_back(item);
  } while (json[at] == ',');
  return items;
}

std::optional<std::string_view> find_json_member(std::string_view json, std::string_view name) {
  size_t at = 0;
  const auto skip_space = [&] {
    while (at < json.size() && is_space(json[at])) ++at;
  };
  skip_space();
  if (at == json.size() || json[at] != '{') return std::nullopt;
  ++at;
  for (;;) {
    skip_space();
    if (at == json.size() || json[at] != '"') return std::nullopt;
    const size_t key = at;
    at = skip_string(json, at);
    if (at == std::string_view::npos) return std::nullopt;
    const std::string_view found = json.substr(key + 1, at - key - 2);
    skip_space();
    if (at == json.size() || json[at] != ':') return std::nullopt;
    ++at;
    skip_space();
    const size_t value = at;
    at = skip_value(json, at);
    if (at == std::string_view::npos) return std::nullopt;
    if (found == name) return json.substr(value, at - value);
    if (at == json.size() || json[at] != ',') return std::nullopt;
    ++at;
  }
}

}  // namespace duplex::contract
