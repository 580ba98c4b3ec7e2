#include "payments.h"

#include "clock.h"
#include "duplex/base/ids.h"
#include "page_of.h"

namespace shop {

namespace store = duplex::store;
using duplex::Context;
using duplex::Result;
using duplex::Status;
using duplex::Task;

namespace {

constexpr int32_t kMostAtOnce = 100'000'000;  // cents; the bank of this example declines more

#define SELECT_CHARGES "SELECT id, order_id, customer_id, amount_cents, status, created_at FROM charges "
using Columns = store::Row<std::string, std::string, std::string, int32_t, int, int64_t>;

v1::PaymentCharge charge_of(const Columns& row) {
  const auto& [id, order_id, customer_id, amount_cents, status, created_at] = row;
  v1::PaymentCharge charge;
  charge.set_id(id);
  charge.set_order_id(order_id);
  charge.set_customer_id(customer_id);
  charge.set_amount_cents(amount_cents);
  charge.set_status(static_cast<v1::PaymentCharge::Status>(status));
  set_time(*charge.mutable_created_at(), created_at);
  return charge;
}

// `sql` takes one parameter. nullopt: none is found.
Result<std::optional<v1::PaymentCharge>> find_charge(store::Reader& r, std::string_view sql, const std::string& key) {
  auto row = r.query_one<std::string, std::string, std::string, int32_t, int, int64_t>(sql, key);
  if (!row) return row.error();
  if (!*row) return std::optional<v1::PaymentCharge>();
  return std::optional<v1::PaymentCharge>(charge_of(**row));
}

Result<std::optional<v1::PaymentCharge>> charge_of_order(store::Reader& r, const std::string& order_id) {
  return find_charge(r, SELECT_CHARGES "WHERE order_id = ?", order_id);
}

Result<v1::PaymentCharge> add_charge(store::Writer& w, const std::string& order_id, const std::string& customer_id,
                                     int32_t amount_cents, v1::PaymentCharge::Status status) {
  const int64_t now = now_ms();
  v1::PaymentCharge charge;
  charge.set_id("chg_" + duplex::uuid_v7());
  charge.set_order_id(order_id);
  charge.set_customer_id(customer_id);
  charge.set_amount_cents(amount_cents);
  charge.set_status(status);
  set_time(*charge.mutable_created_at(), now);
  auto added = w.execute(
      "INSERT INTO charges(id, order_id, customer_id, amount_cents, status, created_at) VALUES (?, ?, ?, ?, ?, ?)",
      charge.id(), order_id, customer_id, amount_cents, static_cast<int>(status), now);
  if (!added) return added.error();
  return charge;
}

}  // namespace

Task<Result<v1::PaymentCharge>> Payments::charge(Context& ctx, const v1::ChargeRequest& request) {
  if (request.order_id().empty()) co_return Status::invalid_argument("order_id: empty");
  if (request.amount_cents() < 0) co_return Status::invalid_argument("amount_cents: less than 0");
  co_return co_await db_.write(ctx, [&](store::Writer& w) -> Result<v1::PaymentCharge> {
    auto before = charge_of_order(w, request.order_id());
    if (!before) return before.error();
    if (*before) return **before;
    const bool declined = request.amount_cents() > kMostAtOnce;
    return add_charge(w, request.order_id(), request.customer_id(), request.amount_cents(),
                      declined ? v1::PaymentCharge::DECLINED : v1::PaymentCharge::CAPTURED);
  });
}

Task<Result<v1::PaymentCharge>> Payments::refund(Context& ctx, const v1::RefundRequest& request) {
  if (request.order_id().empty()) co_return Status::invalid_argument("order_id: empty");
  co_return co_await db_.write(ctx, [&](store::Writer& w) -> Result<v1::PaymentCharge> {
    auto charge = charge_of_order(w, request.order_id());
    if (!charge) return charge.error();
    if (!*charge) return add_charge(w, request.order_id(), "", 0, v1::PaymentCharge::REFUNDED);
    if ((*charge)->status() != v1::PaymentCharge::CAPTURED) return **charge;  // nothing is held
    (*charge)->set_status(v1::PaymentCharge::REFUNDED);
    auto done = w.execute("UPDATE charges SET status = ? WHERE order_id = ?", static_cast<int>((*charge)->status()),
                          request.order_id());
    if (!done) return done.error();
    return **charge;
  });
}

Task<Result<v1::PaymentCharge>> Payments::get_charge(Context& ctx, const v1::GetChargeRequest& request) {
  auto charge = co_await db_.read(
      ctx, [&](store::Reader& r) { return find_charge(r, SELECT_CHARGES "WHERE id = ?", request.id()); });
  if (!charge) co_return charge.error();
  if (!*charge) co_return Status::not_found("no charge " + request.id());
  co_return **charge;
}

Task<Result<v1::ListChargesResponse>> Payments::list_charges(Context& ctx, const v1::ListChargesRequest& request) {
  Result<int64_t> size = page_size(request.page_size());
  if (!size) co_return size.error();
  co_return co_await db_.read(ctx, [&](store::Reader& r) -> Result<v1::ListChargesResponse> {
    auto rows = r.query<std::string, std::string, std::string, int32_t, int, int64_t>(
        SELECT_CHARGES "WHERE (?1 = '' OR order_id = ?1) AND id > ?2 ORDER BY id LIMIT ?3", request.order_id(),
        request.page_token(), *size + 1);
    if (!rows) return rows.error();
    v1::ListChargesResponse page;
    for (const Columns& row : *rows) *page.add_charges() = charge_of(row);
    page.set_next_page_token(cut_page(*page.mutable_charges(), *size));
    return page;
  });
}

}  // namespace shop
