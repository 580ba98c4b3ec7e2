#!/usr/bin/python3
"""Two services on one port: what is written over gRPC (grpcio) is read over REST (curl) with every field equal, and back.

contracts.py CONTRACTS_SERVER PROTO_DIR GOOGLEAPIS_DIR [SEED]
"""
import random
import shutil
import sys
import tempfile
import traceback

import interop_process
from interop_process import OurServer, expect

try:
    import grpc
except ImportError:
    print("SKIPPED: python3-grpcio is not installed")
    sys.exit(77)


def main(program, proto_dir, googleapis, seed=None):
    if not shutil.which("curl"):
        print("SKIPPED: curl is not installed")
        return 77
    seed = int(seed) if seed else random.SystemRandom().getrandbits(32)
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as out:
        from peers import Rest, compile_protos
        clinic, dispatch = compile_protos(out, proto_dir, googleapis)
        from clinic_checks import ClinicChecks
        from dispatch_checks import DispatchChecks
        with OurServer(program) as server, grpc.insecure_channel(server.address) as channel:
            for checks in (ClinicChecks, DispatchChecks):
                run(checks(channel, Rest(server.address), clinic, dispatch, random.Random(seed)))
            server.stop()
    if interop_process.failures:
        print(f"{interop_process.failures} failed; seed {seed}", file=sys.stderr)
    return 1 if interop_process.failures else 0


def run(checks):
    for name in (n for n in type(checks).__dict__ if not n.startswith("_")):
        before = interop_process.failures
        try:
            getattr(checks, name)()
        except Exception as error:  # one check that breaks does not hide the others
            expect(False, f"{name}: {error!r}")
            traceback.print_exc()
        print("ok    " if interop_process.failures == before else "failed", f"{type(checks).__name__} {name}", flush=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
