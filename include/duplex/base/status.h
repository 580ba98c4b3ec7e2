// Status and Result: how everything in Duplex that can go wrong in normal work says so.
//
// The codes are gRPC's (https://grpc.github.io/grpc/core/md_doc_statuscodes.html), in every protocol; each protocol
// maps them to its own once, at its edge. A Status that is OK is one null pointer.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace duplex {

enum class Code : uint8_t {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

// "NOT_FOUND" for kNotFound.
std::string_view code_name(Code code);
// The code of a number on the wire; a number outside 0..16 is UNKNOWN.
Code code_of(uint64_t number);

// One entry of google.rpc.Status.details: a google.protobuf.Any in its two parts.
struct Detail {
  std::string type_url;
  std::string value;
};

class Status {
 public:
  Status() = default;
  Status(Code code, std::string message, std::vector<Detail> details = {});

  static Status ok() { return {}; }
  static Status cancelled(std::string m) { return {Code::kCancelled, std::move(m)}; }
  static Status unknown(std::string m) { return {Code::kUnknown, std::move(m)}; }
  static Status invalid_argument(std::string m) { return {Code::kInvalidArgument, std::move(m)}; }
  static Status deadline_exceeded(std::string m) { return {Code::kDeadlineExceeded, std::move(m)}; }
  static Status not_found(std::string m) { return {Code::kNotFound, std::move(m)}; }
  static Status already_exists(std::string m) { return {Code::kAlreadyExists, std::move(m)}; }
  static Status permission_denied(std::string m) { return {Code::kPermissionDenied, std::move(m)}; }
  static Status resource_exhausted(std::string m) { return {Code::kResourceExhausted, std::move(m)}; }
  static Status failed_precondition(std::string m) { return {Code::kFailedPrecondition, std::move(m)}; }
  static Status aborted(std::string m) { return {Code::kAborted, std::move(m)}; }
  static Status out_of_range(std::string m) { return {Code::kOutOfRange, std::move(m)}; }
  static Status unimplemented(std::string m) { return {Code::kUnimplemented, std::move(m)}; }
  static Status internal(std::string m) { return {Code::kInternal, std::move(m)}; }
  static Status unavailable(std::string m) { return {Code::kUnavailable, std::move(m)}; }
  static Status data_loss(std::string m) { return {Code::kDataLoss, std::move(m)}; }
  static Status unauthenticated(std::string m) { return {Code::kUnauthenticated, std::move(m)}; }

  bool is_ok() const { return !rep_; }
  Code code() const { return rep_ ? rep_->code : Code::kOk; }
  const std::string& message() const;
  const std::vector<Detail>& details() const;

  // The same status with one more detail; no change to an OK status.
  Status with_detail(std::string type_url, std::string value) const;

  // "NOT_FOUND: no customer 7", or "OK".
  std::string to_string() const;

 private:
  struct Rep {
    Code code;
    std::string message;
    std::vector<Detail> details;
  };
  std::shared_ptr<const Rep> rep_;  // null: OK
};

// A T, or the Status that says why there is none. Both convert implicitly, so a function that returns Result<T> returns
// either. Reading the value of an error aborts: ask first.
template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(const T& value) : state_(std::in_place_index<0>, value) {}
  Result(T&& value) : state_(std::in_place_index<0>, std::move(value)) {}
  template <class U>
    requires(std::is_constructible_v<T, U &&> && !std::is_same_v<std::remove_cvref_t<U>, Result> &&
             !std::is_same_v<std::remove_cvref_t<U>, Status> && !std::is_same_v<std::remove_cvref_t<U>, T> &&
             std::is_convertible_v<U &&, T>)
  Result(U&& value) : state_(std::in_place_index<0>, std::forward<U>(value)) {}
  Result(Status error) : state_(std::in_place_index<1>, std::move(error)) {
    if (std::get<1>(state_).is_ok()) std::abort();  // an OK status is not an error
  }

  explicit operator bool() const { return state_.index() == 0; }
  bool has_value() const { return state_.index() == 0; }

  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(value()); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  T& value() {
    if (state_.index() != 0) std::abort();
    return *std::get_if<0>(&state_);
  }
  const T& value() const {
    if (state_.index() != 0) std::abort();
    return *std::get_if<0>(&state_);
  }

  // The error; OK if there is a value.
  Status error() const { return state_.index() == 1 ? *std::get_if<1>(&state_) : Status(); }

 private:
  std::variant<T, Status> state_;
};

}  // namespace duplex
