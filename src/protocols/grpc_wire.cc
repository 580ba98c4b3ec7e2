#include "protocols/grpc_wire.h"

#include <algorithm>
#include <charconv>

#include "duplex/contract/rpc_status.h"
#include "protocols/gzip.h"

namespace duplex::grpc {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int value_of(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+' || c == '-') return 62;
  if (c == '/' || c == '_') return 63;
  return -1;
}

bool is_protocol_name(std::string_view name) {
  switch (name.size()) {
    case 2:
      return name == "te";
    case 4:
      return name == "host";
    case 7:
      return name == "trailer" || name == "upgrade";
    case 10:
      return name == "connection" || name == "user-agent" || name == "keep-alive";
    case 12:
      return name == "content-type" || name == "grpc-timeout";
    case 14:
      return name == "content-length" || name == "accept-encoding";
    case 16:
      return name == "proxy-connection";
    case 17:
      return name == "transfer-encoding";
    default:
      return name.starts_with(':');
  }
}

uint32_t big_endian(const char* p) {
  auto u = reinterpret_cast<const unsigned char*>(p);
  return static_cast<uint32_t>(u[0]) << 24 | static_cast<uint32_t>(u[1]) << 16 | static_cast<uint32_t>(u[2]) << 8 |
         u[3];
}

}  // namespace

std::optional<Duration> parse_timeout(std::string_view text) {
  if (text.size() < 2 || text.size() > 9) return std::nullopt;
  int64_t number = 0;
  for (char c : text.substr(0, text.size() - 1)) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + (c - '0');
  }
  using namespace std::chrono;
  switch (text.back()) {
    case 'H':
      return number > 2'000'000 ? Duration::max() : Duration(hours(number));  // beyond: longer than the clock
    case 'M':
      return Duration(minutes(number));
    case 'S':
      return Duration(seconds(number));
    case 'm':
      return Duration(milliseconds(number));
    case 'u':
      return Duration(microseconds(number));
    case 'n':
      return Duration(nanoseconds(number));
    default:
      return std::nullopt;
  }
}

std::string format_timeout(Duration left) {
  int64_t ns = std::max<int64_t>(left.count(), 0);
  constexpr int64_t kMost = 99'999'999;
  struct Unit {
    int64_t ns;
    char letter;
  };
  constexpr Unit kUnits[] = {{1, 'n'}, {1'000, 'u'}, {1'000'000, 'm'}, {1'000'000'000, 'S'}, {60'000'000'000, 'M'}};
  for (Unit unit : kUnits)
    if (ns / unit.ns <= kMost) return std::to_string(ns / unit.ns) + unit.letter;
  return std::to_string(ns / 3'600'000'000'000) + 'H';
}

std::string encode_message(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    // A field's value that begins or ends with a space is malformed HTTP/2 (RFC 9113 section 8.2.1).
    const bool edge = c == ' ' && (i == 0 || i + 1 == text.size());
    if (c >= 0x20 && c <= 0x7e && c != '%' && !edge) {
      out += c;
    } else {
      constexpr char kHex[] = "0123456789ABCDEF";
      auto u = static_cast<unsigned char>(c);
      out += '%';
      out += kHex[u >> 4];
      out += kHex[u & 15];
    }
  }
  return out;
}

std::string decode_message(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned octet = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 3, octet, 16).ptr == text.data() + i + 3) {
      out += static_cast<char>(octet);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string encode_binary(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() * 4 + 2) / 3);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    size_t n = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) group = group << 8 | (k < n ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (size_t k = 0; k <= n; ++k) out += kAlphabet[group >> (18 - 6 * k) & 63];
  }
  return out;
}

std::optional<std::string> decode_binary(std::string_view text) {
  while (text.ends_with('=')) text.remove_suffix(1);
  if (text.size() % 4 == 1) return std::nullopt;
  std::string out;
  uint32_t group = 0;
  int bits = 0;
  for (char c : text) {
    int v = value_of(c);
    if (v < 0) return std::nullopt;
    group = group << 6 | static_cast<uint32_t>(v);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out += static_cast<char>(group >> bits & 255);
    }
  }
  return out;
}

void add_user_fields(Metadata& fields, const Metadata& user) {
  for (Metadata::Entry e : user) {
    if (is_protocol_name(e.name) || e.name.starts_with("grpc-")) continue;
    if (is_binary_name(e.name))
      fields.add(e.name, encode_binary(e.value));
    else if (is_field_value(e.value))
      fields.add(e.name, e.value);
  }
}

Result<Metadata> metadata_of(const Metadata& fields) {
  if (!fields.has_binary()) return fields;
  Metadata out;
  for (Metadata::Entry e : fields) {
    if (!is_binary_name(e.name)) {
      out.add(e.name, e.value);
      continue;
    }
    std::string_view rest = e.value;
    for (;;) {
      size_t comma = rest.find(',');
      std::string_view one = rest.substr(0, comma);
      while (one.starts_with(' ')) one.remove_prefix(1);
      while (one.ends_with(' ')) one.remove_suffix(1);
      auto bytes = decode_binary(one);
      if (!bytes) return Status::internal("the value of metadata '" + std::string(e.name) + "' is not base64");
      out.add(e.name, *bytes);
      if (comma == rest.npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
  return out;
}

Metadata status_fields(const Status& status, const Metadata& user) {
  static const Metadata kOk = Metadata::constant({{"grpc-status", "0"}});
  if (status.is_ok() && user.empty()) return kOk;
  Metadata fields;
  fields.add("grpc-status", std::to_string(static_cast<int>(status.code())));
  if (!status.message().empty()) fields.add("grpc-message", encode_message(status.message()));
  if (!status.details().empty())
    fields.add("grpc-status-details-bin", encode_binary(contract::encode_rpc_status(status)));
  add_user_fields(fields, user);
  if (auto wait = user.find("grpc-retry-pushback-ms"); wait && is_field_value(*wait))
    fields.add("grpc-retry-pushback-ms", *wait);  // gRFC A6: a server's own word about retries
  return fields;
}

std::optional<Status> status_of(const Metadata& fields) {
  auto number = fields.find("grpc-status");
  if (!number) return std::nullopt;
  unsigned code = 0;
  auto [end, ec] = std::from_chars(number->data(), number->data() + number->size(), code);
  Code known = ec == std::errc() && end == number->data() + number->size() ? code_of(code) : Code::kUnknown;
  if (known == Code::kOk) return Status();
  std::string message = decode_message(fields.find("grpc-message").value_or(""));
  std::vector<Detail> details;
  if (auto encoded = fields.find("grpc-status-details-bin"))
    if (auto bytes = decode_binary(*encoded))
      if (auto status = contract::decode_rpc_status(*bytes)) details = status->details();
  return Status(known, std::move(message), std::move(details));
}

void frame_prefix(char (&prefix)[5], size_t size) {
  prefix[0] = 0;
  for (int i = 0; i < 4; ++i) prefix[1 + i] = static_cast<char>(size >> (24 - 8 * i) & 255);
}

Status Deframer::read_prefix(const char* prefix) {
  uint32_t size = big_endian(prefix + 1);
  if (prefix[0] == 1 && !form_.gzip)
    return Status::internal("the " + std::string(who_) +
                            " message says that it is compressed, but no grpc-encoding that we know says how");
  if (prefix[0] != 0 && prefix[0] != 1)
    return Status::internal("the " + std::string(who_) + " message has a broken frame");
  if (size > limit_)
    return Status::resource_exhausted("the " + std::string(who_) + " message has " + std::to_string(size) +
                                      " octets; the limit is " + std::to_string(limit_));
  wanted_ = kPrefix + size;
  packed_ = prefix[0] == 1;
  return {};
}

Result<std::optional<Message>> Deframer::unpacked(Bytes message) const {
  if (!packed_) return std::optional<Message>(std::in_place, std::move(message));
  Result<Bytes> plain = gunzip(message.view(), limit_);
  if (!plain) return plain.error();
  return std::optional<Message>(std::in_place, std::move(*plain));
}

Result<std::optional<Message>> Deframer::poll() {
  if (form_.text && !x_.body().empty()) {
    const size_t size = x_.body().size();
    if (!unarmour_.decode(x_.body().view(), plain_))
      return Status::internal("the " + std::string(who_) + " is not base64");
    x_.body().clear();
    x_.consumed(size);
  }
  if (partial_.empty()) {
    if (chunk_.empty()) {
      if (body().empty()) return std::optional<Message>();
      chunk_ = body().take();
    }
    wanted_ = 0;
    if (chunk_.size() >= kPrefix) {
      if (Status s = read_prefix(chunk_.data()); !s.is_ok()) return s;
      if (chunk_.size() >= wanted_) {
        consumed(wanted_);
        if (chunk_.size() == wanted_) {
          chunk_.remove_prefix(kPrefix);
          return unpacked(std::move(chunk_));
        }
        Bytes message = chunk_.slice(kPrefix, wanted_ - kPrefix);
        chunk_.remove_prefix(wanted_);
        return unpacked(std::move(message));
      }
    }
    // A message in pieces: its credit returns as they come, or it would never be whole (law 5).
    partial_.append(chunk_.view());
    consumed(chunk_.size());
    chunk_ = Bytes();
  }
  while (!body().empty()) {
    size_t goal = wanted_ ? wanted_ : kPrefix;
    size_t n = std::min(body().size(), goal - partial_.size());
    partial_.append(body().view().substr(0, n));
    body().consume(n);
    consumed(n);
    if (partial_.size() < goal) break;
    if (!wanted_)
      if (Status s = read_prefix(partial_.data()); !s.is_ok()) return s;
    if (partial_.size() == wanted_) {
      Bytes all = partial_.take();
      return unpacked(all.slice(kPrefix, all.size() - kPrefix));
    }
  }
  return std::optional<Message>();
}

}  // namespace duplex::grpc
