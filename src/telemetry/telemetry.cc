#include "duplex/telemetry/telemetry.h"

#include <cstdio>
#include <cstdlib>

#include "telemetry/loop_cell.h"

namespace duplex {
namespace {
uint64_t next_id() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}
}  // namespace

Telemetry::Telemetry(Registry& registry, Logger& logger, Options options)
    : registry_(registry),
      logger_(logger),
      options_(options),
      id_(next_id()),
      slots_(std::make_unique<Slot[]>(kMaxLoops)) {}

Telemetry::~Telemetry() = default;

telemetry::LoopCell& Telemetry::here(Loop& loop) {
  for (size_t i = 0, at = reinterpret_cast<size_t>(&loop) / 64; i < kMaxLoops; ++i) {
    Slot& slot = slots_[(at + i) % kMaxLoops];
    Loop* there = slot.loop.load(std::memory_order_acquire);
    if (there == &loop) return *slot.cell;
    if (!there) return open(loop);
  }
  return open(loop);
}

telemetry::LoopCell& Telemetry::open(Loop& loop) {
  std::lock_guard lock(mutex_);
  for (size_t i = 0, at = reinterpret_cast<size_t>(&loop) / 64; i < kMaxLoops; ++i) {
    Slot& slot = slots_[(at + i) % kMaxLoops];
    if (slot.loop.load(std::memory_order_relaxed)) continue;
    slot.cell = std::make_unique<telemetry::LoopCell>(loop, logger_, options_.flush_after);
    slot.loop.store(&loop, std::memory_order_release);
    return *slot.cell;
  }
  std::fprintf(stderr, "duplex: telemetry has seen more than %zu loops\n", kMaxLoops);
  std::abort();
}

telemetry::Side& Telemetry::side(bool server, const std::string& peer) {
  std::lock_guard lock(mutex_);
  for (auto& side : sides_)
    if (side->is(server, peer)) return *side;  // of an earlier chain: a reload goes on counting
  sides_.push_back(std::make_unique<telemetry::Side>(registry_, server, peer));
  return *sides_.back();
}

void Telemetry::attach(Context& ctx) { ctx.put(here(ctx.loop()).log()); }

}  // namespace duplex
