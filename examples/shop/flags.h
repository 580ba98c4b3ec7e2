// The command line of a service: --name VALUE or --name=VALUE.
#pragma once

#include <cstdio>
#include <initializer_list>
#include <string>
#include <vector>

namespace shop {

struct Flag {
  std::string name;   // "listen"
  std::string value;  // the default, then what the command line says
  std::string help;
  bool given = false;  // on the command line
};

class Flags {
 public:
  // Leaves the program: with 2 and the reason after a mistake, with 0 after --help.
  Flags(int argc, char** argv, std::initializer_list<Flag> flags);
  const std::string& operator[](const std::string& name) const;
  bool given(const std::string& name) const;

 private:
  const Flag* find(const std::string& name) const;
  void usage(std::FILE* out, const char* program) const;
  std::vector<Flag> flags_;
};

}  // namespace shop
