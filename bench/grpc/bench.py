"""bench grpc: unary echo of a typed message, our server against grpc++'s callback server."""

import json
import os
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from harness import Bench, Failed, run_load  # noqa: E402

bench = Bench("grpc")
RUN = 0.8 if bench.options.short else 2.0  # seconds of a run, about


def main():
    h2 = bench.program("load/bench_h2_load")
    client = bench.program("grpc/bench_grpc_load")
    servers = bench.echo_servers()
    request = os.path.join(bench.folder, "grpc-request.bin")
    frame = run_frame(h2, request)

    # Both are asked the same; every reply is compared, and each with what was asked. It is their warm-up too.
    same = run_plain([h2, "verify", servers["ours"].address, servers["peer"].address, "--connections", 10, "--streams", 20,
                      "--calls", 5000 if bench.options.short else 20000])
    bench.say(f"replies compared byte for byte between both: {same['compared']}, different: {same['different']}; "
              "in every run of our own generators each 1,000th with the request as well")
    servers["ours"].tidy()

    def h2load(side, streams, calls):
        server = servers[side]
        raw = run_load(["h2load", "-n", calls, "-c", 10, "-m", streams, "-d", request, "-H",
                        "content-type: application/grpc", "-H", "te: trailers",
                        f"http://{server.address}/duplex.bench.Echo/Unary"], server)
        if raw["octets"] != raw["calls"] * frame:
            raise Failed(f"{side}: {raw['octets']} octets in {raw['calls']} replies instead of {frame} each")
        return raw

    def per_call(raw):
        return raw["server_cpu_s"] / raw["calls"] * 1e6, raw

    def counts(run):
        """How many calls make a run of RUN seconds, for each side."""
        found = {}
        for side in servers:
            raw = run(side, 8000)
            found[side] = max(2000, int(raw["calls"] / raw["seconds"] * RUN))
        return found

    peak = None
    if bench.wants("cpu_per_call") or bench.wants("p99"):
        calls = counts(lambda side, n: h2load(side, 20, n))
        peak = calls["peer"] / RUN
        pairs = bench.compare("cpu_per_call", "us", lambda side: per_call(h2load(side, 20, calls[side])),
                              note="h2load, 10 connections x 20 streams")
        if pairs:
            peak = statistics.median(p["peer"]["calls"] / p["peer"]["seconds"] for p in pairs)
    if bench.wants("cpu_per_call_1"):
        calls = counts(lambda side, n: h2load(side, 1, n))
        bench.compare("cpu_per_call_1", "us", lambda side: per_call(h2load(side, 1, calls[side])),
                      note="h2load, 10 connections x 1 stream")

    def open_loop(side, rate):
        return run_load([h2, "open", servers[side].address, "--connections", 10, "--streams", 20, "--rate", rate,
                         "--seconds", RUN], servers[side])

    def at_rate(side):
        raw = open_loop(side, 40000)
        if raw["calls"] < 0.97 * 40000 * RUN:
            raise Failed(f"{side}: {raw['calls']} calls instead of {40000 * RUN}")
        raw["generator_full"] = raw["late_p99_us"] > 100
        return per_call(raw)
    bench.compare("cpu_per_call_rate", "us", at_rate, note="40,000 calls/s by a Poisson process, 10 connections x 20 streams")

    def real(side, calls):
        return run_load([client, servers[side].address, 10, 20, calls], servers[side])
    if bench.wants("cpu_per_call_real"):
        calls = counts(real)
        bench.compare("cpu_per_call_real", "us", lambda side: per_call(real(side, calls[side])),
                      note="a grpc++ callback client, 10 channels x 20 in flight")

    def p99(side):
        raw = open_loop(side, int(peak / 2))
        raw["generator_full"] = raw["late_p99_us"] > 100
        return raw["p99_us"], raw
    if bench.wants("p99"):
        bench.compare("p99", "us", p99, note=f"open loop, {peak / 2:,.0f} calls/s (half of the peer's peak), from the "
                      "intended send time")

    def p50_1(side):
        raw = run_load([h2, "closed", servers[side].address, "--connections", 1, "--streams", 1, "--seconds", RUN],
                       servers[side])
        return raw["p50_us"], raw
    bench.compare("p50_1", "us", p50_1, note="1 connection, 1 stream")


def run_plain(command):
    raw = run_load(command)
    if raw["different"] or raw["errors"]:
        raise Failed(f"the two servers' replies differ: {raw}")
    return raw


def run_frame(h2, path):
    return json.loads(subprocess.run([h2, "request", path], check=True, capture_output=True, text=True).stdout)["frame"]


sys.exit(bench.run(main))
