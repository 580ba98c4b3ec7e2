#include "duplex/service/service.h"

#include <cstdio>

namespace duplex {
namespace {

void report_to_stderr(Context&, const Method& method, std::string_view what) {
  std::fprintf(stderr, "duplex: an exception left the handler of %s: %.*s\n", method.name.c_str(),
               static_cast<int>(what.size()), what.data());
}
ExceptionReport exception_report = report_to_stderr;

void report_current(Context& ctx, const Method& method) {
  try {
    throw;
  } catch (const std::exception& e) {
    exception_report(ctx, method, e.what());
  } catch (...) {
    exception_report(ctx, method, "not a std::exception");
  }
}

// A line break in a value would be a field of its own to the caller.
Status check(const Metadata& fields) {
  for (Metadata::Entry e : fields)
    if (!is_binary_name(e.name) && !is_field_value(e.value))
      return Status::internal("the value of metadata '" + std::string(e.name.substr(0, 100)) +
                              "' has a control octet; a name that ends in -bin may carry any bytes");
  return {};
}

// Sends the Reply's head before the first message.
class ReplySink final : public Sink {
 public:
  ReplySink(Sink& out, Reply& reply) : out_(out), reply_(reply) {}
  Task<Status> head(Context& ctx, Metadata metadata) override {
    head_sent_ = true;
    for (Metadata::Entry e : reply_.head) metadata.add(e.name, e.value);
    broken_ = check(metadata);
    if (!broken_.is_ok()) return Task<Status>::ready(broken_);
    return out_.head(ctx, std::move(metadata));
  }
  Task<Status> write(Context& ctx, Message message) override {
    if (!broken_.is_ok()) return Task<Status>::ready(broken_);
    if (head_sent_ || reply_.head.empty()) {
      head_sent_ = true;
      return out_.write(ctx, std::move(message));
    }
    return head_then_write(ctx, std::move(message));
  }
  Task<Status> interim(Context& ctx, Metadata metadata) override { return out_.interim(ctx, std::move(metadata)); }
  // Why nothing of the answer may be sent.
  const Status& broken() const { return broken_; }

 private:
  Task<Status> head_then_write(Context& ctx, Message message) {
    if (Status s = co_await head(ctx, Metadata()); !s.is_ok()) co_return s;
    co_return co_await out_.write(ctx, std::move(message));
  }
  Sink& out_;
  Reply& reply_;
  bool head_sent_ = false;
  Status broken_;
};

class Answer final : public Service {
 public:
  explicit Answer(std::shared_ptr<Service> next) : next_(std::move(next)) {}
  Task<Outcome> call(Context& ctx, Call& c) override {
    Reply reply;
    Sink& outer = *c.out;
    ReplySink out(outer, reply);
    c.out = &out;
    ctx.set_call(&c, &reply);
    Outcome outcome;
    bool threw = false;
    try {
      outcome = co_await next_->call(ctx, c);
    } catch (...) {
      threw = true;
      report_current(ctx, *c.method);
    }
    ctx.set_call(nullptr, nullptr);
    c.out = &outer;
    if (threw) co_return Status::internal("internal error");
    for (Metadata::Entry e : reply.trailers) outcome.trailers.add(e.name, e.value);
    if (!outcome.status.is_ok())
      for (Metadata::Entry e : reply.failure_trailers) outcome.trailers.add(e.name, e.value);
    if (!out.broken().is_ok()) co_return out.broken();
    if (Status s = check(outcome.trailers); !s.is_ok()) co_return s;
    co_return outcome;
  }

 private:
  std::shared_ptr<Service> next_;
};

}  // namespace

const Metadata& Source::trailers() const {
  static const Metadata kNone;
  return kNone;
}

Task<Status> Sink::interim(Context&, Metadata) { return Task<Status>::ready(Status()); }

void set_exception_report(ExceptionReport report) { exception_report = report; }

Task<Outcome> guarded(Service& service, Context& ctx, Call& call) {
  try {
    co_return co_await service.call(ctx, call);
  } catch (...) {
    report_current(ctx, *call.method);
  }
  co_return Status::internal("internal error");
}

Filter answer() {
  return [](std::shared_ptr<Service> next) -> std::shared_ptr<Service> {
    return std::make_shared<Answer>(std::move(next));
  };
}

}  // namespace duplex
