#include "cli/reflected.h"

#include <map>
#include <vector>

#include "duplex/service/pipe.h"
#include "protocols/wire_fields.h"

namespace duplex::cli {
namespace {

using grpc::put_octets, grpc::WireFields;

// The fields of grpc.reflection's messages, alike in both versions.
constexpr uint32_t kFileContainingSymbol = 4, kListServices = 7;
constexpr uint32_t kFileDescriptorResponse = 4, kListServicesResponse = 6, kErrorResponse = 7;
constexpr uint32_t kFileName = 1;  // of a FileDescriptorProto
constexpr uint32_t kSetFile = 1;   // of a FileDescriptorSet

std::vector<std::string> all_of(std::string_view message, uint32_t number) {
  std::vector<std::string> found;
  WireFields fields(message);
  while (auto field = fields.next())
    if (field->number == number) found.emplace_back(field->octets);
  return found;
}

std::string first_of(std::string_view message, uint32_t number) {
  std::vector<std::string> all = all_of(message, number);
  return all.empty() ? "" : all.front();
}

// One question and its answer.
Task<Result<std::string>> ask(Context& ctx, Service& peer, const Method& method, const std::string& request) {
  One in{Message(Bytes::copy(request))};
  Keep out;
  Call call(method, Metadata(), in, out);
  Outcome outcome = co_await peer.call(ctx, call);
  if (!outcome.status.is_ok()) co_return outcome.status;
  if (out.count == 0) co_return Status::internal("reflection gave no answer");
  const std::string reply = out.message->bytes.to_string();
  if (std::string error = first_of(reply, kErrorResponse); !error.empty())
    co_return Status::not_found("reflection: " + first_of(error, 2));
  co_return reply;
}

Task<Result<std::string>> by_version(Context& ctx, Service& peer, const std::string& version) {
  const Method method("/grpc.reflection." + version + ".ServerReflection/ServerReflectionInfo", true, true);
  std::string question;
  put_octets(question, kListServices, "*");
  Result<std::string> list = co_await ask(ctx, peer, method, question);
  if (!list) co_return list.error();
  std::map<std::string, std::string> files;  // by name: two services may import one
  for (const std::string& service : all_of(first_of(*list, kListServicesResponse), 1)) {
    const std::string name = first_of(service, 1);
    question.clear();
    put_octets(question, kFileContainingSymbol, name);
    Result<std::string> reply = co_await ask(ctx, peer, method, question);
    if (!reply && reply.error().code() == Code::kNotFound) continue;  // it is served, and its file is not there
    if (!reply) co_return reply.error();
    for (std::string& file : all_of(first_of(*reply, kFileDescriptorResponse), 1)) {
      std::string file_name = first_of(file, kFileName);
      files.emplace(std::move(file_name), std::move(file));
    }
  }
  std::string set;
  for (const auto& [name, file] : files) put_octets(set, kSetFile, file);
  co_return set;
}

}  // namespace

Task<Result<std::string>> reflected_contract(Context& ctx, Service& peer) {
  Result<std::string> set = co_await by_version(ctx, peer, "v1");
  if (!set && set.error().code() == Code::kUnimplemented) set = co_await by_version(ctx, peer, "v1alpha");
  co_return set;
}

}  // namespace duplex::cli
