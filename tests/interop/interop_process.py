"""What the interop tests share: the checks' book-keeping, and our two programs as processes."""
import re
import subprocess
import sys

failures = 0


def expect(holds, what):
    """Counts and says what does not hold."""
    global failures
    if not holds:
        failures += 1
        print(f"FAILED: {what}", file=sys.stderr, flush=True)


class OurServer:
    """interop_server on a free port; .address; stop() is a SIGTERM and wants exit code 0."""

    def __init__(self, program, *arguments):
        self.process = subprocess.Popen([program, "127.0.0.1:0", *arguments], stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        found = re.search(r"listening on (\S+)", line)
        if not found:
            sys.exit(f"interop_server does not listen: {line}{self.process.stderr.read()}")
        self.address = found[1]

    def __enter__(self):
        return self

    def stop(self):
        """SIGTERM; its last words."""
        self.process.terminate()
        return self.wait()

    def wait(self, within=60):
        """Its last words, when it has ended by itself."""
        try:
            words = self.process.communicate(timeout=within)[1]
        except subprocess.TimeoutExpired:
            self.process.kill()
            words = self.process.communicate()[1] + f"(killed: no end within {within} s)"
        expect(self.process.returncode == 0, f"interop_server exits with {self.process.returncode}: {words}")
        return words

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


def run_our_client(program, address):
    """interop_client against that address; its own output says what fails."""
    code = subprocess.run([program, address]).returncode
    expect(code == 0, f"interop_client exits with {code}")
