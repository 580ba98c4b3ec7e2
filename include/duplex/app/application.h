// Application: a service and its duplex.yaml: a server and its peers, kept in step with the file.
//
//   int main() {
//     auto app = duplex::Application::load("duplex.yaml");
//     if (!app) return duplex::complain(app.error());
//     auto payments = (*app)->peer("payments");
//     if (!payments) return duplex::complain(payments.error());
//     (*app)->server().serve(std::make_shared<Orders>(PaymentsClient(*payments)));
//     return (*app)->run();
//   }
//
// On SIGHUP, and when the file has changed, it is read again. A file with a mistake is refused whole: the old settings
// stay, and the log names file, line and mistake. What can change while calls run does so at once (peers and their
// policies, the server's limits, the log's level), and no call is dropped; breakers, budgets and pools keep their
// memory. What a restart alone can change (where the server listens, its loops) is named in the log.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "duplex/app/client.h"
#include "duplex/app/configuration.h"
#include "duplex/app/server.h"

namespace duplex {

// "error: <message>" on stderr; 1, for main to return.
int complain(const Status& why);

class Application {
 public:
  struct Options {
    std::vector<std::string> environment = config::process_environment();
    // Laid over each configuration that is read, as flags of the command line are.
    std::function<void(Configuration&)> adjust{};
    Duration look_every = std::chrono::seconds(1);  // at the file
    Options() {}
  };
  // `path` empty: no file, all defaults. Errors: what is wrong with it, and where.
  static Result<std::unique_ptr<Application>> load(std::string path, Options options = {});
  ~Application();
  Application(const Application&) = delete;
  Application& operator=(const Application&) = delete;

  // Listens where the configuration says.
  Server& server();
  // A peer of the configuration; one object a name. NOT_FOUND: there is none of that name, and which there are.
  Result<std::shared_ptr<Client>> peer(std::string_view name);
  std::shared_ptr<const Configuration> configuration() const;

  // Reads the file again; run() does it by itself. INVALID_ARGUMENT and such: it is wrong, and all stays as it was.
  Status reload();
  // Serves until SIGTERM or SIGINT, stops gracefully; 0: a clean stop. Does not start with a peer whose settings do not
  // fit the contract that a typed client of it has: the error names file, line, method and mistake.
  int run();

 private:
  class State;
  explicit Application(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace duplex
