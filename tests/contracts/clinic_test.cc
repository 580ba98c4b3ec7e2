// The clinic by our own client, through real sockets: random messages come back as they went.
#include <google/protobuf/util/message_differencer.h>

#include "clinic_service.h"
#include "random_message.h"
#include "served.h"

namespace clinic::v1 {
namespace {

using duplex::Code;
using duplex::Context;
using duplex::Reader;
using duplex::Result;
using duplex::Status;
using duplex::Task;
using duplex::Writer;
using duplex::tests::RandomMessages;
using duplex::tests::Served;
using google::protobuf::util::MessageDifferencer;

class ClinicTest : public testing::Test {
 protected:
  Appointment appointment(const std::string& id) {
    Appointment made;
    random_.fill(made);
    made.set_id(id);
    made.mutable_patient()->set_record_number("77");
    made.set_confirmed(false);
    made.set_revision(1);  // as the service sets it
    return made;
  }
  static std::string difference(const Appointment& came, const Appointment& sent) {
    MessageDifferencer differencer;
    differencer.set_float_comparison(MessageDifferencer::EXACT);
    google::protobuf::util::DefaultFieldComparator comparator;
    comparator.set_treat_nan_as_equal(true);
    differencer.set_field_comparator(&comparator);
    std::string text;
    differencer.ReportDifferencesToString(&text);
    return differencer.Compare(sent, came) ? "" : text;
  }

  Served served_{std::make_shared<AppointmentsService>()};
  AppointmentsClient client_{served_.client};
  RandomMessages random_;
};

TEST_F(ClinicTest, WhatIsBookedIsRead) {
  duplex::run([&](Context& ctx) -> Task<void> {
    for (int i = 0; i < 200; ++i) {
      const Appointment sent = appointment("a-" + std::to_string(i));
      Result<Appointment> booked = co_await client_.book(ctx, sent);
      GetAppointmentRequest request;
      request.set_id(sent.id());
      Result<Appointment> came = co_await client_.get(ctx, request);
      EXPECT_TRUE(booked && came) << booked.error().to_string() << came.error().to_string();
      if (!booked || !came) co_return;
      EXPECT_EQ(difference(*booked, sent), "");
      EXPECT_EQ(difference(*came, sent), "");
    }
  });
}

TEST_F(ClinicTest, AFieldMaskChangesWhatItNames) {
  duplex::run([&](Context& ctx) -> Task<void> {
    Appointment kept = appointment("amended");
    Result<Appointment> booked = co_await client_.book(ctx, kept);
    EXPECT_TRUE(booked) << booked.error().to_string();
    AmendAppointmentRequest request;
    *request.mutable_appointment() = appointment("amended");
    request.mutable_update_mask()->add_paths("bill");
    request.mutable_update_mask()->add_paths("patient.name");
    request.mutable_update_mask()->add_paths("voucher");  // of a oneof
    request.set_if_revision(1);
    request.mutable_appointment()->set_voucher(Appointment::Bill::PAID);
    Result<Appointment> amended = co_await client_.amend(ctx, request);
    EXPECT_TRUE(amended) << amended.error().to_string();
    if (!amended) co_return;
    kept.set_voucher(Appointment::Bill::PAID);
    kept.mutable_patient()->set_name(request.appointment().patient().name());
    kept.set_revision(2);
    kept.clear_bill();
    if (request.appointment().has_bill()) *kept.mutable_bill() = request.appointment().bill();
    EXPECT_EQ(difference(*amended, kept), "");
    amended = co_await client_.amend(ctx, request);
    EXPECT_EQ(amended.error().code(), Code::kAborted) << amended.error().to_string();
    request.mutable_update_mask()->add_paths("no_such");
    amended = co_await client_.amend(ctx, request);
    EXPECT_EQ(amended.error().code(), Code::kInvalidArgument) << amended.error().to_string();
  });
}

TEST_F(ClinicTest, AllBooksAStreamAndWatchTellsIt) {
  std::vector<Appointment> sent;
  for (int i = 0; i < 50; ++i) sent.push_back(appointment("s-" + std::to_string(i)));
  duplex::run([&](Context& ctx) -> Task<void> {
    duplex::Scope scope(ctx);
    size_t told = 0;
    FindAppointmentsRequest request;
    request.set_page_size(50);
    scope.spawn([&](Context& c) -> Task<void> {
      Status s = co_await client_.watch(c, request, [&](Context& inner, Reader<Appointment>& in) -> Task<Status> {
        for (;;) {
          auto next = co_await in.next(inner);
          if (!next) co_return next.error();
          if (!*next) co_return Status::ok();
          EXPECT_LT(told, sent.size());
          if (told < sent.size()) {
            EXPECT_EQ(difference(**next, sent[told]), "");
          }
          ++told;
        }
      });
      EXPECT_TRUE(s.is_ok()) << s.to_string();
    });
    Result<BookedAppointments> booked =
        co_await client_.book_all(ctx, [&](Context& c, Writer<Appointment>& out) -> Task<Status> {
          for (const Appointment& a : sent)
            if (Status s = co_await out.write(c, a); !s.is_ok()) co_return s;
          co_return Status::ok();
        });
    EXPECT_TRUE(booked) << booked.error().to_string();
    if (booked) {
      EXPECT_EQ(booked->booked(), 50);
    } else {
      scope.cancel(booked.error());
    }
    co_await scope.join();
    EXPECT_EQ(told, sent.size());
  });
}

TEST_F(ClinicTest, TheDeskAnswersEachAction) {
  const Appointment fresh = appointment("desk");
  std::vector<DeskReply> replies;
  duplex::run([&](Context& ctx) -> Task<void> {
    Status s =
        co_await client_.desk(ctx, [&](Context& c, Reader<DeskReply>& in, Writer<DeskRequest>& out) -> Task<Status> {
          for (int i = 0; i < 5; ++i) {
            DeskRequest request;
            if (i < 2) *request.mutable_book() = fresh;
            if (i == 2 || i == 3) request.set_cancel("desk");
            if (i == 4) request.mutable_count();
            if (Status w = co_await out.write(c, request); !w.is_ok()) co_return w;
            auto reply = co_await in.next(c);
            if (!reply) co_return reply.error();
            if (!*reply) co_return Status::internal("no reply");
            replies.push_back(std::move(**reply));
          }
          co_return Status::ok();
        });
    EXPECT_TRUE(s.is_ok()) << s.to_string();
  });
  ASSERT_EQ(replies.size(), 5u);
  EXPECT_EQ(difference(replies[0].booked(), fresh), "");
  EXPECT_EQ(replies[1].result_case(), DeskReply::kRefused);
  EXPECT_EQ(replies[2].cancelled(), "desk");
  EXPECT_EQ(replies[3].result_case(), DeskReply::kRefused);
  EXPECT_TRUE(replies[4].result_case() == DeskReply::kCount && replies[4].count() == 0);
}

TEST_F(ClinicTest, ARefusalHasItsDetails) {
  duplex::run([&](Context& ctx) -> Task<void> {
    Appointment nobodys;
    Result<Appointment> booked = co_await client_.book(ctx, nobodys);
    EXPECT_EQ(booked.error().code(), Code::kInvalidArgument);
    EXPECT_EQ(booked.error().details().size(), 1u);
    GetAppointmentRequest none;
    Result<Appointment> came = co_await client_.get(ctx, none);
    EXPECT_EQ(came.error().code(), Code::kNotFound) << came.error().to_string();
  });
}

}  // namespace
}  // namespace clinic::v1
