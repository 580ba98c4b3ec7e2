#include "resilience/commit.h"

#include "duplex/contract/http_status.h"
#include "resilience/retry_after.h"

namespace duplex::resilience {
namespace {

constexpr size_t kMostHeld = 64 * 1024;  // octets

Status lost() { return Status::cancelled("another attempt answers this call"); }

bool may_be_mended(const Metadata& head, const Causes& causes) {
  const int status = http_status_of(head);
  if (status < 400) return false;
  Outcome outcome(Status(contract::code_from_http(status), ""));
  outcome.http_status = static_cast<int16_t>(status);
  return causes.match(outcome) || (status == 429 && head.find("retry-after"));
}

}  // namespace

Task<Status> Commit::head(Context& ctx, Metadata metadata) {
  if (hold_ && !request_.lost() && may_be_mended(metadata, *hold_)) {
    head_ = std::move(metadata);
    return Task<Status>::ready(Status());
  }
  if (!request_.commit()) return Task<Status>::ready(lost());
  return out_.head(ctx, std::move(metadata));
}

Task<Status> Commit::write(Context& ctx, Message message) {
  if (head_) {
    octets_ += message.bytes.size();
    if (octets_ > kMostHeld) return release_and_write(ctx, std::move(message));
    body_.push_back(std::move(message));
    return Task<Status>::ready(Status());
  }
  if (!request_.commit()) return Task<Status>::ready(lost());
  return out_.write(ctx, std::move(message));
}

Task<Status> Commit::interim(Context& ctx, Metadata metadata) {
  if (request_.lost()) return Task<Status>::ready(lost());
  return out_.interim(ctx, std::move(metadata));
}

std::optional<std::string_view> Commit::held_field(std::string_view name) const {
  return head_ ? head_->find(name) : std::nullopt;
}

Task<Status> Commit::release(Context& ctx) {
  if (!head_) co_return Status();
  if (!request_.commit()) co_return lost();
  Metadata head = std::move(*head_);
  head_.reset();
  if (Status s = co_await out_.head(ctx, std::move(head)); !s.is_ok()) co_return s;
  for (Message& message : body_)
    if (Status s = co_await out_.write(ctx, std::move(message)); !s.is_ok()) co_return s;
  body_.clear();
  co_return Status();
}

Task<Status> Commit::release_and_write(Context& ctx, Message message) {
  if (Status s = co_await release(ctx); !s.is_ok()) co_return s;
  co_return co_await out_.write(ctx, std::move(message));
}

}  // namespace duplex::resilience
