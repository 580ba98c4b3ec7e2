#include "duplex/config/table.h"

#include <algorithm>

namespace duplex::config {

void Shape::add(Entry entry) { entries_.push_back(std::move(entry)); }

void Shape::read(const Value& value, const std::string& path, void* into, Problems& problems) const {
  if (!detail::is_map(value, path, problems)) return;
  auto full = [&](const std::string& name) { return path.empty() ? name : path + "." + name; };
  std::vector<std::pair<const Entry*, const Member*>> last;
  for (const Member& member : value.members) {
    auto entry = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.name == member.name; });
    if (entry != entries_.end()) {
      if (entry->last)
        last.emplace_back(&*entry, &member);
      else
        entry->read(member.value, full(member.name), into, problems);
      continue;
    }
    std::vector<std::string> known;
    for (const Entry& e : entries_) known.push_back(e.name);
    problems.add(member.place, full(member.name), "there is no such setting; " + suggestion(member.name, known));
  }
  for (auto [entry, member] : last) entry->read(member->value, full(member->name), into, problems);
  for (const Entry& entry : entries_)
    if (entry.required &&
        std::none_of(value.members.begin(), value.members.end(), [&](const Member& m) { return m.name == entry.name; }))
      problems.add(value.place, full(entry.name), "this setting is required (" + entry.type + ")");
}

namespace detail {

bool is_text(const Value& value, const std::string& type, const std::string& path, Problems& problems) {
  if (value.kind == Value::Kind::kText) return true;
  problems.add(value.place, path, "expected " + type + ", found " + std::string(kind_name(value.kind)));
  return false;
}

bool items_of(const Value& value, const std::string& type, const std::string& path, Problems& problems,
              std::vector<Value>& items) {
  if (value.kind == Value::Kind::kList) {
    items = value.items;
    return true;
  }
  if (!value.from_environment || value.kind != Value::Kind::kText) {
    problems.add(value.place, path,
                 "expected a list of " + type + ", found " + std::string(kind_name(value.kind)) +
                     (value.kind == Value::Kind::kText ? "; write [" + value.text.substr(0, 100) + "]" : ""));
    return false;
  }
  for (std::string_view rest = value.text; !rest.empty();) {
    size_t comma = rest.find(',');
    std::string_view item = rest.substr(0, comma);
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    item.remove_prefix(std::min(item.find_first_not_of(' '), item.size()));
    item = item.substr(0, item.find_last_not_of(' ') + 1);
    Value one;
    one.kind = Value::Kind::kText;
    one.text = item;
    one.place = value.place;
    items.push_back(std::move(one));
  }
  return true;
}

bool is_map(const Value& value, const std::string& path, Problems& problems) {
  if (value.kind == Value::Kind::kMap || value.kind == Value::Kind::kNull) return true;
  problems.add(value.place, path, "expected a section (names and values), found " + std::string(kind_name(value.kind)));
  return false;
}

bool is_thing_name(const Member& member, const std::string& path, Problems& problems) {
  auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  };
  if (!member.name.empty() && member.name.size() <= 100 && std::all_of(member.name.begin(), member.name.end(), allowed))
    return true;
  problems.add(member.place, path,
               "\"" + member.name.substr(0, 100) + "\" is no name: write 1 to 100 letters, digits, '-', '_' and '.'");
  return false;
}

bool is_method_name(const Member& member, const std::string& path, Problems& problems) {
  static constexpr std::string_view kPlain[] = {"http:GET",  "http:HEAD",  "http:PUT",  "http:DELETE",
                                                "http:POST", "http:PATCH", "http:other"};
  const std::string& name = member.name;
  if (std::find(std::begin(kPlain), std::end(kPlain), name) != std::end(kPlain)) return true;
  auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
  };
  const size_t slash = name.find('/');
  if (name.size() <= 300 && slash != name.npos && slash > 0 && slash + 1 < name.size() &&
      std::all_of(name.begin(), name.begin() + static_cast<std::ptrdiff_t>(slash), allowed) &&
      std::all_of(name.begin() + static_cast<std::ptrdiff_t>(slash) + 1, name.end(), allowed))
    return true;
  problems.add(
      member.place, path,
      "\"" + name.substr(0, 100) +
          "\" is no method: write package.Service/Method, as in shop.v1.Orders/GetOrder; or http:GET, HEAD, PUT, "
          "DELETE, POST, PATCH or other, for plain requests by their verb");
  return false;
}

std::optional<bool> switch_of(const Value& value) {
  if (value.kind != Value::Kind::kText) return std::nullopt;
  if (value.text == "off") return false;
  if (value.text == "on") return true;
  return std::nullopt;
}

}  // namespace detail
}  // namespace duplex::config
