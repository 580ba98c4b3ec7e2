#include "duplex/app/server.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <future>
#include <thread>

#include "app/dispatcher.h"
#include "app/inbound.h"
#include "app/tls.h"
#include "app/worker.h"
#include "duplex/protocols/grpc_health.h"
#include "duplex/protocols/grpc_reflection.h"
#include "duplex/runtime/blocking.h"
#include "duplex/runtime/signals.h"
#include "duplex/runtime/watchdog.h"

namespace duplex {

namespace {

// A plain route's handler as a Service.
class RouteService final : public Service {
 public:
  explicit RouteService(Server::RouteHandler handler) : handler_(std::move(handler)) {}
  Task<Outcome> call(Context& ctx, Call& c) override { return handler_(ctx, c); }

 private:
  Server::RouteHandler handler_;
};

}  // namespace

class Server::State {
 public:
  explicit State(Settings s) : settings(std::move(s)) {}

  struct Route {
    std::string pattern;
    RouteHandler handler;
  };

  Status build();
  Status build_own();
  Status open();
  void accept(Fd socket, std::string peer);
  bool close();

  Settings settings;
  std::vector<std::string> listen;
  std::vector<std::shared_ptr<contract::DescribedService>> services;
  std::vector<Route> routes;
  std::vector<Filter> filters;
  Status mistake;  // the first of what was set wrongly; start() tells

  const std::shared_ptr<grpc::Health> health = std::make_shared<grpc::Health>();
  std::unique_ptr<app::Dispatcher> dispatcher;
  std::unique_ptr<app::Inbound> inbound;
  std::vector<std::unique_ptr<app::Worker>> workers;
  std::unique_ptr<Watchdog> watchdog;
  std::unique_ptr<LoopThread> accepting;
  std::vector<std::unique_ptr<Acceptor>> acceptors;  // live on the accepting loop
  std::vector<std::string> addresses;
  bool started = false, stuck = false;
};

Status Server::State::build() {
  if (!mistake.is_ok()) return mistake;
  auto made = app::Inbound::make({.service_name = settings.service_name,
                                  .log_file = settings.log_file,
                                  .log_level = settings.log_level,
                                  .access_log = settings.access_log,
                                  .admission = {settings.limit, settings.rate_limit}});
  if (!made) return made.error();
  inbound = std::move(*made);
  dispatcher = std::make_unique<app::Dispatcher>(app::Dispatcher::Settings{
      .max_message = settings.max_message, .timeout = settings.timeout, .observe = inbound->observe()});
  for (auto& service : services)
    if (Status s = dispatcher->add(service->described(), inbound->chain(service, filters)); !s.is_ok()) return s;
  for (Route& route : routes) {
    auto chain_of = [&](const Method&) {
      return inbound->chain(std::make_shared<RouteService>(route.handler), filters);
    };
    if (Status s = dispatcher->add_route(route.pattern, chain_of); !s.is_ok()) return s;
  }
  if (Status s = build_own(); !s.is_ok()) return s;
  return inbound->add_own_routes(*dispatcher);
}

// What every server serves of its own.
Status Server::State::build_own() {
  std::vector<std::shared_ptr<contract::DescribedService>> own;
  auto is_served = [&](const std::string& name) {
    return std::any_of(services.begin(), services.end(), [&](auto& s) { return s->described().name() == name; });
  };
  if (settings.health && !is_served(health->described().name())) own.push_back(health);
  for (auto& service : services) health->set(service->described().name(), true);
  if (settings.reflection) {
    using Version = grpc::Reflection::Version;
    for (Version version : {Version::kV1, Version::kV1Alpha}) {
      auto reflection = std::make_shared<grpc::Reflection>(version);
      if (is_served(reflection->described().name())) continue;
      for (auto& service : services) reflection->add(service->described());
      if (settings.health) reflection->add(health->described());
      own.push_back(std::move(reflection));
    }
  }
  for (auto& service : own)
    if (Status s = dispatcher->add(service->described(), inbound->own_chain(service)); !s.is_ok()) return s;
  return {};
}

Status Server::State::open() {
  // A log whose reader has gone must not end the process.
  struct sigaction now{};
  if (::sigaction(SIGPIPE, nullptr, &now) == 0 && now.sa_handler == SIG_DFL) ::signal(SIGPIPE, SIG_IGN);
  if (Status s = build(); !s.is_ok()) return s;
  if (listen.empty()) listen.push_back("127.0.0.1:8080");
  std::vector<Fd> sockets;
  for (const std::string& text : listen) {
    Result<Address> address = Address::parse(text);
    if (!address) return address.error();
    Result<Fd> fd = listen_on(*address);
    if (!fd) return fd.error();
    addresses.push_back(local_address(fd->get()));
    sockets.push_back(std::move(*fd));
  }
  http::ServerOptions options;
  if (settings.tls) {
    Result<std::shared_ptr<TlsServer>> tls = TlsServer::make(*settings.tls);
    if (!tls) return Status(tls.error().code(), "server.tls: " + tls.error().message());
    options.tls = std::move(*tls);
  }
  options.handler = dispatcher.get();
  options.limits.max_head = settings.max_head;
  options.limits.max_streams = settings.max_streams;
  options.limits.idle = settings.idle;
  options.limits.send_stall = settings.send_stall;
  size_t count = settings.loops ? settings.loops : std::max(1u, std::thread::hardware_concurrency());
  watchdog = std::make_unique<Watchdog>(
      [this](std::string_view method, Duration held) { inbound->report_stall(method, held); });
  for (size_t i = 0; i < count; ++i) {
    workers.push_back(std::make_unique<app::Worker>(options));
    workers.back()->on_root([this](Context& root) {
      inbound->attach(root);
      root.loop().set_coalescing(settings.coalesce);
    });
    watchdog->add(workers.back()->loop());
  }
  accepting = std::make_unique<LoopThread>();
  if (options.tls)
    accepting->spawn([this, tls = options.tls](Context& ctx) {
      return app::watch_tls(ctx, tls, [this](const Status& s) {
        if (s.is_ok())
          inbound->note(LogLevel::kInfo, "TLS: the certificates were read again");
        else
          inbound->note(LogLevel::kError, "TLS: the certificates stay as they were: " + s.message());
      });
    });
  std::promise<void> ready;
  accepting->loop().post([&] {
    for (Fd& socket : sockets)
      acceptors.push_back(
          std::make_unique<Acceptor>(accepting->loop(), std::move(socket),
                                     [this](Fd fd, std::string peer) { accept(std::move(fd), std::move(peer)); }));
    ready.set_value();
  });
  ready.get_future().wait();
  started = true;
  inbound->set_ready(true);
  health->set("", true);
  return {};
}

void Server::State::accept(Fd socket, std::string peer) {
  size_t all = 0;
  app::Worker* fewest = nullptr;
  for (auto& worker : workers) {
    all += worker->connections();
    if (!fewest || worker->connections() < fewest->connections()) fewest = worker.get();
  }
  if (all >= settings.max_connections) return;  // closed at once; the caller sees it and goes elsewhere
  fewest->take(std::move(socket), std::move(peer));
}

bool Server::State::close() {
  if (!std::exchange(started, false)) return !stuck;
  inbound->set_ready(false);
  health->stop();
  std::promise<void> closed;
  accepting->loop().post([&] {
    acceptors.clear();
    closed.set_value();
  });
  closed.get_future().wait();
  accepting->stop();
  for (auto& worker : workers) worker->begin_stop(settings.grace);
  Time until = after(Clock::now(), settings.grace + std::chrono::seconds(5));
  bool clean = true;
  for (auto& worker : workers)
    clean &= worker->wait_stopped(std::max<Duration>(until - Clock::now(), Duration::zero()));
  stuck = !clean;
  if (!clean) {
    for (const std::string& label : BlockingPool::shared().running())
      std::fprintf(stderr, "duplex: still blocked after the grace period: %s\n", label.c_str());
    for (auto& worker : workers)
      if (const std::string_view* label = worker->loop().running())
        std::fprintf(stderr, "duplex: a loop is still held by %.*s\n", static_cast<int>(label->size()), label->data());
    return false;
  }
  watchdog.reset();
  workers.clear();
  for (const std::string& text : listen)
    if (text.starts_with("unix:")) ::unlink(text.c_str() + 5);
  return true;
}

Server::Server() : Server(Settings()) {}
Server::Server(Settings settings) : state_(std::make_unique<State>(std::move(settings))) {}
Server::~Server() {
  if (!stop() || state_->stuck) std::_Exit(1);  // what is stuck holds on to what would be freed here
}

Server& Server::listen(std::string_view address) {
  state_->listen.emplace_back(address);
  return *this;
}

Server& Server::serve(std::shared_ptr<contract::DescribedService> service) {
  state_->services.push_back(std::move(service));
  return *this;
}

Server& Server::route(std::string_view pattern, RouteHandler handler) {
  state_->routes.push_back({std::string(pattern), std::move(handler)});
  return *this;
}

Server& Server::use(Filter filter) {
  state_->filters.push_back(std::move(filter));
  return *this;
}

Server& Server::one_loop() {
  state_->settings.loops = 1;
  return *this;
}

Server& Server::set_serving(const std::string& service, bool serving) {
  state_->health->set(service, serving);
  return *this;
}

Status Server::start() { return state_->open(); }
std::vector<std::string> Server::addresses() const { return state_->addresses; }
bool Server::stop() { return state_->close(); }

std::string Server::reconfigure(const Settings& wanted) {
  Settings& now = state_->settings;
  std::string later;
  auto fixed = [&](bool differs, std::string_view name) {
    if (differs) later.append(later.empty() ? "" : ", ").append(name);
  };
  fixed(now.loops != wanted.loops, "loops");
  fixed(now.max_message != wanted.max_message, "max_message");
  fixed(now.max_streams != wanted.max_streams, "max_streams");
  fixed(now.max_connections != wanted.max_connections, "max_connections");
  fixed(now.timeout != wanted.timeout, "timeout");
  fixed(now.grace != wanted.grace, "grace");
  fixed(now.coalesce != wanted.coalesce, "coalesce");
  fixed(now.service_name != wanted.service_name, "service.name");
  fixed(now.log_file != wanted.log_file, "log.file");
  fixed(now.access_log != wanted.access_log, "log.access");
  fixed(now.tls != wanted.tls, "tls");
  fixed(now.health != wanted.health, "health");
  fixed(now.reflection != wanted.reflection, "reflection");
  if (state_->inbound) {
    state_->inbound->set_log_level(wanted.log_level);
    state_->inbound->set_admission({wanted.limit, wanted.rate_limit});
  }
  return later;
}

void Server::note(LogLevel level, std::string_view message) {
  if (state_->inbound) state_->inbound->note(level, message);
}

int Server::run() {
  Signals signals({SIGTERM, SIGINT});
  if (Status s = start(); !s.is_ok()) {
    std::fprintf(stderr, "%s: %s\n", state_->settings.service_name.c_str(), s.message().c_str());
    return 1;
  }
  for (const std::string& address : addresses())
    std::fprintf(stderr, "%s: listening on %s\n", state_->settings.service_name.c_str(), address.c_str());
  duplex::run([&](Context& ctx) -> Task<void> { static_cast<void>(co_await signals.next(ctx)); });
  std::fprintf(stderr, "%s: stopping\n", state_->settings.service_name.c_str());
  if (!stop()) std::_Exit(1);
  return 0;
}

}  // namespace duplex
