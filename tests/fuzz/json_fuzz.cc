// JSON to wire bytes to JSON, and bytes to JSON to bytes, of a message with a field of every kind: there and back means
// the same, and libprotobuf's parser and its json_util agree. An input begins with 'j' (JSON) or 'w' (wire bytes).
//
// Where json_util legitimately differs, and so is not asked:
// - It takes more: trailing commas, single quotes, names without quotes, "\U", a field twice, null in lists and maps,
// true
//   in quotes, a number's text for an enum, bytes with characters that are no base64. What we refuse is not compared.
// - It takes less: see refused_wrongly().
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/type_resolver_util.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>

#include "duplex/contract/json.h"
#include "duplex/contract/proto_files.h"
#include "fuzz.h"

namespace {

namespace pb = google::protobuf;
using duplex::Bytes;
using duplex::Result;
using duplex::contract::Contract;
using duplex::contract::JsonOptions;
using duplex::contract::Type;
using duplex::fuzz::demand;

struct World {
  std::shared_ptr<const Contract> contract;
  const Type* type = nullptr;
  std::unique_ptr<pb::util::TypeResolver> resolver;
  std::unique_ptr<pb::DynamicMessageFactory> factory;
  JsonOptions options;
};

const World& world() {
  static const World* const made = [] {
    auto* w = new World;
    pb::SetLogHandler(nullptr);
    auto set = duplex::contract::read_proto_files({"clinic.proto"}, {DUPLEX_FUZZ_PROTOS, DUPLEX_GOOGLEAPIS_DIR});
    demand(set.has_value(), "the contract is there");
    w->contract = *Contract::load(*set);
    w->type = w->contract->find_type("clinic.v1.Appointment");
    w->resolver.reset(pb::util::NewTypeResolverForDescriptorPool("type.googleapis.com", &w->contract->pool()));
    w->factory = std::make_unique<pb::DynamicMessageFactory>();
    w->options.print_zeros = false;
    return w;
  }();
  return *made;
}

std::unique_ptr<pb::Message> parsed(std::string_view wire) {
  std::unique_ptr<pb::Message> message(world().factory->GetPrototype(&world().type->descriptor())->New());
  if (!message->ParseFromArray(wire.data(), static_cast<int>(wire.size()))) return nullptr;
  message->DiscardUnknownFields();
  return message;
}

// In the order of the numbers and of the keys of maps.
std::string sorted(const pb::Message& message) {
  std::string wire;
  {
    pb::io::StringOutputStream stream(&wire);
    pb::io::CodedOutputStream out(&stream);
    out.SetSerializationDeterministic(true);
    message.SerializePartialToCodedStream(&out);
  }
  return wire;
}

std::string json_of(std::string_view wire) {
  auto json = proto_to_json(*world().type, wire, world().options);
  return json ? json->to_string() : std::string();
}

// Two messages are the same: as JSON, since a NaN has many bits and a message within an Any many forms.
void demand_same(std::string_view a, std::string_view b, const char* what) {
  const auto one = parsed(a), other = parsed(b);
  demand(one && other, "what the codec makes is a message");
  const std::string first = json_of(sorted(*one)), second = json_of(sorted(*other));
  if (first != second) std::fprintf(stderr, "%s\n%s\n", first.c_str(), second.c_str());
  demand(first == second, what);
}

// What json_util refuses though it is good, by its own words.
bool refused_wrongly(std::string_view words) {
  static constexpr std::string_view kReasons[] = {
      "type URLs must be of the form",  // it wants type.googleapis.com; others have other hosts
      "for type TYPE_BYTES",            // base64 whose last digit has bits that no octet needs
  };
  return std::any_of(std::begin(kReasons), std::end(kReasons),
                     [&](std::string_view reason) { return words.find(reason) != std::string_view::npos; });
}

// A whole number of more than 53 bits with a point or an exponent goes through a double there.
bool has_long_real(std::string_view json) {
  for (size_t i = 0; i < json.size();) {
    const size_t end = std::min(json.find_first_not_of("0123456789.eE+-", i), json.size());
    const std::string number(json.substr(i, end - i));
    if (number.find_first_of(".eE") != std::string::npos && std::abs(std::strtod(number.c_str(), nullptr)) > 9e15)
      return true;
    i = end + 1;
  }
  return false;
}

// What json_util reads as something else. "At" in a FieldMask is "_at" to us, and "aBC" is "a_b_c", since these come
// back as they were; it takes fewer capitals for the begin of a word.
bool read_wrongly(std::string_view json) {
  if (json.find("visible") == std::string_view::npos && json.find("FieldMask") == std::string_view::npos) return false;
  for (size_t i = 1; i < json.size(); ++i)
    if (json[i] >= 'A' && json[i] <= 'Z' && !(json[i - 1] >= 'a' && json[i - 1] <= 'z')) return true;
  return false;
}

void ask_json_util_to_read(const std::string& json, std::string_view wire) {
  if (read_wrongly(json) || has_long_real(json)) return;
  std::string theirs;
  const auto status = pb::util::JsonToBinaryString(world().resolver.get(), world().type->url(), json, &theirs);
  if (!status.ok()) {
    const bool known = refused_wrongly(status.ToString());
    if (!known) std::fprintf(stderr, "json_util: %s\n%s\n", status.ToString().c_str(), json.c_str());
    demand(known, "json_util reads it too");
    return;
  }
  demand_same(wire, theirs, "json_util reads the same");
}

void ask_json_util_to_write(const std::string& wire) {
  std::string theirs;
  const auto status = pb::util::BinaryToJsonString(world().resolver.get(), world().type->url(), wire, &theirs);
  if (!status.ok()) return;
  auto back = json_to_proto(*world().type, theirs);
  if (!back) std::fprintf(stderr, "%s\n%s\n", back.error().to_string().c_str(), theirs.c_str());
  demand(back.has_value(), "what json_util writes can be read");
  demand_same(wire, back->view(), "json_util writes the same");
}

std::string there_and_back(std::string_view wire, const std::string& json) {
  auto back = json_to_proto(*world().type, json);
  if (!back) std::fprintf(stderr, "%s\n%s\n", back.error().to_string().c_str(), json.c_str());
  demand(back.has_value(), "what was written can be read");
  const std::string again = json_of(back->view());
  if (again != json) std::fprintf(stderr, "%s\n%s\n", json.c_str(), again.c_str());
  demand(again == json, "and is written again the same");
  demand_same(wire, back->view(), "it means the same");
  return back->to_string();
}

void read(std::string_view text) {
  duplex::contract::JsonReading lenient;
  lenient.skip_unknown = true;
  const bool good_without_unknown = json_to_proto(*world().type, text, lenient).has_value();
  auto wire = json_to_proto(*world().type, text);
  if (!wire) {
    demand(wire.error().code() == duplex::Code::kInvalidArgument, "a mistake is the caller's");
    return;
  }
  demand(good_without_unknown, "who skips unknown fields reads what has none");
  const std::string json = json_of(wire->view());
  if (!json.empty()) there_and_back(wire->view(), json);
  ask_json_util_to_read(std::string(text), wire->view());
}

void write(std::string_view wire) {
  const auto message = parsed(wire);
  const std::string json = json_of(wire);
  if (!message) return;
  if (json.empty()) return;  // a time that is none, an Any of who knows what
  // Not `wire` itself: of a key that stands twice json_util writes both.
  ask_json_util_to_write(there_and_back(wire, json));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = duplex::fuzz::text_of(data, size);
  if (text.starts_with('j')) read(text.substr(1));
  if (text.starts_with('w')) write(text.substr(1));
  return 0;
}
