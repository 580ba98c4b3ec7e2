// shop.v1.Payments over a SQLite table in which an order has one row at most.
#pragma once

#include "duplex/store/database.h"
#include "payments.duplex.h"

namespace shop {

class Payments final : public v1::PaymentsBase {
 public:
  static constexpr const char* kTable = R"(
    CREATE TABLE charges(
      id TEXT PRIMARY KEY,
      order_id TEXT NOT NULL UNIQUE,  -- one charge an order
      customer_id TEXT NOT NULL,
      amount_cents INTEGER NOT NULL,
      status INTEGER NOT NULL,
      created_at INTEGER NOT NULL     -- milliseconds since 1970
    ) STRICT, WITHOUT ROWID
  )";

  explicit Payments(duplex::store::Database& db) : db_(db) {}

  duplex::Task<duplex::Result<v1::PaymentCharge>> charge(duplex::Context& ctx,
                                                         const v1::ChargeRequest& request) override;
  duplex::Task<duplex::Result<v1::PaymentCharge>> refund(duplex::Context& ctx,
                                                         const v1::RefundRequest& request) override;
  duplex::Task<duplex::Result<v1::PaymentCharge>> get_charge(duplex::Context& ctx,
                                                             const v1::GetChargeRequest& request) override;
  duplex::Task<duplex::Result<v1::ListChargesResponse>> list_charges(duplex::Context& ctx,
                                                                     const v1::ListChargesRequest& request) override;

 private:
  duplex::store::Database& db_;
};

}  // namespace shop
