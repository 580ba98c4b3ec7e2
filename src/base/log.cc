#include "duplex/base/log.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

#include "duplex/base/json_text.h"
#include "duplex/base/time.h"

namespace duplex {
namespace {

constexpr size_t kEnd = 64;        // kept free in each line for what closes it
constexpr size_t kMessage = 2048;  // a message is cut after so many octets
constexpr size_t kNumber = 32;     // the longest number
constexpr std::string_view kCut = "...";

char* put(char* to, std::string_view text) {
  std::memcpy(to, text.data(), text.size());
  return to + text.size();
}

std::string_view level_fields(LogLevel level) {
  static constexpr std::string_view kFields[] = {
      R"(Z","log.level":"debug","message":")", R"(Z","log.level":"info","message":")",
      R"(Z","log.level":"warn","message":")", R"(Z","log.level":"error","message":")"};
  return kFields[static_cast<size_t>(level)];
}

}  // namespace

std::string_view log_level_name(LogLevel level) {
  static constexpr std::string_view kNames[] = {"debug", "info", "warn", "error"};
  return kNames[static_cast<size_t>(level)];
}

bool is_secret_name(std::string_view name) {
  static constexpr std::string_view kSecrets[] = {"authorization", "proxy-authorization",
                                                  "cookie",        "set-cookie",
                                                  "x-api-key",     "api-key",
                                                  "apikey",        "dpop",
                                                  "token",         "access-token",
                                                  "id-token",      "refresh-token",
                                                  "password",      "passwd",
                                                  "secret",        "client-secret",
                                                  "code"};
  if (size_t dot = name.rfind('.'); dot != std::string_view::npos) {
    // "error.code" and "rpc.grpc.status.code" are no secrets; a query's bare "code" is.
    if (name.substr(dot + 1) == "code") return false;
    name.remove_prefix(dot + 1);
  }
  if (name.size() < 4 || name.size() > 19) return false;
  char plain[19];
  for (size_t i = 0; i < name.size(); ++i) {
    char c = name[i];
    plain[i] = c == '_' ? '-' : (c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c);
  }
  return std::find(std::begin(kSecrets), std::end(kSecrets), std::string_view(plain, name.size())) !=
         std::end(kSecrets);
}

Logger::Logger(LogSink& sink, std::string_view service_name, LogLevel level)
    : sink_(sink),
      common_(R"(","ecs.version":"8.11.0","service.name":)" + json_quoted(service_name.substr(0, 256))),
      level_(level) {}

LogBuffer::LogBuffer(Logger& logger, size_t capacity)
    : logger_(logger), capacity_(std::max(capacity, kMaxLine)), data_(std::make_unique<char[]>(capacity_)) {}

std::string_view LogBuffer::time_text(std::chrono::system_clock::time_point when) {
  using namespace std::chrono;
  int64_t micros = floor<microseconds>(when.time_since_epoch()).count();
  int64_t second = micros / 1'000'000 - (micros % 1'000'000 < 0);
  if (second != second_) {
    second_ = second;
    std::memcpy(time_text_, rfc3339(system_clock::time_point(seconds(second))).data(), kSecondText);
  }
  auto rest = static_cast<unsigned>(micros - second * 1'000'000);
  for (size_t i = sizeof time_text_; i-- > kSecondText; rest /= 10) time_text_[i] = static_cast<char>('0' + rest % 10);
  return {time_text_, sizeof time_text_};
}

void LogBuffer::write_start(LogLevel level, std::chrono::system_clock::time_point when, std::string_view message) {
  start_ = R"({"@timestamp":")";
  start_ += time_text(when);
  start_ += level_fields(level);
  std::string_view shown = message.substr(0, kMessage);
  const size_t size = start_.size();
  start_.resize(size + kJsonTextGrowth * shown.size());
  start_.resize(static_cast<size_t>(write_json_text(start_.data() + size, shown) - start_.data()));
  if (message.size() > kMessage) start_ += kCut;
  start_ += logger_.common_;
  start_when_ = when;
  start_level_ = level;
  start_message_ = message;
}

LogLine LogBuffer::line(LogLevel level, std::chrono::system_clock::time_point when, std::string_view message) {
  if (capacity_ - size_ < kMaxLine) {
    flush();
    if (capacity_ - size_ < kMaxLine) {
      ++unreported_;
      logger_.dropped_.fetch_add(1, std::memory_order_relaxed);
      return {nullptr, nullptr, nullptr};
    }
  }
  if (unreported_ && capacity_ - size_ >= 2 * kMaxLine) {
    start(LogLevel::kWarn, when, "the log's reader was stalled: lines were dropped").field("log.dropped", unreported_);
    unreported_ = 0;
  }
  return start(level, when, message);
}

LogLine LogBuffer::start(LogLevel level, std::chrono::system_clock::time_point when, std::string_view message) {
  if (start_.empty() || when != start_when_ || level != start_level_ || message != start_message_)
    write_start(level, when, message);
  char* at = data_.get() + size_;
  char* limit = at + kMaxLine - kEnd;
  return {this, put(at, start_), limit};
}

void LogBuffer::flush() {
  if (size_ == 0) return;
  size_t taken = logger_.sink_.write({data_.get(), size_});
  size_ -= taken;
  if (size_ && taken) std::memmove(data_.get(), data_.get() + taken, size_);
}

LogLine::~LogLine() {
  if (!at_) return;
  at_ = put(at_, "}\n");
  buffer_->size_ = static_cast<size_t>(at_ - buffer_->data_.get());
}

LogLine& LogLine::raw(std::string_view fields) {
  if (reserve(fields.size())) at_ = put(at_, fields);
  return *this;
}

void LogLine::text(std::string_view value) {
  size_t most = (static_cast<size_t>(limit_ - at_) - kCut.size() - 2) / kJsonTextGrowth;
  *at_++ = '"';
  at_ = write_json_text(at_, value.substr(0, most));
  if (value.size() > most) at_ = put(at_, kCut);
  *at_++ = '"';
}

LogLine& LogLine::field(const LogField& f) {
  if (!reserve(f.name_.size() * kJsonTextGrowth + kNumber + kEnd)) return *this;
  *at_++ = ',';
  *at_++ = '"';
  at_ = put(write_json_text(at_, f.name_), "\":");
  if (is_secret_name(f.name_)) {
    text(kRedacted);
    return *this;
  }
  switch (f.kind_) {
    case LogField::Kind::kText:
      text(f.text_);
      break;
    case LogField::Kind::kSigned:
      at_ = std::to_chars(at_, limit_, f.integer_).ptr;
      break;
    case LogField::Kind::kUnsigned:
      at_ = std::to_chars(at_, limit_, static_cast<uint64_t>(f.integer_)).ptr;
      break;
    case LogField::Kind::kReal:
      at_ = std::isfinite(f.real_) ? std::to_chars(at_, limit_, f.real_).ptr : put(at_, "null");
      break;
    case LogField::Kind::kBool:
      at_ = put(at_, f.integer_ ? "true" : "false");
      break;
  }
  return *this;
}

}  // namespace duplex
