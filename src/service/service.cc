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

class Guard final : public Service {
 public:
  explicit Guard(std::shared_ptr<Service> next) : next_(std::move(next)) {}
  Task<Outcome> call(Context& ctx, Call& c) override { return guarded(*next_, ctx, c); }

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

Filter guard() {
  return [](std::shared_ptr<Service> next) -> std::shared_ptr<Service> {
    return std::make_shared<Guard>(std::move(next));
  };
}

}  // namespace duplex
