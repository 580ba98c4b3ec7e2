#include "duplex/http/exchange.h"

namespace duplex::http {
namespace {

Task<Status> wait_body_later(Context& ctx, Exchange& x) {
  x.body_awaited();
  while (x.body().empty() && !x.ended() && x.error().is_ok())
    if (Status s = co_await x.arrived().wait(ctx); !s.is_ok()) co_return s;
  co_return x.body().empty() && !x.ended() ? x.error() : Status();
}

Task<Status> wait_room_later(Context& ctx, Exchange& x) {
  while (x.unsent_octets() >= kUnsentLimit && x.error().is_ok())
    if (Status s = co_await x.room().wait(ctx); !s.is_ok()) co_return s;
  co_return x.error();
}

}  // namespace

Task<Status> wait_body(Context& ctx, Exchange& x) {
  if (ctx.cancelled()) return Task<Status>::ready(ctx.why());
  if (!x.body().empty() || x.ended()) return Task<Status>::ready(Status());
  if (!x.error().is_ok()) return Task<Status>::ready(x.error());
  return wait_body_later(ctx, x);
}

Task<Status> wait_room(Context& ctx, Exchange& x) {
  if (ctx.cancelled()) return Task<Status>::ready(ctx.why());
  if (!x.error().is_ok()) return Task<Status>::ready(x.error());
  if (x.unsent_octets() < kUnsentLimit) return Task<Status>::ready(Status());
  return wait_room_later(ctx, x);
}

}  // namespace duplex::http
