// fetch() and stream(): plain requests by whoever has a peer.
#include <charconv>

#include "duplex/contract/typed_client.h"
#include "duplex/protocols/http_client.h"

namespace duplex::plain {
namespace {

constexpr std::string_view kPrefix = "http:";

// One Method a verb, so that metrics have few names; what is asked for stands in the metadata.
class Methods {
 public:
  explicit Methods(bool streams)
      : get_("http:GET", streams, streams, Idempotency::kNoSideEffects),
        head_("http:HEAD", streams, streams, Idempotency::kNoSideEffects),
        put_("http:PUT", streams, streams, Idempotency::kIdempotent),
        delete_("http:DELETE", streams, streams, Idempotency::kIdempotent),
        post_("http:POST", streams, streams),
        patch_("http:PATCH", streams, streams),
        other_("http:other", streams, streams) {}
  const Method& of(std::string_view verb) const {
    for (const Method* method : {&get_, &head_, &put_, &delete_, &post_, &patch_})
      if (method->name.substr(kPrefix.size()) == verb) return *method;
    return other_;
  }

 private:
  // RFC 9110 section 9.2 says which are safe and which idempotent.
  const Method get_, head_, put_, delete_, post_, patch_, other_;
};

const Method& method_of(std::string_view verb, bool streams) {
  static const Methods whole(false), streamed(true);
  return (streams ? streamed : whole).of(verb);
}

Metadata metadata_of(const Request& request) {
  Metadata metadata;
  metadata.add(":method", request.method);
  metadata.add(":path", request.path);
  for (Metadata::Entry e : request.fields) metadata.add(e.name, e.value);
  return metadata;
}

// To whoever asked, an answer is one whatever its HTTP status, which filters may take for a failure.
class Answered final : public Service {
 public:
  explicit Answered(Service& next) : next_(next) {}
  Task<Outcome> call(Context& ctx, Call& c) override {
    Noted out(*c.out);
    Call noted(*c.method, c.metadata, *c.in, out);
    Outcome outcome = co_await next_.call(ctx, noted);
    if (out.status != 0 && out.status == outcome.http_status) outcome.status = Status();
    co_return outcome;
  }

 private:
  class Noted final : public Sink {  // which HTTP status it passes
   public:
    explicit Noted(Sink& out) : out_(out) {}
    Task<Status> head(Context& ctx, Metadata metadata) override {
      status = status_of(metadata);
      return out_.head(ctx, std::move(metadata));
    }
    Task<Status> write(Context& ctx, Message message) override { return out_.write(ctx, std::move(message)); }
    Task<Status> interim(Context& ctx, Metadata metadata) override { return out_.interim(ctx, std::move(metadata)); }
    int status = 0;

   private:
    Sink& out_;
  };
  Service& next_;
};

// The answer, put together.
class Whole final : public Sink {
 public:
  Whole(Answer& answer, size_t limit) : answer_(answer), limit_(limit) {}

  Task<Status> head(Context&, Metadata metadata) override {
    answer_.status = status_of(metadata);
    metadata.remove(":status");
    answer_.fields = std::move(metadata);
    return Task<Status>::ready(Status());
  }
  Task<Status> write(Context&, Message message) override {
    if (body_.size() + message.bytes.size() > limit_)
      return Task<Status>::ready(
          Status::resource_exhausted("the answer's body is larger than " + std::to_string(limit_) + " octets"));
    body_.append(message.bytes.view());
    return Task<Status>::ready(Status());
  }
  void finish(Metadata trailers) {
    answer_.body = body_.take();
    answer_.trailers = std::move(trailers);
  }

 private:
  Answer& answer_;
  const size_t limit_;
  Buffer body_;
};

}  // namespace

bool is_plain(const Method& method) { return method.name.starts_with(kPrefix); }

int status_of(const Metadata& head) {
  int number = 0;
  if (auto text = head.find(":status")) std::from_chars(text->data(), text->data() + text->size(), number);
  return number;
}

Task<Result<Answer>> fetch(Service& peer, Context& ctx, const Request& request, size_t max_body) {
  Answer answer;
  Whole out(answer, max_body);
  One in(Message(request.body, Format::kOpaque));
  Call call(method_of(request.method, false), metadata_of(request), in, out);
  Answered answered(peer);
  Outcome outcome = co_await answered.call(ctx, call);
  if (!outcome.status.is_ok()) co_return outcome.status;
  out.finish(std::move(outcome.trailers));
  co_return answer;
}

Task<Status> stream(Service& peer, Context& ctx, const Request& request, Body body) {
  Pipe upload, answer;
  CallOptions options(metadata_of(request));
  detail::StreamBody run([&](Context& child) { return body(child, upload, answer); });
  Answered answered(peer);
  co_return co_await detail::call_beside(answered, method_of(request.method, true), ctx, std::move(options), upload,
                                         answer, &upload, &answer, std::move(run));
}

}  // namespace duplex::plain
