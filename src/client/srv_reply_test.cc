// The reader of raw SRV answers, against answers that are cut and changed.
#include "client/srv_reply.h"

#include <gtest/gtest.h>

#include "client/dice.h"

namespace duplex::client {
namespace {

// Questions and records as RFC 1035 writes them; the record's owner is a pointer to the question's name.
std::string answer(uint32_t ttl, const std::vector<std::string>& data) {
  std::string out("\x12\x34\x81\x80\0\1\0", 7);
  out += static_cast<char>(data.size());
  out += std::string(4, '\0');
  out += std::string("\5_grpc\4_tcp\1x\0\0\x21\0\1", 18);
  for (const std::string& one : data) {
    out += std::string("\xc0\x0c\0\x21\0\1", 6);
    for (int shift : {24, 16, 8, 0}) out += static_cast<char>(ttl >> shift);
    out += '\0';
    out += static_cast<char>(one.size());
    out += one;
  }
  return out;
}

const std::string kA("\0\1\0\x3c\x1f\x90\1a\1x\0", 11), kB("\0\2\0\0\0\7\1b\xc0\x17", 10);

TEST(SrvReply, ReadsRecordsAndPointers) {
  Result<SrvReply> reply = read_srv_reply(answer(77, {kA, kB}));
  ASSERT_TRUE(reply) << reply.error().message();
  EXPECT_EQ(reply->ttl, 77);
  ASSERT_EQ(reply->list.size(), 2u);
  EXPECT_EQ(reply->list[0].host, "a.x");
  EXPECT_EQ(reply->list[0].priority, 1);
  EXPECT_EQ(reply->list[0].weight, 60);
  EXPECT_EQ(reply->list[0].port, 8080);
  EXPECT_EQ(reply->list[1].host, "b.x");
  EXPECT_EQ(reply->list[1].port, 7);
  EXPECT_LT(read_srv_reply(answer(0x80000001u, {kA}))->ttl, 0) << "counts as zero: RFC 2181 section 8";
}

TEST(SrvReply, EveryCutIsSeenAndNothingIsReadPastTheEnd) {
  const std::string whole = answer(77, {kA, kB});
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(read_srv_reply(std::string(whole, 0, size)).has_value()) << size;
}

TEST(SrvReply, ChangedOctetsNeverDoHarm) {
  Dice dice(3);
  const std::string whole = answer(77, {kA, kB});
  for (int i = 0; i < 20'000; ++i) {
    std::string changed = whole;
    for (int n = 0; n < 3; ++n) changed[dice.below(changed.size())] = static_cast<char>(dice.next());
    Result<SrvReply> reply = read_srv_reply(changed);
    if (reply) {
      EXPECT_FALSE(reply->list.empty());
      for (const auto& one : reply->list) EXPECT_FALSE(one.host.empty());
    }
  }
}

}  // namespace
}  // namespace duplex::client
