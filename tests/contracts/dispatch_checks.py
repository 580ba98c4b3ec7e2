"""The dispatch's rides, by gRPC and REST at the same time: every way in which a request can stand in a URL."""
import json
import math

import grpc
from google.protobuf import json_format

from clinic_checks import expect_equal
from interop_process import expect
from peers import PROBLEM, Stub, outcome, query_of, quoted
from random_message import RandomMessages

HTTP = {"INVALID_ARGUMENT": 400, "OUT_OF_RANGE": 400, "FAILED_PRECONDITION": 400, "NOT_FOUND": 404, "ALREADY_EXISTS": 409,
        "ABORTED": 409, "UNIMPLEMENTED": 501, "INTERNAL": 500, "DATA_LOSS": 500}


class DispatchChecks:
    def __init__(self, channel, rest, _, dispatch, random):
        self._dispatch, self._rest = dispatch, rest
        self._channel = channel
        self._stub = Stub(channel, dispatch.DESCRIPTOR.services_by_name["Dispatch"])
        self._messages = RandomMessages(random, [], nul=False)  # HTTP/1.1 takes no %00 in a URL

    def _ride(self, id, **more):
        ride = self._messages.make(self._dispatch.Ride)
        ride.MergeFrom(self._dispatch.Ride(id=id))
        ride.pickup.latitude, ride.pickup.longitude = 50.7, 7.1
        ride.fare_cents = more.get("fare_cents", 1200)
        return ride

    def _expect_problem(self, answer, status, code, named):
        expect((answer.status, answer.content_type) == (status, PROBLEM), f"expected {status}: {answer.status} {answer.text}")
        problem = answer.json()
        expect((problem.get("status"), problem.get("code")) == (status, code), f"expected {code}: {answer.text}")
        expect(named in problem.get("detail", ""), f"{named!r} is not named: {answer.text}")

    def a_ride_goes_in_and_out_over_both(self):
        for i in range(20):
            ride = self._ride(f"ride {i}/ü")
            city = quoted(f"city of {i}: a/b")
            if i % 2:
                request = self._dispatch.RequestRideRequest(city=f"city of {i}: a/b", ride=ride)
                made = self._stub.RequestRide(request)
            else:
                made = self._rest.call("POST", f"/v1/cities/{city}/rides", json_format.MessageToJson(ride))
                made = made.message(self._dispatch.Ride)
            expect_equal(made, ride, "requested")
            expect_equal(self._stub.GetRide(self._dispatch.GetRideRequest(id=ride.id)), ride, "over gRPC")
            read = self._rest.call("GET", "/v1/rides/" + quoted(ride.id)).message(self._dispatch.Ride)
            expect_equal(read, ride, "over REST")
            listed = self._rest.call("GET", f"/v1/cities/{city}/rides").json()
            expect(len(listed) == 1, f"the rides of {city}: {listed}")
            expect_equal(json_format.ParseDict(listed[0], self._dispatch.Ride()), ride, "the only one of its city")

    def a_query_says_all_that_a_request_can(self):
        for i in range(60):
            request = self._messages.make(self._dispatch.ListRidesRequest)
            request.ClearField("labels")  # a map cannot stand in a URL, nor a message with nothing in it
            if not request.rider.ListFields():
                request.ClearField("rider")
            came = self._rest.call("GET", "/v1/rides?" + query_of(request)).message(self._dispatch.ListRidesResponse)
            expect_equal(came.query, request, f"the query, round {i}")
            over_grpc = self._stub.ListRides(request)
            expect(over_grpc.total == came.total, f"{over_grpc.total} rides over gRPC, {came.total} over REST")

    def a_dry_run_leaves_nothing(self):
        answer = self._rest.call("POST", "/v1/cities/bonn/rides?dry_run=true", json_format.MessageToJson(self._ride("dry")))
        expect(answer.json().get("id") == "dry", f"a dry run: {answer.text}")
        self._expect_problem(self._rest.call("GET", "/v1/rides/dry"), 404, "NOT_FOUND", "dry")

    def parts_of_a_ride(self):
        ride = self._ride("parts")
        self._stub.RequestRide(self._dispatch.RequestRideRequest(city="bonn", ride=ride))
        masked = self._rest.call("GET", "/v1/rides/parts?fields=pickup.latitude,fareCents").message(self._dispatch.Ride)
        expect_equal(masked, self._dispatch.Ride(pickup={"latitude": 50.7}, fare_cents=1200), "two fields of it")
        expect(self._rest.call("GET", "/v1/rides/parts/fare").text == '"1200"', "a number is the answer")
        expect(self._rest.call("GET", "/v1/rides/parts/fare/parts").json() == {"base": "300", "way": "900"}, "so is a map")

        noted = self._rest.call("POST", "/v1/rides/parts/notes", ["a", "ü \"b\""]).message(self._dispatch.Ride)
        ride.notes.extend(["a", "ü \"b\""])
        expect_equal(noted, ride, "with notes")
        change = {"ride": {"id": "other", "fare_cents": 5, "rider": {"id": "r1"}, "notes": []},
                  "update_mask": "rider.id,notes"}
        ride.rider.id = "r1"
        ride.ClearField("notes")
        changed = self._rest.call("PATCH", "/v1/rides/parts", change).message(self._dispatch.Ride)
        expect_equal(changed, ride, "changed")
        expect_equal(self._stub.GetRide(self._dispatch.GetRideRequest(id="parts")), ride, "changed, over gRPC")

        for verb, target in (("GET", "/v1/archives/2026/files/a%2Fb/parts"),
                             ("SEARCH", "/v1/files?name=archives/2026/files/a%2Fb/parts")):
            name = "archives/2026/files/a%2Fb/parts" if verb == "GET" else "archives/2026/files/a/b/parts"
            filed = self._rest.call(verb, target).message(self._dispatch.Ride)
            expect(filed.notes[-1] == name, f"{verb} {target} came as {filed.notes}")
        expect(self._rest.call("POST", "/v1/rides/parts:cancel", {"reason": "late"}).text == "{}", "a cancelled ride")
        gone = outcome(lambda: self._stub.GetRide(self._dispatch.GetRideRequest(id="parts")))
        expect(gone and gone.code() == grpc.StatusCode.NOT_FOUND, f"after its end: {gone}")

    def a_watch_tells_what_is_asked_for(self):
        stub, make = self._stub, self._dispatch.RequestRideRequest
        live = stub.WatchRides(self._dispatch.ListRidesRequest(city="watched"))
        for i in range(3):
            stub.RequestRide(make(city="elsewhere", ride=self._ride(f"elsewhere-{i}")))
            ride = self._ride(f"watched-{i}")
            stub.RequestRide(make(city="watched", ride=ride))
            expect_equal(next(live), ride, "told at once")
        live.cancel()
        lines = self._rest.lines("/v1/cities/watched/rides:watch", 3, "application/x-ndjson")
        expect([json.loads(line)["id"] for line in lines] == [f"watched-{i}" for i in range(3)], f"told as NDJSON: {lines}")

        stub.RequestRide(make(city="watched", ride=self._ride("watched-3", fare_cents=13)))  # a broken meter
        live = stub.WatchRides(self._dispatch.ListRidesRequest(city="watched"))
        error = outcome(lambda: list(live))
        expect(error and error.code() == grpc.StatusCode.DATA_LOSS, f"a stream that fails: {error}")
        last = json.loads(self._rest.lines("/v1/cities/watched/rides:watch", 4, "application/x-ndjson")[-1])
        expect(last.get("error", {}).get("code") == "DATA_LOSS", f"NDJSON that fails ends in {last}")
        event, data = self._rest.lines("/v1/cities/watched/rides:watch", 5, "text/event-stream")[-2:]
        expect(event == "event: error" and json.loads(data[6:])["code"] == "DATA_LOSS", f"SSE that fails ends in {event} {data}")

    def streams_of_places(self):
        Place = self._dispatch.Place
        places = [Place(latitude=50 + i / 7, longitude=7 - i / 3, label=f"p{i} ü") for i in range(50)]
        told = list(self._stub.Track(iter(places)))
        expect([r.dropoff for r in told] == places and [r.pickup for r in told[1:]] == places[:-1], "tracked")
        trip = self._stub.MeasureTrip(iter(places))
        way = sum(111.2 * math.hypot(a.latitude - b.latitude, a.longitude - b.longitude)
                  for a, b in zip(places, places[1:]))
        expect(math.isclose(trip.kilometres, way) and trip.places == 50 and trip.last == places[-1], f"the trip is {trip}")
        for nowhere in (Place(latitude=91), Place(longitude=math.nan)):
            for call in (lambda: self._stub.MeasureTrip(iter([nowhere])), lambda: list(self._stub.Track(iter([nowhere])))):
                error = outcome(call)
                expect(error and error.code() == grpc.StatusCode.OUT_OF_RANGE, f"{nowhere}: {error}")
        self._expect_problem(self._rest.call("POST", "/v1/trips", "{}"), 501, "UNIMPLEMENTED", "gRPC")

    def refusals_are_the_same_over_both(self):
        d, stub, rest = self._dispatch, self._stub, self._rest
        taken = self._ride("taken")
        stub.RequestRide(d.RequestRideRequest(city="bonn", ride=taken))
        far = self._ride("far")
        far.pickup.latitude = 91
        for call, (verb, target, body) in [
                (lambda: stub.GetRide(d.GetRideRequest(id="none")), ("GET", "/v1/rides/none", None)),
                (lambda: stub.RequestRide(d.RequestRideRequest(city="bonn", ride=taken)),
                 ("POST", "/v1/cities/bonn/rides", json_format.MessageToJson(taken))),
                (lambda: stub.RequestRide(d.RequestRideRequest(city="bonn", ride=far)),
                 ("POST", "/v1/cities/bonn/rides", json_format.MessageToJson(far))),
                (lambda: stub.RequestRide(d.RequestRideRequest(city="bonn", ride={"fare_cents": -1})),
                 ("POST", "/v1/cities/bonn/rides", {"fare_cents": -1})),
                (lambda: stub.GetRide(d.GetRideRequest(id="taken", fields={"paths": ["no_such"]})),
                 ("GET", "/v1/rides/taken?fields=noSuch", None)),
                (lambda: stub.CancelRide(d.CancelRideRequest(id="none")), ("POST", "/v1/rides/none:cancel", {}))]:
            error = outcome(call)
            if not error:
                expect(False, f"{verb} {target} is no error over gRPC")
                continue
            self._expect_problem(rest.call(verb, target, body), HTTP[error.code().name], error.code().name, error.details())
        details = rest.call("POST", "/v1/cities/bonn/rides", {"fare_cents": -1}).json()["details"]
        fields = [v["field"] for v in details[0]["field_violations"]]
        expect(fields == ["ride.pickup", "ride.fare_cents"], f"the details are {details}")

    def what_is_not_there(self):
        rest = self._rest
        self._expect_problem(rest.call("GET", "/v1/nothing"), 404, "NOT_FOUND", "/v1/nothing")
        self._expect_problem(rest.call("GET", "/v1/rides/"), 404, "NOT_FOUND", "/v1/rides/")
        self._expect_problem(rest.call("GET", "/v1/rides/a/b"), 404, "NOT_FOUND", "/v1/rides/a/b")
        self._expect_problem(rest.call("DELETE", "/v1/rides/taken"), 405, "UNIMPLEMENTED", "GET, PATCH")
        self._expect_problem(rest.call("GET", "/v1/rides/taken:cancel"), 404, "NOT_FOUND", "no ride taken:cancel")
        self._expect_problem(rest.call("POST", "/v1/rides/taken:explode", {}, http2=False), 405, "UNIMPLEMENTED", "")
        self._expect_problem(rest.call("POST", "/v1/rides/taken:cancel", "reason=x", "application/x-www-form-urlencoded"),
                             415, "INVALID_ARGUMENT", "application/json")
        self._expect_problem(rest.call("GET", "/v1/rides/taken", {"id": "x"}), 400, "INVALID_ARGUMENT", "takes no body")
        self._expect_problem(rest.call("POST", "/v1/rides/taken/notes", json.dumps(["x" * (5 << 20)]), http2=False), 413,
                             "RESOURCE_EXHAUSTED", "larger than")
        unknown = self._channel.unary_unary("/ridehail.dispatch.v1.Dispatch/Fly", request_serializer=bytes)
        error = outcome(lambda: unknown(b"", timeout=60))
        expect(error and error.code() == grpc.StatusCode.UNIMPLEMENTED, f"an unknown method: {error}")
        known = self._channel.unary_unary("/ridehail.dispatch.v1.Dispatch/GetRide", request_serializer=bytes)
        for malformed in (b"\x0a\xff", b"\x0a\x02\xff\xfe"):  # cut off; not UTF-8
            error = outcome(lambda: known(malformed, timeout=60))
            expect(error and error.code() == grpc.StatusCode.INVALID_ARGUMENT, f"{malformed}: {error}")

    def faults_of_a_query_are_named(self):
        for query in ["colour=red", "rider.age=3", "page_size=big", "page_size=2147483648", "after_fare=-1",
                      "after_fare=18446744073709551616", "only_open=yes", "classes=BIKE", "since=yesterday", "longer_than=5",
                      "cursor=***", "rider=x", "labels=x", "min_fare=1.5", "rating=1e39", "radius_km=x", "delta=2147483648",
                      "shard=-1", "tilt=-2147483649", "zones=1&zones=x", "tags=%ff", "page_size=1&pageSize=2",
                      "card=1&voucher=2", "pooled=0"]:
            name = query.rpartition("&")[2].partition("=")[0]
            self._expect_problem(self._rest.call("GET", "/v1/rides?" + query), 400, "INVALID_ARGUMENT", name.rpartition(".")[2])
