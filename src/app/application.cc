#include "duplex/app/application.h"

#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <mutex>

#include "duplex/app/configured.h"
#include "duplex/runtime/file_watch.h"
#include "duplex/runtime/run.h"
#include "duplex/runtime/signals.h"

namespace duplex {

int complain(const Status& why) {
  std::fprintf(stderr, "error: %s\n", why.message().c_str());
  return 1;
}

class Application::State {
 public:
  State(std::string p, Options o, Configuration c)
      : path(std::move(p)),
        options(std::move(o)),
        configuration(std::make_shared<const Configuration>(std::move(c))),
        server(server_settings(*configuration)) {
    for (const std::string& address : configuration->server.listen) server.listen(address);
  }

  static Result<Configuration> read(const std::string& path, const Options& options) {
    Result<Configuration> read = load_configuration(path, options.environment);
    if (!read) return read;
    if (options.adjust) options.adjust(*read);
    if (Status mistake = check(*read); !mistake.is_ok()) return mistake;
    return read;
  }

  Result<std::shared_ptr<Client>> peer(std::string_view name) {
    std::lock_guard lock(mutex);
    auto known = peers.find(name);
    if (known != peers.end()) return known->second;
    Result<Client::Settings> settings = peer_settings(*configuration, name);
    if (!settings) return settings.error();
    auto client = std::make_shared<Client>(std::move(*settings));
    client->peers([this](const std::string& other) -> std::shared_ptr<Service> {
      Result<std::shared_ptr<Client>> found = peer(other);
      return found ? *found : nullptr;
    });
    peers.emplace(std::string(name), client);
    return client;
  }

  // All or nothing: what could be refused is looked at before anything changes.
  Status reload() {
    Result<Configuration> read_again = read(path, options);
    if (!read_again) return read_again.error();
    std::lock_guard lock(mutex);
    std::vector<std::pair<Client*, Client::Settings>> changes;
    for (auto& [name, client] : peers) {
      Result<Client::Settings> settings = peer_settings(*read_again, name);
      if (!settings) return Status(settings.error().code(), path + ": " + settings.error().message());
      if (Status s = client->accepts(*settings); !s.is_ok()) return s;
      changes.emplace_back(client.get(), std::move(*settings));
    }
    for (auto& [client, settings] : changes)
      if (Status s = client->reconfigure(std::move(settings)); !s.is_ok()) return s;
    const std::string later = server.reconfigure(server_settings(*read_again));
    std::string restart = later;
    if (read_again->server.listen != configuration->server.listen) restart += restart.empty() ? "listen" : ", listen";
    if (!restart.empty())
      server.note(LogLevel::kWarn, "these settings of the server change with its next start: " + restart);
    configuration = std::make_shared<const Configuration>(std::move(*read_again));
    return {};
  }

  // What typed clients have shown to be wrong with a peer since the file was read.
  Status mistake() {
    std::lock_guard lock(mutex);
    for (auto& [name, client] : peers)
      if (Status s = client->mistake(); !s.is_ok()) return s;
    return {};
  }

  std::vector<std::string> files() const { return files_of_configuration(path, options.environment); }

  void reload_and_tell() {
    Status s = reload();
    if (s.is_ok())
      server.note(LogLevel::kInfo, "the configuration was read again: " + path);
    else
      server.note(LogLevel::kError, "the configuration stays as it was: " + s.message());
  }

  const std::string path;
  const Options options;
  std::mutex mutex;
  std::shared_ptr<const Configuration> configuration;
  std::map<std::string, std::shared_ptr<Client>, std::less<>> peers;
  Server server;
};

Application::Application(std::unique_ptr<State> state) : state_(std::move(state)) {}
Application::~Application() = default;

Result<std::unique_ptr<Application>> Application::load(std::string path, Options options) {
  Result<Configuration> read = State::read(path, options);
  if (!read) return read.error();
  auto state = std::make_unique<State>(std::move(path), std::move(options), std::move(*read));
  return std::unique_ptr<Application>(new Application(std::move(state)));
}

Server& Application::server() { return state_->server; }
Result<std::shared_ptr<Client>> Application::peer(std::string_view name) { return state_->peer(name); }

std::shared_ptr<const Configuration> Application::configuration() const {
  std::lock_guard lock(state_->mutex);
  return state_->configuration;
}

Status Application::reload() { return state_->reload(); }

int Application::run() {
  State& state = *state_;
  Signals signals({SIGTERM, SIGINT, SIGHUP});
  const std::string name = state.configuration->service.name;
  if (Status s = state.mistake(); !s.is_ok()) return complain(s);
  if (Status s = state.server.start(); !s.is_ok()) {
    std::fprintf(stderr, "%s: %s\n", name.c_str(), s.message().c_str());
    return 1;
  }
  for (const std::string& address : state.server.addresses())
    std::fprintf(stderr, "%s: listening on %s\n", name.c_str(), address.c_str());
  duplex::run([&](Context& ctx) -> Task<void> {
    Context own(ctx);
    Scope scope(own);
    if (!state.path.empty())
      scope.spawn([&](Context& child) -> Task<void> {
        FileWatch watch(state.path, state.options.look_every);
        watch.watch(state.files());
        for (Status s = co_await watch.changed(child); s.is_ok(); s = co_await watch.changed(child)) {
          watch.watch(state.files());
          state.reload_and_tell();
        }
      });
    for (;;) {
      Result<int> number = co_await signals.next(own);
      if (!number || *number != SIGHUP) break;
      state.reload_and_tell();
    }
    scope.cancel(Status::cancelled("the process stops"));
    co_await scope.join();
  });
  std::fprintf(stderr, "%s: stopping\n", name.c_str());
  if (!state.server.stop()) std::_Exit(1);
  return 0;
}

}  // namespace duplex
