#include "names.h"

#include <google/protobuf/compiler/cpp/names.h>
#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <cctype>
#include <iterator>

namespace duplex::generator {

namespace {

constexpr std::string_view kWords[] = {
    "alignas",     "alignof",   "and",        "and_eq",    "asm",      "auto",         "bitand",
    "bitor",       "bool",      "break",      "case",      "catch",    "char",         "char8_t",
    "char16_t",    "char32_t",  "class",      "compl",     "concept",  "const",        "consteval",
    "constexpr",   "constinit", "const_cast", "continue",  "co_await", "co_return",    "co_yield",
    "decltype",    "default",   "delete",     "do",        "double",   "dynamic_cast", "else",
    "enum",        "explicit",  "export",     "extern",    "false",    "float",        "for",
    "friend",      "goto",      "if",         "inline",    "int",      "long",         "mutable",
    "namespace",   "new",       "noexcept",   "not",       "not_eq",   "nullptr",      "operator",
    "or",          "or_eq",     "private",    "protected", "public",   "register",     "reinterpret_cast",
    "requires",    "return",    "short",      "signed",    "sizeof",   "static",       "static_assert",
    "static_cast", "struct",    "switch",     "template",  "this",     "thread_local", "throw",
    "true",        "try",       "typedef",    "typeid",    "typename", "union",        "unsigned",
    "using",       "virtual",   "void",       "volatile",  "wchar_t",  "while",        "xor",
    "xor_eq",      "NULL"};

bool is_word(std::string_view name) { return std::ranges::find(kWords, name) != std::end(kWords); }

// Members that a generated class has already.
bool is_member(std::string_view name) { return name == "call" || name == "described" || name == "description"; }

bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

}  // namespace

std::string method_name(std::string_view name) {
  std::string out;
  for (size_t i = 0; i < name.size(); ++i) {
    const bool after_word = i > 0 && name[i - 1] != '_' && !is_upper(name[i - 1]);
    const bool before_word = i > 0 && i + 1 < name.size() && name[i - 1] != '_' && is_upper(name[i - 1]) &&
                             !is_upper(name[i + 1]) && name[i + 1] != '_' &&
                             !std::isdigit(static_cast<unsigned char>(name[i + 1]));
    if (is_upper(name[i]) && (after_word || before_word)) out += '_';
    out += static_cast<char>(std::tolower(static_cast<unsigned char>(name[i])));
  }
  if (is_word(out) || is_member(out)) out += '_';
  return out;
}

std::vector<std::string> namespace_of(const google::protobuf::FileDescriptor& file) {
  std::vector<std::string> parts;
  const std::string& package = file.package();
  for (size_t from = 0; from < package.size();) {
    const size_t end = std::min(package.find('.', from), package.size());
    std::string part = package.substr(from, end - from);
    if (is_word(part)) part += '_';
    parts.push_back(std::move(part));
    from = end + 1;
  }
  return parts;
}

std::string class_name(const google::protobuf::Descriptor& message, const google::protobuf::FileDescriptor& seen_from) {
  const bool near = message.file()->package() == seen_from.package();
  return near ? google::protobuf::compiler::cpp::ClassName(&message)
              : google::protobuf::compiler::cpp::QualifiedClassName(&message);
}

std::string stem(std::string_view file) {
  if (file.ends_with(".proto")) file.remove_suffix(6);
  return std::string(file);
}

}  // namespace duplex::generator
