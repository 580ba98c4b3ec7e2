#!/usr/bin/python3
"""@grpc/grpc-js as client of our server and as server of our client.

interop_node.py INTEROP_SERVER INTEROP_CLIENT PROTO_DIR GOOGLEAPIS_DIR

The packages are installed once, outside the checkout. Where they cannot be had: exit code 77 and npm's own words.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from interop_process import OurServer, expect, run_our_client
import interop_process

PACKAGES = ("@grpc/grpc-js@1.14.7", "@grpc/proto-loader@0.8.1")
SKIPPED = 77


def skip(why):
    print(f"SKIPPED: {why}", flush=True)
    sys.exit(SKIPPED)


def installed():
    """The folder node_modules with PACKAGES in it."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "duplex"
    there = cache / ("npm-" + "-".join(p.rsplit("/", 1)[1].replace("@", "-") for p in PACKAGES))
    if not there.exists():
        cache.mkdir(parents=True, exist_ok=True)
        # Aside, and moved when it is whole: a broken install is never taken for one.
        with tempfile.TemporaryDirectory(dir=cache) as aside:
            whole = pathlib.Path(aside) / "whole"
            whole.mkdir()
            (whole / "package.json").write_text('{"private": true}\n')
            npm = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *PACKAGES],
                                 cwd=whole, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if npm.returncode != 0:
                skip(f"npm cannot install {' and '.join(PACKAGES)}. It says:\n{npm.stdout}")
            try:
                whole.rename(there)
            except OSError:  # another run was first
                if not there.exists():
                    raise
    return there / "node_modules"


def main():
    our_server, our_client, proto_dir, googleapis = sys.argv[1:]
    for program in ("node", "npm"):
        if not shutil.which(program):
            skip(f"there is no {program} here (Debian: apt install nodejs npm)")
    environment = {**os.environ, "NODE_PATH": str(installed())}
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
