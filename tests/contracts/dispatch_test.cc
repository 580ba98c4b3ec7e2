// The dispatch by our own client, through real sockets.
#include <google/protobuf/util/message_differencer.h>

#include "dispatch_service.h"
#include "random_message.h"
#include "served.h"

namespace ridehail::dispatch::v1 {
namespace {

using duplex::Code;
using duplex::Context;
using duplex::Reader;
using duplex::Result;
using duplex::Status;
using duplex::Task;
using duplex::Writer;
using google::protobuf::util::MessageDifferencer;

Ride ride_of(const std::string& id, int64_t cents = 1200) {
  Ride ride;
  ride.set_id(id);
  ride.set_fare_cents(cents);
  ride.mutable_pickup()->set_latitude(50.7);
  return ride;
}

class DispatchTest : public testing::Test {
 protected:
  Task<Result<Ride>> request(Context& ctx, const Ride& ride) {
    RequestRideRequest request;
    request.set_city("bonn");
    *request.mutable_ride() = ride;
    co_return co_await client_.request_ride(ctx, request);
  }

  duplex::tests::Served served_{std::make_shared<DispatchService>()};
  DispatchClient client_{served_.client};
};

TEST_F(DispatchTest, ARequestIsUnderstoodInEveryField) {
  duplex::tests::RandomMessages random;
  duplex::run([&](Context& ctx) -> Task<void> {
    for (int i = 0; i < 200; ++i) {
      ListRidesRequest sent;
      random.fill(sent);
      sent.clear_radius_km();  // a NaN equals nothing
      sent.clear_rating();
      Result<ListRidesResponse> came = co_await client_.list_rides(ctx, sent);
      EXPECT_TRUE(came) << came.error().to_string();
      if (!came) co_return;
      EXPECT_TRUE(MessageDifferencer::Equals(came->query(), sent)) << sent.DebugString() << came->query().DebugString();
    }
  });
}

TEST_F(DispatchTest, ARideFromItsRequestToItsEnd) {
  duplex::run([&](Context& ctx) -> Task<void> {
    const Ride ride = ride_of("r");
    Result<Ride> made = co_await request(ctx, ride);
    EXPECT_TRUE(made && MessageDifferencer::Equals(*made, ride)) << made.error().to_string();
    made = co_await request(ctx, ride);
    EXPECT_EQ(made.error().code(), Code::kAlreadyExists);
    AddNotesRequest notes;
    notes.set_id("r");
    notes.add_notes("ü");
    made = co_await client_.add_notes(ctx, notes);
    EXPECT_TRUE(made && made->notes_size() == 1) << made.error().to_string();
    GetRideRequest get;
    get.set_id("r");
    Result<Fare> fare = co_await client_.get_fare(ctx, get);
    EXPECT_TRUE(fare && fare->cents() == 1200 && fare->parts().at("way") == 900) << fare.error().to_string();
    get.mutable_fields()->add_paths("notes");
    made = co_await client_.get_ride(ctx, get);
    EXPECT_TRUE(made && made->id().empty() && made->notes_size() == 1) << made.error().to_string();
    CancelRideRequest cancel;
    cancel.set_id("r");
    auto cancelled = co_await client_.cancel_ride(ctx, cancel);
    EXPECT_TRUE(cancelled) << cancelled.error().to_string();
    made = co_await client_.get_ride(ctx, get);
    EXPECT_EQ(made.error().code(), Code::kNotFound);
  });
}

TEST_F(DispatchTest, AWatchThatIsLeftEndsWell) {
  duplex::run([&](Context& ctx) -> Task<void> {
    const Ride ride = ride_of("r");
    Result<Ride> made = co_await request(ctx, ride);
    EXPECT_TRUE(made) << made.error().to_string();
    ListRidesRequest all;
    Status s = co_await client_.watch_rides(ctx, all, [&](Context& c, Reader<Ride>& in) -> Task<Status> {
      auto next = co_await in.next(c);
      if (!next) co_return next.error();
      EXPECT_TRUE(*next && MessageDifferencer::Equals(**next, ride));
      co_return Status::ok();  // the service would go on
    });
    EXPECT_TRUE(s.is_ok()) << s.to_string();
    const Ride broken = ride_of("broken", 13);
    made = co_await request(ctx, broken);
    EXPECT_TRUE(made) << made.error().to_string();
    s = co_await client_.watch_rides(ctx, all, [&](Context& c, Reader<Ride>& in) -> Task<Status> {
      for (;;) {
        auto next = co_await in.next(c);
        if (!next) co_return next.error();
        if (!*next) co_return Status::ok();
      }
    });
    EXPECT_EQ(s.code(), Code::kDataLoss) << s.to_string();
  });
}

TEST_F(DispatchTest, StreamsOfPlaces) {
  duplex::run([&](Context& ctx) -> Task<void> {
    auto write_places = [](Context& c, Writer<Place>& out) -> Task<Status> {
      Place place;
      for (int i = 0; i < 100; ++i) {
        place.set_latitude(i / 2.0);
        if (Status s = co_await out.write(c, place); !s.is_ok()) co_return s;
      }
      place.set_latitude(91);  // ends the call
      co_return co_await out.write(c, place);
    };
    Result<Trip> trip = co_await client_.measure_trip(ctx, write_places);
    EXPECT_EQ(trip.error().code(), Code::kOutOfRange) << trip.error().to_string();
    int told = 0;
    Status s = co_await client_.track(ctx, [&](Context& c, Reader<Ride>& in, Writer<Place>& out) -> Task<Status> {
      if (Status w = co_await write_places(c, out); !w.is_ok()) co_return w;
      for (;;) {
        auto ride = co_await in.next(c);
        if (!ride) co_return ride.error();
        if (!*ride) co_return Status::ok();
        EXPECT_EQ((*ride)->dropoff().latitude(), told / 2.0);
        ++told;
      }
    });
    EXPECT_EQ(s.code(), Code::kOutOfRange) << s.to_string();
    EXPECT_EQ(told, 100);
  });
}

}  // namespace
}  // namespace ridehail::dispatch::v1
