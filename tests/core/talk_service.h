// The service of talk.proto, and a server and a client for it in one line.
#pragma once

#include <atomic>

#include "duplex/app/client.h"
#include "duplex/app/server.h"
#include "talk.duplex.h"

namespace talk::v1 {

class TalkService final : public TalkBase {
 public:
  std::atomic<int> running{0}, cancelled{0};

  duplex::Task<duplex::Result<SayReply>> say(duplex::Context& ctx, const SayRequest& in) override {
    Counted counted(running);
    if (in.throw_up()) throw std::runtime_error("the handler's secret");
    if (in.wait_ms() > 0) {
      duplex::Status s = co_await duplex::sleep(ctx, std::chrono::milliseconds(in.wait_ms()));
      if (!s.is_ok()) {
        ++cancelled;
        co_return s;
      }
    }
    if (in.fail_code() != 0)
      co_return duplex::Status(duplex::code_of(static_cast<uint64_t>(in.fail_code())), "as you like")
          .with_detail("type.googleapis.com/google.rpc.RetryInfo", std::string("\x0a\x02\x08\x03", 4));
    if (auto echo = ctx.call().metadata.find("x-echo")) {
      ctx.reply().head.add("x-echo-head", *echo);
      ctx.reply().trailers.add("x-echo-trailer", *echo);
    }
    if (auto echo = ctx.call().metadata.find("x-echo-bin")) {
      ctx.reply().head.add("x-echo-head-bin", *echo);
      ctx.reply().trailers.add("x-echo-bin", *echo);
    }
    SayReply out;
    out.set_text("hello " + in.name());
    out.set_padding(in.padding());
    out.set_left_ms(ctx.deadline() == duplex::kNever
                        ? -1
                        : std::chrono::duration_cast<std::chrono::milliseconds>(ctx.remaining()).count());
    co_return out;
  }

  duplex::Task<duplex::Status> count(duplex::Context& ctx, const CountRequest& in,
                                     duplex::Writer<Number>& out) override {
    Counted counted(running);
    Number number;
    number.set_padding(std::string(static_cast<size_t>(in.padding()), 'x'));
    for (int64_t i = 0; i < in.to(); ++i) {
      if (in.fail_at() && i == in.fail_at()) co_return duplex::Status::aborted("told to");
      number.set_value(i);
      if (duplex::Status s = co_await out.write(ctx, number); !s.is_ok()) {
        ++cancelled;
        co_return s;
      }
    }
    co_return duplex::Status::ok();
  }

  duplex::Task<duplex::Result<Sum>> add(duplex::Context& ctx, duplex::Reader<Number>& in) override {
    Counted counted(running);
    Sum sum;
    for (;;) {
      auto number = co_await in.next(ctx);
      if (!number) {
        ++cancelled;
        co_return number.error();
      }
      if (!*number) break;
      sum.set_value(sum.value() + (*number)->value());
      sum.set_count(sum.count() + 1);
    }
    co_return sum;
  }

  // Echoes each; a negative one ends the call early with INVALID_ARGUMENT, a zero ends it with OK.
  duplex::Task<duplex::Status> chat(duplex::Context& ctx, duplex::Reader<Number>& in,
                                    duplex::Writer<Number>& out) override {
    Counted counted(running);
    for (;;) {
      auto number = co_await in.next(ctx);
      if (!number) {
        ++cancelled;
        co_return number.error();
      }
      if (!*number || (*number)->value() == 0) co_return duplex::Status::ok();
      if ((*number)->value() < 0) co_return duplex::Status::invalid_argument("negative");
      if (duplex::Status s = co_await out.write(ctx, **number); !s.is_ok()) co_return s;
    }
  }

 private:
  struct Counted {
    explicit Counted(std::atomic<int>& count) : n(count) { ++n; }
    ~Counted() { --n; }
    std::atomic<int>& n;
  };
};

// A server of it on a free port, and a client to it.
struct Pair {
  explicit Pair(duplex::Server::Settings settings = quiet()) : server(std::move(settings)) {
    server.listen("127.0.0.1:0").serve(service);
    duplex::Status s = server.start();
    if (!s.is_ok()) throw std::runtime_error(s.to_string());
    client =
        std::make_shared<duplex::Client>(duplex::Client::Settings{.name = "talk", .address = server.addresses()[0]});
  }
  static duplex::Server::Settings quiet() {
    duplex::Server::Settings settings;
    settings.log_file = "/dev/null";
    settings.loops = 2;
    return settings;
  }
  std::shared_ptr<TalkService> service = std::make_shared<TalkService>();
  duplex::Server server;
  std::shared_ptr<duplex::Client> client;
};

}  // namespace talk::v1
