#!/usr/bin/python3
"""An attack on an HTTP/2 server, with a client beside it that is served as if there were none.

http2_attacks.py SHOP_ORDERS ATTACK...

Against the demo's service `orders`, on loopback, each within a few seconds. An attacker is a process of its own. What
must hold: the attacker is told the right error or held within bounds, the server's memory grows by less than a bound,
every call of the good client is answered, and its 99th percentile is at most twice what it is without the attack
(before it or after it, whichever is more), and 20 ms. A machine that does other work makes a wait longer and never
shorter: one that is too long is measured again.
"""
import json
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import attacks
from frames import Connection, DATA, HEADERS, headers, request, window

MOST_GROWTH = 64  # MiB
LEAST_CALLS = 100
TRIES = 3


class Server:
    def __init__(self, program, folder):
        self.process = subprocess.Popen([program, "--listen", "127.0.0.1:0", "--data", os.path.join(folder, "orders.db"),
                                         "--log", os.path.join(folder, "orders.log")], stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        found = re.search(r"listening on (127\.0\.0\.1):(\d+)", line)
        if not found:
            sys.exit(f"orders does not start: {line}")
        self.address = found[1], int(found[2])
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        for n in range(40):  # so that an answer has some kilobytes
            body = json.dumps({"name": f"product {n}", "price_cents": n}).encode()
            opener.open(urllib.request.Request(f"http://{found[1]}:{found[2]}/v1/products", body,
                                               {"content-type": "application/json"}), timeout=20).read()

    def memory(self):
        """MiB of it that are in memory."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1]) / 1024

    def stop(self):
        self.process.terminate()
        return self.process.wait(60)


class GoodClient(threading.Thread):
    """Calls one after the other on its own connection."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.address, self.took, self.failed, self.stopping = address, [], "", False

    def run(self):
        connection = Connection(self.address)
        stream = 1
        while not self.stopping and not self.failed:
            began = time.monotonic()
            connection.send(headers(stream, request()))
            if not connection.until(lambda s=stream: connection.answered(s), within=20):
                self.failed = f"call {len(self.took)}: GOAWAY {connection.goaway()}, ended: {connection.ended}"
                break
            self.took.append(time.monotonic() - began)
            mine = [f for f in connection.frames if f[2] == stream]
            head = next(f for f in mine if f[0] == HEADERS)
            if 0x88 not in head[3][:4]:  # the index of ":status: 200", after an update of the table's size
                self.failed = f"call {len(self.took)}: not 200: {head}"
            back = sum(len(f[3]) for f in mine if f[0] == DATA)
            connection.send(window(0, back))
            connection.frames.clear()
            stream += 2
        connection.close()

    def finish(self):
        self.stopping = True
        self.join(60)
        return self

    def p99(self):
        """In ms."""
        took = sorted(self.took)
        return 1000 * took[len(took) * 99 // 100]


def play(name, address, answer):
    try:
        answer.put(("", attacks.ALL[name](address)))
    except attacks.Wrong as wrong:
        answer.put((str(wrong), ""))
    except Exception as error:
        answer.put((f"{type(error).__name__}: {error}", ""))


def alone(server):
    client = GoodClient(server.address)
    client.start()
    until = time.monotonic() + 30
    while len(client.took) < 300 and client.is_alive() and time.monotonic() < until:
        time.sleep(0.01)
    return client.finish()


def attack(name, program):
    """What does not hold, and whether the good client waited too long."""
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        server = Server(program, folder)
        calm = alone(server)
        before = most = server.memory()
        answer = multiprocessing.Queue()
        attacker = multiprocessing.Process(target=play, args=(name, server.address, answer))
        good = GoodClient(server.address)
        good.start()
        attacker.start()
        until = time.monotonic() + 120
        while time.monotonic() < until and (attacker.is_alive() or len(good.took) < LEAST_CALLS) and good.is_alive():
            most = max(most, server.memory())
            time.sleep(0.02)
        if attacker.is_alive() and time.monotonic() >= until:
            attacker.kill()
            wrong.append("the attack does not end")
            failed, told = "", ""
        else:
            failed, told = answer.get(timeout=90)
        attacker.join(60)
        good.finish()
        after = server.memory()
        calm_again = alone(server)
        code = server.stop()
    if failed:
        wrong.append(failed)
    for client in (calm, good, calm_again):
        if client.failed:
            wrong.append(f"a good client failed: {client.failed}")
    too_long = False
    if len(good.took) < LEAST_CALLS or not calm.took or not calm_again.took:
        wrong.append(f"the good client made {len(good.took)} calls")
    else:
        least = max(calm.p99(), calm_again.p99())
        too_long = good.p99() > 2 * least + 20
        print(f"{name}: {told}\n  memory: {before:.0f} MiB before, {most:.0f} at most, {after:.0f} after; a good client's "
              f"p99: {least:.1f} ms alone, {good.p99():.1f} ms beside it ({len(good.took)} calls)", flush=True)
    if most - before > MOST_GROWTH:
        wrong.append(f"the server's memory grows by {most - before:.0f} MiB; {MOST_GROWTH} are allowed")
    if code != 0:
        wrong.append(f"the server ends with {code} after SIGTERM")
    return wrong, too_long


def main():
    program, *names = sys.argv[1:]
    failures = 0
    for name in names or attacks.ALL:
        for n in range(TRIES):
            wrong, too_long = attack(name, program)
            if wrong or not too_long:
                break
        if too_long:
            wrong.append(f"the good client waits too long, {TRIES} times")
        failures += len(wrong)
        for what in wrong:
            print(f"FAILED: {name}: {what}", flush=True)
    sys.exit(1 if failures else 0)


main()
