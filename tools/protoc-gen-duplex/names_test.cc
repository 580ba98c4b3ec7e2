#include "names.h"

#include <gtest/gtest.h>

namespace duplex::generator {

TEST(Names, MethodsAreInSnakeCase) {
  EXPECT_EQ(method_name("GetOrder"), "get_order");
  EXPECT_EQ(method_name("GetHTTPInfo"), "get_http_info");
  EXPECT_EQ(method_name("ListV2Orders"), "list_v2_orders");
  EXPECT_EQ(method_name("already_snake"), "already_snake");
  EXPECT_EQ(method_name("URL"), "url");
}

TEST(Names, WordsThatAreTakenGetAnUnderscore) {
  EXPECT_EQ(method_name("Delete"), "delete_");
  EXPECT_EQ(method_name("Call"), "call_");
  EXPECT_EQ(method_name("Description"), "description_");
}

TEST(Names, StemDropsTheExtension) { EXPECT_EQ(stem("shop/v1/orders.proto"), "shop/v1/orders"); }

}  // namespace duplex::generator
