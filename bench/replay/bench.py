"""bench replay: recorded client octets through a whole Server in process, with a null socket: user time a call."""

import bisect
import collections
import json
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from harness import SERVER_CORE, Bench, Failed, pinned, start  # noqa: E402

bench = Bench("replay", callgrind="count instructions a call under valgrind as well, about a minute")
BUDGET = 1500

# The first rule that fits the innermost frame that any rule fits says where a sample belongs.
PARTS = [
    ("decode", r"_InternalParse|ParseFrom|TcParser|EpsCopyInput|MergePartialFrom|ReadTag|from_message|decode"),
    ("encode", r"_InternalSerialize|ByteSizeLong|SerializeTo|EpsCopyOutput|to_message|encode(?!r)"),
    ("handler and its messages", r"EchoService|EchoReply|EchoRequest|google::protobuf"),
    ("HTTP/2: nghttp2", r"^nghttp2_|/libnghttp2"),
    ("HTTP/2: session and stream", r"duplex::http::"),
    ("trace, metrics, access log", r"elemetry|Log|TraceContext|trace_|json_text|metrics"),
    ("gRPC", r"duplex::protocols|duplex::grpc|[Gg]rpc"),
    ("chain and dispatch", r"duplex::app::|duplex::contract|duplex::detail|Filter|Service|EchoBase|Pipe"),
    ("runtime", r"duplex::(Loop|Task|Scope|Context|Timer|Notifier|run|LoopThread)|Loop::"),
]


class Symbols:
    def __init__(self):
        self.files = {}

    def name(self, path, offset):
        if path not in self.files:
            self.files[path] = self.load(path)
        starts, found = self.files[path]
        at = bisect.bisect_right(starts, offset) - 1
        library = f" /{os.path.basename(path)}" if ".so" in path else ""
        if at < 0 or offset > sum(found[at][:2]):  # a function of which the file does not tell the name
            return "a function without a name" + library
        return found[at][2] + library

    def load(self, path):
        found = []
        if os.path.exists(path):
            for flags in ([], ["-D"]):
                text = subprocess.run(["nm", "-CS", "--defined-only", *flags, path], capture_output=True, text=True).stdout
                for line in text.splitlines():
                    parts = line.split(" ", 3)
                    if len(parts) == 4 and parts[2] in "tTwWi":
                        found.append((int(parts[0], 16), int(parts[1], 16), parts[3]))
        found.sort()
        return [start for start, _, _ in found], found


def shares(samples):
    symbols, by_part, by_name = Symbols(), collections.Counter(), collections.Counter()
    for stack in samples:
        names = [symbols.name(path, offset) for path, offset in stack]
        # The unwinder's own frames stand before what was interrupted.
        names = [n for n in names if "on_sample" not in n and "restore_rt" not in n]
        if not names or any("epoll_wait" in n for n in names[:1]):
            by_part["replay itself"] += 1
            continue
        by_name[re.sub(r"\(.*?\)(?= /|$).*?(?= /|$)", "", names[0].replace("(anonymous namespace)::", ""))] += 1
        for name in names:
            part = next((p for p, rule in PARTS if re.search(rule, name)), None)
            if part:
                break
        by_part[part or "other"] += 1
    return by_part, by_name


def run(*arguments):
    command = [bench.program("replay/bench_replay"), *arguments]
    process = start(pinned(SERVER_CORE, command), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate(timeout=100)
    if process.returncode:
        raise Failed(f"{' '.join(map(str, command))}: exit status {process.returncode}\n{out[:500]}{err}")
    return json.loads(out)


def callgrind():
    """Instructions a call, which repeat exactly, and the file for callgrind_annotate."""
    file = os.path.join(bench.folder, "replay.callgrind")
    segments, turns = 3, 40
    command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={file}",
               bench.program("replay/bench_replay"), str(segments), str(turns)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise Failed(f"{' '.join(command)}: exit status {done.returncode}\n{done.stderr[-1000:]}")
    raw = json.loads(done.stdout)
    total = re.search(r"^totals: (\d+)", open(file).read(), re.M)
    measured = raw["calls"] / segments * (segments - 1)
    bench.say(f"callgrind: {int(total[1]) / measured:,.0f} instructions a call; callgrind_annotate {os.path.relpath(file)}")


def main():
    segments, turns, runs = (8, 250, 3) if bench.options.short else (12, 500, 7)
    figures, raws = [], []
    for _ in range(runs):
        raw = run(segments + 1, turns)
        raws.append(raw)
        figures.append(sorted(raw["ns"][1:])[segments // 2])  # the first segment warms up
    bench.budget("user_ns_per_call", "ns", figures, BUDGET, raws)
    last = raws[-1]
    bench.say(f"allocations a call (malloc, calloc, realloc): {last['allocations'][-1]:.2f}, "
              f"{last['allocated_octets'][-1]:.0f} octets; {last['octets_in_per_call']:.0f} octets in a call, "
              f"{last['octets_out_per_call']:.0f} out; {last['replies_same']} of {last['replies_read']} replies read are the "
              "requests' octets")
    bench.say("least and largest of all segments: "
              f"{min(n for r in raws for n in r['ns'][1:]):.0f} and {max(n for r in raws for n in r['ns'][1:]):.0f} ns")
    if shutil.which("nm"):
        profiled = run(segments + 1, turns * 2, "profile")
        by_part, by_name = shares(profiled["samples"])
        total = sum(by_part.values()) or 1
        ours = bench.results[-1]["result"]["ours"]
        bench.say(f"\nwhere it goes, by {total} samples of the stack:")
        for part, count in by_part.most_common():
            bench.say(f"  {part:28} {count / total:6.1%} {ours * count / total:7.0f} ns")
        bench.say("the functions that were at work most often:")
        for name, count in by_name.most_common(12):
            bench.say(f"  {count / total:6.1%} {name[:100]}")
    if bench.options.callgrind:
        callgrind()


sys.exit(bench.run(main))
