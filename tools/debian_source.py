"""The upstream sources of a Debian package, fetched by apt once and kept outside the checkout.

apt is given a configuration of its own: a list of sources, made of the machine's own with `deb-src` for `deb`, and
folders for its lists and its cache. Nothing of the machine's is changed, and root is not needed.
"""
import os
import pathlib
import re
import shutil
import subprocess
import tarfile
import tempfile

ETC = pathlib.Path("/etc/apt")


class Unavailable(Exception):
    """There is no apt here, or it cannot have the sources: its own words."""


def cache():
    """Where what comes from others is kept."""
    folder = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "duplex"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def source_lists():
    """{file name: text}: the machine's sources, of source packages instead of binary ones."""
    lists = {}
    for file in [ETC / "sources.list", *sorted((ETC / "sources.list.d").glob("*"))]:
        if not file.is_file():
            continue
        text = file.read_text(errors="replace")
        if file.suffix == ".sources":
            lists[file.name] = re.sub(r"^Types:.*$", "Types: deb-src", text, flags=re.MULTILINE | re.IGNORECASE)
        elif file.suffix == ".list":
            lines = [line for line in text.splitlines() if re.match(r"\s*deb\s", line)]
            lists[file.name] = "\n".join(re.sub(r"^\s*deb\s", "deb-src ", line) for line in lines) + "\n"
    return lists


def download(package, into):
    """The files of the source package, in the folder `into`."""
    if not shutil.which("apt-get"):
        raise Unavailable("there is no apt-get here: this is no Debian machine")
    parts, lists = into / "sources.list.d", into / "lists"
    for folder in (parts, lists / "partial", into / "archives" / "partial"):
        folder.mkdir(parents=True)
    for name, text in source_lists().items():
        (parts / name).write_text(text)
    options = {"Dir::Etc::sourcelist": "/dev/null", "Dir::Etc::sourceparts": parts, "Dir::State::lists": lists,
               "Dir::Cache": into, "Dir::Cache::archives": into / "archives", "APT::Sandbox::User": "",
               "Acquire::Languages": "none", "Acquire::Retries": "2"}
    apt = ["apt-get", "--quiet", *(f"-o{name}={value}" for name, value in options.items())]
    for command in (["update"], ["source", "--download-only", package]):
        done = subprocess.run([*apt, *command], cwd=into, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        # `update` says 0 where one of several sources fails; then `source` may still find what it needs.
        if done.returncode != 0 and command[0] == "source":
            raise Unavailable(f"apt-get cannot have the source package {package}. It says:\n{done.stdout}")


def upstream(package, version):
    """The folder of the package's upstream sources. `version`: what the upstream version must begin with."""
    there = cache() / f"debian-{package}-{version}"
    if there.exists():
        return there
    # Aside, and moved when it is whole: a broken download is never taken for one.
    with tempfile.TemporaryDirectory(dir=cache()) as aside:
        aside = pathlib.Path(aside)
        download(package, aside)
        found = [f for f in aside.glob(f"{package}_{version}*.orig.tar.*") if f.suffix in (".gz", ".xz", ".bz2")]
        if not found:
            names = ", ".join(sorted(f.name for f in aside.glob("*.dsc"))) or "none"
            raise Unavailable(f"{package} {version} is wanted, and Debian's sources here have: {names}")
        with tarfile.open(found[0]) as tar:
            tar.extractall(aside / "whole")
        roots = list((aside / "whole").iterdir())
        root = roots[0] if len(roots) == 1 else aside / "whole"
        try:
            root.rename(there)
        except OSError:  # another run was first
            if not there.exists():
                raise
    return there
