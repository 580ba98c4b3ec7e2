// Commit: the Sink of one attempt. The first head() or write() that cannot be taken back makes the call this attempt's:
// no other is made after it, and those beside it have lost (gRFC A6, "When Retries are Valid"). What loses writes to
// nobody.
//
// An answer over plain HTTP whose `:status` another attempt may mend is held, with up to 64 KiB of its body, until its
// Outcome is there: then it is dropped with this Sink, or release()d if no other attempt follows.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "duplex/resilience/cause.h"
#include "resilience/replay.h"

namespace duplex::resilience {

class Commit final : public Sink {
 public:
  // What fits `hold` is held; null: nothing is.
  Commit(Sink& out, Replay::Reader& request, const Causes* hold) : out_(out), request_(request), hold_(hold) {}

  Task<Status> head(Context& ctx, Metadata metadata) override;
  Task<Status> write(Context& ctx, Message message) override;
  Task<Status> interim(Context& ctx, Metadata metadata) override;

  bool holding() const { return head_.has_value(); }
  // Of the head that is held.
  std::optional<std::string_view> held_field(std::string_view name) const;
  // Lets what is held through, and commits.
  Task<Status> release(Context& ctx);

 private:
  Task<Status> release_and_write(Context& ctx, Message message);

  Sink& out_;
  Replay::Reader& request_;
  const Causes* const hold_;
  std::optional<Metadata> head_;
  std::vector<Message> body_;
  size_t octets_ = 0;
};

}  // namespace duplex::resilience
