// The peer: grpc++'s callback API, bare, as fair as it can be made (speed.md, "The fair peer").
#include <absl/synchronization/mutex.h>
#include <grpcpp/grpcpp.h>
#include <signal.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <thread>

#include "peer/echo.grpc.pb.h"

namespace {

namespace pb = duplex::bench;

bool buffer_hint = false;

// With the hint messages may share a write. Not the first: with the hint on that one grpc++ 1.51 waits for ever
// (grpc/grpc#12975, #34231).
grpc::WriteOptions options_of(int64_t message) {
  grpc::WriteOptions options;
  if (buffer_hint && message > 0) options.set_buffer_hint();
  return options;
}

class Echo final : public pb::Echo::CallbackService {
 public:
  grpc::ServerUnaryReactor* Unary(grpc::CallbackServerContext* ctx, const pb::EchoRequest* in,
                                  pb::EchoReply* out) override {
    out->set_id(in->id());
    out->set_sequence(in->sequence());
    out->set_customer(in->customer());
    *out->mutable_items() = in->items();
    out->set_payload(in->payload());
    auto* reactor = ctx->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  grpc::ServerWriteReactor<pb::EchoReply>* Stream(grpc::CallbackServerContext*, const pb::StreamRequest* in) override {
    class Writer final : public grpc::ServerWriteReactor<pb::EchoReply> {
     public:
      explicit Writer(const pb::StreamRequest& in) : left_(in.messages()) {
        reply_.set_id("stream");
        reply_.set_payload(std::string(static_cast<size_t>(in.octets()), 'x'));
        next();
      }
      void OnWriteDone(bool ok) override {
        if (ok)
          next();
        else
          Finish(grpc::Status::OK);
      }
      void OnDone() override { delete this; }

     private:
      void next() {
        if (left_-- <= 0) return Finish(grpc::Status::OK);
        reply_.set_sequence(sequence_);
        StartWrite(&reply_, options_of(sequence_++));
      }
      int64_t left_, sequence_ = 0;
      pb::EchoReply reply_;
    };
    return new Writer(*in);
  }
};

// The sync API, for the streams: the benchmark takes the better of the two.
class SyncEcho final : public pb::Echo::Service {
 public:
  grpc::Status Stream(grpc::ServerContext*, const pb::StreamRequest* in,
                      grpc::ServerWriter<pb::EchoReply>* out) override {
    pb::EchoReply reply;
    reply.set_id("stream");
    reply.set_payload(std::string(static_cast<size_t>(in->octets()), 'x'));
    for (int64_t i = 0; i < in->messages(); ++i) {
      reply.set_sequence(i);
      if (!out->Write(reply, options_of(i))) break;
    }
    return grpc::Status::OK;
  }
};

}  // namespace

// peer ADDRESS [callback|sync] [hint]
int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: peer ADDRESS\n"), 2;
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  Echo callback;
  SyncEcho sync;
  grpc::Service* service = &callback;
  if (argc > 2 && std::string_view(argv[2]) == "sync") service = &sync;
  buffer_hint = argc > 3 && std::string_view(argv[3]) == "hint";
  grpc::ServerBuilder builder;
  builder.AddListeningPort(argv[1], grpc::InsecureServerCredentials());
  builder.RegisterService(service);
  auto server = builder.BuildAndStart();
  if (!server) return 1;
  std::fprintf(stderr, "peer: listening on %s\n", argv[1]);
  int number;
  sigwait(&signals, &number);
  server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
  return 0;
}
