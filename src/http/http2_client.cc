#include "duplex/http/http2_client.h"

#include "http/http2_session.h"

namespace duplex::http {

Http2Client::Http2Client(Loop& loop, Connected socket, const Limits& limits, Notifier& changed) {
  const Bytes early = std::move(socket.early);
  session_ = std::make_unique<Http2Session>(nullptr, loop, std::move(socket), limits);
  session_->set_also_notified(&changed);
  session_->start(early.view());
}
Http2Client::~Http2Client() = default;

bool Http2Client::usable() const { return !session_->over() && !session_->draining(); }
bool Http2Client::has_room() const { return usable() && session_->streams() < session_->peer_max_streams(); }
size_t Http2Client::exchanges() const { return session_->streams(); }
Exchange* Http2Client::open(const Head& head, bool end) { return has_room() ? session_->submit(head, end) : nullptr; }
void Http2Client::release(Exchange& exchange) { session_->release(static_cast<Http2Stream&>(exchange)); }
Notifier& Http2Client::ended() { return session_->ended(); }
bool Http2Client::over() const { return session_->over(); }
const Status& Http2Client::why_over() const { return session_->why_over(); }
void Http2Client::end() { session_->end(0); }
void Http2Client::close_now(const Status& why) { session_->close_now(why); }

}  // namespace duplex::http
