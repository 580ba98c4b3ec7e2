"""bench breaker: one decision and one record of the circuit breaker, against Resilience4j's in a JMH run."""

import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support"), str(HERE.parent.parent / "tools")]
from harness import Bench, Failed, start  # noqa: E402
import maven_jars  # noqa: E402

bench = Bench("breaker")
# Of the JVM: seconds of a round, rounds until its compiler has seen all of it, and rounds that are measured.
ROUND, WARM_UP, MEASURED = (0.5, 2, 2) if bench.options.short else (1, 3, 3)
RESILIENCE4J = HERE.parent.parent / "tests" / "oracles" / "resilience4j" / "pom.xml"


def run(command):
    process = start(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate(timeout=120)
    if process.returncode:
        raise Failed(f"{' '.join(map(str, command))}: exit status {process.returncode}\n{out}{err}")
    return out


def ours(window, some_fail, threads):
    raw = json.loads(run([bench.program("breaker/bench_breaker"), window, "some_fail" if some_fail else "all_good", threads,
                          ROUND * MEASURED]))
    return raw["ns"], raw


def peer(class_path, window, some_fail, threads):
    results = os.path.join(bench.folder, "breaker-jmh.json")
    run(["java", "-Djmh.ignoreLock=true", "-cp", class_path, "org.openjdk.jmh.Main", "decisionAndRecord", "-f", 1, "-t", threads,
         "-p", "window=" + {"calls": "COUNT_BASED", "time": "TIME_BASED"}[window], "-p", f"failing={8 if some_fail else 0}",
         "-wi", WARM_UP, "-w", f"{ROUND * 1000:.0f}ms", "-i", MEASURED, "-r", f"{ROUND * 1000:.0f}ms",
         "-rf", "json", "-rff", results])
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
    # The first is how a breaker is most of the time.
    cases = [("decision_and_record", "calls", False, 1, "a window of 100 calls, the default; all calls are good"),
             ("decision_and_record_some_fail", "calls", True, 1, "one call of eight fails")]
    if not bench.options.short:
        cases += [("decision_and_record_by_time", "time", True, 1, "a window of 100 s, one of eight fails; theirs reads the "
                   "clock, ours is given its loop's"),
                  ("decision_and_record_two_threads", "calls", False, 2, "two threads at one breaker; ns of each")]
    for metric, window, some_fail, threads, note in cases:
        pairs = bench.compare(metric, "ns", lambda side: ours(window, some_fail, threads) if side == "ours"
                              else peer(class_path, window, some_fail, threads), note=note)
        if pairs:
            allocations = sum(p["ours"]["allocations"] for p in pairs)
            bench.say(f"{metric}: allocations of ours in all {sum(p['ours']['decisions'] for p in pairs):,} decisions: "
                      f"{allocations}")


sys.exit(bench.run(main))
