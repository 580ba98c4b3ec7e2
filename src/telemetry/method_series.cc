#include "telemetry/method_series.h"

#include "duplex/base/json_text.h"

namespace duplex::telemetry {
namespace {

constexpr size_t kMaxMethods = 2000, kMaxName = 128;
const std::string kOther = "_OTHER";

// "shop.v1.Orders/GetOrder", as OpenTelemetry's rpc.method has it.
std::string label_of(const std::string& name) { return name.substr(name.starts_with('/') ? 1 : 0, kMaxName); }

std::vector<std::string> labels(bool server, const char* last) {
  std::vector<std::string> all{"rpc_method"};
  if (!server) all.emplace_back("peer");
  if (last) all.emplace_back(last);
  return all;
}

}  // namespace

MethodSeries::MethodSeries(Side& side, const std::string& name)
    : side_(side),
      name_(name),
      label_(label_of(name)),
      log_fields_(R"(,"event.dataset":"duplex.access","rpc.method":)" + json_quoted(label_)),
      in_flight_(side.server_ ? side.in_flight_.with({label_}) : side.in_flight_.with({label_, side.peer_})) {}

Histogram& MethodSeries::make_duration(Code code) {
  Histogram& h = side_.server_ ? side_.durations_.with({label_, code_name(code)})
                               : side_.durations_.with({label_, side_.peer_, code_name(code)});
  durations_[static_cast<size_t>(code)].store(&h, std::memory_order_release);
  return h;
}

Side::Side(Registry& registry, bool server, std::string peer)
    : server_(server),
      peer_(std::move(peer)),
      durations_(registry.histograms(server ? "rpc_server_call_duration_seconds" : "rpc_client_call_duration_seconds",
                                     server ? "How long calls took that came in, by method and status."
                                            : "How long calls took that went out, with all their attempts.",
                                     labels(server, "rpc_status_code"))),
      in_flight_(registry.up_down_counters(
          server ? "duplex_server_calls_in_flight" : "duplex_client_calls_in_flight",
          server ? "Calls that came in and have not ended." : "Calls that went out and have not ended.",
          labels(server, nullptr))) {}

MethodSeries& Side::of(const Method& method) {
  std::lock_guard lock(mutex_);
  auto it = methods_.find(method.name);
  if (it != methods_.end()) return *it->second;
  const std::string& name = methods_.size() < kMaxMethods ? method.name : kOther;
  auto& series = methods_[name];
  if (!series) series = std::make_unique<MethodSeries>(*this, name);
  return *series;
}

}  // namespace duplex::telemetry
