// Table<S>: the settings of a room, declared once. From it come the reading, every error text and the reference.
//
//   struct RetrySettings { int64_t attempts = 3; Duration first_wait = 100ms; std::vector<std::string> codes; };
//   Table<RetrySettings> retry_table() {
//     return Table<RetrySettings>()
//         .field("attempts", &RetrySettings::attempts, integer(1, 10, "attempts"), "How often a call is made at most.")
//         .field("first_wait", &RetrySettings::first_wait, duration(1ms, 1min), "The wait before the second attempt.")
//         .list("codes", &RetrySettings::codes, text(), "Which statuses are tried again.");
//   }
//
// The defaults are the struct's own. A key that no table names is an error at its place with the nearest key there is.
// Tables nest: section() is one struct in another, optional() one that may be switched off, sections() a list of them,
// named() a map of them by a name the user chooses, overrides() such a map in which each begins as its owner is.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "duplex/config/kind.h"
#include "duplex/config/value.h"

namespace duplex::config {

// A Table without its type: what reading and the reference need.
class Shape {
 public:
  using Read = std::function<void(const Value&, const std::string& path, void* into, Problems&)>;
  struct Entry {
    std::string name, type, unit, fallback, doc;  // fallback: the default as one would write it
    bool required = false;
    std::shared_ptr<const Shape> inside;  // of a section or of named things
    bool named = false;
    Read read;
    bool last = false;  // read when the others of its section have been: it begins from them
  };

  void add(Entry entry);
  const std::vector<Entry>& entries() const { return entries_; }
  // Reads a map into the struct at `into`; what is not named keeps its value. `path` is what stands before:
  // "peers.orders".
  void read(const Value& value, const std::string& path, void* into, Problems& problems) const;

 private:
  std::vector<Entry> entries_;
};

// A markdown reference: a heading a section, a row a setting.
std::string reference(const Shape& shape);

namespace detail {
// False, and a problem, unless the value is a text.
bool is_text(const Value& value, const std::string& type, const std::string& path, Problems& problems);
// The values of a list: of the file, or between the commas of a variable. False, and a problem, if it is neither.
bool items_of(const Value& value, const std::string& type, const std::string& path, Problems& problems,
              std::vector<Value>& items);
// False, and a problem, unless the value is a map (or nothing).
bool is_map(const Value& value, const std::string& path, Problems& problems);
bool is_thing_name(const Member& member, const std::string& path, Problems& problems);
// The same of "package.Service/Method", and of "http:POST" for plain requests by their verb.
bool is_method_name(const Member& member, const std::string& path, Problems& problems);
// `on` and `off` in place of a section: what it says. nullopt: it is neither.
std::optional<bool> switch_of(const Value& value);

template <class T>
void read_text(const Kind<T>& kind, const Value& value, const std::string& path, T& into, Problems& problems) {
  if (!is_text(value, kind.type, path, problems)) return;
  Result<T> result = kind.parse(value.text);
  if (result)
    into = std::move(*result);
  else
    problems.add(value.place, path, result.error().message());
}
}  // namespace detail

template <class S>
class Table {
 public:
  template <class T>
  Table& field(std::string name, T S::* member, Kind<T> kind, std::string doc) {
    return add_field(std::move(name), member, std::move(kind), std::move(doc), false);
  }
  // One that has no default.
  template <class T>
  Table& required(std::string name, T S::* member, Kind<T> kind, std::string doc) {
    return add_field(std::move(name), member, std::move(kind), std::move(doc), true);
  }
  template <class T>
  Table& list(std::string name, std::vector<T> S::* member, Kind<T> kind, std::string doc) {
    std::string shown;
    for (const T& item : defaults_.*member) shown += (shown.empty() ? "" : ", ") + kind.show(item);
    auto read = [member, kind](const Value& value, const std::string& path, void* into, Problems& problems) {
      std::vector<Value> items;
      if (!detail::items_of(value, kind.type, path, problems, items)) return;
      std::vector<T> read_items(items.size());
      for (size_t i = 0; i < items.size(); ++i)
        detail::read_text(kind, items[i], path + "[" + std::to_string(i) + "]", read_items[i], problems);
      static_cast<S*>(into)->*member = std::move(read_items);
    };
    shape_->add({std::move(name), "list of " + kind.type, kind.unit, "[" + shown + "]", std::move(doc), false, nullptr,
                 false, std::move(read)});
    return *this;
  }
  // One that is written in a way of its own: `own` takes whatever stands there, or adds what is wrong with it.
  template <class T>
  Table& required_as(std::string name, T S::* member, std::string type,
                     void (*own)(const Value&, const std::string& path, T& into, Problems&), std::string doc) {
    auto read_own = [member, own](const Value& value, const std::string& path, void* into, Problems& problems) {
      own(value, path, static_cast<S*>(into)->*member, problems);
    };
    shape_->add({std::move(name), std::move(type), "", "", std::move(doc), true, nullptr, false, std::move(read_own)});
    return *this;
  }
  template <class T>
  Table& section(std::string name, T S::* member, const Table<T>& table, std::string doc) {
    auto inside = table.shape();
    auto read = [member, inside](const Value& value, const std::string& path, void* into, Problems& problems) {
      inside->read(value, path, &(static_cast<S*>(into)->*member), problems);
    };
    shape_->add({std::move(name), "section", "", "", std::move(doc), false, inside, false, std::move(read)});
    return *this;
  }
  // A section that is there or not: naming it switches it on, with the defaults or what it inherits; so does `on`, and
  // `off` switches it off.
  template <class T>
  Table& optional(std::string name, std::optional<T> S::* member, const Table<T>& table, std::string doc) {
    auto inside = table.shape();
    auto read = [member, inside](const Value& value, const std::string& path, void* into, Problems& problems) {
      std::optional<T>& place = static_cast<S*>(into)->*member;
      const std::optional<bool> on = detail::switch_of(value);
      if (on && !*on) return place.reset();
      if (!place) place.emplace();
      if (!on) inside->read(value, path, &*place, problems);
    };
    shape_->add({std::move(name), "section or off", "", defaults_.*member ? "on" : "off", std::move(doc), false, inside,
                 false, std::move(read)});
    return *this;
  }
  template <class T>
  Table& sections(std::string name, std::vector<T> S::* member, const Table<T>& table, std::string doc) {
    auto inside = table.shape();
    auto read = [member, inside](const Value& value, const std::string& path, void* into, Problems& problems) {
      std::vector<Value> items;
      if (!detail::items_of(value, "sections", path, problems, items)) return;
      std::vector<T> read_items(items.size());
      for (size_t i = 0; i < items.size(); ++i)
        inside->read(items[i], path + "[" + std::to_string(i) + "]", &read_items[i], problems);
      static_cast<S*>(into)->*member = std::move(read_items);
    };
    shape_->add({std::move(name), "list of sections", "", "[]", std::move(doc), false, inside, false, std::move(read)});
    return *this;
  }
  // All settings of `B`, a base of S, as if they were declared here.
  template <class B>
  Table& include(const Table<B>& base) {
    for (Shape::Entry entry : base.shape()->entries()) {
      entry.read = [read = std::move(entry.read)](const Value& value, const std::string& path, void* into,
                                                  Problems& problems) {
        read(value, path, static_cast<B*>(static_cast<S*>(into)), problems);
      };
      shape_->add(std::move(entry));
    }
    return *this;
  }
  // A map by method ("package.Service/Method", "http:POST") of what differs there: each begins as the `B` that S itself
  // is.
  template <class B>
  Table& overrides(std::string name, std::map<std::string, B> S::* member, const Table<B>& table, std::string doc) {
    auto inside = table.shape();
    auto read = [member, inside](const Value& value, const std::string& path, void* into, Problems& problems) {
      if (!detail::is_map(value, path, problems)) return;
      S& owner = *static_cast<S*>(into);
      for (const Member& thing : value.members) {
        if (!detail::is_method_name(thing, path, problems)) continue;
        B& mine = (owner.*member)[thing.name] = static_cast<const B&>(owner);
        inside->read(thing.value, path + "." + thing.name, &mine, problems);
      }
    };
    shape_->add(
        {std::move(name), "named sections", "", "", std::move(doc), false, inside, true, std::move(read), true});
    return *this;
  }
  template <class T>
  Table& named(std::string name, std::map<std::string, T> S::* member, const Table<T>& table, std::string doc) {
    auto inside = table.shape();
    auto read = [member, inside](const Value& value, const std::string& path, void* into, Problems& problems) {
      if (!detail::is_map(value, path, problems)) return;
      for (const Member& thing : value.members)
        if (detail::is_thing_name(thing, path, problems))
          inside->read(thing.value, path + "." + thing.name, &(static_cast<S*>(into)->*member)[thing.name], problems);
    };
    shape_->add({std::move(name), "named sections", "", "", std::move(doc), false, inside, true, std::move(read)});
    return *this;
  }

  std::shared_ptr<const Shape> shape() const { return shape_; }

  // The struct that a configuration means; or INVALID_ARGUMENT with a line for each mistake in it.
  Result<S> read(const Value& root) const {
    S s{};
    Problems problems;
    shape_->read(root, "", &s, problems);
    if (!problems.empty()) return problems.status();
    return s;
  }

 private:
  template <class T>
  Table& add_field(std::string name, T S::* member, Kind<T> kind, std::string doc, bool required) {
    std::string shown = required ? "" : kind.show(defaults_.*member);
    auto read = [member, kind](const Value& value, const std::string& path, void* into, Problems& problems) {
      detail::read_text(kind, value, path, static_cast<S*>(into)->*member, problems);
    };
    shape_->add({std::move(name), kind.type, kind.unit, std::move(shown), std::move(doc), required, nullptr, false,
                 std::move(read)});
    return *this;
  }
  const S defaults_{};
  const std::shared_ptr<Shape> shape_ = std::make_shared<Shape>();
};

}  // namespace duplex::config
