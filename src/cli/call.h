// duplex call: one call of any method, with JSON in and out.
#pragma once

#include <cstdio>
#include <optional>
#include <string>

#include "cli/reach.h"

namespace duplex::cli {

struct CallQuestion {
  Target target;
  std::string method;
  // One JSON value, or several for a stream of requests. None: {}, or for a stream what `in` gives, a value a line.
  std::optional<std::string> json;
};

// Writes each reply as a line of JSON as it comes, and at a failure its status. The exit code: 0, or 1.
int call(const CallQuestion& question, std::FILE* in, std::FILE* out, std::FILE* error);

// The JSON values of a text, which may stand one after the other. INVALID_ARGUMENT: a value that does not end.
Result<std::vector<std::string>> json_values(std::string_view text);

}  // namespace duplex::cli
