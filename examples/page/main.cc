// A whole service: polls, over gRPC and REST, with a live stream. Its contract is page.proto.
//   curl -d '{"choice": "tea"}' localhost:8080/v1/polls/drink:vote
//   curl -N -H 'accept: text/event-stream' localhost:8080/v1/polls/drink:watch
#include <map>
#include <mutex>

#include "duplex/duplex.h"
#include "page.duplex.h"

using duplex::Context, duplex::Result, duplex::Status, duplex::Task;
using page::v1::Tally, page::v1::TallyRequest, page::v1::VoteRequest;

class Polls final : public page::v1::PollsBase {
 public:
  Task<Result<Tally>> vote(Context&, const VoteRequest& request) override {
    if (request.choice().empty()) co_return Status::invalid_argument("choice: empty; vote for something");
    Tally now;
    {
      std::lock_guard lock(mutex_);
      Tally& tally = tallies_[request.poll()];
      tally.set_poll(request.poll());
      ++(*tally.mutable_votes())[request.choice()];
      now = tally;
    }
    changed_.notify();  // wakes those who watch, on whatever loop
    co_return now;
  }

  Task<Result<Tally>> get_tally(Context&, const TallyRequest& request) override {
    std::lock_guard lock(mutex_);
    auto found = tallies_.find(request.poll());
    if (found == tallies_.end()) co_return Status::not_found("no poll " + request.poll());
    co_return found->second;
  }

  Task<Status> watch_tally(Context& ctx, const TallyRequest& request, duplex::Writer<Tally>& out) override {
    for (;;) {
      const uint64_t seen = changed_.version();
      Result<Tally> tally = co_await get_tally(ctx, request);
      if (!tally) co_return tally.error();
      if (Status s = co_await out.write(ctx, *tally); !s.is_ok()) co_return s;
      if (Status s = co_await changed_.changed(ctx, seen); !s.is_ok()) co_return s;
    }
  }

 private:
  std::mutex mutex_;  // calls run on every core at the same time
  std::map<std::string, Tally> tallies_;
  duplex::Signal changed_;
};

int main(int argc, char** argv) {
  duplex::Server server;
  server.listen(argc > 1 ? argv[1] : "127.0.0.1:8080").serve(std::make_shared<Polls>());
  return server.run();  // until SIGTERM or SIGINT; then it stops gracefully
}
