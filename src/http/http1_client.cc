#include "duplex/http/http1.h"
#include "http/http1_session.h"

namespace duplex::http {

Http1Client::Http1Client(Loop& loop, Connected socket, const Limits& limits, Notifier& changed)
    : session_(std::make_unique<Http1Session>(loop, std::move(socket), limits, changed)) {}
Http1Client::~Http1Client() = default;

Time Http1Client::free_since() const { return session_->free_since(); }
bool Http1Client::usable() const { return session_->usable(); }
bool Http1Client::has_room() const { return usable() && !session_->busy(); }
size_t Http1Client::exchanges() const { return session_->busy() ? 1 : 0; }
Exchange* Http1Client::open(const Head& head, bool end) { return has_room() ? session_->open(head, end) : nullptr; }
void Http1Client::release(Exchange&) { session_->release(); }
Notifier& Http1Client::ended() { return session_->ended(); }
bool Http1Client::over() const { return session_->over(); }
const Status& Http1Client::why_over() const { return session_->why_over(); }
void Http1Client::end() { session_->end(); }
void Http1Client::close_now(const Status& why) { session_->close_now(why); }

}  // namespace duplex::http
