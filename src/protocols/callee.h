// Callee: whom the client halves over plain HTTP (rest, http) call, and how they speak of it when it fails.
#pragma once

#include <string>

#include "duplex/http/pool.h"
#include "duplex/service/service.h"

namespace duplex {

class Callee {
 public:
  // `authority` empty: the endpoint's address, or "localhost" for a Unix socket. `pool` outlives this.
  Callee(http::Pool& pool, std::string name, std::string authority);

  http::Pool& pool() const { return pool_; }
  const std::string& authority() const { return authority_; }
  // "payments (10.0.0.7:8080)"
  const std::string& name() const { return name_; }
  Status failed(Code code, const std::string& what) const { return Status(code, name_ + what); }

  // Why an exchange broke, with the endpoint's name.
  Outcome broken(const http::Exchange& x) const;
  // Waits for the final head of the answer. Not OK: why there is none.
  Task<Outcome> wait_head(Context& ctx, http::Exchange& x) const;

 private:
  http::Pool& pool_;
  const std::string name_, authority_;
};

}  // namespace duplex
