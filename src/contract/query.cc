#include "contract/query.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <vector>

#include "contract/fields.h"
#include "contract/json_text.h"
#include "contract/text_of_value.h"
#include "contract/text_value.h"
#include "contract/wire.h"

namespace duplex::contract {

using google::protobuf::FieldDescriptor;

namespace {

Result<std::string> decode_part(std::string_view raw) {
  if (raw.find_first_of("+%") == std::string_view::npos) return std::string(raw);
  std::string spaced(raw);
  std::replace(spaced.begin(), spaced.end(), '+', ' ');
  return percent_decode(spaced);
}

Status wrong(std::string_view name, const std::string& why) {
  return Status::invalid_argument("query parameter " + json_string(name) + ": " + why);
}

bool is_bound(const HttpRule& rule, const FieldPath& path) {
  if (rule.whole_body() || (rule.body_field && path.front() == rule.body_field)) return true;
  return std::find(rule.variables.begin(), rule.variables.end(), path) != rule.variables.end();
}

// Members of one oneof of one message.
bool excludes(const FieldPath& a, const FieldPath& b) {
  const auto* oneof = a.back()->real_containing_oneof();
  return oneof && oneof == b.back()->real_containing_oneof() && a.size() == b.size() &&
         std::equal(a.begin(), a.end() - 1, b.begin());
}

class Writer {
 public:
  Writer(std::string& out, const HttpRule& rule) : out_(out), rule_(rule) {}

  Status write(const Type& type, std::string_view wire_bytes) {
    wire::Reader reader(wire_bytes);
    for (wire::Field part; reader.next(part);) {
      const FieldDescriptor* field = type.descriptor().FindFieldByNumber(static_cast<int>(part.number));
      if (!field) continue;
      path_.push_back(field);
      if (!is_bound(rule_, path_)) {
        if (Status s = write_field(type.contract(), *field, part); !s.is_ok()) return s;
      }
      path_.pop_back();
    }
    return reader.ok() ? Status::ok() : Status::invalid_argument("malformed protobuf bytes in " + type.name());
  }

 private:
  Status write_field(const Contract& contract, const FieldDescriptor& field, const wire::Field& part) {
    if (!is_textual(field)) {
      if (field.is_repeated() || field.type() != FieldDescriptor::TYPE_MESSAGE || path_.size() > 32)
        return Status::invalid_argument("the field \"" + name() +
                                        "\" cannot stand in a query: give the rule a body that holds it");
      return write(contract.type_of(*field.message_type()), part.bytes);
    }
    std::vector<std::string> values;
    if (Status s = texts_of_value(contract, field, part, values); !s.is_ok()) return s;
    for (const std::string& value : values) {
      if (!out_.empty()) out_ += '&';
      out_ += name();
      out_ += '=';
      out_ += percent_encode(value);
    }
    return Status::ok();
  }
  std::string name() const {
    std::string text;
    for (const FieldDescriptor* field : path_) {
      if (!text.empty()) text += '.';
      text += field->name();
    }
    return text;
  }

  std::string& out_;
  const HttpRule& rule_;
  FieldPath path_;
};

}  // namespace

Status append_query(std::string& out, const HttpRule& rule, std::string_view query) {
  const Type& type = rule.method->input();
  std::vector<FieldPath> given;  // single fields
  while (!query.empty()) {
    const size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
    if (pair.empty()) continue;
    const size_t equals = pair.find('=');
    auto name = decode_part(pair.substr(0, equals));
    if (!name) return wrong(pair.substr(0, equals), name.error().message());
    auto value = decode_part(equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1));
    if (!value) return wrong(*name, value.error().message());

    auto path = find_field_path(type.descriptor(), *name);
    if (!path) return wrong(*name, path.error().message());
    if (is_bound(rule, *path))
      return wrong(*name, rule.whole_body() ? "this method takes its fields from the body, not from the query"
                                            : "the path or the body holds this field");
    const FieldDescriptor& field = *path->back();
    if (!is_textual(field)) return wrong(*name, "this field is a message or a map: name a field within it");
    if (!field.is_repeated()) {
      for (const FieldPath& other : given) {
        if (other == *path) return wrong(*name, "it is given twice");
        if (excludes(other, *path))
          return wrong(*name, "\"" + other.back()->name() + "\" is given too, and only one of them can be");
      }
      given.push_back(*path);
    }
    if (Status s = append_text_value(out, type.contract(), *path, *value); !s.is_ok()) return wrong(*name, s.message());
  }
  return Status::ok();
}

Status write_query(std::string& out, const HttpRule& rule, std::string_view wire_bytes) {
  if (rule.whole_body()) return Status::ok();
  return Writer(out, rule).write(rule.method->input(), wire_bytes);
}

}  // namespace duplex::contract
