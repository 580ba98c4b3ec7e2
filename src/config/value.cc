#include "duplex/config/value.h"

namespace duplex::config {

std::string Place::to_string() const {
  std::string text = source ? *source : "(default)";
  if (line) text += ":" + std::to_string(line) + ":" + std::to_string(column);
  return text;
}

std::string_view kind_name(Value::Kind kind) {
  switch (kind) {
    case Value::Kind::kNull:
      return "nothing";
    case Value::Kind::kText:
      return "a single value";
    case Value::Kind::kList:
      return "a list";
    case Value::Kind::kMap:
      return "a section";
  }
  return "";
}

void Problems::add(const Place& place, std::string_view path, std::string_view text) {
  std::string line = place.to_string() + ": ";
  if (!path.empty()) line.append(path).append(": ");
  lines_.push_back(line.append(text));
}

Status Problems::status() const {
  if (lines_.empty()) return {};
  std::string all;
  for (const std::string& line : lines_) all += (all.empty() ? "" : "\n") + line;
  return Status::invalid_argument(std::move(all));
}

}  // namespace duplex::config
