#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tree's own rules of style that no ready tool knows.

usage: scripts/lint.py [--tree DIR] [--list | --files KIND]

Prints every problem as file:line: rule: text, and how many files were read. Exit 1 if there is a
problem. Runs in the build root: only Python's standard library and bash are needed. A rule is a
function that is given a File (or the whole Tree) and yields (line, text); RULES names them, and
tests/unit/test_lint.py has a failing sample of each.
"""
import argparse
import ast
import re
import subprocess
import sys
from pathlib import Path

import lint_c
from lint_c import is_at

LINES_PER_FUNCTION = 80
LINES_PER_FILE = 700
# by kind of file: shell, make and Python carry long words (options, paths) that do not wrap well
COLUMNS = {"c": 100, "shell": 120, "make": 120, "python": 120}
TAB = 8
SPDX = "SPDX-License-Identifier: GPL-3.0-or-later"

# What each layer may include (DESIGN §4): itself and what is below it.
BELOW = {
    "base": {"base"},
    "facts": {"facts", "base"},
    "bus": {"bus", "facts", "base"},
    "phone": {"phone", "bus", "facts", "base"},
    "doctor": {"doctor", "phone", "bus", "facts", "base"},
    "service": {"service", "doctor", "phone", "bus", "facts", "base"},
    "face": {"face", "service", "doctor", "phone", "bus", "facts", "base"},
    "worker": {"worker", "facts", "base"},
    "main.c": {"face"},
}
GENERATED_HEADERS = {"version.h"}
# Headers of libraries that one layer alone may use.
LIBRARY_OF = {
    r"libimobiledevice|libirecovery|usbmuxd\.h|plist/|libusb|curl/|zip\.h": "worker",
    r"n?curses|term\.h|panel\.h|ncursesw/": "face",
}
BANNED = {
    "sleep": "wait for an event with a limit (sd-event, poll)",
    "usleep": "wait for an event with a limit (sd-event, poll)",
    "nanosleep": "wait for an event with a limit (sd-event, poll)",
    "clock_nanosleep": "wait for an event with a limit (sd-event, poll)",
    "system": "process_spawn_socket()",
    "popen": "process_spawn_socket()",
    "vfork": "process_spawn_socket()",
    "strcpy": "text_copy() or memcpy()",
    "stpcpy": "text_copy() or memcpy()",
    "strncpy": "text_copy()",
    "strcat": "snprintf()",
    "strncat": "snprintf()",
    "sprintf": "snprintf()",
    "vsprintf": "vsnprintf()",
    "gets": "fgets()",
    "scanf": "text_parse_hex() or strtoull() with checks",
    "sscanf": "text_parse_hex() or strtoull() with checks",
    "fscanf": "text_parse_hex() or strtoull() with checks",
    "strtok": "strsep() or strcspn()",
    "strtok_r": "strsep() or strcspn()",
    "atoi": "strtoul() with checks, or text_parse_hex()",
    "atol": "strtoul() with checks, or text_parse_hex()",
    "atoll": "strtoull() with checks, or text_parse_hex()",
    "atof": "strtod() with checks",
    "alloca": "an array of a fixed size, or malloc()",
    "strdupa": "strdup()",
    "asctime": "strftime()",
    "ctime": "strftime()",
    "localtime": "localtime_r()",
    "gmtime": "gmtime_r()",
    "strerror_r": "error_set_errno(), or strerror()",
    "tmpnam": "mkostemp()",
    "mktemp": "mkostemp()",
    "tempnam": "mkostemp()",
    "rand": "getrandom()",
    "random": "getrandom()",
    "srand": "getrandom()",
    "setjmp": "return values",
    "longjmp": "return values",
    "signal": "sigaction() or sd_event_add_signal() for a handler",
    "alarm": "sd_event_add_time()",
    "abort": "an error with ERROR_BUG",
    "bzero": "an initializer, or memset()",
    "bcopy": "memmove()",
}
# signal() is portable only with these instead of a handler.
SIGNAL_DISPOSITIONS = {"SIG_IGN", "SIG_DFL"}
GLOBALS_ALLOWED = {"src/main.c", "src/base/log.c"}
# In pieces, so that this file does not hold what it looks for.
LEFT_OVER = re.compile(r"\b(" + "|".join(("TO" "DO", "FIX" "ME", "XX" "X", "HA" "CK")) + r")\b")
MACHINE_PATH = re.compile(r"(?<![\w.$})>/~-])/(?:work(?![\w.-])|home/\w|root/\w)")
MESSAGE_ID = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)+")
MESSAGES = "src/facts/messages.tsv"
SKIPPED_FOLDERS = {"build", "__pycache__", ".git", ".pytest_cache", "corpus"}


class File:
    """One file of the tree: its name, kind and content; tokens are read when first asked for."""

    def __init__(self, root, path):
        self.path = path
        self.name = path.relative_to(root).as_posix()
        data = path.read_bytes()
        self.is_text = b"\0" not in data
        self.text = data.decode("utf-8", "replace") if self.is_text else ""
        self.lines = self.text.splitlines()
        self.kind = self.find_kind()
        self._tokens = None

    def find_kind(self):
        first = self.lines[0] if self.lines else ""
        if self.path.suffix in (".c", ".h"):
            return "c"
        if self.path.suffix == ".py" or re.match(r"#!.*\bpython3?\b", first):
            return "python"
        if self.path.suffix == ".sh" or re.match(r"#!.*\b(ba|da)?sh\b", first):
            return "shell"
        if self.path.suffix == ".mk" or self.path.name == "Makefile":
            return "make"
        return "other"

    @property
    def tokens(self):
        if self._tokens is None:
            self._tokens = lint_c.tokens_of(self.text)
        return self._tokens

    @property
    def layer(self):
        """Folder below src/ (or main.c); None outside of src/."""
        parts = self.name.split("/")
        return parts[1] if parts[0] == "src" and len(parts) > 1 else None

    def is_source_code(self):
        return self.kind == "c" and self.name.startswith("src/")


class Tree:
    def __init__(self, root):
        self.root = root
        self.files = sorted(self.find(root), key=lambda f: f.name)
        self.enum_constants = {
            name for f in self.files if f.is_source_code()
            for name in lint_c.enum_constants(f.tokens)
        }

    def find(self, root):
        for path in root.rglob("*"):
            inside = path.relative_to(root).parts
            if SKIPPED_FOLDERS.isdisjoint(inside) and path.is_file() and not path.is_symlink():
                yield File(root, path)

    def get(self, name):
        return next((f for f in self.files if f.name == name), None)


# --- rules of one file


def rule_layers(tree, file):
    """Includes go downwards only, and a library belongs to one layer."""
    if not file.is_source_code():
        return
    for line, name, quoted in lint_c.includes_of(file.tokens):
        if not quoted:
            for library, owner in LIBRARY_OF.items():
                if re.match(library, name) and file.layer != owner:
                    yield line, f"<{name}> belongs to src/{owner} alone"
        elif name in GENERATED_HEADERS:
            continue
        elif "/" not in name:
            yield line, f'"{name}" is not a path from src/, like "base/error.h"'
        elif name.split("/")[0] not in BELOW.get(file.layer, set()):
            yield line, f'src/{file.layer} may not include "{name}": arrows point down'


def rule_banned(tree, file):
    """Calls that src/ does without."""
    if not file.is_source_code():
        return
    tokens = file.tokens
    for at, token in enumerate(tokens):
        called = token.kind == "name" and is_at(tokens, at + 1, "(")
        member = is_at(tokens, at - 1, "->") or is_at(tokens, at - 1, ".")
        if called and not member and token.text in BANNED:
            arguments = lint_c.arguments_of(tokens, at + 1)
            if token.text == "signal" and arguments[-1][0].text in SIGNAL_DISPOSITIONS:
                continue
            yield token.line, f"{token.text}() is banned: use {BANNED[token.text]}"


def rule_function_length(tree, file):
    """Functions are short enough to read at once."""
    for name, first, last in functions_of(file):
        if last - first + 1 > LINES_PER_FUNCTION:
            yield first, f"{name} has {last - first + 1} lines, over {LINES_PER_FUNCTION}"


def functions_of(file):
    if file.kind == "c":
        for statement in lint_c.statements_of(file.tokens):
            if statement.body:
                flat = lint_c.outer(statement.head)
                names = [t.text for t, after in zip(flat, flat[1:]) if after.text == "("]
                name = next((n for n in names if n != "__attribute__"), "a function")
                yield name + "()", statement.first, statement.last
    elif file.kind == "python":
        for node in ast.walk(python_tree(file) or ast.Module([], [])):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield node.name + "()", node.lineno, node.end_lineno


def python_tree(file):
    try:
        return ast.parse(file.text)
    except SyntaxError:
        return None


def rule_file_length(tree, file):
    """Files are short enough to find one's way."""
    if file.kind != "other" and len(file.lines) > LINES_PER_FILE:
        yield LINES_PER_FILE + 1, f"{len(file.lines)} lines, over {LINES_PER_FILE}"


def rule_columns(tree, file):
    """Lines fit into 100 columns (C) or 120, a tab counting up to the next multiple of eight."""
    if file.kind == "other":
        return
    limit = COLUMNS[file.kind]
    for number, line in enumerate(file.lines, start=1):
        if len(line.expandtabs(TAB)) > limit:
            yield number, f"{len(line.expandtabs(TAB))} columns, over {limit}"


def rule_globals(tree, file):
    """No mutable variables of a whole file or program."""
    if not file.is_source_code() or file.name in GLOBALS_ALLOWED:
        return
    for statement in lint_c.statements_of(file.tokens):
        declarations = [statement.head]
        if statement.body:
            declarations = lint_c.local_statics(statement.body)
        for declaration in declarations:
            name = lint_c.variable_name(declaration)
            if name is not None and not lint_c.is_constant(declaration):
                yield name.line, f"{name.text} is a mutable variable that outlives its function"


def rule_default(tree, file):
    """A switch over an enum of ours names every value, so that the compiler finds a new one."""
    if not file.is_source_code():
        return
    for _, labels, default in lint_c.switches_of(file.tokens):
        ours = [len(label) == 1 and label[0].text in tree.enum_constants for label in labels]
        if default is not None and ours and all(ours):
            yield default, "default: in a switch over an enum of ours: name the values"


def rule_spdx(tree, file):
    """The licence stands first (behind #!)."""
    wanted = {"c": f"/* {SPDX} */", "other": None}.get(file.kind, f"# {SPDX}")
    if wanted is None or not file.is_text:
        return
    line = 2 if file.lines and file.lines[0].startswith("#!") else 1
    if len(file.lines) < line or file.lines[line - 1] != wanted:
        yield line, f"must be: {wanted}"


def rule_once(tree, file):
    """Headers use #pragma once and no guards."""
    if file.path.suffix != ".h":
        return
    directives = [t for t in file.tokens if t.kind == "directive"]
    if not any(re.fullmatch(r"#\s*pragma\s+once\s*", t.text) for t in directives):
        yield 1, "has no #pragma once"
    for token in directives:
        if re.match(r"#\s*ifndef\s+_*[A-Za-z]\w*_H_*\s*$", token.text):
            yield token.line, "has an include guard beside #pragma once"


def rule_left_over(tree, file):
    """Nothing is left to be done later without an issue."""
    for number, line in enumerate(file.lines, start=1):
        found = LEFT_OVER.search(line)
        if found:
            yield number, f"{found.group()}: do it now, or open an issue"


def rule_machine_path(tree, file):
    """No path of one machine or person."""
    for number, line in enumerate(file.lines, start=1):
        found = MACHINE_PATH.search(line)
        if found:
            yield number, f"'{found.group()}…' exists on one machine only"


def rule_syntax(tree, file):
    """Scripts can at least be read by their interpreter."""
    if file.kind == "shell":
        done = subprocess.run(["bash", "-n", str(file.path)], capture_output=True, text=True,
                              check=False)
        for line in done.stderr.splitlines():
            found = re.search(r"line (\d+): (.*)", line)
            yield (int(found.group(1)), found.group(2)) if found else (1, line)
    elif file.kind == "python":
        try:
            ast.parse(file.text)
        except SyntaxError as wrong:
            yield wrong.lineno or 1, wrong.msg


def rule_links(tree, file):
    """What a unit wants is a link: systemd passes over a file there, and the unit never starts."""
    if file.path.parent.suffix in (".wants", ".requires"):
        yield 1, f"must be a link to the unit: ln -s ../{file.path.name}"


# --- rules of the whole tree: they yield (file name, line, text)


def message_rows(file):
    """Id to line number, and id to its {places}; compile.py checks the table itself."""
    rows, places = {}, {}
    for number, line in enumerate(file.lines, start=1):
        cells = line.split("\t")
        if not line.startswith("#") and len(cells) > 1 and cells[0] != "id":
            rows[cells[0]] = number
            places[cells[0]] = set(re.findall(r"\{([a-z0-9_]+)\}", cells[1]))
    return rows, places


def message_arguments(file):
    """String tokens that must be ids: first argument of message_find() and message_format(), and
    the summaries in an array of struct command."""
    tokens = file.tokens
    for at, token in enumerate(tokens):
        if token.text in ("message_find", "message_format") and is_at(tokens, at + 1, "("):
            arguments = lint_c.arguments_of(tokens, at + 1)
            yield from (t for t in (arguments or [[]])[0] if t.kind == "string")
        if token.text == "struct" and is_at(tokens, at + 1, "command"):
            yield from command_summaries(tokens, at + 3)


def command_summaries(tokens, dimension_at):
    """Summaries in `struct command NAME [ … ] = { … }`; none if it goes on otherwise."""
    start = lint_c.closing(tokens, dimension_at) + 1
    if not (is_at(tokens, dimension_at, "[") and is_at(tokens, start, "=")):
        return
    for element in lint_c.arguments_of(tokens, start + 1):
        if not is_at(element, 0, "{"):
            continue
        fields = lint_c.arguments_of(element, 0)
        named = [f for f in fields if is_at(f, 0, ".") and is_at(f, 1, "summary")]
        third = [fields[2]] if len(fields) > 2 and not is_at(fields[0], 0, ".") else []
        for field in named or third:
            yield from (t for t in field if t.kind == "string")


def wrong_places(file, places):
    """(line, text) of each message_format() whose keys are not the places of its messages."""
    tokens = file.tokens
    for at, token in enumerate(tokens):
        if token.text != "message_format" or not is_at(tokens, at + 1, "("):
            continue
        arguments = lint_c.arguments_of(tokens, at + 1)
        ids = [lint_c.string_value(t) for t in (arguments or [[]])[0] if t.kind == "string"]
        keys = arguments[1:-1:2]
        if not all(len(key) == 1 and key[0].kind == "string" for key in keys):
            continue  # not a call, or keys that only the program knows
        given = {lint_c.string_value(key[0]) for key in keys}
        known = [i for i in ids if i in places]
        for name in known:
            for place in sorted(places[name] - given):
                yield token.line, f'"{name}" has a place {{{place}}} that is not filled'
        for key in sorted(given - set().union(*(places[i] for i in known))) if known else ():
            yield token.line, f'"{known[0]}" has no place {{{key}}}'


def rule_messages(tree):
    """Ids in the code are rows of messages.tsv with those places, and every row is used."""
    table = tree.get(MESSAGES)
    if table is None:
        return
    rows, places = message_rows(table)
    families = {row.split("-")[0] for row in rows}
    used = set()
    for file in tree.files:
        if not file.is_source_code():
            continue
        yield from ((file.name, line, text) for line, text in wrong_places(file, places))
        must = {id(token) for token in message_arguments(file)}
        for token in file.tokens:
            if token.kind != "string":
                continue
            text = lint_c.string_value(token)
            used.add(text)
            # a face's other words of an id's form are ids too, in tables and helpers
            like = file.layer == "face" and text.split("-")[0] in families
            if text not in rows and (id(token) in must or (like and MESSAGE_ID.fullmatch(text))):
                yield file.name, token.line, f'there is no message "{text}" in {MESSAGES}'
    for row, line in rows.items():
        # message_for_error() builds these from the kind; compile.py checks that they are all there
        if row not in used and not row.startswith("error-"):
            yield MESSAGES, line, f"{row} is used nowhere in src/"


RULES = {
    "layers": rule_layers,
    "banned": rule_banned,
    "function-length": rule_function_length,
    "file-length": rule_file_length,
    "columns": rule_columns,
    "globals": rule_globals,
    "default": rule_default,
    "spdx": rule_spdx,
    "once": rule_once,
    "left-over": rule_left_over,
    "machine-path": rule_machine_path,
    "syntax": rule_syntax,
    "links": rule_links,
}
TREE_RULES = {"messages": rule_messages}


def problems_of(tree):
    """(file name, line, rule, text) in the order of files and lines."""
    found = []
    for file in tree.files:
        for rule, check in RULES.items():
            found += [(file.name, line, rule, text) for line, text in check(tree, file)]
    for rule, check in TREE_RULES.items():
        found += [(name, line, rule, text) for name, line, text in check(tree)]
    return sorted(found)


def main(argv):
    parser = argparse.ArgumentParser(description="the tree's own rules of style")
    parser.add_argument("--tree", type=Path, default=Path(__file__).resolve().parent.parent)
    parser.add_argument("--list", action="store_true", help="print the rules")
    parser.add_argument("--files", metavar="KIND", help="print the files of a kind: c, shell, …")
    options = parser.parse_args(argv)
    if options.list:
        for rule, check in (RULES | TREE_RULES).items():
            print(f"{rule:16} {check.__doc__.splitlines()[0]}")
        return 0
    tree = Tree(options.tree)
    if options.files:
        print("\n".join(f.name for f in tree.files if f.kind == options.files))
        return 0
    found = problems_of(tree)
    for name, line, rule, text in found:
        print(f"{name}:{line}: {rule}: {text}")
    print(f"lint.py: {len(tree.files)} files, {len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
