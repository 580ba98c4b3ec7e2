"""Given the README's page of code as a program, when it is called over REST and gRPC, then it answers and streams."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

if not shutil.which("curl") or not shutil.which("protoc"):
    print("SKIPPED: curl and protoc are needed")
    sys.exit(77)
try:
    import grpc
except ImportError as error:
    print(f"SKIPPED: {error}; install python3-grpcio")
    sys.exit(77)

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "examples/shop"))


def curl(address, path, *options):
    done = subprocess.run(["curl", "-sS", "--noproxy", "*", "--max-time", "20", "-w", "\n%{http_code}", *options,
                           f"http://{address}{path}"], capture_output=True, text=True, check=True)
    text, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(text)


def messages():
    """The message classes of page.proto."""
    import demo

    folder = tempfile.mkdtemp()
    demo.HERE, here = os.path.join(ROOT, "examples/page"), demo.HERE
    demo.generate_messages(folder, ["page.proto"])
    demo.HERE = here
    sys.path.insert(0, folder)
    import page_pb2

    shutil.rmtree(folder)
    return page_pb2


def over_rest(address):
    status, tally = curl(address, "/v1/polls/drink:vote", "-d", '{"choice": "tea"}', "-H", "content-type: application/json")
    assert (status, tally) == (200, {"poll": "drink", "votes": {"tea": 1}}), (status, tally)
    status, problem = curl(address, "/v1/polls/none")
    assert (status, problem["code"]) == (404, "NOT_FOUND"), (status, problem)
    status, problem = curl(address, "/v1/polls/drink:vote", "-d", "{}", "-H", "content-type: application/json")
    assert (status, problem["code"]) == (400, "INVALID_ARGUMENT"), (status, problem)


def over_grpc(address, page):
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        def method(make, name, request):
            return make(f"/page.v1.Polls/{name}", request_serializer=request.SerializeToString,
                        response_deserializer=page.Tally.FromString)

        vote = method(channel.unary_unary, "Vote", page.VoteRequest)
        tally = vote(page.VoteRequest(poll="drink", choice="coffee"), timeout=20)
        assert dict(tally.votes) == {"tea": 1, "coffee": 1}, tally
        try:
            method(channel.unary_unary, "GetTally", page.TallyRequest)(page.TallyRequest(poll="none"), timeout=20)
            raise AssertionError("a poll that is not there was found")
        except grpc.RpcError as error:
            assert error.code() is grpc.StatusCode.NOT_FOUND, error

        watched = method(channel.unary_stream, "WatchTally", page.TallyRequest)(page.TallyRequest(poll="drink"), timeout=20)
        assert dict(next(watched).votes) == {"tea": 1, "coffee": 1}
        status, _ = curl(address, "/v1/polls/drink:vote", "-d", '{"choice": "tea"}', "-H", "content-type: application/json")
        assert status == 200
        assert dict(next(watched).votes) == {"tea": 2, "coffee": 1}, "a vote over REST is seen by who watches over gRPC"
        watched.cancel()


def from_many_at_once(address, page):
    """So that every loop has calls: what a data race needs to show itself under TSan."""
    def vote():
        with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0),
                                                     ("grpc.use_local_subchannel_pool", 1)]) as channel:
            call = channel.unary_unary("/page.v1.Polls/Vote", request_serializer=page.VoteRequest.SerializeToString,
                                       response_deserializer=page.Tally.FromString)
            for _ in range(50):
                call(page.VoteRequest(poll="many", choice="yes"), timeout=20)

    threads = [threading.Thread(target=vote) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _, tally = curl(address, "/v1/polls/many")
    assert tally["votes"] == {"yes": 200}, tally


def main():
    page = messages()
    server = subprocess.Popen([sys.argv[1], "127.0.0.1:0"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    told = []
    for line in server.stderr:
        told.append(line)
        if found := re.search(r"listening on (\S+)", line):
            break
    else:
        raise AssertionError("it did not say where it listens: " + "".join(told))
    rest_of_it = threading.Thread(target=lambda: told.extend(server.stderr))
    rest_of_it.start()
    try:
        over_rest(found[1])
        over_grpc(found[1], page)
        from_many_at_once(found[1], page)
        server.send_signal(signal.SIGTERM)
        code = server.wait(timeout=25)
        assert code == 0, f"it ended with {code} after SIGTERM"
    finally:
        server.kill()
        server.wait()
        rest_of_it.join()
        print("it said:", "".join(line for line in told if not line.startswith("{")))  # without its access log


main()
