// Value: what a configuration says, as a tree of texts that know where they stand, before anyone has judged it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "duplex/base/status.h"

namespace duplex::config {

// "duplex.yaml:3:5", or "environment variable DUPLEX_SERVER__GRACE". Lines and columns count from 1.
struct Place {
  std::shared_ptr<const std::string> source;
  int line = 0, column = 0;  // 0: the source has no lines
  std::string to_string() const;
};

struct Member;

struct Value {
  enum class Kind { kNull, kText, kList, kMap };
  Kind kind = Kind::kNull;
  std::string text;             // of kText: without quotes
  std::vector<Value> items;     // of kList
  std::vector<Member> members;  // of kMap, in the order of the file; no name twice
  Place place;
  bool from_environment = false;  // a text that may stand for a list: items between commas
};

struct Member {
  std::string name;
  Place place;  // of the name
  Value value;
};

// "a list" for kList.
std::string_view kind_name(Value::Kind kind);

// The mistakes in a configuration, all of them, so that one run shows what is to be mended.
class Problems {
 public:
  // "duplex.yaml:3:5: server.grace: <text>"
  void add(const Place& place, std::string_view path, std::string_view text);
  bool empty() const { return lines_.empty(); }
  size_t size() const { return lines_.size(); }
  const std::vector<std::string>& lines() const { return lines_; }
  // INVALID_ARGUMENT with a line a mistake; OK if there is none.
  Status status() const;

 private:
  std::vector<std::string> lines_;
};

// Reads YAML 1.2 (one document). INVALID_ARGUMENT names `source`, line and column: of what is no YAML, of a key that
// stands twice, of nesting deeper than 32 and of aliases that would grow to more than 100,000 values.
Result<Value> parse_yaml(std::string_view text, std::string source);
// The same of a file of at most 4 MiB. NOT_FOUND: there is none; FAILED_PRECONDITION: it cannot be read.
Result<Value> parse_yaml_file(const std::string& path);

// Lays variables over a configuration: DUPLEX_SERVER__GRACE=5s is `server: {grace: 5s}`. Two underscores part the
// names, which are in lower case; one that differs from a name of the file only by '-' for '_' is that name. A variable
// with no two underscores is no setting. `environment` holds "NAME=VALUE" each.
void apply_environment(Value& root, const std::vector<std::string>& environment);
// This process's environment in that form.
std::vector<std::string> process_environment();

}  // namespace duplex::config
