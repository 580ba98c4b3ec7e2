#include "header_writer.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/printer.h>

#include <map>
#include <sstream>
#include <string>

#include "names.h"

namespace duplex::generator {

namespace pb = google::protobuf;

namespace {

using Variables = std::map<std::string, std::string>;

// The comment that stands before the method in the .proto.
void write_comment(const pb::MethodDescriptor& method, pb::io::Printer& out) {
  pb::SourceLocation location;
  if (!method.GetSourceLocation(&location)) return;
  std::istringstream lines(location.leading_comments);
  for (std::string line; std::getline(lines, line);) out.Print("  //$line$\n", "line", line);
}

Variables variables_of(const pb::MethodDescriptor& method) {
  return {{"name", method_name(method.name())},
          {"in", class_name(*method.input_type(), *method.file())},
          {"out", class_name(*method.output_type(), *method.file())}};
}

void write_handler(const pb::MethodDescriptor& method, pb::io::Printer& out) {
  const Variables v = variables_of(method);
  write_comment(method, out);
  if (method.client_streaming() && method.server_streaming()) {
    out.Print(v,
              "  virtual ::duplex::Task<::duplex::Status> $name$(\n"
              "      ::duplex::Context& ctx, ::duplex::Reader<$in$>& in, ::duplex::Writer<$out$>& out) = 0;\n");
  } else if (method.client_streaming()) {
    out.Print(v,
              "  virtual ::duplex::Task<::duplex::Result<$out$>> $name$(\n"
              "      ::duplex::Context& ctx, ::duplex::Reader<$in$>& in) = 0;\n");
  } else if (method.server_streaming()) {
    out.Print(v,
              "  virtual ::duplex::Task<::duplex::Status> $name$(\n"
              "      ::duplex::Context& ctx, const $in$& request, ::duplex::Writer<$out$>& out) = 0;\n");
  } else {
    out.Print(v,
              "  virtual ::duplex::Task<::duplex::Result<$out$>> $name$(\n"
              "      ::duplex::Context& ctx, const $in$& request) = 0;\n");
  }
}

void write_stub(const pb::MethodDescriptor& method, pb::io::Printer& out) {
  const Variables v = variables_of(method);
  if (method.client_streaming() && method.server_streaming()) {
    out.Print(v,
              "  ::duplex::Task<::duplex::Status> $name$(\n"
              "      ::duplex::Context& ctx, ::duplex::TalkBody<$out$, $in$> body,\n"
              "      ::duplex::CallOptions options = ::duplex::CallOptions());\n");
  } else if (method.client_streaming()) {
    out.Print(v,
              "  ::duplex::Task<::duplex::Result<$out$>> $name$(\n"
              "      ::duplex::Context& ctx, ::duplex::WriteBody<$in$> body,\n"
              "      ::duplex::CallOptions options = ::duplex::CallOptions());\n");
  } else if (method.server_streaming()) {
    out.Print(v,
              "  ::duplex::Task<::duplex::Status> $name$(\n"
              "      ::duplex::Context& ctx, const $in$& request, ::duplex::ReadBody<$out$> body,\n"
              "      ::duplex::CallOptions options = ::duplex::CallOptions());\n");
  } else {
    out.Print(v,
              "  ::duplex::Task<::duplex::Result<$out$>> $name$(\n"
              "      ::duplex::Context& ctx, const $in$& request,\n"
              "      ::duplex::CallOptions options = ::duplex::CallOptions());\n");
  }
}

void write_service(const pb::ServiceDescriptor& service, pb::io::Printer& out) {
  const Variables v = {{"service", service.name()}, {"full", service.full_name()}};
  out.Print(v,
            "\n"
            "// Serve $full$: derive from this and register the object with a duplex::Server.\n"
            "class $service$Base : public ::duplex::contract::DescribedService {\n"
            " public:\n");
  for (int i = 0; i < service.method_count(); ++i) write_handler(*service.method(i), out);
  out.Print(v,
            "\n"
            "  // Its methods and the contract they come from.\n"
            "  static const ::duplex::contract::ServiceDescription& description();\n"
            "  const ::duplex::contract::ServiceDescription& described() const final { return description(); }\n"
            "  ::duplex::Task<::duplex::Outcome> call(::duplex::Context& ctx, ::duplex::Call& call) final;\n"
            "};\n"
            "\n"
            "// Call $full$ through any duplex::Service that leads there. Usable from any loop; outlives its calls.\n"
            "class $service$Client {\n"
            " public:\n"
            "  explicit $service$Client(std::shared_ptr<::duplex::Service> service) : service_(std::move(service)) {\n"
            "    ::duplex::contract::bind(service_.get(), $service$Base::description());\n"
            "  }\n"
            "  // Borrowed: `service` outlives this client.\n"
            "  explicit $service$Client(::duplex::Service& service)\n"
            "      : $service$Client(\n"
            "            std::shared_ptr<::duplex::Service>(std::shared_ptr<::duplex::Service>(), &service)) {}\n"
            "\n");
  for (int i = 0; i < service.method_count(); ++i) write_stub(*service.method(i), out);
  out.Print(
      "\n"
      " private:\n"
      "  std::shared_ptr<::duplex::Service> service_;\n"
      "};\n");
}

}  // namespace

void write_header(const pb::FileDescriptor& file, pb::io::Printer& out) {
  out.Print(
      "// Written by protoc-gen-duplex from $file$. Change that, not this.\n"
      "#pragma once\n"
      "\n"
      "#include <memory>\n"
      "#include <utility>\n"
      "\n"
      "#include \"duplex/contract/bound.h\"\n"
      "#include \"duplex/contract/description.h\"\n"
      "#include \"duplex/contract/typed.h\"\n"
      "#include \"duplex/contract/typed_client.h\"\n"
      "#include \"$stem$.pb.h\"\n",
      "file", file.name(), "stem", stem(file.name()));
  if (file.service_count() == 0) return;
  std::string space;
  for (const std::string& part : namespace_of(file)) space += (space.empty() ? "" : "::") + part;
  out.Print("\n");
  if (!space.empty()) out.Print("namespace $space$ {\n", "space", space);
  for (int i = 0; i < file.service_count(); ++i) write_service(*file.service(i), out);
  if (!space.empty()) out.Print("\n}  // namespace $space$\n", "space", space);
}

}  // namespace duplex::generator
