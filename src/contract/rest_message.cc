#include "duplex/contract/rest_message.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>

#include "contract/field_json.h"
#include "contract/json_text.h"
#include "contract/merge.h"
#include "contract/query.h"
#include "contract/text_of_value.h"
#include "contract/text_value.h"
#include "contract/wire.h"

namespace duplex::contract {

namespace {

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

Status wrong_variable(std::string_view name, const std::string& why) {
  return Status::invalid_argument("path variable " + json_string(name) + ": " + why);
}

Result<Bytes> body_bytes(const HttpRule& rule, std::string_view body) {
  const Type& type = rule.method->input();
  if (is_blank(body)) return Bytes();
  if (!rule.has_body())
    return Status::invalid_argument(rule.verb + " " + rule.path.text() + " takes no body: send none");
  return rule.whole_body() ? json_to_proto(type, body) : field_from_json(type, *rule.body_field, body);
}

// The value of the field at the end of `path` in the message `wire`, as text; empty if it is absent.
Result<std::string> text_at(const Contract& contract, const FieldPath& path, std::string_view wire_bytes) {
  std::string bytes(wire_bytes);
  std::vector<std::string> texts;
  for (const auto* field : path) {
    const bool last = field == path.back();
    std::string inner;
    wire::Reader reader(bytes);
    for (wire::Field part; reader.next(part);) {
      if (part.number != static_cast<uint32_t>(field->number())) continue;
      inner += part.bytes;
      if (!last) continue;
      if (Status s = texts_of_value(contract, *field, part, texts); !s.is_ok()) return s;
    }
    if (!reader.ok()) return Status::invalid_argument("malformed protobuf bytes");
    bytes = std::move(inner);
  }
  return texts.empty() ? std::string() : texts.back();
}

bool is_present(std::string_view wire_bytes, const google::protobuf::FieldDescriptor& field) {
  wire::Reader reader(wire_bytes);
  for (wire::Field part; reader.next(part);)
    if (part.number == static_cast<uint32_t>(field.number())) return true;
  return false;
}

// Whether `value` is what the segments of `variable` match.
bool fits(const PathTemplate& path, const PathTemplate::Variable& variable, std::string_view value) {
  for (size_t i = 0; i < variable.count; ++i) {
    const auto& segment = path.segments()[variable.first + i];
    if (segment.kind == PathTemplate::Kind::kRest) return true;
    const size_t slash = variable.count == 1 ? std::string_view::npos : value.find('/');
    const std::string_view part = value.substr(0, slash);
    if (part.empty() || (segment.kind == PathTemplate::Kind::kLiteral && part != segment.literal)) return false;
    const bool ends = slash == std::string_view::npos;
    if (ends != (i + 1 == variable.count)) {
      // `shelves/**` takes "shelves" too: its rest may be nothing.
      return ends && i + 2 == variable.count &&
             path.segments()[variable.first + i + 1].kind == PathTemplate::Kind::kRest;
    }
    value.remove_prefix(ends ? value.size() : slash + 1);
  }
  return true;
}

Result<std::string> expand_path(const HttpRule& rule, std::string_view wire_bytes) {
  const auto& segments = rule.path.segments();
  const auto& variables = rule.path.variables();
  std::string out;
  size_t next = 0;  // variable
  for (size_t i = 0; i < segments.size();) {
    out += '/';
    if (next < variables.size() && variables[next].first == i) {
      const auto& variable = variables[next];
      auto text = text_at(rule.method->input().contract(), rule.variables[next], wire_bytes);
      if (!text) return wrong_variable(variable.field_path, text.error().message());
      if (!fits(rule.path, variable, *text))
        return wrong_variable(variable.field_path, json_string(*text) + " does not fit " + rule.path.text());
      out += percent_encode(*text, variable.multi);
      i += variable.count;
      ++next;
      continue;
    }
    if (segments[i].kind != PathTemplate::Kind::kLiteral)
      return Status::invalid_argument("the path " + rule.path.text() +
                                      " has a wildcard without a name, so a client cannot fill it in");
    out += percent_encode(segments[i].literal);
    ++i;
  }
  if (out.empty()) out = "/";
  if (!rule.path.verb().empty()) out += ":" + percent_encode(rule.path.verb());
  return out;
}

}  // namespace

Result<Bytes> assemble_request(const HttpRule& rule, const Captures& captures, std::string_view query,
                               std::string_view body) {
  auto message = body_bytes(rule, body);
  if (!message || (query.empty() && captures.size() == 0)) return message;
  std::string more;
  if (Status s = append_query(more, rule, query); !s.is_ok()) return s;
  const Contract& contract = rule.method->input().contract();
  for (size_t i = 0; i < captures.size(); ++i) {
    const auto& variable = rule.path.variables()[i];
    auto text = percent_decode(captures[i], variable.multi);
    if (!text) return wrong_variable(variable.field_path, text.error().message());
    if (Status s = append_text_value(more, contract, rule.variables[i], *text); !s.is_ok())
      return wrong_variable(variable.field_path, s.message());
  }
  // Put after the body, since the last value of a single field counts.
  const bool nested =
      query.find('.') != std::string_view::npos ||
      std::any_of(rule.variables.begin(), rule.variables.end(), [](const auto& v) { return v.size() > 1; });
  if (message->empty() && !nested) return Bytes::copy(more);
  more.insert(0, message->view());
  return Bytes::copy(merged(rule.method->input().descriptor(), more));
}

Result<Bytes> render_response(const HttpRule& rule, std::string_view wire_bytes, const JsonOptions& options) {
  const Type& type = rule.method->output();
  auto json = rule.response_field ? field_to_json(type, *rule.response_field, wire_bytes, options)
                                  : proto_to_json(type, wire_bytes, options);
  // The service's fault, not its caller's.
  if (!json) return Status::internal("the response has no JSON form: " + json.error().message());
  return json;
}

Result<RestRequest> split_request(const HttpRule& rule, std::string_view wire_bytes, const JsonOptions& options) {
  RestRequest made;
  auto path = expand_path(rule, wire_bytes);
  if (!path) return path.error();
  std::string query;
  if (Status s = write_query(query, rule, wire_bytes); !s.is_ok()) return s;
  made.target = query.empty() ? std::move(*path) : *path + "?" + query;
  if (rule.has_body() && (rule.whole_body() || is_present(wire_bytes, *rule.body_field))) {
    JsonOptions sparse = options;
    sparse.print_zeros = false;  // a zero that is not there is a zero
    const Type& type = rule.method->input();
    auto body = rule.whole_body() ? proto_to_json(type, wire_bytes, sparse)
                                  : field_to_json(type, *rule.body_field, wire_bytes, sparse);
    if (!body) return body.error();
    made.body = std::move(*body);
  }
  return made;
}

Result<Bytes> assemble_response(const HttpRule& rule, std::string_view body) {
  const Type& type = rule.method->output();
  if (is_blank(body)) return Bytes();
  JsonReading lenient;
  lenient.skip_unknown = true;
  return rule.response_field ? field_from_json(type, *rule.response_field, body, lenient)
                             : json_to_proto(type, body, lenient);
}

}  // namespace duplex::contract
