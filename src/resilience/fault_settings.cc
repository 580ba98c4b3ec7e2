#include "duplex/resilience/cause.h"
#include "duplex/resilience/fault.h"

namespace duplex::resilience {

using std::chrono::hours;
using std::chrono::milliseconds;

namespace {

config::Kind<Code> code() {
  std::vector<std::pair<std::string, Code>> names{{"none", Code::kOk}};
  for (unsigned n = 1; n <= 16; ++n) names.emplace_back(code_name(static_cast<Code>(n)), static_cast<Code>(n));
  return config::one_of<Code>(std::move(names));
}

}  // namespace

config::Table<FaultSettings> fault_table() {
  return config::Table<FaultSettings>()
      .field("share", &FaultSettings::share, config::share(), "Of the calls: 0.1 or 10%.")
      .field("delay", &FaultSettings::delay, config::duration(milliseconds(0), hours(1)), "A wait before the call.")
      .field("abort", &FaultSettings::abort, code(), "A failure instead of the call.")
      .field("header", &FaultSettings::header, config::text(),
             "Only calls that carry metadata of this name; if its value is a share (`0.5`), it stands for `share`.");
}

}  // namespace duplex::resilience
