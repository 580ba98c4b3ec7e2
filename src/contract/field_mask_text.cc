#include "contract/field_mask_text.h"

namespace duplex::contract {

namespace {

bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_of_a_path(char c) { return is_upper(c) || is_lower(c) || (c >= '0' && c <= '9') || c == '_' || c == '.'; }
constexpr char kCase = 'a' - 'A';

}  // namespace

char* mask_path_from_json(std::string_view path, char* to) {
  for (char c : path) {
    if (!is_of_a_path(c)) return nullptr;
    if (is_upper(c)) {
      *to++ = '_';
      c = static_cast<char>(c + kCase);
    }
    *to++ = c;
  }
  return to;
}

char* mask_path_to_json(std::string_view path, char* to) {
  if (path.empty()) return nullptr;
  for (size_t i = 0; i < path.size(); ++i) {
    char c = path[i];
    if (is_upper(c) || !is_of_a_path(c)) return nullptr;
    if (c == '_') {
      if (++i == path.size() || !is_lower(path[i])) return nullptr;
      c = static_cast<char>(path[i] - kCase);
    }
    *to++ = c;
  }
  return to;
}

}  // namespace duplex::contract
