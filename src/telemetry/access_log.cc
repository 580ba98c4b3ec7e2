#include "telemetry/access_log.h"

#include <charconv>
#include <cstring>

#include "duplex/base/json_text.h"

namespace duplex::telemetry {
namespace {

constexpr size_t kLongestText = 512;  // of peer and error message each

template <size_t N>
char* put(char* to, const char (&text)[N]) {
  std::memcpy(to, text, N - 1);
  return to + N - 1;
}
char* put(char* to, std::string_view text) {
  std::memcpy(to, text.data(), text.size());
  return to + text.size();
}

LogLevel level_of(Code code) {
  switch (code) {
    case Code::kUnknown:
    case Code::kInternal:
    case Code::kDataLoss:
    case Code::kUnavailable:
      return LogLevel::kWarn;
    default:
      return LogLevel::kInfo;
  }
}

}  // namespace

void write_access_line(LoopLog& log, const MethodSeries& series, const TraceContext& trace, const Status& status,
                       Duration took, const Peer* peer) {
  LogLevel level = level_of(status.code());
  if (!log.enabled(level)) return;
  LogLine line = log.line(level, "call");
  std::string_view address = peer ? std::string_view(peer->address).substr(0, kLongestText) : std::string_view();
  std::string_view protocol = peer ? peer->protocol.substr(0, 32) : std::string_view();
  std::string_view error = std::string_view(status.message()).substr(0, kLongestText);
  char* at = line.reserve(series.log_fields().size() + kJsonTextGrowth * (address.size() + error.size()) + 512);
  if (!at) return;
  at = put(at, series.log_fields());
  at = trace.trace_id.write(put(at, R"(,"trace.id":")"));
  at = trace.span_id.write(put(at, R"(","span.id":")"));
  if (trace.parent_id.valid()) at = trace.parent_id.write(put(at, R"(","parent.id":")"));
  at = put(put(at, R"(","rpc.status_code":")"), code_name(status.code()));
  at = status.is_ok() ? put(at, R"(","event.outcome":"success","event.duration":)")
                      : put(at, R"(","event.outcome":"failure","event.duration":)");
  at = std::to_chars(at, at + 24, took.count()).ptr;
  if (!address.empty()) {
    at = write_json_text(put(at, R"(,"client.address":")"), address);
    at = put(put(put(at, R"(","network.protocol.name":")"), protocol), "\"");
  }
  if (!error.empty()) at = put(write_json_text(put(at, R"(,"error.message":")"), error), "\"");
  line.advance(at);
}

}  // namespace duplex::telemetry
