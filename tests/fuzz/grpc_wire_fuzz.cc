// Octets into all that gRPC reads from the wire. The first one chooses what the others are.
#include <string>
#include <vector>

#include "fuzz.h"
#include "protocols/grpc_wire.h"

namespace {

using duplex::Duration;
using duplex::Metadata;
using duplex::Status;
using duplex::fuzz::demand;
namespace grpc = duplex::grpc;

class Body final : public duplex::http::Exchange {
 public:
  Body() : Exchange(duplex::http::Version::kHttp2) {}
  ~Body() override = default;
  const std::string& peer() const override { return peer_; }
  void consumed(size_t count) override { credit += count; }
  void send_head(int, const Metadata&, bool) override {}
  void send(std::string_view) override {}
  void send_end(const Metadata&) override {}
  void reset(duplex::http::Reset) override {}
  void send_interim(int, const Metadata&) override {}
  void arrive(std::string_view octets) { in_body_.append(octets); }
  void end() { in_ended_ = true; }
  size_t credit = 0;

 private:
  const std::string peer_ = "fuzz";
};

constexpr size_t kLimit = 300;

// All that a call would learn from `octets` if they came `step` at a time.
std::string messages(std::string_view octets, size_t step) {
  Body x;
  grpc::Deframer frames(x, kLimit, "request");
  std::string told;
  for (size_t at = 0;; at += step) {
    if (at < octets.size())
      x.arrive(octets.substr(at, step));
    else
      x.end();
    for (;;) {
      auto message = frames.poll();
      if (!message) return told + "error " + message.error().to_string();
      if (!*message) break;
      demand((*message)->bytes.size() <= kLimit, "a message is within its limit");
      told.append((*message)->bytes.view()).append("|");
    }
    if (x.ended()) break;
  }
  demand(x.credit == octets.size(), "every octet's credit returns once");
  return told + (frames.at_end() ? "end" : "a part");
}

void timeout(std::string_view text) {
  const auto left = grpc::parse_timeout(text);
  if (!left) return;
  demand(left->count() >= 0, "a timeout is not negative");
  const auto again = grpc::parse_timeout(grpc::format_timeout(*left));
  demand(again && (*again <= *left || *left == Duration::max()), "a timeout is passed on no longer than it came");
}

void binary(std::string_view text) {
  demand(grpc::decode_binary(grpc::encode_binary(text)) == text, "base64 goes both ways");
  if (auto bytes = grpc::decode_binary(text))
    demand(grpc::decode_binary(grpc::encode_binary(*bytes)) == bytes, "what was read is written so that it is read");
}

void status(std::string_view text) {
  Metadata fields;
  const char* const names[] = {"grpc-status", "grpc-message", "grpc-status-details-bin", "x-any", "x-any-bin"};
  size_t next = 0;
  for (std::string_view value : duplex::fuzz::split(text, '\n')) fields.add(names[next++ % std::size(names)], value);
  if (auto user = grpc::metadata_of(fields)) {
    Metadata again;
    grpc::add_user_fields(again, *user);
    demand(bool(grpc::metadata_of(again)), "what we write as metadata is metadata");
  }
  const auto told = grpc::status_of(fields);
  if (!told) return;
  const auto again = grpc::status_of(grpc::status_fields(*told, Metadata()));
  demand(again && again->code() == told->code(), "a status is passed on");
  demand(again->message() == told->message(), "a status keeps its words");
  demand(again->details().size() == told->details().size(), "a status keeps its details");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view text = duplex::fuzz::text_of(data + 1, size - 1);
  switch (data[0] % 5) {
    case 0:
      demand(messages(text, text.size()) == messages(text, 1 + data[0] / 5 % 11), "pieces mean the same");
      break;
    case 1:
      timeout(text);
      break;
    case 2:
      demand(grpc::decode_message(grpc::encode_message(text)) == text, "percent coding goes both ways");
      demand(grpc::decode_message(text).size() <= text.size(), "decoding makes nothing longer");
      break;
    case 3:
      binary(text);
      break;
    case 4:
      status(text);
      break;
  }
  return 0;
}
