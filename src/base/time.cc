#include "duplex/base/time.h"

#include <cstdio>
#include <ctime>

namespace duplex {

std::string rfc3339(std::chrono::system_clock::time_point when) {
  using namespace std::chrono;
  auto micros = duration_cast<microseconds>(when.time_since_epoch()).count();
  std::time_t seconds = static_cast<std::time_t>(micros / 1'000'000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%06ldZ", parts.tm_year + 1900, parts.tm_mon + 1,
                parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, static_cast<long>(micros % 1'000'000));
  return text;
}

std::string show_duration(Duration span) {
  double ns = static_cast<double>(span.count());
  char text[40];
  if (ns < 1e3)
    std::snprintf(text, sizeof text, "%.0fns", ns);
  else if (ns < 1e6)
    std::snprintf(text, sizeof text, "%.3gus", ns / 1e3);
  else if (ns < 1e9)
    std::snprintf(text, sizeof text, "%.4gms", ns / 1e6);
  else if (ns < 60e9)
    std::snprintf(text, sizeof text, "%.4gs", ns / 1e9);
  else
    std::snprintf(text, sizeof text, "%.4gm", ns / 60e9);
  return text;
}

}  // namespace duplex
