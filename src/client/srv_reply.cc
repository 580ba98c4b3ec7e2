#include "client/srv_reply.h"

#include <ares.h>

#include <algorithm>
#include <memory>

namespace duplex::client {
namespace {

constexpr unsigned kSrv = 33;  // RFC 2782

// RFC 1035 section 4.1, one field after the other. What is past the end makes it bad, and reads as 0.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  bool bad() const { return bad_; }
  size_t at() const { return at_; }
  unsigned number(size_t octets) {
    unsigned n = 0;
    if (bytes_.size() - at_ < octets) {
      bad_ = true;
      return 0;
    }
    for (; octets > 0; --octets) n = n << 8 | static_cast<uint8_t>(bytes_[at_++]);
    return n;
  }
  std::string name() {
    char* text = nullptr;
    long size = 0;
    auto* begin = reinterpret_cast<const unsigned char*>(bytes_.data());
    if (bad_ || at_ >= bytes_.size() ||
        ares_expand_name(begin + at_, begin, static_cast<int>(bytes_.size()), &text, &size) != ARES_SUCCESS) {
      bad_ = true;
      return {};
    }
    std::unique_ptr<char, void (*)(void*)> owned(text, ares_free_string);
    at_ += static_cast<size_t>(size);
    return owned.get();
  }
  void jump(size_t to) {
    bad_ |= to > bytes_.size();
    at_ = std::min(to, bytes_.size());
  }

 private:
  const std::string_view bytes_;
  size_t at_ = 0;
  bool bad_ = false;
};

}  // namespace

Result<SrvReply> read_srv_reply(std::string_view bytes) {
  Reader in(bytes);
  SrvReply reply;
  in.jump(4);
  const unsigned questions = in.number(2), answers = in.number(2);
  in.jump(12);
  for (unsigned i = 0; i < questions && !in.bad(); ++i) {
    in.name();
    in.jump(in.at() + 4);
  }
  bool none = false;
  int64_t ttl = INT32_MAX;
  for (unsigned i = 0; i < answers && !in.bad(); ++i) {
    in.name();
    const unsigned type = in.number(2);
    in.number(2);
    ttl = std::min<int64_t>(ttl, static_cast<int32_t>(in.number(4)));
    const unsigned length = in.number(2);
    const size_t end = in.at() + length;
    if (type == kSrv) {
      Services::Service one;
      one.priority = static_cast<uint16_t>(in.number(2));
      one.weight = static_cast<uint16_t>(in.number(2));
      one.port = static_cast<uint16_t>(in.number(2));
      one.host = in.name();
      if (in.at() != end) in.jump(bytes.size() + 1);
      none |= one.host.empty();
      if (!one.host.empty()) reply.list.push_back(std::move(one));
    }
    in.jump(end);
  }
  if (in.bad()) return Status::unavailable("the DNS server's answer is malformed");
  if (reply.list.empty())
    return Status::unavailable(none ? "its SRV record says that there is no such service" : "it has no SRV record");
  reply.ttl = static_cast<int>(ttl);
  return reply;
}

}  // namespace duplex::client
