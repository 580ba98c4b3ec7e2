// grpc.health.v1.Health (https://github.com/grpc/grpc/blob/master/doc/health-checking.md): whether a server, and each
// of its services, takes calls. A Server has one of its own; without a class of the contract, so that a program may
// link its own.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "duplex/contract/description.h"
#include "duplex/runtime/channel.h"

namespace duplex::grpc {

class Health final : public contract::DescribedService {
 public:
  Health();
  // `service`: "shop.v1.Orders", or "" for the whole server. Those never named are NOT_FOUND to Check and
  // SERVICE_UNKNOWN to Watch. From any thread.
  void set(const std::string& service, bool serving);
  // Nothing is served any more; those who watch hear it, and their calls end.
  void stop();

  const contract::ServiceDescription& described() const override { return description_; }
  Task<Outcome> call(Context& ctx, Call& call) override;

 private:
  enum class State : uint8_t { kServing = 1, kNotServing = 2, kServiceUnknown = 3 };
  Task<Outcome> check(Context& ctx, Call& call);
  Task<Outcome> watch(Context& ctx, Call& call);
  State state(const std::string& service) const;
  bool stopped() const;

  const contract::ServiceDescription description_;
  mutable std::mutex mutex_;
  std::map<std::string, bool> serving_;
  bool stopped_ = false;
  Signal changed_;
};

}  // namespace duplex::grpc
