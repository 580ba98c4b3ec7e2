#include "duplex/base/status.h"

namespace duplex {

std::string_view code_name(Code code) {
  static constexpr std::string_view kNames[] = {
      "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
      "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
      "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
      "DATA_LOSS", "UNAUTHENTICATED"};
  return kNames[static_cast<size_t>(code)];
}

Code code_of(uint64_t number) { return number <= 16 ? static_cast<Code>(number) : Code::kUnknown; }

Status::Status(Code code, std::string message, std::vector<Detail> details) {
  if (code != Code::kOk) rep_ = std::make_shared<const Rep>(Rep{code, std::move(message), std::move(details)});
}

const std::string& Status::message() const {
  static const std::string kEmpty;
  return rep_ ? rep_->message : kEmpty;
}

const std::vector<Detail>& Status::details() const {
  static const std::vector<Detail> kNone;
  return rep_ ? rep_->details : kNone;
}

Status Status::with_detail(std::string type_url, std::string value) const {
  if (is_ok()) return {};
  std::vector<Detail> details = rep_->details;
  details.push_back({std::move(type_url), std::move(value)});
  return {rep_->code, rep_->message, std::move(details)};
}

std::string Status::to_string() const {
  std::string text(code_name(code()));
  if (!message().empty()) text += ": " + message();
  return text;
}

}  // namespace duplex
