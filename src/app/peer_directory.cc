#include "app/peer_directory.h"

#include <algorithm>

#include "duplex/base/json_text.h"

namespace duplex::app {
namespace {

// `"name": value` pairs of one object, on one line.
class Line {
 public:
  Line& text(std::string_view name, std::string_view value) { return raw(name, json_quoted(value)); }
  Line& number(std::string_view name, double value) {
    char digits[32];
    std::snprintf(digits, sizeof digits, "%.6g", value);
    return raw(name, digits);
  }
  Line& flag(std::string_view name, bool value) { return raw(name, value ? "true" : "false"); }
  Line& raw(std::string_view name, std::string_view value) {
    text_ += (text_.empty() ? "" : ", ") + json_quoted(name) + ": ";
    text_ += value;
    return *this;
  }
  std::string object() const { return "{" + text_ + "}"; }

 private:
  std::string text_;
};

double seconds(Duration span) { return std::chrono::duration<double>(span).count(); }

std::string breaker_line(const resilience::Breakers::OfMethod& of, Time now) {
  const auto& b = of.breaker;
  std::string_view method = of.method;
  if (method.starts_with('/')) method.remove_prefix(1);
  Line line;
  line.text("method", method).text("state", resilience::state_name(b.state));
  line.number("calls", b.counts.calls).number("failed", b.counts.failed).number("slow", b.counts.slow);
  if (b.failure_rate) line.number("failure_rate", *b.failure_rate);
  if (b.slow_rate) line.number("slow_rate", *b.slow_rate);
  if (b.refused) line.number("refused", static_cast<double>(b.refused));
  if (b.opening.why != resilience::CircuitBreaker::Opening::Why::kNever) line.text("opened_by", b.opening.text());
  if (b.next_change) line.number("changes_in_s", std::max(0.0, seconds(*b.next_change - now)));
  return line.object();
}

std::string endpoint_line(const client::EndpointState& e) {
  Line line;
  line.text("address", e.address).number("in_flight", static_cast<double>(e.in_flight));
  line.number("calls", static_cast<double>(e.calls)).number("failures", static_cast<double>(e.failures));
  if (e.latency > Duration::zero()) line.number("latency_ms", seconds(e.latency) * 1000);
  line.flag("reachable", e.reachable).flag("healthy", e.healthy);
  if (e.ejected_for > Duration::zero()) line.number("ejected_for_s", seconds(e.ejected_for));
  if (e.weight != 1) line.number("weight", e.weight);
  if (e.draining) line.flag("draining", true);
  return line.object();
}

template <class T, class F>
std::string list(const std::vector<T>& items, F show) {
  std::string out = "[";
  for (const T& item : items) out += (out.size() > 1 ? ",\n      " : "\n      ") + show(item);
  return out + "]";
}

std::string peer_text(const PeerReport& peer, Time now) {
  Line line;
  line.text("name", peer.name).text("address", peer.address).number("retries_left", peer.retries_left);
  if (peer.limit) {
    Line limit;
    limit.number("in_flight", static_cast<double>(peer.limit->in_flight));
    limit.number("waiting", static_cast<double>(peer.limit->waiting));
    limit.number("most_in_flight", static_cast<double>(peer.limit->settings.in_flight));
    limit.number("refused", static_cast<double>(peer.limit->refused));
    line.raw("limit", limit.object());
  }
  std::string text = line.object();
  text.pop_back();
  text += ",\n    \"breakers\": " + list(peer.breakers, [&](auto& b) { return breaker_line(b, now); });
  return text + ",\n    \"endpoints\": " + list(peer.endpoints, endpoint_line) + "}";
}

}  // namespace

std::string peers_page(const std::vector<PeerReport>& peers, Time now) {
  std::string out = "{\"peers\": [";
  for (const PeerReport& peer : peers) out += (&peer == peers.data() ? "\n  " : ",\n  ") + peer_text(peer, now);
  return out + "]}\n";
}

void PeerDirectory::add(const std::shared_ptr<Peer>& peer) {
  std::lock_guard lock(mutex_);
  std::erase_if(peers_, [](auto& known) { return known.expired(); });
  if (std::none_of(peers_.begin(), peers_.end(), [&](auto& known) { return known.lock() == peer; }))
    peers_.push_back(peer);
}

Task<std::vector<PeerReport>> PeerDirectory::report(Context& ctx) {
  std::vector<std::shared_ptr<Peer>> known;
  {
    std::lock_guard lock(mutex_);
    for (auto& peer : peers_)
      if (std::shared_ptr<Peer> alive = peer.lock()) known.push_back(std::move(alive));
  }
  std::vector<PeerReport> reports;
  for (auto& peer : known) reports.push_back(co_await peer->report(ctx));
  std::sort(reports.begin(), reports.end(), [](auto& a, auto& b) { return a.name < b.name; });
  co_return reports;
}

}  // namespace duplex::app
