#include "flags.h"

#include <cstdio>
#include <cstdlib>

namespace shop {

Flags::Flags(int argc, char** argv, std::initializer_list<Flag> flags) : flags_(flags) {
  for (int i = 1; i < argc; ++i) {
    const std::string text = argv[i];
    if (text == "--help" || text == "-h") {
      usage(stdout, argv[0]);
      std::exit(0);
    }
    const size_t equals = text.find('=');
    const std::string name = text.starts_with("--") ? text.substr(2, equals == text.npos ? equals : equals - 2) : "";
    auto flag = const_cast<Flag*>(find(name));
    if (!flag || (equals == text.npos && i + 1 == argc)) {
      std::fprintf(stderr, flag ? "%s: %s wants a value\n" : "%s: what is %s?\n", argv[0], argv[i]);
      usage(stderr, argv[0]);
      std::exit(2);
    }
    flag->value = equals == text.npos ? argv[++i] : text.substr(equals + 1);
    flag->given = true;
  }
}

const std::string& Flags::operator[](const std::string& name) const {
  if (const Flag* flag = find(name)) return flag->value;
  std::abort();
}

bool Flags::given(const std::string& name) const {
  const Flag* flag = find(name);
  return flag && flag->given;
}

const Flag* Flags::find(const std::string& name) const {
  for (const Flag& flag : flags_)
    if (flag.name == name) return &flag;
  return nullptr;
}

void Flags::usage(std::FILE* out, const char* program) const {
  std::fprintf(out, "usage: %s [--FLAG VALUE]..., where FLAG is\n", program);
  for (const Flag& flag : flags_)
    std::fprintf(out, "  %-10s %s (default: %s)\n", flag.name.c_str(), flag.help.c_str(),
                 flag.value.empty() ? "none" : flag.value.c_str());
}

}  // namespace shop
