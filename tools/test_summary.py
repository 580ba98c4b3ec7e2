#!/usr/bin/python3
"""test_summary.py [--no-skips] RUN...: the end of a test run that a person reads.

RUN names ctest's two records of one run: RUN.log and RUN.xml (JUnit). Prints which tests were skipped and why, then ctest's
own closing lines of each run, and, where there was more than one, a line over all of them in ctest's words.
Exits 1 if a test failed or a record is missing; with --no-skips also if a test was skipped.
"""
import os
import re
import sys
import xml.etree.ElementTree as ElementTree


def skip_reason(output):
    """The line in which the test says why: the first that speaks of a skip, else its last."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    told = [line for line in lines if re.match(r"skip", line, re.IGNORECASE)]
    return (told or lines[-1:] or ["it gave no reason"])[0]


def gtest_skips(output):
    """Single cases that a GoogleTest program skipped while the program as a whole passed, with the reason."""
    for match in re.finditer(r"^\[ RUN +\] (\S+)\n((?:(?!\[ RUN).*\n)*?)\[  SKIPPED \] \1 \(", output, re.MULTILINE):
        told = [line.strip() for line in match[2].splitlines() if line.strip() and not line.rstrip().endswith(": Skipped")]
        yield match[1], (told or ["it gave no reason"])[0]


def read(run):
    """(tests, failed names, [(skipped name, reason)]) of one run."""
    tests, failed, skipped = 0, [], []
    for case in ElementTree.parse(run + ".xml").getroot().iter("testcase"):
        tests += 1
        name, status = case.get("name"), case.get("status")
        output = case.findtext("system-out") or ""
        skip = case.find("skipped")
        if skip is not None and "SKIP" in (skip.get("message") or ""):
            skipped.append((name, skip_reason(output)))
        elif status != "run":  # failed, or never started: its program is missing
            failed.append(name)
        else:
            skipped += [(f"{name}: {case_name}", reason) for case_name, reason in gtest_skips(output)]
    return tests, failed, skipped


def closing_lines(run):
    with open(run + ".log", encoding="utf-8", errors="replace") as log:
        text = re.sub(r"^\[ERROR_MESSAGE\].*\n?", "", log.read(), flags=re.MULTILINE)  # ctest's mark in its log, not on the screen
    start = text.rfind("% tests passed")
    return text[text.rfind("\n", 0, start) + 1:].strip() if start >= 0 else "ctest wrote no closing lines"


def main(arguments):
    strict = "--no-skips" in arguments
    runs = [argument for argument in arguments if argument != "--no-skips"]
    total, all_failed, all_skipped = 0, [], []
    closings = []
    for run in runs:
        label = os.path.basename(run)
        try:
            tests, failed, skipped = read(run)
            closings.append((label, closing_lines(run)))
        except (OSError, ElementTree.ParseError) as error:
            tests, failed, skipped = 1, ["the whole run"], []
            closings.append((label, f"no record of this run: {error}"))
        total += tests
        all_failed += [f"{label}: {name}" for name in failed]
        all_skipped += [(f"{label}: {name}", reason) for name, reason in skipped]

    if all_skipped:
        print(f"\n!! {len(all_skipped)} SKIPPED{', which --no-skips calls failed' if strict else ''}")
        for name, reason in all_skipped:
            print(f"!!   {name}\n!!     {reason}")
    for label, text in closings:
        print(f"\n== {label}: how ctest closed\n{text}")
    if len(runs) > 1:
        good = total - len(all_failed)
        print(f"\n== {', '.join(label for label, _ in closings)} together")
        for name in all_failed:
            print(f"  failed: {name}")
        # Rounded down: a hundred says that none failed.
        print(f"{100 * good // total if total else 0}% tests passed, {len(all_failed)} tests failed out of {total}")
    return 1 if all_failed or (strict and all_skipped) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
