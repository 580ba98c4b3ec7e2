"""bench client: CPU a call of our typed client, 20 calls in flight on one connection, against a grpc++ callback client.
The server is the same for both: ours in the first metric, grpc++'s in the second. Before them a bare nghttp2 client, which
makes its requests from a template and reads no message: the floor."""

import os
import statistics
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from harness import Bench, run_load  # noqa: E402

bench = Bench("client")
RUN = 1.0 if bench.options.short else 2.5  # seconds of a run, about
IN_FLIGHT = 20


def main():
    h2 = bench.program("load/bench_h2_load")
    ours, peer = bench.program("client/bench_client_ours"), bench.program("grpc/bench_grpc_load")
    servers = bench.echo_servers()

    def run(server, side, calls):
        if side == "floor":
            command = [h2, "closed", server.address, "--connections", 1, "--streams", IN_FLIGHT, "--calls", calls]
        elif side == "ours":
            command = [ours, server.address, IN_FLIGHT, calls]
        else:
            command = [peer, server.address, 1, IN_FLIGHT, calls]
        raw = run_load(command, server)
        return raw["load_cpu_s"] / raw["calls"] * 1e6, raw

    for metric, server in (("cpu_per_call", servers["ours"]), ("cpu_per_call_grpc_server", servers["peer"])):
        if not bench.wants(metric):
            continue
        calls = {}
        for side in ("floor", "ours", "peer"):
            _, raw = run(server, side, 5000)
            calls[side] = max(2000, int(5000 / raw["seconds"] * RUN))
        floor = statistics.median(run(server, "floor", calls["floor"])[0] for _ in range(3))
        whose = "our" if server.name == "ours" else "grpc++'s"
        print(f"the floor, a bare nghttp2 client, {whose} server: {floor:.3f} us a call", flush=True)
        bench.compare(metric, "us", lambda side: run(server, side, calls[side]),
                      note=f"{IN_FLIGHT} in flight on one connection, {whose} server; the floor, a bare nghttp2 "
                      f"client: {floor:.3f} us")


sys.exit(bench.run(main))
