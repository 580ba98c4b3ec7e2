#include "protocols/whole_body.h"

namespace duplex {

Task<Result<Bytes>> read_whole_body(Context& ctx, http::Exchange& x, size_t limit) {
  Buffer whole;
  co_return co_await read_whole_body(ctx, x, limit, whole);
}

Task<Result<Bytes>> read_whole_body(Context& ctx, http::Exchange& x, size_t limit, Buffer& whole) {
  for (;;) {
    if (Status s = co_await http::wait_body(ctx, x); !s.is_ok()) co_return s;
    size_t arrived = x.body().size();
    if (whole.size() + arrived > limit)
      co_return Status::resource_exhausted("the body is larger than " + std::to_string(limit) + " octets");
    if (whole.empty())
      std::swap(whole, x.body());
    else
      whole.append(x.body().view());
    x.body().clear();
    x.consumed(arrived);
    if (x.ended()) co_return whole.take();
  }
}

}  // namespace duplex
