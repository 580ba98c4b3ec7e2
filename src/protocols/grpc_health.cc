#include "duplex/protocols/grpc_health.h"

#include "duplex/service/pipe.h"
#include "health_contract.h"
#include "protocols/wire_fields.h"

namespace duplex::grpc {
namespace {

constexpr std::string_view kName = "grpc.health.v1.Health";
constexpr uint32_t kService = 1, kStatus = 1;

Result<std::shared_ptr<const contract::Contract>> load() {
  return contract::Contract::load({reinterpret_cast<const char*>(kHealthContract), sizeof kHealthContract});
}

// The service that a HealthCheckRequest asks for.
Task<Result<std::string>> asked(Context& ctx, Call& call) {
  NextResult message = co_await call.in->next(ctx);
  if (!message) co_return message.error();
  if (!*message) co_return Status::unimplemented("no request message came where the method takes exactly one");
  WireFields fields((*message)->bytes.view());
  std::string service;
  while (auto field = fields.next())
    if (field->number == kService) service = field->octets;
  if (fields.broken()) co_return Status::invalid_argument("malformed bytes where a HealthCheckRequest was wanted");
  co_return service;
}

Message answer(int status) {
  std::string message;
  put_number(message, kStatus, static_cast<uint64_t>(status));
  return Message(Bytes::copy(message));
}

}  // namespace

Health::Health() : description_(kName, {{"Check", false, false}, {"Watch", false, true}}, load()) {}

void Health::set(const std::string& service, bool serving) {
  {
    std::lock_guard lock(mutex_);
    serving_[service] = serving;
  }
  changed_.notify();
}

void Health::stop() {
  {
    std::lock_guard lock(mutex_);
    for (auto& [name, serving] : serving_) serving = false;
    stopped_ = true;
  }
  changed_.notify();
}

Health::State Health::state(const std::string& service) const {
  std::lock_guard lock(mutex_);
  auto at = serving_.find(service);
  if (at == serving_.end()) return State::kServiceUnknown;
  return at->second ? State::kServing : State::kNotServing;
}

bool Health::stopped() const {
  std::lock_guard lock(mutex_);
  return stopped_;
}

Task<Outcome> Health::call(Context& ctx, Call& c) { return c.method->service_streams ? watch(ctx, c) : check(ctx, c); }

Task<Outcome> Health::check(Context& ctx, Call& call) {
  Result<std::string> service = co_await asked(ctx, call);
  if (!service) co_return service.error();
  const State now = state(*service);
  if (now == State::kServiceUnknown) co_return Status::not_found("no service '" + *service + "' here");
  Message reply = answer(static_cast<int>(now));
  co_return co_await call.out->write(ctx, std::move(reply));
}

Task<Outcome> Health::watch(Context& ctx, Call& call) {
  Result<std::string> service = co_await asked(ctx, call);
  if (!service) co_return service.error();
  int told = 0;
  Status s;
  while (s.is_ok()) {
    const uint64_t seen = changed_.version();
    const int now = static_cast<int>(state(*service));
    if (now != told) {
      Message reply = answer(now);
      s = co_await call.out->write(ctx, std::move(reply));
      told = now;
    }
    if (s.is_ok() && stopped()) co_return Status::unavailable("the server is stopping");
    if (s.is_ok()) s = co_await changed_.changed(ctx, seen);
  }
  co_return s;
}

}  // namespace duplex::grpc
