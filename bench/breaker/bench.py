"""bench breaker: one decision and one record of the circuit breaker, against Resilience4j's in a JMH run."""

import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support"), str(HERE.parent.parent / "tools")]
from harness import Bench, Failed  # noqa: E402
import maven_jars  # noqa: E402

bench = Bench("breaker")
RUN = 1 if bench.options.short else 2  # seconds of a measurement
WARM_UP = 2  # of the JVM, whose compiler has seen all of it by then
RESILIENCE4J = HERE.parent.parent / "tests" / "oracles" / "resilience4j" / "pom.xml"


def run(command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise Failed(f"{' '.join(map(str, command))}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def ours(window, threads):
    raw = json.loads(run([bench.program("breaker/bench_breaker"), "calls" if window == "COUNT_BASED" else "time", threads,
                          RUN * 2]))
    return raw["ns"], raw


def peer(class_path, window, threads):
    results = os.path.join(bench.folder, "breaker-jmh.json")
    run(["java", "-cp", class_path, "org.openjdk.jmh.Main", "decisionAndRecord", "-p", f"window={window}", "-f", 1,
         "-t", threads, "-wi", WARM_UP, "-w", 1, "-i", 2, "-r", RUN, "-rf", "json", "-rff", results])
    with open(results) as f:
        metric = json.load(f)[0]["primaryMetric"]
    return metric["score"], {"iterations": metric["rawData"], "unit": metric["scoreUnit"]}


def main():
    try:
        class_path = ":".join(map(maven_jars.jars, (RESILIENCE4J, HERE / "pom.xml")))
        classes = os.path.join(bench.build, "bench", "breaker", "classes")
        maven_jars.compile_java([HERE / "BreakerBenchmark.java"], class_path, classes)
    except maven_jars.Unavailable as e:
        raise Failed(f"Resilience4j and JMH are not here: {e}")
    class_path = f"{classes}:{class_path}"
    cases = [("decision_and_record", "COUNT_BASED", 1, "a window of 100 calls, the default")]
    if not bench.options.short:
        cases += [("decision_and_record_by_time", "TIME_BASED", 1, "a window of 100 s; theirs reads the clock, ours is given"
                   " its loop's"),
                  ("decision_and_record_two_threads", "COUNT_BASED", 2, "two threads at one breaker all the time; ns of "
                   "each")]
    for metric, window, threads, note in cases:
        pairs = bench.compare(metric, "ns", lambda side: ours(window, threads) if side == "ours"
                              else peer(class_path, window, threads), note=note)
        if pairs:
            allocations = sum(p["ours"]["allocations"] for p in pairs)
            bench.say(f"{metric}: allocations of ours in all {sum(p['ours']['decisions'] for p in pairs):,} decisions: "
                      f"{allocations}")


sys.exit(bench.run(main))
