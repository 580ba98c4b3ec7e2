#include "duplex/telemetry/log.h"

#include <unistd.h>

#include "duplex/telemetry/loop_log.h"
#include "duplex/telemetry/trace_context.h"

namespace duplex {
namespace {

void fill(LogLine& line, const TraceContext* trace, Log::Fields fields) {
  if (trace && trace->valid()) {
    char text[80];
    char* at = text;
    for (char c : std::string_view(R"(,"trace.id":")")) *at++ = c;
    at = trace->trace_id.write(at);
    for (char c : std::string_view(R"(","span.id":")")) *at++ = c;
    at = trace->span_id.write(at);
    *at++ = '"';
    line.raw({text, static_cast<size_t>(at - text)});
  }
  for (const LogField& field : fields) line.field(field);
}

}  // namespace

void Log::write(LogLevel level, std::string_view message, Fields fields) {
  const TraceContext* trace = ctx_.find<TraceContext>();
  LoopLog* log = trace && trace->log ? trace->log : ctx_.find<LoopLog>();
  if (!log) {
    LogSink sink(STDERR_FILENO);
    Logger logger(sink, "unknown_service");
    if (!logger.enabled(level)) return;
    LogBuffer buffer(logger, LogBuffer::kMaxLine);
    LogLine line = buffer.line(level, ctx_.loop().wall_now(), message);
    fill(line, trace, fields);
    return;
  }
  if (!log->enabled(level)) return;
  LogLine line = log->line(level, message);
  fill(line, trace, fields);
}

void log_exception(Context& ctx, const Method& method, std::string_view what) {
  log(ctx).error("an exception left the handler", {{"rpc.method", method.label}, {"error.message", what}});
}

}  // namespace duplex
