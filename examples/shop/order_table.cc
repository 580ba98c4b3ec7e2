#include "order_table.h"

#include <algorithm>
#include <limits>

#include "clock.h"
#include "customers.h"
#include "duplex/base/ids.h"
#include "page_of.h"
#include "products.h"

namespace shop {

namespace store = duplex::store;
using duplex::Result;
using duplex::Status;

namespace {

std::string fingerprint(const v1::CreateOrderRequest& request) {
  std::string text = request.customer_id();
  for (const auto& item : request.items()) text += "\n" + item.product_id() + " " + std::to_string(item.quantity());
  return text;
}

Status fill_items(store::Reader& r, v1::Order& order) {
  return r.each<std::string_view, std::string_view, int32_t, int32_t>(
      "SELECT product_id, name, price_cents, quantity FROM order_items WHERE order_id = ? ORDER BY position",
      [&](std::string_view product_id, std::string_view name, int32_t price_cents, int32_t quantity) {
        v1::Order::Item& item = *order.add_items();
        item.set_product_id(std::string(product_id));
        item.set_name(std::string(name));
        item.set_price_cents(price_cents);
        item.set_quantity(quantity);
      },
      order.id());
}

Result<v1::Order> new_order(store::Reader& r, const v1::CreateOrderRequest& request) {
  Result<v1::Customer> customer = load_customer(r, request.customer_id());
  if (!customer) return customer.error();
  v1::Order order;
  order.set_id("ord_" + duplex::uuid_v7());
  order.set_request_id(request.request_id());
  order.set_customer_id(customer->id());
  order.set_customer_name(customer->name());
  int64_t total = 0;
  for (const auto& wanted : request.items()) {
    Result<v1::Product> product = load_product(r, wanted.product_id());
    if (!product) return product.error();
    v1::Order::Item& item = *order.add_items();
    item.set_product_id(product->id());
    item.set_name(product->name());
    item.set_price_cents(product->price_cents());
    item.set_quantity(wanted.quantity());
    total += int64_t{product->price_cents()} * wanted.quantity();
    if (total > std::numeric_limits<int32_t>::max())
      return Status::invalid_argument("items: together they cost more than 2,147,483,647 cents, the most of one order");
  }
  order.set_total_cents(static_cast<int32_t>(total));
  order.set_status(v1::Order::PENDING);
  set_time(*order.mutable_created_at(), now_ms());
  return order;
}

Status add_change(store::Writer& w, const std::string& id, v1::Order::Status status) {
  return w
      .execute(
          "INSERT INTO order_changes(order_id, revision, status, at) "
          "SELECT ?1, COALESCE(MAX(revision), 0) + 1, ?2, ?3 FROM order_changes WHERE order_id = ?1",
          id, static_cast<int>(status), now_ms())
      .error();
}

Status add_order(store::Writer& w, const v1::Order& order, const std::string& asked) {
  auto added = w.execute(
      "INSERT INTO orders(id, request_id, request, customer_id, customer_name, total_cents, status, created_at) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      order.id(), order.request_id(), asked, order.customer_id(), order.customer_name(), order.total_cents(),
      static_cast<int>(order.status()), order.created_at().seconds() * 1000 + order.created_at().nanos() / 1'000'000);
  if (!added) return added.error();
  for (int i = 0; i < order.items_size(); ++i) {
    const v1::Order::Item& item = order.items(i);
    auto line = w.execute(
        "INSERT INTO order_items(order_id, position, product_id, name, price_cents, quantity) VALUES (?, ?, ?, ?, ?, "
        "?)",
        order.id(), i, item.product_id(), item.name(), item.price_cents(), item.quantity());
    if (!line) return line.error();
  }
  return add_change(w, order.id(), order.status());
}

}  // namespace

bool is_final(v1::Order::Status status) {
  return status == v1::Order::SHIPPED || status == v1::Order::FAILED || status == v1::Order::CANCELLED;
}

Result<v1::Order> place_order(store::Writer& w, const v1::CreateOrderRequest& request) {
  const std::string asked = fingerprint(request);
  auto known = w.query_one<std::string, std::string>("SELECT id, request FROM orders WHERE request_id = ?",
                                                     request.request_id());
  if (!known) return known.error();
  if (*known) {
    const auto& [id, before] = **known;
    if (before != asked)
      return Status::already_exists("request_id: " + request.request_id() + " was used for another order, " + id);
    return load_order(w, id);
  }
  Result<v1::Order> order = new_order(w, request);
  if (!order) return order;
  if (Status s = add_order(w, *order, asked); !s.is_ok()) return s;
  return order;
}

Result<v1::Order> load_order(store::Reader& r, const std::string& id) {
  auto row = r.query_one<std::string, std::string, std::string, int32_t, int, std::string, int64_t>(
      "SELECT request_id, customer_id, customer_name, total_cents, status, charge_id, created_at FROM orders "
      "WHERE id = ?",
      id);
  if (!row) return row.error();
  if (!*row) return Status::not_found("no order " + id);
  const auto& [request_id, customer_id, customer_name, total_cents, status, charge_id, created_at] = **row;
  v1::Order order;
  order.set_id(id);
  order.set_request_id(request_id);
  order.set_customer_id(customer_id);
  order.set_customer_name(customer_name);
  order.set_total_cents(total_cents);
  order.set_status(static_cast<v1::Order::Status>(status));
  order.set_charge_id(charge_id);
  set_time(*order.mutable_created_at(), created_at);
  if (Status s = fill_items(r, order); !s.is_ok()) return s;
  return order;
}

Result<v1::ListOrdersResponse> load_orders(store::Reader& r, const v1::ListOrdersRequest& request, int64_t size) {
  auto ids = request.customer_id().empty()
                 ? r.query<std::string>("SELECT id FROM orders WHERE id > ? ORDER BY id LIMIT ?", request.page_token(),
                                        size + 1)
                 : r.query<std::string>("SELECT id FROM orders WHERE customer_id = ? AND id > ? ORDER BY id LIMIT ?",
                                        request.customer_id(), request.page_token(), size + 1);
  if (!ids) return ids.error();
  v1::ListOrdersResponse page;
  for (const std::string& id : *ids) {
    Result<v1::Order> order = load_order(r, id);
    if (!order) return order.error();
    *page.add_orders() = std::move(*order);
  }
  page.set_next_page_token(cut_page(*page.mutable_orders(), size));
  return page;
}

Result<bool> change_status(store::Writer& w, const std::string& id, std::initializer_list<v1::Order::Status> from,
                           v1::Order::Status to) {
  auto now = w.query_one<int>("SELECT status FROM orders WHERE id = ?", id);
  if (!now) return now.error();
  if (!*now) return Status::not_found("no order " + id);
  if (std::find(from.begin(), from.end(), **now) == from.end()) return false;
  auto done = w.execute("UPDATE orders SET status = ? WHERE id = ?", static_cast<int>(to), id);
  if (!done) return done.error();
  if (Status s = add_change(w, id, to); !s.is_ok()) return s;
  return true;
}

Result<std::vector<v1::OrderChange>> load_changes(store::Reader& r, const std::string& id, int32_t after_revision) {
  std::vector<v1::OrderChange> changes;
  Status read = r.each<int32_t, int, int64_t>(
      "SELECT revision, status, at FROM order_changes WHERE order_id = ?1 AND revision > ?2 AND "
      "(?2 > 0 OR revision = (SELECT MAX(revision) FROM order_changes WHERE order_id = ?1)) ORDER BY revision",
      [&](int32_t revision, int status, int64_t at) {
        v1::OrderChange& change = changes.emplace_back();
        change.set_order_id(id);
        change.set_revision(revision);
        change.set_status(static_cast<v1::Order::Status>(status));
        set_time(*change.mutable_at(), at);
      },
      id, after_revision);
  if (!read.is_ok()) return read;
  if (changes.empty() && after_revision == 0) return Status::not_found("no order " + id);
  return changes;
}

}  // namespace shop
