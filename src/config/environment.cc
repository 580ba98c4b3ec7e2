#include <unistd.h>

#include <algorithm>

#include "duplex/config/value.h"

namespace duplex::config {
namespace {

constexpr std::string_view kPrefix = "DUPLEX_";

std::string plain(std::string_view name) {
  std::string out(name);
  for (char& c : out) c = c == '-' ? '_' : (c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c);
  return out;
}

Member& member(Value& map, std::string_view word, const Place& place) {
  std::string name = plain(word);
  for (Member& m : map.members)
    if (plain(m.name) == name) return m;
  map.members.push_back({name, place, Value()});
  map.members.back().value.place = place;
  return map.members.back();
}

}  // namespace

void apply_environment(Value& root, const std::vector<std::string>& environment) {
  for (const std::string& entry : environment) {
    size_t equals = entry.find('=');
    if (equals == std::string::npos || !entry.starts_with(kPrefix)) continue;
    std::string_view path = std::string_view(entry).substr(kPrefix.size(), equals - kPrefix.size());
    if (path.find("__") == std::string_view::npos) continue;
    Place place{std::make_shared<const std::string>("environment variable " + entry.substr(0, equals)), 0, 0};
    Value* at = &root;
    for (size_t end = 0; end != std::string_view::npos; path.remove_prefix(std::min(path.size(), end + 2))) {
      // What the file has here, if it is no section, is replaced: the variable has the last word.
      if (at->kind != Value::Kind::kMap) {
        *at = Value();
        at->kind = Value::Kind::kMap;
        at->place = place;
      }
      end = path.find("__");
      at = &member(*at, path.substr(0, end), place).value;
      if (end == std::string_view::npos) break;
    }
    *at = Value();
    at->kind = Value::Kind::kText;
    at->text = entry.substr(equals + 1);
    at->place = place;
    at->from_environment = true;
  }
}

std::vector<std::string> process_environment() {
  std::vector<std::string> all;
  for (char** entry = environ; entry && *entry; ++entry) all.emplace_back(*entry);
  return all;
}

}  // namespace duplex::config
