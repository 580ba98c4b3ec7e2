"""What the benchmarks share: servers pinned to one core and the load to another, CPU over a counted number of calls,
pairs of ours and the peer's in turn, the table, the JSON lines, and the raw figures beside them."""

import argparse
import json
import os
import re
import resource
import socket
import statistics
import subprocess
import sys
import time

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = CORES[0], CORES[-1]


class Failed(Exception):
    pass


def pinned(core, command):
    return ["taskset", "-c", str(core), *map(str, command)]


def start(command, **pipes):
    """Where we may, before whatever else this machine does: in a session of its own, whose share of the core is the
    largest there is. All alike, so no side gains by it."""
    process = subprocess.Popen(command, text=True, start_new_session=True, **pipes)
    try:
        with open(f"/proc/{process.pid}/autogroup", "w") as f:
            f.write("-20")
    except OSError:
        pass
    return process


def free_address():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{s.getsockname()[1]}"


class Server:
    """A server process on the server core. `log`: a file that it appends to; emptied between runs."""

    def __init__(self, name, command, log=None):
        self.name, self.log = name, log
        self.address = free_address()
        command = [self.address if part == "ADDRESS" else part for part in command]
        self.command = pinned(SERVER_CORE, command)
        self.process = start(self.command, stderr=subprocess.PIPE)
        line = self.process.stderr.readline()
        if "listening" not in line:
            raise Failed(f"{name} did not start: {line.strip()}")

    def cpu(self):
        """Seconds of user and system time so far, of all threads, ended ones too, by the kernel's nanosecond clock."""
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def calls_per_turn(self):
        """(sum, count) of the histogram duplex_loop_calls_per_turn, or None where the server has none."""
        try:
            text = subprocess.run(["curl", "-s", "-m", "2", f"http://{self.address}/metrics"], capture_output=True,
                                  text=True).stdout
        except OSError:
            return None
        found = [re.findall(rf"^duplex_loop_calls_per_turn_{part}\S* (\S+)", text, re.M) for part in ("sum", "count")]
        return tuple(sum(map(float, part)) for part in found) if all(found) else None

    def tidy(self):
        if self.log and os.path.exists(self.log):
            os.truncate(self.log, 0)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failed(f"{self.name} did not stop in 10 s")
        finally:
            self.process.stderr.close()
        self.tidy()


def run_load(command, server=None, core=None):
    """Runs a load program to its end. Returns its JSON with server_cpu_s, wall_s and generator_full added.
    A program that says "start" waits for a line, so that its warm-up is not counted."""
    before_turns = server and server.calls_per_turn()
    children = children_cpu()
    process = start(pinned(LOAD_CORE if core is None else core, command), stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    waits = os.path.basename(str(command[0])) in ("bench_grpc_load", "bench_client_ours")
    if waits:
        process.stdout.readline()
    cpu, wall = server.cpu() if server else 0, time.monotonic()
    if waits:
        process.stdin.write("\n")
        process.stdin.flush()
    try:
        out, err = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        process.kill()
        raise Failed(f"{' '.join(map(str, command))}: not done in 120 s")
    wall = time.monotonic() - wall
    children = children_cpu() - children
    cpu = server.cpu() - cpu if server else 0
    if process.returncode:
        raise Failed(f"{' '.join(map(str, command))}: exit status {process.returncode}\n{out}{err}")
    if os.path.basename(str(command[0])) == "h2load":
        result = h2load_figures(out) | {"load_cpu_s": children}
    else:
        result = json.loads(out.strip().splitlines()[-1])
    result |= {"server_cpu_s": cpu, "wall_s": wall}
    if "seconds" in result:
        result["generator_full"] = result["load_cpu_s"] >= 0.95 * result["seconds"]
    after_turns = server and before_turns and server.calls_per_turn()
    if after_turns and after_turns[1] > before_turns[1]:
        result["calls_per_turn"] = (after_turns[0] - before_turns[0]) / (after_turns[1] - before_turns[1])
    if server:
        server.tidy()
    return result


def children_cpu():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def h2load_figures(text):
    done = re.search(r"(\d+) total, .* (\d+) succeeded, (\d+) failed, (\d+) errored", text)
    data = re.search(r"traffic: .*\((\d+)\) total, .*\((\d+)\) headers .*\((\d+)\) data", text)
    finished = re.search(r"finished in ([\d.]+)(s|ms|us), ([\d.]+) req/s", text)
    if not (done and data and finished):
        raise Failed("h2load said something else than expected:\n" + text)
    seconds = float(finished[1]) * {"s": 1, "ms": 1e-3, "us": 1e-6}[finished[2]]
    failed = int(done[3]) + int(done[4])
    if failed:
        raise Failed(f"{failed} calls failed:\n{text}")
    return {"calls": int(done[2]), "octets": int(data[3]), "seconds": seconds}


class Bench:
    def __init__(self, name, **flags):
        parser = argparse.ArgumentParser(description=f"the benchmark {name}, ours and the peer's in turn")
        parser.add_argument("--build", default="build/bench", help="the folder that was built in")
        parser.add_argument("--short", action="store_true", help="3 pairs of short runs, under 50 s")
        parser.add_argument("--pairs", type=int, help="how many pairs (default 7; 3 with --short)")
        parser.add_argument("--only", action="append", help="only this metric; may be given several times")
        for flag, what in flags.items():
            parser.add_argument(f"--{flag}", action="store_true", help=what)
        self.options = parser.parse_args()
        self.name = name
        self.build = os.path.abspath(self.options.build)
        self.pairs = self.options.pairs or (3 if self.options.short else 7)
        self.results, self.notes, self.servers = [], [], []
        self.began = time.monotonic()
        self.folder = os.path.join(self.build, "bench", "results")
        os.makedirs(self.folder, exist_ok=True)

    def program(self, path):
        full = os.path.join(self.build, "bench", path)
        if not os.path.exists(full):
            raise Failed(f"{full} is not built; ./dev bench {self.name} does")
        return full

    def server(self, *arguments, **named):
        self.servers.append(Server(*arguments, **named))
        return self.servers[-1]

    def echo_servers(self):
        """Our server, with its whole inbound chain and the access log on, and the peer."""
        log = os.path.join(self.folder, f"{self.name}-access.log")
        ours = self.server("ours", [self.program("grpc/bench_grpc_ours"), "ADDRESS", log], log=log)
        peer = self.server("peer", [self.program("grpc/bench_grpc_peer"), "ADDRESS"])
        return {"ours": ours, "peer": peer}

    def wants(self, metric):
        return not self.options.only or metric in self.options.only

    def compare(self, metric, unit, one, better="less", note=None):
        """`one("ours"|"peer")` does a run and returns (figure, raw). Pairs take turns in who begins."""
        if not self.wants(metric):
            return None
        print(f"{self.name} {metric} ...", file=sys.stderr, flush=True)
        pairs = []
        for i in range(self.pairs):
            pair = {}
            for side in ("ours", "peer") if i % 2 == 0 else ("peer", "ours"):
                figure, raw = one(side)
                pair[side] = {"figure": figure, **raw}
            pair["ratio"] = pair["ours"]["figure"] / pair["peer"]["figure"]
            pairs.append(pair)
        result = {"bench": self.name, "metric": metric,
                  "ours": round(statistics.median(p["ours"]["figure"] for p in pairs), 3),
                  "peer": round(statistics.median(p["peer"]["figure"] for p in pairs), 3),
                  "ratio": round(statistics.median(p["ratio"] for p in pairs), 3), "unit": unit, "runs": len(pairs)}
        self.results.append({"result": result, "better": better, "pairs": pairs, "note": note})
        return pairs

    def budget(self, metric, unit, figures, budget, raw=None):
        """Against a fixed budget instead of a peer."""
        ours = statistics.median(figures)
        result = {"bench": self.name, "metric": metric, "ours": round(ours, 3), "peer": budget,
                  "ratio": round(ours / budget, 3), "unit": unit, "runs": len(figures)}
        self.results.append({"result": result, "better": "less", "pairs": [], "note": "a budget, no peer", "raw": raw})

    def say(self, line):
        self.notes.append(line)

    def finish(self):
        width = max(len(r["result"]["metric"]) for r in self.results) if self.results else 6
        print(f"\n{'metric':{width}} {'ours':>12} {'peer':>12} {'ratio':>7}  {'spread of ratios':17} unit")
        for entry in self.results:
            r = entry["result"]
            ratios = sorted(p["ratio"] for p in entry["pairs"]) or [r["ratio"]]
            print(f"{r['metric']:{width}} {r['ours']:12.3f} {r['peer']:12.3f} {r['ratio']:7.3f}  "
                  f"{ratios[0]:.3f} to {ratios[-1]:.3f}    {r['unit']}")
            turns = [p["ours"]["calls_per_turn"] for p in entry["pairs"] if "calls_per_turn" in p.get("ours", {})]
            if turns:
                print(f"{'':{width}} calls a turn, ours: {statistics.median(turns):.1f}")
            for side in ("ours", "peer"):
                rates = [p[side]["calls"] / p[side]["seconds"] for p in entry["pairs"] if "calls" in p[side]]
                if rates:
                    full = "yes" if sum(p[side]["generator_full"] for p in entry["pairs"]) * 2 > len(rates) else "no"
                    print(f"{'':{width}} {side}: {statistics.median(rates):,.0f} calls/s, generator full: {full}")
            if entry["note"]:
                print(f"{'':{width}} {entry['note']}")
        for line in self.notes:
            print(line)
        raw = os.path.join(self.folder, f"{self.name}.json")
        with open(raw, "w") as f:
            json.dump({"when": time.strftime("%FT%TZ", time.gmtime()), "seconds": round(time.monotonic() - self.began, 1),
                       "short": self.options.short, "versions": versions(self.build), "notes": self.notes,
                       "cores": {"server": SERVER_CORE, "load": LOAD_CORE}, "load_average": os.getloadavg(),
                       "servers": [s.command for s in self.servers], "metrics": self.results}, f, indent=1)
        print(f"raw figures: {os.path.relpath(raw)}; {time.monotonic() - self.began:.0f} s\n")
        for entry in self.results:
            print(json.dumps(entry["result"]))

    def run(self, body):
        """The whole of a bench's main."""
        status = 0
        try:
            body()
        except Failed as e:
            print(f"bench {self.name}: {e}", file=sys.stderr)
            status = 1
        finally:
            for server in self.servers:
                try:
                    server.stop()
                except Failed as e:
                    print(f"bench {self.name}: {e}", file=sys.stderr)
                    status = 1
        if self.results:
            self.finish()
        return status


def versions(build):
    def line(*command):
        try:
            return (subprocess.run(command, capture_output=True, text=True).stdout.splitlines() or [""])[0]
        except OSError:
            return "not here"
    cache = {}
    with open(os.path.join(build, "CMakeCache.txt")) as f:
        for text in f:
            if text.startswith(("CMAKE_BUILD_TYPE:", "CMAKE_CXX_FLAGS:", "CMAKE_CXX_FLAGS_RELWITHDEBINFO:")):
                key, _, value = text.strip().partition("=")
                cache[key.partition(":")[0]] = value
    model = [text.partition(":")[2].strip() for text in open("/proc/cpuinfo") if text.startswith("model name")]
    return {"compiler": line("g++", "--version"), "flags": cache, "peer_flags": "-O2",
            "grpc++": line("pkg-config", "--modversion", "grpc++"),
            "protobuf": line("pkg-config", "--modversion", "protobuf"),
            "nghttp2": line("pkg-config", "--modversion", "libnghttp2"), "h2load": line("h2load", "--version"),
            "kernel": os.uname().release, "cpu": model[0] if model else "", "cores": len(CORES),
            "commit": line("git", "-C", os.path.dirname(os.path.abspath(__file__)), "rev-parse", "HEAD")}
