#include "clinic_service.h"

#include <google/protobuf/util/field_mask_util.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>

#include "google/rpc/error_details.pb.h"

namespace clinic::v1 {

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

template <class Wanted, class T>
bool among(const Wanted& wanted, const T& value) {
  return wanted.empty() || std::find(wanted.begin(), wanted.end(), value) != wanted.end();
}

bool wants(const FindAppointmentsRequest& request, const Appointment& a) {
  if (!request.patient().record_number().empty() && a.patient().record_number() != request.patient().record_number())
    return false;
  if (!among(request.urgencies(), a.urgency()) || !among(request.ids(), a.id())) return false;
  if (request.has_after() && !(request.after() < a.starts_at())) return false;
  if (request.has_insured() && a.insured().value() != request.insured().value()) return false;
  if (request.has_ward() && a.ward() != request.ward()) return false;
  const Patient::Filter& filter = request.filter();
  // An urgency that we do not know may be a negative number.
  if ((filter.at_least() != URGENCY_UNSPECIFIED && a.urgency() < filter.at_least()) ||
      !among(filter.names(), a.patient().name()))
    return false;
  if (filter.has_shorter_than() && !(a.length() < filter.shorter_than())) return false;
  return !filter.has_tag() || std::find(a.tags().begin(), a.tags().end(), filter.tag()) != a.tags().end();
}

// clinic.proto does not import BadRequest, so over REST it travels as its bytes.
Status no_record_number() {
  google::rpc::BadRequest bad;
  auto* violation = bad.add_field_violations();
  violation->set_field("patient.record_number");
  violation->set_description("empty; say whose appointment it is");
  return Status::invalid_argument("patient.record_number: empty; say whose appointment it is")
      .with_detail("type.googleapis.com/google.rpc.BadRequest", bad.SerializeAsString());
}

Status check_page(const FindAppointmentsRequest& request) {
  if (request.page_size() >= 0) return {};
  return Status::invalid_argument("page_size: " + std::to_string(request.page_size()) + " is less than 0");
}

}  // namespace

Result<Appointment> AppointmentsService::add(Appointment appointment) {
  if (appointment.patient().record_number().empty()) return no_record_number();
  {
    std::lock_guard lock(mutex_);
    if (appointment.id().empty()) appointment.set_id("apt-" + std::to_string(booked_.size() + 1));
    appointment.set_revision(1);
    if (!appointments_.emplace(appointment.id(), appointment).second)
      return Status::already_exists("there is an appointment " + appointment.id());
    booked_.push_back(appointment.id());
  }
  changed_.notify();
  return appointment;
}

Status AppointmentsService::remove(const CancelAppointmentRequest& request) {
  std::lock_guard lock(mutex_);
  auto found = appointments_.find(request.id());
  if (found == appointments_.end()) return Status::not_found("no appointment " + request.id());
  if (found->second.confirmed() && request.reason().empty())
    return Status::failed_precondition(request.id() + " is confirmed: give a reason");
  appointments_.erase(found);
  return {};
}

std::vector<Appointment> AppointmentsService::booked_since(size_t& from, const FindAppointmentsRequest& request) {
  std::vector<Appointment> found;
  std::lock_guard lock(mutex_);
  for (; from < booked_.size(); ++from) {
    auto at = appointments_.find(booked_[from]);
    if (at != appointments_.end() && wants(request, at->second)) found.push_back(at->second);
  }
  return found;
}

Task<Result<Appointment>> AppointmentsService::book(Context&, const Appointment& request) {
  return Task<Result<Appointment>>::ready(add(request));
}

Task<Result<Appointment>> AppointmentsService::get(Context&, const GetAppointmentRequest& request) {
  std::lock_guard lock(mutex_);
  auto found = appointments_.find(request.id());
  if (found == appointments_.end()) co_return Status::not_found("no appointment " + request.id());
  co_return found->second;
}

Task<Result<Appointment>> AppointmentsService::amend(Context&, const AmendAppointmentRequest& request) {
  for (const std::string& path : request.update_mask().paths())
    if (!FieldMaskUtil::IsValidPath<Appointment>(path))
      co_return Status::invalid_argument("update_mask: there is no field " + path);
  std::lock_guard lock(mutex_);
  auto found = appointments_.find(request.appointment().id());
  if (found == appointments_.end()) co_return Status::not_found("no appointment " + request.appointment().id());
  Appointment& kept = found->second;
  if (request.has_if_revision() && request.if_revision() != kept.revision())
    co_return Status::aborted("the appointment is at revision " + std::to_string(kept.revision()) + " by now");
  const std::string id = kept.id();
  const uint64_t revision = kept.revision();
  if (request.update_mask().paths().empty()) {
    kept = request.appointment();
  } else {
    FieldMaskUtil::MergeOptions options;
    options.set_replace_message_fields(true);
    options.set_replace_repeated_fields(true);
    FieldMaskUtil::MergeMessageTo(request.appointment(), request.update_mask(), options, &kept);
  }
  kept.set_id(id);
  kept.set_revision(revision + 1);
  co_return kept;
}

Task<Result<Empty>> AppointmentsService::cancel(Context&, const CancelAppointmentRequest& request) {
  if (Status s = remove(request); !s.is_ok()) co_return s;
  co_return Empty();
}

Task<Result<FindAppointmentsResponse>> AppointmentsService::find(Context&, const FindAppointmentsRequest& request) {
  if (Status s = check_page(request); !s.is_ok()) co_return s;
  FindAppointmentsResponse response;
  google::protobuf::Duration total;
  size_t from = 0;
  for (Appointment& a : booked_since(from, request)) {
    total += a.length();
    ++(*response.mutable_by_urgency())[Urgency_IsValid(a.urgency()) ? Urgency_Name(a.urgency()) : "OTHER"];
    if (request.page_size() == 0 || response.appointments_size() < request.page_size())
      *response.add_appointments() = std::move(a);
  }
  *response.mutable_total_length() = total;
  co_return response;
}

Task<Status> AppointmentsService::watch(Context& ctx, const FindAppointmentsRequest& request,
                                        Writer<Appointment>& out) {
  if (Status s = check_page(request); !s.is_ok()) co_return s;
  int told = 0;
  for (size_t from = 0;;) {
    const uint64_t seen = changed_.version();
    const std::vector<Appointment> booked = booked_since(from, request);
    for (const Appointment& a : booked) {
      if (Status s = co_await out.write(ctx, a); !s.is_ok()) co_return s;
      if (++told == request.page_size()) co_return Status::ok();
    }
    if (Status s = co_await changed_.changed(ctx, seen); !s.is_ok()) co_return s;
  }
}

Task<Result<BookedAppointments>> AppointmentsService::book_all(Context& ctx, Reader<Appointment>& in) {
  BookedAppointments all;
  for (;;) {
    auto next = co_await in.next(ctx);
    if (!next) co_return next.error();
    if (!*next) break;
    Result<Appointment> added = add(std::move(**next));
    if (!added) co_return added.error();
    all.set_booked(all.booked() + 1);
    all.add_ids(added->id());
  }
  co_return all;
}

Task<Status> AppointmentsService::desk(Context& ctx, Reader<DeskRequest>& in, Writer<DeskReply>& out) {
  for (;;) {
    auto next = co_await in.next(ctx);
    if (!next) co_return next.error();
    if (!*next) co_return Status::ok();
    DeskReply reply;
    switch ((*next)->action_case()) {
      case DeskRequest::kBook: {
        Result<Appointment> added = add((*next)->book());
        if (added)
          *reply.mutable_booked() = std::move(*added);
        else
          reply.set_refused(added.error().to_string());
        break;
      }
      case DeskRequest::kCancel: {
        CancelAppointmentRequest cancel;
        cancel.set_id((*next)->cancel());
        Status removed = remove(cancel);
        if (removed.is_ok())
          reply.set_cancelled(cancel.id());
        else
          reply.set_refused(removed.to_string());
        break;
      }
      case DeskRequest::kCount: {
        std::lock_guard lock(mutex_);
        reply.set_count(static_cast<int32_t>(appointments_.size()));
        break;
      }
      case DeskRequest::ACTION_NOT_SET:
        co_return Status::unimplemented("an action that this desk does not know");
    }
    if (Status s = co_await out.write(ctx, reply); !s.is_ok()) co_return s;
  }
}

}  // namespace clinic::v1
