// Resolver: the addresses of a name, by /etc/hosts and DNS, without a thread and without holding the loop.
//
// It speaks DNS itself (c-ares): getaddrinfo blocks, and hides the TTL, without which nobody can say when to ask again.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "duplex/base/status.h"
#include "duplex/base/time.h"
#include "duplex/runtime/context.h"
#include "duplex/runtime/task.h"

namespace duplex::client {

struct Resolved {
  // Texts of IP addresses in the order to try: RFC 8305 section 4. Sorted by RFC 6724, which puts IPv6 first where this
  // host has a route for it and what it cannot reach last; then the two families take turns, so that one that is broken
  // costs one attempt. Within a family of equals the DNS server's own order stays. At least one.
  std::vector<std::string> addresses;
  // When to ask again: the smallest TTL of the answer, aliases included.
  Time expires = kNever;
};

// Where a service is, by its SRV records (RFC 2782).
struct Services {
  struct Service {
    std::string host;
    uint16_t port = 0;
    uint16_t priority = 0;  // those of the smallest are used while one of them can be reached
    uint16_t weight = 0;    // of those of one priority
  };
  std::vector<Service> list;  // at least one
  Time expires = kNever;      // the smallest TTL of the answer, aliases included
};

// One a loop; lives and is used on its loop. /etc/hosts is asked first, then DNS, by the servers and search domains of
// /etc/resolv.conf as it was when the Resolver was made.
class Resolver final {
 public:
  struct Settings {
    std::string servers;                         // "127.0.0.1:5353,[::1]:5353"; empty: those of /etc/resolv.conf
    Duration timeout = std::chrono::seconds(2);  // of the first try; each further one waits twice as long
    int tries = 3;                               // a server
  };
  Resolver(Loop& loop, Settings settings);
  explicit Resolver(Loop& loop) : Resolver(loop, Settings()) {}
  // Whoever still waits gets UNAVAILABLE.
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // What the last answer said until it expires, without asking; else asks, one query for all who want the same name.
  // Failures are not kept. UNAVAILABLE: no such name, or nobody answered; or why ctx was cancelled, at once (the query
  // goes on for the others and for the cache).
  Task<Result<Resolved>> resolve(Context& ctx, std::string_view name);
  // The same of a name's SRV records: "_grpc._tcp.payments.internal". The hosts are names, each to be resolved.
  Task<Result<Services>> resolve_services(Context& ctx, std::string_view name);
  // Drops the answers that are kept: all its addresses failed.
  void forget(std::string_view name);
  // Answers that are kept, at most 1024 of a kind.
  size_t cached() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace duplex::client
