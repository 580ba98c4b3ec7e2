"""Given the README, then its "page of code" is examples/page/main.cc to the letter, and a page."""

import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


shown = re.search(r"^## A page of code\n.*?^```cpp\n(.*?)^```$", read("README.md"), re.MULTILINE | re.DOTALL)
if not shown:
    sys.exit('README.md has no section "## A page of code" with a ```cpp block')
code = read("examples/page/main.cc")
if shown[1] != code:
    sys.exit("README.md: the page of code is not examples/page/main.cc; copy it there, between ```cpp and ```")
if len(code.splitlines()) > 60:
    sys.exit(f"examples/page/main.cc has {len(code.splitlines())} lines; a page is 60")
