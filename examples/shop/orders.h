// shop.v1.Orders: placed here, paid at the service payments.
#pragma once

#include <array>
#include <functional>
#include <string>

#include "duplex/runtime/channel.h"
#include "duplex/store/database.h"
#include "payments.duplex.h"
#include "shop.duplex.h"

namespace shop {

// Who waits for a change of an order waits on the Signal that its id falls on. A few orders share one: a wait that ends
// for another order's sake looks again, and there is nothing to clean up.
class OrderSignals {
 public:
  duplex::Signal& of(const std::string& id) { return signals_[std::hash<std::string>()(id) % signals_.size()]; }

 private:
  std::array<duplex::Signal, 256> signals_;
};

class Orders final : public v1::OrdersBase {
 public:
  Orders(duplex::store::Database& db, v1::PaymentsClient payments) : db_(db), payments_(std::move(payments)) {}

  duplex::Task<duplex::Result<v1::Order>> create_order(duplex::Context& ctx,
                                                       const v1::CreateOrderRequest& request) override;
  duplex::Task<duplex::Result<v1::Order>> get_order(duplex::Context& ctx, const v1::GetOrderRequest& request) override;
  duplex::Task<duplex::Result<v1::ListOrdersResponse>> list_orders(duplex::Context& ctx,
                                                                   const v1::ListOrdersRequest& request) override;
  duplex::Task<duplex::Status> watch_order(duplex::Context& ctx, const v1::WatchOrderRequest& request,
                                           duplex::Writer<v1::OrderChange>& out) override;
  duplex::Task<duplex::Result<v1::Order>> ship_order(duplex::Context& ctx,
                                                     const v1::ShipOrderRequest& request) override;
  duplex::Task<duplex::Result<v1::Order>> cancel_order(duplex::Context& ctx,
                                                       const v1::CancelOrderRequest& request) override;

 private:
  duplex::Task<duplex::Result<v1::Order>> pay(duplex::Context& ctx, v1::Order order);

  duplex::store::Database& db_;
  v1::PaymentsClient payments_;
  OrderSignals signals_;
};

}  // namespace shop
