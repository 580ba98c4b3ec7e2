// Our HTTP/2 against nghttp2's, both roles, under random schedules: streams beside each other with bodies both ways,
// windows from nothing up that grow in pieces and shrink, padding, trailers, resets from both sides, octets in slices
// of any size. Whatever the schedule: a stream that nobody reset has brought exactly what was sent, nobody saw an error
// of the protocol, and no credit is lost.
#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "duplex/http/connection.h"
#include "duplex/http/http2_client.h"
#include "duplex/runtime/run.h"

namespace duplex::http {
namespace {

using namespace std::chrono_literals;

class Dice {
 public:
  explicit Dice(uint32_t seed) : engine_(seed) {}
  size_t below(size_t n) { return engine_() % n; }
  bool one_in(size_t n) { return below(n) == 0; }
  // Of every magnitude up to n: 0, 1, 40, 3000, ...
  size_t any_size(size_t n) { return below(below(4) ? (below(2) ? 50 : n / 20 + 1) : n + 1); }

 private:
  std::mt19937 engine_;
};

enum class Who : uint8_t { kNobody, kUs, kPeer };

// One stream: what goes up (to the server) and down, who breaks it off and when; and what came.
struct Plan {
  size_t number = 0;
  size_t up = 0, down = 0;
  size_t head = 0;  // octets of a field in the head, both ways
  bool up_trailers = false, down_trailers = false, interim = false;
  enum class Order : uint8_t { kReadFirst, kWriteFirst, kTogether } order{};  // of ours
  Who resets = Who::kNobody;
  size_t reset_after = 0;  // octets of both ways, as whoever resets sees them

  size_t up_came = 0, down_came = 0;
  bool up_ended = false, down_ended = false, up_has_trailers = false, down_has_trailers = false;
  bool wrong = false;  // an octet was not the one that was sent
  bool was_reset = false, finished = false;

  char octet(bool is_up, size_t at) const { return static_cast<char>(at * 31 + (at >> 8) + number * 7 + is_up); }
  std::string piece(bool is_up, size_t from, size_t count) const {
    std::string octets(count, '\0');
    for (size_t i = 0; i < count; ++i) octets[i] = octet(is_up, from + i);
    return octets;
  }
  void took(bool is_up, std::string_view octets) {
    size_t& came = is_up ? up_came : down_came;
    for (char c : octets) wrong |= c != octet(is_up, came++);
  }
  std::string told() const {
    return "stream " + std::to_string(number) + ": up " + std::to_string(up_came) + " of " + std::to_string(up) +
           ", down " + std::to_string(down_came) + " of " + std::to_string(down) + (wrong ? ", wrong octets" : "") +
           (up_ended ? ", up ended" : "") + (down_ended ? ", down ended" : "") + (was_reset ? ", reset" : "");
  }
  void check() const {
    EXPECT_FALSE(wrong) << told();
    EXPECT_LE(up_came, up) << told();
    EXPECT_LE(down_came, down) << told();
    if (resets != Who::kNobody && was_reset) return;
    EXPECT_FALSE(was_reset) << told();
    EXPECT_TRUE(up_ended && down_ended) << told();
    EXPECT_EQ(up_came, up) << told();
    EXPECT_EQ(down_came, down) << told();
    EXPECT_EQ(up_has_trailers, up_trailers) << told();
    EXPECT_EQ(down_has_trailers, down_trailers) << told();
  }
};

std::vector<Plan> plans(Dice& dice) {
  std::vector<Plan> all(1 + dice.below(dice.one_in(4) ? 40 : 6));
  for (size_t i = 0; i < all.size(); ++i) {
    Plan& p = all[i];
    p.number = i;
    const size_t most = dice.one_in(20) ? 300'000 : 20'000;
    p.up = dice.any_size(most);
    p.down = dice.any_size(most);
    p.head = dice.one_in(8) ? dice.below(40'000) : dice.below(40);
    p.up_trailers = dice.one_in(4);
    p.down_trailers = dice.one_in(2);
    p.interim = dice.one_in(5);
    p.order = static_cast<Plan::Order>(dice.below(3));
    if (dice.one_in(5)) p.resets = dice.one_in(2) ? Who::kUs : Who::kPeer;
    p.reset_after = dice.below(p.up + p.down + 1);
  }
  return all;
}

// ---- nghttp2's side ----

class Nghttp2Peer {
 public:
  Nghttp2Peer(int fd, bool server, std::vector<Plan>& plans, Dice& dice)
      : fd_(fd), server_(server), plans_(plans), dice_(dice) {
    nghttp2_session_callbacks* c = nullptr;
    nghttp2_session_callbacks_new(&c);
    nghttp2_session_callbacks_set_on_header_callback(c, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, on_close);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(c, on_invalid);
    nghttp2_session_callbacks_set_select_padding_callback(c, on_padding);
    nghttp2_option* o = nullptr;
    nghttp2_option_new(&o);
    nghttp2_option_set_no_auto_window_update(o, 1);
    nghttp2_option_set_max_send_header_block_length(o, 200'000);
    if (server)
      nghttp2_session_server_new2(&session_, c, this, o);
    else
      nghttp2_session_client_new2(&session_, c, this, o);
    nghttp2_option_del(o);
    nghttp2_session_callbacks_del(c);
    submit_settings();
  }
  ~Nghttp2Peer() {
    nghttp2_session_del(session_);
    ::close(fd_);
  }

  void request(Plan& plan) {
    const std::string number = std::to_string(plan.number), filling(plan.head, '{');
    const nghttp2_nv fields[] = {nv(":method", "POST"), nv(":scheme", "http"),  nv(":path", "/"),
                                 nv(":authority", "x"), nv("x-number", number), nv("x-filling", filling)};
    nghttp2_data_provider provider{{.ptr = this}, on_pull};
    const bool body = plan.up || plan.up_trailers || dice_.one_in(2);
    const int32_t id =
        nghttp2_submit_request(session_, nullptr, fields, std::size(fields), body ? &provider : nullptr, nullptr);
    streams_[id] = Stream{&plan};
  }
  // One slice in, one out, and now and then something of its own mind.
  void step() {
    read_some();
    for (auto& [id, s] : streams_) {
      const bool due = s.plan->resets == Who::kPeer && !s.closed && s.moved() >= s.plan->reset_after;
      if (!due || (server_ && !s.answered)) continue;
      s.plan->was_reset = s.closed = true;
      nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
    }
    grant();
    if (dice_.one_in(60)) submit_settings();
    if (dice_.one_in(60)) nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
    write_some();
  }
  bool all_closed() const {
    return std::all_of(streams_.begin(), streams_.end(), [](auto& s) { return s.second.closed; });
  }
  bool quiet() const { return out_.empty() && !nghttp2_session_want_write(session_); }
  size_t started() const { return streams_.size(); }
  bool ended() const { return ended_; }
  const std::string& trouble() const { return trouble_; }
  int32_t connection_window() const { return nghttp2_session_get_remote_window_size(session_); }
  void ping() { nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr); }
  size_t pongs() const { return pongs_; }

 private:
  struct Stream {
    Plan* plan = nullptr;
    size_t sent = 0, granted = 0;
    bool answered = false, closed = false;
    size_t moved() const { return sent + plan->up_came + plan->down_came; }
  };

  static nghttp2_nv nv(std::string_view name, std::string_view value) {
    auto octets = [](std::string_view s) { return reinterpret_cast<uint8_t*>(const_cast<char*>(s.data())); };
    return {octets(name), octets(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
  }
  void submit_settings() {
    static constexpr uint32_t kWindows[] = {0, 1, 100, 5000, 65'535, 1 << 20};
    static constexpr uint32_t kTables[] = {0, 50, 300, 4096, 65'536};
    const nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kWindows[dice_.below(std::size(kWindows))]},
        {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, kTables[dice_.below(std::size(kTables))]},
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, static_cast<uint32_t>(1 + dice_.below(60))}};
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, entries, dice_.below(2) ? 1 : std::size(entries));
  }
  // Windows grow in pieces, of streams and of the connection: as far as bodies want, and no further.
  void grant() {
    if (connection_granted_ < 2'000'000'000 / 64 && dice_.one_in(3)) {
      const size_t more = 1 + dice_.any_size(30'000);
      connection_granted_ += more;
      nghttp2_submit_window_update(session_, NGHTTP2_FLAG_NONE, 0, static_cast<int32_t>(more));
    }
    for (auto& [id, s] : streams_) {
      // As often again as its windows were shrunk.
      if (s.closed || s.granted > 3'000'000 || !dice_.one_in(3)) continue;
      const size_t more = 1 + dice_.any_size(30'000);
      s.granted += more;
      nghttp2_submit_window_update(session_, NGHTTP2_FLAG_NONE, id, static_cast<int32_t>(more));
    }
  }
  void read_some() {
    char room[70'000];
    const ssize_t n = ::recv(fd_, room, 1 + dice_.any_size(sizeof room - 1), MSG_DONTWAIT);
    if (n == 0) ended_ = true;
    if (n <= 0) return;
    const ssize_t taken = nghttp2_session_mem_recv(session_, reinterpret_cast<uint8_t*>(room), static_cast<size_t>(n));
    if (taken != n) trouble("nghttp2 cannot go on: " + std::string(nghttp2_strerror(static_cast<int>(taken))));
  }
  void write_some() {
    while (out_.size() < 100'000) {
      const uint8_t* data = nullptr;
      const ssize_t n = nghttp2_session_mem_send(session_, &data);
      if (n <= 0) break;
      out_.append(reinterpret_cast<const char*>(data), static_cast<size_t>(n));
    }
    const ssize_t n =
        ::send(fd_, out_.data(), std::min(out_.size(), 1 + dice_.any_size(70'000)), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) out_.erase(0, static_cast<size_t>(n));
  }
  void trouble(const std::string& what) {
    if (trouble_.empty()) trouble_ = what;
  }
  void answer(int32_t id, Stream& s) {
    s.answered = true;
    const std::string filling(s.plan->head, '{');
    const nghttp2_nv interim[] = {nv(":status", "103"), nv("link", "</a>")};
    if (s.plan->interim) nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, id, nullptr, interim, 2, nullptr);
    const nghttp2_nv fields[] = {nv(":status", "200"), nv("x-filling", filling)};
    nghttp2_data_provider provider{{.ptr = this}, on_pull};
    nghttp2_submit_response(session_, id, fields, std::size(fields), &provider);
  }
  static ssize_t on_pull(nghttp2_session* session, int32_t id, uint8_t* to, size_t room, uint32_t* flags,
                         nghttp2_data_source*, void* self) {
    auto& me = *static_cast<Nghttp2Peer*>(self);
    Stream& s = me.streams_[id];
    const bool up = !me.server_;
    const size_t size = up ? s.plan->up : s.plan->down;
    const size_t count = std::min({room, size - s.sent, 1 + me.dice_.any_size(room)});
    const std::string octets = s.plan->piece(up, s.sent, count);
    std::copy(octets.begin(), octets.end(), reinterpret_cast<char*>(to));
    s.sent += count;
    if (s.sent < size) return static_cast<ssize_t>(count);
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (up ? s.plan->up_trailers : s.plan->down_trailers) {
      *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      const nghttp2_nv trailer = nv("x-trailer", "t");
      nghttp2_submit_trailer(session, id, &trailer, 1);
    }
    return static_cast<ssize_t>(count);
  }
  static ssize_t on_padding(nghttp2_session*, const nghttp2_frame* frame, size_t most, void* self) {
    auto& me = *static_cast<Nghttp2Peer*>(self);
    const size_t room = most - frame->hd.length;
    if (room == 0 || !me.dice_.one_in(4)) return static_cast<ssize_t>(frame->hd.length);
    return static_cast<ssize_t>(frame->hd.length + me.dice_.below(std::min<size_t>(room, 256)));
  }
  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t name_size,
                       const uint8_t* value, size_t value_size, uint8_t, void* self) {
    auto& me = *static_cast<Nghttp2Peer*>(self);
    const std::string_view n(reinterpret_cast<const char*>(name), name_size);
    const std::string v(reinterpret_cast<const char*>(value), value_size);
    if (n == "x-number") me.streams_[frame->hd.stream_id].plan = &me.plans_[std::stoul(v)];
    auto at = me.streams_.find(frame->hd.stream_id);
    if (at == me.streams_.end()) return 0;
    Stream& s = at->second;
    if (n == "x-trailer") (me.server_ ? s.plan->up_has_trailers : s.plan->down_has_trailers) = true;
    if (n == "x-filling" && v != std::string(s.plan->head, '{')) me.trouble("a field of other octets");
    return 0;
  }
  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* self) {
    auto& me = *static_cast<Nghttp2Peer*>(self);
    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code)
      me.trouble("GOAWAY with error " + std::to_string(frame->goaway.error_code) + ": " +
                 std::string(reinterpret_cast<const char*>(frame->goaway.opaque_data), frame->goaway.opaque_data_len));
    if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK)) ++me.pongs_;
    auto at = me.streams_.find(frame->hd.stream_id);
    if (at == me.streams_.end()) return 0;
    Stream& s = at->second;
    if (frame->hd.type == NGHTTP2_RST_STREAM && frame->rst_stream.error_code) {
      const bool right = s.plan->resets == Who::kUs && frame->rst_stream.error_code == NGHTTP2_CANCEL;
      s.plan->was_reset = true;
      if (!right) me.trouble(s.plan->told() + " was reset with " + std::to_string(frame->rst_stream.error_code));
    }
    if (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS) return 0;
    if (me.server_ && frame->hd.type == NGHTTP2_HEADERS && !s.answered) me.answer(frame->hd.stream_id, s);
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) (me.server_ ? s.plan->up_ended : s.plan->down_ended) = true;
    return 0;
  }
  static int on_data(nghttp2_session*, uint8_t, int32_t id, const uint8_t* data, size_t size, void* self) {
    auto& me = *static_cast<Nghttp2Peer*>(self);
    me.streams_[id].plan->took(me.server_, {reinterpret_cast<const char*>(data), size});
    return 0;
  }
  static int on_close(nghttp2_session*, int32_t id, uint32_t, void* self) {
    auto& me = *static_cast<Nghttp2Peer*>(self);
    if (auto at = me.streams_.find(id); at != me.streams_.end()) at->second.closed = true;
    return 0;
  }
  static int on_invalid(nghttp2_session*, const nghttp2_frame* frame, int code, void* self) {
    // It refuses by a number of streams that it has not told us yet, too: then the stream is tried again.
    if (code == NGHTTP2_ERR_REFUSED_STREAM) return 0;
    static_cast<Nghttp2Peer*>(self)->trouble("nghttp2 finds a frame of type " + std::to_string(frame->hd.type) +
                                             " invalid: " + nghttp2_strerror(code));
    return 0;
  }

  const int fd_;
  const bool server_;
  std::vector<Plan>& plans_;
  Dice& dice_;
  nghttp2_session* session_ = nullptr;
  std::map<int32_t, Stream> streams_;
  std::string out_, trouble_;
  size_t connection_granted_ = 0, pongs_ = 0;
  bool ended_ = false;
};

// ---- our side ----

// One half of an exchange's octets each; false: it is over.
Task<bool> write_all(Context& ctx, Exchange& x, const Plan& plan, bool up, size_t until) {
  const size_t size = up ? plan.up : plan.down;
  for (size_t sent = 0; sent < until;) {
    const Status s = co_await wait_room(ctx, x);
    if (!s.is_ok()) co_return false;
    const size_t count = std::min(until - sent, size_t{1} + (plan.number * 7919 + sent * 31) % 20'000);
    x.send(plan.piece(up, sent, count));
    sent += count;
  }
  if (until == size) {
    Metadata trailers;
    if (up ? plan.up_trailers : plan.down_trailers) trailers.add("x-trailer", "t");
    x.send_end(trailers);
  }
  co_return true;
}

Task<bool> read_all(Context& ctx, Exchange& x, Plan& plan, bool up, size_t until) {
  size_t came = 0;
  while (came < until || until == SIZE_MAX) {
    const Status s = co_await wait_body(ctx, x);
    if (!s.is_ok()) co_return false;
    const size_t count = x.body().size();
    plan.took(up, x.body().view());
    came += count;
    x.body().clear();
    x.consumed(count);
    if (count == 0) break;
  }
  if (until == SIZE_MAX) {
    (up ? plan.up_ended : plan.down_ended) = x.ended();
    (up ? plan.up_has_trailers : plan.down_has_trailers) = x.trailers().find("x-trailer").has_value();
  }
  co_return true;
}

// Both halves in the plan's order, `up` being what we write.
Task<void> exchange(Context& ctx, Exchange& x, Plan& plan, bool up) {
  const bool we_reset = plan.resets == Who::kUs;
  const size_t out = up ? plan.up : plan.down;
  const size_t write = we_reset ? std::min(out, plan.reset_after) : out;
  const size_t read = we_reset ? plan.reset_after - write : SIZE_MAX;
  auto writes = [&](Context& c) -> Task<void> { (void)co_await write_all(c, x, plan, up, write); };
  auto reads = [&](Context& c) -> Task<void> { (void)co_await read_all(c, x, plan, !up, read); };
  if (plan.order == Plan::Order::kReadFirst && !up) {  // a client that reads first would wait for ever
    co_await reads(ctx);
    co_await writes(ctx);
  } else if (plan.order == Plan::Order::kWriteFirst && up) {
    co_await writes(ctx);
    co_await reads(ctx);
  } else {
    Scope scope(ctx);
    scope.spawn(writes);
    scope.spawn(reads);
    co_await scope.join();
  }
  if (!we_reset) co_return;
  plan.was_reset = true;
  x.reset(Reset::kCancel);
}

class Serving final : public Handler {
 public:
  explicit Serving(std::vector<Plan>& plans) : plans_(plans) {}
  Task<void> serve(Context& ctx, Exchange& x) override {
    Plan& plan = plans_[std::stoul(std::string(x.head().fields.find("x-number").value_or("0")))];
    if (x.head().fields.find("x-filling") != std::string(plan.head, '{')) plan.wrong = true;
    Metadata fields;
    fields.add("x-filling", std::string(plan.head, '{'));
    if (plan.interim) x.send_interim(103, Metadata());
    x.send_head(200, fields, false);
    co_await exchange(ctx, x, plan, false);
    plan.finished = true;
  }

 private:
  std::vector<Plan>& plans_;
};

// A turn of the loop for a step of nghttp2's: so that the octets of one reach us before those of the next.
Task<Status> turn(Context& ctx) {
  Status s;
  for (int i = 0; i < 64 && s.is_ok(); ++i) s = co_await yield(ctx);
  co_return s;
}

struct Pair {
  Pair() {
    int fds[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0) std::abort();
    ours = fds[0];
    theirs = fds[1];
  }
  int ours, theirs;
};

// Nothing is lost of the connection's window: what we hold back without telling is less than half of it.
void check_credit(const Nghttp2Peer& peer) { EXPECT_GT(peer.connection_window(), (1 << 20) / 2); }

Task<Status> settle(Context& ctx, Nghttp2Peer& peer) {
  Status s;
  for (int round = 0; round < 2 && s.is_ok(); ++round) {
    const size_t before = peer.pongs();
    peer.ping();
    while (s.is_ok() && peer.pongs() == before && !peer.ended()) {
      peer.step();
      s = co_await turn(ctx);
    }
  }
  co_return s;
}

TEST(Http2Random, OurServerAndNghttp2sClient) {
  size_t whole = 0, broken_off = 0;
  for (uint32_t seed = 1; seed <= 1000 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    run([&](Context& ctx) -> Task<void> {
      Dice dice(seed);
      std::vector<Plan> all = plans(dice);
      Pair sockets;
      Serving handler(all);
      ServerOptions options;
      options.handler = &handler;
      Context own(ctx, 20s);
      Scope scope(own);
      scope.spawn([&](Context& c) { return serve_connection(c, sockets.ours, "client", options, nullptr); });
      {
        Nghttp2Peer peer(sockets.theirs, false, all, dice);
        Status s;
        while (s.is_ok() && (peer.started() < all.size() || !peer.all_closed() || !peer.quiet()) &&
               peer.trouble().empty() && !peer.ended()) {
          if (peer.started() < all.size() && dice.one_in(4)) peer.request(all[peer.started()]);
          peer.step();
          s = co_await turn(own);
        }
        EXPECT_TRUE(s.is_ok()) << "it does not end: " << s.to_string();
        EXPECT_EQ(peer.trouble(), "");
        EXPECT_FALSE(peer.ended());
        if (s.is_ok() && peer.trouble().empty()) s = co_await settle(own, peer);
        check_credit(peer);
        for (const Plan& plan : all) plan.check();
        for (const Plan& plan : all) ++(plan.was_reset ? broken_off : whole);
      }
      co_await scope.join();
    });
  }
  EXPECT_GT(whole, 4000u);
  EXPECT_GT(broken_off, 400u);
}

TEST(Http2Random, OurClientAndNghttp2sServer) {
  size_t whole = 0, broken_off = 0;
  for (uint32_t seed = 1; seed <= 1000 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    run([&](Context& ctx) -> Task<void> {
      Dice dice(seed + 100'000);
      std::vector<Plan> all = plans(dice);
      Pair sockets;
      Context own(ctx, 20s);
      Scope scope(own);
      Notifier changed;
      Http2Client client(ctx.loop(), Connected(sockets.ours, "server"), Limits(), changed);
      Nghttp2Peer peer(sockets.theirs, true, all, dice);
      auto call = [&](Context& c, Plan* plan) -> Task<void> {
        Head head;
        head.method = "POST";
        head.scheme = "http";
        head.authority = "x";
        head.target = "/";
        head.fields.add("x-number", std::to_string(plan->number));
        head.fields.add("x-filling", std::string(plan->head, '{'));
        Status s;
        for (bool again = true; again && s.is_ok() && !client.over();) {
          Exchange* x = client.open(head, false);
          if (x) {
            co_await exchange(c, *x, *plan, true);
            if (x->has_head() && x->head().fields.find("x-filling") != std::string(plan->head, '{')) plan->wrong = true;
            again = x->unsent();
            client.release(*x);
          } else {
            s = co_await turn(c);
          }
        }
        plan->finished = true;
      };
      size_t started = 0;
      Status s;
      while (s.is_ok() && (started < all.size() || scope.running() > 0 || !peer.all_closed() || !peer.quiet()) &&
             peer.trouble().empty() && !peer.ended()) {
        if (started < all.size() && dice.one_in(4)) scope.spawn(call, &all[started++]);
        peer.step();
        s = co_await turn(own);
      }
      EXPECT_TRUE(s.is_ok()) << "it does not end: " << s.to_string();
      EXPECT_EQ(peer.trouble(), "");
      EXPECT_FALSE(peer.ended()) << client.why_over().to_string();
      if (s.is_ok() && peer.trouble().empty()) s = co_await settle(own, peer);
      check_credit(peer);
      EXPECT_TRUE(client.usable()) << client.why_over().to_string();
      EXPECT_EQ(client.exchanges(), 0u);
      for (const Plan& plan : all) plan.check();
      for (const Plan& plan : all) ++(plan.was_reset ? broken_off : whole);
      client.close_now(Status::cancelled("the test has ended"));
      co_await scope.join();
    });
  }
  EXPECT_GT(whole, 4000u);
  EXPECT_GT(broken_off, 400u);
}

}  // namespace
}  // namespace duplex::http
