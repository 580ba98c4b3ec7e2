#!/usr/bin/python3
"""h2spec, the judge of HTTP/2 servers: each of its cases holds against the demo's service `orders`, none is left out.

h2spec_test.py SHOP_ORDERS OUT_DIR RESULTS_DIR

h2spec is built into OUT_DIR from Go's module proxy, at the version that go.mod names. Where it cannot be had: exit code
77 and go's own words. RESULTS_DIR/h2spec.xml tells each case.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
import xml.etree.ElementTree

SKIPPED = 77
LEAST = 140  # h2spec 2.2.1 has 146


def built(out):
    """The program."""
    if not shutil.which("go"):
        print("SKIPPED: there is no go here (Debian: apt install golang-go)")
        sys.exit(SKIPPED)
    source = pathlib.Path(__file__).parent
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "duplex"
    # Not in the checkout, and no other toolchain than this machine's.
    environment = {**os.environ, "GOMODCACHE": str(cache / "go-mod"), "GOTOOLCHAIN": "local",
                   "GOFLAGS": "-mod=readonly -modcacherw"}
    fetched = subprocess.run(["go", "mod", "download"], cwd=source, env=environment, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)
    if fetched.returncode != 0:
        print(f"SKIPPED: go cannot fetch the modules of {source / 'go.mod'}. It says:\n{fetched.stdout}")
        sys.exit(SKIPPED)
    program = pathlib.Path(out) / "h2spec"
    subprocess.run(["go", "build", "-o", program, "github.com/summerwind/h2spec/cmd/h2spec"], cwd=source,
                   env=environment, check=True)
    return program


def main():
    orders, out, results = sys.argv[1:]
    h2spec = built(out)
    os.makedirs(results, exist_ok=True)
    report = os.path.join(results, "h2spec.xml")
    with tempfile.TemporaryDirectory() as folder:
        service = subprocess.Popen([orders, "--listen", "127.0.0.1:0", "--data", os.path.join(folder, "orders.db"),
                                    "--log", os.path.join(folder, "orders.log")], stderr=subprocess.PIPE, text=True)
        try:
            line = service.stderr.readline()
            found = re.search(r"listening on (127\.0\.0\.1):(\d+)", line)
            if not found:
                sys.exit(f"orders does not start: {line}")
            host, port = found.groups()
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            for n in range(20):  # so that the answer has a body that does not fit into a small window
                body = json.dumps({"name": f"product {n}", "price_cents": n}).encode()
                opener.open(urllib.request.Request(f"http://{host}:{port}/v1/products", body,
                                                   {"content-type": "application/json"}), timeout=20).read()
            subprocess.run([h2spec, "--strict", "-o", "5", "-h", host, "-p", port, "-P", "/v1/products", "-j", report],
                           timeout=400)
            alive = service.poll() is None
        finally:
            service.terminate()
            service.wait(30)
    cases = list(xml.etree.ElementTree.parse(report).iter("testcase"))
    bad = [case for case in cases if len(case)]  # a child of it says why
    for case in bad:
        print(f"FAILED or skipped: {case.get('package')}: {case.get('classname')}: "
              + " ".join((child.tag + " " + " ".join(child.itertext())) for child in case))
    print(f"{len(cases)} cases, {len(cases) - len(bad)} hold; {report}")
    if bad or len(cases) < LEAST or not alive:
        sys.exit(f"{len(bad)} of {len(cases)} do not hold (at least {LEAST} were to be run); orders "
                 + ("lives" if alive else "has died"))


main()
