#include "resilience/adaptive_limit.h"

#include <algorithm>
#include <cmath>

namespace duplex::resilience {
namespace {

constexpr double kTolerance = 1.5;  // latency may be so many times the usual one before the limit falls
constexpr double kLowestGradient = 0.5;
constexpr double kSmoothing = 0.2;  // of the way to the new limit in one window
constexpr double kNoQueue = 1.1;    // latency up to so many times the usual one: the limit may grow fast
constexpr double kStays = 0.8;      // of the latency before: no less, and half of the calls made no difference
constexpr int kFallenFor = 10;      // windows
constexpr Duration kProbeAfter = std::chrono::seconds(5);

}  // namespace

AdaptiveLimit::AdaptiveLimit(const AdaptiveSettings& settings) : limit_(static_cast<double>(settings.start)) {
  set(settings);
}

void AdaptiveLimit::set(const AdaptiveSettings& settings) {
  settings_ = settings;
  settings_.most = std::max(settings.most, settings.least);
  limit_ = std::clamp(limit_, static_cast<double>(settings_.least), static_cast<double>(settings_.most));
}

int64_t AdaptiveLimit::limit() const {
  const auto steady = static_cast<int64_t>(limit_);
  return phase_ == Phase::kSteady ? steady : std::max<int64_t>(steady / 2, 1);
}

void AdaptiveLimit::close(const Window& window) {
  if (window.calls == 0 || 2 * window.telling < window.calls) return;
  const auto now = static_cast<double>(window.mean.count());
  if (phase_ == Phase::kDraining) {  // of calls that began before there was less room
    phase_ = Phase::kMeasuring;
    return;
  }
  if (phase_ == Phase::kMeasuring) {
    // As slow with half of the calls: it is the service itself. Faster: a queue that may be there still, only shorter.
    usual_ = now >= kStays * before_ ? now : std::min(usual_, now);
    phase_ = Phase::kSteady;
    bound_for_ = {};
    fallen_ = 0;
    return;
  }
  const bool bound = window.shed || 2 * window.peak >= limit();
  follow(now, bound);
  bound_for_ = bound ? bound_for_ + window.length : Duration::zero();
  if (!bound) {  // what was not used says nothing about how much could be
    fallen_ = 0;
    return;
  }
  adjust(now, window.shed);
  if (bound_for_ < kProbeAfter && fallen_ < kFallenFor) return;
  phase_ = Phase::kDraining;
  before_ = now;
}

void AdaptiveLimit::follow(double now, bool bound) {
  if (usual_ == 0) usual_ = now;
  if (!bound)
    usual_ += (now - usual_) / 8;
  else if (now < usual_)
    usual_ += (now - usual_) / 4;
}

void AdaptiveLimit::adjust(double now, bool shed) {
  const double gradient = now > 0 ? std::clamp(kTolerance * usual_ / now, kLowestGradient, 1.0) : 1.0;
  fallen_ = gradient == kLowestGradient ? fallen_ + 1 : 0;
  if (now <= kNoQueue * usual_)
    limit_ *= shed ? 1.5 : 1.1;  // refused for nothing, or soon
  else
    limit_ += (limit_ * gradient + std::sqrt(limit_) - limit_) * kSmoothing;
  limit_ = std::clamp(limit_, static_cast<double>(settings_.least), static_cast<double>(settings_.most));
}

}  // namespace duplex::resilience
