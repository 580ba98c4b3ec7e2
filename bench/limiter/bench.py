"""bench limiter: one decision and one record of the bulkhead and of a token bucket, against Resilience4j's in a JMH run;
and what a bucket a key and an adaptive limit take, which it does not have."""

import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support"), str(HERE.parent.parent / "tools")]
from harness import Bench, Failed  # noqa: E402
import maven_jars  # noqa: E402

bench = Bench("limiter")
RUN = 1 if bench.options.short else 2  # seconds of a measurement
WARM_UP = 2  # of the JVM, whose compiler has seen all of it by then
JMH = HERE.parent / "breaker" / "pom.xml"


def run(command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise Failed(f"{' '.join(map(str, command))}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def ours(what, threads):
    raw = json.loads(run([bench.program("limiter/bench_limiter"), what, threads, RUN * 2]))
    return raw["ns"], raw


def peer(class_path, what, threads):
    results = os.path.join(bench.folder, "limiter-jmh.json")
    run(["java", "-cp", class_path, "org.openjdk.jmh.Main", f"LimiterBenchmark.{what}$", "-f", 1, "-t", threads,
         "-wi", WARM_UP, "-w", 1, "-i", 2, "-r", RUN, "-rf", "json", "-rff", results])
    with open(results) as f:
        metric = json.load(f)[0]["primaryMetric"]
    return metric["score"], {"iterations": metric["rawData"], "unit": metric["scoreUnit"]}


def main():
    try:
        class_path = ":".join(map(maven_jars.jars, (HERE / "pom.xml", JMH)))
        classes = os.path.join(bench.build, "bench", "limiter", "classes")
        maven_jars.compile_java([HERE / "LimiterBenchmark.java"], class_path, classes)
    except maven_jars.Unavailable as e:
        raise Failed(f"Resilience4j and JMH are not here: {e}")
    class_path = f"{classes}:{class_path}"
    cases = [("bulkhead", "bulkhead", 1, "a place of 200 taken and given back, eight more calls under way; theirs is a semaphore"),
             ("bucket", "bucket", 1, "one bucket for all; theirs reads the clock, ours is given its loop's")]
    if not bench.options.short:
        cases += [("bulkhead_two_threads", "bulkhead", 2, "two threads at one bulkhead all the time; ns of each"),
                  ("bucket_two_threads", "bucket", 2, "two threads at one bucket all the time; ns of each")]
    for metric, what, threads, note in cases:
        pairs = bench.compare(metric, "ns", lambda side: ours(what, threads) if side == "ours"
                              else peer(class_path, what, threads), note=note)
        if pairs:
            allocations = sum(p["ours"]["allocations"] for p in pairs)
            bench.say(f"{metric}: allocations of ours in all {sum(p['ours']['decisions'] for p in pairs):,} decisions: "
                      f"{allocations}")
    for what, name in (("keys", "a bucket for each of 1,000 keys"), ("admission", "an adaptive limit")):
        ns, raw = ours(what, 1)
        bench.say(f"{name}: {ns:.1f} ns a call, {raw['allocations']} allocations")


sys.exit(bench.run(main))
