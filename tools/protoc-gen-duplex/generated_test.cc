#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "duplex/contract/router.h"
#include "duplex/runtime/run.h"
#include "duplex/runtime/wait.h"
#include "parcels.duplex.h"

namespace courier::v1 {

using duplex::CallOptions;
using duplex::Code;
using duplex::Context;
using duplex::Reader;
using duplex::Result;
using duplex::Status;
using duplex::Task;
using duplex::Writer;
using Stop = Parcel::Stop;

// A courier of fixed habits: parcel "P1" exists, "missing" does not, "endless" never stops moving.
class Courier final : public ParcelsBase {
 public:
  Task<Result<Parcel>> get_parcel(Context&, const ParcelKey& request) override {
    if (request.tracking_number() == "missing") co_return Status::not_found("no parcel " + request.tracking_number());
    Parcel parcel;
    parcel.set_tracking_number(request.tracking_number());
    parcel.set_weight_grams(1200);
    co_return parcel;
  }
  Task<Status> track(Context& ctx, const ParcelKey& request, Writer<Stop>& out) override {
    const bool endless = request.tracking_number() == "endless";
    for (int i = 0; endless || i < 3; ++i) {
      Stop stop;
      stop.set_depot("depot " + std::to_string(i));
      Status s = co_await out.write(ctx, stop);
      if (!s.is_ok()) {
        track_ended_with = s;
        co_return s;
      }
      co_await duplex::yield(ctx);
    }
    if (request.tracking_number() == "lost") co_return Status::data_loss("the parcel is lost");
    co_return Status::ok();
  }
  Task<Result<Manifest>> load(Context& ctx, Reader<Scan>& in) override {
    Manifest sum;
    for (;;) {
      auto scan = co_await in.next(ctx);
      if (!scan) co_return scan.error();
      if (!*scan) co_return sum;
      if ((*scan)->weight_grams() < 0) co_return Status::invalid_argument("a parcel weighs less than nothing");
      sum.set_scans(sum.scans() + 1);
      sum.set_weight_grams(sum.weight_grams() + (*scan)->weight_grams());
    }
  }
  Task<Status> chat(Context& ctx, Reader<Question>& in, Writer<Answer>& out) override {
    for (;;) {
      auto question = co_await in.next(ctx);
      if (!question) co_return question.error();
      if (!*question) co_return Status::ok();
      if ((*question)->text() == "bye") co_return Status::failed_precondition("the desk has closed");
      Answer answer;
      answer.set_text("re: " + (*question)->text());
      if (Status s = co_await out.write(ctx, answer); !s.is_ok()) co_return s;
    }
  }
  Task<Result<google::protobuf::Empty>> delete_(Context& ctx, const ParcelKey&) override {
    co_await duplex::sleep(ctx, std::chrono::hours(1));
    if (ctx.cancelled()) co_return ctx.why();
    co_return google::protobuf::Empty();
  }

  Status track_ended_with;
};

ParcelKey key(const std::string& number) {
  ParcelKey made;
  made.set_tracking_number(number);
  return made;
}

template <class F>
void run(F f) {
  duplex::run([&](Context& ctx) -> Task<void> { co_await f(ctx); });
}

TEST(Generated, DescriptionNamesMethodsAndRules) {
  const auto& description = ParcelsBase::description();
  ASSERT_TRUE(description.status().is_ok()) << description.status().to_string();
  EXPECT_EQ(description.name(), "courier.v1.Parcels");
  ASSERT_EQ(description.methods().size(), 5u);
  EXPECT_EQ(description.method(0).name, "/courier.v1.Parcels/GetParcel");
  EXPECT_EQ(description.method(0).idempotency, duplex::Idempotency::kNoSideEffects);
  EXPECT_TRUE(description.method(3).caller_streams && description.method(3).service_streams);
  ASSERT_NE(description.method(1).contract, nullptr);
  ASSERT_EQ(description.method(1).contract->http_rules().size(), 1u);
  EXPECT_EQ(description.method(1).contract->http_rules()[0].path.verb(), "track");
}

TEST(Generated, UnaryAnswersAndFails) {
  Courier courier;
  ParcelsClient client(courier);
  run([&](Context& ctx) -> Task<void> {
    Result<Parcel> found = co_await client.get_parcel(ctx, key("P1"));
    EXPECT_TRUE(found) << found.error().to_string();
    if (found) {
      EXPECT_EQ(found->weight_grams(), 1200);
    }
    Result<Parcel> missing = co_await client.get_parcel(ctx, key("missing"));
    EXPECT_EQ(missing.error().code(), Code::kNotFound);
    EXPECT_EQ(missing.error().message(), "no parcel missing");
  });
}

TEST(Generated, RequestIsReadBeforeTheTaskIsAwaited) {
  Courier courier;
  ParcelsClient client(courier);
  run([&](Context& ctx) -> Task<void> {
    auto task = client.get_parcel(ctx, key("P7"));  // the key is gone by the next line
    Result<Parcel> found = co_await std::move(task);
    EXPECT_TRUE(found);
    if (found) {
      EXPECT_EQ(found->tracking_number(), "P7");
    }
  });
}

TEST(Generated, DeadlineOfACall) {
  Courier courier;
  ParcelsClient client(courier);
  run([&](Context& ctx) -> Task<void> {
    CallOptions options(std::chrono::milliseconds(5));
    auto deleted = co_await client.delete_(ctx, key("P1"), std::move(options));
    EXPECT_EQ(deleted.error().code(), Code::kDeadlineExceeded);
  });
}

TEST(Generated, ServerStreamToItsEnd) {
  Courier courier;
  ParcelsClient client(courier);
  run([&](Context& ctx) -> Task<void> {
    std::vector<std::string> depots;
    Status s = co_await client.track(ctx, key("P1"), [&](Context& c, Reader<Stop>& stops) -> Task<Status> {
      for (;;) {
        auto stop = co_await stops.next(c);
        if (!stop) co_return stop.error();
        if (!*stop) co_return Status::ok();
        depots.push_back((*stop)->depot());
      }
    });
    EXPECT_TRUE(s.is_ok()) << s.to_string();
    EXPECT_EQ(depots, (std::vector<std::string>{"depot 0", "depot 1", "depot 2"}));
  });
}

TEST(Generated, ServerStreamsStatusComesLastEvenIfTheBodyDoesNotLook) {
  Courier courier;
  ParcelsClient client(courier);
  run([&](Context& ctx) -> Task<void> {
    Status s = co_await client.track(ctx, key("lost"), [](Context& c, Reader<Stop>& stops) -> Task<Status> {
      while (auto stop = co_await stops.next(c)) {
        if (!*stop) break;
      }
      co_return Status::ok();
    });
    EXPECT_EQ(s.code(), Code::kDataLoss);
  });
}

TEST(Generated, BodyThatReturnsEarlyCancelsTheCallAndIsOk) {
  Courier courier;
  ParcelsClient client(courier);
  run([&](Context& ctx) -> Task<void> {
    std::string name = "a capture that g++ 12 would destroy twice if the lambda had no name";
    const auto body = [name](Context& c, Reader<Stop>& stops) -> Task<Status> {
      auto stop = co_await stops.next(c);
      if (!stop) co_return stop.error();
      co_return name.size() > 10 ? Status::ok() : Status::internal(name);
    };
    Status s = co_await client.track(ctx, key("endless"), body);
    EXPECT_TRUE(s.is_ok()) << s.to_string();
    EXPECT_EQ(courier.track_ended_with.code(), Code::kCancelled);
  });
}

TEST(Generated, BodysErrorWins) {
  Courier courier;
  ParcelsClient client(courier);
  run([&](Context& ctx) -> Task<void> {
    Status s = co_await client.track(ctx, key("endless"), [](Context& c, Reader<Stop>& stops) -> Task<Status> {
      auto stop = co_await stops.next(c);
      co_return Status::out_of_range("too far");
    });
    EXPECT_EQ(s.code(), Code::kOutOfRange);
  });
}

TEST(Generated, BodysExceptionComesOutAfterTheCallHasEnded) {
  Courier courier;
  ParcelsClient client(courier);
  run([&](Context& ctx) -> Task<void> {
    std::string what;
    try {
      Status s = co_await client.track(ctx, key("endless"), [](Context&, Reader<Stop>&) -> Task<Status> {
        throw std::runtime_error("the reader tripped");
        co_return Status::ok();
      });
    } catch (const std::exception& e) {
      what = e.what();
    }
    EXPECT_EQ(what, "the reader tripped");
    EXPECT_EQ(courier.track_ended_with.code(), Code::kCancelled);
  });
}

TEST(Generated, ClientStreamSumsUp) {
  Courier courier;
  ParcelsClient client(courier);
  run([&](Context& ctx) -> Task<void> {
    Result<Manifest> sum = co_await client.load(ctx, [](Context& c, Writer<Scan>& scans) -> Task<Status> {
      for (int i = 1; i <= 100; ++i) {
        Scan scan;
        scan.set_weight_grams(i);
        if (Status s = co_await scans.write(c, scan); !s.is_ok()) co_return s;
      }
      co_return Status::ok();
    });
    EXPECT_TRUE(sum) << sum.error().to_string();
    if (sum) {
      EXPECT_EQ(sum->scans(), 100);
      EXPECT_EQ(sum->weight_grams(), 5050);
    }
  });
}

TEST(Generated, ClientStreamThatTheServiceEndsEarlyHasTheServicesStatus) {
  Courier courier;
  ParcelsClient client(courier);
  run([&](Context& ctx) -> Task<void> {
    Result<Manifest> sum = co_await client.load(ctx, [](Context& c, Writer<Scan>& scans) -> Task<Status> {
      for (;;) {
        Scan scan;
        scan.set_weight_grams(-1);
        if (Status s = co_await scans.write(c, scan); !s.is_ok()) co_return s;
      }
    });
    EXPECT_EQ(sum.error().code(), Code::kInvalidArgument);
  });
}

TEST(Generated, BothWaysTakeTurnsAndFinish) {
  Courier courier;
  ParcelsClient client(courier);
  run([&](Context& ctx) -> Task<void> {
    Status s = co_await client.chat(ctx, [](Context& c, Reader<Answer>& in, Writer<Question>& out) -> Task<Status> {
      for (const char* text : {"where?", "when?"}) {
        Question question;
        question.set_text(text);
        if (Status w = co_await out.write(c, question); !w.is_ok()) co_return w;
        auto answer = co_await in.next(c);
        if (!answer) co_return answer.error();
        if (!*answer) co_return Status::internal("ended early");
        EXPECT_EQ((*answer)->text(), std::string("re: ") + text);
      }
      out.finish();
      auto end = co_await in.next(c);
      EXPECT_TRUE(end && !*end);
      co_return Status::ok();
    });
    EXPECT_TRUE(s.is_ok()) << s.to_string();
  });
}

TEST(Generated, BothWaysGiveTheServicesStatus) {
  Courier courier;
  ParcelsClient client(courier);
  run([&](Context& ctx) -> Task<void> {
    Status s = co_await client.chat(ctx, [](Context& c, Reader<Answer>& in, Writer<Question>& out) -> Task<Status> {
      Question question;
      question.set_text("bye");
      if (Status w = co_await out.write(c, question); !w.is_ok()) co_return w;
      auto answer = co_await in.next(c);
      co_return answer ? Status::ok() : answer.error();
    });
    EXPECT_EQ(s.code(), Code::kFailedPrecondition);
  });
}

TEST(Generated, ADeadlineEndsBothBodyAndCall) {
  Courier courier;
  ParcelsClient client(courier);
  run([&](Context& ctx) -> Task<void> {
    CallOptions options(std::chrono::milliseconds(5));
    Status s = co_await client.chat(
        ctx,
        [](Context& c, Reader<Answer>& in, Writer<Question>&) -> Task<Status> {
          auto answer = co_await in.next(c);
          co_return answer ? Status::ok() : answer.error();
        },
        std::move(options));
    EXPECT_EQ(s.code(), Code::kDeadlineExceeded);
  });
}

// What stands on the wire, without the typed client.
duplex::Outcome raw_call(int method, std::vector<duplex::Message> messages) {
  class Several final : public duplex::Source {
   public:
    explicit Several(std::vector<duplex::Message> m) : messages_(std::move(m)) {}
    Task<duplex::NextResult> next(Context& ctx) override {
      co_await duplex::yield(ctx);  // nothing is there at once
      if (at_ == messages_.size()) co_return std::optional<duplex::Message>();
      co_return std::optional<duplex::Message>(messages_[at_++]);
    }

   private:
    std::vector<duplex::Message> messages_;
    size_t at_ = 0;
  };
  Courier courier;
  return duplex::run([&](Context& ctx) -> Task<duplex::Outcome> {
    Several in(std::move(messages));
    duplex::Keep out;
    duplex::Call call(ParcelsBase::description().method(static_cast<size_t>(method)), duplex::Metadata(), in, out);
    co_return co_await courier.call(ctx, call);
  });
}

TEST(Generated, AUnaryCallTakesExactlyOneWellFormedMessage) {
  const duplex::Message good(duplex::Bytes::literal("\n\002P1")), bad(duplex::Bytes::literal("\n\377"));
  EXPECT_EQ(raw_call(0, {good}).status.code(), Code::kOk);
  EXPECT_EQ(raw_call(0, {}).status.code(), Code::kUnimplemented);
  EXPECT_EQ(raw_call(0, {good, good}).status.code(), Code::kUnimplemented);
  EXPECT_EQ(raw_call(0, {bad}).status.code(), Code::kInvalidArgument);
  EXPECT_EQ(raw_call(2, {bad}).status.code(), Code::kInvalidArgument);
}

TEST(Generated, AMethodOfAnotherServiceIsUnimplemented) {
  Courier courier;
  duplex::Method other("/other.Service/Do", false, false);
  duplex::Outcome outcome = duplex::run([&](Context& ctx) -> Task<duplex::Outcome> {
    duplex::One in{duplex::Message()};
    duplex::Drop out;
    duplex::Call call(other, duplex::Metadata(), in, out);
    co_return co_await courier.call(ctx, call);
  });
  EXPECT_EQ(outcome.status.code(), Code::kUnimplemented);
}

}  // namespace courier::v1
