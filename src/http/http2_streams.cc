#include "http/http2_streams.h"

#include <algorithm>

namespace duplex::http {

Http2Stream& Http2Streams::make(uint32_t id) {
  if (spare_.empty()) {
    all_.push_back(std::make_unique<Http2Stream>(session_));
    spare_.push_back(all_.back().get());
    if (all_.size() > buckets_.size()) rehash();
  }
  Http2Stream& stream = *spare_.back();
  spare_.pop_back();
  stream.clear();
  stream.id_ = id;
  stream.open_ = true;
  Http2Stream*& first = buckets_[bucket(id)];
  stream.next_in_bucket_ = first;
  first = &stream;
  ++open_;
  ++live_;
  return stream;
}

void Http2Streams::rehash() {
  buckets_.assign(2 * buckets_.size(), nullptr);
  for_each_open([this](Http2Stream& stream) {
    Http2Stream*& first = buckets_[bucket(stream.id_)];
    stream.next_in_bucket_ = first;
    first = &stream;
  });
}

void Http2Streams::forget(Http2Stream& stream) {
  Http2Stream** at = &buckets_[bucket(stream.id_)];
  while (*at != &stream) at = &(*at)->next_in_bucket_;
  *at = stream.next_in_bucket_;
  stream.open_ = false;
  --open_;
}

void Http2Streams::recycle(Http2Stream& stream) {
  --live_;
  stream.shrink();
  spare_.push_back(&stream);
}

Http2Past::What Http2Past::of(uint32_t id) const {
  if (id <= forgotten_ || std::find(reset_.begin(), reset_.end(), id) != reset_.end()) return What::kResetByUs;
  for (const Gap& gap : gaps_)
    if (gap.from <= id && id <= gap.to) return What::kSkipped;
  return What::kClosed;
}

void Http2Past::reset_by_us(uint32_t id) {
  if (reset_.size() < kRemembered) return reset_.push_back(id);
  forgotten_ = std::max(forgotten_, reset_[next_reset_]);
  reset_[next_reset_] = id;
  next_reset_ = (next_reset_ + 1) % kRemembered;
}

void Http2Past::opened(uint32_t id, uint32_t last) {
  const uint32_t expected = last ? last + 2 : 1;
  if (id == expected) return;
  if (gaps_.size() == kGaps) gaps_.erase(gaps_.begin());
  gaps_.push_back({expected, id - 2});
}

}  // namespace duplex::http
