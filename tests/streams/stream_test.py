#!/usr/bin/python3
"""Our server and our client as two processes: stream_test.py INTEROP_SERVER STREAM_CLIENT memory|held|stop|stop-endless"""
import re
import subprocess
import sys

import interop_process
from interop_process import OurServer, expect

LIMIT = 64 * 1024  # kB resident, at either side's worst
GIB = 1 << 30


def client(program, *arguments):
    """Its output, printed; its exit code is checked."""
    done = subprocess.run([program, *map(str, arguments)], stdout=subprocess.PIPE, text=True)
    print(re.sub(r"^(peak|answered) .*\n", "", done.stdout, flags=re.M), end="", flush=True)
    expect(done.returncode == 0, f"stream_client {arguments[1]} exits with {done.returncode}")
    return done.stdout


def peak_of(pid):
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"VmHWM:\s+(\d+)", status.read())[1])


def memory(our_server, our_client):
    for kind, meaning in (("count", "server stream"), ("add", "client stream"), ("chat", "both ways")):
        for size in (1000, 16 << 10):
            with OurServer(our_server) as server:
                out = client(our_client, server.address, kind, GIB, size)
                ours = number_in(out, "peak")
                theirs = peak_of(server.process.pid)
                print(f"{meaning:14} 1 GiB in messages of {size:5}: peak resident of client {ours / 1024:.1f} MiB, "
                      f"of server {theirs / 1024:.1f} MiB", flush=True)
                expect(ours < LIMIT, f"{meaning}: the client takes {ours} kB")
                expect(theirs < LIMIT, f"{meaning}: the server takes {theirs} kB")
                server.stop()


def held(our_server, our_client):
    with OurServer(our_server) as server:
        client(our_client, server.address, "held")
        server.stop()


def number_in(words, name):
    found = re.search(rf"{name} (\d+)", words)
    expect(found, f"there is no count '{name}' in: {words}")
    return int(found[1]) if found else -1


def stop(our_server, our_client, what, grace_s, within_s):
    """The client sends the signal; exit code 0 within that time is wanted. How many calls were accepted, answered."""
    with OurServer(our_server, str(int(grace_s * 1000))) as server:
        out = client(our_client, server.address, what, server.process.pid)
        words = server.wait(within_s)
        accepted, answered = number_in(words, "accepted"), number_in(out, "answered")
        print(f"calls accepted {accepted}, answered {answered}", flush=True)
        return accepted, answered


def main():
    our_server, our_client, what = sys.argv[1:]
    if what == "memory":
        memory(our_server, our_client)
    elif what == "held":
        held(our_server, our_client)
    else:
        # "stop" ends when its calls have, long before the grace period does; an endless stream outlives it, and is told.
        accepted, answered = stop(our_server, our_client, what, grace_s=120 if what == "stop" else 0.5, within_s=60)
        expect(accepted == answered > 0, "a call that the server accepted was not answered")
    sys.exit(1 if interop_process.failures else 0)


main()
