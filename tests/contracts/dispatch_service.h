// dispatch.proto's service over a map in memory.
#pragma once

#include <map>
#include <mutex>
#include <vector>

#include "dispatch.duplex.h"
#include "duplex/runtime/channel.h"

namespace ridehail::dispatch::v1 {

class DispatchService final : public DispatchBase {
 public:
  duplex::Task<duplex::Result<Ride>> get_ride(duplex::Context& ctx, const GetRideRequest& request) override;
  duplex::Task<duplex::Result<ListRidesResponse>> list_rides(duplex::Context& ctx,
                                                             const ListRidesRequest& request) override;
  duplex::Task<duplex::Result<Ride>> request_ride(duplex::Context& ctx, const RequestRideRequest& request) override;
  duplex::Task<duplex::Result<Ride>> update_ride(duplex::Context& ctx, const UpdateRideRequest& request) override;
  duplex::Task<duplex::Result<Ride>> add_notes(duplex::Context& ctx, const AddNotesRequest& request) override;
  duplex::Task<duplex::Result<google::protobuf::Empty>> cancel_ride(duplex::Context& ctx,
                                                                    const CancelRideRequest& request) override;
  duplex::Task<duplex::Result<Ride>> read_file(duplex::Context& ctx, const ReadFileRequest& request) override;
  duplex::Task<duplex::Status> watch_rides(duplex::Context& ctx, const ListRidesRequest& request,
                                           duplex::Writer<Ride>& out) override;
  duplex::Task<duplex::Status> track(duplex::Context& ctx, duplex::Reader<Place>& in,
                                     duplex::Writer<Ride>& out) override;
  duplex::Task<duplex::Result<Trip>> measure_trip(duplex::Context& ctx, duplex::Reader<Place>& in) override;
  duplex::Task<duplex::Result<Fare>> get_fare(duplex::Context& ctx, const GetRideRequest& request) override;

 private:
  struct Kept {
    std::string city;
    Ride ride;
  };
  duplex::Result<Ride> find(const std::string& id);
  std::vector<Ride> requested_since(size_t& from, const ListRidesRequest& request);

  std::mutex mutex_;
  std::map<std::string, Kept> rides_;
  std::vector<std::string> requested_;  // ids, in their order
  duplex::Signal changed_;
};

}  // namespace ridehail::dispatch::v1
