#!/usr/bin/python3
"""protobuf's conformance suite over our JSON codec, with its runner built of Debian's source package.

protobuf_conformance.py TESTEE PROTOC FOLDER

All that the suite requires passes; of what it recommends, expected_failures.txt names each miss and its reason. Where the
sources cannot be had: exit code 77 and the words of apt.
"""
import hashlib
import inspect
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "tools"))
import debian_source  # noqa: E402

SKIPPED = 77
TYPES = ["google/protobuf/test_messages_proto2.proto", "google/protobuf/test_messages_proto3.proto"]
SUITE = ["conformance_test.cc", "conformance_test_runner.cc", "binary_json_conformance_suite.cc",
         "text_format_conformance_suite.cc", "conformance_test_main.cc", "third_party/jsoncpp/jsoncpp.cpp"]
LIBPROTOBUF = 1989  # successes that libprotobuf itself has of the same version


def skip(why):
    print(f"SKIPPED: {why}", flush=True)
    sys.exit(SKIPPED)


def run(*command, **named):
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **named)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}")
    return done.stdout


def build_runner(source, protoc, into):
    """The runner, of the sources as they are."""
    protos, suite = source / "src", source / "conformance"
    run(protoc, f"-I{protos}", f"-I{suite}", f"--cpp_out={into}", "conformance.proto", *TYPES)
    made = [into / "conformance.pb.cc", *(into / name.replace(".proto", ".pb.cc") for name in TYPES)]
    flags = run("pkg-config", "--cflags", "--libs", "protobuf").split()
    run("g++", "-std=c++17", "-O1", "-w", f"-I{into}", f"-I{suite}", f"-I{suite / 'third_party/jsoncpp'}", f"-I{protos}",
        *(suite / name for name in SUITE), *made, *flags, "-lpthread", "-o", into / "runner")


def runner(source, protoc):
    """Built once a version of protobuf and of what is above, and kept outside the checkout."""
    key = run(protoc, "--version") + run("g++", "-dumpfullversion") + inspect.getsource(build_runner) + str(SUITE + TYPES)
    there = debian_source.cache() / f"protobuf-conformance-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    if not there.exists():
        with tempfile.TemporaryDirectory(dir=debian_source.cache()) as aside:
            build_runner(source, protoc, pathlib.Path(aside))
            (pathlib.Path(aside) / "whole").mkdir()
            shutil.move(pathlib.Path(aside) / "runner", pathlib.Path(aside) / "whole" / "runner")
            try:
                (pathlib.Path(aside) / "whole").rename(there)
            except OSError:  # another run was first
                if not there.exists():
                    raise
    return there / "runner"


def main():
    testee, protoc, folder = sys.argv[1:4]
    version = run(protoc, "--version").split()[-1]  # 3.21.12
    for program in ("g++", "pkg-config"):
        if not shutil.which(program):
            skip(f"there is no {program} here")
    try:
        source = debian_source.upstream("protobuf", version)
    except debian_source.Unavailable as e:
        skip(e)
    program = runner(source, protoc)
    descriptors = pathlib.Path(folder) / "types.binpb"
    run(protoc, f"-I{source / 'src'}", "--include_imports", f"--descriptor_set_out={descriptors}", *TYPES)
    done = subprocess.run([program, "--enforce_recommended", "--failure_list", HERE / "expected_failures.txt",
                           "--output_dir", folder, testee, descriptors],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(done.stdout, flush=True)
    # "CONFORMANCE SUITE PASSED: 1990 successes, 27 skipped, ...", first of binary and JSON, then of text, which is skipped.
    suites = re.findall(r"CONFORMANCE SUITE (\w+): (\d+) successes, (\d+) skipped, (\d+) expected failures, (\d+) unexpected",
                        done.stdout)
    if len(suites) != 2 or done.returncode != 0 or any(word != "PASSED" for word, *_ in suites):
        print("the suite does not pass")
        return 1
    if int(suites[0][1]) < LIBPROTOBUF:
        print(f"libprotobuf passes {LIBPROTOBUF}")
        return 1
    return 0


sys.exit(main())
