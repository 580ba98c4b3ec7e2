#include "dispatch_service.h"

#include <google/protobuf/util/field_mask_util.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <cmath>

#include "google/rpc/error_details.pb.h"

namespace ridehail::dispatch::v1 {

using duplex::Context;
using duplex::Reader;
using duplex::Result;
using duplex::Status;
using duplex::Task;
using duplex::Writer;
using google::protobuf::Empty;
using google::protobuf::util::FieldMaskUtil;
using google::protobuf::util::TimeUtil;

namespace {

constexpr int64_t kBaseFare = 300;

bool wants(const ListRidesRequest& request, const std::string& city, const Ride& ride) {
  if (!request.city().empty() && city != request.city()) return false;
  if (!request.rider().id().empty() && ride.rider().id() != request.rider().id()) return false;
  const auto& classes = request.classes();
  if (!classes.empty() && std::find(classes.begin(), classes.end(), ride.vehicle_class()) == classes.end())
    return false;
  if (request.has_since() && ride.requested_at() < request.since()) return false;
  if (request.has_min_fare() && ride.fare_cents() < request.min_fare().value()) return false;
  return !request.only_open() || !ride.has_dropoff();
}

Status check_place(const Place& place) {
  // Not (a || b): a NaN is out of range too.
  if (std::abs(place.latitude()) <= 90 && std::abs(place.longitude()) <= 180) return {};
  return Status::out_of_range("no place on earth: " + std::to_string(place.latitude()) + ", " +
                              std::to_string(place.longitude()));
}

Status check_ride(const Ride& ride) {
  google::rpc::BadRequest bad;
  auto add = [&](const char* field, const char* why) {
    auto* violation = bad.add_field_violations();
    violation->set_field(field);
    violation->set_description(why);
  };
  if (!ride.has_pickup()) add("ride.pickup", "missing");
  if (ride.fare_cents() < 0) add("ride.fare_cents", "less than 0");
  if (bad.field_violations().empty()) return check_place(ride.pickup());
  return Status::invalid_argument("the ride has " + std::to_string(bad.field_violations_size()) + " faults")
      .with_detail("type.googleapis.com/google.rpc.BadRequest", bad.SerializeAsString());
}

double kilometres(const Place& a, const Place& b) {
  return 111.2 * std::hypot(a.latitude() - b.latitude(), a.longitude() - b.longitude());
}

}  // namespace

Result<Ride> DispatchService::find(const std::string& id) {
  std::lock_guard lock(mutex_);
  auto found = rides_.find(id);
  if (found == rides_.end()) return Status::not_found("no ride " + id);
  return found->second.ride;
}

std::vector<Ride> DispatchService::requested_since(size_t& from, const ListRidesRequest& request) {
  std::vector<Ride> found;
  std::lock_guard lock(mutex_);
  for (; from < requested_.size(); ++from) {
    auto at = rides_.find(requested_[from]);
    if (at != rides_.end() && wants(request, at->second.city, at->second.ride)) found.push_back(at->second.ride);
  }
  return found;
}

Task<Result<Ride>> DispatchService::get_ride(Context&, const GetRideRequest& request) {
  Result<Ride> ride = find(request.id());
  if (!ride || !request.has_fields()) co_return ride;
  for (const std::string& path : request.fields().paths())
    if (!FieldMaskUtil::IsValidPath<Ride>(path))
      co_return Status::invalid_argument("fields: there is no field " + path);
  FieldMaskUtil::TrimMessage(request.fields(), &*ride);
  co_return ride;
}

Task<Result<ListRidesResponse>> DispatchService::list_rides(Context&, const ListRidesRequest& request) {
  ListRidesResponse response;
  size_t from = 0;
  const std::vector<Ride> found = requested_since(from, request);
  for (const Ride& ride : found)
    if (request.page_size() <= 0 || response.rides_size() < request.page_size()) *response.add_rides() = ride;
  response.set_total(static_cast<int32_t>(found.size()));
  *response.mutable_query() = request;
  co_return response;
}

Task<Result<Ride>> DispatchService::request_ride(Context&, const RequestRideRequest& request) {
  Ride ride = request.ride();
  if (Status s = check_ride(ride); !s.is_ok()) co_return s;
  {
    std::lock_guard lock(mutex_);
    if (ride.id().empty()) ride.set_id("ride-" + std::to_string(requested_.size() + 1));
    if (rides_.contains(ride.id())) co_return Status::already_exists("there is a ride " + ride.id());
    if (request.dry_run()) co_return ride;
    Kept& kept = rides_[ride.id()];
    kept.city = request.city();
    kept.ride = ride;
    requested_.push_back(ride.id());
  }
  changed_.notify();
  co_return ride;
}

Task<Result<Ride>> DispatchService::update_ride(Context&, const UpdateRideRequest& request) {
  for (const std::string& path : request.update_mask().paths())
    if (!FieldMaskUtil::IsValidPath<Ride>(path))
      co_return Status::invalid_argument("update_mask: there is no field " + path);
  std::lock_guard lock(mutex_);
  auto found = rides_.find(request.ride().id());
  if (found == rides_.end()) co_return Status::not_found("no ride " + request.ride().id());
  FieldMaskUtil::MergeOptions options;
  options.set_replace_message_fields(true);
  options.set_replace_repeated_fields(true);
  FieldMaskUtil::MergeMessageTo(request.ride(), request.update_mask(), options, &found->second.ride);
  co_return found->second.ride;
}

Task<Result<Ride>> DispatchService::add_notes(Context&, const AddNotesRequest& request) {
  std::lock_guard lock(mutex_);
  auto found = rides_.find(request.id());
  if (found == rides_.end()) co_return Status::not_found("no ride " + request.id());
  found->second.ride.mutable_notes()->MergeFrom(request.notes());
  co_return found->second.ride;
}

Task<Result<Empty>> DispatchService::cancel_ride(Context&, const CancelRideRequest& request) {
  std::lock_guard lock(mutex_);
  if (rides_.erase(request.id()) == 0) co_return Status::not_found("no ride " + request.id());
  co_return Empty();
}

// The ride whose id is the last part of the name, with the name as its note.
Task<Result<Ride>> DispatchService::read_file(Context&, const ReadFileRequest& request) {
  Result<Ride> ride = find(request.name().substr(request.name().rfind('/') + 1));
  if (ride) ride->add_notes(request.name());
  co_return ride;
}

Task<Status> DispatchService::watch_rides(Context& ctx, const ListRidesRequest& request, Writer<Ride>& out) {
  int told = 0;
  for (size_t from = 0;;) {
    const uint64_t seen = changed_.version();
    const std::vector<Ride> requested = requested_since(from, request);
    for (const Ride& ride : requested) {
      if (ride.fare_cents() == 13) co_return Status::data_loss("the meter of " + ride.id() + " is broken");
      if (Status s = co_await out.write(ctx, ride); !s.is_ok()) co_return s;
      if (++told == request.page_size()) co_return Status::ok();
    }
    if (Status s = co_await changed_.changed(ctx, seen); !s.is_ok()) co_return s;
  }
}

Task<Status> DispatchService::track(Context& ctx, Reader<Place>& in, Writer<Ride>& out) {
  Ride ride;
  ride.set_id("tracked");
  for (;;) {
    auto place = co_await in.next(ctx);
    if (!place) co_return place.error();
    if (!*place) co_return Status::ok();
    if (Status s = check_place(**place); !s.is_ok()) co_return s;
    if (ride.has_dropoff()) *ride.mutable_pickup() = ride.dropoff();
    *ride.mutable_dropoff() = std::move(**place);
    if (Status s = co_await out.write(ctx, ride); !s.is_ok()) co_return s;
  }
}

Task<Result<Trip>> DispatchService::measure_trip(Context& ctx, Reader<Place>& in) {
  Trip trip;
  for (;;) {
    auto place = co_await in.next(ctx);
    if (!place) co_return place.error();
    if (!*place) break;
    if (Status s = check_place(**place); !s.is_ok()) co_return s;
    if (trip.has_last()) trip.set_kilometres(trip.kilometres() + kilometres(trip.last(), **place));
    trip.set_places(trip.places() + 1);
    *trip.mutable_last() = std::move(**place);
  }
  co_return trip;
}

Task<Result<Fare>> DispatchService::get_fare(Context&, const GetRideRequest& request) {
  Result<Ride> ride = find(request.id());
  if (!ride) co_return ride.error();
  Fare fare;
  fare.set_cents(ride->fare_cents());
  (*fare.mutable_parts())["base"] = kBaseFare;
  (*fare.mutable_parts())["way"] = ride->fare_cents() - kBaseFare;
  co_return fare;
}

}  // namespace ridehail::dispatch::v1
