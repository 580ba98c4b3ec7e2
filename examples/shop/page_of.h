// Lists in pages: how many rows a request asks for, and where the next page starts.
//
// Ids are made of time-ordered UUIDs, so the order of ids is the order of making, and the last id of a page is its
// token.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "duplex/base/status.h"

namespace shop {

// INVALID_ARGUMENT for less than 0. 0 is 50; more than 1000 is 1000.
inline duplex::Result<int64_t> page_size(int32_t asked) {
  if (asked < 0) return duplex::Status::invalid_argument("page_size: " + std::to_string(asked) + " is less than 0");
  return asked == 0 ? int64_t{50} : std::min<int64_t>(asked, 1000);
}

// `items` were read with one more than the page holds: cuts that one off and returns the token of the page it begins.
template <class Items>
std::string cut_page(Items& items, int64_t size) {
  if (items.size() <= size) return "";
  items.DeleteSubrange(static_cast<int>(size), static_cast<int>(items.size() - size));
  return items.Get(static_cast<int>(size) - 1).id();
}

}  // namespace shop
