#!/usr/bin/python3
"""@grpc/grpc-js as client of our server and as server of our client.

interop_node.py INTEROP_SERVER INTEROP_CLIENT PROTO_DIR GOOGLEAPIS_DIR

Where grpc-js cannot be had: exit code 77 and npm's own words.
"""
import os
import pathlib
import subprocess
import sys

from interop_process import OurServer, expect, run_our_client
import interop_process
from node_packages import GRPC_JS, PROTO_LOADER, installed


def main():
    our_server, our_client, proto_dir, googleapis = sys.argv[1:]
    environment = {**os.environ, "NODE_PATH": str(installed(GRPC_JS, PROTO_LOADER))}
    here = pathlib.Path(__file__).parent

    print("== grpc-js's client, our server", flush=True)
    with OurServer(our_server) as server:
        code = subprocess.run(["node", here / "interop_client.js", server.address, proto_dir, googleapis],
                              env=environment).returncode
        expect(code == 0, f"interop_client.js exits with {code}")
        server.stop()

    print("== our client, grpc-js's server", flush=True)
    theirs = subprocess.Popen(["node", here / "interop_server.js", proto_dir, googleapis], env=environment,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        address = theirs.stdout.readline().strip()
        expect(address, "interop_server.js does not listen")
        run_our_client(our_client, address)
    finally:
        theirs.communicate()  # closes its stdin: it ends
    expect(theirs.returncode == 0, f"interop_server.js exits with {theirs.returncode}")
    print("all held" if not interop_process.failures else f"{interop_process.failures} did not hold", flush=True)
    sys.exit(1 if interop_process.failures else 0)


main()
