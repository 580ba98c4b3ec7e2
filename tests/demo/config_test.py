"""Given the demo's services with a duplex.yaml each, then they serve and call as it says, follow it when it changes, and
name its mistakes."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid

build = sys.argv[sys.argv.index("--build") + 1]
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
folder = tempfile.mkdtemp()
running = []


def program(name):
    return os.path.join(build, "examples/shop", name)


def write(name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def start(name, conf, *flags):
    """The address at which it then listens."""
    process = subprocess.Popen([program("shop_" + name), "--config", conf, "--data", os.path.join(folder, name + ".db"), *flags],
                               stderr=subprocess.PIPE, text=True)
    running.append(process)
    line = process.stderr.readline()
    found = re.fullmatch(r"(\S+): listening on (\S+)\n", line)
    assert found, line
    return found[1], found[2]


def post(address, path, body):
    request = urllib.request.Request(f"http://{address}{path}", json.dumps(body).encode(), {"content-type": "application/json"})
    with opener.open(request, timeout=20) as answer:
        return json.load(answer)


def log_lines(path):
    with open(path, encoding="utf-8") as log:
        return [json.loads(line) for line in log]


def wait_for_line(path, part):
    """Until a line of the log speaks of it; how many do."""
    for _ in range(2000):
        found = [line for line in log_lines(path) if part in line["message"]]
        if found:
            return len(found)
        time.sleep(0.01)
    raise AssertionError(f"no line with {part!r} in {path}")


def follow_the_file(conf, orders, process, body):
    """payments goes elsewhere and comes back in the file; a mistake changes nothing; SIGHUP is heard too."""
    log = f"{folder}/orders.log"
    with open(conf, encoding="utf-8") as file:
        right = file.read()
    write("orders.yaml", re.sub(r'address: "[^"]*"', 'address: "127.0.0.1:9"', right))
    wait_for_line(log, "the configuration was read again")
    try:
        post(orders, "/v1/orders", body)
        raise AssertionError("payments is not where the file says")
    except urllib.error.HTTPError as error:
        assert error.code == 503, error.code
    write("orders.yaml", right.replace("timeout", "timoeut"))
    wait_for_line(log, "peers.payments.timoeut: there is no such setting")
    write("orders.yaml", right)
    process.send_signal(signal.SIGHUP)
    for _ in range(2000):
        if len([1 for line in log_lines(log) if "read again" in line["message"]]) >= 2:
            break
        time.sleep(0.01)
    assert post(orders, "/v1/orders", body)["status"] == "PAID"


def main():
    name, payments = start("payments", write("payments.yaml", f"""
service: {{name: till}}
server: {{listen: ["127.0.0.1:0"]}}
log: {{file: "{folder}/payments.log"}}
"""))
    assert name == "till", name
    conf = write("orders.yaml", f"""
server: {{listen: ["127.0.0.1:1"], grace: 2s}}
peers:
  payments: {{address: "{payments}", protocol: rest, timeout: 4s}}
log: {{file: "{folder}/orders.log"}}
""")
    _, orders = start("orders", conf, "--listen", "127.0.0.1:0")  # a flag wins
    customer = post(orders, "/v1/customers", {"name": "c" + uuid.uuid4().hex})
    product = post(orders, "/v1/products", {"name": "tea", "price_cents": 250})
    order = post(orders, "/v1/orders", {"customer_id": customer["id"],
                                        "items": [{"product_id": product["id"], "quantity": 2}]})
    assert order["status"] == "PAID", order
    with open(f"{folder}/payments.log", encoding="utf-8") as log:
        # The access log of a turn is written at its end, before the answer.
        lines = [json.loads(line) for line in log]
    assert [line["network.protocol.name"] for line in lines if "Charge" in line.get("rpc.method", "")] == ["rest"], lines

    follow_the_file(conf, orders, running[1], {"customer_id": customer["id"],
                                               "items": [{"product_id": product["id"], "quantity": 1}]})

    wrong = write("wrong.yaml", "peers:\n  payments: {address: \"a:1\", protocol: soap}\n")
    told = subprocess.run([program("shop_orders"), "--config", wrong], capture_output=True, text=True, timeout=20)
    assert told.returncode == 1, told
    assert "wrong.yaml:2:" in told.stderr and "peers.payments.protocol" in told.stderr, told.stderr
    for process in running:
        process.terminate()
        assert process.wait(timeout=20) == 0


try:
    main()
finally:
    for process in running:
        if process.poll() is None:
            process.kill()
    shutil.rmtree(folder, ignore_errors=True)
