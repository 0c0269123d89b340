# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/lint.py: every rule finds its failing samples and lets the good ones pass."""
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))
import lint  # noqa: E402  pylint: disable=wrong-import-position

SPDX = "SPDX-License-Identifier: GPL-3.0-or-later"
C = f"/* {SPDX} */\n"
H = C + "#pragma once\n"
SH = f"#!/bin/bash\n# {SPDX}\n"
PY = f"# {SPDX}\n"
MESSAGES = """id\ttext\tsource
error-bug\tx\tx
list-empty\tx\tx
list-many\t{count} phones, {name}\tx
list-one\t{count} phone\tx
"""
# uses every row of MESSAGES
USES = C + 'const char *f(void)\n{\n\treturn g("list-empty", "list-one", "list-many");\n}\n'
LATER = "TO" + "DO"  # in pieces: this file is linted too
PLACE = "/wo" + "rk/"


def lint_of(folder, files):
    """Problems as (file, line, rule)."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return [(name, line, rule) for name, line, rule, _ in lint.problems_of(lint.Tree(folder))]


def lines(n):
    return "".join(f"\tx({i});\n" for i in range(n))


# rule, file, its content, the line that is wrong
BAD = [
    ("links", "rootfs/sockets.target.wants/a.socket", "../a.socket", 1),
    ("layers", "src/base/a.c", C + '#include "facts/facts.h"\n', 2),
    ("layers", "src/facts/a.c", C + '#include "bus/serial.h"\n', 2),
    ("layers", "src/bus/a.h", H + '#include "phone/phone.h"\n', 3),
    ("layers", "src/phone/a.c", C + '# include "service/client.h"\n', 2),
    ("layers", "src/service/a.c", C + '#include "face/command.h"\n', 2),
    ("layers", "src/worker/a.c", C + '#include "bus/serial.h"\n', 2),
    ("layers", "src/face/a.c", C + '#include "worker/probe.h"\n', 2),
    ("layers", "src/main.c", C + '#include "base/log.h"\n', 2),
    ("layers", "src/base/a.c", C + '#include "line.h"\n', 2),
    ("layers", "src/service/a.c", C + "#include <libimobiledevice/lockdown.h>\n", 2),
    ("layers", "src/bus/a.c", C + "#include <libirecovery.h>\n", 2),
    ("layers", "src/face/a.c", C + "#include <curl/curl.h>\n", 2),
    ("layers", "src/face/a.c", C + "#include <zip.h>\n", 2),
    ("layers", "src/service/a.c", C + "#include <usbmuxd.h>\n", 2),
    ("layers", "src/service/a.c", C + "#include <ncurses.h>\n", 2),
    ("banned", "src/base/a.c", C + "void f(void)\n{\n\tsleep(1);\n}\n", 4),
    ("banned", "src/base/a.c", C + "void f(void)\n{\n\tusleep (1);\n}\n", 4),
    ("banned", "src/base/a.c", C + "void f(void)\n{\n\tif (atoi(s))\n\t\treturn;\n}\n", 4),
    ("banned", "src/base/a.c", C + 'void f(void)\n{\n\tsystem("x");\n}\n', 4),
    ("banned", "src/base/a.c", C + "void f(void)\n{\n\tsignal(SIGINT, stop);\n}\n", 4),
    ("banned", "src/base/a.c", C + "/* a\n */\nvoid f(void)\n{\n\tstrcpy(a, b);\n}\n", 6),
    ("function-length", "src/base/a.c", C + "void f(void)\n{\n" + lines(78) + "}\n", 2),
    ("function-length", "tests/a.c", C + "static int\nf(int a)\n{\n" + lines(77) + "}\n", 2),
    ("function-length", "scripts/a.py", PY + "def f():\n" + "    x = 1\n" * 80, 2),
    ("file-length", "src/base/a.c", C + "\n" * 700, 701),
    ("file-length", "scripts/a", SH + "\n" * 699, 701),
    ("columns", "src/base/a.c", C + "/* " + "x" * 98 + "\n */\n", 2),
    ("columns", "src/base/a.c", C + "void f(void)\n{\n" + "\t" * 12 + "x = 11;\n}\n", 4),
    ("columns", "Makefile", PY + "#" + "x" * 120 + "\n", 2),
    ("columns", "scripts/a", SH + "#" + "x" * 120 + "\n", 3),
    ("columns", "scripts/a.py", PY + "#" + "x" * 120 + "\n", 2),
    ("globals", "src/base/a.c", C + "int counter;\n", 2),
    ("globals", "src/base/a.c", C + "static struct x table[2];\n", 2),
    ("globals", "src/base/a.c", C + "static struct x x = { .a = 1 };\n", 2),
    ("globals", "src/base/a.c", C + "static struct {\n\tint a;\n} state;\n", 4),
    ("globals", "src/base/a.c", C + 'static const char *name = "x";\n', 2),
    ("globals", "src/base/a.c", C + "static const char *names[2];\n", 2),
    ("globals", "src/base/a.c", C + "static _Thread_local int depth;\n", 2),
    ("globals", "src/base/a.c", C + "static int (*hook)(int) = f;\n", 2),
    ("globals", "src/base/a.c", C + "int f(void)\n{\n\tstatic int n;\n\n\treturn n++;\n}\n", 4),
    ("default", "src/base/a.c",
     C + "enum mode { MODE_A, MODE_B };\nint f(enum mode m)\n{\n\tswitch (m) {\n"
     "\tcase MODE_A:\n\t\treturn 1;\n\tdefault:\n\t\treturn 0;\n\t}\n}\n", 8),
    ("spdx", "src/base/a.c", "int f(void);\n", 1),
    ("spdx", "src/base/a.c", f"// {SPDX}\n", 1),
    ("spdx", "scripts/a", "#!/bin/bash\ntrue\n", 2),
    ("spdx", "scripts/a.py", "import re\n", 1),
    ("spdx", "Makefile", "all:\n", 1),
    ("spdx", "scripts/empty.py", "", 1),
    ("once", "src/base/a.h", C + "int f(void);\n", 1),
    ("once", "src/base/a.h", H + "#ifndef BASE_A_H\n#define BASE_A_H\n#endif\n", 3),
    ("left-over", "src/base/a.c", C + f"/* {LATER}: later */\n", 2),
    ("left-over", "README.md", f"# x\n{LATER}\n", 2),
    ("machine-path", "scripts/a", SH + f"cd {PLACE}main\n", 3),
    ("machine-path", "tests/README.md", "see /ho" + "me/anna/x\n", 1),
    ("machine-path", "scripts/a", SH + 'x="/ro' + 'ot/x"\n', 3),
    ("syntax", "scripts/a", SH + "if true; then\n", 4),
    ("syntax", "scripts/a.sh", f"# {SPDX}\necho $(\n", 3),
    ("syntax", "scripts/a.py", PY + "def f(:\n", 2),
    ("messages", "src/face/a.c",
     C + 'char *f(void)\n{\n\treturn message_format("no-row");\n}\n', 4),
    ("messages", "src/bus/a.c",
     C + 'x f(void)\n{\n\treturn message_find(a ? "list-one" : "list-two");\n}\n', 4),
    ("messages", "src/bus/a.c",
     C + 'x f(void)\n{\n\treturn message_format("list-one", NULL);\n}\n', 4),
    ("messages", "src/bus/a.c",
     C + 'x f(void)\n{\n\treturn message_format("list-one", "cont", n, NULL);\n}\n', 4),
    ("messages", "src/bus/a.c",
     C + 'x f(void)\n{\n\treturn message_format("list-empty",\n\t\t"count", n, NULL);\n}\n', 4),
    ("messages", "src/bus/a.c", C + 'x f(void)\n{\n\treturn message_format(a ? "list-one" :\n'
     '\t\t"list-many", "count", n, NULL);\n}\n', 4),
    ("messages", "src/face/a.c", C + 'const char *f(void)\n{\n\treturn "list-typo";\n}\n', 4),
    ("messages", "src/face/a.c",
     C + 'static const struct command c[] = {\n\t{ "list", "", "no-row", 0, 0, f },\n};\n', 3),
    ("messages", "src/face/a.c",
     C + 'static const struct command c[] = {\n\t{ .name = "x", .summary = "no-row" },\n};\n', 3),
]


@pytest.mark.parametrize("rule, name, text, line", BAD,
                         ids=[f"{row[0]}-{n}" for n, row in enumerate(BAD)])
def test_bad_sample(tmp_path, rule, name, text, line):
    found = lint_of(tmp_path, {"src/facts/messages.tsv": MESSAGES, "src/face/uses.c": USES,
                               name: text})
    assert set(found) == {(name, line, rule)}


def test_every_rule_has_a_bad_sample():
    assert {row[0] for row in BAD} == set(lint.RULES) | set(lint.TREE_RULES)


GOOD = [
    ("src/face/a.c", C + '#include "face/command.h"\n#include "version.h"\n#include <stdio.h>\n'),
    ("src/face/a.c", C + "#include <curses.h>\n"),
    ("src/service/a.c", C + '#include "doctor/plan.h"\n#include "base/log.h"\n'),
    ("src/worker/a.c", C + '#include <libirecovery.h>\n#include "facts/facts.h"\n'),
    ("src/main.c", C + '#include "face/command.h"\nstatic int state;\n'),
    ("src/base/log.c", C + "static struct {\n\tint a;\n} target = { .a = 1 };\n"),
    ("tests/a.c", C + '#include "x.h"\n#include <usbmuxd.h>\nstatic int n;\nint f(void)\n'
     "{\n\treturn atoi(s);\n}\n"),
    # words that only look like calls
    ("src/base/a.c", C + '/* sleep(1) */\nstatic const char *const s = "system(x)";\n'),
    ("src/base/a.c", C + "void f(struct x *x)\n{\n\tx->sleep(1);\n\tx.system(2);\n}\n"),
    ("src/base/a.c", C + "void f(void)\n{\n\tsignal(SIGPIPE, SIG_IGN);\n}\n"),
    ("src/base/a.c", C + "void f(void)\n{\n" + lines(77) + "}\n"),
    ("src/base/a.c", C + "\n" * 699),
    ("src/base/a.c", C + "/* " + "x" * 94 + " */\n"),
    ("src/facts/words.md", "x" * 300 + "\n"),
    # constants, types and prototypes are no mutable variables
    ("src/base/a.c", C + "static const struct x table[] = { { 1 } };\n"),
    ("src/base/a.c", C + 'static const char *const names[2] = { [A] = "x" };\n'),
    ("src/base/a.c", C + "static constexpr int n = 3;\n"),
    ("src/base/a.c", C + "static const struct {\n\tconst char *name;\n} rows[X] = { { 0 } };\n"),
    ("src/base/a.c", C + "struct x;\nstruct y {\n\tint a;\n};\nenum { A, B };\nunion u {\n};\n"),
    ("src/base/a.c", C + "typedef int (*fn)(void);\nextern int x;\nint f(int a, char *b);\n"),
    ("src/base/a.c", C + 'static_assert(A == 1, "x");\n#define X(a) \\\n\tint a;\n'),
    ("src/base/a.c", C + "int f(void)\n{\n\tstatic const char *const a[] = { 0 };\n}\n"),
    ("src/base/a.c", C + "static int (*const hook)(int) = f;\nDEFINE(struct x *, x_free)\n"),
    ("src/base/a.c", C + "int f(int a) __attribute__((format(printf, 1, 2)));\n"),
    # switches over other things may have a default
    ("src/base/a.c", C + "int f(int m)\n{\n\tswitch (m) {\n\tcase 'a':\n\t\treturn 1;\n"
     "\tdefault:\n\t\treturn 0;\n\t}\n}\n"),
    ("src/base/a.c", C + "enum mode { MODE_A };\nint f(enum mode m, int c)\n{\n\tswitch (m) {\n"
     "\tcase MODE_A:\n\t\tswitch (c) {\n\t\tcase EPIPE:\n\t\t\treturn 1;\n\t\tdefault:\n"
     "\t\t\treturn 2;\n\t\t}\n\t}\n\treturn 0;\n}\n"),
    ("src/base/a.h", H + "#ifndef SOMETHING\n#endif\n"),
    ("scripts/a", SH + "t=$(mktemp -d /tmp/x.XXXXXX) # see build/root/x and $HOME/" "work/\n"),
    ("scripts/a", SH + "args=(--setenv HOME /root)\n"),
    ("src/bus/a.c", C + 'const char *f(void)\n{\n\treturn "list-typo";\n}\n'),
    ("src/bus/a.c", C + 'x f(void)\n{\n\treturn message_format(a ? "list-one" : "list-many",\n'
     '\t\t"count", g(n, 2), "name", p->name, NULL);\n}\n'),
    ("src/bus/a.c", C + 'x f(void)\n{\n\treturn message_format(id, "count", n, NULL);\n}\n'),
    ("src/bus/a.c", C + "char *message_format(const char *id, ...);\n"),
    ("src/face/a.c", C + 'const char *f(void)\n{\n\treturn "some-word";\n}\n'),
]


@pytest.mark.parametrize("name, text", GOOD, ids=[str(n) for n in range(len(GOOD))])
def test_good_sample(tmp_path, name, text):
    files = {"src/facts/messages.tsv": MESSAGES, "src/face/uses.c": USES}
    assert lint_of(tmp_path, files | {name: text}) == []


def test_message_that_nobody_shows(tmp_path):
    files = {"src/facts/messages.tsv": MESSAGES + "old-text\tx\tx\n", "src/face/uses.c": USES}
    assert lint_of(tmp_path, files) == [("src/facts/messages.tsv", 6, "messages")]


def test_built_and_binary_files_are_left_alone(tmp_path):
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\0" + LATER.encode())
    assert lint_of(tmp_path, {"build/a.c": "int x;\n", ".git/a.py": "x"}) == []


def test_enum_from_another_file_counts(tmp_path):
    text = (C + "int f(int m)\n{\n\tswitch (m) {\n\tcase TRUST_A:\n\tdefault:\n"
            "\t\treturn 0;\n\t}\n}\n")
    files = {"src/bus/a.c": text, "src/bus/b.h": H + "enum trust {\n\tTRUST_A = 1, /* x */\n};\n"}
    assert lint_of(tmp_path, files) == [("src/bus/a.c", 6, "default")]


def test_program_prints_and_exits(tmp_path):
    (tmp_path / "a.py").write_text("x = 1\n", encoding="utf-8")
    command = [sys.executable, str(SCRIPTS / "lint.py"), "--tree", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [f"a.py:1: spdx: must be: # {SPDX}",
                                        "lint.py: 1 files, 1 problems"]
    (tmp_path / "a.py").write_text(PY, encoding="utf-8")
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0


def test_files_of_a_kind(tmp_path):
    lint_of(tmp_path, {"scripts/a": SH, "scripts/b.py": PY, "c.sh": SH, "d.c": C})
    done = subprocess.run([sys.executable, str(SCRIPTS / "lint.py"), "--tree", str(tmp_path),
                           "--files", "shell"], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["c.sh", "scripts/a"]


def test_rules_can_be_listed():
    done = subprocess.run([sys.executable, str(SCRIPTS / "lint.py"), "--list"],
                          capture_output=True, text=True, check=False, timeout=60)
    assert len(done.stdout.splitlines()) == len(lint.RULES) + len(lint.TREE_RULES)
