// bench_json SIDE WHAT DOCUMENT SECONDS: a codec at work on one document on one thread, as JSON: octets of JSON text a
// second of CPU, by the text that ours writes, on both sides.
//   SIDE: ours | peer (libprotobuf's json_util, its type resolver made once)   WHAT: read | write
//   DOCUMENT: order | text | numbers
// bench_json check: whether both sides read and write the same.
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>
#include <google/protobuf/util/type_resolver_util.h>

#include <time.h>
#include <cstdio>
#include <cstdlib>

#include "documents.h"
#include "duplex/contract/contract.h"
#include "duplex/contract/json.h"

namespace {

namespace pb = google::protobuf;
using duplex::Bytes;
using duplex::contract::Contract;
using duplex::contract::Type;

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "bench_json: %s\n", why.c_str());
  std::exit(1);
}

class Codec {
 public:
  virtual ~Codec() = default;
  // Both return the number of octets made.
  virtual size_t read(const std::string& json) = 0;
  virtual size_t write(const std::string& wire) = 0;
  virtual std::string last() const = 0;
};

class Ours final : public Codec {
 public:
  explicit Ours(const pb::Message& message) {
    pb::FileDescriptorSet set;
    add(set, *message.GetDescriptor()->file());
    auto contract = Contract::load(set.SerializeAsString());
    if (!contract) give_up(contract.error().to_string());
    contract_ = *contract;
    type_ = contract_->find_type(message.GetDescriptor()->full_name());
    options_.proto_names = false;
    options_.print_zeros = false;
  }
  size_t read(const std::string& json) override { return keep(json_to_proto(*type_, json)); }
  size_t write(const std::string& wire) override { return keep(proto_to_json(*type_, wire, options_)); }
  std::string last() const override { return last_.to_string(); }

 private:
  static void add(pb::FileDescriptorSet& set, const pb::FileDescriptor& file) {
    for (int i = 0; i < file.dependency_count(); ++i) add(set, *file.dependency(i));
    auto* copy = set.add_file();
    file.CopyTo(copy);
    file.CopyJsonNameTo(copy);
  }
  size_t keep(duplex::Result<Bytes> made) {
    if (!made) give_up(made.error().to_string());
    last_ = std::move(*made);
    return last_.size();
  }
  std::shared_ptr<const Contract> contract_;
  const Type* type_ = nullptr;
  duplex::contract::JsonOptions options_;
  Bytes last_;
};

class Peer final : public Codec {
 public:
  explicit Peer(const pb::Message& message)
      : resolver_(
            pb::util::NewTypeResolverForDescriptorPool("type.googleapis.com", pb::DescriptorPool::generated_pool())),
        url_("type.googleapis.com/" + message.GetDescriptor()->full_name()) {}
  size_t read(const std::string& json) override {
    last_.clear();
    return keep(pb::util::JsonToBinaryString(resolver_.get(), url_, json, &last_));
  }
  size_t write(const std::string& wire) override {
    last_.clear();
    return keep(pb::util::BinaryToJsonString(resolver_.get(), url_, wire, &last_));
  }
  std::string last() const override { return last_; }

 private:
  size_t keep(const pb::util::Status& status) {
    if (!status.ok()) give_up(status.ToString());
    return last_.size();
  }
  std::unique_ptr<pb::util::TypeResolver> resolver_;
  std::string url_, last_;
};

std::unique_ptr<pb::Message> document(const std::string& name) {
  if (name == "order") return bench::json::make_order();
  if (name == "text") return bench::json::make_text();
  if (name == "numbers") return bench::json::make_numbers();
  give_up("there is no document " + name);
}

void check(const std::string& name) {
  const auto message = document(name);
  const std::string wire = message->SerializeAsString();
  Ours ours(*message);
  Peer peer(*message);
  const std::unique_ptr<pb::Message> back(message->New());
  const auto same = [&](Codec& writer, Codec& reader, const char* who) {
    writer.write(wire);
    const std::string json = writer.last();
    reader.read(json);
    if (!back->ParseFromString(reader.last()) || !pb::util::MessageDifferencer::Equals(*message, *back))
      give_up(name + ": not the same " + who);
    return json;
  };
  const std::string json = same(ours, peer, "when ours writes and the peer reads");
  same(peer, ours, "when the peer writes and ours reads");
  same(ours, ours, "there and back");
  std::printf("%s: %zu octets of JSON, %zu of protobuf\n", name.c_str(), json.size(), wire.size());
}

void measure(Codec& codec, bool read, const std::string& json, const std::string& wire, double seconds) {
  // Of this thread, so that what else runs on the core does not count.
  const auto now = [] {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
  };
  const auto once = [&] { return read ? codec.read(json) : codec.write(wire); };
  size_t made = 0;
  uint64_t rounds = 0;
  const auto run = [&](double span) {
    const double begin = now();
    double took = 0;
    for (rounds = 0; took < span; took = now() - begin)
      for (int i = 0; i < 16; ++i, ++rounds) made += once();
    return took;
  };
  run(seconds / 4);
  const double took = run(seconds);
  std::printf("{\"octets_per_s\": %.0f, \"ns\": %.1f, \"octets\": %zu, \"rounds\": %llu, \"made\": %zu}\n",
              static_cast<double>(rounds * json.size()) / took, took * 1e9 / static_cast<double>(rounds), json.size(),
              static_cast<unsigned long long>(rounds), made);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string side = argc > 1 ? argv[1] : "";
  if (side == "check") {
    for (const char* name : {"order", "text", "numbers"}) check(name);
    return 0;
  }
  if (argc != 5) give_up("SIDE WHAT DOCUMENT SECONDS are wanted, or check");
  const auto message = document(argv[3]);
  const std::string wire = message->SerializeAsString();
  Ours ours(*message);
  ours.write(wire);
  const std::string json = ours.last();
  Peer peer(*message);
  Codec* const codec = side == "ours" ? static_cast<Codec*>(&ours) : static_cast<Codec*>(&peer);
  measure(*codec, std::string(argv[2]) == "read", json, wire, std::strtod(argv[4], nullptr));
  return 0;
}
