#!/usr/bin/python3
"""lint.py [--all] BUILD: clang-tidy over our sources, with the flags of a build folder of clang's.

A source is read again only after its object was built again, so a second run costs nothing; --all reads every one.
"""
import concurrent.futures
import json
import os
import pathlib
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def main(arguments):
    build = pathlib.Path([a for a in arguments if a != "--all"][0]).resolve()
    stamps = build / "lint"
    work = []
    for entry in json.loads((build / "compile_commands.json").read_text()):
        source = pathlib.Path(entry["file"])
        if source.suffix != ".cc" or not source.is_relative_to(ROOT) or source.is_relative_to(ROOT / "build"):
            continue  # generated, or C of someone else
        words = shlex.split(entry["command"])
        thing = pathlib.Path(entry["directory"]) / words[words.index("-o") + 1]
        stamp = stamps / str(source.relative_to(ROOT)).replace("/", "+")
        fresh = stamp.exists() and thing.exists() and stamp.stat().st_mtime >= max(
            thing.stat().st_mtime, (ROOT / ".clang-tidy").stat().st_mtime)
        if "--all" in arguments or not fresh:
            work.append((source, stamp))
    work = sorted(set(work))
    stamps.mkdir(exist_ok=True)

    def lint(item):
        result = subprocess.run(["clang-tidy-19", "--quiet", "-p", str(build), str(item[0])], capture_output=True, text=True)
        return item, result

    failed = 0
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for number, ((source, stamp), result) in enumerate(pool.map(lint, work), 1):
            print(f"[{number}/{len(work)}] {source.relative_to(ROOT)}", flush=True)
            if result.returncode:
                failed += 1
                print(result.stdout + "\n".join(l for l in result.stderr.splitlines() if "warnings generated" not in l))
            else:
                stamp.touch()
    print(f"lint: {len(work)} sources read, {failed} with findings")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
