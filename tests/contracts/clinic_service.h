// clinic.proto's service over a map in memory.
#pragma once

#include <map>
#include <mutex>
#include <vector>

#include "clinic.duplex.h"
#include "duplex/runtime/channel.h"

namespace clinic::v1 {

class AppointmentsService final : public AppointmentsBase {
 public:
  duplex::Task<duplex::Result<Appointment>> book(duplex::Context& ctx, const Appointment& request) override;
  duplex::Task<duplex::Result<Appointment>> get(duplex::Context& ctx, const GetAppointmentRequest& request) override;
  duplex::Task<duplex::Result<Appointment>> amend(duplex::Context& ctx,
                                                  const AmendAppointmentRequest& request) override;
  duplex::Task<duplex::Result<google::protobuf::Empty>> cancel(duplex::Context& ctx,
                                                               const CancelAppointmentRequest& request) override;
  duplex::Task<duplex::Result<FindAppointmentsResponse>> find(duplex::Context& ctx,
                                                              const FindAppointmentsRequest& request) override;
  duplex::Task<duplex::Status> watch(duplex::Context& ctx, const FindAppointmentsRequest& request,
                                     duplex::Writer<Appointment>& out) override;
  duplex::Task<duplex::Result<BookedAppointments>> book_all(duplex::Context& ctx,
                                                            duplex::Reader<Appointment>& in) override;
  duplex::Task<duplex::Status> desk(duplex::Context& ctx, duplex::Reader<DeskRequest>& in,
                                    duplex::Writer<DeskReply>& out) override;

 private:
  duplex::Result<Appointment> add(Appointment appointment);
  duplex::Status remove(const CancelAppointmentRequest& request);
  // Those booked after the first `from` that the request wants; moves `from` to the end.
  std::vector<Appointment> booked_since(size_t& from, const FindAppointmentsRequest& request);

  std::mutex mutex_;
  std::map<std::string, Appointment> appointments_;
  std::vector<std::string> booked_;  // ids, in the order of booking
  duplex::Signal changed_;
};

}  // namespace clinic::v1
