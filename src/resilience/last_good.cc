#include "duplex/resilience/fallback.h"

namespace duplex::resilience {
namespace {

uint64_t octets_of(const std::string& key, const LastGood::Answer& answer) {
  return key.size() + answer.head.octets() + answer.message.bytes.size() + 256;
}

}  // namespace

std::string LastGood::key(const Call& call, const Message& request) {
  std::string key(call.method->name);
  for (std::string_view name : {"authorization", "cookie"}) {
    const std::string_view value = call.metadata.find(name).value_or("");
    key.append("\n").append(std::to_string(value.size())).append(":").append(value);
  }
  key.append("\n").append(request.bytes.view());
  return key;
}

void LastGood::set(const LastGoodSettings& settings) {
  std::lock_guard lock(mutex_);
  settings_ = settings;
  while (entries_.size() > static_cast<size_t>(settings_.entries) || octets_ > settings_.max_size) drop_last();
}

void LastGood::drop_last() {
  Entry& last = entries_.back();
  octets_ -= octets_of(last.key, last.answer);
  by_key_.erase(last.key);
  entries_.pop_back();
}

void LastGood::put(std::string key, Answer answer) {
  std::lock_guard lock(mutex_);
  if (auto known = by_key_.find(key); known != by_key_.end()) {
    Entry& entry = *known->second;
    octets_ -= octets_of(entry.key, entry.answer);
    entry.answer = std::move(answer);
    octets_ += octets_of(entry.key, entry.answer);
    entries_.splice(entries_.begin(), entries_, known->second);
  } else {
    entries_.push_front(Entry{std::move(key), std::move(answer)});
    by_key_.emplace(entries_.front().key, entries_.begin());
    octets_ += octets_of(entries_.front().key, entries_.front().answer);
  }
  while (entries_.size() > static_cast<size_t>(settings_.entries) ||
         (octets_ > settings_.max_size && !entries_.empty()))
    drop_last();
}

std::optional<LastGood::Answer> LastGood::find(const std::string& key, Time now) {
  std::lock_guard lock(mutex_);
  auto known = by_key_.find(key);
  if (known == by_key_.end() || now - known->second->answer.when > settings_.max_age) return std::nullopt;
  entries_.splice(entries_.begin(), entries_, known->second);
  return known->second->answer;
}

size_t LastGood::size() const {
  std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace duplex::resilience
