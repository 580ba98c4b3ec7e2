// breaker_histories SEED COUNT: writes random histories of a circuit breaker and, after each step, how ours is.
//
// A history is a line of numbers and letters between blanks: the settings (window in calls or 0, in seconds, the two
// thresholds in percent, slow_call, minimum, open_for, probes, half_open_for, the clock's begin; times in ms), the
// number of steps, and for each step
//   ms to wait, what is done: a(cquire), or a call's end: g(ood), f(ailed), u(ncounted); which call, ms it took,
//   let through (1) or not, C(losed) O(pen) H(alf-open), calls, failed, slow
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

#include "duplex/resilience/breaker.h"

namespace {

using namespace duplex;
using namespace duplex::resilience;
using namespace std::chrono_literals;
using State = CircuitBreaker::State;
using Verdict = CircuitBreaker::Verdict;

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  int64_t in(int64_t least, int64_t most) { return std::uniform_int_distribution<int64_t>(least, most)(engine_); }
  bool percent(int64_t n) { return in(1, 100) <= n; }

 private:
  std::mt19937_64 engine_;
};

class Line {
 public:
  void add(int64_t number) {
    char text[24];
    auto [end, error] = std::to_chars(text, text + sizeof text, number);
    text_.append(text, end).push_back(' ');
  }
  void letter(char c) { (text_ += c) += ' '; }
  void write() {
    text_.back() = '\n';
    std::fwrite(text_.data(), 1, text_.size(), stdout);
    text_.clear();
  }

 private:
  std::string text_;
};

struct Settings {
  BreakerSettings breaker;
  int64_t failure_percent, slow_percent;
};

Settings any_settings(Random& random) {
  Settings s;
  BreakerSettings& b = s.breaker;
  b.window = random.percent(50) ? Window{random.in(1, random.percent(80) ? 12 : 120), {}}
                                : Window{0, random.in(1, random.percent(80) ? 6 : 60) * 1s};
  s.failure_percent = random.in(1, 100);
  s.slow_percent = random.percent(50) ? 100 : random.in(1, 100);
  b.failure_rate = static_cast<double>(s.failure_percent) / 100;
  b.slow_rate = static_cast<double>(s.slow_percent) / 100;
  b.slow_call = random.in(1, 100) * 1ms;
  b.probes = random.in(1, 8);
  // Seldom fewer than the probes: then Resilience4j decides early, and a history that comes to it ends there.
  b.minimum = random.percent(10) ? random.in(1, 10) : random.in(b.probes, b.probes + 8);
  b.open_for = random.in(1, 5000) * 1ms;
  b.half_open_for = random.percent(50) ? 0ms : random.in(1, 5000) * 1ms;
  return s;
}

// One call after the other, or many that are under way at a time: some overlap changes of state, most do not.
void history(Random& random, Line& line) {
  const Settings settings = any_settings(random);
  const BreakerSettings& b = settings.breaker;
  Time now{random.in(0, 10'000'000) * 1ms};
  for (int64_t n :
       {b.window.calls, b.window.time / 1s, settings.failure_percent, settings.slow_percent, b.slow_call / 1ms,
        b.minimum, b.open_for / 1ms, b.probes, b.half_open_for / 1ms, now.time_since_epoch() / 1ms})
    line.add(n);
  CircuitBreaker breaker(b);
  const int64_t steps = random.in(20, 200), at_once = random.in(1, 6), failing = random.in(0, 100),
                uncounted = random.percent(50) ? 0 : random.in(1, 30), longest = random.in(0, 120);
  line.add(steps);
  std::vector<std::pair<int64_t, CircuitBreaker::Permit>> under_way;
  int64_t calls = 0;
  for (int64_t step = 0; step < steps; ++step) {
    const int64_t wait = random.percent(5) ? random.in(0, 8000) : random.in(0, 100);
    now += wait * 1ms;
    line.add(wait);
    bool admitted = true;
    const bool begin = under_way.empty() || (std::ssize(under_way) < at_once && random.percent(50)) ||
                       random.percent(3);  // now and then more than probes have a place
    if (begin) {
      const CircuitBreaker::Admission admission = breaker.try_acquire(now);
      admitted = admission.admitted;
      if (admitted) under_way.emplace_back(calls++, admission.permit);
      line.letter('a');
      line.add(0);
      line.add(0);
    } else {
      const auto which = under_way.begin() + random.in(0, std::ssize(under_way) - 1);
      const int64_t took = random.in(0, longest);
      const Verdict verdict = random.percent(uncounted) ? Verdict::kUncounted
                              : random.percent(failing) ? Verdict::kFailed
                                                        : Verdict::kGood;
      breaker.record(which->second, verdict, took * 1ms, now);
      line.letter(verdict == Verdict::kUncounted ? 'u' : verdict == Verdict::kFailed ? 'f' : 'g');
      line.add(which->first);
      line.add(took);
      under_way.erase(which);
    }
    const CircuitBreaker::Snapshot s = breaker.snapshot(now);
    line.add(admitted);
    line.letter(s.state == State::kClosed ? 'C' : s.state == State::kOpen ? 'O' : 'H');
    line.add(s.counts.calls);
    line.add(s.counts.failed);
    line.add(s.counts.slow);
  }
  line.write();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: breaker_histories SEED COUNT\n", stderr);
    return 2;
  }
  Random random(std::strtoull(argv[1], nullptr, 10));
  const int64_t count = std::strtoll(argv[2], nullptr, 10);
  Line line;
  for (int64_t i = 0; i < count; ++i) history(random, line);
  return std::fflush(stdout) == 0 ? 0 : 1;
}
