# SPDX-License-Identifier: GPL-3.0-or-later
"""src/facts/compile.py: the shipped tables are good, and every rule finds its bad sample."""
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TREE = Path(__file__).resolve().parents[2]
FACTS = TREE / "src" / "facts"
COMPILE = FACTS / "compile.py"


def run(*arguments):
    return subprocess.run([sys.executable, str(COMPILE), *map(str, arguments)],
                          capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture(name="folder")
def copy_of_the_tables(tmp_path):
    for path in FACTS.glob("*.tsv"):
        shutil.copy(path, tmp_path)
    return tmp_path


def change(folder, table, old, new):
    """Replaces the first occurrence of old, which must be there; gives its line number."""
    path = folder / f"{table}.tsv"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return text[: text.index(old)].count("\n") + 1


def problems(folder):
    done = run("--check", "--folder", folder)
    assert done.returncode == (1 if done.stderr else 0), done.stderr
    return done.stderr.splitlines()


def rows(folder, table):
    lines = (folder / f"{table}.tsv").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("#")][1:]


def add(folder, table, line):
    """Adds a row at the end; gives its line number."""
    path = folder / f"{table}.tsv"
    text = path.read_text(encoding="utf-8") + line + "\n"
    path.write_text(text, encoding="utf-8")
    return text.count("\n")


def test_shipped_tables_are_good(folder):
    assert problems(folder) == []


def test_check_counts_rows():
    assert "180 models" in run("--check").stdout


MODEL = "iPhone14,5\td17ap\t0x8110\t0x0a\tiPhone 13\tiphone\tvolume-side\t2021\t480\tsimulated\t"

# table, what stands there, what is put instead, how the complaint must read
BAD_CELLS = [
    ("models", MODEL, MODEL.replace("d17ap", "D17AP"), "board: 'D17AP' is not a board name"),
    ("models", MODEL, MODEL.replace("iPhone14,5", "iPhone14.5"), "'iPhone14.5' is not a Product"),
    ("models", MODEL, MODEL.replace("0x8110", "8110"), "'8110' is not a number like 0x12ab"),
    ("models", MODEL, MODEL.replace("0x8110", "0x81g0"), "'0x81g0' is not a number like"),
    ("models", MODEL, MODEL.replace("0x0a", "0x0A"), "'0x0A' is not a number like"),
    ("models", MODEL, MODEL.replace("0x0a", "0x10a"), "'0x10a' has over 2 digits"),
    ("models", MODEL, MODEL.replace("2021", "21"), "'21' is out of range"),
    ("models", MODEL, MODEL.replace("2021", "MMXXI"), "'MMXXI' is not a whole number"),
    ("models", MODEL, MODEL.replace("volume-side", "side"), "'side' is not a value of enum butt"),
    ("models", MODEL, MODEL.replace("simulated", "maybe"), "'maybe' is not a value of enum tried"),
    ("models", MODEL, MODEL.replace("\tiphone\t", "\tphone\t"), "not a value of enum family"),
    ("models", MODEL, MODEL.replace("\tiphone\t", "\tipad\t"), "is not of the family ipad"),
    ("models", MODEL, MODEL.replace("iPhone 13", ""), "name is empty"),
    ("models", MODEL, MODEL.replace("iPhone 13", "iPhone\u00a013"), "not printable ASCII"),
    ("models", MODEL, MODEL.replace("iPhone 13", "iPhone\x0713"), "not printable ASCII"),
    ("models", MODEL, MODEL.replace("iPhone 13", " iPhone 13"), "begins or ends with a space"),
    ("models", MODEL, MODEL.replace("iPhone 13\t", ""), "10 columns instead of 11"),
    ("models", MODEL, MODEL + "x\t", "12 columns instead of 11"),
    ("models", "product\tboard", "board\tproduct", "columns must be: product board"),
    ("usb_ids", "0x05ac\t0x1227\tdfu\tyes", "0x05ac\t0x1227\tdfu\tja", "neither yes nor no"),
    ("usb_ids", "0x05ac\t0x1227\tdfu", "0x05ac\t0x1227\tdfumode", "not a value of enum mode"),
    ("iboot_flags", "0x00000004", "0x00000006", "'0x00000006' is not one bit"),
    ("iboot_flags", "0x00000004", "0x00000000", "'0x00000000' is not one bit"),
    ("iboot_flags", "image4-aware", "Image4", "'Image4' is not in kebab-case"),
    ("modes", "port-dfu\t", "port_dfu\t", "'port_dfu' is not a value of enum mode"),
    ("timings", "settle\t", "settling\t", "'settling' is not a value of enum timing"),
    ("timings", "settle\t1500", "settle\t0", "'0' is not a whole number"),
    ("timings", "settle\t1500", "settle\t99999999999", "out of range"),
    ("buttons", "ipad-home\t", "ipad\t", "'ipad' is not a value of enum buttons"),
    ("messages", "error-bug\t", "error_bug\t", "'error_bug' is not in kebab-case"),
    ("messages", "error-bug\t", "error--bug\t", "'error--bug' is not in kebab-case"),
    ("messages", "error-bug\t", "error-bug\t{Name} ", "a brace that is no {name} place"),
    ("messages", "error-bug\t", "error-bug\t{name ", "a brace that is no {name} place"),
    ("messages", "error-bug\t", "error-bug\t{} ", "a brace that is no {name} place"),
    ("messages", "error-bug\t", "error-bug\tname} ", "a brace that is no {name} place"),
    ("goals", "erase\t", "wipe\t", "'wipe' is not a value of enum goal"),
    ("steps", "verify-trust\t", "verify\t", "'verify' is not a value of enum step_kind"),
    ("findings", "all-well\tinfo\t", "all-well\tfine\t", "'fine' is not a value of enum severity"),
    ("findings", "all-well\tinfo\t", "all-well\tinfo\t{Phone} ", "a brace that is no {name} place"),
    ("engine_steps", "2\tupload-system", "-2\tupload-system", "'-2' is not a whole number"),
    ("engine_steps", "2\tupload-system", "02\tupload-system", "'02' is not a whole number"),
    ("engine_rules", "engine-no-device\t", "no_device\t", "'no_device' is not in kebab-case"),
]

# whole rows of numbers and words that the shipped rows may change, the same way
BAD_ROWS = [
    ("codes", "itunes\t040\t40\t-\ttool\tcertain\tx\t-\tx\tx\tuntried\tx", "'040' is not a number like 4013"),
    ("codes", "itunes\t-0x1\t1\t-\ttool\tcertain\tx\t-\tx\tx\tuntried\tx", "'-0x1' is not a number like"),
    ("codes", "itunes\t0xE\t14\t-\ttool\tcertain\tx\t-\tx\tx\tuntried\tx", "'0xE' is not a number like"),
    ("codes", "itunes\t99999\t99999\t-\tmoon\tcertain\tx\t-\tx\tx\tuntried\tx", "layer: 'moon' is not a layer"),
    ("codes", "itunes\t99999\t99999\t-\ttool\tsure\tx\t-\tx\tx\tuntried\tx", "not a value of enum confidence"),
    ("codes", "itunes\t99999\t99998\t-\ttool\tcertain\tx\t-\tx\tx\tuntried\tx", "99998 is below 99999"),
    ("findings", "x\tinfo\tx\tx\tx\tx\t-\t-\tNoSuchCode\tuntried\tx", "'NoSuchCode' is not in codes.tsv"),
    ("codes", "itunes\t99999\t99999\t-\ttool\tcertain\tx\tnobody:1\tother\tx\tuntried\tx",
     "same: 'nobody:1' is no code of another scheme"),
    ("codes", "itunes\t99999\t99999\t-\tusb\tcertain\tx\t-\tThe phone said no on the cable.\tx\tuntried\tx",
     "says the same as the cause itunes-8"),
    ("codes", "itunes\t99999\t99999\t-\tdisk\tcertain\titunes-8\t-\tother\tx\tuntried\tx",
     "the cause itunes-8 is in the layer usb"),
    ("log_rules", "x\tcause\tUpper case\t-\tusb\tlikely\tx\tx\tuntried\tx", "'Upper case' has capitals"),
    ("log_rules", "x\tcause\tabc*def\t-\tusb\tlikely\tx\tx\tuntried\tx", "'abc*def' has no piece of 4"),
    ("log_rules", "x\tcause\tabcd{usb} x\t-\tusb\tlikely\tx\tx\tuntried\tx", "a brace that is no {scheme}"),
    ("log_rules", "x\tcause\tabcd {nobody}\t-\t-\tlikely\t-\t-\tuntried\tx", "'nobody' is no scheme"),
    ("log_rules", "x\tcause\tabcdef\tsometimes:y\tusb\tlikely\tx\tx\tuntried\tx", "is not up to 4 needs"),
    ("log_rules", "x\tcause\tabcdef\twith:y\tusb\tlikely\tx\tx\tuntried\tx", "there is no other row y"),
    ("log_rules", "x\tcause\tabcdef\t-\tusb\tlikely\t-\tx\tuntried\tx", "are all given or none"),
    ("log_rules", "x\tcause\tabcdef\t-\t-\tlikely\t-\t-\tuntried\tx", "belong to verdicts without a code"),
    ("log_rules", "x\tnoise\tabcdef\t-\tusb\tlikely\tx\tx\tuntried\tx", "belong to verdicts without a code"),
    ("engine_rules", "x\txx\tnone\tno\ttool\tx\tx\tuntried\tx", "'none' is not a value of enum error_kind"),
    ("engine_rules", "x\txx\tbug\toften\ttool\tx\tx\tuntried\tx", "'often' is neither yes nor no"),
    ("goals", "erase\tx\tx\tlost\tyes\tuntried\tx", "'lost' is not a value of enum data"),
    ("steps", "erase\tx\tx\tkept\tyes\tyes\t0\t1\t1\tuntried\tx", "attempts: '0' is not a whole"),
    ("steps", "erase\tx\tx\tkept\tyes\tyes\t1\t86401\t1\tuntried\tx", "silence_s: '86401' is out"),
]


@pytest.mark.parametrize("table, row, complaint", BAD_ROWS,
                         ids=[f"{row[0]}-{n}" for n, row in enumerate(BAD_ROWS)])
def test_bad_row(folder, table, row, complaint):
    line = add(folder, table, row)
    found = [p for p in problems(folder) if p.startswith(f"{table}.tsv:{line}: ")]
    assert len(found) == 1 and complaint in found[0], problems(folder)


@pytest.mark.parametrize("table, old, new, complaint", BAD_CELLS,
                         ids=[f"{row[0]}-{n}" for n, row in enumerate(BAD_CELLS)])
def test_bad_cell(folder, table, old, new, complaint):
    line = change(folder, table, old, new)
    found = [p for p in problems(folder) if p.startswith(f"{table}.tsv:{line}: ")]
    assert any(complaint in p for p in found), problems(folder)


def test_missing_source(folder):
    first = rows(folder, "models")[0]
    line = change(folder, "models", first, first.rsplit("\t", 1)[0] + "\t")
    found = problems(folder)
    assert f"models.tsv:{line}: space or tab at the end of the line" in found
    line = change(folder, "messages", "\tDESIGN 12, base/error.h\n", "\n")
    assert f"messages.tsv:{line}: 2 columns instead of 3" in problems(folder)


@pytest.mark.parametrize("table, row, repeated", [
    ("models", "iPhone99,1\td17ap\t0x9999\t0x01\tx\tiphone\tunknown\t2021\t480\tuntried\tx", "d17ap"),
    ("models", "iPhone99,1\tx1ap\t0x8110\t0x0a\tx\tiphone\tunknown\t2021\t480\tuntried\tx",
     "0x8110 0x0a"),
    ("models", "iPhone99,1\tx1ap\t0x8110\t0xa\tx\tiphone\tunknown\t2021\t480\tuntried\tx",
     "0x8110 0xa"),
    ("usb_ids", "0x05ac\t0x1227\tdfu\tyes\tno\tx\tuntried\tx", "0x05ac 0x1227"),
    ("iboot_flags", "0x00000004\tother\tx\tuntried\tx", "0x00000004"),
    ("iboot_flags", "0x00000002\timage4-aware\tx\tuntried\tx", "image4-aware"),
    ("modes", "dfu\tx\tx\tuntried\tx", "dfu"),
    ("buttons", "ipad-home\tx\tx\tx\tuntried\tx", "ipad-home"),
    ("timings", "call\t1\tx\tuntried\tx", "call"),
    ("findings", "all-well\tinfo\tx\tx\tx\tx\t-\t-\t-\tuntried\tx", "all-well"),
    ("engine_steps", "2\tother\tx\tuntried\tx", "2"),
    ("engine_rules", "engine-no-device\tother\tbug\tno\ttool\tx\tx\tuntried\tx", "engine-no-device"),
])
def test_key_that_stands_twice(folder, table, row, repeated):
    line = add(folder, table, row)
    found = problems(folder)
    assert len(found) == 1
    assert found[0].startswith(f"{table}.tsv:{line}: {repeated} stands in line ")


def test_message_that_stands_twice(folder):
    line = change(folder, "messages", "error-bug\t", "error-bug\tx\tx\nerror-bug\t")
    found = problems(folder)
    assert found == [f"messages.tsv:{line + 1}: error-bug stands in line {line} already"]


@pytest.mark.parametrize("table, value, enum", [
    ("modes", "wtf", "mode"), ("buttons", "home-side", "buttons"),
    ("timings", "mux-retry", "timing"), ("goals", "update", "goal"),
    ("steps", "verify-system", "step_kind"),
])
def test_enum_value_without_a_row(folder, table, value, enum):
    row = next(r for r in rows(folder, table) if r.startswith(value + "\t"))
    change(folder, table, row + "\n", "")
    assert problems(folder) == [f"{table}.tsv:1: no row for {value} of enum {enum}"]


def test_error_without_a_message(folder):
    row = next(r for r in rows(folder, "messages") if r.startswith("error-engine\t"))
    change(folder, "messages", row + "\n", "")
    assert problems(folder) == ["messages.tsv:1: no row error-engine for enum error_kind"]


def test_message_for_no_error(folder):
    line = change(folder, "messages", "error-bug\t", "error-bad-mood\tx\tx\nerror-bug\t")
    assert problems(folder) == [
        f"messages.tsv:{line}: error-bad-mood is not a kind of enum error_kind"]


def test_messages_out_of_order(folder):
    line = add(folder, "messages", "aaa-first\tx\tx")
    found = problems(folder)
    assert len(found) == 1 and found[0].startswith(f"messages.tsv:{line}: aaa-first must stand")


def test_form_of_the_file(folder):
    path = folder / "modes.tsv"
    path.write_text("# caf\u00e9\n#  \n" + path.read_text(encoding="utf-8").rstrip("\n"),
                    encoding="utf-8")
    found = problems(folder)
    assert "modes.tsv:1: has a character that is not printable ASCII" in found
    assert "modes.tsv:2: space or tab at the end of the line" in found
    assert any(p.endswith("the last line has no newline") for p in found)


def test_table_that_nobody_reads(folder):
    (folder / "weather.tsv").write_text("id\n", encoding="utf-8")
    assert problems(folder) == ["weather.tsv:1: compile.py does not know this table"]


def test_missing_table(folder):
    (folder / "usb_ids.tsv").unlink()
    assert any(p.startswith("usb_ids.tsv:1: cannot be read") for p in problems(folder))


def test_all_problems_in_one_run(folder):
    change(folder, "models", "0x8110", "8110")
    change(folder, "models", "2007", "1907")
    change(folder, "timings", "call\t", "calls\t")
    assert len(problems(folder)) == 4  # the missing row of the enum is the fourth


def test_output_depends_on_the_tables_alone(folder, tmp_path):
    one, two = tmp_path / "one.c", tmp_path / "two.c"
    assert run("--output", one, "--folder", folder).returncode == 0
    assert run("--output", two, "--folder", FACTS).returncode == 0
    assert one.read_bytes() == two.read_bytes()
    assert one.read_bytes().isascii()
    assert sorted(p.name for p in tmp_path.glob("*.c*")) == ["one.c", "two.c"]


def test_bad_tables_write_nothing(folder, tmp_path):
    change(folder, "models", "0x8110", "8110")
    assert run("--output", tmp_path / "out.c", "--folder", folder).returncode == 1
    assert not (tmp_path / "out.c").exists()


def test_quotes_and_backslashes_reach_c(folder, tmp_path):
    change(folder, "messages", "error-bug\t", 'error-bug\tSay "C:\\\\x" ')
    assert run("--output", tmp_path / "out.c", "--folder", folder).returncode == 0
    assert r'.text = "Say \"C:\\\\x\" ' in (tmp_path / "out.c").read_text(encoding="utf-8")


def test_usage():
    assert run().returncode == 2
    assert run("--check", "--output", "x").returncode == 2
