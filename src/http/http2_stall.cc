// What the peer does not take must not stay for ever: it gives a stream no window, or does not read at all.
//
// While a user (a handler, or who waits for an answer) holds the stream, its Context has a deadline and decides. What
// is left after it is decided here. A look takes a walk over the open streams, once in Limits::send_stall and only
// while something may be stuck; what made too little way from one look to the next is ended, so that it takes up to
// twice that.
#include "http/http2_session.h"

namespace duplex::http {
namespace {
// Of a stream in that time: a window of an octet now and then is no progress (CVE-2019-9511).
constexpr size_t kLeastProgress = 16 * 1024;
}  // namespace

void Http2Session::watch_for_stall() {
  if (!stall_.armed()) loop_.arm(stall_, after(loop_.now(), limits_.send_stall));
}

void Http2Session::end_stalled() {
  if (over_) return;
  const uint64_t sent = octets_taken();
  if (write_blocked() && was_blocked_ && sent == sent_before_)
    return close_now(Status::unavailable("the other side has read nothing for too long"));
  was_blocked_ = write_blocked();
  sent_before_ = sent;
  bool more = was_blocked_;
  streams_.for_each_open([&](Http2Stream& stream) {
    if (stream.in_use_ || !stream.has_more()) return;
    const size_t left = stream.out_.size() - stream.out_at_;
    if (stream.left_before_ && stream.left_before_ - left < kLeastProgress)
      return reset(stream, static_cast<uint32_t>(Http2Error::kCancel));
    stream.left_before_ = left;
    more = true;
  });
  if (more) watch_for_stall();
}

}  // namespace duplex::http
