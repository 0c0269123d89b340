# SPDX-License-Identifier: GPL-3.0-or-later
"""src/facts/guides.py: the parser, and that every hole between guides, hints and findings is found.

The texts of the guides are not in the tree, so the tests make texts of their own, and a table that
fits them."""
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FACTS = Path(__file__).resolve().parents[2] / "src" / "facts"
sys.path.insert(0, str(FACTS))
import guides  # noqa: E402  pylint: disable=wrong-import-position

HEADINGS = "guide\titem\tdigest\thints\tdoubt\n"
TEXTS = {
    "error-0xe8000013": "What it is\nA title goes on here.\n- First step.\n- Second step. - Third.\n",
    "reset-trust-settings": "Only this.\n",
    "trust-dialog-missing": "Do:\n- On the phone, go to\nSettings > General. - Tap it.\n",
}


@pytest.mark.parametrize("text, items", [
    ("", []),
    ("\n \n", []),
    ("One.\nTwo.\n", ["One.", "Two."]),
    ("A heading\nand its sentence.\n", ["A heading and its sentence."]),
    ("- a\n- b\n", ["a", "b"]),  # a bullet begins a new item whatever stood before
    ("- Go to\nSettings. - Tap.\n", ["Go to Settings.", "Tap."]),
    ("Steps:\n- One (now). - Two.\n", ["Steps:", "One (now).", "Two."]),
    ("A well-known - dash stays.\n", ["A well-known - dash stays."]),
    ("Many \t spaces\n  in   one.", ["Many spaces in one."]),
])
def test_items(text, items):
    assert guides.items_of(text) == items


def test_digest_is_of_the_normalized_item():
    one, two = guides.items_of("Same  text."), guides.items_of("- Same\ttext.\n")
    assert guides.digest_of(one[0]) == guides.digest_of(two[0])
    assert len(guides.digest_of("x")) == guides.DIGEST_DIGITS
    assert guides.digest_of("x") != guides.digest_of("y")


@pytest.fixture(name="place")
def tables_and_texts(tmp_path):
    """Copies of the tables, and texts of our own with a guides.tsv that fits them."""
    tables, texts = tmp_path / "tables", tmp_path / "texts"
    tables.mkdir()
    texts.mkdir()
    for path in FACTS.glob("*.tsv"):
        shutil.copy(path, tables)
    rows = []
    for guide, text in TEXTS.items():
        (texts / f"{guide}.txt").write_text(text, encoding="utf-8")
        rows += [f"{guide}\t{number}\t{guides.digest_of(item)}\treplug\t-\n"
                 for number, item in enumerate(guides.items_of(text), start=1)]
    (tables / "guides.tsv").write_text(HEADINGS + "".join(rows), encoding="utf-8")
    return tables, texts


def check(place):
    """(exit status, what was said, the problems)."""
    done = subprocess.run([sys.executable, str(FACTS / "compile.py"), "--check", "--folder",
                           str(place[0]), "--documents", str(place[1])],
                          capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout, done.stderr.splitlines()


def change(place, table, old, new):
    path = place[0] / f"{table}.tsv"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return text[: text.index(old)].count("\n") + 1


def problems(place):
    status, said, found = check(place)
    assert status == (1 if found else 0), said
    return found


def test_all_texts_are_covered(place):
    status, said, found = check(place)
    assert (status, found) == (0, [])
    assert "guides: every item of the 3 texts has its hint" in said


def test_without_the_texts_it_says_so(place):
    (place[1] / "reset-trust-settings.txt").unlink()
    status, said, found = check(place)
    assert (status, found) == (0, [])
    assert "1 of 3 texts are not at hand" in said


def test_shipped_table_is_whole_without_texts(tmp_path):
    status, said, found = check((FACTS, tmp_path))
    assert (status, found) == (0, [])
    assert "3 of 3 texts are not at hand" in said


def test_a_new_item_in_a_text(place):
    path = place[1] / "error-0xe8000013.txt"
    path.write_text(TEXTS["error-0xe8000013"] + "- And this.\n", encoding="utf-8")
    assert problems(place) == ["guides.tsv:1: error-0xe8000013 5 has no row: And this."]


def test_another_text(place):
    path = place[1] / "reset-trust-settings.txt"
    path.write_text("Only that.\n", encoding="utf-8")
    found = problems(place)
    assert len(found) == 1 and "reset-trust-settings 1 is another text" in found[0]


def test_an_item_that_a_text_lost(place):
    (place[1] / "trust-dialog-missing.txt").write_text("Do:\n", encoding="utf-8")
    found = problems(place)
    assert [f.split(": ")[1] for f in found] == ["trust-dialog-missing has no item 2",
                                                "trust-dialog-missing has no item 3"]


def test_a_gap_in_the_numbers(place):
    line = change(place, "guides", "error-0xe8000013\t3\t", "error-0xe8000013\t9\t")
    assert f"guides.tsv:{line}: item 9 instead of 3" in problems(place)


def test_a_guide_without_rows(place):
    digest = guides.digest_of("Only this.")
    change(place, "guides", f"reset-trust-settings\t1\t{digest}\treplug\t-\n", "")
    found = problems(place)
    assert "guides.tsv:1: no row for the guide reset-trust-settings" in found
    assert "guides.tsv:1: reset-trust-settings 1 has no row: Only this." in found


@pytest.mark.parametrize("hints, complaint", [
    ("-", "the item has no hint"), ("no-such-hint", "there is no hint no-such-hint"),
])
def test_an_item_without_a_hint(place, hints, complaint):
    digest = guides.digest_of("Only this.")
    line = change(place, "guides", f"{digest}\treplug", f"{digest}\t{hints}")
    assert problems(place) == [f"guides.tsv:{line}: {complaint}"]


HINT = ("\tx\tx\tx\t-\tphone\t-\tno\tuntried\tx")


def add(place, table, row):
    path = place[0] / f"{table}.tsv"
    text = path.read_text(encoding="utf-8") + row + "\n"
    path.write_text(text, encoding="utf-8")
    return text.count("\n")


def test_a_hint_for_no_finding(place):
    line = add(place, "hints", "odd\tlink\tno-such-finding" + HINT)
    assert problems(place) == [f"hints.tsv:{line}: there is no finding no-such-finding"]


def test_a_finding_without_a_hint(place):
    path = place[0] / "findings.tsv"
    row = next(r for r in path.read_text(encoding="utf-8").splitlines() if r.startswith("all-well\t"))
    line = add(place, "findings", row.replace("all-well\t", "all-ill\t", 1))
    assert problems(place) == [f"findings.tsv:{line}: no hint of hints.tsv is for all-ill"]


def test_an_erase_that_does_not_say_so(place):
    line = add(place, "hints", "odd\terase\t-" + HINT)
    assert problems(place) == [f"hints.tsv:{line}: odd: loses does not say that it erases"]


def test_an_erase_without_a_backup_before(place):
    line = add(place, "hints", "odd\terase\ttrust-asking" + HINT.replace("\tx\tx\tx", "\tx\tx\tIt erases.", 1))
    assert problems(place) == [f"hints.tsv:{line}: odd: trust-asking has no hint of a backup before it"]


@pytest.mark.parametrize("old, new, complaint", [
    ("reset-privacy\ttrust\t", "reset-privacy\ttrusty\t", "not a value of enum rung"),
    ("reset-privacy\ttrust\ttrust-stale ", "reset-privacy\ttrust\ttrust-stale,", "not a list of ids"),
    ("| before iOS 15: Settings", "| before iOS: Settings", "not a way through menus"),
    ("iOS 15 and later: Settings", "iOS 15 or so: Settings", "not a way through menus"),
])
def test_bad_cells_of_hints(place, old, new, complaint):
    line = change(place, "hints", old, new)
    found = [p for p in problems(place) if p.startswith(f"hints.tsv:{line}: ")]
    assert len(found) == 1 and complaint in found[0], problems(place)


def test_a_digest_that_is_none(place):
    digest = guides.digest_of("Only this.")
    line = change(place, "guides", digest, digest.upper() if digest != digest.upper() else "g" * 12)
    assert any(p.startswith(f"guides.tsv:{line}: digest: ") for p in problems(place))


def test_a_hint_that_stands_twice(place):
    line = add(place, "hints", "replug\tlink\t-" + HINT)
    found = problems(place)
    assert len(found) == 1 and found[0].startswith(f"hints.tsv:{line}: replug stands in line ")
