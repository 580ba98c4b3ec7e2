"""bench json: octets of JSON text a second of CPU, read and written, ours against protobuf's json_util, in process on one core."""

import json
import os
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from harness import SERVER_CORE, Bench, Failed, pinned, start  # noqa: E402

bench = Bench("json")
DOCUMENTS = ("order", "text", "numbers")


def run(*arguments):
    command = [bench.program("json/bench_json"), *map(str, arguments)]
    process = start(pinned(SERVER_CORE, command), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate(timeout=100)
    if process.returncode:
        raise Failed(f"{' '.join(command)}: exit status {process.returncode}\n{err}")
    return out


def main():
    print(run("check"), file=sys.stderr)
    seconds = 0.4 if bench.options.short else 1
    for metric in ("read", "write"):
        def one(side):
            raw = {name: json.loads(run(side, metric, name, seconds)) for name in DOCUMENTS}
            return statistics.geometric_mean(r["octets_per_s"] / 1e6 for r in raw.values()), {"documents": raw}
        pairs = bench.compare(metric, "MB/s", one, better="more", note="geometric mean of an order, a text and numbers with maps")
        for name in DOCUMENTS if pairs else ():
            rates = {side: statistics.median(p[side]["documents"][name]["octets_per_s"] for p in pairs) / 1e6
                     for side in ("ours", "peer")}
            octets = pairs[0]["ours"]["documents"][name]["octets"]
            bench.say(f"{metric} {name} ({octets:,} octets): ours {rates['ours']:,.0f} MB/s, peer {rates['peer']:,.1f} MB/s, "
                      f"{rates['ours'] / rates['peer']:.1f} times")


sys.exit(bench.run(main))
