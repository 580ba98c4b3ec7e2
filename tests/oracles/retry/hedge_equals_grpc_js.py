#!/usr/bin/python3
"""Our hedges and grpc-js's (grpc-go has none), attempt for attempt: the same service config, server and scripts.

hedge_equals_grpc_js.py SCRIPTED_SERVER SCRIPTED_CLIENT

Compared are when each attempt begins, what it says of those before it, the code that the caller gets, and which
attempts the server hears cancelled. Times are those of the server, from its first attempt on; a machine under load
holds up one or the other, so what is off is measured again.

Not compared, since grpc-js leaves gRFC A6 there: after a pushback that means no retry it ends the attempts that still
run; after one of n ms it does not hold back the attempt that the delay brings sooner; its throttle does not stop hedges.
"""
import json
import os
import pathlib
import sys

import judged
from judged import ScriptedServer, expect, method_config

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "interop"))
from node_packages import GRPC_JS, PROTO_LOADER, installed  # noqa: E402

MARGIN = 120  # ms that an attempt may begin later than it should
EARLY = 35  # ms that it may seem to begin earlier, when the first was held up on its way
TRIES = 12


def compare(server, clients, title, script, begins, cancelled=(), attempts=3, delay=0.2, non_fatal=("UNAVAILABLE",),
            deadline=20_000):
    """`begins`: when the attempts should begin, in ms; `cancelled`: which of them the server hears cancelled."""
    hedging = {"maxAttempts": attempts, "hedgingDelay": f"{delay}s", "nonFatalStatusCodes": list(non_fatal)}
    config = json.dumps({"methodConfig": [method_config(hedgingPolicy=hedging)]})
    shapes = []
    for who, client in clients.items():
        for _ in range(TRIES):
            # The first call connects, so that the second's first attempt is not held up.
            _, call = server.run(client, config, deadline, ["0", script], cancels=len(cancelled))
            found = [a.at - call.attempts[0].at for a in call.attempts]
            off = [(n, at, wanted) for n, (at, wanted) in enumerate(zip(found, begins))
                   if not wanted - EARLY <= at <= wanted + MARGIN]
            if len(found) == len(begins) and not off:
                break
        expect(not off, f"{title}: {who} begins attempts too early or too late, {TRIES} times: {off}")
        expect(len(found) == len(begins), f"{title}: {who} makes {len(found)} attempts, not {len(begins)}: {found}")
        expect(sorted(call.cancelled) == sorted(cancelled), f"{title}: {who} has cancelled {sorted(call.cancelled)}")
        shapes.append(call.shape())
    expect(shapes[0] == shapes[1], f"{title}: {script!r}: ours {shapes[0]}, grpc-js's {shapes[1]}")
    print(f"{title}: {script} > {' '.join(shapes[0][0])} = {shapes[0][1]}", flush=True)


def main():
    server_program, ours = sys.argv[1:]
    os.environ["NODE_PATH"] = str(installed(GRPC_JS, PROTO_LOADER))
    clients = {"ours": [ours], "grpc-js": ["node", pathlib.Path(__file__).parent / "hedge_client.js"]}
    with ScriptedServer(server_program) as server:
        def judge(*arguments, **more):
            compare(server, clients, *arguments, **more)

        judge("an answer in time", "0", [0])
        judge("attempt k begins at k times the delay", "silent silent silent d20+0", [0, 200, 400, 600], [0, 1, 2],
              attempts=4)
        judge("the first may still win", "d300+0 silent", [0, 200], [1])
        judge("without a delay all begin at once", "silent silent 0", [0, 0, 0], [0, 1], delay=0)
        judge("a failure that is not fatal begins the next at once", "d50+14 silent 0", [0, 50, 250], [1])
        judge("all fail", "14 14 14", [0, 0, 0])
        judge("the last of them is slow", "d500+14 14 14", [0, 200, 200])
        judge("a failure while another runs is not the end", "d500+0 14", [0, 200], attempts=2)
        judge("a fatal failure ends the others", "silent d50+7", [0, 200], [0])
        judge("a fatal failure of the first", "7", [0])
        judge("two codes that are not fatal", "10 14 0", [0, 0, 0], non_fatal=("UNAVAILABLE", "ABORTED"))
        judge("none is", "14 0", [0], non_fatal=())
        judge("an answer that has begun has won", "silent m14", [0, 200], [0])
        judge("more than five attempts are five", "14", [0] * 5, attempts=9)
        judge("pushback delays the next", "14+p100 0", [0, 100])
        judge("pushback that means no retry", "14+p-1 0", [0])
        judge("the deadline ends all", "silent", [0, 200, 400], [0, 1, 2], deadline=700)
    judged.finish()


main()
