#!/usr/bin/python3
"""Debian's python3-grpcio as client of our server and as server of our client.

interop_python.py INTEROP_SERVER INTEROP_CLIENT PROTO_DIR GOOGLEAPIS_DIR
"""
import concurrent.futures
import importlib
import os
import subprocess
import sys
import tempfile
import threading
import time

import google.protobuf
import grpc

import interop_process
from interop_process import OurServer, expect, run_our_client

RETRY_INFO = b"\x0a\x02\x08\x03"  # google.rpc.RetryInfo, 3 s
UNICODE = "kein Käse für 猫 \U0001F9C0: 100% \"ok\"\nline two"
BINARY = b"\0\xff\x01,= \n"


def compile_protos(out, proto_dir, googleapis):
    """The message classes, made by protoc into `out`; modules talk_pb2 and google.rpc.status_pb2."""
    subprocess.run(["protoc", f"-I{proto_dir}", f"-I{googleapis}", f"--python_out={out}", "talk.proto",
                    "google/api/annotations.proto", "google/api/http.proto", "google/rpc/status.proto"], check=True)
    sys.path.insert(0, out)
    google.__path__.append(os.path.join(out, "google"))  # beside google.protobuf
    return importlib.import_module("talk_pb2"), importlib.import_module("google.rpc.status_pb2")


class Stub:
    """What grpc_tools would generate."""

    def __init__(self, channel, talk):
        def method(kind, name, request, reply):
            return getattr(channel, kind)(f"/talk.v1.Talk/{name}", request_serializer=request.SerializeToString,
                                          response_deserializer=reply.FromString)

        self.Say = method("unary_unary", "Say", talk.SayRequest, talk.SayReply)
        self.Count = method("unary_stream", "Count", talk.CountRequest, talk.Number)
        self.Add = method("stream_unary", "Add", talk.Number, talk.Sum)
        self.Chat = method("stream_stream", "Chat", talk.Number, talk.Number)
        self.Nope = method("unary_unary", "Nope", talk.SayRequest, talk.SayReply)


class ClientChecks:
    """Their client against our server."""

    def __init__(self, stub, talk, status_pb2):
        self.stub, self.talk, self.status_pb2 = stub, talk, status_pb2

    def count_of(self, name):
        _, call = self.stub.Say.with_call(self.talk.SayRequest())
        return int(dict(call.trailing_metadata())[name])

    def wait_count(self, name, least):
        give_up = time.monotonic() + 60
        while self.count_of(name) < least:
            if time.monotonic() > give_up:
                return expect(False, f"{name} does not come to {least}")

    def error_of(self, call):
        try:
            call()
        except grpc.RpcError as error:
            return error
        expect(False, "the call succeeded")
        return None

    def expect_code(self, call, code):
        error = self.error_of(call)
        if error:
            expect(error.code() == code, f"expected {code}, came {error.code()}: {error.details()}")
        return error

    def unary(self):
        reply = self.stub.Say(self.talk.SayRequest(name="Ädä 名前 🎉", padding=b"p" * 100000))
        expect(reply.text == "hello Ädä 名前 🎉", f"the text is {reply.text}")
        expect(reply.padding == b"p" * 100000, "the padding came back otherwise")

    def empty_messages(self):
        expect(self.stub.Say(self.talk.SayRequest()).text == "hello ", "an empty request")
        expect(self.stub.Add(iter([])) == self.talk.Sum(), "the sum of nothing")
        expect(self.stub.Add(iter([self.talk.Number()] * 3)).count == 3, "three empty messages")
        expect(list(self.stub.Count(self.talk.CountRequest(to=1))) == [self.talk.Number()], "an empty number")
        expect(not list(self.stub.Count(self.talk.CountRequest())), "a stream of nothing")

    def server_stream(self):
        values = [n.value for n in self.stub.Count(self.talk.CountRequest(to=2000, padding=100))]
        expect(values == list(range(2000)), "2000 numbers in order")
        seen = []
        error = self.expect_code(
            lambda: seen.extend(self.stub.Count(self.talk.CountRequest(to=10, fail_at=3))), grpc.StatusCode.ABORTED)
        expect(error.details() == "told to", f"the message is {error.details()}")

    def leaving_a_stream(self):
        before = self.count_of("x-cancelled")
        call = self.stub.Count(self.talk.CountRequest(to=10**9, padding=1000))
        next(call)
        call.cancel()
        self.wait_count("x-cancelled", before + 1)

    def client_stream(self):
        total = self.stub.Add(self.talk.Number(value=i, padding=b"x" * 100) for i in range(1, 2001))
        expect((total.value, total.count) == (2000 * 2001 // 2, 2000), f"the sum is {total}")

    def bidi_stream(self):
        echo = self.stub.Chat(self.talk.Number(value=i) for i in range(1, 201))
        expect([n.value for n in echo] == list(range(1, 201)), "200 echoes")

        over = threading.Event()

        def silent_after(value):
            yield self.talk.Number(value=value)
            over.wait()  # our half stays open until the server has ended

        expect(not list(self.stub.Chat(silent_after(0))), "the server ends well")
        self.expect_code(lambda: list(self.stub.Chat(silent_after(-1))), grpc.StatusCode.INVALID_ARGUMENT)
        over.set()

    def deadline(self):
        before = self.count_of("x-cancelled")
        self.expect_code(lambda: self.stub.Say(self.talk.SayRequest(wait_ms=3600000), timeout=0.3),
                         grpc.StatusCode.DEADLINE_EXCEEDED)
        self.wait_count("x-cancelled", before + 1)
        left = self.stub.Say(self.talk.SayRequest(), timeout=7).left_ms
        expect(1000 < left <= 7100, f"7 s came as {left} ms")  # gRPC's core rounds a timeout up, by up to 1 %

    def cancellation(self):
        before = self.count_of("x-cancelled")
        call = self.stub.Say.future(self.talk.SayRequest(wait_ms=3600000), timeout=3600)
        self.wait_count("x-running", 1)
        call.cancel()
        expect(call.code() == grpc.StatusCode.CANCELLED, f"the code is {call.code()}")
        self.wait_count("x-cancelled", before + 1)

    def metadata(self):
        sent = (("x-echo", "a value, with = and %41"), ("x-echo-bin", BINARY))
        _, call = self.stub.Say.with_call(self.talk.SayRequest(), metadata=sent)
        head, trailers = dict(call.initial_metadata()), dict(call.trailing_metadata())
        expect(head.get("x-echo-head") == "a value, with = and %41", "ASCII in the head")
        expect(head.get("x-echo-head-bin") == BINARY, "binary in the head")
        expect(trailers.get("x-echo-trailer") == "a value, with = and %41", "ASCII in the trailers")
        expect(trailers.get("x-echo-bin") == BINARY, "binary in the trailers")

    def status_details(self):
        for code in grpc.StatusCode:
            number = code.value[0]
            if number == 0:
                continue
            error = self.expect_code(lambda: self.stub.Say(self.talk.SayRequest(fail_code=number)), code)
            expect(error.details() == "as you like", f"the message is {error.details()}")
            details = dict(error.trailing_metadata()).get("grpc-status-details-bin", b"")
            status = self.status_pb2.Status.FromString(details)
            expect(status.code == number and status.message == "as you like" and len(status.details) == 1 and
                   status.details[0].type_url == "type.googleapis.com/google.rpc.RetryInfo" and
                   status.details[0].value == RETRY_INFO, f"the details are {status}")

    def unicode_status(self):
        error = self.expect_code(
            lambda: self.stub.Say(self.talk.SayRequest(), metadata=(("x-fail-bin", UNICODE.encode()),)),
            grpc.StatusCode.ABORTED)
        expect(error.details() == UNICODE, f"the message is {error.details()}")

    def message_limits(self):
        padding = b"x" * (3 << 20)
        expect(self.stub.Say(self.talk.SayRequest(padding=padding)).padding == padding, "3 MiB both ways")
        self.expect_code(lambda: self.stub.Say(self.talk.SayRequest(padding=b"x" * (5 << 20))),
                         grpc.StatusCode.RESOURCE_EXHAUSTED)  # past the server's limit
        self.expect_code(lambda: next(self.stub.Count(self.talk.CountRequest(to=2, padding=5 << 20))),
                         grpc.StatusCode.RESOURCE_EXHAUSTED)  # past the client's
        expect(self.stub.Say(self.talk.SayRequest(name="after")).text == "hello after", "a call after them")

    def unknown_method(self):
        self.expect_code(lambda: self.stub.Nope(self.talk.SayRequest()), grpc.StatusCode.UNIMPLEMENTED)

    def a_thousand_at_once(self):
        calls = [self.stub.Say.future(self.talk.SayRequest(name=f"n{i}"), timeout=60) for i in range(1000)]
        expect([c.result().text for c in calls] == [f"hello n{i}" for i in range(1000)], "a thousand answers")

    def all(self):
        for check in (self.unary, self.empty_messages, self.server_stream, self.leaving_a_stream, self.client_stream,
                      self.bidi_stream, self.deadline, self.cancellation, self.metadata, self.status_details,
                      self.unicode_status, self.message_limits, self.unknown_method, self.a_thousand_at_once):
            before = interop_process.failures
            try:
                check()
            except (grpc.RpcError, StopIteration, AttributeError) as error:
                expect(False, f"{check.__name__}: {error!r}")
            print("ok    " if interop_process.failures == before else "failed", check.__name__, flush=True)


class Talk:
    """Their server: TalkService of tests/core/talk_service.h with interop_server's trailers."""

    def __init__(self, talk, status_pb2):
        self.talk, self.status_pb2 = talk, status_pb2
        self.lock = threading.Lock()
        self.running = self.cancelled = 0

    def say(self, request, context):
        given = dict(context.invocation_metadata())
        over = threading.Event()
        context.add_callback(over.set)
        with self.lock:
            self.running += 1
        try:
            if request.wait_ms and over.wait(request.wait_ms / 1000):
                with self.lock:
                    self.cancelled += 1
                return self.talk.SayReply()
        finally:
            with self.lock:
                self.running -= 1
        trailers = []
        head = []
        if "x-echo" in given:
            head.append(("x-echo-head", given["x-echo"]))
            trailers.append(("x-echo-trailer", given["x-echo"]))
        if "x-echo-bin" in given:
            head.append(("x-echo-head-bin", given["x-echo-bin"]))
            trailers.append(("x-echo-bin", given["x-echo-bin"]))
        if head:
            context.send_initial_metadata(head)
        with self.lock:
            trailers += [("x-running", str(self.running)), ("x-cancelled", str(self.cancelled))]
        if request.fail_code:
            status = self.status_pb2.Status(code=request.fail_code, message="as you like")
            status.details.add(type_url="type.googleapis.com/google.rpc.RetryInfo", value=RETRY_INFO)
            trailers.append(("grpc-status-details-bin", status.SerializeToString()))
        context.set_trailing_metadata(trailers)
        if "x-fail-bin" in given:
            context.abort(grpc.StatusCode.ABORTED, given["x-fail-bin"].decode())
        if request.fail_code:
            code = next(c for c in grpc.StatusCode if c.value[0] == request.fail_code)
            context.abort(code, "as you like")
        left = context.time_remaining()
        return self.talk.SayReply(text="hello " + request.name, padding=request.padding,
                                  left_ms=-1 if left is None else int(left * 1000))

    def count(self, request, context):
        def gone():
            with self.lock:
                self.cancelled += not ended[0]

        ended = [False]
        context.add_callback(gone)
        for i in range(request.to):
            if request.fail_at and i == request.fail_at:
                ended[0] = True
                context.abort(grpc.StatusCode.ABORTED, "told to")
            if i == request.to - 1:
                ended[0] = True
            yield self.talk.Number(value=i, padding=b"x" * request.padding)

    def add(self, numbers, _):
        total = self.talk.Sum()
        for n in numbers:
            total.value += n.value
            total.count += 1
        return total

    def chat(self, numbers, context):
        for n in numbers:
            if n.value == 0:
                return
            if n.value < 0:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, "negative")
            yield n

    def handlers(self):
        talk = self.talk

        def of(make, f, request, reply):
            return make(f, request_deserializer=request.FromString, response_serializer=reply.SerializeToString)

        return grpc.method_handlers_generic_handler("talk.v1.Talk", {
            "Say": of(grpc.unary_unary_rpc_method_handler, self.say, talk.SayRequest, talk.SayReply),
            "Count": of(grpc.unary_stream_rpc_method_handler, self.count, talk.CountRequest, talk.Number),
            "Add": of(grpc.stream_unary_rpc_method_handler, self.add, talk.Number, talk.Sum),
            "Chat": of(grpc.stream_stream_rpc_method_handler, self.chat, talk.Number, talk.Number),
        })


def main():
    our_server, our_client, proto_dir, googleapis = sys.argv[1:]
    with tempfile.TemporaryDirectory() as out:
        talk, status_pb2 = compile_protos(out, proto_dir, googleapis)

        print("== python3-grpcio's client, our server", flush=True)
        with OurServer(our_server) as server:
            with grpc.insecure_channel(server.address) as channel:
                ClientChecks(Stub(channel, talk), talk, status_pb2).all()
            server.stop()

        print("== our client, python3-grpcio's server", flush=True)
        server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=16))
        server.add_generic_rpc_handlers((Talk(talk, status_pb2).handlers(),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        run_our_client(our_client, f"127.0.0.1:{port}")
        server.stop(0).wait()
    print("all held" if not interop_process.failures else f"{interop_process.failures} did not hold", flush=True)
    sys.exit(1 if interop_process.failures else 0)


main()
