#include "products.h"

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

namespace {

Status check_price(int32_t cents) {
  if (cents >= 0) return {};
  return Status::invalid_argument("price_cents: " + std::to_string(cents) + " is less than 0");
}

}  // namespace

Result<v1::Product> load_product(store::Reader& r, const std::string& id) {
  auto row = r.query_one<std::string, int32_t>("SELECT name, price_cents FROM products WHERE id = ?", id);
  if (!row) return row.error();
  if (!*row) return Status::not_found("no product " + id);
  v1::Product product;
  product.set_id(id);
  product.set_name(std::get<0>(**row));
  product.set_price_cents(std::get<1>(**row));
  return product;
}

Task<Result<v1::Product>> Products::create_product(Context& ctx, const v1::CreateProductRequest& request) {
  if (Status s = check_name(request.name()); !s.is_ok()) co_return s;
  if (Status s = check_price(request.price_cents()); !s.is_ok()) co_return s;
  v1::Product product;
  product.set_id("prd_" + duplex::uuid_v7());
  product.set_name(request.name());
  product.set_price_cents(request.price_cents());
  Result<int64_t> added = co_await db_.write(ctx, [&](store::Writer& w) {
    return w.execute("INSERT INTO products(id, name, price_cents) VALUES (?, ?, ?)", product.id(), product.name(),
                     product.price_cents());
  });
  if (!added) co_return added.error();
  co_return product;
}

Task<Result<v1::Product>> Products::get_product(Context& ctx, const v1::GetProductRequest& request) {
  co_return co_await db_.read(ctx, [&](store::Reader& r) { return load_product(r, request.id()); });
}

Task<Result<v1::ListProductsResponse>> Products::list_products(Context& ctx, const v1::ListProductsRequest& request) {
  Result<int64_t> size = page_size(request.page_size());
  if (!size) co_return size.error();
  co_return co_await db_.read(ctx, [&](store::Reader& r) -> Result<v1::ListProductsResponse> {
    v1::ListProductsResponse page;
    auto add = [&](std::string_view id, std::string_view name, int32_t price_cents) {
      v1::Product& product = *page.add_products();
      product.set_id(std::string(id));
      product.set_name(std::string(name));
      product.set_price_cents(price_cents);
    };
    Status read = r.each<std::string_view, std::string_view, int32_t>(
        "SELECT id, name, price_cents FROM products WHERE id > ? ORDER BY id LIMIT ?", add, request.page_token(),
        *size + 1);
    if (!read.is_ok()) return read;
    page.set_next_page_token(cut_page(*page.mutable_products(), *size));
    return page;
  });
}

Task<Result<v1::Product>> Products::update_product(Context& ctx, const v1::UpdateProductRequest& request) {
  if (request.has_name())
    if (Status s = check_name(request.name()); !s.is_ok()) co_return s;
  if (request.has_price_cents())
    if (Status s = check_price(request.price_cents()); !s.is_ok()) co_return s;
  co_return co_await db_.write(ctx, [&](store::Writer& w) -> Result<v1::Product> {
    Result<v1::Product> product = load_product(w, request.id());
    if (!product) return product;
    if (request.has_name()) product->set_name(request.name());
    if (request.has_price_cents()) product->set_price_cents(request.price_cents());
    auto done = w.execute("UPDATE products SET name = ?, price_cents = ? WHERE id = ?", product->name(),
                          product->price_cents(), product->id());
    if (!done) return done.error();
    return product;
  });
}

Task<Result<Empty>> Products::delete_product(Context& ctx, const v1::DeleteProductRequest& request) {
  Result<int64_t> gone = co_await db_.write(
      ctx, [&](store::Writer& w) { return w.execute("DELETE FROM products WHERE id = ?", request.id()); });
  if (!gone) co_return gone.error();
  if (*gone == 0) co_return Status::not_found("no product " + request.id());
  co_return Empty();
}

}  // namespace shop
