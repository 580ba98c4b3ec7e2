// Header blocks into our decoder and nghttp2's: both read the same fields, or both refuse. What was read is then
// encoded by us and must come back from nghttp2. The input is blocks one after another, each behind its length in two
// octets.
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <string>
#include <vector>

#include "fuzz.h"
#include "http/hpack_decoder.h"
#include "http/hpack_encoder.h"

namespace {

using duplex::Buffer;
using duplex::fuzz::demand;
using duplex::http::HpackDecoder;
using duplex::http::HpackEncoder;
using duplex::http::HpackField;

struct Field {
  std::string name, value;
  bool never;
  bool operator==(const Field&) const = default;
};
using Fields = std::vector<Field>;

uint8_t sum_of(std::string_view name, std::string_view value) {
  uint8_t sum = 0;
  for (char c : name) sum = static_cast<uint8_t>(sum * 31 + c);
  for (char c : value) sum = static_cast<uint8_t>(sum * 31 + c);
  return sum;
}

bool ours(HpackDecoder& decoder, std::string_view block, Fields& fields) {
  const std::vector<char> exact(block.begin(), block.end());  // a read past its end is seen
  decoder.begin({exact.data(), exact.size()});
  HpackField field;
  for (;;) switch (decoder.next(field)) {
      case HpackDecoder::Step::kField:
        demand(field.mark == sum_of(field.name, field.value), "the mark is the field's");
        fields.push_back({std::string(field.name), std::string(field.value), field.never_indexed});
        break;
      case HpackDecoder::Step::kEnd:
        return true;
      case HpackDecoder::Step::kError:
        return false;
    }
}

bool theirs(nghttp2_hd_inflater* inflater, std::string_view block, Fields& fields) {
  const auto* at = reinterpret_cast<const uint8_t*>(block.data());
  const uint8_t* const end = at + block.size();
  for (;;) {
    nghttp2_nv nv;
    int flags = 0;
    const ssize_t used = nghttp2_hd_inflate_hd2(inflater, &nv, &flags, at, static_cast<size_t>(end - at), 1);
    if (used < 0) return false;
    at += used;
    const bool field = flags & NGHTTP2_HD_INFLATE_EMIT;
    if (field)
      fields.push_back({std::string(reinterpret_cast<char*>(nv.name), nv.namelen),
                        std::string(reinterpret_cast<char*>(nv.value), nv.valuelen),
                        (nv.flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0});
    if ((flags & NGHTTP2_HD_INFLATE_FINAL) || (!field && at == end)) break;
  }
  nghttp2_hd_inflate_end_headers(inflater);
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  nghttp2_hd_inflater *inflater, *back;
  nghttp2_hd_inflate_new(&inflater);
  nghttp2_hd_inflate_new(&back);
  HpackDecoder decoder(sum_of);
  HpackEncoder encoder;
  bool good = true;
  // nghttp2 takes no text of more than 64 KiB, which no block here reaches.
  for (size_t at = 0; good && at + 2 <= size;) {
    const size_t length = std::min<size_t>(data[at] << 8 | data[at + 1], size - at - 2);
    const std::string_view block = duplex::fuzz::text_of(data + at + 2, length);
    at += 2 + length;
    Fields fields, expected;
    good = ours(decoder, block, fields);
    demand(good == theirs(inflater, block, expected), "both take the block, or both refuse it");
    if (!good) break;
    demand(fields == expected, "both read the same fields");
    demand(decoder.table_size() == nghttp2_hd_inflate_get_dynamic_table_size(inflater), "the tables are alike");
    demand(decoder.table_size() <= 4096, "the table is bounded");

    if (length % 5 == 0) {
      encoder.set_peer_table(length * 10);
      nghttp2_hd_inflate_change_table_size(back, length * 10);
    }
    Buffer out;
    encoder.begin(out);
    for (const Field& f : fields)
      encoder.field(out, f.name, f.value,
                    f.never ? HpackEncoder::Indexing::kNever : duplex::http::hpack_indexing(f.name, f.value));
    Fields again;
    demand(theirs(back, out.view(), again), "nghttp2 takes what we encode");
    for (size_t i = 0; i < again.size() && i < fields.size(); ++i) again[i].never = fields[i].never;
    demand(again == fields, "nghttp2 reads what we encode");
  }
  nghttp2_hd_inflate_del(inflater);
  nghttp2_hd_inflate_del(back);
  return 0;
}
