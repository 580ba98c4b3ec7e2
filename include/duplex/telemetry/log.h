// log(ctx): a line of the log from a handler, with the trace and span of its call.
//
//   log(ctx).info("order placed", {{"order.id", order.id()}, {"order.total", total}});
//
// Costs a comparison where the level is off. Fields whose names are secret (is_secret_name in base/log.h) show
// "[redacted]". In a co_await expression a list in braces does not compile on g++ 12; this is none.
#pragma once

#include <initializer_list>
#include <string_view>

#include "duplex/base/log.h"
#include "duplex/runtime/context.h"
#include "duplex/service/service.h"

namespace duplex {

class Log {
 public:
  using Fields = std::initializer_list<LogField>;
  explicit Log(Context& ctx) : ctx_(ctx) {}

  void debug(std::string_view message, Fields fields = {}) { write(LogLevel::kDebug, message, fields); }
  void info(std::string_view message, Fields fields = {}) { write(LogLevel::kInfo, message, fields); }
  void warn(std::string_view message, Fields fields = {}) { write(LogLevel::kWarn, message, fields); }
  void error(std::string_view message, Fields fields = {}) { write(LogLevel::kError, message, fields); }
  // On the Context's loop. Under a Context that Telemetry does not know, the line goes to stderr.
  void write(LogLevel level, std::string_view message, Fields fields);

 private:
  Context& ctx_;
};

inline Log log(Context& ctx) { return Log(ctx); }

// For set_exception_report(): the text of an exception that left a handler, as a line of level error.
void log_exception(Context& ctx, const Method& method, std::string_view what);

}  // namespace duplex
