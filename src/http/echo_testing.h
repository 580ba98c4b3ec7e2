// What the tests of HTTP's servers share: a handler that answers by its path.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <thread>

#include "duplex/http/exchange.h"

namespace duplex::http {

using namespace std::chrono_literals;

// Answers by its path.
class Echo final : public Handler {
 public:
  Task<void> serve(Context& ctx, Exchange& x) override {
    ++served;
    std::string_view path = x.head().target;
    if (path == "/nothing") co_return;
    if (path == "/throw") throw std::runtime_error("a handler's own");
    if (path == "/wait") {
      co_await wait(ctx);
      co_return;
    }
    if (path == "/early") co_return answer(x, 200, "early");
    if (path == "/stream") co_return co_await stream(ctx, x);
    if (path.starts_with("/big/")) co_return co_await big(ctx, x, std::stoul(std::string(path.substr(5))));
    if (path == "/slow-reader") co_return co_await slow_reader(ctx, x);
    if (path == "/split") {
      Metadata fields;
      fields.add("x-evil", "a\r\nset-cookie: b=c");
      x.send_head(200, fields, false);
      x.send("body");
      co_return x.send_end(Metadata());
    }
    if (path == "/partial") {
      x.send_head(200, Metadata(), false);
      x.send("a part");
      co_await sleep(ctx, 20ms);
      co_return;  // without an end
    }
    if (path == "/empty") co_return x.send_head(204, Metadata(), true);
    if (path == "/hint") {
      Metadata link;
      link.add("link", "</a.css>");
      x.send_interim(103, link);
      co_return answer(x, 200, "hinted");
    }
    if (path == "/trailers") {
      x.send_head(200, Metadata(), false);
      x.send("body");
      Metadata trailers;
      trailers.add("x-sum", "7");
      trailers.add("content-length", "3");
      co_return x.send_end(trailers);
    }
    if (path == "/later") co_await until_go(ctx);
    if (path == "/upgrade") co_return co_await upgrade(ctx, x);
    std::string body;
    while (!x.ended() || !x.body().empty()) {
      if (Status s = co_await wait_body(ctx, x); !s.is_ok()) {
        last_error = s.to_string();
        co_return;
      }
      body += x.body().view();
      size_t n = x.body().size();
      x.body().clear();
      x.consumed(n);
    }
    std::string text = x.head().method + " " + x.head().target + " " + x.head().authority + "\n";
    if (path == "/fields")
      for (Metadata::Entry e : x.head().fields) text += std::string(e.name) + "=" + std::string(e.value) + "\n";
    for (Metadata::Entry e : x.trailers()) text += "trailer " + std::string(e.name) + "=" + std::string(e.value) + "\n";
    answer(x, 200, text + body);
  }

  std::atomic<int> served{0};
  std::atomic<int> cancelled{0};
  std::atomic<bool> go{false};           // "/later" and "/slow-reader" wait for it
  std::atomic<bool> held{false};         // "/big" has waited for room
  std::function<void()> at_first_piece;  // of "/big", on the loop
  std::atomic<size_t> most_unread{0}, most_unsent{0};
  std::string last_error;

 private:
  static void answer(Exchange& x, int status, std::string_view text) {
    x.send_head(status, Metadata(), false);
    x.send(text);
    x.send_end(Metadata());
  }
  Task<void> until_go(Context& ctx) {
    Status s;
    while (!go && s.is_ok()) s = co_await sleep(ctx, 1ms);
  }
  Task<void> wait(Context& ctx) {
    Status slept = co_await sleep(ctx, 1h);  // not in the condition: g++ 12 makes a coroutine of it that never starts
    if (!slept.is_ok()) {
      last_error = ctx.why().to_string();
      ++cancelled;
    }
  }
  Task<void> stream(Context& ctx, Exchange& x) {
    x.send_head(200, Metadata(), false);
    while (!x.ended() || !x.body().empty()) {
      if (!(co_await wait_body(ctx, x)).is_ok()) co_return;
      x.send(x.body().view());
      size_t n = x.body().size();
      x.body().clear();
      x.consumed(n);
      if (!(co_await wait_room(ctx, x)).is_ok()) co_return;
    }
    x.send_end(Metadata());
  }
  Task<void> big(Context& ctx, Exchange& x, size_t size) {
    x.send_head(200, Metadata(), false);
    std::string piece(16 * 1024, 'b');
    for (size_t left = size; left;) {
      Task<Status> room = wait_room(ctx, x);
      if (!room.has_value()) held = true;
      if (Status s = co_await std::move(room); !s.is_ok()) {
        last_error = s.to_string();
        ++cancelled;
        co_return;
      }
      size_t n = std::min(left, piece.size());
      x.send(std::string_view(piece).substr(0, n));
      if (left == size && at_first_piece) at_first_piece();
      most_unsent = std::max(most_unsent.load(), x.unsent_octets());
      left -= n;
    }
    x.send_end(Metadata());
  }
  Task<void> slow_reader(Context& ctx, Exchange& x) {
    co_await until_go(ctx);
    size_t got = 0;
    while (!x.ended() || !x.body().empty()) {
      if (!(co_await wait_body(ctx, x)).is_ok()) co_return;
      most_unread = std::max(most_unread.load(), x.body().size());
      size_t n = x.body().size();
      got += n;
      x.consumed(n);  // before it is taken: what comes then must not be lost
      x.body().clear();
    }
    answer(x, 200, std::to_string(got));
  }
  Task<void> upgrade(Context& ctx, Exchange& x) {
    Metadata fields;
    fields.add("upgrade", "upper");
    x.send_head(101, fields, false);
    while (!x.ended() || !x.body().empty()) {
      if (!(co_await wait_body(ctx, x)).is_ok()) co_return;
      std::string text(x.body().view());
      x.body().clear();
      x.consumed(text.size());
      for (char& c : text) c = static_cast<char>(std::toupper(c));
      x.send(text);
      if (text.ends_with("BYE")) break;
    }
    x.send_end(Metadata());
  }
};

template <class F>
bool soon(F done, Duration limit = 20s) {
  for (Time end = Clock::now() + limit; !done(); std::this_thread::sleep_for(1ms))
    if (Clock::now() > end) return false;
  return true;
}

}  // namespace duplex::http
