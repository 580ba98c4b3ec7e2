#include "customers.h"

#include "duplex/base/ids.h"
#include "names_of.h"
#include "page_of.h"

namespace shop {

namespace store = duplex::store;
using duplex::Context;
using duplex::Result;
using duplex::Status;
using duplex::Task;
using google::protobuf::Empty;

Result<v1::Customer> load_customer(store::Reader& r, const std::string& id) {
  auto name = r.query_one<std::string>("SELECT name FROM customers WHERE id = ?", id);
  if (!name) return name.error();
  if (!*name) return Status::not_found("no customer " + id);
  v1::Customer customer;
  customer.set_id(id);
  customer.set_name(**name);
  return customer;
}

Task<Result<v1::Customer>> Customers::create_customer(Context& ctx, const v1::CreateCustomerRequest& request) {
  if (Status s = check_name(request.name()); !s.is_ok()) co_return s;
  v1::Customer customer;
  customer.set_id("cus_" + duplex::uuid_v7());
  customer.set_name(request.name());
  Result<int64_t> added = co_await db_.write(ctx, [&](store::Writer& w) {
    return w.execute("INSERT INTO customers(id, name) VALUES (?, ?)", customer.id(), customer.name());
  });
  if (!added) co_return added.error();
  co_return customer;
}

Task<Result<v1::Customer>> Customers::get_customer(Context& ctx, const v1::GetCustomerRequest& request) {
  co_return co_await db_.read(ctx, [&](store::Reader& r) { return load_customer(r, request.id()); });
}

Task<Result<v1::ListCustomersResponse>> Customers::list_customers(Context& ctx,
                                                                  const v1::ListCustomersRequest& request) {
  Result<int64_t> size = page_size(request.page_size());
  if (!size) co_return size.error();
  co_return co_await db_.read(ctx, [&](store::Reader& r) -> Result<v1::ListCustomersResponse> {
    v1::ListCustomersResponse page;
    auto add = [&](std::string_view id, std::string_view name) {
      v1::Customer& customer = *page.add_customers();
      customer.set_id(std::string(id));
      customer.set_name(std::string(name));
    };
    Status read = r.each<std::string_view, std::string_view>(
        "SELECT id, name FROM customers WHERE id > ? ORDER BY id LIMIT ?", add, request.page_token(), *size + 1);
    if (!read.is_ok()) return read;
    page.set_next_page_token(cut_page(*page.mutable_customers(), *size));
    return page;
  });
}

Task<Result<v1::Customer>> Customers::update_customer(Context& ctx, const v1::UpdateCustomerRequest& request) {
  if (request.has_name())
    if (Status s = check_name(request.name()); !s.is_ok()) co_return s;
  co_return co_await db_.write(ctx, [&](store::Writer& w) -> Result<v1::Customer> {
    Result<v1::Customer> customer = load_customer(w, request.id());
    if (!customer) return customer;
    if (request.has_name()) customer->set_name(request.name());
    auto done = w.execute("UPDATE customers SET name = ? WHERE id = ?", customer->name(), customer->id());
    if (!done) return done.error();
    return customer;
  });
}

Task<Result<Empty>> Customers::delete_customer(Context& ctx, const v1::DeleteCustomerRequest& request) {
  Result<int64_t> gone = co_await db_.write(
      ctx, [&](store::Writer& w) { return w.execute("DELETE FROM customers WHERE id = ?", request.id()); });
  if (!gone) co_return gone.error();
  if (*gone == 0) co_return Status::not_found("no customer " + request.id());
  co_return Empty();
}

}  // namespace shop
