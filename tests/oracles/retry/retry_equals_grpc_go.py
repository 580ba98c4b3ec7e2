#!/usr/bin/python3
"""Our retries and grpc-go's, attempt for attempt: the same service config, the same server, the same scripts.

retry_equals_grpc_go.py SCRIPTED_SERVER SCRIPTED_CLIENT OUT_DIR

grpc-go is built into OUT_DIR from Go's module proxy. Where it cannot be had: exit code 77 and go's own words.

Compared are how many attempts the server sees, what each says of those before it, the code that the caller gets, and
the waits. A machine under load makes a wait longer and never shorter: one that is too long is measured again.

Known differences, each shown below:
- grpc-go 1.58 has gRFC A6's first kind of jitter, nothing to the whole of the bound; ours has today's, 0.8 to 1.2 of it.
- grpc-go's throttle does not count a call that failed after its answer had begun; ours does, as grpc-core's, since gRFC
  A6 counts every failed call.
- grpc-go begins a wait that its caller's deadline will cut short, and says DEADLINE_EXCEEDED then; we say what the last
  attempt said, at once.
"""
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys

import judged
from judged import ScriptedServer, expect, method_config, skip

MARGIN = 150  # ms that a wait may be longer than it should
TRIES = 6


def built(out):
    """grpc_go_retry."""
    if not shutil.which("go"):
        skip("there is no go here (Debian: apt install golang-go)")
    source = pathlib.Path(__file__).parent.parent / "grpc_go_retry"
    # Not in the checkout, and no other toolchain than this machine's.
    environment = {**os.environ, "GOMODCACHE": str(judged.cache() / "go-mod"), "GOTOOLCHAIN": "local",
                   "GOFLAGS": "-mod=readonly -modcacherw"}
    fetched = subprocess.run(["go", "mod", "download"], cwd=source, env=environment, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)
    if fetched.returncode != 0:
        skip(f"go cannot fetch the modules of {source / 'go.mod'}. It says:\n{fetched.stdout}")
    program = pathlib.Path(out) / "grpc_go_retry"
    subprocess.run(["go", "build", "-o", program, "."], cwd=source, env=environment, check=True)
    return program


def policy(attempts=4, initial=0.04, most=0.3, multiplier=2, codes=("UNAVAILABLE",)):
    return {"maxAttempts": attempts, "initialBackoff": f"{initial}s", "maxBackoff": f"{most}s",
            "backoffMultiplier": multiplier, "retryableStatusCodes": list(codes)}


def waits(script, retry, attempts):
    """The bounds of the waits between that many attempts of a script, in ms: (pushback or None, backoff or None)."""
    steps = script.split()
    backed_off, refused, found = 0, 0, []
    for n in range(attempts - 1):
        step = steps[min(n, len(steps) - 1)]
        pushback = next((part[1:] for part in step.split("+") if part.startswith("p")), None)
        if step == "refuse" and not refused:  # tried again transparently
            refused = 1
            found.append((0, None))
        elif pushback is not None:
            backed_off = 0
            found.append((int(pushback), None))
        else:
            bound = min(1000 * retry["initialBackoff_s"] * retry["backoffMultiplier"] ** backed_off,
                        1000 * retry["maxBackoff_s"])
            backed_off += 1
            found.append((None, bound))
    return found


def too_early_and_late(call, script, retry, low, high):
    """Which waits are shorter than low x bound, and which longer than high x bound and a margin."""
    early, late = [], []
    for n, (gap, (pushback, bound)) in enumerate(zip(call.gaps(), waits(script, retry, len(call.attempts)))):
        least, most = (pushback, pushback) if bound is None else (low * bound, high * bound)
        if gap < least - 1.5:  # the server's clock is read once a turn
            early.append((n, gap, least))
        if gap > most + MARGIN:
            late.append((n, gap, most))
    return early, late


class Judge:
    def __init__(self, server, ours, theirs):
        self.server, self.ours, self.theirs, self.attempts = server, ours, theirs, 0

    def compare(self, title, scripts, retry=None, deadline=20_000, throttle=None, name=None, known=None):
        """`known`: what the last script comes to, (attempts, code) of ours and of theirs, where it differs as said above."""
        retry = retry or policy()
        entry = method_config(retryPolicy=retry)
        if name:
            entry["name"] = name
        config = {"methodConfig": [entry], **({"retryThrottling": throttle} if throttle else {})}
        plain = {**retry, "initialBackoff_s": float(retry["initialBackoff"][:-1]),
                 "maxBackoff_s": float(retry["maxBackoff"][:-1])}
        for attempt in range(TRIES):
            mine = self.server.run([self.ours], json.dumps(config), deadline, scripts)
            other = self.server.run([self.theirs], json.dumps(config), deadline, scripts)
            late = []
            for script, a, b in zip(scripts, mine, other):
                for call, who, low, high in ((a, "ours", 0.8, 1.2), (b, "grpc-go", 0, 1)):
                    early, more_late = too_early_and_late(call, script, plain, low, high)
                    expect(not early, f"{title}: {who} comes too early in {script!r}: {early}")
                    late += [(who, script, *l) for l in more_late]
            if not late or attempt + 1 == TRIES:
                break
        expect(not late, f"{title}: too late, {TRIES} times: {late}")
        for n, (script, a, b) in enumerate(zip(scripts, mine, other)):
            (previous_a, code_a), (previous_b, code_b) = a.shape(), b.shape()
            self.attempts += len(previous_a)
            if known and n + 1 == len(scripts):
                found = (len(previous_a), code_a), (len(previous_b), code_b)
                expect(found == known, f"{title}: {script!r}: (attempts, code) of ours and grpc-go's: {found}")
                continue
            expect(previous_a == previous_b, f"{title}: {script!r}: our attempts {previous_a}, grpc-go's {previous_b}")
            expect(code_a == code_b, f"{title}: {script!r}: our code {code_a}, grpc-go's {code_b}")
        print(f"{title}: " + "; ".join(f"{s} > {' '.join(a.shape()[0])} = {a.code}" for s, a in zip(scripts, mine)),
              flush=True)
        return mine


def random_script(dice, throttled):
    steps = ["0", "14", "14", "14", "10", "5", "14+p15", "14+p0", "14+p-1", "14+px", "5+p-1", "d20+14"]
    if not throttled:
        steps += ["h14", "m14"]
    return " ".join(dice.choice(steps) for _ in range(dice.randint(1, 6)))


def main():
    server_program, ours, out = sys.argv[1:]
    theirs = built(out)
    with ScriptedServer(server_program) as server:
        judge = Judge(server, ours, theirs)
        judge.compare("a success is made once", ["0"])
        judge.compare("a retry", ["14 0"])
        judge.compare("the backoff grows, up to its cap", ["14 14 14 14 0"],
                      policy(attempts=5, initial=0.05, most=0.15, multiplier=2))
        judge.compare("all attempts fail", ["14"])
        judge.compare("more than five attempts are five", ["14"], policy(attempts=9, initial=0.01))
        judge.compare("a code that is not retryable", ["5 0", "14 5 0"])
        judge.compare("two that are", ["10 14 0"], policy(codes=("UNAVAILABLE", "ABORTED")))
        judge.compare("another method's policy", ["14 0"], name=[{"service": "judge.Other"}])
        judge.compare("the policy of all methods", ["14 0"], name=[{}])
        judge.compare("pushback is waited exactly", ["14+p300 0", "14+p0 0"])
        judge.compare("after pushback the backoff begins anew", ["14 14 14+p200 14 0"],
                      policy(attempts=5, initial=0.05, most=2, multiplier=4))
        judge.compare("pushback that means no retry", ["14+p-1 0", "14+px 0", "14+p 0", "14+p1.5 0"])
        judge.compare("an answer that has begun commits", ["h14 0", "m14 0", "14 h14 0"])
        judge.compare("a refused stream is tried again transparently", ["refuse 0", "refuse 14 0", "refuse refuse 0"])
        judge.compare("the deadline covers all attempts", ["14 silent"], deadline=800)
        judge.compare("a wait past the deadline", ["14+p5000 0"], deadline=400, known=((1, 14), (1, 4)))
        judge.compare("the throttle", ["14", "0", "14 0", "0", "0", "0", "0", "14 0", "14 0"],
                      throttle={"maxTokens": 4, "tokenRatio": 0.5})
        judge.compare("pushback that means no retry counts as a failure", ["14+p-1", "5+p-1", "14 0"],
                      throttle={"maxTokens": 5, "tokenRatio": 0.1})
        judge.compare("the throttle and calls that failed after they began", ["m14", "14 0"],
                      throttle={"maxTokens": 4, "tokenRatio": 0.5}, known=((1, 14), (2, 0)))
        seed = int(os.environ.get("DUPLEX_SEED", random.randrange(1 << 30)))
        dice = random.Random(seed)
        for n in range(8):
            throttle = {"maxTokens": dice.randint(2, 12), "tokenRatio": 0.4} if n % 2 else None
            judge.compare(f"random, DUPLEX_SEED={seed}, {n}", [random_script(dice, throttle) for _ in range(12)],
                          policy(attempts=dice.randint(2, 6), initial=0.005, most=0.02,
                                 codes=dice.choice([("UNAVAILABLE",), ("UNAVAILABLE", "ABORTED")])),
                          throttle=throttle)
        expect(judge.attempts > 150, f"only {judge.attempts} attempts were compared")
        print(f"{judge.attempts} attempts of ours were those of grpc-go", flush=True)
    judged.finish()


main()
