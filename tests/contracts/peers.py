"""One server seen by two clients that are not ours: grpcio, and curl for REST."""
import functools
import importlib
import json
import os
import subprocess
import sys
import urllib.parse

import google.protobuf
import grpc
from google.protobuf import descriptor_pb2, json_format

PROBLEM = "application/problem+json"


def compile_protos(out, proto_dir, googleapis):
    """The message classes, made by protoc into `out`: modules clinic_pb2, dispatch_pb2 and google.rpc's."""
    subprocess.run(["protoc", f"-I{proto_dir}", f"-I{googleapis}", f"--python_out={out}", "clinic.proto", "dispatch.proto",
                    "google/api/annotations.proto", "google/api/http.proto", "google/rpc/status.proto",
                    "google/rpc/error_details.proto"], check=True)
    sys.path.insert(0, out)
    google.__path__.append(os.path.join(out, "google"))  # beside google.protobuf
    return importlib.import_module("clinic_pb2"), importlib.import_module("dispatch_pb2")


class Stub:
    """What grpc_tools would generate, from the descriptors: stub.Get(request)."""

    def __init__(self, channel, service):
        for method in service.methods:
            shape = descriptor_pb2.MethodDescriptorProto()
            method.CopyToProto(shape)
            kind = "_".join("stream" if streams else "unary" for streams in (shape.client_streaming, shape.server_streaming))
            call = getattr(channel, kind)(
                f"/{service.full_name}/{method.name}", request_serializer=lambda m: m.SerializeToString(),
                response_deserializer=method.output_type._concrete_class.FromString)
            setattr(self, method.name, functools.partial(call, timeout=60))  # a hang is a failure


def outcome(call):
    """The RpcError of a call that fails; None if it does not."""
    try:
        call()
    except grpc.RpcError as error:
        return error
    return None


class Answer:
    def __init__(self, status, content_type, text):
        self.status, self.content_type, self.text = status, content_type, text

    def json(self):
        return json.loads(self.text)

    def message(self, message_type):
        if self.status != 200:
            raise AssertionError(f"answered {self.status}: {self.text}")
        return json_format.Parse(self.text, message_type())


class Rest:
    """curl, over HTTP/1.1 and HTTP/2 in turn."""

    def __init__(self, address):
        self.address, self.calls = address, 0

    def command(self, verb, target, *more, http2=True):
        self.calls += 1
        return ["curl", "-sS", "-g", "--path-as-is", "--noproxy", "*", "--max-time", "60", "-X", verb,
                "--http2-prior-knowledge" if http2 and self.calls % 2 else "--http1.1", *more, f"http://{self.address}{target}"]

    def call(self, verb, target, body=None, content_type="application/json", http2=True):
        """`body`: text, or what json.dumps() takes. curl 7.88 gives up (92) when an answer over HTTP/2 overtakes the body,
        so what is refused by its head alone is asked without `http2`."""
        more = ["-w", "\n%{http_code} %{content_type}"]
        if body is not None:
            more += ["-H", f"content-type: {content_type}", "--data-binary", "@-"]
            body = body if isinstance(body, (str, bytes)) else json.dumps(body)
        done = subprocess.run(self.command(verb, target, *more, http2=http2), check=True, stdout=subprocess.PIPE,
                              input=body.encode() if isinstance(body, str) else body)
        text, _, last = done.stdout.decode().rpartition("\n")
        status, _, kind = last.partition(" ")
        return Answer(int(status), kind, text)

    def lines(self, target, count, accept):
        """The first `count` lines that are not empty of an answer that may never end."""
        with subprocess.Popen(self.command("GET", target, "-N", "-H", f"accept: {accept}"), stdout=subprocess.PIPE) as curl:
            try:
                found = []
                while len(found) < count:
                    line = curl.stdout.readline()
                    if not line:
                        break
                    if line.strip():
                        found.append(line.decode().rstrip("\n"))
                return found
            finally:
                curl.kill()


def quoted(text):
    return urllib.parse.quote(text, safe="")


def query_of(message, prefix=""):
    """A message as query parameters: what is set, nested fields by their path."""
    pairs = []
    for field, value in message.ListFields():
        name = prefix + field.name
        if field.message_type and field.message_type.file.package != "google.protobuf":
            pairs += query_of(value, name + ".")
            continue
        values = json_format.MessageToDict(message, preserving_proto_field_name=True)[field.name]
        for one in values if isinstance(values, list) else [values]:
            pairs.append((name, str(one).lower() if isinstance(one, bool) else str(one)))
    return pairs if prefix else urllib.parse.urlencode(pairs)
