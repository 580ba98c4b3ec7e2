// The command `duplex`: a file a verb.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "cli/call.h"
#include "cli/check.h"
#include "cli/describe.h"
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

void add_contract(CLI::App& verb, duplex::cli::Target& t) {
  verb.add_option("TARGET", t.address, "host:port, unix:/path, or https://host:port")->required();
  verb.add_option("--proto", t.protos, "a .proto file of the service; without it the service is asked by reflection");
  verb.add_option("--import", t.imports, "a folder in which .proto files are found (default: this one)");
  verb.add_option("--descriptor-set", t.descriptor_set,
                  "a FileDescriptorSet, as protoc --descriptor_set_out writes it");
  verb.add_flag("--tls", t.tls, "over TLS, with the system's roots");
  verb.add_option("--ca", t.ca, "a file of the roots that are trusted");
  verb.add_option("--cert", t.certificate, "our certificate, where the service asks for one");
  verb.add_option("--key", t.key, "its private key");
  verb.add_option("--server-name", t.server_name, "what the service's certificate must say");
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

  std::string checked;
  CLI::App* check = app.add_subcommand("check", "Is a duplex.yaml right? Names each mistake's place and its mend.");
  check->add_option("FILE", checked, "a duplex.yaml")->required();
  check->callback([&] {
    const duplex::Status s = duplex::cli::check_file(checked, duplex::config::process_environment());
    result = s.is_ok() ? 0 : 1;
    if (s.is_ok())
      std::printf("%s is right\n", checked.c_str());
    else
      std::fprintf(stderr, "%s\n", s.message().c_str());
  });

  duplex::cli::CallQuestion asked;
  std::string json, timeout = "15s";
  CLI::App* call = app.add_subcommand(
      "call", "Calls a method. Replies are printed as JSON, a line each; requests of a stream are read so from stdin.");
  add_contract(*call, asked.target);
  call->add_option("METHOD", asked.method, "package.Service/Method, or Method where it is the only one")->required();
  CLI::Option* given = call->add_option("JSON", json, "the request; several of them for a stream (default: {})");
  call->add_flag("--rest", asked.target.rest, "over REST, by the contract's google.api.http rules");
  call->add_option("-H,--header", asked.target.fields, "metadata: \"name: value\"");
  call->add_option("--timeout", timeout, "of a call that is no stream");
  call->callback([&] {
    duplex::Result<duplex::Duration> limit =
        duplex::config::duration(std::chrono::milliseconds(1), std::chrono::hours(24)).parse(timeout);
    if (!limit) {
      std::fprintf(stderr, "duplex: --timeout: %s\n", limit.error().message().c_str());
      result = 2;
      return;
    }
    asked.target.timeout = *limit;
    if (given->count() > 0) asked.json = json;
    result = duplex::cli::call(asked, stdin, stdout, stderr);
  });

  duplex::cli::Target listed;
  CLI::App* list = app.add_subcommand("list", "Lists the services and methods that are served, and their REST routes.");
  add_contract(*list, listed);
  list->callback([&] { result = print(duplex::cli::list_methods(listed)); });

  duplex::cli::Target described;
  std::string name;
  CLI::App* describe = app.add_subcommand("describe", "Shows a service, method, message or enum of the contract.");
  add_contract(*describe, described);
  describe->add_option("NAME", name, "package.Service, package.Service/Method, package.Message")->required();
  describe->callback([&] { result = print(duplex::cli::describe(described, name)); });

  CLI11_PARSE(app, argc, argv);
  return result;
}
