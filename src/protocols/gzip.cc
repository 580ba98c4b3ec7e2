#include "protocols/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <climits>
#include <new>
#include <string>

namespace duplex {
namespace {

constexpr int kGzip = 15 + 16;  // the largest window, with gzip's head and tail

Bytef* octets(const char* p) { return reinterpret_cast<Bytef*>(const_cast<char*>(p)); }

// What zlib needs is large and slow to make: each thread keeps one of either.
class Deflate {
 public:
  Deflate() {
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzip, 8, Z_DEFAULT_STRATEGY) != Z_OK)
      throw std::bad_alloc();
  }
  ~Deflate() { deflateEnd(&stream); }
  Deflate(const Deflate&) = delete;
  z_stream stream{};
};

class Inflate {
 public:
  Inflate() {
    if (inflateInit2(&stream, kGzip) != Z_OK) throw std::bad_alloc();
  }
  ~Inflate() { inflateEnd(&stream); }
  Inflate(const Inflate&) = delete;
  z_stream stream{};
};

}  // namespace

Bytes gzip(std::string_view plain) {
  thread_local Deflate kept;
  z_stream& z = kept.stream;
  deflateReset(&z);
  Buffer out;
  out.extend(deflateBound(&z, plain.size()));
  z.next_in = octets(plain.data());
  z.avail_in = static_cast<uInt>(plain.size());
  z.next_out = octets(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  deflate(&z, Z_FINISH);  // ends at once: there is room for the worst
  out.truncate(out.size() - z.avail_out);
  return out.take();
}

Result<Bytes> gunzip(std::string_view packed, size_t limit) {
  thread_local Inflate kept;
  z_stream& z = kept.stream;
  inflateReset(&z);
  z.next_in = octets(packed.data());
  z.avail_in = static_cast<uInt>(packed.size());
  Buffer out;
  for (;;) {
    const size_t before = out.size();
    const size_t room = std::min(std::max<size_t>(4 * packed.size(), 1024), limit + 1 - before);
    z.next_out = octets(out.extend(room));
    z.avail_out = static_cast<uInt>(room);
    const int result = inflate(&z, Z_NO_FLUSH);
    out.truncate(before + room - z.avail_out);
    if (out.size() > limit)
      return Status::resource_exhausted("a compressed message holds more than the limit of " + std::to_string(limit) +
                                        " octets");
    if (result == Z_STREAM_END && z.avail_in > 0) {  // one member may follow another (section 2.2)
      inflateReset(&z);
      continue;
    }
    if (result == Z_STREAM_END) return out.take();
    if (result != Z_OK || (z.avail_in == 0 && z.avail_out > 0))
      return Status::internal("a message that says it is gzip is not, or not whole");
  }
}

}  // namespace duplex
