#include "contract/key_set.h"

#include <gtest/gtest.h>

#include <deque>
#include <string>

namespace duplex::contract {

namespace {

// The keys of one map, whose texts lie one after the other.
class Keys {
 public:
  void add(const std::string& text) {
    set_.add_text(text, all_.size());
    all_ += text;
  }
  bool has_twins() { return set_.has_twins(0, all_.data()); }
  std::vector<bool> last() {
    std::vector<bool> marks;
    set_.mark_last(0, all_.data(), marks);
    return marks;
  }

 private:
  KeySet set_;
  std::string all_;
};

}  // namespace

TEST(KeySet, TwinsAreFoundInAnyOrder) {
  Keys keys;
  for (int i = 0; i < 1000; ++i) keys.add("key number " + std::to_string(i * 7919 % 1000));
  EXPECT_FALSE(keys.has_twins());
  keys.add("key number 500");
  EXPECT_TRUE(keys.has_twins());
}

TEST(KeySet, AKeyAndTheSameWithAZeroOctetAreTwo) {
  Keys keys;
  keys.add(std::string("a\0", 2));
  keys.add("a");
  keys.add("");
  keys.add(std::string("\0", 1));
  EXPECT_FALSE(keys.has_twins());
  keys.add("");
  EXPECT_TRUE(keys.has_twins());
}

TEST(KeySet, TheLastOfTwinsIsMarked) {
  Keys keys;
  for (const char* text : {"x", "a rather long key", "y", "x", "a rather long key", "x"}) keys.add(text);
  EXPECT_TRUE(keys.has_twins());
  EXPECT_EQ(keys.last(), (std::vector<bool>{false, false, true, false, true, true}));
}

TEST(KeySet, AMapWithinAMapIsLookedAtAlone) {
  KeySet set;
  set.add_number(1);
  const size_t inner = set.open();
  set.add_number(1);
  EXPECT_FALSE(set.has_twins(inner, nullptr));
  set.close(inner);
  set.add_number(2);
  EXPECT_FALSE(set.has_twins(0, nullptr));
  set.add_number(1);
  EXPECT_TRUE(set.has_twins(0, nullptr));
}

}  // namespace duplex::contract
