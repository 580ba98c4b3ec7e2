#include <algorithm>
#include <fstream>

#include "duplex/resilience/policy.h"
#include "duplex/resilience/service_config.h"

namespace duplex::resilience {
namespace {

constexpr std::streamoff kLargest = 1 << 20;

Result<std::string> text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  const std::streamoff size = file ? static_cast<std::streamoff>(file.tellg()) : -1;
  if (size < 0)
    return Status::not_found("the file " + path +
                             " cannot be read; write the path of a gRPC service config, or its JSON itself");
  if (size > kLargest) return Status::invalid_argument("the file " + path + " has more than 1 MiB");
  std::string text(static_cast<size_t>(size), '\0');
  file.seekg(0).read(text.data(), size);
  if (!file) return Status::invalid_argument("the file " + path + " cannot be read to its end");
  return text;
}

Result<ServiceConfigSetting> parse(std::string_view text) {
  ServiceConfigSetting setting;
  std::string json(text);
  setting.file = file_of_service_config(text);
  if (!setting.file.empty()) {
    Result<std::string> read = text_of(setting.file);
    if (!read) return read.error();
    json = std::move(*read);
  }
  Result<ServiceConfig> config = parse_service_config(json);
  if (!config)
    return Status::invalid_argument((setting.file.empty() ? "" : setting.file + ": ") + config.error().message());
  setting.read = std::make_shared<const ServiceConfig>(std::move(*config));
  return setting;
}

}  // namespace

config::Kind<ServiceConfigSetting> service_config() {
  return {"file or JSON", "", parse, [](const ServiceConfigSetting& s) {
            return !s.file.empty() ? s.file : s.read ? "(JSON)" : "none";
          }};
}

std::string file_of_service_config(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  return begin == text.npos || text[begin] == '{' ? std::string() : std::string(text);
}

bool ServiceConfig::makes_attempts() const {
  for (const auto& [path, said] : methods)
    if (said.retry || said.hedge) return true;
  return false;
}

void apply(const MethodConfig* said, Policy& policy) {
  if (!said) return;
  if (said->timeout) policy.timeout = std::max(*said->timeout, Duration(1));  // zero would be none
  if (said->wait_for_ready) policy.wait_for_ready = *said->wait_for_ready;
  if (!said->retry && !said->hedge) return;
  policy.retry = said->retry;
  policy.hedge = said->hedge;
}

}  // namespace duplex::resilience
