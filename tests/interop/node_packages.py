"""Packages of npm's, installed once and outside the checkout."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
GRPC_JS = "@grpc/grpc-js@1.14.7"
PROTO_LOADER = "@grpc/proto-loader@0.8.1"


def skip(why):
    print(f"SKIPPED: {why}", flush=True)
    sys.exit(SKIPPED)


def installed(*packages):
    """The folder node_modules with these packages in it. Where they cannot be had: exit code 77 and npm's own words."""
    for program in ("node", "npm"):
        if not shutil.which(program):
            skip(f"there is no {program} here (Debian: apt install nodejs npm)")
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "duplex"
    there = cache / ("npm-" + "-".join(p.rsplit("/", 1)[1].replace("@", "-") for p in packages))
    if not there.exists():
        cache.mkdir(parents=True, exist_ok=True)
        # Aside, and moved when it is whole: a broken install is never taken for one.
        with tempfile.TemporaryDirectory(dir=cache) as aside:
            whole = pathlib.Path(aside) / "whole"
            whole.mkdir()
            (whole / "package.json").write_text('{"private": true}\n')
            npm = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *packages],
                                 cwd=whole, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if npm.returncode != 0:
                skip(f"npm cannot install {' and '.join(packages)}. It says:\n{npm.stdout}")
            try:
                whole.rename(there)
            except OSError:  # another run was first
                if not there.exists():
                    raise
    return there / "node_modules"
