#include "protocols/both_ways.h"

namespace duplex {
namespace {

Task<void> send_all(Context& ctx, Source& in, http::Exchange& x, SendMessage send, SendEnd end, Status& failure) {
  for (;;) {
    Result<std::optional<Message>> m = co_await in.next(ctx);
    if (!m) {
      if (ctx.cancelled()) co_return;
      failure = m.error();
      x.reset(http::Reset::kCancel);
      co_return;
    }
    if (!*m) break;
    if (Status s = co_await http::wait_room(ctx, x); !s.is_ok()) co_return;
    send(x, **m);
  }
  end(x, in);
}

}  // namespace

Task<void> send_request(Context& ctx, Source& in, http::Exchange& x, SendMessage send, SendEnd end, Context& call,
                        RequestFailure& failure) {
  try {
    co_await send_all(ctx, in, x, send, end, failure.status);
  } catch (...) {
    if (!failure.thrown) failure.thrown = std::current_exception();
    x.reset(http::Reset::kCancel);
    call.cancel(Status::cancelled("the source of the request threw"));
  }
}

}  // namespace duplex
