#include "duplex/contract/problem.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include "contract/base64.h"
#include "contract/json_text.h"
#include "contract/wire.h"
#include "duplex/base/http_reason.h"
#include "duplex/contract/http_status.h"
#include "duplex/contract/json.h"

namespace duplex::contract {

namespace pb = google::protobuf;

namespace {

const Type* any_type(const Contract* contract) {
  return contract ? contract->find_type("google.protobuf.Any") : nullptr;
}

void append_detail(std::string& out, const Detail& detail, const Type* any) {
  if (any) {
    std::string bytes;
    wire::put_bytes(bytes, 1, detail.type_url);
    wire::put_bytes(bytes, 2, detail.value);
    if (auto json = proto_to_json(*any, bytes); json && json->view() != "{}") {
      out += json->view();
      return;
    }
  }
  out += "{\"@type\":";
  append_json_string(out, detail.type_url);
  out += ",\"value\":\"" + base64_encode(detail.value) + "\"}";
}

// The parts of a google.protobuf.Any.
bool read_any(std::string_view bytes, Detail& detail) {
  wire::Reader reader(bytes);
  for (wire::Field field; reader.next(field);) {
    if (field.number == 1) detail.type_url = std::string(field.bytes);
    if (field.number == 2) detail.value = std::string(field.bytes);
  }
  return reader.ok();
}

const pb::Value* member(const pb::Struct& object, const char* name) {
  auto at = object.fields().find(name);
  return at == object.fields().end() ? nullptr : &at->second;
}

std::string text_member(const pb::Struct& object, const char* name) {
  const pb::Value* value = member(object, name);
  return value ? value->string_value() : std::string();
}

// Details are read from their text: a Struct would lose the order of their members.
std::vector<Detail> read_details(std::string_view list, const Type* any) {
  std::vector<Detail> details;
  for (std::string_view json : json_items(list)) {
    Detail detail;
    if (any) {
      if (auto bytes = json_to_proto(*any, json); bytes && read_any(bytes->view(), detail)) {
        details.push_back(std::move(detail));
        continue;
      }
    }
    pb::Struct object;
    if (!pb::util::JsonStringToMessage({json.data(), json.size()}, &object).ok()) continue;
    auto value = base64_decode(text_member(object, "value"));
    detail.type_url = text_member(object, "@type");
    if (!value || detail.type_url.empty()) continue;
    detail.value = std::move(*value);
    details.push_back(std::move(detail));
  }
  return details;
}

Code code_named(std::string_view name, Code otherwise) {
  for (uint64_t number = 1; number <= 16; ++number) {
    if (code_name(code_of(number)) == name) return code_of(number);
  }
  return otherwise;
}

// A google.rpc.Status has a number there; one of HTTP's is none of ours.
bool is_code(double number) { return number >= 1 && number <= 16; }

}  // namespace

std::string problem_json(const Status& status, const Contract* contract, int http) {
  if (http == 0) http = http_status(status.code());
  std::string out = "{\"type\":\"about:blank\",\"title\":";
  append_json_string(out, http_reason(http));
  out += ",\"status\":" + std::to_string(http) + ",\"detail\":";
  append_json_string(out, status.message());
  out += ",\"code\":";
  append_json_string(out, code_name(status.code()));
  if (!status.details().empty()) {
    const Type* any = any_type(contract);
    out += ",\"details\":[";
    bool first = true;
    for (const Detail& detail : status.details()) {
      if (!first) out += ',';
      first = false;
      append_detail(out, detail, any);
    }
    out += ']';
  }
  out += '}';
  return out;
}

Status status_from_problem(int http_status, std::string_view body, const Contract* contract) {
  Code code = code_from_http(http_status);
  if (code == Code::kOk) code = Code::kUnknown;
  std::string message;
  std::vector<Detail> details;
  pb::Struct problem;
  if (pb::util::JsonStringToMessage({body.data(), body.size()}, &problem).ok()) {
    code = code_named(text_member(problem, "code"), code);
    if (const pb::Value* number = member(problem, "code"); number && is_code(number->number_value()))
      code = code_of(static_cast<uint64_t>(number->number_value()));
    for (const char* name : {"detail", "message", "title"})
      if (message.empty()) message = text_member(problem, name);
    if (auto list = find_json_member(body, "details")) details = read_details(*list, any_type(contract));
  }
  if (message.empty()) message = "HTTP " + std::to_string(http_status) + " " + std::string(http_reason(http_status));
  return Status(code, std::move(message), std::move(details));
}

std::optional<Status> status_from_error_line(std::string_view line, const Contract* contract) {
  auto error = find_json_member(line, "error");
  if (!error) return std::nullopt;
  for (const char* name : {"type", "title", "status", "code"})
    if (!find_json_member(*error, name)) return std::nullopt;
  return status_from_problem(500, *error, contract);
}

}  // namespace duplex::contract
