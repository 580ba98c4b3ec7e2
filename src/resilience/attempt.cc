#include "resilience/attempt.h"

#include "duplex/service/attempt.h"
#include "resilience/retry_after.h"

namespace duplex::resilience {

Metadata attempt_metadata(const Metadata& of_call, int before) {
  Metadata metadata = of_call;
  // What our own caller's attempts were counted as is nobody else's.
  if (metadata.find(kPreviousAttempts)) metadata.remove(kPreviousAttempts);
  if (before > 0) metadata.add(kPreviousAttempts, std::to_string(before));
  return metadata;
}

std::string shown(const Outcome& outcome) {
  if (outcome.status.is_ok()) return "HTTP " + std::to_string(outcome.http_status);
  return outcome.status.to_string().substr(0, 300);
}

void ask_for_no_retry(Context& ctx) {
  Reply* reply = ctx.reply_for_caller();
  if (reply && !reply->failure_trailers.find(kPushback)) reply->failure_trailers.add(kPushback, "-1");
}

}  // namespace duplex::resilience
