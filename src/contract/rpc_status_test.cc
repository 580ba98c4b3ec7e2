#include "duplex/contract/rpc_status.h"

#include <gtest/gtest.h>

namespace duplex::contract {

TEST(RpcStatus, GoesThereAndBack) {
  Status status(Code::kFailedPrecondition, "shelf is full",
                {Detail{"type.googleapis.com/x.Y", std::string("\0\xff", 2)}, Detail{"", ""}});
  auto back = decode_rpc_status(encode_rpc_status(status));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->code(), Code::kFailedPrecondition);
  EXPECT_EQ(back->message(), "shelf is full");
  ASSERT_EQ(back->details().size(), 2u);
  EXPECT_EQ(back->details()[0].type_url, "type.googleapis.com/x.Y");
  EXPECT_EQ(back->details()[0].value, std::string("\0\xff", 2));
  for (uint64_t code = 1; code <= 16; ++code) {
    auto one = decode_rpc_status(encode_rpc_status(Status(code_of(code), "m")));
    ASSERT_TRUE(one);
    EXPECT_EQ(one->code(), code_of(code));
  }
}

TEST(RpcStatus, HasTheWireFormOfGoogleRpcStatus) {
  EXPECT_EQ(encode_rpc_status(Status::not_found("no")), "\x08\x05\x12\x02no");
  EXPECT_EQ(encode_rpc_status(Status::ok()), "");
}

TEST(RpcStatus, OddBytes) {
  EXPECT_TRUE(decode_rpc_status("")->is_ok());
  EXPECT_EQ(decode_rpc_status("\x08\x63")->code(), Code::kUnknown);  // code 99
  EXPECT_FALSE(decode_rpc_status("\x12\x09no"));
  EXPECT_FALSE(decode_rpc_status("\x08"));
  EXPECT_FALSE(decode_rpc_status("\x08\x05\x1a\x02\x0a\x09"));
  EXPECT_EQ(decode_rpc_status("\x08\x05\x78\x01")->code(), Code::kNotFound);  // an unknown field
}

}  // namespace duplex::contract
