#include "duplex/contract/proto_files.h"

#include <google/protobuf/compiler/importer.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/descriptor_database.h>

#include <set>

namespace duplex::contract {

namespace pb = google::protobuf;

namespace {

class Collector : public pb::compiler::MultiFileErrorCollector {
 public:
  void AddError(const std::string& file, int line, int column, const std::string& message) override {
    if (!errors_.empty()) errors_ += "; ";
    errors_ += file;
    if (line >= 0) errors_ += ":" + std::to_string(line + 1) + ":" + std::to_string(column + 1);
    errors_ += ": " + message;
  }
  const std::string& errors() const { return errors_; }

 private:
  std::string errors_;
};

void add(const pb::FileDescriptor& file, std::set<const pb::FileDescriptor*>& seen, pb::FileDescriptorSet& set) {
  if (!seen.insert(&file).second) return;
  for (int i = 0; i < file.dependency_count(); ++i) add(*file.dependency(i), seen, set);
  pb::FileDescriptorProto* copy = set.add_file();
  file.CopyTo(copy);
  file.CopyJsonNameTo(copy);
}

}  // namespace

Result<std::string> read_proto_files(const std::vector<std::string>& files,
                                     const std::vector<std::string>& import_dirs) {
  pb::compiler::DiskSourceTree tree;
  for (const auto& dir : import_dirs) tree.MapPath("", dir);
  Collector collector;
  pb::DescriptorPoolDatabase standard(*pb::DescriptorPool::generated_pool());
  pb::compiler::SourceTreeDescriptorDatabase database(&tree, &standard);
  database.RecordErrorsTo(&collector);
  pb::DescriptorPool pool(&database, database.GetValidationErrorCollector());
  pb::FileDescriptorSet set;
  std::set<const pb::FileDescriptor*> seen;
  for (const auto& name : files) {
    const pb::FileDescriptor* file = pool.FindFileByName(name);
    if (!file)
      return Status::invalid_argument(collector.errors().empty() ? "no file " + name + " on the import path"
                                                                 : collector.errors());
    add(*file, seen, set);
  }
  return set.SerializeAsString();
}

}  // namespace duplex::contract
