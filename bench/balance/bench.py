"""bench balance: p99 of calls to ten servers, nine of which take 10 ms a call and one 200 ms, by the two policies that
look at the load, against round robin. 8,000 calls a second in an open loop; servers and client are one process.

p2c sees the slow server by its queue alone, so it must be so busy that servers have calls in flight when the next one
comes: at 8,000 a second about 0.9 % of the calls go to the slow one, at 500 a second 2 %, which p99 shows. ewma sees it
by its latency, at any rate. The share is printed."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from harness import Bench, run_load  # noqa: E402

bench = Bench("balance")
SECONDS = 2 if bench.options.short else 4
RATE = 8000


def main():
    program = bench.program("balance/bench_balance_load")

    def run(policy):
        raw = run_load([program, policy, RATE, SECONDS])
        return raw["p99_ms"], raw

    for policy in ("p2c", "ewma"):
        pairs = bench.compare(f"p99_{policy}", "ms", lambda side: run(policy if side == "ours" else "round_robin"),
                              note="peer: round robin; one of ten servers takes 200 ms a call, the others 10 ms")
        if pairs:
            shares = [[pair[side]["slow_share"] * 100 for pair in pairs] for side in ("ours", "peer")]
            print(f"calls to the slow server: {policy} {min(shares[0]):.2f} to {max(shares[0]):.2f} %, "
                  f"round robin {min(shares[1]):.2f} to {max(shares[1]):.2f} %", flush=True)


sys.exit(bench.run(main))
