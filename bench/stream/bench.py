"""bench stream: one server stream of 1 KB messages, our server against grpc++'s callback server. The load is one bare
nghttp2 client with large windows, the same for both."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from harness import Bench, Failed, run_load  # noqa: E402

bench = Bench("stream")
RUN = 1.0 if bench.options.short else 2.5  # seconds of a run, about


def main():
    h2 = bench.program("load/bench_h2_load")
    servers = bench.echo_servers()

    def run(server, messages):
        raw = run_load([h2, "stream", server.address, "--messages", messages, "--octets", 1024], server)
        if raw["messages"] != messages:
            raise Failed(f"{server.name}: {raw['messages']} of {messages} messages came")
        raw.pop("calls")
        return raw["messages"] / raw["server_cpu_s"], raw

    # The peer by the better of its APIs: first as it comes, then with its hint that messages may share a write.
    peers = {"": [servers["peer"]], "hint": []}
    peers[""].append(bench.server("grpc++ sync", [bench.program("grpc/bench_grpc_peer"), "ADDRESS", "sync"]))
    for api in ("callback", "sync"):
        peers["hint"].append(
            bench.server(f"grpc++ {api} with hint", [bench.program("grpc/bench_grpc_peer"), "ADDRESS", api, "hint"]))
    servers["peer"].name = "grpc++ callback"
    octets = {run(server, 30000)[1]["octets"] for server in [servers["ours"], *peers[""], *peers["hint"]]}
    if len(octets) > 1:
        raise Failed(f"the servers' streams are not the same: {octets} octets")

    for metric, candidates in (("messages_per_cpu_s", peers[""]), ("messages_per_cpu_s_hint", peers["hint"])):
        if not bench.wants(metric):
            continue
        tried = {server.name: run(server, 60000)[0] for server in candidates}
        best = max(candidates, key=lambda server: tried[server.name])
        sides = {"ours": servers["ours"], "peer": best}
        messages = {}
        for side, server in sides.items():
            raw = run(server, 60000)[1]
            messages[side] = int(60000 / raw["seconds"] * RUN)
        pairs = bench.compare(metric, "1/s", lambda side: run(sides[side], messages[side]), better="more",
                              note="against " + best.name + ", of " + ", ".join(
                                  f"{name} {rate:,.0f}/s" for name, rate in tried.items()) + "; more is better")
        for side in sides:
            rate = max(p[side]["messages"] / p[side]["seconds"] for p in pairs)
            full = "yes" if sum(p[side]["generator_full"] for p in pairs) * 2 > len(pairs) else "no"
            bench.say(f"{metric} {side}: at most {rate:,.0f} messages/s, generator full: {full}")


sys.exit(bench.run(main))
