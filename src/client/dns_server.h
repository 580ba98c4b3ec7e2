// For tests: a DNS server on the test's own loop, UDP and TCP on one port of loopback.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "duplex/runtime/loop.h"
#include "duplex/runtime/socket.h"

namespace duplex::client {

class DnsServer final : private Watch {
 public:
  struct Service {
    uint16_t priority, weight, port;
    std::string target;
  };
  struct Zone {
    std::vector<std::string> v4, v6;
    std::vector<Service> services;  // SRV
    uint32_t ttl = 300;
    std::string alias_of;  // a CNAME before the addresses
    uint32_t alias_ttl = 300;
    int rcode = 0;
    bool silent = false;    // no answer at all
    bool too_long = false;  // truncated over UDP: to be asked over TCP
  };

  explicit DnsServer(Loop& loop) : loop_(loop) {
    Fd listening;
    for (bool bound = false; !bound;) {  // TCP chooses a port; UDP takes the same number, unless somebody has it
      listening = std::move(*listen_on(*Address::parse("127.0.0.1:0")));
      address_ = local_address(listening.get());
      udp_ = Fd(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      sockaddr_in at{};
      at.sin_family = AF_INET;
      at.sin_port = htons(Address::parse(address_)->port());
      at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      bound = ::bind(udp_.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) == 0;
    }
    loop_.watch(udp_.get(), *this);
    acceptor_ = std::make_unique<Acceptor>(loop_, std::move(listening), [this](Fd socket, std::string) {
      streams_.push_back(std::make_unique<Stream>(*this, std::move(socket)));
    });
  }
  ~DnsServer() { loop_.unwatch(udp_.get(), *this); }

  const std::string& address() const { return address_; }
  int asked(const std::string& name, int type) const {
    auto found = asked_.find({name, type});
    return found == asked_.end() ? 0 : found->second;
  }
  int asked(const std::string& name) const { return asked(name, 1) + asked(name, 28); }
  int over_tcp() const { return over_tcp_; }
  size_t connections() const { return streams_.size(); }
  // What came while a zone was silent is answered now.
  void answer_late() {
    for (auto& [question, from] : held_) reply_udp(question, from);
    held_.clear();
  }

  std::map<std::string, Zone> zones;  // a name that is not here does not exist

 private:
  struct Stream final : Watch {
    Stream(DnsServer& s, Fd f) : server(s), fd(std::move(f)) { server.loop_.watch(fd.get(), *this); }
    ~Stream() { server.loop_.unwatch(fd.get(), *this); }
    void on_ready(bool, bool, bool) override {
      char buffer[4096];
      for (ssize_t n; (n = ::read(fd.get(), buffer, sizeof buffer)) > 0;) in.append(buffer, static_cast<size_t>(n));
      while (in.size() >= 2) {
        size_t length = static_cast<uint8_t>(in[0]) * 256u + static_cast<uint8_t>(in[1]);
        if (in.size() < 2 + length) return;
        ++server.over_tcp_;
        std::string reply = server.answer(in.substr(2, length), true), framed;
        in.erase(0, 2 + length);
        put16(framed, reply.size());
        framed += reply;  // in one write: one edge for two reads of c-ares
        [[maybe_unused]] auto written = ::write(fd.get(), framed.data(), framed.size());
      }
    }
    DnsServer& server;
    Fd fd;
    std::string in;
  };

  static void put16(std::string& out, size_t n) {
    out += static_cast<char>(n >> 8);
    out += static_cast<char>(n);
  }
  static void put32(std::string& out, uint32_t n) {
    put16(out, n >> 16);
    put16(out, n & 0xffff);
  }
  static std::string encoded(std::string_view name) {
    std::string out;
    while (!name.empty()) {
      std::string_view label = name.substr(0, name.find('.'));
      out += static_cast<char>(label.size());
      out += label;
      name.remove_prefix(std::min(name.size(), label.size() + 1));
    }
    return out + '\0';
  }
  static void put_record(std::string& out, const std::string& owner, int type, uint32_t ttl, const std::string& data) {
    out += owner;
    put16(out, static_cast<size_t>(type));
    put16(out, 1);
    put32(out, ttl);
    put16(out, data.size());
    out += data;
  }
  static std::pair<std::string, int> read_question(const std::string& question) {
    std::string name;
    size_t at = 12;
    while (question.at(at)) {
      name += (name.empty() ? "" : ".") + question.substr(at + 1, static_cast<uint8_t>(question[at]));
      at += 1 + static_cast<uint8_t>(question[at]);
    }
    return {name, static_cast<uint8_t>(question.at(at + 2))};
  }

  std::string answer(const std::string& question, bool tcp) {
    auto [name, type] = read_question(question);
    auto known = zones.find(name);
    Zone zone;
    if (known == zones.end())
      zone.rcode = 3;
    else
      zone = known->second;
    bool truncated = zone.too_long && !tcp;
    std::string owner = encoded(name), records;
    size_t count = 0;
    if (!zone.alias_of.empty()) {
      put_record(records, owner, 5, zone.alias_ttl, encoded(zone.alias_of));
      owner = encoded(zone.alias_of);
      ++count;
    }
    for (const Service& one : zone.services) {
      if (type != 33) break;
      std::string data;
      put16(data, one.priority);
      put16(data, one.weight);
      put16(data, one.port);
      put_record(records, owner, type, zone.ttl, data + encoded(one.target));
      ++count;
    }
    for (const std::string& ip : type == 1 ? zone.v4 : type == 28 ? zone.v6 : std::vector<std::string>()) {
      char bytes[16];
      inet_pton(type == 1 ? AF_INET : AF_INET6, ip.c_str(), bytes);
      put_record(records, owner, type, zone.ttl, std::string(bytes, type == 1 ? 4 : 16));
      ++count;
    }
    if (truncated) count = 0, records.clear();
    std::string out = question.substr(0, 2);
    put16(out, 0x8180u | (truncated ? 0x0200u : 0u) | static_cast<unsigned>(zone.rcode));
    put16(out, 1);
    put16(out, count);
    put32(out, 0);
    return out + question.substr(12, encoded(name).size() + 4) + records;
  }

  void reply_udp(const std::string& question, const sockaddr_in& to) {
    std::string reply = answer(question, false);
    ::sendto(udp_.get(), reply.data(), reply.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
  }

  void on_ready(bool, bool, bool) override {
    char buffer[2048];
    sockaddr_in from{};
    for (;;) {
      socklen_t size = sizeof from;
      ssize_t n = ::recvfrom(udp_.get(), buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &size);
      if (n < 0) return;
      std::string question(buffer, static_cast<size_t>(n));
      auto [name, type] = read_question(question);
      ++asked_[{name, type}];
      auto known = zones.find(name);
      if (known != zones.end() && known->second.silent)
        held_.emplace_back(question, from);
      else
        reply_udp(question, from);
    }
  }

  Loop& loop_;
  Fd udp_;
  std::string address_;
  std::unique_ptr<Acceptor> acceptor_;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::map<std::pair<std::string, int>, int> asked_;
  std::vector<std::pair<std::string, sockaddr_in>> held_;
  int over_tcp_ = 0;
};

}  // namespace duplex::client
