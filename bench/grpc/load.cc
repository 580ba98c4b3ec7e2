// A grpc++ callback client as the load: CHANNELS connections with STREAMS calls in flight on each, until CALLS are
// done. Prints one JSON object. Every 1,000th reply is compared byte for byte with what was sent.
#include <absl/synchronization/mutex.h>
#include <grpcpp/grpcpp.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "load/request.h"
#include "peer/echo.grpc.pb.h"

namespace {

namespace pb = duplex::bench;
using Clock = std::chrono::steady_clock;

struct Shared {
  int64_t calls;
  std::atomic<int64_t> started{0}, done{0}, errors{0}, compared{0}, different{0};
  std::mutex mutex;
  std::condition_variable ended;
  size_t running = 0;
};

// One call in flight: when it ends it starts the next.
class Slot {
 public:
  Slot(Shared& shared, std::shared_ptr<grpc::Channel> channel) : shared_(shared), stub_(pb::Echo::NewStub(channel)) {}

  void next() {
    index_ = shared_.started++;
    if (index_ >= shared_.calls) {
      std::lock_guard lock(shared_.mutex);
      if (--shared_.running == 0) shared_.ended.notify_all();
      return;
    }
    context_ = std::make_unique<grpc::ClientContext>();  // grpc++ allows it one call
    // Set field by field each time, as a caller's own data would be.
    char id[32];
    std::snprintf(id, sizeof id, "order-%010lld", static_cast<long long>(index_));
    request_.Clear();
    request_.set_id(id);
    request_.set_sequence(index_ + (int64_t{1} << 35));
    request_.set_customer("customer-000042");
    auto* item = request_.add_items();
    item->set_sku("sku-1234");
    item->set_quantity(3);
    item->set_price(19.5);
    request_.set_payload("0123456789abcdefghijklmnopqrstuv");
    start_ = Clock::now();
    stub_->async()->Unary(context_.get(), &request_, &reply_, [this](grpc::Status s) { finished(s); });
  }
  std::vector<uint32_t> latencies;  // ns

 private:
  void finished(const grpc::Status& s) {
    latencies.push_back(static_cast<uint32_t>(std::chrono::nanoseconds(Clock::now() - start_).count()));
    ++shared_.done;
    if (!s.ok()) {
      if (shared_.errors++ == 0) std::fprintf(stderr, "load: %d %s\n", s.error_code(), s.error_message().c_str());
    } else if (reply_.sequence() != request_.sequence()) {
      ++shared_.different;
    } else if (index_ % 1000 == 0) {
      ++shared_.compared;
      if (reply_.SerializeAsString() != bench::request_message(index_)) ++shared_.different;
    }
    next();
  }

  Shared& shared_;
  std::unique_ptr<pb::Echo::Stub> stub_;
  std::unique_ptr<grpc::ClientContext> context_;
  pb::EchoRequest request_;
  pb::EchoReply reply_;
  Clock::time_point start_;
  int64_t index_ = 0;
};

double own_cpu() {
  rusage u;
  getrusage(RUSAGE_SELF, &u);
  return static_cast<double>(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
         static_cast<double>(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

// load ADDRESS CHANNELS STREAMS CALLS
int run(char** argv) {
  const size_t channels = static_cast<size_t>(std::atoi(argv[2])), streams = static_cast<size_t>(std::atoi(argv[3]));
  Shared shared;
  std::vector<std::unique_ptr<Slot>> slots;
  for (size_t c = 0; c < channels; ++c) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection each
    auto channel = grpc::CreateCustomChannel(argv[1], grpc::InsecureChannelCredentials(), arguments);
    if (!channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(5)))
      return std::fprintf(stderr, "load: cannot connect to %s\n", argv[1]), 1;
    for (size_t s = 0; s < streams; ++s) slots.push_back(std::make_unique<Slot>(shared, channel));
  }
  // A warm-up first, which is not measured.
  double cpu = 0;
  Clock::time_point start;
  const int64_t calls = std::atoll(argv[4]);
  for (int64_t n : {std::max<int64_t>(calls / 10, 1), calls}) {
    for (auto& slot : slots) slot->latencies.clear(), slot->latencies.reserve(static_cast<size_t>(n));
    shared.calls = n;
    shared.started = shared.done = 0;
    shared.running = slots.size();
    if (n == calls) std::printf("start\n"), std::fflush(stdout), std::getchar();
    cpu = own_cpu();
    start = Clock::now();
    for (auto& slot : slots) slot->next();
    std::unique_lock lock(shared.mutex);
    shared.ended.wait(lock, [&] { return shared.running == 0; });
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  cpu = own_cpu() - cpu;
  std::vector<uint32_t> all;
  for (auto& slot : slots) all.insert(all.end(), slot->latencies.begin(), slot->latencies.end());
  std::sort(all.begin(), all.end());
  auto at = [&](double p) { return all[static_cast<size_t>(static_cast<double>(all.size() - 1) * p)] / 1000.0; };
  std::printf(
      "{\"calls\": %lld, \"errors\": %lld, \"compared\": %lld, \"different\": %lld, \"seconds\": %.4f, "
      "\"load_cpu_s\": %.4f, \"p50_us\": %.2f, \"p99_us\": %.2f}\n",
      static_cast<long long>(shared.done), static_cast<long long>(shared.errors),
      static_cast<long long>(shared.compared), static_cast<long long>(shared.different), seconds, cpu, at(.5), at(.99));
  return shared.errors || shared.different;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return std::fprintf(stderr, "usage: load ADDRESS CHANNELS STREAMS CALLS\n"), 2;
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  return run(argv);
}
