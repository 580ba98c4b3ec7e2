// Kind<T>: how one value of a setting is written, checked and shown.
//
//   Kind<Duration> k = duration(1ms, 1h);
//   k.parse("250ms")   // 250 ms; "250" says: "250" is not a duration; write a number and a unit ...
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "duplex/base/status.h"
#include "duplex/base/time.h"

namespace duplex::config {

template <class T>
struct Kind {
  std::string type;  // "duration"
  std::string unit;  // of the number, where it has one: "connections"; empty where the value itself carries it
  // An error is INVALID_ARGUMENT whose message shows the text, the mistake and the mend.
  std::function<Result<T>(std::string_view)> parse;
  // As it would be written in the file.
  std::function<std::string(const T&)> show;
};

// Any text; or one that is not empty.
Kind<std::string> text();
Kind<std::string> nonempty_text();
// true or false, and nothing else.
Kind<bool> boolean();

// Numbers with units, which may follow one another: "250ms", "1.5s", "1m30s". Units: ns us ms s m h. "0" needs none.
Kind<Duration> duration(Duration least = Duration::zero(), Duration most = Duration::max());

// "4MiB", "64KiB", "10MB", "512B". Units: B kB MB GB (thousands), KiB MiB GiB (1024). "0" needs none.
Kind<uint64_t> size(uint64_t least = 0, uint64_t most = std::numeric_limits<uint64_t>::max());

// A whole number in decimal digits. `unit` is what it counts, for the reference.
Kind<int64_t> integer(int64_t least, int64_t most, std::string unit = "");

// A number, such as 0.5 or 2.
Kind<double> number(double least, double most, std::string unit = "");

// A part of a whole, from 0 to 1: "0.5" or "50%".
Kind<double> share();

// So many a second: "10/s", "600/m", "0.5/s".
Kind<double> rate(double least, double most);

// "host:port", "1.2.3.4:port", "[::1]:port" (port 0..65535, 0: any free one), or "unix:/path".
Kind<std::string> address();

// What is nearest to `word` among `known`, for "did you mean"; empty if nothing is near.
std::string_view nearest(std::string_view word, const std::vector<std::string>& known);
// `did you mean "listen"?`, or `known here: grace, listen`.
std::string suggestion(std::string_view word, const std::vector<std::string>& known);

// One of a few names.
template <class E>
Kind<E> one_of(std::vector<std::pair<std::string, E>> names) {
  std::vector<std::string> known;
  std::string type;
  for (auto& [name, value] : names) {
    known.push_back(name);
    type += (type.empty() ? "" : ", ") + name;
  }
  Kind<E> kind;
  kind.type = "one of " + type;
  kind.parse = [names, known](std::string_view word) -> Result<E> {
    for (auto& [name, value] : names)
      if (name == word) return value;
    return Status::invalid_argument("\"" + std::string(word) + "\" is not allowed; " + suggestion(word, known));
  };
  kind.show = [names](const E& value) -> std::string {
    for (auto& [name, v] : names)
      if (v == value) return name;
    return "";
  };
  return kind;
}

}  // namespace duplex::config
