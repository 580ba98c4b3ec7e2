// Where a configuration says something: for errors that are found when it has long been read.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "duplex/config/value.h"

namespace duplex::config {

// {"peers", "payments", "timeout"}; names of methods and peers may have dots, so a path is no text.
using Path = std::vector<std::string>;

// What stands there; null: nothing does.
const Value* find(const Value& root, const Path& path);

// "duplex.yaml:3:5: " of what stands there, or of the nearest section around it that stands somewhere; empty if none
// does.
std::string place_before(const Value& root, const Path& path);

}  // namespace duplex::config
