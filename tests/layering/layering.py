#!/usr/bin/python3
"""layering.py BUILD: does each room use only rooms on lower floors?

Asks ninja for the dependency record that the compiler wrote for each object of the build folder BUILD, so it sees what
was really read, through any number of includes. The rooms and their floors are in floors.txt.
"""
import json
import pathlib
import re
import shlex
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+["<]([^">]+)[">]', re.MULTILINE)


class House:
    """Rooms, their floors, and to which room a file belongs."""

    def __init__(self, text):
        self.floor, self.headers = {}, {}
        for line in text.splitlines():
            words = line.split("#")[0].split()
            if not words:
                continue
            if words[0] == "header":
                self.headers[words[1]] = words[2]
            else:
                self.floor.update({room: int(words[0]) for room in words[1:]})

    def may_use(self, room, other):
        return room == other or self.floor[other] < self.floor[room]

    def rule(self, room, other):
        if self.floor[other] == self.floor[room]:
            return f"both stand on floor {self.floor[room]}, and rooms on one floor do not use each other"
        return f"`{room}` stands on floor {self.floor[room]}, `{other}` above it on floor {self.floor[other]}"


class Tree:
    """A source tree: src/ROOM/... and include/duplex/ROOM/... below a root."""

    def __init__(self, house, *roots):
        self.house, self.roots = house, [pathlib.Path(root).resolve() for root in roots]

    def name(self, path):
        for root in self.roots:
            if path.is_relative_to(root):
                return str(path.relative_to(root))
        return str(path)

    def room(self, path):
        """The room of a file, None for a file outside the house (the system's, generated, a tool)."""
        parts = self.name(path).split("/")
        if parts[0] == "src" and len(parts) > 2:
            return parts[1]
        if parts[:2] == ["include", "duplex"] and len(parts) > 3:
            return parts[2]
        if parts[0] == "include" and parts[1:]:
            header = "/".join(parts[1:])
            return self.house.headers.get(header, f"(none: {header})")
        return None

    def public(self, path):
        return self.name(path).startswith("include/")


def includes(path, among):
    """(line, text, file) for each include directive in `path` that means one of the files `among`."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for match in INCLUDE.finditer(text):
        for file in among:
            if str(file) == str((path.parent / match[1]).resolve()) or str(file).endswith("/" + match[1]):
                yield text.count("\n", 0, match.start(1)) + 1, match[0].strip(), file


def judge(tree, subject, files):
    """Problems of one compiled file: `subject` is what is judged, `files` all that the compiler read for it."""
    room = tree.room(subject)
    house = tree.house
    mine = sorted({file for file in files | {subject} if tree.room(file)})
    for file in mine:
        if tree.room(file) not in house.floor:
            yield (f"{tree.name(file)}: lies in no room that has a floor\n"
                   f"  mend: move it into a room's folder, or write its room into tests/layering/floors.txt")
            return
    # Whoever names the wrong file in an include of its own is to blame, be it the subject or a header on the way.
    for file in mine:
        for line, text, target in includes(file, mine):
            user, used = tree.room(file), tree.room(target)
            if not house.may_use(user, used):
                yield (f"{tree.name(file)}:{line}: {text}\n"
                       f"  is {tree.name(target)}: {house.rule(user, used)}\n"
                       f"  mend: take an interface of a lower room and be handed the rest by `app`, or move what both"
                       f" need below both")
            elif tree.public(file) and not tree.public(target):
                yield (f"{tree.name(file)}:{line}: {text}\n"
                       f"  is {tree.name(target)}: a public header, which a user includes, needs a private one\n"
                       f"  mend: declare here what the header needs, or make that header public")
    # And if no directive shows it (a computed include, a generated file between), the record still does.
    for file in mine:
        if not house.may_use(room, tree.room(file)):
            yield (f"{tree.name(subject)}: reads {tree.name(file)}\n  {house.rule(room, tree.room(file))}\n"
                   f"  mend: find the way with `ninja -t deps`; take an interface of a lower room instead")


def ninja_records(build):
    """{object: (valid, files)} of a build folder, from ninja's own log."""
    text = subprocess.run(["ninja", "-C", str(build), "-t", "deps"], check=True, capture_output=True, text=True).stdout
    records = {}
    for block in text.split("\n\n"):
        head, *lines = block.splitlines() or [""]
        match = re.match(r"(.*): #deps \d+, .*\((\w+)\)$", head)
        if match:
            records[match[1]] = (match[2] == "VALID", {(build / line.strip()).resolve() for line in lines})
    return records


def check_build(tree, build):
    """(problems, number of objects judged) for a build folder."""
    problems, unbuilt, judged = [], [], 0
    records = ninja_records(build)
    alone = build / "tests/layering/alone"
    seen = set()
    for entry in json.loads((build / "compile_commands.json").read_text()):
        source = pathlib.Path(entry["file"])
        if source.is_relative_to(alone):
            subject = tree.roots[0] / "include" / source.relative_to(alone).with_suffix("")
            if not subject.exists():
                continue  # deleted since
        else:
            subject = source.resolve()
            if not tree.room(subject):
                continue
        seen.add(subject)
        words = shlex.split(entry["command"])
        valid, files = records.get(words[words.index("-o") + 1], (False, set()))
        if not valid:
            unbuilt.append(tree.name(subject))
            continue
        judged += 1
        problems += judge(tree, subject, files)
    if unbuilt:
        problems.append(f"not built, so not judged: {', '.join(unbuilt)}\n  mend: build all of it: cmake --build {build}")
    # A header that nothing compiled has no record: it would pass unread.
    rooms = {tree.room(file) for file in seen}
    for header in sorted((tree.roots[0] / "include").rglob("*.h")):
        if header not in seen and tree.room(header) in rooms:
            problems.append(f"{tree.name(header)}: no header_check compiles it\n  mend: configure again: cmake {build}")
    return problems, judged


def main(arguments):
    if len(arguments) != 1:
        sys.exit(__doc__)
    house = House((HERE / "floors.txt").read_text())
    problems, judged = check_build(Tree(house, ROOT), pathlib.Path(arguments[0]).resolve())
    problems = list(dict.fromkeys(problems))  # one header is read by many
    for problem in problems:
        print(problem, file=sys.stderr)
    if not judged:
        print("layering: nothing was judged: is the folder built?", file=sys.stderr)
        return 1
    print(f"layering: {judged} sources and headers judged, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
