// grpc.reflection: what a server serves, for clients that have no contract, such as grpcurl and `duplex call`
// (https://github.com/grpc/grpc/blob/master/doc/server-reflection.md). Version 1, and the v1alpha of before with the
// same messages.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "duplex/contract/description.h"

namespace google::protobuf {
class FileDescriptor;
}

namespace duplex::grpc {

class Reflection final : public contract::DescribedService {
 public:
  enum class Version : uint8_t { kV1, kV1Alpha };
  explicit Reflection(Version version);
  // Before the first call: one more service that is served.
  void add(const contract::ServiceDescription& service);

  const contract::ServiceDescription& described() const override { return description_; }
  Task<Outcome> call(Context& ctx, Call& call) override;

 private:
  // A ServerReflectionResponse for a ServerReflectionRequest.
  std::string answer(std::string_view request) const;
  const google::protobuf::FileDescriptor* file_by_name(const std::string& name) const;
  const google::protobuf::FileDescriptor* file_of_symbol(const std::string& symbol) const;
  const google::protobuf::FileDescriptor* file_of_extension(const std::string& type, int number) const;

  const contract::ServiceDescription description_;
  std::vector<std::string> names_;
  std::vector<std::shared_ptr<const contract::Contract>> contracts_;
};

}  // namespace duplex::grpc
