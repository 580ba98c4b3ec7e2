"""Given ./dev demo --keep, then its two JSON lines are enough to call both services, freeze one, kill it and start it."""

import concurrent.futures
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
started, folders = [], set()


def call(service, method, path, body=None):
    request = urllib.request.Request(f"http://{service['address']}{path}", method=method,
                                     data=None if body is None else json.dumps(body).encode(),
                                     headers={"content-type": "application/json"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def wait_until(holds, what):
    until = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < until, "within 20 s: " + what
        time.sleep(0.05)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"  # nobody may be there to reap an orphan
    except FileNotFoundError:
        return False


def ready(service):
    try:
        return call(service, "GET", "/v1/orders/none" if service["service"] == "orders" else "/v1/charges")[0] > 0
    except (urllib.error.URLError, ConnectionError):
        return False


def place_the_same_at_once(orders, payments, order):
    """Given one request sent eight times at once, then there is one order and one charge."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        placed = list(pool.map(lambda _: call(orders, "POST", "/v1/orders", order), range(8)))
    assert {status for status, _ in placed} == {200}, placed
    assert len({answer["id"] for _, answer in placed}) == 1, placed
    _, listed = call(payments, "GET", "/v1/charges?order_id=" + placed[0][1]["id"])
    assert [c["status"] for c in listed["charges"]] == ["CAPTURED"], listed
    return placed[0][1]["id"]


def cancel_gives_the_money_back(orders, payments, order_id):
    status, cancelled = call(orders, "POST", f"/v1/orders/{order_id}:cancel", {})
    assert (status, cancelled["status"]) == (200, "CANCELLED"), cancelled
    _, listed = call(payments, "GET", "/v1/charges?order_id=" + order_id)
    assert [c["status"] for c in listed["charges"]] == ["REFUNDED"], listed
    status, problem = call(orders, "POST", f"/v1/orders/{order_id}:ship", {})
    assert (status, problem["code"]) == (400, "FAILED_PRECONDITION"), problem


def mistakes_are_named(orders, order):
    for wrong, code in [({**order, "customer_id": "cus_none"}, "NOT_FOUND"), ({**order, "items": []}, "INVALID_ARGUMENT"),
                        ({**order, "items": [{**order["items"][0], "quantity": 0}]}, "INVALID_ARGUMENT"),
                        ({**order, "request_id": order["request_id"], "items": order["items"] * 2}, "ALREADY_EXISTS")]:
        if code != "ALREADY_EXISTS":
            wrong["request_id"] = str(uuid.uuid4())
        _, problem = call(orders, "POST", "/v1/orders", wrong)
        assert problem.get("code") == code, (wrong, problem)


def frozen_payments_leave_the_order_pending(orders, payments, order):
    """Given payments stopped in its tracks, then the order is UNAVAILABLE and waits; and it is paid once, later."""
    order = {**order, "request_id": str(uuid.uuid4())}
    os.kill(payments["pid"], signal.SIGSTOP)
    try:
        status, problem = call(orders, "POST", "/v1/orders", order)
        assert (status, problem["code"]) == (503, "UNAVAILABLE"), (status, problem)
        assert "stays PENDING" in problem["detail"], problem
        order_id = re.match(r"order (\S+) ", problem["detail"]).group(1)
        assert call(orders, "GET", "/v1/orders/" + order_id)[1]["status"] == "PENDING"
    finally:
        os.kill(payments["pid"], signal.SIGCONT)
    placed = []
    wait_until(lambda: placed.append(call(orders, "POST", "/v1/orders", order)) or placed[-1][0] == 200, "it is paid")
    assert (placed[-1][1]["id"], placed[-1][1]["status"]) == (order_id, "PAID"), placed
    _, listed = call(payments, "GET", "/v1/charges?order_id=" + order_id)
    assert [c["status"] for c in listed["charges"]] == ["CAPTURED"], listed


def main():
    demo = subprocess.run([sys.executable, os.path.join(ROOT, "examples/shop/demo.py"), *sys.argv[1:], "--keep"],
                          stdout=subprocess.PIPE, text=True, timeout=100)
    services = {}
    for line in demo.stdout.splitlines():
        service = json.loads(line)  # nothing else is on standard output
        services[service["service"]] = service
        started.append(service["pid"])
        folders.add(os.path.dirname(service["command"][service["command"].index("--data") + 1]))
    assert demo.returncode == 0, demo.returncode
    orders, payments = services["orders"], services["payments"]
    for service in services.values():
        assert set(service) == {"service", "address", "pid", "command", "contract"}, service
        assert os.path.exists(service["contract"]), service

    _, customer = call(orders, "POST", "/v1/customers", {"name": "outside " + uuid.uuid4().hex})
    _, product = call(orders, "POST", "/v1/products", {"name": "tea", "price_cents": 250})
    order = {"customer_id": customer["id"], "items": [{"product_id": product["id"], "quantity": 3}],
             "request_id": str(uuid.uuid4())}

    first = {**order, "request_id": str(uuid.uuid4())}
    order_id = place_the_same_at_once(orders, payments, first)
    mistakes_are_named(orders, first)
    cancel_gives_the_money_back(orders, payments, order_id)

    frozen_payments_leave_the_order_pending(orders, payments, order)

    os.kill(payments["pid"], signal.SIGKILL)
    wait_until(lambda: not alive(payments["pid"]), "payments is gone")
    status, problem = call(orders, "POST", "/v1/orders", order)
    assert (status, problem["code"]) == (503, "UNAVAILABLE"), (status, problem)
    assert "payments" in problem["detail"] and payments["address"] in problem["detail"], problem

    again = subprocess.Popen(payments["command"], stdout=subprocess.DEVNULL)
    started.append(again.pid)
    wait_until(lambda: ready(payments), "payments is back at its address")
    placed = []
    wait_until(lambda: placed.append(call(orders, "POST", "/v1/orders", order)) or placed[-1][0] == 200, "it is paid")
    assert placed[-1][1]["status"] == "PAID", placed
    _, repeated = call(orders, "POST", "/v1/orders", order)
    assert repeated["id"] == placed[-1][1]["id"]
    _, listed = call(payments, "GET", "/v1/charges?order_id=" + repeated["id"])
    assert [c["amount_cents"] for c in listed["charges"]] == [750], listed

    again.terminate()
    assert again.wait(timeout=20) == 0
    os.kill(orders["pid"], signal.SIGTERM)
    wait_until(lambda: not alive(orders["pid"]), "orders has left")


try:
    main()
finally:
    for pid in started:
        if alive(pid):
            os.kill(pid, signal.SIGKILL)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
