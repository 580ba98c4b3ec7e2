"""Given orders and payments in network namespaces of this test's own, with a cable between them, when the cable is pulled,
packets are lost, payments dies while it is, or something else answers at its address, then an order gets a clear answer in
time, the breaker opens and closes again, and each order is charged once."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid

build = sys.argv[sys.argv.index("--build") + 1]
folder = tempfile.mkdtemp(prefix="duplex-faults-")
NEAR, FAR = f"dx{os.getpid()}a", f"dx{os.getpid()}b"
HOST = "10.199.77.2"
clean = contextlib.ExitStack()


def skip(why):
    print(f"SKIPPED: {why}")
    sys.exit(77)


def ip(*words, check=True):
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=check)


def make_network():
    if not shutil.which("ip"):
        skip("there is no `ip`; apt-get install iproute2")
    made = ip("netns", "add", NEAR, check=False)
    if made.returncode:
        skip("a network namespace cannot be made here: " + made.stderr.strip())
    clean.callback(ip, "netns", "del", NEAR, check=False)
    ip("netns", "add", FAR)
    clean.callback(ip, "netns", "del", FAR, check=False)
    ip("-n", NEAR, "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", FAR)
    for namespace, address in ((NEAR, "10.199.77.1/24"), (FAR, HOST + "/24")):
        ip("-n", namespace, "addr", "add", address, "dev", "cable")
        ip("-n", namespace, "link", "set", "cable", "up")
        ip("-n", namespace, "link", "set", "lo", "up")


def cable(state):
    """What is sent while it is down is lost, and nobody is told."""
    ip("-n", FAR, "link", "set", "cable", state)


def run(namespace, *command):
    process = subprocess.Popen(["ip", "netns", "exec", namespace, *command], stderr=subprocess.PIPE, text=True)
    clean.callback(lambda: process.poll() is None and process.kill())
    return process


def payments():
    process = run(FAR, os.path.join(build, "examples/shop/shop_payments"), "--listen", HOST + ":8081", "--data",
                  folder + "/payments.db", "--log", folder + "/payments.log")
    assert "listening" in process.stderr.readline()
    return process


SILENT = "import socket, time\ns = socket.create_server(('%s', 8082))\nprint('listening', file=__import__('sys').stderr, flush=True)\n" \
         "kept = []\nwhile True: kept.append(s.accept())"
RESETS = "import socket, struct\ns = socket.create_server(('%s', 8082))\n" \
         "print('listening', file=__import__('sys').stderr, flush=True)\n" \
         "while True:\n c, _ = s.accept()\n c.recv(1)\n" \
         " c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))\n c.close()"


@contextlib.contextmanager
def impostor(program):
    process = run(FAR, sys.executable, "-c", program % HOST)
    assert "listening" in process.stderr.readline()
    yield
    process.kill()
    process.wait()


class Unix(http.client.HTTPConnection):
    """Unix sockets reach into a namespace of the network."""

    def __init__(self, path):
        super().__init__("orders", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(30)
        self.sock.connect(self.path)


class Orders:
    def __init__(self):
        self.socket, self.conf, self.log = folder + "/orders.sock", folder + "/orders.yaml", folder + "/orders.log"
        self.point_at(8081, started=False)
        self.process = run(NEAR, os.path.join(build, "examples/shop/shop_orders"), "--config", self.conf, "--data",
                           folder + "/orders.db")
        assert "listening" in self.process.stderr.readline()
        self.connection = Unix(self.socket)
        self.customer = self.ask("POST", "/v1/customers", {"name": "Ada"})[1]["id"]
        self.product = self.ask("POST", "/v1/products", {"name": "tea", "price_cents": 100})[1]["id"]
        self.paid = []

    def point_at(self, port, started=True):
        with open(self.conf + ".new", "w", encoding="utf-8") as file:
            file.write(f"""
server: {{listen: ["unix:{self.socket}"], grace: 3s}}
log: {{file: "{self.log}"}}
peers:
  payments:
    address: "{HOST}:{port}"
    connect_timeout: 200ms
    timeout: 800ms
    retry: {{attempts: 2, per_try: 250ms, backoff: {{base: 5ms}}}}
    breaker: {{window: 10 calls, minimum: 4, open_for: 300ms, probes: 1}}
""")
        os.rename(self.conf + ".new", self.conf)
        if not started:
            return
        with open(self.log, encoding="utf-8") as log:
            log.seek(0, os.SEEK_END)
            self.process.send_signal(signal.SIGHUP)
            until(lambda: "read again" in log.read(), "the file is read again")

    def ask(self, method, path, body=None):
        self.connection.request(method, path, json.dumps(body) if body is not None else None,
                                {"content-type": "application/json"})
        answer = self.connection.getresponse()
        return answer.status, json.loads(answer.read() or b"{}")

    def place(self, request_id):
        return self.ask("POST", "/v1/orders", {"customer_id": self.customer, "request_id": request_id,
                                               "items": [{"product_id": self.product, "quantity": 1}]})

    def fails(self, *words):
        """An order that cannot be paid: 503, and why. It is paid later."""
        request_id = str(uuid.uuid4())
        status, told = self.place(request_id)
        assert status == 503, (status, told)
        assert any(word in told["detail"] for word in words), told
        self.paid.append(request_id)
        return told["detail"]

    def succeeds(self, request_id=None):
        request_id = request_id or str(uuid.uuid4())
        if request_id not in self.paid:
            self.paid.append(request_id)
        until(lambda: self.place(request_id)[0] == 200, "the order is paid")

    def breaker(self):
        page = self.ask("GET", "/debug/peers")[1]
        return [b["state"] for p in page["peers"] for b in p["breakers"] if b["method"] == "shop.v1.Payments/Charge"][0]


def until(holds, what, seconds=30):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.02)


def story():
    make_network()
    peer, orders = payments(), Orders()
    orders.succeeds()
    print("a cable: an order is paid")

    cable("down")
    orders.fails("longer than 250ms")
    until(lambda: "circuit breaker" in orders.fails("circuit breaker", "longer than 250ms", "in time", "cannot be reached"),
          "the breaker opens")
    assert orders.breaker() in ("open", "half_open")
    cable("up")
    orders.succeeds()
    until(lambda: orders.breaker() == "closed" or orders.succeeds(), "the breaker closes")
    print("the cable is pulled and put back: 503, the breaker opens, an order is paid")

    cable("down")
    peer.kill()  # whose last words are lost: the connection is half-open
    peer.wait()
    orders.fails("circuit breaker", "longer than 250ms", "in time", "cannot be reached")
    peer = payments()
    cable("up")
    orders.succeeds()
    print("payments dies while the cable is pulled, and comes back: an order is paid")

    loss = subprocess.run(["ip", "netns", "exec", NEAR, "tc", "qdisc", "add", "dev", "cable", "root", "netem", "loss", "20%"],
                          capture_output=True, text=True)
    if loss.returncode == 0:
        for _ in range(20):
            orders.succeeds()
        subprocess.run(["ip", "netns", "exec", NEAR, "tc", "qdisc", "del", "dev", "cable", "root"], check=True)
        print("one packet of five is lost: 20 orders are paid")
    else:
        print("left out, packets lost by chance: this kernel has no netem: " + loss.stderr.strip())

    for program, what in ((SILENT, "keeps silent"), (RESETS, "resets each connection")):
        with impostor(program):
            orders.point_at(8082)
            until(lambda: "circuit breaker" in orders.fails("circuit breaker", "longer than 250ms", "in time", "lost", "closed"),
                  "the breaker opens")
            orders.point_at(8081)
            orders.succeeds()
        print(f"something else is at its address and {what}: 503, the breaker opens, and closes when payments is back")

    for request_id in orders.paid:
        orders.succeeds(request_id)
    done = subprocess.run(["ip", "netns", "exec", FAR, "curl", "-sS", "--noproxy", "*", f"http://{HOST}:8081/v1/charges?page_size=1000"],
                          capture_output=True, text=True, check=True)
    charged = [charge["order_id"] for charge in json.loads(done.stdout)["charges"]]
    assert len(charged) == len(set(charged)) == len(orders.paid), (len(charged), len(set(charged)), len(orders.paid))
    print(f"{len(charged)} orders, each charged once")
    for process in (orders.process, peer):
        process.terminate()
        assert process.wait(timeout=30) == 0


try:
    with clean:
        story()
finally:
    shutil.rmtree(folder, ignore_errors=True)
