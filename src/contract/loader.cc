#include "contract/loader.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/api.pb.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/empty.pb.h>
#include <google/protobuf/field_mask.pb.h>
#include <google/protobuf/source_context.pb.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/type.pb.h>
#include <google/protobuf/wrappers.pb.h>

#include "contract/fields.h"
#include "contract/json_tables.h"
#include "duplex/contract/router.h"

namespace duplex::contract {

namespace pb = google::protobuf;

namespace {

constexpr int kMaxImportDepth = 100;

// The files that come with libprotobuf. Naming a class of each makes a static link keep it. They are copied into the
// contract's own pool like any other file.
const pb::FileDescriptor* standard_file(std::string_view name) {
  static const pb::FileDescriptor* const files[] = {pb::Any::descriptor()->file(),
                                                    pb::Api::descriptor()->file(),
                                                    pb::Duration::descriptor()->file(),
                                                    pb::Empty::descriptor()->file(),
                                                    pb::FieldMask::descriptor()->file(),
                                                    pb::SourceContext::descriptor()->file(),
                                                    pb::Struct::descriptor()->file(),
                                                    pb::Timestamp::descriptor()->file(),
                                                    pb::Type::descriptor()->file(),
                                                    pb::Int32Value::descriptor()->file(),
                                                    pb::FileDescriptorSet::descriptor()->file()};
  for (const pb::FileDescriptor* file : files) {
    if (file->name() == name) return file;
  }
  return nullptr;
}

class Collector : public pb::DescriptorPool::ErrorCollector {
 public:
  void AddError(const std::string&, const std::string& element, const pb::Message*, ErrorLocation,
                const std::string& message) override {
    if (!errors_.empty()) errors_ += "; ";
    errors_ += element + ": " + message;
  }
  const std::string& errors() const { return errors_; }

 private:
  std::string errors_;
};

Status at(const Method& method, const std::string& what) {
  return Status::invalid_argument(method.descriptor().file()->name() + ", " + method.service_name() + "." +
                                  method.name() + ": " + what);
}

Idempotency idempotency_of(const pb::MethodDescriptor& method) {
  switch (method.options().idempotency_level()) {
    case pb::MethodOptions::NO_SIDE_EFFECTS:
      return Idempotency::kNoSideEffects;
    case pb::MethodOptions::IDEMPOTENT:
      return Idempotency::kIdempotent;
    default:
      return Idempotency::kUnknown;
  }
}

}  // namespace

Loader::Loader() : contract_(new Contract), set_(std::make_unique<pb::FileDescriptorSet>()) {}
Loader::~Loader() = default;

Result<std::shared_ptr<const Contract>> Loader::load(std::string_view bytes) {
  if (bytes.size() > static_cast<size_t>(INT32_MAX) ||
      !set_->ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return Status::invalid_argument(
        "the contract is not a FileDescriptorSet: make it with protoc --include_imports --descriptor_set_out=FILE");
  for (const auto& file : set_->file()) files_.emplace(file.name(), &file);
  contract_->pool_ = std::make_unique<pb::DescriptorPool>();
  for (const auto& file : set_->file()) {
    if (Status s = add_file(file.name(), "", 0); !s.is_ok()) return s;
  }
  // JSON of a Status needs Any, and query parameters need the rest, whether the contract imports them or not.
  for (const char* name : {"any", "duration", "field_mask", "struct", "timestamp", "wrappers"}) {
    if (Status s = add_file(std::string("google/protobuf/") + name + ".proto", "", 0); !s.is_ok()) return s;
  }
  contract_->tables_ = std::make_unique<JsonTables>();
  for (const auto& [name, done] : added_) add_types(*contract_->pool_->FindFileByName(name));
  for (const auto& file : set_->file()) {
    const pb::FileDescriptor* built = contract_->pool_->FindFileByName(file.name());
    for (int i = 0; i < built->service_count(); ++i) {
      if (Status s = add_service(*built->service(i)); !s.is_ok()) return s;
    }
  }
  Router router;  // only to find two methods with one route
  for (const auto& service : contract_->services_) {
    if (Status s = router.add(*service); !s.is_ok())
      return Status::invalid_argument(service->descriptor().file()->name() + ": " + s.message());
  }
  return std::shared_ptr<const Contract>(std::move(contract_));
}

Status Loader::add_file(const std::string& name, const std::string& wanted_by, int depth) {
  auto [seen, fresh] = added_.emplace(name, false);
  if (!fresh)
    return seen->second ? Status::ok() : Status::invalid_argument("contract file " + name + " imports itself");
  if (depth > kMaxImportDepth) return Status::invalid_argument("imports are nested too deeply at " + name);
  pb::FileDescriptorProto copy;
  const pb::FileDescriptorProto* file = nullptr;
  if (auto there = files_.find(name); there != files_.end()) {
    file = there->second;
  } else if (const pb::FileDescriptor* standard = standard_file(name)) {
    standard->CopyTo(&copy);
    standard->CopyJsonNameTo(&copy);
    file = &copy;
  } else {
    return Status::invalid_argument("contract file " + wanted_by + " imports " + name +
                                    ", which is not in the descriptor set: make it with protoc --include_imports");
  }
  for (const auto& dependency : file->dependency()) {
    if (Status s = add_file(dependency, name, depth + 1); !s.is_ok()) return s;
  }
  Collector collector;
  if (!contract_->pool_->BuildFileCollectingErrors(*file, &collector))
    return Status::invalid_argument("contract file " + name + ": " + collector.errors());
  added_[name] = true;
  return Status::ok();
}

void Loader::add_types(const pb::FileDescriptor& file) {
  for (int i = 0; i < file.message_type_count(); ++i) add_type(*file.message_type(i));
}

void Loader::add_type(const pb::Descriptor& descriptor) {
  auto made = std::make_unique<const Type>(*contract_, descriptor, contract_->tables_->add(descriptor));
  contract_->types_by_name_.emplace(made->name(), made.get());
  contract_->types_.emplace(&descriptor, std::move(made));
  for (int i = 0; i < descriptor.nested_type_count(); ++i) add_type(*descriptor.nested_type(i));
}

Status Loader::add_service(const pb::ServiceDescriptor& descriptor) {
  auto service = std::make_unique<Service>();
  service->name_ = descriptor.full_name();
  service->contract_ = contract_.get();
  service->descriptor_ = &descriptor;
  for (int i = 0; i < descriptor.method_count(); ++i) {
    const pb::MethodDescriptor& m = *descriptor.method(i);
    auto method = std::make_unique<Method>();
    method->path_ = "/" + descriptor.full_name() + "/" + m.name();
    method->name_ = m.name();
    method->service_ = service.get();
    method->caller_streams_ = m.client_streaming();
    method->service_streams_ = m.server_streaming();
    method->idempotency_ = idempotency_of(m);
    method->input_ = &contract_->type_of(*m.input_type());
    method->output_ = &contract_->type_of(*m.output_type());
    method->descriptor_ = &m;
    method->plain_.emplace(method->path_, method->caller_streams_, method->service_streams_, method->idempotency_,
                           method.get(), i);
    if (Status s = add_rules(*method); !s.is_ok()) return s;
    contract_->methods_by_path_.emplace(method->path_, method.get());
    service->methods_.push_back(std::move(method));
  }
  contract_->services_.push_back(std::move(service));
  return Status::ok();
}

Status Loader::add_rules(Method& method) {
  auto options = http_options(method.descriptor());
  if (!options) return at(method, options.error().message());
  method.rules_.reserve(options->size());
  for (HttpOption& option : *options) {
    auto rule = make_rule(method, std::move(option));
    if (!rule) return at(method, "option google.api.http: " + rule.error().message());
    method.rules_.push_back(std::move(*rule));
  }
  return Status::ok();
}

Result<HttpRule> Loader::make_rule(const Method& method, HttpOption option) {
  if (option.verb.empty())
    return Status::invalid_argument("it names no verb and path: add one of get, put, post, delete, patch, custom");
  auto path = PathTemplate::parse(option.path);
  if (!path) return path.error();

  HttpRule rule;
  rule.verb = std::move(option.verb);
  rule.path = std::move(*path);
  rule.body = std::move(option.body);
  rule.response_body = std::move(option.response_body);
  rule.method = &method;

  const pb::Descriptor& input = method.input().descriptor();
  for (const auto& variable : rule.path.variables()) {
    auto fields = find_field_path(input, variable.field_path);
    if (!fields)
      return Status::invalid_argument("path variable {" + variable.field_path + "}: " + fields.error().message());
    if (fields->back()->is_repeated() || !is_textual(*fields->back()))
      return Status::invalid_argument("path variable {" + variable.field_path +
                                      "} is a repeated field or a message: use a field that holds one value");
    rule.variables.push_back(std::move(*fields));
  }
  if (rule.verb == "GET" && rule.has_body())
    return Status::invalid_argument("a GET has no body: remove body: \"" + rule.body + "\"");
  if (rule.has_body() && !rule.whole_body()) {
    rule.body_field = find_field(input, rule.body);
    if (!rule.body_field)
      return Status::invalid_argument("body: " + input.full_name() + " has no field \"" + rule.body +
                                      "\" (only \"*\" and fields of the request itself can be the body)");
    // A field within the body may stand in the path (AIP-134: patch "/v1/{book.name}", body "book"): the path wins.
    for (const FieldPath& variable : rule.variables) {
      if (variable.size() == 1 && variable.front() == rule.body_field)
        return Status::invalid_argument("the field \"" + rule.body + "\" is both in the path and the body");
    }
  }
  if (!rule.response_body.empty()) {
    const pb::Descriptor& output = method.output().descriptor();
    rule.response_field = find_field(output, rule.response_body);
    if (!rule.response_field)
      return Status::invalid_argument("response_body: " + output.full_name() + " has no field \"" + rule.response_body +
                                      "\"");
  }
  return rule;
}

}  // namespace duplex::contract
