#include "protocols/json_stream.h"

#include <algorithm>
#include <utility>

namespace duplex::rest {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r") == std::string_view::npos; }

}  // namespace

Status JsonStream::too_long() const {
  return Status::resource_exhausted("a message of the stream is larger than " + std::to_string(limit_) + " octets");
}

void JsonStream::feed(std::string_view octets) {
  pending_.consume(at_);
  searched_ -= at_;
  at_ = 0;
  pending_.append(octets);
}

std::optional<std::string_view> JsonStream::line() {
  if (skip_line_feed_ && at_ < pending_.size()) {
    skip_line_feed_ = false;
    if (pending_.view()[at_] == '\n') ++at_;
    searched_ = std::max(searched_, at_);
  }
  const std::string_view all = pending_.view();
  const size_t end = all.find_first_of(form_ == Form::kEvents ? "\r\n" : "\n", searched_);
  if (end == all.npos) {
    searched_ = all.size();
    return std::nullopt;
  }
  std::string_view found = all.substr(at_, end - at_);
  skip_line_feed_ = all[end] == '\r';
  at_ = searched_ = end + 1;
  if (std::exchange(at_start_, false) && found.starts_with(kByteOrderMark)) found.remove_prefix(kByteOrderMark.size());
  return found;
}

// Takes one line of an event; true: the event is whole.
bool JsonStream::field(std::string_view text) {
  if (text.empty()) {
    if (has_data_) return true;
    failure_ = false;
    return false;
  }
  const size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  std::string_view value = colon == text.npos ? std::string_view() : text.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name == "event") failure_ = value == "error";
  if (name == "data") {
    if (std::exchange(has_data_, true)) data_ += '\n';
    data_ += value;
  }
  return false;  // ids, waits and comments mean nothing to a call
}

Result<std::optional<JsonStream::Item>> JsonStream::next() {
  if (std::exchange(given_, false)) {
    data_.clear();
    has_data_ = failure_ = false;
  }
  while (auto text = line()) {
    if (text->size() > limit_ || data_.size() > limit_) return too_long();
    if (form_ == Form::kLines) {
      if (!is_blank(*text)) return std::optional<Item>(Item(*text, false));
      continue;
    }
    if (!field(*text)) continue;
    given_ = true;
    return std::optional<Item>(Item(data_, failure_));
  }
  if (pending_.size() - at_ > limit_ || data_.size() > limit_) return too_long();
  return std::optional<Item>();
}

Result<std::optional<JsonStream::Item>> JsonStream::finish() {
  const std::string_view left = pending_.view().substr(at_);
  if (form_ == Form::kEvents && (has_data_ || !left.empty()))
    return Status::internal("the stream ends within an event");
  at_ = searched_ = pending_.size();
  if (is_blank(left)) return std::optional<Item>();
  return std::optional<Item>(Item(left, false));
}

}  // namespace duplex::rest
