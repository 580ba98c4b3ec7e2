// The command `duplex`: a file a verb.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "cli/policy_explain.h"

namespace {

int print(const duplex::Result<std::string>& text) {
  if (text) {
    std::fputs(text->c_str(), stdout);
    return 0;
  }
  std::fprintf(stderr, "duplex: %s\n", text.error().message().c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Duplex: calls between services, by one configuration.", "duplex");
  app.require_subcommand(1);
  int result = 0;

  CLI::App* policy = app.add_subcommand("policy", "What the rules for a peer are.");
  policy->require_subcommand(1);
  duplex::cli::PolicyQuestion question;
  CLI::App* explain = policy->add_subcommand(
      "explain",
      "Shows the rules in force for a peer or one of its methods, where each comes from, and how long a call "
      "can take at worst.");
  explain->add_option("FILE", question.file, "a duplex.yaml")->required();
  explain->add_option("PEER", question.peer, "a peer of it")->required();
  explain->add_option("METHOD", question.method, "package.Service/Method");
  explain->add_option("--proto", question.protos, "a .proto file of the peer, whose contract the rules must fit");
  explain->add_option("--import", question.imports, "a folder in which .proto files are found (default: this one)");
  explain->callback([&] {
    if (question.imports.empty()) question.imports.emplace_back(".");
    question.environment = duplex::config::process_environment();
    result = print(duplex::cli::explain_policy(question));
  });

  CLI11_PARSE(app, argc, argv);
  return result;
}
