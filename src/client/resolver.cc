#include "duplex/client/resolver.h"

#include <ares.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>

#include "client/srv_reply.h"
#include "duplex/runtime/wait.h"

namespace duplex::client {
namespace {

using std::chrono::seconds;

constexpr size_t kMaxCached = 1024;
constexpr Duration kHostsFileTtl = seconds(60);  // a file has no TTL, and may be edited
constexpr Duration kTtlOfZero = seconds(30);     // "do not keep" would be one question a call
constexpr Duration kMaxTtl = std::chrono::hours(24);

// One name being asked for. Those who wait hold it too: it may end after the Resolver has.
template <class Answer>
struct Query {
  explicit Query(std::string n) : name(std::move(n)) {}
  const std::string name;
  bool asking = true;  // the call of c-ares that asks has not returned yet
  std::optional<Result<Answer>> answer;
  Notifier answered;
};

template <class Answer>
Task<Result<Answer>> wait_for(Context& ctx, std::shared_ptr<Query<Answer>> query) {
  while (!query->answer)
    if (Status s = co_await query->answered.wait(ctx); !s.is_ok()) co_return s;
  co_return *query->answer;
}

// Names are compared without regard to ASCII case (RFC 4343).
std::string key_of(std::string_view name) {
  std::string key(name);
  for (char& c : key)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return key;
}

bool is_ip(const std::string& text) {
  in6_addr scratch;
  return inet_pton(AF_INET, text.c_str(), &scratch) == 1 || inet_pton(AF_INET6, text.c_str(), &scratch) == 1;
}

std::string ip_text(const sockaddr& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.sa_family == AF_INET)
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, text, sizeof text);
  else if (address.sa_family == AF_INET6)
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, text, sizeof text);
  return text;
}

// Takes turns between the families, beginning with that of the first: c-ares has sorted them.
std::vector<std::string> interleaved(const ares_addrinfo_node* nodes) {
  if (!nodes) return {};
  std::vector<std::string> first, other, all;
  const int first_family = nodes->ai_family;
  for (auto* node = nodes; node; node = node->ai_next) {
    std::string text = ip_text(*node->ai_addr);
    auto& into = node->ai_family == first_family ? first : other;
    if (!text.empty() && std::find(into.begin(), into.end(), text) == into.end()) into.push_back(std::move(text));
  }
  for (size_t i = 0; i < std::max(first.size(), other.size()); ++i) {
    if (i < first.size()) all.push_back(std::move(first[i]));
    if (i < other.size()) all.push_back(std::move(other[i]));
  }
  return all;
}

Duration time_to_keep(int ttl) {
  if (ttl <= 0) return kTtlOfZero;  // negative: the top bit is set, which counts as zero (RFC 2181 section 8)
  return std::min<Duration>(seconds(ttl), kMaxTtl);
}

int smallest_ttl(const ares_addrinfo& info) {
  int ttl = INT32_MAX;
  for (auto* node = info.nodes; node; node = node->ai_next) ttl = std::min(ttl, node->ai_ttl);
  for (auto* alias = info.cnames; alias; alias = alias->next) ttl = std::min(ttl, alias->ttl);
  return ttl;
}

// What is known of names, and what is being asked for, of one kind of answer.
template <class Answer>
struct Names {
  std::map<std::string, std::shared_ptr<Query<Answer>>, std::less<>> queries;
  std::map<std::string, Answer, std::less<>> cache;

  void keep(const std::string& name, const Answer& answer) {
    if (cache.size() >= kMaxCached && !cache.contains(name))
      cache.erase(std::min_element(cache.begin(), cache.end(),
                                   [](auto& a, auto& b) { return a.second.expires < b.second.expires; }));
    cache[name] = answer;
  }
  // Wakes, and runs nobody: it is inside a call of c-ares.
  void end(Query<Answer>& query, Result<Answer> answer) {
    if (answer) keep(query.name, *answer);
    query.answer.emplace(std::move(answer));
    query.answered.notify_all();
    queries.erase(query.name);
  }
};

bool is_name(std::string_view name) { return !name.empty() && name.size() <= 255 && name.find('\0') == name.npos; }

}  // namespace

struct Resolver::Impl final : Timer {
  // A socket of c-ares. It expects to be called as long as there is something to do, the loop tells once that there is:
  // so each call is followed by a look with poll(). (Over TCP c-ares reads a length or a body a call, never both.)
  struct Socket final : Watch, Ready {
    Socket(Impl& i, int f) : impl(i), fd(f) {}
    void on_ready(bool, bool, bool) override { impl.process(fd); }
    void run() override { impl.process(fd); }
    Impl& impl;
    const int fd;
    bool wants_read = false, wants_write = false;
  };
  template <class Answer>
  struct Asked {
    Impl* impl;
    std::shared_ptr<Query<Answer>> query;
  };

  Impl(Loop& l, const Settings& settings);
  ~Impl() {
    ending = true;
    if (channel) ares_destroy(channel);  // answers every query, closes every socket
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void fire() override {  // something has timed out
    ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    arm_timeout();
  }
  void arm_timeout();
  void on_socket(int fd, bool wants_read, bool wants_write);
  void process(int fd);
  template <class Answer>
  Task<Result<Answer>> find(Context& ctx, Names<Answer>& names, std::string name);
  void ask(Asked<Resolved>* asked);
  void ask(Asked<Services>* asked);
  void on_answer(Query<Resolved>& query, int status, const ares_addrinfo* info);
  void on_answer(Query<Services>& query, int status, std::string_view reply);
  std::string explain(int status, std::string_view no_data);

  Loop& loop;
  ares_channel channel = nullptr;
  Status broken;  // why there is no channel
  bool ending = false;
  std::map<int, std::unique_ptr<Socket>> sockets;
  Names<Resolved> addresses;
  Names<Services> services;
};

Resolver::Impl::Impl(Loop& l, const Settings& settings) : loop(l) {
  static const int library = ares_library_init(ARES_LIB_INIT_ALL);
  char lookups[] = "fb";  // the hosts file first
  ares_options options{};
  options.lookups = lookups;
  options.timeout = static_cast<int>(
      std::clamp<int64_t>(std::chrono::ceil<std::chrono::milliseconds>(settings.timeout).count(), 1, 600'000));
  options.tries = std::max(settings.tries, 1);
  options.sock_state_cb_data = this;
  options.sock_state_cb = [](void* self, ares_socket_t fd, int readable, int writable) {
    static_cast<Impl*>(self)->on_socket(fd, readable, writable);
  };
  int status = library;
  if (status == ARES_SUCCESS)
    status = ares_init_options(&channel, &options,
                               ARES_OPT_LOOKUPS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
  if (status != ARES_SUCCESS) {
    channel = nullptr;
    broken = Status::unavailable(std::string("no DNS resolver: ") + ares_strerror(status));
    return;
  }
  if (settings.servers.empty()) return;
  status = ares_set_servers_ports_csv(channel, settings.servers.c_str());
  if (status != ARES_SUCCESS)
    broken = Status::invalid_argument("the DNS servers '" + settings.servers + "': " + ares_strerror(status));
}

void Resolver::Impl::arm_timeout() {
  timeval left{};
  if (!ares_timeout(channel, nullptr, &left)) return disarm();
  loop.arm(*this, after(loop.now(), seconds(left.tv_sec) + std::chrono::microseconds(left.tv_usec)));
}

void Resolver::Impl::on_socket(int fd, bool wants_read, bool wants_write) {
  auto known = sockets.find(fd);
  if (!wants_read && !wants_write) {  // c-ares closes it next
    if (known == sockets.end()) return;
    loop.unwatch(fd, *known->second);
    sockets.erase(known);
    return;
  }
  if (known == sockets.end()) {
    known = sockets.emplace(fd, std::make_unique<Socket>(*this, fd)).first;
    loop.watch(fd, *known->second);  // refused: the query times out
  }
  Socket& socket = *known->second;
  // It may have been writable all along, of which no edge tells. Not from here: this is inside a call of c-ares.
  if (wants_write && !socket.wants_write) loop.ready(socket);
  socket.wants_read = wants_read;
  socket.wants_write = wants_write;
}

void Resolver::Impl::process(int fd) {
  constexpr int kRounds = 64;
  for (int round = 0;; ++round) {
    auto known = sockets.find(fd);  // each round anew: c-ares may have closed it
    if (known == sockets.end()) break;
    Socket& socket = *known->second;
    if (round == kRounds) {  // let the rest of the loop run
      loop.ready(socket);
      break;
    }
    pollfd look{};
    look.fd = fd;
    look.events = static_cast<short>((socket.wants_read ? POLLIN : 0) | (socket.wants_write ? POLLOUT : 0));
    if (poll(&look, 1, 0) <= 0) break;
    bool failed = look.revents & (POLLERR | POLLHUP);
    bool readable = socket.wants_read && (failed || (look.revents & POLLIN));
    bool writable = socket.wants_write && (failed || (look.revents & POLLOUT));
    if (!readable && !writable) break;
    ares_process_fd(channel, readable ? fd : ARES_SOCKET_BAD, writable ? fd : ARES_SOCKET_BAD);
  }
  arm_timeout();
}

// What is kept, or one question for all who want the same.
template <class Answer>
Task<Result<Answer>> Resolver::Impl::find(Context& ctx, Names<Answer>& names, std::string name) {
  using Known = Task<Result<Answer>>;
  if (auto kept = names.cache.find(name); kept != names.cache.end()) {
    if (loop.now() < kept->second.expires) return Known::ready(kept->second);
    names.cache.erase(kept);
  }
  if (!broken.is_ok()) return Known::ready(broken);
  std::shared_ptr<Query<Answer>> query;
  if (auto asked = names.queries.find(name); asked != names.queries.end()) {
    query = asked->second;
  } else {
    query = std::make_shared<Query<Answer>>(std::move(name));
    names.queries.emplace(query->name, query);
    ask(new Asked<Answer>{this, query});
    query->asking = false;
    arm_timeout();
  }
  if (query->answer) return Known::ready(*query->answer);
  return wait_for<Answer>(ctx, std::move(query));
}

void Resolver::Impl::ask(Asked<Resolved>* asked) {
  ares_addrinfo_hints hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  auto answered = [](void* argument, int status, int, ares_addrinfo* info) {
    std::unique_ptr<Asked<Resolved>> one(static_cast<Asked<Resolved>*>(argument));
    one->impl->on_answer(*one->query, status, info);
    if (info) ares_freeaddrinfo(info);
  };
  ares_getaddrinfo(channel, asked->query->name.c_str(), nullptr, &hints, answered, asked);
}

void Resolver::Impl::ask(Asked<Services>* asked) {
  auto answered = [](void* argument, int status, int, unsigned char* reply, int size) {
    std::unique_ptr<Asked<Services>> one(static_cast<Asked<Services>*>(argument));
    std::string_view bytes;
    if (reply && size > 0) bytes = {reinterpret_cast<const char*>(reply), static_cast<size_t>(size)};
    one->impl->on_answer(*one->query, status, bytes);
  };
  constexpr int kIn = 1, kSrv = 33;
  ares_search(channel, asked->query->name.c_str(), kIn, kSrv, answered, asked);
}

void Resolver::Impl::on_answer(Query<Resolved>& query, int status, const ares_addrinfo* info) {
  Resolved resolved;
  if (status == ARES_SUCCESS && info) resolved.addresses = interleaved(info->nodes);
  if (resolved.addresses.empty())
    return addresses.end(query, Status::unavailable("cannot resolve " + query.name + ": " +
                                                    explain(status == ARES_SUCCESS ? ARES_ENODATA : status,
                                                            "the name has no address, neither A nor AAAA")));
  // DNS takes a turn of the loop at least; what was known at once came from the hosts file.
  resolved.expires = after(loop.now(), query.asking ? kHostsFileTtl : time_to_keep(smallest_ttl(*info)));
  addresses.end(query, std::move(resolved));
}

void Resolver::Impl::on_answer(Query<Services>& query, int status, std::string_view reply) {
  const std::string what = "cannot find the service " + query.name + ": ";
  if (status != ARES_SUCCESS)
    return services.end(query, Status::unavailable(what + explain(status, "the name has no SRV record")));
  Result<SrvReply> read = read_srv_reply(reply);
  if (!read) return services.end(query, Status::unavailable(what + read.error().message()));
  Services found;
  found.list = std::move(read->list);
  found.expires = after(loop.now(), time_to_keep(read->ttl));
  services.end(query, std::move(found));
}

std::string Resolver::Impl::explain(int status, std::string_view no_data) {
  if (ending) return "the resolver ends";
  if (status == ARES_ENOTFOUND) return "there is no such name (NXDOMAIN)";
  if (status == ARES_ENODATA) return std::string(no_data);
  std::string text = ares_strerror(status);
  ares_addr_port_node* servers = nullptr;
  if (ares_get_servers_ports(channel, &servers) != ARES_SUCCESS || !servers) return text;
  std::string shown;
  for (auto* s = servers; s; s = s->next) {
    char ip[INET6_ADDRSTRLEN] = "";
    inet_ntop(s->family, &s->addr, ip, sizeof ip);
    shown += (shown.empty() ? "" : ", ") + std::string(ip);
    if (s->udp_port && s->udp_port != 53) shown += " port " + std::to_string(s->udp_port);
  }
  ares_free_data(servers);
  return text + " (asked " + shown + ")";
}

Resolver::Resolver(Loop& loop, Settings settings) : impl_(std::make_unique<Impl>(loop, settings)) {}
Resolver::~Resolver() = default;

Task<Result<Resolved>> Resolver::resolve(Context& ctx, std::string_view name) {
  using Ready = Task<Result<Resolved>>;
  if (ctx.cancelled()) return Ready::ready(ctx.why());
  if (!is_name(name))
    return Ready::ready(Status::invalid_argument("'" + std::string(name.substr(0, 255)) + "' is no host name"));
  std::string key = key_of(name);
  if (is_ip(key)) {
    Resolved itself;
    itself.addresses.push_back(std::move(key));
    return Ready::ready(std::move(itself));
  }
  return impl_->find(ctx, impl_->addresses, std::move(key));
}

Task<Result<Services>> Resolver::resolve_services(Context& ctx, std::string_view name) {
  using Ready = Task<Result<Services>>;
  if (ctx.cancelled()) return Ready::ready(ctx.why());
  if (!is_name(name))
    return Ready::ready(Status::invalid_argument("'" + std::string(name.substr(0, 255)) + "' is no service's name"));
  return impl_->find(ctx, impl_->services, key_of(name));
}

void Resolver::forget(std::string_view name) {
  const std::string key = key_of(name);
  impl_->addresses.cache.erase(key);
  impl_->services.cache.erase(key);
}
size_t Resolver::cached() const { return impl_->addresses.cache.size() + impl_->services.cache.size(); }

}  // namespace duplex::client
