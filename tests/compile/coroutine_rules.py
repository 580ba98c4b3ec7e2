"""What must not be written in a coroutine because g++ 12 compiles it wrong, as a scan of the sources.

Rule 1: no co_await in the condition of an `if` or `while` whose statement is `break` or `continue`.

    if (!(co_await x).is_ok()) break;                    // g++ 12: an illegal instruction at the jump
    Status s = co_await x; if (!s.is_ok()) break;        // the same, and right
    if (Status s = co_await x; !s.is_ok()) break;        // right too: the co_await is not in the condition

`co_return` as the statement is compiled well.

Rule 2: no co_await in a branch of the conditional operator: its value may be destroyed twice.

    Result<T> r = wanted ? co_await f() : Result<T>(s);  // g++ 12: destroyed twice, seen under ASan
    Result<T> r(s); if (wanted) r = co_await f();        // the same, and right
 Usage: coroutine_rules.py ROOT [FOLDER...]; `--self-test` checks the scan.
"""
import pathlib
import re
import sys

FOLDERS = ["src", "include", "examples", "tests", "bench", "tools"]
SKIP = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'', re.S)
HEAD = re.compile(r"\b(if|while)\s*(?:constexpr\s*)?\(")
BRANCH = re.compile(r"\?[^;{}?]*\bco_await\b")
JUMP = re.compile(r"\s*\{?\s*(break|continue)\s*;")


def blank(match):
    """Comments and literals as spaces, so that places stay."""
    return re.sub(r"[^\n]", " ", match.group())


def violations(text):
    code = SKIP.sub(blank, text)
    for head in HEAD.finditer(code):
        depth, at = 1, head.end()
        while depth and at < len(code):
            depth += {"(": 1, ")": -1}.get(code[at], 0)
            at += 1
        jump = JUMP.match(code, at)
        if jump and re.search(r"\bco_await\b", code[head.end() : at].rpartition(";")[2]):
            place = f"the condition of `{head.group(1)} (...) {jump.group(1)};`"
            mend = f"Status s = co_await ...; {head.group(1)} (...s...) {jump.group(1)};"
            yield code.count("\n", 0, head.start()) + 1, place, mend
    for branch in BRANCH.finditer(code):
        yield code.count("\n", 0, branch.end()) + 1, "a branch of `?:`", "T t(otherwise); if (...) t = co_await ...;"


def self_test():
    bad = [
        "if (!(co_await x).is_ok()) break;",
        "if ((co_await f(a, b)).is_ok())\n  continue;",
        "while (true) { if (co_await ready()) { break; } }",
        "if (int n = 0; (co_await x).is_ok()) break;",
        "auto r = a ? co_await f(b) : c;",
        "auto r = a ? c\n : co_await f(b);",
        "if (a('\"') && (co_await x).is_ok()) continue;",
    ]
    good = [
        "Status s = co_await x; if (!s.is_ok()) break;",
        "if (Status s = co_await x; !s.is_ok()) co_return s;",
        "if (Status s = co_await x; !s.is_ok()) break;",
        "// if (!(co_await x).is_ok()) break;",
        'const char* s = "if (!(co_await x).is_ok()) break;";',
        "if (n > 1'000'000) co_await x; break;",
        "while (!over) co_await x;",
        "auto r = (co_await x) ? a : b;",
        "int n = a ? b : c; co_await f(n);",
    ]
    for text in bad:
        assert len(list(violations(text))) == 1, "not found: " + text
    for text in good:
        assert not list(violations(text)), "found where there is none: " + text


def main():
    self_test()
    if sys.argv[1:] == ["--self-test"]:
        return 0
    root = pathlib.Path(sys.argv[1])
    found, files = 0, 0
    for folder in sys.argv[2:] or FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in (".h", ".cc"):
                continue
            files += 1
            for line, place, mend in violations(path.read_text()):
                found += 1
                print(f"{path.relative_to(root)}:{line}: co_await in {place}, which g++ 12 compiles wrong; write `{mend}`")
    print(f"{files} files, {found} violations")
    return 1 if found or not files else 0


if __name__ == "__main__":
    sys.exit(main())
