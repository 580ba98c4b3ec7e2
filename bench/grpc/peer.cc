// The peer: grpc++'s callback API, bare, as fair as it can be made (speed.md, "The fair peer").
#include <absl/synchronization/mutex.h>
#include <grpcpp/grpcpp.h>
#include <signal.h>

#include <cstdio>
#include <string>
#include <thread>

#include "peer/echo.grpc.pb.h"

namespace {

namespace pb = duplex::bench;

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
        reply_.set_sequence(sequence_++);
        StartWrite(&reply_, grpc::WriteOptions().set_buffer_hint());
      }
      int64_t left_, sequence_ = 0;
      pb::EchoReply reply_;
    };
    return new Writer(*in);
  }
};

}  // namespace

// peer ADDRESS
int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: peer ADDRESS\n"), 2;
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  Echo service;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(argv[1], grpc::InsecureServerCredentials());
  builder.RegisterService(&service);
  auto server = builder.BuildAndStart();
  if (!server) return 1;
  std::fprintf(stderr, "peer: listening on %s\n", argv[1]);
  int number;
  sigwait(&signals, &number);
  server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
  return 0;
}
