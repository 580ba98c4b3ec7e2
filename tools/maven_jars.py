"""The jars of a pom.xml, fetched by Maven once and kept outside the checkout."""
import hashlib
import os
import pathlib
import shutil
import subprocess
import tempfile

COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"


class Unavailable(Exception):
    """There is no Java or Maven here, or Maven cannot have the jars: its own words."""


def need_java():
    for program in ("java", "javac", "mvn"):
        if not shutil.which(program):
            raise Unavailable(f"there is no {program} here (Debian: apt install openjdk-17-jdk-headless maven)")


def jars(pom):
    """The class path entry of all that `pom` depends on."""
    need_java()
    pom = pathlib.Path(pom)
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "duplex"
    there = cache / f"maven-{hashlib.sha256(pom.read_bytes()).hexdigest()[:16]}"
    if not there.exists():
        cache.mkdir(parents=True, exist_ok=True)
        # Aside, and moved when it is whole: a broken download is never taken for one.
        with tempfile.TemporaryDirectory(dir=cache) as aside:
            whole = pathlib.Path(aside) / "whole"
            shutil.copy(pom, aside)
            maven = subprocess.run(["mvn", "--batch-mode", "--quiet", "-f", pathlib.Path(aside) / pom.name, COPY,
                                    f"-DoutputDirectory={whole}"],
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if maven.returncode != 0:
                raise Unavailable(f"Maven cannot have what {pom.name} names. It says:\n{maven.stdout}")
            try:
                whole.rename(there)
            except OSError:  # another run was first
                if not there.exists():
                    raise
    return f"{there}/*"


def compile_java(sources, class_path, into):
    """Compiles with the JDK that is there; an annotation processor on the class path is run."""
    shutil.rmtree(into, ignore_errors=True)
    pathlib.Path(into).mkdir(parents=True)
    subprocess.run(["javac", "-Xlint:all,-processing", "-Werror", "-cp", class_path, "-d", str(into), *map(str, sources)],
                   check=True)
