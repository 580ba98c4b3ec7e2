// The streams of one HTTP/2 connection: found by id, and reused when they are over.
#pragma once

#include <memory>
#include <vector>

#include "http/http2_stream.h"

namespace duplex::http {

class Http2Streams {
 public:
  explicit Http2Streams(Http2Session& session) : session_(session), buckets_(64) {}

  // A cleared one, known by that id from now on.
  Http2Stream& make(uint32_t id);
  // Null: none of that id is open.
  Http2Stream* find(uint32_t id) const {
    for (Http2Stream* s = buckets_[bucket(id)]; s; s = s->next_in_bucket_)
      if (s->id_ == id) return s;
    return nullptr;
  }
  // It is not found any more.
  void forget(Http2Stream& stream);
  // Nobody uses it any more.
  void recycle(Http2Stream& stream);

  size_t open() const { return open_; }  // that find() finds
  size_t live() const { return live_; }  // that were not recycled
  // f(stream) for each that is open; f may forget it.
  template <class F>
  void for_each_open(F f) {
    for (auto& stream : all_)
      if (stream->open_) f(*stream);
  }

 private:
  // Ids of one side are two apart.
  size_t bucket(uint32_t id) const { return id >> 1 & (buckets_.size() - 1); }
  void rehash();

  Http2Session& session_;
  std::vector<Http2Stream*> buckets_;
  std::vector<std::unique_ptr<Http2Stream>> all_;
  std::vector<Http2Stream*> spare_;
  size_t open_ = 0, live_ = 0;
};

// Ids of streams that are over, as far as it matters what still comes for them: one that we reset may have frames on
// their way, which are passed over; a peer that has ended a stream itself, or never opened it, must send none.
class Http2Past {
 public:
  enum class What : uint8_t { kResetByUs, kSkipped, kClosed };
  What of(uint32_t id) const;
  void reset_by_us(uint32_t id);
  // The peer opened `id` when the one before was `last`: those between are closed unused (RFC 9113 section 5.1.1).
  void opened(uint32_t id, uint32_t last);

 private:
  static constexpr size_t kRemembered = 256, kGaps = 8;
  struct Gap {
    uint32_t from, to;
  };
  std::vector<uint32_t> reset_;  // a ring
  size_t next_reset_ = 0;
  uint32_t forgotten_ = 0;  // the largest id that the ring has dropped: up to it, in doubt, it was us
  std::vector<Gap> gaps_;
};

}  // namespace duplex::http
