"""bench policy: what all policies of a peer add to a unary call, in process, against a budget."""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from harness import SERVER_CORE, Bench, Failed, pinned, start  # noqa: E402

bench = Bench("policy")
BUDGET = 1000


def run(seconds):
    command = [bench.program("policy/bench_policy"), str(seconds)]
    process = start(pinned(SERVER_CORE, command), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate(timeout=100)
    if process.returncode:
        raise Failed(f"{' '.join(command)}: exit status {process.returncode}\n{err}")
    return json.loads(out)


def main():
    raws = [run(1 if bench.options.short else 3) for _ in range(3 if bench.options.short else 7)]
    bench.budget("ns_added", "ns", [raw["ns"] - raw["bare_ns"] for raw in raws], BUDGET, raws)
    last = raws[-1]
    bench.say(f"the call without them: {last['bare_ns']:.0f} ns; allocations a call (malloc): {last['allocations']:.2f}, "
              f"without them {last['bare_allocations']:.2f}")


sys.exit(bench.run(main))
