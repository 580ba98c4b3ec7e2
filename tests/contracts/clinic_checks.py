"""The clinic's appointments, by gRPC and REST at the same time."""
import json

import grpc
from google.protobuf import any_pb2, duration_pb2, field_mask_pb2, json_format, struct_pb2, timestamp_pb2, wrappers_pb2

from interop_process import expect
from peers import PROBLEM, Stub, outcome, query_of, quoted
from random_message import RandomMessages

ROUNDS = 60


def as_dict(message):
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def expect_equal(came, wanted, what):
    came, wanted = as_dict(came), as_dict(wanted)
    for name in sorted({*came, *wanted}):
        expect(came.get(name) == wanted.get(name), f"{what}: {name} is {came.get(name)!r}, not {wanted.get(name)!r}")


class ClinicChecks:
    def __init__(self, channel, rest, clinic, _, random):
        self._clinic, self._rest, self._random = clinic, rest, random
        self._stub = Stub(channel, clinic.DESCRIPTOR.services_by_name["Appointments"])
        self._messages = RandomMessages(random, [
            clinic.Measurement, clinic.Patient, clinic.Appointment, duration_pb2.Duration, timestamp_pb2.Timestamp,
            struct_pb2.Struct, struct_pb2.Value, wrappers_pb2.Int64Value, wrappers_pb2.BytesValue, any_pb2.Any])

    def _appointment(self, **more):
        made = self._messages.make(self._clinic.Appointment)
        for name in ["id", *more]:
            made.ClearField(name)
        made.MergeFrom(self._clinic.Appointment(**more))
        made.patient.record_number = made.patient.record_number or "r"
        made.confirmed = more.get("confirmed", False)
        made.revision = 1  # as the service sets it
        return made

    def written_over_grpc_it_is_read_over_rest(self):
        for i in range(ROUNDS):
            sent = self._appointment(id=f"grpc/{i} ä")
            expect_equal(self._stub.Book(sent), sent, "booked over gRPC")
            came = self._rest.call("GET", "/v1/appointments/" + quoted(sent.id))
            expect(came.content_type == "application/json", f"the content type is {came.content_type}")
            expect_equal(came.message(self._clinic.Appointment), sent, f"read over REST, round {i}")

    def written_over_rest_it_is_read_over_grpc(self):
        for i in range(ROUNDS):
            sent = self._appointment(id=f"rest {i}/{'x' * (i % 3)}")
            body = json_format.MessageToJson(sent, preserving_proto_field_name=self._random.random() < 0.5,
                                             use_integers_for_enums=self._random.random() < 0.5, ensure_ascii=i % 2)
            if i % 3:
                came = self._rest.call("POST", "/v1/appointments", body)
            else:  # the path says which
                loose = json.loads(body)
                loose["id"] = "another"
                came = self._rest.call("PUT", "/v1/appointments/" + quoted(sent.id), loose)
            expect_equal(came.message(self._clinic.Appointment), sent, f"booked over REST, round {i}")
            expect_equal(self._stub.Get(self._clinic.GetAppointmentRequest(id=sent.id)), sent, f"read over gRPC, round {i}")

    def one_field_is_the_response(self):
        fields = {"bill": "bill", "measurements": "measurements", "tags": "tags", "start": "starts_at", "serial": "serial",
                  "extra": "extra", "attachment": "attachment"}
        for i in range(8):
            kept = self._stub.Book(self._appointment(id=f"parts-{i}"))
            whole = self._rest.call("GET", f"/v1/appointments/{kept.id}").json()
            for place, name in fields.items():
                part = self._rest.call("GET", f"/v1/appointments/{kept.id}/{place}")
                if kept.DESCRIPTOR.fields_by_name[name].message_type and name not in whole:
                    expect(part.status == 200, f"{name}, which is absent: {part.status} {part.text}")
                else:
                    expect(part.json() == whole[name], f"{name} alone is {part.text}, not {whole[name]}")

    def fields_that_only_a_newer_client_knows_survive_grpc(self):
        sent = self._appointment(id="newer").SerializeToString() + b"\xc2\x3e\x03new"  # field 1000
        came = self._stub.Book(self._clinic.Appointment.FromString(sent))
        expect(came.SerializeToString().find(b"\xc2\x3e\x03new") >= 0, "the unknown field is gone")
        read = self._rest.call("GET", "/v1/appointments/newer")
        expect(read.status == 200 and "new" not in read.json().get("tags", []), f"over REST: {read.text}")

    def names_that_mean_one_number(self):
        for name, shown in (("WARD_PAEDIATRICS", "WARD_CHILDREN"), ("WARD_MORGUE", "WARD_MORGUE"), (5, 5), ("-3", -3)):
            answer = self._rest.call("POST", "/v1/appointments", {"patient": {"record_number": "w"}, "ward": name})
            if name == "-3":
                expect(answer.status == 400, f"a number as text is no enum's name: {answer.text}")
                continue
            expect(answer.json()["ward"] == shown, f"{name} came as {answer.json()['ward']}")
            found = self._rest.call("GET", f"/v1/appointments?ward={name}&ids={answer.json()['id']}").json()
            expect(len(found["appointments"]) == 1, f"the query ward={name} finds {found}")

    def a_patch_changes_what_its_mask_names(self):
        kept = self._stub.Book(self._appointment(id="patched"))
        change = self._appointment(id="another", cost_cents=7, fee=0.0)
        change.bill.lines.add(text="X-ray", cents=5)
        body = json_format.MessageToJson(change)
        twice = self._rest.call("PATCH", "/v1/appointments/patched?update_mask=bill,costCents&updateMask=fee", body)
        expect(twice.status == 400 and "twice" in twice.text, f"a mask is one value: {twice.text}")
        answer = self._rest.call("PATCH", "/v1/appointments/patched?update_mask=bill,costCents,fee&if_revision=1", body)
        kept.bill.CopyFrom(change.bill)
        kept.cost_cents, kept.fee, kept.revision = 7, 0.0, 2
        expect_equal(answer.message(self._clinic.Appointment), kept, "patched")
        expect_equal(self._stub.Get(self._clinic.GetAppointmentRequest(id="patched")), kept, "patched, over gRPC")

        kept.patient.name = "over gRPC"
        request = self._clinic.AmendAppointmentRequest(appointment=kept, update_mask={"paths": ["patient.name"]},
                                                       if_revision=2)
        kept.revision = 3
        expect_equal(self._stub.Amend(request), kept, "amended over gRPC")
        expect_equal(self._rest.call("GET", "/v1/appointments/patched").message(self._clinic.Appointment), kept, "and read")

        error = outcome(lambda: self._stub.Amend(request))
        expect(error and error.code() == grpc.StatusCode.ABORTED, f"an old revision over gRPC: {error}")
        problem = self._rest.call("PATCH", "/v1/appointments/patched?if_revision=2", {})
        expect((problem.status, problem.json().get("code")) == (409, "ABORTED"), f"an old revision: {problem.text}")
        problem = self._rest.call("PATCH", "/v1/appointments/patched?update_mask=no_such", {})
        expect(problem.status == 400 and "no_such" in problem.json()["detail"], f"an unknown path: {problem.text}")

    def queries_find_what_requests_find(self):
        clinic, record = self._clinic, "77/ü"
        for i in range(12):
            self._stub.Book(self._appointment(
                id=f"find-{i}", patient={"record_number": record, "name": f"n{i % 2}"}, urgency=i % 3,
                starts_at={"seconds": 1000 + i}, length={"seconds": 60 * i}, insured={"value": i % 4 == 0},
                tags=[f"t{i % 5}"]))
        patient = clinic.Patient(record_number=record)
        for wanted, more in [
                (12, {}), (4, {"urgencies": [1]}), (8, {"urgencies": [1, 2]}), (2, {"ids": ["find-3", "find-4", "nobody"]}),
                (4, {"after": {"seconds": 1007}}), (3, {"insured": {"value": True}}), (9, {"insured": {}}),
                (8, {"filter": {"at_least": 1}}), (6, {"filter": {"names": ["n1", "other"]}}),
                (5, {"filter": {"shorter_than": {"seconds": 299, "nanos": 500_000_000}}}), (2, {"filter": {"tag": "t3"}}),
                (5, {"page_size": 5})]:
            request = clinic.FindAppointmentsRequest(patient=patient, **more)
            found = self._stub.Find(request)
            expect(len(found.appointments) == wanted, f"{more} finds {len(found.appointments)} over gRPC")
            expect(sum(found.by_urgency.values()) >= wanted, f"{more} counts {found.by_urgency}")
            queried = self._rest.call("GET", "/v1/appointments?" + query_of(request))
            expect_equal(queried.message(clinic.FindAppointmentsResponse), found, f"the query of {more}")
            posted = self._rest.call("POST", "/v1/appointments:find", json_format.MessageToJson(request))
            expect_equal(posted.message(clinic.FindAppointmentsResponse), found, f"the body of {more}")
            request.ClearField("patient")
            listed = self._rest.call("GET", f"/v1/patients/{quoted(record)}/appointments?" + query_of(request)).json()
            expect(listed == queried.json()["appointments"], f"the nested path of {more}: {listed}")

    def an_appointment_ends_once(self):
        for i, end in enumerate([
                lambda id: self._rest.call("DELETE", f"/v1/appointments/{id}").text,
                lambda id: self._rest.call("POST", f"/v1/appointments/{id}:cancel", {"reason": "ill"}).text,
                lambda id: self._rest.call("POST", f"/v1/appointments/{id}:cancel").text,
                lambda id: self._rest.call("POST", f"/v1/appointments/{id}/reason", '"ill"').text,
                lambda id: json_format.MessageToJson(self._stub.Cancel(self._clinic.CancelAppointmentRequest(id=id)))]):
            self._stub.Book(self._appointment(id=f"end-{i}"))
            expect(end(f"end-{i}") == "{}", "the end of an appointment says nothing")
            gone = outcome(lambda: self._stub.Get(self._clinic.GetAppointmentRequest(id=f"end-{i}")))
            expect(gone and gone.code() == grpc.StatusCode.NOT_FOUND, f"after the end: {gone}")
            again = self._rest.call("DELETE", f"/v1/appointments/end-{i}")
            expect((again.status, again.json()["code"]) == (404, "NOT_FOUND"), f"a second end: {again.text}")
        sent = self._appointment(id="kept", confirmed=True)
        self._stub.Book(sent)
        refused = self._rest.call("DELETE", "/v1/appointments/kept")
        expect((refused.status, refused.json()["code"]) == (400, "FAILED_PRECONDITION"), f"confirmed: {refused.text}")
        ended = self._rest.call("POST", "/v1/appointments/kept:cancel", {"reason": "moved"})
        expect(ended.status == 200, f"with a reason: {ended.text}")

    def a_watch_tells_all_over_both(self):
        clinic, ids = self._clinic, [f"watch-{i}" for i in range(3)]
        live = self._stub.Watch(clinic.FindAppointmentsRequest(ids=ids))
        sent = []
        for id in ids:
            sent.append(self._appointment(id=id))
            booked = self._rest.call("POST", "/v1/appointments", json_format.MessageToJson(sent[-1]))
            expect_equal(booked.message(clinic.Appointment), sent[-1], "booked")
            expect_equal(next(live), sent[-1], "told over gRPC")
        live.cancel()
        target = "/v1/appointments:watch?" + "&".join(f"ids={id}" for id in ids)
        for more in ("", "&page_size=3"):  # a stream that goes on, and one that ends
            lines = self._rest.lines(target + more, 3, "application/x-ndjson")
            events = self._rest.lines(target + more, 3, "text/event-stream")
            for wanted, line, event in zip(sent, lines, events, strict=True):
                expect_equal(json_format.Parse(line, clinic.Appointment()), wanted, "told as NDJSON")
                expect(event.startswith("data: "), f"an event: {event}")
                expect_equal(json_format.Parse(event[6:], clinic.Appointment()), wanted, "told as an event")

    def streams_of_requests(self):
        clinic = self._clinic
        sent = [self._appointment(id=f"all-{i}") for i in range(20)]
        booked = self._stub.BookAll(iter(sent))
        expect((booked.booked, list(booked.ids)) == (20, [a.id for a in sent]), f"booked {booked}")
        for wanted in sent:
            came = self._rest.call("GET", f"/v1/appointments/{wanted.id}").message(clinic.Appointment)
            expect_equal(came, wanted, "of a stream")
        error = outcome(lambda: self._stub.BookAll(iter(sent)))
        expect(error and error.code() == grpc.StatusCode.ALREADY_EXISTS, f"a second time: {error}")

        fresh = self._appointment(id="desk")
        asked = [clinic.DeskRequest(book=fresh), clinic.DeskRequest(book=fresh), clinic.DeskRequest(count={}),
                 clinic.DeskRequest(cancel="desk"), clinic.DeskRequest(cancel="desk"), clinic.DeskRequest(count={})]
        replies = list(self._stub.Desk(iter(asked)))
        expect([r.WhichOneof("result") for r in replies] ==
               ["booked", "refused", "count", "cancelled", "refused", "count"], f"the desk: {replies}")
        expect_equal(replies[0].booked, fresh, "booked at the desk")
        expect(replies[2].count == replies[5].count + 1, "the desk's counts")
        error = outcome(lambda: list(self._stub.Desk(iter([clinic.DeskRequest()]))))
        expect(error and error.code() == grpc.StatusCode.UNIMPLEMENTED, f"no action: {error}")

    def faults_of_a_body_are_named(self):
        patient = '"patient":{"record_number":"1"}'
        for body, named in [
                ("", "record_number"), ("{", ""), ("[]", ""), ("nonsense", ""), ("{} {}", ""), ('{"id":"\\ud800"}', ""),
                (b'{"id":"\xff"}', ""), ("{" + patient + ',"urgency":"URGENT"}', "urgency"), ('{"colour":"red"}', "colour"),
                ('{"patient":{"recrod":1}}', "recrod"), ('{"floor":-1}', "floor"), ('{"floor":4294967296}', "floor"),
                ('{"cost_cents":"9223372036854775808"}', "cost_cents"), ('{"patient":{"age":2147483648}}', "age"),
                ('{"patient":{"age":1.5}}', "age"), ('{"temperature":1e39}', "temperature"), ('{"dose":1e309}', ""),
                ('{"confirmed":"perhaps"}', "confirmed"), ('{"signature":"*"}', "signature"),
                ('{"floor_names":{"x":"y"}}', "floor_names"), ('{"floor_names":{"2147483648":"y"}}', "floor_names"),
                ('{"triage":{"a":"NOPE"}}', "triage"), ('{"starts_at":"2026-02-30T00:00:00Z"}', "starts_at"),
                ('{"length":"1 h"}', "length"), ('{"length":"315576000001s"}', "length"), ('{"tags":{}}', "tags"),
                ('{"email":"a","phone":{}}', "contact"),
                ('{"attachment":{"@type":"type.googleapis.com/un.Known"}}', "un.Known"),
                ('{"attachment":{"unit":"kg"}}', ""), ("[" * 5000, ""),
                ('{"follow_up":' * 200 + "{}" + "}" * 200, "")]:
            answer = self._rest.call("POST", "/v1/appointments", body)
            ok = answer.status == 400 and answer.content_type == PROBLEM and answer.json()["code"] == "INVALID_ARGUMENT"
            expect(ok and named in answer.json()["detail"], f"{body[:80]!r}: {answer.status} {answer.text[:300]}")

    def a_refusal_is_the_same_over_both(self):
        error = outcome(lambda: self._stub.Book(self._clinic.Appointment()))
        problem = self._rest.call("POST", "/v1/appointments", {}).json()
        expect(error.code() == grpc.StatusCode.INVALID_ARGUMENT and problem["status"] == 400, f"{error} {problem}")
        expect(problem["detail"] == error.details(), f"the words are {problem['detail']} and {error.details()}")
        expect(problem["details"][0]["@type"] == "type.googleapis.com/google.rpc.BadRequest", f"the details: {problem}")

    def what_has_no_json_form_is_the_services_fault(self):
        clinic = self._clinic
        unknown = {"type_url": "type.googleapis.com/un.Known", "value": b"\x08\x01"}
        for i, odd in enumerate([clinic.Appointment(starts_at={"seconds": 2**60}), clinic.Appointment(attachment=unknown),
                                 clinic.Appointment(length={"seconds": -2**60})]):
            odd.patient.record_number, odd.id = "odd", f"odd-{i}"
            kept = self._stub.Book(odd)
            odd.revision = 1
            expect(kept.SerializeToString() == odd.SerializeToString(), "gRPC keeps it as it is")
            problem = self._rest.call("GET", f"/v1/appointments/odd-{i}")
            is_internal = (problem.status, problem.json().get("code")) == (500, "INTERNAL")
            expect(is_internal, f"{odd}: {problem.status} {problem.text}")
        # Without one of its kinds a Value is nothing, but what comes is still JSON.
        self._stub.Book(clinic.Appointment(id="no-kind", patient={"record_number": "odd"}, anything={}))
        expect(self._rest.call("GET", "/v1/appointments/no-kind").json()["id"] == "no-kind", "a Value without a kind")
