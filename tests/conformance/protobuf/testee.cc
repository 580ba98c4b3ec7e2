// protobuf_conformance_testee DESCRIPTOR_SET: answers the requests of protobuf's conformance runner, of messages whose
// types are in the file. Requests and answers are a length (4 octets, the least first) and a message of
// conformance.proto.
//
// JSON is read and written by our codec. Binary to binary is libprotobuf's, whose classes a Duplex service has its
// messages in.
#include <google/protobuf/dynamic_message.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "contract/wire.h"
#include "duplex/contract/contract.h"
#include "duplex/contract/json.h"

namespace {

using duplex::Bytes;
using duplex::Result;
using duplex::contract::Contract;
using duplex::contract::Type;
namespace wire = duplex::contract::wire;

// Numbers of conformance.proto.
enum class Format { kProtobuf = 1, kJson = 2 };
constexpr uint64_t kIgnoreUnknownJson = 3;  // TestCategory
enum Answer : uint32_t {
  kParseError = 1,
  kRuntimeError = 2,
  kProtobufPayload = 3,
  kJsonPayload = 4,
  kSkipped = 5,
  kSerializeError = 6
};

struct Request {
  std::string_view protobuf, json, type;
  bool is_protobuf = false, is_json = false;
  uint64_t output = 0, category = 0;
};

Request read_request(std::string_view bytes) {
  Request request;
  wire::Reader reader(bytes);
  for (wire::Field field; reader.next(field);) {
    if (field.number == 1) request.protobuf = field.bytes;
    if (field.number == 2) request.json = field.bytes;
    if (field.number == 3) request.output = field.value;
    if (field.number == 4) request.type = field.bytes;
    if (field.number == 5) request.category = field.value;
    request.is_protobuf |= field.number == 1;
    request.is_json |= field.number == 2;
  }
  return request;
}

std::string answer(Answer kind, std::string_view text) {
  std::string out;
  wire::put_bytes(out, kind, text);
  return out;
}

class Testee {
 public:
  explicit Testee(std::shared_ptr<const Contract> contract) : contract_(std::move(contract)) {}

  std::string run(const Request& request) {
    if (request.type == "conformance.FailureSet") return answer(kProtobufPayload, "");  // the runner has the list
    if (!request.is_protobuf && !request.is_json) return answer(kSkipped, "neither binary nor JSON");
    const Type* type = contract_->find_type(request.type);
    if (!type) return answer(kRuntimeError, "there is no type " + std::string(request.type));
    Bytes bytes;
    std::string parsed;
    if (request.is_json) {
      duplex::contract::JsonReading reading;
      reading.skip_unknown = request.category == kIgnoreUnknownJson;
      Result<Bytes> read = json_to_proto(*type, request.json, reading);
      if (!read) return answer(kParseError, read.error().message());
      bytes = *read;
    } else {
      const std::unique_ptr<google::protobuf::Message> message(factory_.GetPrototype(&type->descriptor())->New());
      if (!message->ParseFromArray(request.protobuf.data(), static_cast<int>(request.protobuf.size())))
        return answer(kParseError, "these are no bytes of the message");
      parsed = message->SerializeAsString();
      bytes = Bytes::literal(request.protobuf);
    }
    switch (static_cast<Format>(request.output)) {
      case Format::kProtobuf:
        return answer(kProtobufPayload, request.is_json ? bytes.view() : parsed);
      case Format::kJson: {
        duplex::contract::JsonOptions options;
        options.proto_names = false;
        options.print_zeros = false;
        Result<Bytes> written = proto_to_json(*type, bytes.view(), options);
        if (!written) return answer(kSerializeError, written.error().message());
        return answer(kJsonPayload, written->view());
      }
      default:
        return answer(kSkipped, "neither binary nor JSON");
    }
  }

 private:
  std::shared_ptr<const Contract> contract_;
  google::protobuf::DynamicMessageFactory factory_;
};

bool read_all(void* to, size_t size) { return std::fread(to, 1, size, stdin) == size; }

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s DESCRIPTOR_SET\n", argv[0]);
    return 2;
  }
  const char* const path = argv[argc - 1];  // the runner gives a program its own name twice
  std::ifstream file(path, std::ios::binary);
  const std::string set(std::istreambuf_iterator<char>(file), {});
  auto contract = Contract::load(set);
  if (!contract) {
    std::fprintf(stderr, "%s: %s\n", path, contract.error().to_string().c_str());
    return 1;
  }
  Testee testee(*contract);
  unsigned char length[4];
  while (read_all(length, 4)) {
    std::string bytes(length[0] | length[1] << 8 | length[2] << 16 | static_cast<size_t>(length[3]) << 24, '\0');
    if (!read_all(bytes.data(), bytes.size())) return 1;
    const std::string said = testee.run(read_request(bytes));
    for (int i = 0; i < 4; ++i) length[i] = static_cast<unsigned char>(said.size() >> (8 * i));
    std::fwrite(length, 1, 4, stdout);
    std::fwrite(said.data(), 1, said.size(), stdout);
    std::fflush(stdout);
  }
  return 0;
}
