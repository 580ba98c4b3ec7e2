// What the tests of the HTTP/1.1 server share: a server of one connection, and a blocking client of raw octets.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "duplex/runtime/run.h"
#include "http/echo_testing.h"
#include "http/http1_server.h"

namespace duplex::http {

// A server of one connection on a loop of its own, and a blocking client's end of it.
class Served {
 public:
  explicit Served(Limits limits = {}, std::string already = {}) {
    int fds[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) std::abort();
    client_ = fds[0];
    timeval patience{10, 0};
    ::setsockopt(client_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    int server = fds[1];
    ::fcntl(server, F_SETFL, O_NONBLOCK);
    options_.limits = limits;
    options_.handler = &handler;
    thread_.spawn([this, server, already](Context& ctx) -> Task<void> {
      Connected socket(server, "test:1");
      co_await serve_http1(ctx, std::move(socket), options_, already, &connection_);
      ended = true;
    });
  }
  ~Served() {
    close();
    thread_.stop();
    EXPECT_TRUE(ended);
  }
  void send(std::string_view text) {
    while (!text.empty()) {
      ssize_t n = ::send(client_, text.data(), text.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      text.remove_prefix(static_cast<size_t>(n));
    }
  }
  // How much of it the server takes without an answer being read.
  size_t send_while_taken(std::string_view text) {
    size_t sent = 0;
    while (sent < text.size()) {
      pollfd p{client_, POLLOUT, 0};
      if (::poll(&p, 1, 300) <= 0) break;
      ssize_t n = ::send(client_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n <= 0 && errno != EAGAIN) break;
      if (n > 0) sent += static_cast<size_t>(n);
    }
    return sent;
  }
  void half_close() { ::shutdown(client_, SHUT_WR); }
  void close() {
    if (client_ >= 0) ::close(client_);
    client_ = -1;
  }
  std::string read_to_end() {
    while (read_some()) {
    }
    return std::move(got_);
  }
  // Until `mark` has come; what follows it is kept.
  std::string read_until(std::string_view mark) {
    size_t at;
    while ((at = got_.find(mark)) == std::string::npos)
      if (!read_some()) return "(ended) " + std::move(got_);
    std::string text = got_.substr(0, at + mark.size());
    got_.erase(0, at + mark.size());
    return text;
  }
  // An octet at a time, each when the one before has been read.
  void drip(std::string_view text) {
    for (char c : text) {
      send({&c, 1});
      int unread = 1;
      while (!ended && ::ioctl(client_, SIOCOUTQ, &unread) == 0 && unread > 0) std::this_thread::yield();
    }
  }
  bool wait_for_end() {
    return soon([&] { return ended.load(); });
  }
  template <class F>
  void on_loop(F f) {
    std::atomic<bool> done{false};
    thread_.loop().post([&] {
      f(connection_);
      done = true;
    });
    while (!done) std::this_thread::sleep_for(1ms);
  }

  Echo handler;
  std::atomic<bool> ended{false};

 private:
  bool read_some() {
    char room[65536];
    ssize_t n = ::recv(client_, room, sizeof room, 0);
    if (n > 0) got_.append(room, static_cast<size_t>(n));
    return n > 0;
  }
  ServerOptions options_;
  ServerConnection* connection_ = nullptr;
  int client_;
  std::string got_;
  LoopThread thread_;
};

inline std::string body_of(const std::string& answer) {
  size_t at = answer.find("\r\n\r\n");
  return at == std::string::npos ? std::string() : answer.substr(at + 4);
}
inline bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }
inline size_t count_of(const std::string& text, std::string_view part) {
  size_t n = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++n;
  return n;
}
inline std::string chunks_of(std::string text) {
  std::string whole;
  while (!text.empty()) {
    size_t size = std::stoul(text, nullptr, 16);
    size_t at = text.find("\r\n") + 2;
    if (size == 0) return whole + "|" + text.substr(at);
    whole += text.substr(at, size);
    text.erase(0, at + size + 2);
  }
  return whole + "(no end)";
}

}  // namespace duplex::http
