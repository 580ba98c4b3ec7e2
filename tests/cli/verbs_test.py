#!/usr/bin/python3
"""duplex call, list and describe against the demo: by reflection, by .proto and by a descriptor set; gRPC and REST."""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile


def check(holds, what):
    if not holds:
        sys.exit(f"does not hold: {what}")
    print(f"holds: {what}")


class Duplex:
    def __init__(self, program, address):
        self.program, self.address = program, address

    def __call__(self, verb, *arguments, stdin=None, code=0):
        run = subprocess.run(
            [self.program, verb, self.address, *arguments], capture_output=True, text=True, input=stdin, timeout=60)
        if run.returncode != code:
            sys.exit(f"duplex {verb} {arguments}: exit code {run.returncode}\n{run.stdout}{run.stderr}")
        return run.stdout if code == 0 else run.stderr


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--build", required=True)
    arguments.add_argument("--duplex", required=True)
    arguments.add_argument("--source", required=True)
    options = arguments.parse_args()
    demo = os.path.join(options.source, "examples", "shop", "demo.py")
    kept = subprocess.run(
        [sys.executable, demo, "--build", options.build, "--keep"], capture_output=True, text=True, timeout=100)
    services = {line["service"]: line for line in map(json.loads, kept.stdout.splitlines())}
    try:
        verbs(options, services)
    finally:
        for service in services.values():
            os.kill(service["pid"], signal.SIGTERM)


def verbs(options, services):
    duplex = Duplex(options.duplex, services["orders"]["address"])
    contract = services["orders"]["contract"]
    proto = ["--proto", os.path.basename(contract), "--import", os.path.dirname(contract), "--import",
             googleapis()]

    listed = duplex("list")
    check("shop.v1.Customers" in listed and "POST /v1/customers" in listed, "list shows methods and routes by reflection")
    check("grpc.health.v1.Health" in listed, "health is served")
    check(duplex("list", *proto).count("shop.v1.") > 0, "list reads a .proto")
    check("message Customer" in duplex("describe", "shop.v1.Customer"), "describe shows a message")
    check("rpc CreateCustomer" in duplex("describe", "CreateCustomer"), "describe shows a method by its short name")

    made = json.loads(duplex("call", "shop.v1.Customers/CreateCustomer", '{"name": "Ada"}'))
    check(made["name"] == "Ada", "a customer is made over gRPC, with the contract from reflection")
    same = json.loads(duplex("call", "GetCustomer", json.dumps({"id": made["id"]}), "--rest", *proto))
    check(same == made, "and read over REST, with the contract from its .proto")
    with tempfile.NamedTemporaryFile() as file:
        subprocess.run(["protoc", "--include_imports", f"--descriptor_set_out={file.name}", "-I", os.path.dirname(contract),
                        "-I", googleapis(), os.path.basename(contract)], check=True)
        same = json.loads(duplex("call", "GetCustomer", json.dumps({"id": made["id"]}), "--descriptor-set", file.name))
    check(same == made, "and with the contract from a descriptor set")

    error = duplex("call", "GetCustomer", '{"id": "nobody"}', code=1)
    check("NOT_FOUND" in error, "a failure shows its status")
    error = duplex("call", "GetCustomer", '{"ident": "x"}', code=1)
    check("ident" in error, "a field that is not there is named before anything is sent")
    error = duplex("call", "NoSuchMethod", code=1)
    check("shop.v1.Customers/CreateCustomer" in error, "a method that is not there: what there is")
    nobody = Duplex(options.duplex, "127.0.0.1:1")
    check("127.0.0.1:1" in nobody("list", code=1), "a service that is not there is named")


def googleapis():
    for folder in ("/usr/share/gocode/src/github.com/gogo/googleapis", "/usr/share/googleapis"):
        if os.path.isdir(os.path.join(folder, "google", "api")):
            return folder
    sys.exit("google/api is not installed")


if __name__ == "__main__":
    main()
