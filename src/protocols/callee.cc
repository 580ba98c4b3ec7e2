#include "protocols/callee.h"

namespace duplex {

Callee::Callee(http::Pool& pool, std::string name, std::string authority)
    : pool_(pool),
      name_(std::move(name) + " (" + pool.endpoint().to_string() + ")"),
      authority_(!authority.empty()                               ? std::move(authority)
                 : pool.endpoint().kind() == Address::Kind::kUnix ? "localhost"
                                                                  : pool.endpoint().to_string()) {}

Outcome Callee::broken(const http::Exchange& x) const {
  Status status = failed(x.error().code(), ": " + x.error().message());
  return x.unsent() ? Outcome::never_sent(std::move(status)) : Outcome(std::move(status));
}

Task<Outcome> Callee::wait_head(Context& ctx, http::Exchange& x) const {
  while (!x.has_head()) {
    if (!x.error().is_ok()) co_return broken(x);
    if (Status s = co_await x.arrived().wait(ctx); !s.is_ok()) co_return s;
  }
  co_return Outcome();
}

}  // namespace duplex
