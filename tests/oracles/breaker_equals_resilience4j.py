#!/usr/bin/python3
"""Random histories of our circuit breaker, replayed on Resilience4j's and compared state for state.

breaker_equals_resilience4j.py BREAKER_HISTORIES CLASSES_DIR [COUNT [SEED]]

Where Java or the jars cannot be had: exit code 77 and Maven's own words.
"""
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tools"))
import maven_jars  # noqa: E402

SKIPPED = 77
# What a run must have met to have judged anything.
MUST_BE_SEEN = ("State transition from CLOSED to OPEN", "State transition from OPEN to HALF_OPEN",
                "State transition from HALF_OPEN to OPEN", "State transition from HALF_OPEN to CLOSED", "let through",
                "refused")


def main():
    histories, classes = sys.argv[1:3]
    count, seed = (sys.argv[3:] + ["100000", "1"][len(sys.argv) - 3:])[:2]
    source = HERE / "resilience4j"
    try:
        jars = maven_jars.jars(source / "pom.xml")
    except maven_jars.Unavailable as e:
        print(f"SKIPPED: {e}", flush=True)
        return SKIPPED
    maven_jars.compile_java(source.rglob("*.java"), jars, classes)
    ours = subprocess.Popen([histories, seed, count], stdout=subprocess.PIPE)
    theirs = subprocess.run(["java", "-XX:+UseSerialGC", "-Xmx256m", "-cp", f"{classes}:{jars}", "BreakerHistories"],
                            stdin=ours.stdout, stdout=subprocess.PIPE, text=True)
    ours.stdout.close()
    print(theirs.stdout, flush=True)
    if ours.wait() != 0 or theirs.returncode != 0:
        print(f"breaker_histories exits with {ours.returncode}, BreakerHistories with {theirs.returncode}")
        return 1
    missing = [what for what in MUST_BE_SEEN if not re.search(rf"\d {what}$", theirs.stdout, re.M)]
    if missing or f"{int(count):,} histories" not in theirs.stdout:
        print(f"the histories are too poor: missing {missing or 'histories'}")
        return 1
    return 0


sys.exit(main())
