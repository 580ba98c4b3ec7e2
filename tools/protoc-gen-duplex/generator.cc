#include "generator.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/io/printer.h>
#include <google/protobuf/io/zero_copy_stream.h>

#include <memory>
#include <set>

#include "duplex/contract/contract.h"
#include "header_writer.h"
#include "names.h"
#include "source_writer.h"

namespace duplex::generator {

namespace pb = google::protobuf;

namespace {

// protoc writes every field's JSON name; only one that differs from the field's own needs to be kept.
void drop_default_json_names(const pb::Descriptor& type, pb::DescriptorProto& copy) {
  for (int i = 0; i < type.field_count(); ++i) {
    if (type.field(i)->json_name() == type.field(i)->camelcase_name()) copy.mutable_field(i)->clear_json_name();
  }
  for (int i = 0; i < type.nested_type_count(); ++i)
    drop_default_json_names(*type.nested_type(i), *copy.mutable_nested_type(i));
}

// The file and its imports, without what libprotobuf brings along anyway: Contract::load() knows those.
void collect(const pb::FileDescriptor& file, std::set<const pb::FileDescriptor*>& seen, pb::FileDescriptorSet& set) {
  if (!seen.insert(&file).second || file.name().starts_with("google/protobuf/")) return;
  for (int i = 0; i < file.dependency_count(); ++i) collect(*file.dependency(i), seen, set);
  pb::FileDescriptorProto& copy = *set.add_file();
  file.CopyTo(&copy);
  for (int i = 0; i < file.message_type_count(); ++i)
    drop_default_json_names(*file.message_type(i), *copy.mutable_message_type(i));
}

}  // namespace

bool Generator::Generate(const pb::FileDescriptor* file, const std::string& parameter,
                         pb::compiler::GeneratorContext* context, std::string* error) const {
  if (!parameter.empty()) {
    *error = "protoc-gen-duplex has no parameter \"" + parameter + "\"";
    return false;
  }
  pb::FileDescriptorSet set;
  std::set<const pb::FileDescriptor*> seen;
  collect(*file, seen, set);
  const std::string contract = set.SerializeAsString();
  if (auto loaded = contract::Contract::load(contract); !loaded) {
    *error = loaded.error().message();
    return false;
  }
  // A file without services gets empty files, so that a build knows beforehand what comes out.
  const std::unique_ptr<pb::io::ZeroCopyOutputStream> header(context->Open(stem(file->name()) + ".duplex.h"));
  pb::io::Printer header_printer(header.get(), '$');
  write_header(*file, header_printer);
  const std::unique_ptr<pb::io::ZeroCopyOutputStream> source(context->Open(stem(file->name()) + ".duplex.cc"));
  pb::io::Printer source_printer(source.get(), '$');
  write_source(*file, contract, source_printer);
  return true;
}

}  // namespace duplex::generator
