#include "orders.h"

#include "duplex/base/ids.h"
#include "order_table.h"
#include "page_of.h"

namespace shop {

namespace store = duplex::store;
using duplex::CallOptions;
using duplex::Code;
using duplex::Context;
using duplex::Result;
using duplex::Status;
using duplex::Task;

namespace {

// Sooner than our own caller's 15 s, so that there is time left to say what became of the order.
constexpr duplex::Duration kPaymentsTimeout = std::chrono::seconds(5);

Status check(const v1::CreateOrderRequest& request) {
  if (request.customer_id().empty()) return Status::invalid_argument("customer_id: empty");
  if (request.items().empty()) return Status::invalid_argument("items: empty; an order has at least one");
  if (request.items_size() > 1000) return Status::invalid_argument("items: more than 1000");
  if (request.request_id().size() > 200) return Status::invalid_argument("request_id: longer than 200 octets");
  for (int i = 0; i < request.items_size(); ++i) {
    const std::string where = "items[" + std::to_string(i) + "].";
    if (request.items(i).product_id().empty()) return Status::invalid_argument(where + "product_id: empty");
    if (request.items(i).quantity() < 1)
      return Status::invalid_argument(where + "quantity: " + std::to_string(request.items(i).quantity()) +
                                      " is less than 1");
  }
  return {};
}

// What payments' failure means to the caller of orders: what it was in the middle of, and whether to ask again.
Status payments_failed(Context& ctx, const Status& why, const v1::Order& order, const std::string& meanwhile) {
  static_cast<void>(ctx.reply().trailers.set_by_user("order-id", order.id()));
  // That payments was slow is our caller's business as that it was down: UNAVAILABLE, ask again. Unless our caller's
  // own time is over.
  const Code code = why.code() == Code::kDeadlineExceeded && !ctx.cancelled() ? Code::kUnavailable : why.code();
  const bool passes = code == Code::kUnavailable || code == Code::kDeadlineExceeded || code == Code::kResourceExhausted;
  return Status(passes ? code : Code::kInternal, "order " + order.id() + meanwhile + ": " + why.message());
}

}  // namespace

Task<Result<v1::Order>> Orders::create_order(Context& ctx, const v1::CreateOrderRequest& request) {
  if (Status s = check(request); !s.is_ok()) co_return s;
  v1::CreateOrderRequest wanted = request;
  if (wanted.request_id().empty()) wanted.set_request_id(duplex::uuid_v7());
  Result<v1::Order> order = co_await db_.write(ctx, [&](store::Writer& w) { return place_order(w, wanted); });
  if (!order || order->status() != v1::Order::PENDING) co_return order;
  co_return co_await pay(ctx, std::move(*order));
}

// The charge is keyed by the order, so doing this again, or twice at once, charges once.
Task<Result<v1::Order>> Orders::pay(Context& ctx, v1::Order order) {
  v1::ChargeRequest request;
  request.set_order_id(order.id());
  request.set_customer_id(order.customer_id());
  request.set_amount_cents(order.total_cents());
  CallOptions options(kPaymentsTimeout);
  Result<v1::PaymentCharge> charge = co_await payments_.charge(ctx, request, std::move(options));
  if (!charge)
    co_return payments_failed(ctx, charge.error(), order, " stays PENDING; place it again with its request_id");
  const v1::Order::Status paid = charge->status() == v1::PaymentCharge::CAPTURED   ? v1::Order::PAID
                                 : charge->status() == v1::PaymentCharge::REFUNDED ? v1::Order::CANCELLED
                                                                                   : v1::Order::FAILED;
  Result<v1::Order> now = co_await db_.write(ctx, [&](store::Writer& w) -> Result<v1::Order> {
    // Not PENDING any more: another call for the same order was first, or it is being cancelled.
    Result<bool> changed = change_status(w, order.id(), {v1::Order::PENDING}, paid);
    if (!changed) return changed.error();
    auto noted = w.execute("UPDATE orders SET charge_id = ? WHERE id = ?", charge->id(), order.id());
    if (!noted) return noted.error();
    return load_order(w, order.id());
  });
  signals_.of(order.id()).notify();
  co_return now;
}

Task<Result<v1::Order>> Orders::get_order(Context& ctx, const v1::GetOrderRequest& request) {
  co_return co_await db_.read(ctx, [&](store::Reader& r) { return load_order(r, request.id()); });
}

Task<Result<v1::ListOrdersResponse>> Orders::list_orders(Context& ctx, const v1::ListOrdersRequest& request) {
  Result<int64_t> size = page_size(request.page_size());
  if (!size) co_return size.error();
  co_return co_await db_.read(ctx, [&](store::Reader& r) { return load_orders(r, request, *size); });
}

Task<Status> Orders::watch_order(Context& ctx, const v1::WatchOrderRequest& request,
                                 duplex::Writer<v1::OrderChange>& out) {
  duplex::Signal& signal = signals_.of(request.id());
  int32_t revision = 0;
  for (;;) {
    const uint64_t seen = signal.version();  // before the look, so that no change falls between the two
    auto changes = co_await db_.read(ctx, [&](store::Reader& r) { return load_changes(r, request.id(), revision); });
    if (!changes) co_return changes.error();
    for (const v1::OrderChange& change : *changes) {
      if (Status s = co_await out.write(ctx, change); !s.is_ok()) co_return s;
      if (is_final(change.status())) co_return Status::ok();
      revision = change.revision();
    }
    if (Status s = co_await signal.changed(ctx, seen); !s.is_ok()) co_return s;
  }
}

Task<Result<v1::Order>> Orders::ship_order(Context& ctx, const v1::ShipOrderRequest& request) {
  Result<v1::Order> order = co_await db_.write(ctx, [&](store::Writer& w) -> Result<v1::Order> {
    Result<bool> changed = change_status(w, request.id(), {v1::Order::PAID}, v1::Order::SHIPPED);
    if (!changed) return changed.error();
    return load_order(w, request.id());
  });
  if (!order) co_return order;
  if (order->status() != v1::Order::SHIPPED)
    co_return Status::failed_precondition("order " + order->id() + " is " + v1::Order::Status_Name(order->status()) +
                                          "; only one that is PAID can be shipped");
  signals_.of(order->id()).notify();
  co_return order;
}

Task<Result<v1::Order>> Orders::cancel_order(Context& ctx, const v1::CancelOrderRequest& request) {
  // CANCELLING first: from here on it can be neither shipped nor paid, whatever happens to the refund.
  Result<v1::Order> order = co_await db_.write(ctx, [&](store::Writer& w) -> Result<v1::Order> {
    Result<bool> changed = change_status(w, request.id(), {v1::Order::PENDING, v1::Order::PAID}, v1::Order::CANCELLING);
    if (!changed) return changed.error();
    return load_order(w, request.id());
  });
  if (!order || order->status() == v1::Order::CANCELLED) co_return order;
  if (order->status() != v1::Order::CANCELLING)
    co_return Status::failed_precondition("order " + order->id() + " is " + v1::Order::Status_Name(order->status()) +
                                          " and can no longer be cancelled");
  signals_.of(order->id()).notify();
  v1::RefundRequest refund;
  refund.set_order_id(order->id());
  CallOptions options(kPaymentsTimeout);
  Result<v1::PaymentCharge> refunded = co_await payments_.refund(ctx, refund, std::move(options));
  if (!refunded) co_return payments_failed(ctx, refunded.error(), *order, " stays CANCELLING; cancel it again");
  Result<v1::Order> now = co_await db_.write(ctx, [&](store::Writer& w) -> Result<v1::Order> {
    Result<bool> changed = change_status(w, order->id(), {v1::Order::CANCELLING}, v1::Order::CANCELLED);
    if (!changed) return changed.error();
    return load_order(w, order->id());
  });
  signals_.of(order->id()).notify();
  co_return now;
}

}  // namespace shop
