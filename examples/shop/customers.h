// shop.v1.Customers over a SQLite table.
#pragma once

#include "duplex/store/database.h"
#include "shop.duplex.h"

namespace shop {

class Customers final : public v1::CustomersBase {
 public:
  static constexpr const char* kTable =
      "CREATE TABLE customers(id TEXT PRIMARY KEY, name TEXT NOT NULL) STRICT, WITHOUT ROWID";

  explicit Customers(duplex::store::Database& db) : db_(db) {}

  duplex::Task<duplex::Result<v1::Customer>> create_customer(duplex::Context& ctx,
                                                             const v1::CreateCustomerRequest& request) override;
  duplex::Task<duplex::Result<v1::Customer>> get_customer(duplex::Context& ctx,
                                                          const v1::GetCustomerRequest& request) override;
  duplex::Task<duplex::Result<v1::ListCustomersResponse>> list_customers(
      duplex::Context& ctx, const v1::ListCustomersRequest& request) override;
  duplex::Task<duplex::Result<v1::Customer>> update_customer(duplex::Context& ctx,
                                                             const v1::UpdateCustomerRequest& request) override;
  duplex::Task<duplex::Result<google::protobuf::Empty>> delete_customer(
      duplex::Context& ctx, const v1::DeleteCustomerRequest& request) override;

 private:
  duplex::store::Database& db_;
};

// NOT_FOUND if there is none of that id.
duplex::Result<v1::Customer> load_customer(duplex::store::Reader& r, const std::string& id);

}  // namespace shop
