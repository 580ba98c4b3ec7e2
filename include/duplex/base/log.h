// Log: one JSON object a line, with the field names of the Elastic Common Schema (https://www.elastic.co/guide/en/ecs).
//
//   LogSink sink(STDERR_FILENO);
//   Logger logger(sink, "orders");
//   LogBuffer buffer(logger);                       // one a loop; a thread of its own has its own
//   buffer.line(LogLevel::kInfo, now, "order placed").field("order.id", id).field("event.duration", 1200);
//   buffer.flush();                                 // one write(2): the loop's at the end of its turn
//
// A line is written into the buffer at once, without an allocation; nothing here waits. Where the reader of the sink is
// stalled, the buffer fills, and further lines are dropped and counted: a log never holds a call.
#pragma once

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "duplex/base/status.h"

namespace duplex {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarn, kError };

// "info" for kInfo.
std::string_view log_level_name(LogLevel level);

// Is what this name holds never to be shown: authorization, cookies, API keys, tokens, passwords? Looks at the last
// part of a dotted name ("http.request.header.authorization"), in any case, with '-' and '_' alike.
bool is_secret_name(std::string_view name);
inline constexpr std::string_view kRedacted = "[redacted]";

// Where lines go. Shared by the buffers of all threads; its lock is held for one write that does not block.
class LogSink {
 public:
  // Borrows fd. A pipe or terminal is opened a second time, non-blocking, so that its other users see no change.
  explicit LogSink(int fd);
  // "stdout", "stderr", or a file's path, to which it appends. Says why a file cannot be opened.
  static Result<std::unique_ptr<LogSink>> open(const std::string& path);
  ~LogSink();
  LogSink(const LogSink&) = delete;
  LogSink& operator=(const LogSink&) = delete;

  // Takes as many whole lines from the front of `lines` as the reader has room for: how many octets. 0: it is stalled.
  size_t write(std::string_view lines);
  uint64_t writes() const { return writes_.load(std::memory_order_relaxed); }  // system calls so far

 private:
  long write_some(std::string_view text);
  std::mutex mutex_;
  int fd_;
  bool owned_ = false, socket_ = false, may_block_ = false;
  std::string rest_;  // the end of a line of which the reader took only the start
  std::atomic<uint64_t> writes_{0};
};

// What the lines of one process share. The level may be changed at any time, from any thread.
class Logger {
 public:
  Logger(LogSink& sink, std::string_view service_name, LogLevel level = LogLevel::kInfo);

  bool enabled(LogLevel level) const { return level >= level_.load(std::memory_order_relaxed); }
  LogLevel level() const { return level_.load(std::memory_order_relaxed); }
  void set_level(LogLevel level) { level_.store(level, std::memory_order_relaxed); }
  // Lines lost since the start, because the sink was stalled.
  uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  friend class LogBuffer;
  LogSink& sink_;
  const std::string common_;  // the fields that each line has, as they stand in it
  std::atomic<LogLevel> level_;
  std::atomic<uint64_t> dropped_{0};
};

// A name and a value for a line: `{"order.id", id}`. Borrows its texts.
class LogField {
 public:
  LogField(std::string_view name, std::string_view value) : name_(name), kind_(Kind::kText), text_(value) {}
  LogField(std::string_view name, const char* value) : LogField(name, std::string_view(value)) {}
  LogField(std::string_view name, const std::string& value) : LogField(name, std::string_view(value)) {}
  LogField(std::string_view name, bool value) : name_(name), kind_(Kind::kBool), integer_(value) {}
  LogField(std::string_view name, double value) : name_(name), kind_(Kind::kReal), real_(value) {}
  template <std::signed_integral T>
  LogField(std::string_view name, T value) : name_(name), kind_(Kind::kSigned), integer_(value) {}
  template <std::unsigned_integral T>
  LogField(std::string_view name, T value)
      : name_(name), kind_(Kind::kUnsigned), integer_(static_cast<int64_t>(static_cast<uint64_t>(value))) {}

 private:
  friend class LogLine;
  enum class Kind : uint8_t { kText, kSigned, kUnsigned, kReal, kBool };
  std::string_view name_;
  Kind kind_;
  std::string_view text_;
  int64_t integer_ = 0;
  double real_ = 0;
};

class LogBuffer;

// A line being written; it is complete when this is destroyed. One at a time a buffer. Past 16 KiB a text is cut and
// further fields are left out: the line stays one JSON object.
class LogLine {
 public:
  LogLine(const LogLine&) = delete;
  LogLine& operator=(const LogLine&) = delete;
  ~LogLine();

  LogLine& field(const LogField& field);
  template <class T>
  LogLine& field(std::string_view name, const T& value) {
    return field(LogField(name, value));
  }
  // Fields as they stand in the line, `,"a":"b"`, made once by whoever writes the same ones each time. At most 1 KiB.
  LogLine& raw(std::string_view fields);

  // For who writes many lines: room for `count` octets of raw fields; null if there is none. Then advance().
  char* reserve(size_t count) { return at_ && static_cast<size_t>(limit_ - at_) >= count ? at_ : nullptr; }
  void advance(char* end) { at_ = end; }

 private:
  friend class LogBuffer;
  LogLine(LogBuffer* buffer, char* at, char* limit) : buffer_(buffer), at_(at), limit_(limit) {}
  void text(std::string_view value);
  LogBuffer* buffer_;
  char* at_;  // null: the line is dropped
  char* limit_;
};

// Lines of one thread on their way to the sink.
class LogBuffer {
 public:
  static constexpr size_t kMaxLine = 16 << 10;
  explicit LogBuffer(Logger& logger, size_t capacity = 64 << 10);
  ~LogBuffer() { flush(); }
  LogBuffer(const LogBuffer&) = delete;
  LogBuffer& operator=(const LogBuffer&) = delete;

  // Starts a line. Whether the level is wanted is asked before, by logger().enabled(level).
  LogLine line(LogLevel level, std::chrono::system_clock::time_point when, std::string_view message);

  // Hands what is there to the sink by one write. What the sink has no room for stays for the next one.
  void flush();
  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  Logger& logger() const { return logger_; }

 private:
  friend class LogLine;
  LogLine start(LogLevel level, std::chrono::system_clock::time_point when, std::string_view message);
  void write_start(LogLevel level, std::chrono::system_clock::time_point when, std::string_view message);
  std::string_view time_text(std::chrono::system_clock::time_point when);

  Logger& logger_;
  const size_t capacity_;
  const std::unique_ptr<char[]> data_;
  size_t size_ = 0;
  uint64_t unreported_ = 0;  // lines dropped of which no line tells yet
  int64_t second_ = INT64_MIN;
  static constexpr size_t kSecondText = 20;
  char time_text_[kSecondText + 6];  // "2026-11-24T16:32:17." and six digits
  // How the last line began: mostly the next one does too, since the calls of a turn share its clock.
  std::string start_, start_message_;
  std::chrono::system_clock::time_point start_when_;
  LogLevel start_level_{};
};

}  // namespace duplex
