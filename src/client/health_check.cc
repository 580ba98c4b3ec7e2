#include "client/health_check.h"

#include <charconv>

#include "duplex/base/random.h"
#include "duplex/runtime/wait.h"
#include "duplex/service/pipe.h"

namespace duplex::client {
namespace {

// grpc.health.v1: HealthCheckRequest has `string service = 1`, HealthCheckResponse `ServingStatus status = 1`. So
// little needs no generated code, which a user's program may have too.
constexpr char kServiceField = 1 << 3 | 2, kStatusField = 1 << 3 | 0;
constexpr uint64_t kServing = 1;
constexpr std::string_view kStates[] = {"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"};

void put_varint(std::string& out, uint64_t n) {
  for (; n >= 128; n >>= 7) out += static_cast<char>(n | 128);
  out += static_cast<char>(n);
}

std::string health_request(const std::string& service) {
  std::string out;
  if (service.empty()) return out;
  out += kServiceField;
  put_varint(out, service.size());
  return out + service;
}

std::optional<uint64_t> take_varint(std::string_view& in) {
  uint64_t n = 0;
  for (int shift = 0; shift < 64 && !in.empty(); shift += 7) {
    const auto octet = static_cast<uint8_t>(in[0]);
    in.remove_prefix(1);
    n |= uint64_t{octet & 127u} << shift;
    if (octet < 128) return n;
  }
  return std::nullopt;
}

// The status; its default, 0, if none is written. nullopt: other than that message.
std::optional<uint64_t> read_health_response(std::string_view in) {
  std::optional<uint64_t> status = 0;
  while (!in.empty()) {
    if (in[0] != kStatusField) return std::nullopt;
    in.remove_prefix(1);
    status = take_varint(in);
    if (!status) return std::nullopt;
  }
  return status;
}

Task<Status> ask_grpc(Context& ctx, Service& endpoint, const std::string& service) {
  static const Method kCheck("/grpc.health.v1.Health/Check", false, false, Idempotency::kNoSideEffects);
  One in(Message(Bytes::copy(health_request(service))));
  Keep out;
  Call call(kCheck, Metadata(), in, out);
  Outcome outcome = co_await endpoint.call(ctx, call);
  if (outcome.status.code() == Code::kUnimplemented) co_return Status();
  if (!outcome.status.is_ok()) co_return outcome.status;
  std::optional<uint64_t> status;
  if (out.message && out.message->codec == Codec::kIdentity) status = read_health_response(out.message->bytes.view());
  if (!status) co_return Status::internal("its health check answers something else than grpc.health.v1");
  if (*status == kServing) co_return Status();
  co_return Status::unavailable("it says " + (*status < 4 ? std::string(kStates[*status]) : std::to_string(*status)));
}

// Keeps the head alone.
class HeadOnly final : public Sink {
 public:
  Task<Status> head(Context&, Metadata md) override {
    metadata = std::move(md);
    return Task<Status>::ready(Status());
  }
  Task<Status> write(Context&, Message) override { return Task<Status>::ready(Status()); }
  Metadata metadata;
};

Task<Status> ask_http(Context& ctx, Service& endpoint, const std::string& path) {
  static const Method kGet("http:GET", false, false, Idempotency::kNoSideEffects);
  One in(Message(Bytes(), Format::kOpaque));
  HeadOnly out;
  Metadata metadata;
  metadata.add(":method", "GET");
  metadata.add(":path", path);
  Call call(kGet, std::move(metadata), in, out);
  Outcome outcome = co_await endpoint.call(ctx, call);
  int status = outcome.http_status;
  if (auto text = out.metadata.find(":status")) std::from_chars(text->data(), text->data() + text->size(), status);
  if (status == 0 && !outcome.status.is_ok()) co_return outcome.status;
  if (status >= 200 && status < 300) co_return outcome.status;
  co_return Status::unavailable("it answers " + path + " with HTTP status " + std::to_string(status));
}

}  // namespace

Task<Status> ask_health(Context& ctx, Service& endpoint, const HealthSettings& settings) {
  if (settings.check.starts_with('/')) return ask_http(ctx, endpoint, settings.check);
  return ask_grpc(ctx, endpoint, settings.service);
}

void HealthCheck::start(std::shared_ptr<HealthCheck> self, Scope& scope, Service& endpoint, Verdict verdict) {
  HealthCheck& check = *self;
  check.running_ = true;
  scope.spawn([self = std::move(self), at = &endpoint, verdict = std::move(verdict)](Context& ctx) {
    return run(ctx, self, at, verdict);
  });
}

void HealthCheck::stop() {
  stopped_ = true;
  if (own_) own_->cancel(Status::cancelled("its health is of no interest any more"));
}

bool HealthCheck::count(bool well) {
  if (well == healthy_) {
    in_a_row_ = 0;
    return false;
  }
  if (++in_a_row_ < (well ? settings_.healthy : settings_.unhealthy)) return false;
  in_a_row_ = 0;
  healthy_ = well;
  return true;
}

Task<void> HealthCheck::run(Context& ctx, std::shared_ptr<HealthCheck> self, Service* endpoint, Verdict verdict) {
  Context own(ctx);
  self->own_ = &own;
  while (!own.cancelled() && !self->stopped_) {
    Status answer;
    {
      Context bounded(own, self->settings_.timeout);
      answer = co_await ask_health(bounded, *endpoint, self->settings_);
    }
    if (own.cancelled() || self->stopped_) break;
    if (self->count(answer.is_ok())) verdict(own, self->healthy_, answer);
    const double jitter = 0.95 + 0.1 * random_unit();
    const Duration pause(static_cast<int64_t>(static_cast<double>(self->settings_.every.count()) * jitter));
    Status slept = co_await sleep(own, pause);
    if (!slept.is_ok()) break;
  }
  self->own_ = nullptr;
  self->running_ = false;
}

}  // namespace duplex::client
