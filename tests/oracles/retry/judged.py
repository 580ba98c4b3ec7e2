"""What the judges of our retries and hedges share: the scripted server, one run of a client against it, and a report."""
import collections
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

SKIPPED = 77
failures = 0


def skip(why):
    print(f"SKIPPED: {why}", flush=True)
    sys.exit(SKIPPED)


def expect(holds, what):
    """Counts and says what does not hold."""
    global failures
    if not holds:
        failures += 1
        print(f"FAILED: {what}", flush=True)


def cache():
    """Where third parties' packages are kept, outside the checkout."""
    folder = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "duplex"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


Attempt = collections.namedtuple("Attempt", "at previous")  # ms of the server's clock


class Call:
    """What the server saw of a call, and the status code that its client had."""

    def __init__(self):
        self.attempts, self.cancelled, self.code = [], {}, None

    def shape(self):
        return [a.previous for a in self.attempts], self.code

    def gaps(self):
        return [after.at - before.at for before, after in zip(self.attempts, self.attempts[1:])]


class ScriptedServer:
    """scripted_server as a process."""

    def __init__(self, program):
        self.process = subprocess.Popen([program, "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().split()[-1]
        self.lines, self.read = [], 0
        self.changed = threading.Condition()
        threading.Thread(target=self._collect, daemon=True).start()
        self.runs = 0

    def _collect(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line.split())
                self.changed.notify_all()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        expect(self.process.wait(60) == 0, f"scripted_server exits with {self.process.returncode}")

    def run(self, client, config, deadline_ms, scripts, cancels=0):
        """The client's calls of these scripts, a Call each; waits until the server has heard so many cancels."""
        self.runs += 1
        name = f"run{self.runs}"
        with self.changed:
            begin = len(self.lines)
        done = subprocess.run([*client, self.address, config, str(deadline_ms), name, *scripts],
                              stdout=subprocess.PIPE, text=True, timeout=120)
        if done.returncode != 0:
            sys.exit(f"{client} exits with {done.returncode}")
        codes = [int(code) for code in done.stdout.split()]
        calls = [Call() for _ in scripts]
        # The server's words come through a pipe of their own: after its mark, those of all attempts have been read.
        self.process.send_signal(signal.SIGUSR1)
        until = time.monotonic() + 60
        with self.changed:
            while time.monotonic() < until:
                said = self.lines[begin:]
                mine = [line for line in said if line[0] != "mark" and line[1].startswith(name + "-")]
                heard = sum(line[0] == "cancelled" for line in mine)
                if ["mark"] in said and heard >= cancels:
                    break
                self.changed.wait(1)
            else:
                sys.exit(f"scripted_server does not say all; it said {said}")
        for line in mine:
            call = calls[int(line[1].rsplit("-", 1)[1])]
            at = int(line[3]) / 1000
            if line[0] == "begin":
                call.attempts.append(Attempt(at, line[4]))
            else:
                call.cancelled[int(line[2])] = at
        for call, code in zip(calls, codes):
            call.code = code
        return calls


def method_config(**members):
    return {"name": [{"service": "judge.Scripted"}], **members}


def finish():
    print("all held" if not failures else f"{failures} did not hold", flush=True)
    sys.exit(1 if failures else 0)
