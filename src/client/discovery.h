// Discovery: which endpoints a peer has at the moment, by what its address says, its names' answers and its files.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "client/watched_file.h"
#include "duplex/client/origin.h"
#include "duplex/client/resolver.h"
#include "duplex/runtime/context.h"
#include "duplex/runtime/task.h"

namespace duplex::client {

struct Found {
  Address address;
  double weight = 1;
  int priority = 0;  // those of the smallest first
  size_t group = 0;
};

struct Finding {
  std::vector<Found> endpoints;  // at least one
  Status complaint;              // of an origin whose last known endpoints had to serve
};

class Discovery {
 public:
  // `resolver` may be null if no address is a name.
  Discovery(std::string peer, std::string_view address, Resolver* resolver);

  // In the address itself: INVALID_ARGUMENT names the peer.
  const Status& mistake() const { return mistake_; }
  const std::vector<double>& groups() const { return origins_.groups; }
  // Does what was found last still hold?
  bool fresh(Time now) const { return now < valid_until_; }
  // Asks again what has expired. An error: there is no endpoint at all, and why.
  Task<Result<Finding>> find(Context& ctx);
  // All endpoints fail: asks for the names anew. False: there is no name among the origins, nothing would change.
  bool forget();

 private:
  struct Source {
    explicit Source(Origin o) : origin(std::move(o)), file(origin.text) {}
    Origin origin;
    WatchedFile file;         // of kFile
    std::vector<Found> last;  // known good
  };
  Task<Status> ask(Context& ctx, Source& source);
  Task<Status> ask_file(Context& ctx, WatchedFile& file, std::vector<Found>& into);
  Task<Status> ask_origin(Context& ctx, const Origin& origin, std::vector<Found>& into);
  Task<Status> ask_name(Context& ctx, const std::string& host, uint16_t port, std::vector<Found>& into);
  Task<Status> ask_services(Context& ctx, const std::string& name, std::vector<Found>& into);
  void holds_until(Time time);
  void remember(const std::string& name);

  const std::string peer_;
  Resolver* const resolver_;
  Origins origins_;
  Status mistake_;
  std::vector<std::unique_ptr<Source>> sources_;
  std::vector<std::string> names_;  // that were resolved
  size_t finding_ = 0;              // find() that run
  Time valid_until_{};
};

}  // namespace duplex::client
