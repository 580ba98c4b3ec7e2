#include "resilience/try_later.h"

namespace duplex::resilience {
namespace {

int64_t rounded_up(Duration span, Duration unit) { return (span.count() + unit.count() - 1) / unit.count(); }

void put_number(std::string& out, char field, uint64_t value) {
  if (value == 0) return;
  out += static_cast<char>(field << 3);
  for (; value > 127; value >>= 7) out += static_cast<char>(value | 128);
  out += static_cast<char>(value);
}

// google.rpc.RetryInfo{retry_delay}: one google.protobuf.Duration, which is a few octets.
std::string retry_info(Duration after) {
  std::string delay;
  put_number(delay, 1, static_cast<uint64_t>(after.count() / 1'000'000'000));
  put_number(delay, 2, static_cast<uint64_t>(after.count() % 1'000'000'000));
  std::string out("\x0a");
  out += static_cast<char>(delay.size());
  return out + delay;
}

}  // namespace

int64_t whole_seconds(Duration span) { return rounded_up(span, std::chrono::seconds(1)); }

Outcome try_later(std::string message, Duration after) {
  Outcome outcome(Status::resource_exhausted(std::move(message)));
  if (after <= Duration::zero()) return outcome;
  outcome.status = outcome.status.with_detail("type.googleapis.com/google.rpc.RetryInfo", retry_info(after));
  outcome.trailers.add("retry-after", std::to_string(whole_seconds(after)));
  outcome.trailers.add("grpc-retry-pushback-ms", std::to_string(rounded_up(after, std::chrono::milliseconds(1))));
  return outcome;
}

}  // namespace duplex::resilience
