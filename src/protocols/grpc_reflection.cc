#include "duplex/protocols/grpc_reflection.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <algorithm>
#include <set>

#include "duplex/service/pipe.h"
#include "protocols/wire_fields.h"
#include "reflection_alpha_contract.h"
#include "reflection_contract.h"

namespace duplex::grpc {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;

// The fields of both versions' messages.
constexpr uint32_t kFileByFilename = 3, kFileContainingSymbol = 4, kFileContainingExtension = 5,
                   kAllExtensionNumbersOfType = 6, kListServices = 7;  // of a request
constexpr uint32_t kValidHost = 1, kOriginalRequest = 2, kFileDescriptorResponse = 4, kAllExtensionNumbersResponse = 5,
                   kListServicesResponse = 6, kErrorResponse = 7;

std::string_view bytes_of(const unsigned char* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

contract::ServiceDescription describe(Reflection::Version version) {
  const bool v1 = version == Reflection::Version::kV1;
  return contract::ServiceDescription(
      v1 ? "grpc.reflection.v1.ServerReflection" : "grpc.reflection.v1alpha.ServerReflection",
      {{"ServerReflectionInfo", true, true}},
      contract::Contract::load(v1 ? bytes_of(kReflectionContract, sizeof kReflectionContract)
                                  : bytes_of(kReflectionAlphaContract, sizeof kReflectionAlphaContract)));
}

// A file and all that it imports, each once, those that are imported first.
void put_files(std::string& out, const FileDescriptor& file, std::set<const FileDescriptor*>& done) {
  if (!done.insert(&file).second) return;
  for (int i = 0; i < file.dependency_count(); ++i) put_files(out, *file.dependency(i), done);
  google::protobuf::FileDescriptorProto proto;
  file.CopyTo(&proto);
  file.CopyJsonNameTo(&proto);
  put_octets(out, 1, proto.SerializeAsString());
}

std::string error(Code code, std::string_view text) {
  std::string e;
  put_number(e, 1, static_cast<uint64_t>(code));
  put_octets(e, 2, text);
  return e;
}

}  // namespace

Reflection::Reflection(Version version) : description_(describe(version)) { add(description_); }

void Reflection::add(const contract::ServiceDescription& service) {
  names_.push_back(service.name());
  std::sort(names_.begin(), names_.end());
  if (service.contract()) contracts_.push_back(service.contract());
}

const FileDescriptor* Reflection::file_by_name(const std::string& name) const {
  for (const auto& contract : contracts_)
    if (const FileDescriptor* file = contract->pool().FindFileByName(name)) return file;
  return nullptr;
}

const FileDescriptor* Reflection::file_of_symbol(const std::string& symbol) const {
  for (const auto& contract : contracts_)
    if (const FileDescriptor* file = contract->pool().FindFileContainingSymbol(symbol)) return file;
  return nullptr;
}

const FileDescriptor* Reflection::file_of_extension(const std::string& type, int number) const {
  for (const auto& contract : contracts_)
    if (const auto* extended = contract->pool().FindMessageTypeByName(type))
      if (const FieldDescriptor* field = contract->pool().FindExtensionByNumber(extended, number)) return field->file();
  return nullptr;
}

std::string Reflection::answer(std::string_view request) const {
  std::string reply;
  put_octets(reply, kOriginalRequest, request);
  auto with_file = [&](const FileDescriptor* file, const std::string& what) {
    if (!file) return put_octets(reply, kErrorResponse, error(Code::kNotFound, what + " is not known here"));
    std::string files;
    std::set<const FileDescriptor*> done;
    put_files(files, *file, done);
    put_octets(reply, kFileDescriptorResponse, files);
  };
  WireFields fields(request);
  bool asked = false;
  while (auto field = fields.next()) {
    const std::string text(field->octets);
    asked = asked || field->number >= kFileByFilename;
    switch (field->number) {
      case kValidHost:
        put_octets(reply, kValidHost, text);
        break;
      case kFileByFilename:
        with_file(file_by_name(text), "the file " + text);
        break;
      case kFileContainingSymbol:
        with_file(file_of_symbol(text), "the symbol " + text);
        break;
      case kFileContainingExtension: {
        std::string type;
        int number = 0;
        WireFields inner(field->octets);
        while (auto part = inner.next())
          if (part->number == 1)
            type = part->octets;
          else if (part->number == 2)
            number = static_cast<int>(part->value);
        with_file(file_of_extension(type, number), "extension " + std::to_string(number) + " of " + type);
        break;
      }
      case kAllExtensionNumbersOfType: {
        std::set<int> numbers;
        bool known = false;
        for (const auto& contract : contracts_) {
          const auto* type = contract->pool().FindMessageTypeByName(text);
          if (!type) continue;
          known = true;
          std::vector<const FieldDescriptor*> all;
          contract->pool().FindAllExtensions(type, &all);
          for (const FieldDescriptor* f : all) numbers.insert(f->number());
        }
        if (!known) {
          put_octets(reply, kErrorResponse, error(Code::kNotFound, "the type " + text + " is not known here"));
          break;
        }
        std::string list;
        put_octets(list, 1, text);
        for (int n : numbers) put_number(list, 2, static_cast<uint64_t>(n));
        put_octets(reply, kAllExtensionNumbersResponse, list);
        break;
      }
      case kListServices: {
        std::string list;
        for (const std::string& name : names_) {
          std::string service;
          put_octets(service, 1, name);
          put_octets(list, 1, service);
        }
        put_octets(reply, kListServicesResponse, list);
        break;
      }
      default:
        break;
    }
  }
  if (fields.broken() || !asked)
    put_octets(reply, kErrorResponse, error(Code::kInvalidArgument, "a request that asks for nothing that is known"));
  return reply;
}

Task<Outcome> Reflection::call(Context& ctx, Call& call) {
  for (;;) {
    NextResult request = co_await call.in->next(ctx);
    if (!request) co_return request.error();
    if (!*request) co_return Status();
    const std::string reply = answer((*request)->bytes.view());
    Message message(Bytes::copy(reply));
    Status s = co_await call.out->write(ctx, std::move(message));
    if (!s.is_ok()) co_return s;
  }
}

}  // namespace duplex::grpc
