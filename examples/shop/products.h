// shop.v1.Products over a SQLite table.
#pragma once

#include "duplex/store/database.h"
#include "shop.duplex.h"

namespace shop {

class Products final : public v1::ProductsBase {
 public:
  static constexpr const char* kTable =
      "CREATE TABLE products(id TEXT PRIMARY KEY, name TEXT NOT NULL, price_cents INTEGER NOT NULL) "
      "STRICT, WITHOUT ROWID";

  explicit Products(duplex::store::Database& db) : db_(db) {}

  duplex::Task<duplex::Result<v1::Product>> create_product(duplex::Context& ctx,
                                                           const v1::CreateProductRequest& request) override;
  duplex::Task<duplex::Result<v1::Product>> get_product(duplex::Context& ctx,
                                                        const v1::GetProductRequest& request) override;
  duplex::Task<duplex::Result<v1::ListProductsResponse>> list_products(duplex::Context& ctx,
                                                                       const v1::ListProductsRequest& request) override;
  duplex::Task<duplex::Result<v1::Product>> update_product(duplex::Context& ctx,
                                                           const v1::UpdateProductRequest& request) override;
  duplex::Task<duplex::Result<google::protobuf::Empty>> delete_product(
      duplex::Context& ctx, const v1::DeleteProductRequest& request) override;

 private:
  duplex::store::Database& db_;
};

// NOT_FOUND if there is none of that id.
duplex::Result<v1::Product> load_product(duplex::store::Reader& r, const std::string& id);

}  // namespace shop
