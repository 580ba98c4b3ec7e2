// Service: the one idea. Everything is a Service, and the call's coroutine is the call.
//
// A call is a function: it reads a Source, writes a Sink, and returns the Outcome last. A handler, a filter around it,
// a protocol's client half, a balancer, a retry: each is a Service, at both ends of the wire. A filter is straight code
// around one `co_await next->call(ctx, c)`, for unary calls and streams alike:
//
//   class Timed final : public Service {
//    public:
//     Task<Outcome> call(Context& ctx, Call& c) override {
//       Time start = Clock::now();
//       Outcome outcome = co_await next_->call(ctx, c);     // the call is over, in every sense
//       record(c.method(), outcome.status, Clock::now() - start);
//       co_return outcome;
//     }
//   };
//
// A status that arrives late has a place (the Outcome); a handler that ends early is `co_return`; pass-through is
// `co_return co_await remote.call(ctx, c)`; backpressure is `next()` not called and `write()` not returning. Nothing
// outlives the call: what a Service needs for one lives in its coroutine's frame.
//
// THE LAWS. Whoever implements a Source, a Sink or a protocol keeps them; each has a test.
//  1. Every wait hears the Context it was given. A next() that is cancelled has taken nothing: the following one gives
//     the same message. At most one next() and one write() are outstanding at a time.
//  2. Where the service does not stream, a server half holds head and the one message until the Outcome; a not-OK
//     Outcome discards them. So REST gets its status code, gRPC its trailers-only, nothing is told to the caller before
//     the commit, and a call is one write.
//  3. head() leaves with this loop turn's one write, even if no message follows; it never makes a system call itself.
//     write() takes the message at once while less than 64 KiB of the stream are unsent, else it first waits: a first
//     write never suspends.
//  4. A call starts when the batch of bytes that brought its headers has been parsed; what arrived with it is there. A
//     unary call whose request came whole and whose handler does not wait runs from socket to reply with no suspension.
//  5. Flow control: connection credit returns when DATA arrives, stream credit when next() hands over (and while one
//     long message is assembled). The stream window is 64 KiB and grows to 1 MiB only while its reader keeps up; past
//     4 MiB unread on a connection its credit is held too.
//  6. Protocol library callbacks only mark and queue; no coroutine runs inside them; one write a connection a turn.
//  7. Only the loop's ready list resumes a parked coroutine: cancel, credits, channels, joins and events put it there
//     and never resume inline. Another thread posts to the loop.
//  8. A deadline is a cancel with DEADLINE_EXCEEDED, and it wins: a server half reports why the Context was cancelled,
//     whatever the handler returned.
//  9. guarded() turns a user's exception into INTERNAL "internal error" (its text goes to the log alone), innermost, so
//     that metrics and log see it.
// 10. Scope::spawn copies callable and arguments into the frame, gives the child its own Context and runs it to its
//     first suspension.
//
// Ownership: Method outlives every call of it. Call, Source and Sink are borrowed from the maker's frame for the time
// of the call. Messages and Metadata are values; a copy is a count.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "duplex/base/bytes.h"
#include "duplex/base/metadata.h"
#include "duplex/base/status.h"
#include "duplex/runtime/context.h"
#include "duplex/runtime/task.h"

namespace duplex {

namespace contract {
class Method;
}

// How safe a method is to repeat: google.protobuf.MethodOptions.idempotency_level.
enum class Idempotency : uint8_t { kUnknown, kNoSideEffects, kIdempotent };

// What is called. Plain data, made once; lives as long as the process or its owner, at one address.
struct Method {
  std::string name;  // "/shop.v1.Orders/GetOrder" in gRPC's form, or "http:GET /x/*" for a plain route
  bool caller_streams = false, service_streams = false;
  Idempotency idempotency = Idempotency::kUnknown;
  const contract::Method* contract = nullptr;  // null for plain routes
  int index = -1;                              // its place among the methods of its generated service
  std::string_view label;                      // of name; what logs, metrics and the watchdog show

  Method(std::string full_name, bool caller, bool service, Idempotency level = Idempotency::kUnknown,
         const contract::Method* meaning = nullptr, int place = -1)
      : name(std::move(full_name)),
        caller_streams(caller),
        service_streams(service),
        idempotency(level),
        contract(meaning),
        index(place),
        label(name) {}
  Method(const Method&) = delete;
  Method& operator=(const Method&) = delete;
};

enum class Format : uint8_t { kProto, kJson, kOpaque };
enum class Codec : uint8_t { kIdentity, kGzip, kOther };

// One message as bytes: what it is written in, and whether it is still compressed.
class Message {
 public:
  Message() = default;
  explicit Message(Bytes b, Format f = Format::kProto, Codec c = Codec::kIdentity)
      : bytes(std::move(b)), format(f), codec(c) {}
  Bytes bytes;
  Format format = Format::kProto;
  Codec codec = Codec::kIdentity;
};

// Where messages come from.
class Source {
 public:
  virtual ~Source() = default;
  // The next message; nullopt: the other side has finished. An error: the call is over (cancelled, deadline, lost).
  virtual Task<Result<std::optional<Message>>> next(Context& ctx) = 0;
  // What came after the last message; empty before nullopt.
  virtual const Metadata& trailers() const;
};

// Where messages go.
class Sink {
 public:
  virtual ~Sink() = default;
  // The metadata before the first message; at most once, and implied by the first write.
  virtual Task<Status> head(Context& ctx, Metadata metadata) = 0;
  // Returns when there is room for more. Not OK: nobody reads any more; stop.
  virtual Task<Status> write(Context& ctx, Message message) = 0;
  // A 1xx where the protocol has them; dropped where not.
  virtual Task<Status> interim(Context& ctx, Metadata metadata);
};

// Who of our own side refused a call before anything of it was sent.
enum class RefusedBy : uint8_t { kNobody, kBreaker, kLimit };

// The last word of a call, and the only one.
class Outcome {
 public:
  Outcome() = default;
  Outcome(Status s) : status(std::move(s)) {}
  Outcome(Status s, Metadata t) : status(std::move(s)), trailers(std::move(t)) {}
  // A failure before the peer can have seen anything: such a call may be made again whatever its method.
  static Outcome never_sent(Status s) {
    Outcome o(std::move(s));
    o.unsent = true;
    return o;
  }
  static Outcome refused(Status s, RefusedBy who) {
    Outcome o = never_sent(std::move(s));
    o.refused_by = who;
    return o;
  }
  Status status;
  Metadata trailers;
  bool unsent = false;
  RefusedBy refused_by = RefusedBy::kNobody;
  int16_t http_status = 0;  // from 400 on, of a peer that answered so: over REST or plain HTTP, or as no gRPC server
};

// Who is at the other end; found by ctx.find<Peer>(). Its address is borrowed from the connection, for the call's time.
struct Peer {
  std::string_view address;   // "10.0.0.7:51324", "[::1]:4", "unix:/run/x", or "in-process"
  std::string_view protocol;  // "grpc", "rest", "http"
  Peer() = default;
  Peer(std::string_view a, std::string_view p) : address(a), protocol(p) {}
};

// One call: borrowed for its time by everyone it passes.
class Call {
 public:
  Call(const Method& m, Metadata md, Source& i, Sink& o) : method(&m), metadata(std::move(md)), in(&i), out(&o) {}
  const Method* method;
  Metadata metadata;
  Source* in;
  Sink* out;
};

// What a handler adds to its answer: `ctx.reply().head.add("x-cache", "hit")`. A value that no field can carry, such as
// one with a line break, makes the call INTERNAL; a name that ends in "-bin" may have any bytes.
class Reply {
 public:
  Metadata head;              // leaves before the first message
  Metadata trailers;          // leaves with the status
  Metadata failure_trailers;  // the same, if the status is a failure
};

class Service {
 public:
  virtual ~Service() = default;
  // Returns when the call is over, in every sense: nothing of it runs afterwards.
  virtual Task<Outcome> call(Context& ctx, Call& call) = 0;
};

// Wraps a Service. The chain shares ownership, since a reload makes new chains while calls run in old ones.
using Filter = std::function<std::shared_ptr<Service>(std::shared_ptr<Service> next)>;

// A Filter from a coroutine: filter([](Context& ctx, Call& c, Service& next) -> Task<Outcome> { ... }).
// The callable is shared by all calls on all loops.
template <class F>
Filter filter(F body) {
  class Wrapped final : public Service {
   public:
    Wrapped(F f, std::shared_ptr<Service> next) : f_(std::move(f)), next_(std::move(next)) {}
    Task<Outcome> call(Context& ctx, Call& c) override { return f_(ctx, c, *next_); }

   private:
    F f_;
    std::shared_ptr<Service> next_;
  };
  return [body = std::move(body)](std::shared_ptr<Service> next) -> std::shared_ptr<Service> {
    return std::make_shared<Wrapped>(body, std::move(next));
  };
}

// Where the text of an exception that left a handler goes. Set once, before the first call; default: stderr.
using ExceptionReport = void (*)(Context&, const Method&, std::string_view what);
void set_exception_report(ExceptionReport report);

// Law 9: calls, and turns an exception into INTERNAL "internal error".
Task<Outcome> guarded(Service& service, Context& ctx, Call& call);
// The innermost filter of a server's chain: guarded(), and what stands behind ctx.call() and ctx.reply(). The Reply's
// head leaves before the first message, its trailers with the Outcome.
Filter answer();

}  // namespace duplex
