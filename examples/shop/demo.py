#!/usr/bin/python3
"""Two services written with Duplex, called by clients that are not: curl for REST, grpcio for gRPC.

  demo.py --build DIR          tells step by step what was called and what came back; exits 0 only if all of it held
  demo.py --build DIR --keep   leaves both running and prints, for each, one JSON line that says where it is
"""

import argparse
import contextlib
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import storm  # noqa: E402


class Wrong(Exception):
    """Something that the demo promises did not hold."""


def check(holds, promise):
    if not holds:
        raise Wrong(promise)


# ---- what is shown ----


class Screen:
    def __init__(self, out):
        self.out = out
        self.colours = out.isatty() and "NO_COLOR" not in os.environ

    def colour(self, code, text):
        return f"\033[{code}m{text}\033[0m" if self.colours else text

    def chapter(self, text):
        print("\n" + self.colour("1", text), file=self.out, flush=True)

    def step(self, protocol, what, answer, seconds, number=[0]):
        number[0] += 1
        took = f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.1f} ms"
        what = shorten(what, 70)
        label = self.colour({"REST": "36", "gRPC": "35"}.get(protocol, "33"), f"{protocol:<5}")
        print(f"{number[0]:>3}  {label} {what:<70} {self.colour('2', took.rjust(8))}", file=self.out)
        for line in answer if isinstance(answer, list) else [answer]:
            print(f"           {self.colour('32', '->')} {shorten(line)}", file=self.out)
        self.out.flush()


def shorten(text, most=110):
    text = " ".join(str(text).split())
    # Of an id, the end tells one from another.
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{6}([0-9a-f]{6})", r"~\1", text)
    return text if len(text) <= most else text[: most - 3] + "..."


def show_json(value):
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


# ---- the services ----


class Service:
    """One process, with its port and its data, which both stay the same when it is started again."""

    def __init__(self, name, program, contract, folder, extra=()):
        self.name = name
        self.contract = os.path.join(HERE, contract)
        self.address = f"127.0.0.1:{free_port()}"
        self.errors = os.path.join(folder, name + ".err")
        self.log = os.path.join(folder, name + ".log")
        self.command = [program, "--listen", self.address, "--data", os.path.join(folder, name + ".db"),
                        "--log", self.log, *extra]
        self.process = None

    def start(self):
        began = time.monotonic()
        with open(self.errors, "ab") as errors:
            # A session of its own: Ctrl-C at the demo's terminal is the demo's to pass on.
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                            stderr=errors, start_new_session=True)
        while time.monotonic() - began < 20:
            if self.process.poll() is not None:
                raise Wrong(f"{self.name} ended with {self.process.returncode}: {self.last_words()}")
            if self.is_ready():
                return time.monotonic() - began
            time.sleep(0.02)
        raise Wrong(f"{self.name} is not ready after 20 s: {self.last_words()}")

    def is_ready(self):
        host, port = self.address.split(":")
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1) as s:
            s.settimeout(2)
            s.sendall(b"GET /readyz HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n\r\n")
            return b" 200 " in s.recv(64)
        return False

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        began = time.monotonic()
        self.process.terminate()
        try:
            code = self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Wrong(f"{self.name} has not ended 20 s after SIGTERM") from None
        check(code == 0, f"{self.name} ended with {code} after SIGTERM: {self.last_words()}")
        return time.monotonic() - began

    def last_words(self):
        with open(self.errors, errors="replace") as errors:
            return shorten(errors.read()[-1000:] or "(it said nothing)", 600)

    def describe(self):
        return {"service": self.name, "address": self.address, "pid": self.process.pid, "command": self.command,
                "contract": self.contract}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# ---- the clients ----


class Rest:
    """REST by curl."""

    def __init__(self, screen):
        self.screen = screen

    def call(self, service, method, path, body=None, expect=200, show=lambda answer: answer):
        command = ["curl", "-sS", "--noproxy", "*", "--max-time", "20", "-X", method, f"http://{service.address}{path}",
                   "-w", "\n%{http_code}"]
        if body is not None:
            command += ["-H", "content-type: application/json", "-d", json.dumps(body)]
        began = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True)
        took = time.monotonic() - began
        check(done.returncode == 0, f"{method} {path}: {done.stderr.strip()}")
        text, _, status = done.stdout.rpartition("\n")
        answer = json.loads(text) if text else {}
        what = f"{method} {path}" + (f" {show_json(body)}" if body is not None else "")
        self.screen.step("REST", what, f"{status} {show_json(show(answer))}", took)
        check(int(status) == expect, f"{method} {path} answered {status}, not {expect}: {text}")
        return answer


class Grpc:
    """gRPC by grpcio, with message classes that protoc makes from the contracts here and now."""

    def __init__(self, screen, folder):
        self.screen = screen
        self.channels = {}
        generate_messages(folder, ["shop.proto", "payments.proto"])
        sys.path.insert(0, folder)
        import payments_pb2
        import shop_pb2

        self.shop, self.payments = shop_pb2, payments_pb2
        self.methods = {method.full_name: method for module in (shop_pb2, payments_pb2)
                        for service in module.DESCRIPTOR.services_by_name.values() for method in service.methods}

    def channel(self, service):
        if service.address not in self.channels:
            options = [("grpc.max_reconnect_backoff_ms", 500), ("grpc.enable_http_proxy", 0)]
            self.channels[service.address] = grpc.insecure_channel(service.address, options=options)
        return self.channels[service.address]

    def stub(self, service, name, request):
        """The callable for a method, its request, and how the call is written."""
        module = self.payments if name.startswith("Payments") else self.shop
        method = self.methods["shop.v1." + name.replace("/", ".")]
        message = getattr(module, method.input_type.name)(**request)
        reply = getattr(sys.modules[method.output_type.file.name.replace(".proto", "_pb2").replace("/", ".")],
                        method.output_type.name)
        streams = name == "Orders/WatchOrder"
        make = self.channel(service).unary_stream if streams else self.channel(service).unary_unary
        call = make(f"/shop.v1.{name}", request_serializer=type(message).SerializeToString,
                    response_deserializer=reply.FromString)
        return call, message

    def call(self, service, name, request, expect=grpc.StatusCode.OK, show=lambda answer: answer):
        call, message = self.stub(service, name, request)
        began = time.monotonic()
        try:
            answer, code, told = call(message, timeout=20), grpc.StatusCode.OK, None
        except grpc.RpcError as error:
            answer, code, told = error, error.code(), error.details()
        took = time.monotonic() - began
        self.screen.step("gRPC", f"{name} {short_message(message)}",
                         f"{code.name} {told if told is not None else short_message(show(answer))}", took)
        check(code is expect, f"{name} answered {code.name}, not {expect.name}: {told}")
        return answer

    def close(self):
        for channel in self.channels.values():
            channel.close()


def short_message(message):
    if isinstance(message, str):
        return message
    from google.protobuf import text_format

    return "{" + text_format.MessageToString(message, as_one_line=True, as_utf8=True) + "}"


def generate_messages(folder, contracts):
    imports = []
    for place in [os.environ.get("DUPLEX_GOOGLEAPIS_DIR", ""), "/usr/share/gocode/src/github.com/gogo/googleapis",
                  "/usr/share/googleapis", "/usr/include"]:
        if place and os.path.exists(os.path.join(place, "google/api/annotations.proto")):
            imports.append(place)
    check(imports, "google/api/annotations.proto is there: apt-get install golang-github-gogo-googleapis-dev")
    command = ["protoc", f"-I{HERE}", f"-I{imports[0]}", "-I/usr/include", f"--python_out={folder}", *contracts,
               "google/api/annotations.proto", "google/api/http.proto"]
    done = subprocess.run(command, capture_output=True, text=True)
    check(done.returncode == 0, "protoc: " + done.stderr)
    # Python finds google.protobuf in one place and google.api in the other only if google.api is made known by hand.
    import google

    google.__path__ = [*google.__path__, os.path.join(folder, "google")]


class Follower:
    """An order's status as it changes, read in the background while others change it."""

    def __init__(self, lines, close):
        self.seen, self.arrived, self.error = [], threading.Condition(), None
        self.close = close
        self.ended = False
        self.thread = threading.Thread(target=self.read, args=(lines,), daemon=True)
        self.thread.start()

    def read(self, lines):
        try:
            for status in lines:
                with self.arrived:
                    self.seen.append((status, time.monotonic()))
                    self.arrived.notify_all()
        except Exception as error:  # shown by wait_for()
            self.error = error
        with self.arrived:
            self.ended = True
            self.arrived.notify_all()

    def wait_for(self, status, since):
        """How long after `since` that status was seen."""
        with self.arrived:
            self.arrived.wait_for(lambda: self.ended or any(s == status for s, _ in self.seen), timeout=10)
            for seen, when in self.seen:
                if seen == status:
                    return max(0.0, when - since)
        raise Wrong(f"the stream told {status}; it told {[s for s, _ in self.seen]} {self.error or ''}")

    def statuses(self):
        return [status for status, _ in self.seen]

    def wait_end(self):
        self.thread.join(timeout=10)
        check(not self.thread.is_alive() and not self.error, f"the stream ends by itself: {self.error}")


def follow_by_curl(service, path, accept):
    process = subprocess.Popen(["curl", "-sS", "--noproxy", "*", "-N", "--max-time", "60", "-H", f"accept: {accept}",
                                f"http://{service.address}{path}"], stdout=subprocess.PIPE, text=True)

    def lines():
        for line in process.stdout:
            line = line.strip().removeprefix("data:").strip()
            if line.startswith("{"):
                event = json.loads(line)
                check("status" in event, f"each line of the stream has a status: {line}")
                yield event["status"]
        check(process.wait() == 0, "curl ends well")

    return Follower(lines(), process.kill)


def follow_by_grpc(rpc, service, order_id):
    call, message = rpc.stub(service, "Orders/WatchOrder", {"id": order_id})
    stream = call(message, timeout=60)
    name_of = rpc.shop.Order.Status.Name
    return Follower((name_of(change.status) for change in stream), stream.cancel)


# ---- the story ----


class Demo:
    def __init__(self, screen, orders, payments, protocol, folder):
        self.screen, self.orders, self.payments, self.protocol = screen, orders, payments, protocol
        self.configuration = os.path.join(folder, "orders.yaml")
        self.rest = Rest(screen)
        self.rpc = Grpc(screen, folder)
        self.stop_watching = contextlib.ExitStack()

    def run(self):
        try:
            self.customers()
            self.products()
            self.place_and_read_back()
            self.follow()
            self.payments_down()
            storm.Storm(self.screen, self.orders, self.payments, self.protocol, self.configure, self.order_body, check).run()
        finally:
            self.stop_watching.close()
            self.rpc.close()

    def customers(self):
        self.screen.chapter("Customers: written over one protocol, read over the other")
        name = random_name()
        self.customer = self.rest.call(self.orders, "POST", "/v1/customers", {"name": name})
        check(self.customer["name"] == name, "the customer has its name")
        read = self.rpc.call(self.orders, "Customers/GetCustomer", {"id": self.customer["id"]})
        check(read.name == name, "gRPC reads what REST wrote")
        other = self.rpc.call(self.orders, "Customers/CreateCustomer", {"name": random_name()})
        read = self.rest.call(self.orders, "GET", f"/v1/customers/{other.id}")
        check(read["name"] == other.name, "REST reads what gRPC wrote")
        renamed = random_name()
        self.rest.call(self.orders, "PATCH", f"/v1/customers/{other.id}", {"name": renamed})
        read = self.rpc.call(self.orders, "Customers/GetCustomer", {"id": other.id})
        check(read.name == renamed, "gRPC reads the name that REST changed")
        page = self.rest.call(self.orders, "GET", "/v1/customers?page_size=1000",
                              show=lambda answer: f"{len(answer['customers'])} customers")
        check({self.customer["id"], other.id} <= {c["id"] for c in page["customers"]}, "the list has both")
        self.rest.call(self.orders, "DELETE", f"/v1/customers/{other.id}")
        self.rpc.call(self.orders, "Customers/GetCustomer", {"id": other.id}, grpc.StatusCode.NOT_FOUND)
        answer = self.rest.call(self.orders, "POST", "/v1/customers", {"name": ""}, expect=400)
        check(answer["code"] == "INVALID_ARGUMENT", "a mistake is named as such")

    def products(self):
        self.screen.chapter("Products")
        self.cents = random.randint(100, 9999)
        self.product = self.rest.call(self.orders, "POST", "/v1/products", {"name": "tea", "price_cents": self.cents})
        cup = self.rpc.call(self.orders, "Products/CreateProduct", {"name": "cup", "price_cents": 1})
        self.cup_id = cup.id
        read = self.rest.call(self.orders, "PATCH", f"/v1/products/{cup.id}", {"price_cents": 700})
        check((read["name"], read["price_cents"]) == ("cup", 700), "a PATCH changes what it names and nothing else")
        read = self.rpc.call(self.orders, "Products/GetProduct", {"id": self.product["id"]})
        check((read.name, read.price_cents) == ("tea", self.cents), "gRPC reads the product that REST wrote")

    def order_body(self):
        return {"customer_id": self.customer["id"], "request_id": str(uuid.uuid4()),
                "items": [{"product_id": self.product["id"], "quantity": 2}, {"product_id": self.cup_id, "quantity": 1}]}

    def charges(self, order_id):
        answer = self.rest.call(self.payments, "GET", f"/v1/charges?order_id={order_id}",
                                show=lambda answer: f"{len(answer['charges'])} charge")
        return answer["charges"]

    def place_and_read_back(self):
        self.screen.chapter("Orders: orders calls payments before it answers")
        body, total = self.order_body(), 2 * self.cents + 700
        brief = lambda o: {key: o[key] for key in ("id", "status", "total_cents")}
        order = self.rest.call(self.orders, "POST", "/v1/orders", body, show=brief)
        check((order["status"], order["total_cents"]) == ("PAID", total), "the order is paid")
        read = self.rpc.call(self.orders, "Orders/GetOrder", {"id": order["id"]},
                             show=lambda o: f"{self.status(o)}, {o.total_cents} cents, for {o.customer_name}")
        check((self.status(read), read.total_cents) == ("PAID", total), "gRPC reads the order that REST placed")
        again = self.rpc.call(self.orders, "Orders/CreateOrder", body, show=lambda o: f"{o.id} {self.status(o)}")
        check(again.id == order["id"], "the same request_id is the same order, over the other protocol too")
        charge, = self.charges(order["id"])
        check(charge["amount_cents"] == total, "and the same charge")
        charge = self.rpc.call(self.payments, "Payments/GetCharge", {"id": order["charge_id"]},
                               show=lambda c: f"{c.amount_cents} cents of {c.order_id}")
        check(charge.order_id == order["id"], "payments has the charge that the order names")
        self.paid = order["id"]
        self.rest.call(self.orders, "POST", "/v1/orders", {**body, "request_id": str(uuid.uuid4()), "items": []},
                       expect=400)

    def status(self, order):
        return self.rpc.shop.Order.Status.Name(order.status)

    def follow(self):
        self.screen.chapter("One order's status, live: three streams that stay open while it changes")
        path, began = f"/v1/orders/{self.paid}:watch", time.monotonic()
        streams = {"REST, SSE": follow_by_curl(self.orders, path, "text/event-stream"),
                   "REST, NDJSON": follow_by_curl(self.orders, path, "application/x-ndjson"),
                   "gRPC": follow_by_grpc(self.rpc, self.orders, self.paid)}
        for stream in streams.values():
            self.stop_watching.callback(stream.close)
        took = {name: stream.wait_for("PAID", began) for name, stream in streams.items()}
        for name, seconds in took.items():
            self.screen.step(name.split(",")[0], f"watch the order ({name})", "PAID", seconds)
        time_of_change = time.monotonic()
        self.rest.call(self.orders, "POST", f"/v1/orders/{self.paid}:ship", {},
                       show=lambda o: {"id": o["id"], "status": o["status"]})
        for name, stream in streams.items():
            seconds = stream.wait_for("SHIPPED", time_of_change)
            stream.wait_end()
            self.screen.step(name.split(",")[0], f"the stream tells the change and ends ({name})",
                             " -> ".join(stream.statuses()), seconds)
            check(stream.statuses() == ["PAID", "SHIPPED"], f"{name} tells each status once")

    def configure(self, text):
        """Writes orders' duplex.yaml and waits until it counts."""
        with open(self.orders.log, encoding="utf-8") as log:
            log.seek(0, os.SEEK_END)
            with open(self.configuration + ".new", "w", encoding="utf-8") as file:
                file.write(text)
            os.rename(self.configuration + ".new", self.configuration)
            os.kill(self.orders.process.pid, signal.SIGHUP)
            for _ in range(1000):
                told = log.read()
                if "the configuration was read again" in told:
                    return
                check("the configuration stays as it was" not in told, f"the file is right: {told}")
                time.sleep(0.005)
        raise Wrong("orders reads its file again after SIGHUP")

    def payments_down(self):
        self.screen.chapter("Payments is killed, and comes back: a clear error, one charge")
        began = time.monotonic()
        self.payments.kill()
        self.screen.step("kill", f"SIGKILL to payments ({self.payments.address})", "gone", time.monotonic() - began)
        body = self.order_body()
        answer = self.rest.call(self.orders, "POST", "/v1/orders", body, expect=503,
                                show=lambda problem: problem.get("detail", problem))
        check(answer["code"] == "UNAVAILABLE", "the code of the error is UNAVAILABLE")
        for part in ("payments", self.payments.address):
            check(part in answer["detail"], f"the error names {part}: {answer['detail']}")
        error = self.rpc.call(self.orders, "Orders/CreateOrder", body, grpc.StatusCode.UNAVAILABLE)
        order_id = dict(error.trailing_metadata() or ()).get("order-id", "")
        check(order_id, "the error brings the order's id along")
        order = self.rest.call(self.orders, "GET", f"/v1/orders/{order_id}",
                               show=lambda o: {"id": o["id"], "status": o["status"]})
        check(order["status"] == "PENDING", "the order waits")
        watched = time.monotonic()
        stream = follow_by_curl(self.orders, f"/v1/orders/{order_id}:watch", "text/event-stream")
        self.stop_watching.callback(stream.close)
        stream.wait_for("PENDING", watched)
        self.screen.step("start", "payments, by the same command", "ready", self.payments.start())
        paid = self.place_until_paid(body)
        check(paid["id"] == order_id, "it is the same order")
        seconds = stream.wait_for("PAID", watched)
        self.screen.step("REST", "the stream that was open meanwhile (REST, SSE)", " -> ".join(stream.statuses()), seconds)
        again = self.rpc.call(self.orders, "Orders/CreateOrder", body, show=lambda o: f"{o.id} {self.status(o)}")
        check(again.id == order_id, "placed once more it is still the same order")
        charge, = self.charges(order_id)
        check(charge["amount_cents"] == paid["total_cents"], "payments has exactly one charge, of the order's total")
        before, = self.charges(self.paid)
        check(before["status"] == "CAPTURED", "and still has the one from before it was killed")

    def place_until_paid(self, body):
        """Orders connects anew after a pause that grows with each failure: one more try a second, for ten."""
        until = time.monotonic() + 10
        while True:
            try:
                return self.rest.call(self.orders, "POST", "/v1/orders", body,
                                      show=lambda o: o.get("detail") or {"id": o["id"], "status": o["status"]})
            except Wrong:
                if time.monotonic() > until:
                    raise
                time.sleep(1)


def random_name():
    first = random.choice(["Ada", "Grace", "Edsger", "Barbara", "Ken", "Margaret", "Alan", "Radia", "Zoë", "José"])
    last = "".join(random.choices("abcdefghijklmnopqrstuvwxyz", k=7)).capitalize()
    return f"{first} {last}"


def find_program(build, name):
    for folder in ("examples/shop", "bin", "."):
        program = os.path.abspath(os.path.join(build, folder, name))
        if os.access(program, os.X_OK):
            return program
    sys.exit(f"demo: there is no {name} in {build}; build it with: cmake --build {build} --target demo")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, metavar="DIR", help="the build folder of shop_orders and shop_payments")
    parser.add_argument("--keep", action="store_true", help="leave both running; print where they are")
    parser.add_argument("--between", choices=("grpc", "rest"), default="grpc", help="what orders calls payments over")
    options = parser.parse_args()
    for tool in ("curl", "protoc"):
        if not shutil.which(tool):
            sys.exit(f"demo: {tool} is missing")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(130))  # through the clean-up below

    programs = {name: find_program(options.build, "shop_" + name) for name in ("orders", "payments")}
    folder = tempfile.mkdtemp(prefix="duplex-demo-")
    # With --keep, standard output is for the JSON lines alone.
    screen = Screen(sys.stderr if options.keep else sys.stdout)
    payments = Service("payments", programs["payments"], "payments.proto", folder)
    configuration = os.path.join(folder, "orders.yaml")
    with open(configuration, "w", encoding="utf-8") as file:
        file.write(storm.configuration(payments, options.between))
    orders = Service("orders", programs["orders"], "shop.proto", folder, ["--config", configuration])
    began = time.monotonic()
    try:
        screen.chapter("Two services, one contract each")
        # Orders first: the order of starting does not matter.
        for service in (orders, payments):
            seconds = service.start()
            screen.step("start", f"{service.name} on {service.address}, gRPC and REST on one port", service.contract, seconds)
        Demo(screen, orders, payments, options.between, folder).run()
        if options.keep:
            for service in (orders, payments):
                print(json.dumps(service.describe()), flush=True)
            screen.chapter(f"All of it held. Both services run on; data and logs are in {folder}")
            return 0
        screen.chapter("The end: SIGTERM, and each leaves by itself")
        for service in (orders, payments):
            screen.step("stop", f"SIGTERM to {service.name}", "exit 0", service.stop())
        screen.chapter(screen.colour("32", f"All of it held, in {time.monotonic() - began:.1f} s."))
    except BaseException as error:
        for service in (orders, payments):
            if service.process and service.process.poll() is None:
                service.kill()
        if not isinstance(error, (Wrong, grpc.RpcError)):
            raise
        screen.chapter(screen.colour("31", f"It did not hold: {error}"))
        for service in (orders, payments):
            if os.path.exists(service.errors):
                print(f"{service.name} said: {service.last_words()}", file=screen.out)
        print(f"data and logs are in {folder}", file=screen.out)
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
