#!/usr/bin/python3
"""duplex check names the place, the mistake and the mend of each mistake in files/.

NAME.yaml has the mistake; NAME.txt is what is said of it, FILE standing for the file's name. `--write` writes what is said
now, for a person to read before it is committed.
"""

import argparse
import os
import subprocess
import sys

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "files")


def said(duplex, path):
    run = subprocess.run([duplex, "check", path], capture_output=True, text=True, timeout=60)
    if run.returncode != 1:
        return f"exit code {run.returncode}: {run.stdout}{run.stderr}"
    return run.stderr.replace(path, "FILE")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--duplex", required=True)
    arguments.add_argument("--write", action="store_true")
    options = arguments.parse_args()
    names = sorted(name[:-5] for name in os.listdir(HERE) if name.endswith(".yaml"))
    wrong = 0
    for name in names:
        text = said(options.duplex, os.path.join(HERE, name + ".yaml"))
        expected_file = os.path.join(HERE, name + ".txt")
        if options.write:
            with open(expected_file, "w") as out:
                out.write(text)
            continue
        with open(expected_file) as file:
            expected = file.read()
        # A place: FILE:line:column, or the setting where only the whole shows the mistake.
        if text != expected or text.startswith("exit code"):
            wrong += 1
            print(f"{name}: said\n{text}where this is wanted:\n{expected}")
    print(f"{len(names)} mistakes, {wrong} told otherwise than they should be")
    if len(names) < 40:
        sys.exit("there should be at least 40 of them")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
