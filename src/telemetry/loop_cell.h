// What telemetry keeps of each loop: its log, and which series belongs to which method.
#pragma once

#include <array>

#include "duplex/telemetry/loop_log.h"
#include "telemetry/method_series.h"

namespace duplex::telemetry {

class LoopCell {
 public:
  LoopCell(Loop& loop, Logger& logger, Duration flush_after) : log_(loop, logger, flush_after) {}
  LoopLog& log() { return log_; }

  MethodSeries& series(Side& side, const Method& method) {
    size_t at = reinterpret_cast<size_t>(&method) / 64;
    for (size_t i = 0; i < kProbes; ++i) {
      Known& known = known_[(at + i) % kKnown];
      // The name too: another Method may have come to stand at the address of one that has gone.
      if (known.method == &method && known.side == &side && known.series->name() == method.name) return *known.series;
    }
    return learn(side, method, at);
  }

 private:
  static constexpr size_t kKnown = 512, kProbes = 8;
  struct Known {
    const Method* method = nullptr;
    const Side* side = nullptr;
    MethodSeries* series = nullptr;
  };
  MethodSeries& learn(Side& side, const Method& method, size_t at) {
    MethodSeries& series = side.of(method);
    Known* place = &known_[(at + next_++ % kProbes) % kKnown];  // if none is free, one goes
    for (size_t i = 0; i < kProbes; ++i) {
      Known& known = known_[(at + i) % kKnown];
      bool stale = known.method == &method && known.side == &side;
      if (!known.method || stale) {
        place = &known;
        break;
      }
    }
    *place = {&method, &side, &series};
    return series;
  }

  LoopLog log_;
  std::array<Known, kKnown> known_{};
  size_t next_ = 0;
};

}  // namespace duplex::telemetry
