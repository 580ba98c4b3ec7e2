#!/usr/bin/python3
"""planted_violation_test.py BUILD: the layering check fails on what it is there for.

Plants files with a forbidden include in a tree of their own, has the real compiler read them with the flags of the build
folder BUILD, and hands its dependency record to layering.py.
"""
import json
import pathlib
import shlex
import subprocess
import sys
import tempfile
import unittest

from layering import HERE, ROOT, House, Tree, judge

BUILD = pathlib.Path(sys.argv.pop()).resolve()
HOUSE = House((HERE / "floors.txt").read_text())


def flags():
    """Compiler and flags of a source of the lowest room, without source, output and launcher."""
    for entry in json.loads((BUILD / "compile_commands.json").read_text()):
        if "/src/base/" in entry["file"] and entry["file"].endswith("status.cc"):
            words = shlex.split(entry["command"])
            words = words[1:] if pathlib.Path(words[0]).name == "ccache" else words
            return words[:words.index("-o")], pathlib.Path(entry["file"])
    raise AssertionError("src/base/status.cc is not in compile_commands.json")


class PlantedViolation(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.planted = pathlib.Path(folder.name).resolve()
        self.compiler, self.source = flags()

    def plant(self, name, text):
        path = self.planted / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def problems(self, subject):
        """What the check says of `subject` after the compiler has read it."""
        record = self.planted / "record.d"
        subprocess.run([*self.compiler, "-I", str(self.planted / "include"), "-I", str(self.planted / "src"), "-x", "c++",
                        "-fsyntax-only", "-w", "-MD", "-MT", "x", "-MF", str(record), str(subject)], check=True)
        files = {pathlib.Path(word).resolve() for word in record.read_text().replace("\\\n", " ").split()[1:]}
        return list(judge(Tree(HOUSE, self.planted, ROOT), subject, files))

    def test_a_source_as_it_is_passes(self):
        copy = self.plant("src/base/status.cc", self.source.read_text())
        self.assertEqual(self.problems(copy), [])

    def test_an_include_of_a_higher_floor_fails_and_says_where_and_what_to_do(self):
        copy = self.plant("src/base/status.cc", '#include "duplex/runtime/task.h"\n' + self.source.read_text())
        told = "\n".join(self.problems(copy))
        self.assertIn('src/base/status.cc:1: #include "duplex/runtime/task.h"', told)
        self.assertIn("`base` stands on floor 0, `runtime` above it on floor 1", told)
        self.assertIn("mend:", told)

    def test_a_neighbour_on_the_same_floor_fails(self):
        self.plant("include/duplex/http/planted.h", "#pragma once\n")
        source = self.plant("src/service/planted.cc", '#include "duplex/http/planted.h"\n')
        told = "\n".join(self.problems(source))
        self.assertIn('src/service/planted.cc:1: #include "duplex/http/planted.h"', told)
        self.assertIn("both stand on floor 2", told)

    def test_a_public_header_is_judged_by_the_floor_of_its_room(self):
        header = self.plant("include/duplex/base/planted.h", '#pragma once\n\n#include "duplex/runtime/task.h"\n')
        self.assertIn('include/duplex/base/planted.h:3: #include "duplex/runtime/task.h"', "\n".join(self.problems(header)))

    def test_a_way_through_another_header_is_found_where_it_begins(self):
        self.plant("include/duplex/base/between.h", '#pragma once\n#include "duplex/runtime/task.h"\n')
        source = self.plant("src/base/planted.cc", '#include "duplex/base/between.h"\n')
        self.assertIn('include/duplex/base/between.h:2: #include "duplex/runtime/task.h"', "\n".join(self.problems(source)))

    def test_a_computed_include_does_not_hide(self):
        source = self.plant("src/base/planted.cc", '#define UP "duplex/runtime/task.h"\n#include UP\n')
        self.assertIn("src/base/planted.cc: reads include/duplex/runtime/task.h", "\n".join(self.problems(source)))

    def test_a_public_header_that_needs_a_private_one_fails(self):
        self.plant("src/base/private.h", "#pragma once\n")
        header = self.plant("include/duplex/base/planted.h", '#pragma once\n#include "base/private.h"\n')
        self.assertIn("a public header, which a user includes, needs a private one", "\n".join(self.problems(header)))

    def test_a_room_without_a_floor_fails(self):
        source = self.plant("src/attic/planted.cc", "\n")
        self.assertIn("src/attic/planted.cc: lies in no room that has a floor", "\n".join(self.problems(source)))


if __name__ == "__main__":
    unittest.main()
