"""The demo's storm: payments is slowed, made to fail and killed while orders keep coming; then the books are checked."""

import collections
import http.client
import json
import os
import re
import signal
import threading
import time
import uuid

ORDERS = 1000
CALLERS = 8
PEER = """
service: {{name: orders}}
server: {{grace: 5s}}
peers:
  payments:
    address: "{address}"
    protocol: {protocol}
"""
POLICIES = """\
    timeout: 1s
    retry: {attempts: 3, per_try: 150ms, backoff: {base: 10ms, cap: 100ms}}
    breaker: {window: 40 calls, minimum: 10, failure_rate: 0.5, slow_call: 100ms, slow_rate: 0.8, open_for: 400ms, probes: 3}
"""
FAULT = "    fault: {share: 0.7, abort: UNAVAILABLE}\n"


def configuration(payments, protocol, *more):
    """orders' duplex.yaml; `more`: lines for its peer payments."""
    return PEER.format(address=payments.address, protocol=protocol) + "".join(more)


class Callers:
    """Orders that keep coming, each placed again with its request_id until it is paid."""

    def __init__(self, address, body_of):
        self.address, self.body_of = address, body_of
        self.lock = threading.Condition()
        self.left, self.paid, self.again, self.wrong = ORDERS, [], 0, []
        self.began = time.monotonic()
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(CALLERS)]
        for thread in self.threads:
            thread.start()

    def run(self):
        host, port = self.address.split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=20)
        try:
            while self.take():
                body = json.dumps({**self.body_of(), "request_id": str(uuid.uuid4())})
                while not self.place(connection, body):
                    time.sleep(0.05)
        except Exception as error:  # told by wait()
            with self.lock:
                self.wrong.append(repr(error))
                self.lock.notify_all()

    def take(self):
        with self.lock:
            if self.left == 0 or self.wrong:
                return False
            self.left -= 1
            return True

    def place(self, connection, body):
        connection.request("POST", "/v1/orders", body, {"content-type": "application/json"})
        answer = connection.getresponse()
        told = json.loads(answer.read())
        with self.lock:
            if answer.status == 200 and told["status"] == "PAID":
                self.paid.append((time.monotonic() - self.began, told["id"]))
                self.lock.notify_all()
                return True
            if answer.status not in (429, 503, 504):
                raise RuntimeError(f"an order was answered {answer.status}: {told}")
            self.again += 1
            return False

    def wait_for(self, paid):
        with self.lock:
            self.lock.wait_for(lambda: len(self.paid) >= paid or self.wrong, timeout=90)
            if self.wrong or len(self.paid) < paid:
                raise RuntimeError(f"{len(self.paid)} orders of {paid} are paid; {self.wrong}")


class Watcher:
    """What /debug/peers says of the breaker of Charge, as time goes by."""

    def __init__(self, address):
        self.address, self.states, self.stopping = address, [], threading.Event()
        self.began = time.monotonic()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        host, port = self.address.split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=20)
        while not self.stopping.wait(0.02):
            connection.request("GET", "/debug/peers")
            page = json.loads(connection.getresponse().read())
            states = [breaker["state"] for peer in page["peers"] for breaker in peer["breakers"]
                      if breaker["method"] == "shop.v1.Payments/Charge"]
            self.states.append((time.monotonic() - self.began, states[0] if states else "closed"))

    def stop(self):
        self.stopping.set()
        self.thread.join(timeout=10)


def picture(phases, states, paid, seconds, columns=76):
    """Lines: what was done to payments, the breaker, and how many orders were paid, each over time."""
    def column(when):
        return min(int(when / seconds * columns), columns - 1)

    marks = [" "] * columns
    for when, what in phases:
        for i, letter in enumerate(what):
            if column(when) + i < columns:
                marks[column(when) + i] = letter
    breaker = [None] * columns
    worst = {"closed": 0, "half_open": 1, "open": 2}
    for when, state in states:
        at = column(when)
        if breaker[at] is None or worst[state] > worst[breaker[at]]:
            breaker[at] = state
    for i in range(columns):
        breaker[i] = breaker[i] or (breaker[i - 1] if i else "closed")
    rates = collections.Counter(column(when) for when, _ in paid)
    most = max(rates.values())
    bars = "".join(" ▁▂▃▄▅▆▇█"[-(-rates[i] * 8 // most)] for i in range(columns))
    return ["payments  " + "".join(marks).rstrip(),
            "breaker   " + "".join({"closed": "·", "open": "█", "half_open": "▒"}[b] for b in breaker) +
            "   · closed  █ open  ▒ half-open",
            f"paid      {bars}   up to {most * columns / seconds:.0f} orders/s"]


def policy_events(address):
    """What the policies for payments did, by /metrics of orders."""
    host, port = address.split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=20)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    found = re.findall(r'^duplex_policy_events_total\{event="(\w+)",peer="payments",[^}]*\} (\d+)$', text, re.MULTILINE)
    events = collections.Counter()
    for event, count in found:
        events[event] += int(count)
    return events


def all_charges(address):
    """How many charges each order has."""
    host, port = address.split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=20)
    counts, token = collections.Counter(), ""
    while True:
        connection.request("GET", f"/v1/charges?page_size=1000&page_token={token}")
        page = json.loads(connection.getresponse().read())
        counts.update(charge["order_id"] for charge in page["charges"])
        token = page["next_page_token"]
        if not token:
            return counts


class Storm:
    """The scene. `configure(text)` writes orders' duplex.yaml and makes it read it."""

    def __init__(self, screen, orders, payments, protocol, configure, body_of, check):
        self.screen, self.orders, self.payments, self.protocol = screen, orders, payments, protocol
        self.configure, self.body_of, self.check = configure, body_of, check

    def run(self):
        self.screen.chapter(f"A storm: {ORDERS:,} orders, while payments is slowed, made to fail, and killed")
        self.set_policies(POLICIES)
        self.screen.step("file", "orders' duplex.yaml gets policies for payments, and SIGHUP", "read again while it runs", 0)
        for line in POLICIES.splitlines():
            print("           " + line.strip(), file=self.screen.out)
        self.callers, watcher = Callers(self.orders.address, self.body_of), Watcher(self.orders.address)
        self.phases = []
        try:
            self.callers.wait_for(ORDERS // 8)
            self.slow_down()
            self.callers.wait_for(ORDERS * 3 // 8)
            self.make_fail()
            self.callers.wait_for(ORDERS * 5 // 8)
            self.kill()
            self.callers.wait_for(ORDERS)
        finally:
            watcher.stop()
            self.configure(configuration(self.payments, self.protocol))
        took = max(when for when, _ in self.callers.paid)
        self.screen.chapter("What was seen")
        for line in picture(self.phases, watcher.states, self.callers.paid, took):
            print("  " + line, file=self.screen.out)
        self.tell_events()
        self.check(any(state == "open" for _, state in watcher.states), "the breaker was open for a while")
        self.check(watcher.states[-1][1] == "closed", "and is closed in the end")
        self.check_books()

    def set_policies(self, *lines):
        self.configure(configuration(self.payments, self.protocol, *lines))

    def phase(self, what):
        self.phases.append((time.monotonic() - self.callers.began, what))

    def slow_down(self):
        began = time.monotonic()
        self.phase("<slow")
        for _ in range(4):
            os.kill(self.payments.process.pid, signal.SIGSTOP)
            time.sleep(0.25)
            os.kill(self.payments.process.pid, signal.SIGCONT)
            time.sleep(0.05)
        self.phase(">")
        self.screen.step("slow", "payments stands still for 250 ms, again and again (SIGSTOP)", "and goes on",
                         time.monotonic() - began)

    def make_fail(self):
        began = time.monotonic()
        self.phase("<fails")
        self.set_policies(POLICIES, FAULT)
        time.sleep(0.8)
        # An open breaker lets no call through to be spoilt; on a slow machine it may be open for all of that time.
        until = time.monotonic() + 15
        while policy_events(self.orders.address)["fault"] == 0 and time.monotonic() < until:
            time.sleep(0.05)
        self.set_policies(POLICIES)
        self.phase(">")
        self.screen.step("fail", f"orders' duplex.yaml: {FAULT.strip()}", "and taken out again", time.monotonic() - began)

    def kill(self):
        began = time.monotonic()
        self.phase("<killed")
        self.payments.kill()
        time.sleep(0.8)
        self.payments.start()
        self.phase(">")
        self.screen.step("kill", "SIGKILL to payments, and started again", "ready", time.monotonic() - began)

    def tell_events(self):
        events = policy_events(self.orders.address)
        names = {"retry": "attempts made again", "retry_given_up": "attempts not made again (budget, deadline)",
                 "breaker_opened": "times the breaker opened", "breaker_refused": "calls it refused at once",
                 "breaker_closed": "times it closed", "fault": "faults injected"}
        for event, text in names.items():
            print(f"  {events[event]:>6,}  {text}", file=self.screen.out)
        print(f"  {self.callers.again:>6,}  orders answered 503 and placed again by their caller", file=self.screen.out)
        for event in ("retry", "breaker_opened", "breaker_refused", "fault"):
            self.check(events[event] > 0, f"the policies did something: {event}")

    def check_books(self):
        charges, paid = all_charges(self.payments.address), {order for _, order in self.callers.paid}
        once = sum(charges[order] == 1 for order in paid)
        twice = sum(charges[order] > 1 for order in paid)
        unknown = sum(charges[order] == 0 for order in paid)
        self.screen.chapter(f"{len(paid):,} orders: {once:,} charged once, {twice} twice, {unknown} unknown")
        self.check(len(paid) == ORDERS and once == ORDERS, "every order is charged once")
