#include "cli/worst_case.h"

#include <algorithm>

namespace duplex::cli {
namespace {

constexpr size_t kBar = 48;  // characters of the whole call

// The longest wait that the jitter allows.
Duration longest_wait(const resilience::BackoffSettings& backoff, int n) { return resilience::backoff(backoff, n, 1); }

std::string bar(Duration from, Duration to, Duration whole, char stroke) {
  auto column = [&](Duration at) {
    return static_cast<size_t>(static_cast<double>(at.count()) / static_cast<double>(whole.count()) *
                               static_cast<double>(kBar));
  };
  const size_t begins = column(from), ends = std::max(column(to), begins + 1);
  std::string out(kBar + 1, ' ');
  for (size_t i = begins; i < std::min(ends, out.size()); ++i) out[i] = stroke;
  return out;
}

std::string padded(std::string text, size_t width) {
  text.resize(std::max(width, text.size()), ' ');
  return text;
}

}  // namespace

std::vector<Stretch> worst_case(const resilience::Policy& policy) {
  std::vector<Stretch> all;
  const Duration whole = policy.timeout;
  if (policy.hedge) {
    for (int n = 1; n <= policy.hedge->attempts && policy.hedge->delay * (n - 1) < whole; ++n)
      all.push_back({Stretch::Kind::kAttempt, n, policy.hedge->delay * (n - 1), whole});
    return all;
  }
  if (!policy.retry) return {{Stretch::Kind::kAttempt, 1, Duration::zero(), whole}};
  const resilience::RetrySettings& retry = *policy.retry;
  Duration at{};
  for (int n = 1; n <= retry.attempts && at < whole; ++n) {
    const Duration longest = retry.per_try > Duration::zero() ? retry.per_try : whole;
    all.push_back({Stretch::Kind::kAttempt, n, at, std::min(at + longest, whole)});
    at = all.back().ends;
    if (n == retry.attempts || at >= whole) break;
    // A wait is not begun if no attempt may follow it.
    const Duration wait = longest_wait(retry.backoff, n);
    if (at + wait >= whole || (retry.elapsed > Duration::zero() && at + wait >= retry.elapsed)) break;
    all.push_back({Stretch::Kind::kWait, n, at, at + wait});
    at += wait;
  }
  return all;
}

std::string draw_worst_case(const resilience::Policy& policy) {
  const std::vector<Stretch> all = worst_case(policy);
  Duration ends{};
  for (const Stretch& s : all) ends = std::max(ends, s.ends);
  std::string out = "A unary call takes " + show_duration(ends) + " at worst" +
                    (ends == policy.timeout ? ", when its timeout ends it" : "") +
                    "; its caller's own deadline may be sooner.\n";
  for (const Stretch& s : all) {
    const bool attempt = s.kind == Stretch::Kind::kAttempt;
    const std::string what = attempt ? "attempt " + std::to_string(s.attempt) : "wait";
    out += "  " + padded(what, 11) + "|" + bar(s.begins, s.ends, policy.timeout, attempt ? '#' : '.') + "| " +
           show_duration(s.begins) + " to " + show_duration(s.ends) + "\n";
  }
  if (policy.retry && !policy.retry->per_try.count() && policy.retry->attempts > 1)
    out += "  An attempt may take the whole time: set retry.per_try to leave some for the next.\n";
  if (policy.breaker) out += "  While the breaker is open a call fails at once.\n";
  if (policy.fallback)
    out += "  A fallback answers in the " + show_duration(policy.fallback->reserve) +
           " that are kept for it before the caller's deadline.\n";
  return out;
}

}  // namespace duplex::cli
