// Orders in SQLite: placing, changing status, reading. Functions for within db.read() and db.write().
#pragma once

#include <initializer_list>
#include <string>

#include "duplex/store/connection.h"
#include "shop.pb.h"

namespace shop {

inline constexpr const char* kOrderTables = R"(
  CREATE TABLE orders(
    id TEXT PRIMARY KEY,
    request_id TEXT NOT NULL UNIQUE,  -- one order a request
    request TEXT NOT NULL,            -- what was asked for: another request must not use its request_id
    customer_id TEXT NOT NULL,        -- may be deleted later: the order keeps its own copies
    customer_name TEXT NOT NULL,
    total_cents INTEGER NOT NULL,
    status INTEGER NOT NULL,
    charge_id TEXT NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL       -- milliseconds since 1970
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX orders_by_customer ON orders(customer_id, id);
  CREATE TABLE order_items(
    order_id TEXT NOT NULL REFERENCES orders,
    position INTEGER NOT NULL,
    product_id TEXT NOT NULL,
    name TEXT NOT NULL,
    price_cents INTEGER NOT NULL,
    quantity INTEGER NOT NULL,
    PRIMARY KEY(order_id, position)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE order_changes(
    order_id TEXT NOT NULL REFERENCES orders,
    revision INTEGER NOT NULL,
    status INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY(order_id, revision)
  ) STRICT, WITHOUT ROWID;
)";

bool is_final(v1::Order::Status status);

// The order of that request_id, which is made if it is new. NOT_FOUND: customer or product. ALREADY_EXISTS: the
// request_id belongs to another order. INVALID_ARGUMENT: the total is too large.
duplex::Result<v1::Order> place_order(duplex::store::Writer& w, const v1::CreateOrderRequest& request);

// NOT_FOUND if there is none of that id.
duplex::Result<v1::Order> load_order(duplex::store::Reader& r, const std::string& id);
duplex::Result<v1::ListOrdersResponse> load_orders(duplex::store::Reader& r, const v1::ListOrdersRequest& request,
                                                   int64_t size);

// From one of the statuses `from` to `to`, with its line in order_changes. True if it was in one of them.
duplex::Result<bool> change_status(duplex::store::Writer& w, const std::string& id,
                                   std::initializer_list<v1::Order::Status> from, v1::Order::Status to);

// The changes after that revision, oldest first; the latest one alone for revision 0. NOT_FOUND: no such order.
duplex::Result<std::vector<v1::OrderChange>> load_changes(duplex::store::Reader& r, const std::string& id,
                                                          int32_t after_revision);

}  // namespace shop
