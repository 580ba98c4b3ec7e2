#include "duplex/config/find.h"

#include <algorithm>

namespace duplex::config {
namespace {

const Value* member(const Value& map, std::string_view name) {
  auto found = std::find_if(map.members.begin(), map.members.end(), [&](const Member& m) { return m.name == name; });
  return found != map.members.end() ? &found->value : nullptr;
}

}  // namespace

const Value* find(const Value& root, const Path& path) {
  const Value* at = &root;
  for (const std::string& name : path)
    if (!(at = member(*at, name))) return nullptr;
  return at;
}

std::string place_before(const Value& root, const Path& path) {
  const Value* nearest = &root;
  for (const std::string& name : path) {
    const Value* inside = member(*nearest, name);
    if (!inside) break;
    nearest = inside;
  }
  return nearest->place.source ? nearest->place.to_string() + ": " : std::string();
}

}  // namespace duplex::config
