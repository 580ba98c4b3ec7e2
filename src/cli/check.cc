#include "cli/check.h"

#include "duplex/app/configured.h"

namespace duplex::cli {

Status check_file(const std::string& file, const std::vector<std::string>& environment) {
  Result<Configuration> conf = load_configuration(file, environment);
  if (!conf) return conf.error();
  return check(*conf);
}

}  // namespace duplex::cli
