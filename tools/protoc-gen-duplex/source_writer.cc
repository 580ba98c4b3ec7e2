#include "source_writer.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/io/printer.h>

#include <cstdint>
#include <map>

#include "names.h"

namespace duplex::generator {

namespace pb = google::protobuf;

namespace {

std::string idempotency(const pb::MethodDescriptor& method) {
  switch (method.options().idempotency_level()) {
    case pb::MethodOptions::NO_SIDE_EFFECTS:
      return "::duplex::Idempotency::kNoSideEffects";
    case pb::MethodOptions::IDEMPOTENT:
      return "::duplex::Idempotency::kIdempotent";
    default:
      return "::duplex::Idempotency::kUnknown";
  }
}

void write_description(const pb::ServiceDescriptor& service, pb::io::Printer& out) {
  out.Print(
      "\n"
      "const ::duplex::contract::ServiceDescription& $service$Base::description() {\n"
      "  static const ::duplex::contract::ServiceDescription made(\"$full$\", {\n",
      "service", service.name(), "full", service.full_name());
  for (int i = 0; i < service.method_count(); ++i) {
    const pb::MethodDescriptor& method = *service.method(i);
    const std::map<std::string, std::string> v = {{"name", method.name()},
                                                  {"caller", method.client_streaming() ? "true" : "false"},
                                                  {"service", method.server_streaming() ? "true" : "false"},
                                                  {"level", idempotency(method)}};
    out.Print(v, "      {\"$name$\", $caller$, $service$, $level$},\n");
  }
  out.Print(
      "  }, file_contract());\n"
      "  return made;\n"
      "}\n");
}

void write_dispatch(const pb::ServiceDescriptor& service, pb::io::Printer& out) {
  out.Print(
      "\n"
      "::duplex::Task<::duplex::Outcome> $service$Base::call(::duplex::Context& ctx, ::duplex::Call& call) {\n"
      "  switch (call.method->index) {\n",
      "service", service.name());
  for (int i = 0; i < service.method_count(); ++i) {
    out.Print("    case $index$: return ::duplex::serve(ctx, call, *this, &$service$Base::$name$);\n", "index",
              std::to_string(i), "service", service.name(), "name", method_name(service.method(i)->name()));
  }
  out.Print(
      "    default: return ::duplex::unknown_method(call);\n"
      "  }\n"
      "}\n");
}

void write_stub(const pb::MethodDescriptor& method, pb::io::Printer& out) {
  std::map<std::string, std::string> v = {{"service", method.service()->name()},
                                          {"name", method_name(method.name())},
                                          {"index", std::to_string(method.index())},
                                          {"in", class_name(*method.input_type(), *method.file())},
                                          {"out", class_name(*method.output_type(), *method.file())}};
  const bool caller = method.client_streaming(), streams = method.server_streaming();
  v["result"] = streams ? "::duplex::Status" : "::duplex::Result<" + v["out"] + ">";
  v["takes"] = caller ? (streams ? "::duplex::TalkBody<" + v["out"] + ", " + v["in"] + "> body"
                                 : "::duplex::WriteBody<" + v["in"] + "> body")
                      : "const " + v["in"] + "& request" +
                            (streams ? ", ::duplex::ReadBody<" + v["out"] + "> body" : std::string());
  v["gives"] = caller ? "std::move(body)" : streams ? "request, std::move(body)" : "request";
  v["way"] = caller ? (streams ? "bidi_stream<" : "client_stream<") + v["in"] + ", " + v["out"] + ">"
                    : (streams ? "server_stream<" : "unary<") + v["out"] + ">";
  out.Print(v,
            "\n"
            "::duplex::Task<$result$> $service$Client::$name$(\n"
            "    ::duplex::Context& ctx, $takes$, ::duplex::CallOptions options) {\n"
            "  const auto& method = $service$Base::description().method($index$);\n"
            "  return ::duplex::$way$(*service_, method, ctx, $gives$, std::move(options));\n"
            "}\n");
}

// As numbers if it is too long for what compilers promise to take as one string.
void write_contract(const std::string& bytes, pb::io::Printer& out) {
  constexpr size_t kLongestString = 60000, kPerLine = 100;
  out.Print(
      "\n"
      "// This file and what it imports: a google.protobuf.FileDescriptorSet.\n"
      "namespace {\n");
  const bool as_string = bytes.size() <= kLongestString;
  out.Print(as_string ? "constexpr char kFileContract[] =" : "constexpr unsigned char kFileContract[] = {");
  size_t column = kPerLine;
  for (size_t i = 0; i < bytes.size(); ++i) {
    const auto byte = static_cast<uint8_t>(bytes[i]);
    std::string text;
    if (!as_string) {
      text = std::to_string(byte) + ",";
    } else if (byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\' && byte != '?') {
      text = std::string(1, static_cast<char>(byte));
    } else {
      text = {'\\', static_cast<char>('0' + (byte >> 6)), static_cast<char>('0' + (byte >> 3 & 7)),
              static_cast<char>('0' + (byte & 7))};
    }
    if (column + text.size() > kPerLine) {
      out.PrintRaw(as_string ? (i == 0 ? "\n    \"" : "\"\n    \"") : "\n    ");
      column = 0;
    }
    out.PrintRaw(text);
    column += text.size();
  }
  out.PrintRaw(as_string ? "\";\n" : "\n    0};\n");
  out.PrintRaw(
      "\n"
      "const ::duplex::Result<std::shared_ptr<const ::duplex::contract::Contract>>& file_contract() {\n"
      "  static const auto loaded = ::duplex::contract::Contract::load(\n"
      "      std::string_view(reinterpret_cast<const char*>(kFileContract), sizeof kFileContract - 1));\n"
      "  return loaded;\n"
      "}\n"
      "}  // namespace\n");
}

}  // namespace

void write_source(const pb::FileDescriptor& file, const std::string& contract, pb::io::Printer& out) {
  out.Print(
      "// Written by protoc-gen-duplex from $file$. Change that, not this.\n"
      "#include \"$stem$.duplex.h\"\n",
      "file", file.name(), "stem", stem(file.name()));
  if (file.service_count() == 0) return;
  std::string space;
  for (const std::string& part : namespace_of(file)) space += (space.empty() ? "" : "::") + part;
  out.Print("\n#include <string_view>\n\n");
  if (!space.empty()) out.Print("namespace $space$ {\n\n", "space", space);
  out.Print(
      "namespace {\n"
      "const ::duplex::Result<std::shared_ptr<const ::duplex::contract::Contract>>& file_contract();  // at the end\n"
      "}\n");
  for (int i = 0; i < file.service_count(); ++i) {
    const pb::ServiceDescriptor& service = *file.service(i);
    write_description(service, out);
    write_dispatch(service, out);
    for (int k = 0; k < service.method_count(); ++k) write_stub(*service.method(k), out);
  }
  write_contract(contract, out);
  if (!space.empty()) out.Print("\n}  // namespace $space$\n", "space", space);
}

}  // namespace duplex::generator
