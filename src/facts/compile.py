#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks the tables of this folder and writes them as constant arrays in C.

usage: compile.py --check            list every problem as file:line: text; exit 1 if there is one
       compile.py --output FILE.c    the same, then write the arrays that tables.h declares

The closed vocabularies are read from the enums in facts.h and base/error.h: a table can never know
a value that the C side does not, and the other way round. What a column may hold stands in TABLES.
The output depends on nothing but the tables and those enums.
"""
import argparse
import os
import re
import sys
from pathlib import Path

import guides

HERE = Path(__file__).resolve().parent
YEAR_OF_THE_FIRST_PHONE = 2007
TIMING_MS_MAX = 24 * 3600 * 1000
STEP_S_MAX = 24 * 3600
ATTEMPTS_MAX = 10


class Problems:
    """What is wrong with the tables, collected so that one run shows all of it."""

    def __init__(self):
        self.lines = []

    def add(self, path, line, text):
        self.lines.append(f"{path}:{line}: {text}")


class Row(dict):
    """One row: column name to text; `line` is where it stands."""

    def __init__(self, line, values):
        super().__init__(values)
        self.line = line


# --- kinds of columns: each has check(text) -> what is wrong or None, and literal(text) -> C


class Text:
    """Printable ASCII; the characters themselves are checked for every cell."""

    def check(self, text):
        return None

    def literal(self, text):
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


class Pattern(Text):
    def __init__(self, pattern, what):
        self.pattern, self.what = re.compile(pattern), what

    def check(self, text):
        return None if self.pattern.fullmatch(text) else f"'{text}' is not {self.what}"


class Message(Text):
    """Text with {name} places."""

    def check(self, text):
        rest = re.sub(r"\{[a-z][a-z0-9_]*\}", "", text)
        return "a brace that is no {name} place" if re.search(r"[{}]", rest) else None


class LogPattern(Text):
    """Alternatives of a log rule (doctor/log_pattern.h)."""

    ANCHOR_BYTES = 4

    def check(self, text):
        for way in text.split(" | "):
            plain = re.sub(r"\{[a-z-]+\}$", "", way)
            if way != way.strip() or way == "":
                return f"'{way}' begins or ends with a space"
            if way != way.lower():
                return f"'{way}' has capitals: no line is compared with them"
            if re.search(r"[|{}]", plain):
                return f"'{way}' has a bar or a brace that is no {{scheme}} at its end"
            if max(len(piece) for piece in plain.split("*")) < self.ANCHOR_BYTES:
                return f"'{way}' has no piece of {self.ANCHOR_BYTES} characters"
        return None


class Hex:
    def __init__(self, digits):
        self.digits = digits

    def check(self, text):
        if not re.fullmatch(r"0x[0-9a-f]+", text):
            return f"'{text}' is not a number like 0x12ab"
        return None if len(text) <= 2 + self.digits else f"'{text}' has over {self.digits} digits"

    def literal(self, text):
        return text


class Bit(Hex):
    def check(self, text):
        wrong = super().check(text)
        if wrong is None and int(text, 16).bit_count() != 1:
            wrong = f"'{text}' is not one bit"
        return wrong


class Number:
    def __init__(self, low, high):
        self.low, self.high = low, high

    def check(self, text):
        if not re.fullmatch(r"[1-9][0-9]*", text) and (self.low > 0 or text != "0"):
            return f"'{text}' is not a whole number"
        return None if self.low <= int(text) <= self.high else f"'{text}' is out of range"

    def literal(self, text):
        return text


class Code:
    """A code as its scheme writes it: 4013, -18, 0xe8000013 (positive)."""

    def check(self, text):
        if not re.fullmatch(r"0|-?[1-9][0-9]{0,9}|0x[0-9a-f]{1,8}", text):
            return f"'{text}' is not a number like 4013, -18 or 0xe8000013"
        return None

    def literal(self, text):
        return text


class YesNo:
    def check(self, text):
        return None if text in ("yes", "no") else f"'{text}' is neither yes nor no"

    def literal(self, text):
        return {"yes": "true", "no": "false"}[text]


class Enum:
    """A value of a C enum, in kebab case without the enum's prefix: port-dfu is MODE_PORT_DFU."""

    def __init__(self, name, prefix=None):
        self.name, self.prefix = name, prefix or name
        self.values = []  # filled by load_enums()

    def check(self, text):
        return None if text in self.values else f"'{text}' is not a value of enum {self.name}"

    def literal(self, text):
        return constant(self.prefix, text)


def constant(prefix, value):
    return f"{prefix}_{value}".upper().replace("-", "_")


class Table:
    """columns: name to kind. unique: column groups that no two rows share. complete: the column
    that holds every value of its enum once. sort: the column by which the file is sorted."""

    def __init__(self, columns, unique=(), complete=None, sort=None):
        self.columns, self.unique = columns, unique
        self.complete, self.sort = complete, sort


TRIED, MODE, FAMILY, BUTTONS = Enum("tried"), Enum("mode"), Enum("family"), Enum("buttons")
TIMING, ERROR = Enum("timing"), Enum("error_kind", "error")
THRESHOLD = Enum("threshold")
GOAL, DATA, STEP = Enum("goal"), Enum("data"), Enum("step_kind", "step")
SEVERITY, CONFIDENCE = Enum("severity"), Enum("confidence")
RUNG, PLACE = Enum("rung"), Enum("place")
LOG_KIND = Enum("log_kind", "log")
TEXT = Text()
ORIGIN = {"tried": TRIED, "source": TEXT}
KEBAB = Pattern(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", "in kebab-case")
IDS = Pattern(r"-|[a-z][a-z0-9]*(-[a-z0-9]+)*( [a-z][a-z0-9]*(-[a-z0-9]+)*)*", "a list of ids, or -")
WAY = r"((iOS|Windows|macOS) [0-9]+ and later: |before (iOS|Windows|macOS) [0-9]+: )?[^|:]+"
MENU = Pattern(rf"-|{WAY}( \| {WAY})*", "a way through menus (facts.h, hint_menu)")
SAME = Pattern(r"-|[a-z-]+:-?[0-9a-fx]+( [a-z-]+:-?[0-9a-fx]+)*", "a list of scheme:value, or -")
NEED = r"((with|without|unless-later):[a-z][a-z0-9-]*|times:[1-9][0-9]{0,2})"
NEEDS = Pattern(f"-|{NEED}( {NEED}){{0,3}}", "up to 4 needs, or -")
LAYERS = ("usb|usbmuxd|pairing|network|tss|ipsw|recovery|dfu|restore|baseband|hardware|disk"
                "|activation|tool")
LAYER, LAYER_OR_NONE = Pattern(LAYERS, "a layer"), Pattern(f"-|{LAYERS}", "a layer, or -")

TABLES = {
    "models": Table(
        {
            "product": Pattern(r"(iPhone|iPad|iPod)[1-9][0-9]*,[1-9][0-9]*", "a ProductType"),
            "board": Pattern(r"[a-z][a-z0-9]*ap", "a board name in small letters"),
            "cpid": Hex(4),
            "bdid": Hex(2),
            "name": TEXT,
            "family": FAMILY,
            "buttons": BUTTONS,
            "year": Number(YEAR_OF_THE_FIRST_PHONE, 2099),
            "usb_mbps": Number(480, 40000),
            **ORIGIN,
        },
        unique=(("board",), ("cpid", "bdid")),
    ),
    "usb_ids": Table(
        {"vid": Hex(4), "pid": Hex(4), "mode": MODE, "phone": YesNo(), "ask": YesNo(),
         "name": TEXT, **ORIGIN},
        unique=(("vid", "pid"),),
    ),
    "modes": Table({"id": MODE, "label": TEXT, "text": TEXT, **ORIGIN}, complete="id"),
    "iboot_flags": Table(
        {"mask": Bit(8), "id": KEBAB, "text": TEXT, **ORIGIN},
        unique=(("mask",), ("id",)),
    ),
    "buttons": Table(
        {"id": BUTTONS, "restart": TEXT, "recovery": TEXT, "dfu": TEXT, **ORIGIN}, complete="id"
    ),
    "timings": Table(
        {"id": TIMING, "ms": Number(1, TIMING_MS_MAX), "reason": TEXT, **ORIGIN}, complete="id"
    ),
    "thresholds": Table(
        {"id": THRESHOLD, "value": Number(1, 99), "reason": TEXT, **ORIGIN}, complete="id"
    ),
    "messages": Table(
        {"id": KEBAB, "text": Message(), "source": TEXT}, unique=(("id",),), sort="id"
    ),
    "goals": Table(
        {"id": GOAL, "label": TEXT, "lost": TEXT, "data": DATA, "firmware": YesNo(), **ORIGIN},
        complete="id",
    ),
    "steps": Table(
        {"id": STEP, "label": TEXT, "guidance": TEXT, "data": DATA, "cancel": YesNo(),
         "phone": YesNo(), "attempts": Number(1, ATTEMPTS_MAX), "silence_s": Number(0, STEP_S_MAX),
         "total_s": Number(0, STEP_S_MAX), **ORIGIN},
        complete="id",
    ),
    "findings": Table(
        {"id": KEBAB, "severity": SEVERITY, "title": Message(), "meaning": Message(),
         "next": Message(), "cost": Message(), "doubt": Message(), "command": Message(), "codes": TEXT, **ORIGIN},
        unique=(("id",),),
    ),
    "codes": Table(
        {"scheme": KEBAB, "value": Code(), "last": Code(), "name": TEXT, "layer": LAYER,
         "confidence": CONFIDENCE, "cause": KEBAB, "same": SAME, "meaning": TEXT, "next": TEXT,
         **ORIGIN},
        unique=(("scheme", "value", "last", "name", "layer"),),
    ),
    "hints": Table(
        {"id": KEBAB, "rung": RUNG, "finds": IDS, "text": TEXT, "keeps": TEXT, "loses": TEXT,
         "since": TEXT, "system": PLACE, "menu": MENU, "prevention": YesNo(), **ORIGIN},
        unique=(("id",),),
    ),
    "guides": Table(
        {"guide": Pattern("|".join(guides.GUIDES), "one of the three guides"),
         "item": Number(1, 999), "digest": Pattern("[0-9a-f]{12}", "12 digits of a SHA-256"),
         "hints": IDS, "doubt": TEXT},
        unique=(("guide", "item"),),
    ),
    "engine_steps": Table(
        {"number": Number(0, 99), "id": KEBAB, "label": TEXT, **ORIGIN},
        unique=(("number",), ("id",)),
    ),
    "engine_rules": Table(
        {"id": KEBAB, "pattern": TEXT, "kind": ERROR, "again": YesNo(), "layer": LAYER,
         "text": TEXT, "next": TEXT, **ORIGIN},
        unique=(("id",), ("pattern",)),
    ),
    "log_rules": Table(
        {"id": KEBAB, "kind": LOG_KIND, "pattern": LogPattern(), "needs": NEEDS,
         "layer": LAYER_OR_NONE, "confidence": CONFIDENCE, "cause": TEXT, "next": TEXT, **ORIGIN},
        unique=(("id",), ("pattern",)),
    ),
}


# --- reading

# enumerators that stand for no value: the ends of enums, and an error that is none
NO_VALUES = ("max", "kind-max", "none")


def load_enum(enum, header):
    """Fills enum.values from `enum NAME { PREFIX_A, … }` in the text of a header."""
    text = re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)
    found = re.search(r"\benum " + enum.name + r"\s*\{(.*?)\}", text, re.DOTALL)
    if not found:
        raise SystemExit(f"compile.py: there is no enum {enum.name} in the headers")
    names = [part.strip() for part in found.group(1).split(",") if part.strip()]
    prefix = enum.prefix.upper() + "_"
    values = [n.removeprefix(prefix).lower().replace("_", "-") for n in names]
    enum.values = [v for v in values if v not in NO_VALUES]


def load_enums(facts_header, error_header):
    for enum in (TRIED, MODE, FAMILY, BUTTONS, TIMING, THRESHOLD, GOAL, DATA, STEP, SEVERITY, CONFIDENCE,
                 RUNG, PLACE, LOG_KIND):
        load_enum(enum, facts_header)
    load_enum(ERROR, error_header)


def check_characters(text):
    if text == "":
        return "is empty"
    if text != text.strip(" "):
        return "begins or ends with a space"
    if not all(" " <= c <= "~" for c in text):
        return "has a character that is not printable ASCII"
    return None


def read_row(table, path, number, line, problems):
    """The row of one line, None if it has a wrong number of columns or a bad cell."""
    cells = line.split("\t")
    if len(cells) != len(table.columns):
        problems.add(path, number, f"{len(cells)} columns instead of {len(table.columns)}")
        return None
    good = True
    for (name, kind), cell in zip(table.columns.items(), cells):
        wrong = check_characters(cell)
        if wrong is not None:
            problems.add(path, number, f"{name} {wrong}")
        else:
            wrong = kind.check(cell)
            if wrong is not None:
                problems.add(path, number, f"{name}: {wrong}")
        good = good and wrong is None
    return Row(number, zip(table.columns, cells)) if good else None


def read_table(table, path, problems):
    """The good rows of a file. Comments start with '#', the first other line names the columns."""
    header = False
    rows = []
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as wrong:
        problems.add(path.name, 1, f"cannot be read: {wrong}")
        return rows
    if lines.pop() != "":
        problems.add(path.name, len(lines) + 1, "the last line has no newline")
    for number, line in enumerate(lines, start=1):
        if line != line.rstrip():
            problems.add(path.name, number, "space or tab at the end of the line")
        elif line.startswith("#"):
            if not line.isascii():
                problems.add(path.name, number, "has a character that is not printable ASCII")
        elif not header:
            header = True
            if line.split("\t") != list(table.columns):
                problems.add(path.name, number, "columns must be: " + " ".join(table.columns))
        else:
            row = read_row(table, path.name, number, line, problems)
            if row is not None:
                rows.append(row)
    return rows


# --- checks over whole tables


def check_unique(table, path, rows, problems):
    for columns in table.unique + (((table.complete,),) if table.complete else ()):
        seen = {}
        for row in rows:
            key = tuple(normal(table.columns[c], row[c]) for c in columns)
            if key in seen:
                what = " ".join(row[c] for c in columns)
                problems.add(path, row.line, f"{what} stands in line {seen[key]} already")
            else:
                seen[key] = row.line


def normal(kind, text):
    """Two spellings of one number are the same key."""
    return int(text, 0) if isinstance(kind, (Hex, Code, Number)) else text


def check_complete(table, path, rows, problems):
    if not table.complete:
        return
    enum = table.columns[table.complete]
    have = {row[table.complete] for row in rows}
    for value in enum.values:
        if value not in have:
            problems.add(path, 1, f"no row for {value} of enum {enum.name}")


def check_sorted(table, path, rows, problems):
    if not table.sort:
        return
    for before, row in zip(rows, rows[1:]):
        if row[table.sort] < before[table.sort]:
            what = f"{row[table.sort]} must stand before {before[table.sort]}"
            problems.add(path, row.line, f"{what}: the table is sorted by {table.sort}")


def check_errors(path, rows, problems):
    """Each kind of error has the message that explains it, and no other error-… exists."""
    wanted = {"error-" + kind for kind in ERROR.values}
    for row in rows:
        if row["id"].startswith("error-") and row["id"] not in wanted:
            problems.add(path, row.line, f"{row['id']} is not a kind of enum error_kind")
    for missing in sorted(wanted - {row["id"] for row in rows}):
        problems.add(path, 1, f"no row {missing} for enum error_kind")


def check_codes(path, rows, problems):
    for row in rows:
        if int(row["last"], 0) < int(row["value"], 0):
            problems.add(path, row.line, f"{row['last']} is below {row['value']}")


def check_causes(path, rows, problems):
    """Rows that say the same have one cause, and one cause is in one layer; twins exist."""
    said, layers = {}, {}
    known = {f"{row['scheme']}:{row['value']}" for row in rows}
    for row in rows:
        cause = said.setdefault(row["meaning"], row["cause"])
        if cause != row["cause"]:
            problems.add(path, row.line, f"says the same as the cause {cause}")
        layer = layers.setdefault(row["cause"], row["layer"])
        if layer != row["layer"]:
            problems.add(path, row.line, f"the cause {row['cause']} is in the layer {layer}")
        for twin in row["same"].split() if row["same"] != "-" else ():
            if twin not in known or twin.split(":")[0] == row["scheme"]:
                problems.add(path, row.line, f"same: '{twin}' is no code of another scheme")


def check_log_rules(path, rows, codes, problems):
    """Rows of verdicts say all of it, those of codes leave it to the code; needs exist."""
    ids = {row["id"] for row in rows}
    schemes = {code["scheme"] for code in codes}
    for row in rows:
        named = set(re.findall(r"\{([a-z-]+)\}", row["pattern"]))
        told = [row[column] != "-" for column in ("layer", "cause", "next")]
        for scheme in sorted(named - schemes):
            problems.add(path, row.line, f"'{scheme}' is no scheme of codes.tsv")
        if any(told) != all(told):
            problems.add(path, row.line, "layer, cause and next are all given or none")
        elif all(told) == (row["kind"] in ("noise", "sign") or bool(named)):
            problems.add(path, row.line, "layer, cause and next belong to verdicts without a code")
        for need in row["needs"].split() if row["needs"] != "-" else ():
            word, what = need.split(":")
            if word != "times" and (what not in ids or what == row["id"]):
                problems.add(path, row.line, f"needs: there is no other row {what}")


def check_findings(path, rows, codes, problems):
    """A finding names codes as codes.tsv does."""
    known = {code["name"] for code in codes}
    known.update(code["value"] for code in codes if code["value"] == code["last"])
    for row in rows:
        for word in row["codes"].split() if row["codes"] != "-" else ():
            if word not in known:
                problems.add(path, row.line, f"codes: '{word}' is not in codes.tsv")


def check_family(path, rows, problems):
    for row in rows:
        if not row["product"].lower().startswith(row["family"]):
            problems.add(path, row.line, f"{row['product']} is not of the family {row['family']}")


def load(folder, problems):
    """All tables, checked; name to rows."""
    tables = {}
    for name, table in TABLES.items():
        path = folder / f"{name}.tsv"
        rows = tables[name] = read_table(table, path, problems)
        check_unique(table, path.name, rows, problems)
        check_complete(table, path.name, rows, problems)
        check_sorted(table, path.name, rows, problems)
    check_family("models.tsv", tables["models"], problems)
    check_errors("messages.tsv", tables["messages"], problems)
    check_codes("codes.tsv", tables["codes"], problems)
    check_causes("codes.tsv", tables["codes"], problems)
    check_log_rules("log_rules.tsv", tables["log_rules"], tables["codes"], problems)
    check_findings("findings.tsv", tables["findings"], tables["codes"], problems)
    for path in sorted(folder.glob("*.tsv")):
        if path.stem not in TABLES:
            problems.add(path.name, 1, "compile.py does not know this table")
    return tables


# --- writing


def in_enum_order(enum, rows):
    return sorted(rows, key=lambda row: enum.values.index(row["id"]))


def array(name, struct, rows, fields):
    """One array of structs whose fields are named as the columns."""
    columns = TABLES[name].columns
    lines = [f"const struct {struct} tables_{name}[{len(rows)}] = {{"]
    for row in rows:
        body = ", ".join(f".{f} = {columns[f].literal(row[f])}" for f in fields)
        lines.append(f"\t{{ {body} }},")
    return lines + ["};", f"const size_t tables_{name}_count = {len(rows)};", ""]


def index(name, rows, key):
    """Positions in `rows` in the order of key; equal keys stay in the order of the file."""
    order = sorted(range(len(rows)), key=lambda i: key(rows[i]))
    lines = [f"const uint16_t tables_{name}[{len(order)}] = {{"]
    for start in range(0, len(order), 16):
        lines.append("\t" + ", ".join(str(i) for i in order[start : start + 16]) + ",")
    return lines + ["};", ""]


def enum_names(name, enum):
    """Names of an enum's values, by value."""
    lines = [f"const char *const tables_{name}[{len(enum.values)}] = {{"]
    lines += [f'\t[{enum.literal(value)}] = "{value}",' for value in enum.values]
    return lines + ["};", ""]


def enum_rows(array_name, struct, table, rows, fields):
    """One struct a value of the enum in column id, by value: the constant, its name, the fields."""
    enum = table.columns["id"]
    lines = [f"const struct {struct} tables_{array_name}[{len(enum.values)}] = {{"]
    for row in in_enum_order(enum, rows):
        body = ", ".join(f".{f} = {table.columns[f].literal(row[f])}" for f in fields)
        value = enum.literal(row["id"])
        lines.append(f'\t[{value}] = {{ .{enum.name} = {value}, .id = "{row["id"]}", {body} }},')
    return lines + ["};", ""]


def generate(tables):
    """The C file as text."""
    models = tables["models"]
    out = ["/* Made by src/facts/compile.py from the tables in src/facts: change those. */",
           '#include "facts/tables.h"', ""]
    for enum, last in ((MODE, "MODE_MAX"), (FAMILY, "FAMILY_MAX"), (BUTTONS, "BUTTONS_MAX"),
                       (TIMING, "TIMING_MAX"), (TRIED, "TRIED_MAX"), (GOAL, "GOAL_MAX"),
                       (DATA, "DATA_MAX"), (STEP, "STEP_KIND_MAX"), (SEVERITY, "SEVERITY_MAX"),
                       (CONFIDENCE, "CONFIDENCE_MAX"), (RUNG, "RUNG_MAX"), (PLACE, "PLACE_MAX"),
                       (LOG_KIND, "LOG_KIND_MAX"),
                       (ERROR, "ERROR_KIND_MAX - 1")):
        out.append(f'static_assert({last} == {len(enum.values)}, "facts are older than the enum");')
    out.append("")
    out += array("models", "model", models,
                 ("product", "board", "cpid", "bdid", "name", "family", "buttons", "year",
                      "usb_mbps", "tried", "source"))
    out += index("models_by_chip", models, lambda r: (int(r["cpid"], 16), int(r["bdid"], 16)))
    out += index("models_by_product", models, lambda r: r["product"])
    out += index("models_by_board", models, lambda r: r["board"])
    out += array("usb_ids", "usb_id",
                 sorted(tables["usb_ids"], key=lambda r: (int(r["vid"], 16), int(r["pid"], 16))),
                 ("vid", "pid", "mode", "phone", "ask", "name", "tried", "source"))
    out += enum_rows("mode_facts", "mode_fact", TABLES["modes"], tables["modes"],
                     ("label", "text", "tried", "source"))
    out += enum_rows("button_facts", "button_fact", TABLES["buttons"], tables["buttons"],
                     ("restart", "recovery", "dfu", "tried", "source"))
    out += array("iboot_flags", "iboot_flag",
                 sorted(tables["iboot_flags"], key=lambda r: int(r["mask"], 16)),
                 ("mask", "id", "text", "tried", "source"))
    out += enum_rows("threshold_facts", "threshold_fact", TABLES["thresholds"], tables["thresholds"],
                     ("value", "reason", "tried", "source"))
    out.append(f"const unsigned tables_timings_ms[{len(TIMING.values)}] = {{")
    for row in in_enum_order(TIMING, tables["timings"]):
        out.append(f"\t[{constant('timing', row['id'])}] = {row['ms']},")
    out += ["};", ""]
    out += array("messages", "message", tables["messages"], ("id", "text", "source"))
    out += advice(tables)
    for enum, name in ((FAMILY, "family_names"), (TRIED, "tried_names"), (DATA, "data_names"),
                       (SEVERITY, "severity_names"), (CONFIDENCE, "confidence_names"),
                       (RUNG, "rung_names"), (PLACE, "place_names")):
        out += enum_names(name, enum)
    return "\n".join(out)


def advice(tables):
    """The doctor's tables: what is wrong, what can be done, what it costs."""
    out = enum_rows("goal_facts", "goal_fact", TABLES["goals"], tables["goals"],
                    ("label", "lost", "data", "firmware", "tried", "source"))
    out += enum_rows("step_facts", "step_fact", TABLES["steps"], tables["steps"],
                     ("label", "guidance", "data", "cancel", "phone", "attempts", "silence_s",
                      "total_s", "tried", "source"))
    steps = sorted(tables["engine_steps"], key=lambda r: int(r["number"]))
    hints = sorted(tables["hints"], key=lambda r: RUNG.values.index(r["rung"]))
    for name, struct, rows in (("hints", "hint_fact", hints),
                               ("findings", "finding_fact", tables["findings"]),
                               ("codes", "code_fact", tables["codes"]),
                               ("engine_steps", "engine_step", steps),
                               ("engine_rules", "engine_rule", tables["engine_rules"]),
                               ("log_rules", "log_rule", tables["log_rules"])):
        out += array(name, struct, rows, tuple(TABLES[name].columns))
    return out


def main(argv):
    parser = argparse.ArgumentParser(description="checks and compiles the tables of facts")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--check", action="store_true", help="only check")
    what.add_argument("--output", metavar="FILE", type=Path, help="write the arrays in C")
    parser.add_argument("--folder", type=Path, default=HERE, help="where the tables are")
    parser.add_argument("--documents", type=Path, default=guides.DOCUMENTS,
                        help="where the texts of the guides are, if they are at hand")
    options = parser.parse_args(argv)

    load_enums((HERE / "facts.h").read_text(encoding="utf-8"),
               (HERE.parent / "base" / "error.h").read_text(encoding="utf-8"))
    problems = Problems()
    tables = load(options.folder, problems)
    compared = ""
    if options.check and not problems.lines:  # a build does without it, and rows must be readable
        compared = guides.check(tables, RUNG.values, options.documents, problems)
    for line in problems.lines:
        print(line, file=sys.stderr)
    if problems.lines:
        return 1
    if options.output:
        # whole or not at all, so that make never takes half a file for a finished one
        part = options.output.with_name(f"{options.output.name}.{os.getpid()}")
        part.write_text(generate(tables), encoding="utf-8")
        part.replace(options.output)
    else:
        print("facts: " + ", ".join(f"{len(rows)} {name}" for name, rows in tables.items()))
        print(compared)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
