# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds guides.tsv and hints.tsv against each other, against the findings and the guides' texts.

The texts of the three guides are not ours and are not in the tree. Where they lie beside it
(DOCUMENTS), every item that the parser finds in them must have its row in guides.tsv; elsewhere
only the table is checked, and that is said.
"""
import hashlib
import re
from pathlib import Path

GUIDES = ("error-0xe8000013", "reset-trust-settings", "trust-dialog-missing")
DOCUMENTS = Path(__file__).resolve().parents[3] / "shared" / "documents"
DIGEST_DIGITS = 12
# a bullet begins a line, or stands behind a sentence whose line break was lost
BULLET = re.compile(r"(?:^|(?<=[.)]) )- ", re.MULTILINE)
SENTENCE_ENDS = ".:!?)"


def items_of(text):
    """The items of a guide in its order, white space made one: bullets, and everything between
    them line by line. A line whose predecessor ends in the middle of a sentence belongs to it."""
    items = []
    for line in BULLET.sub("\n\0", text).split("\n"):
        words = " ".join(line.replace("\0", " ").split())
        if not words:
            continue
        if items and not line.startswith("\0") and items[-1][-1] not in SENTENCE_ENDS:
            items[-1] += " " + words
        else:
            items.append(words)
    return items


def digest_of(item):
    return hashlib.sha256(item.encode()).hexdigest()[:DIGEST_DIGITS]


def ids_of(cell):
    return [] if cell == "-" else cell.split(" ")


def check_references(tables, problems):
    """Every id that is named is there, and nothing is left without a hint."""
    findings = {row["id"] for row in tables["findings"]}
    hints = {row["id"] for row in tables["hints"]}
    led = set()
    for row in tables["hints"]:
        led.update(ids_of(row["finds"]))
        for finding in ids_of(row["finds"]):
            if finding not in findings:
                problems.add("hints.tsv", row.line, f"there is no finding {finding}")
    for row in tables["findings"]:
        if row["id"] not in led:
            problems.add("findings.tsv", row.line, f"no hint of hints.tsv is for {row['id']}")
    for row in tables["guides"]:
        if row["hints"] == "-":
            problems.add("guides.tsv", row.line, "the item has no hint")
        for hint in ids_of(row["hints"]):
            if hint not in hints:
                problems.add("guides.tsv", row.line, f"there is no hint {hint}")


def check_erasing(tables, rungs, problems):
    """What erases says so, and a finding names it only behind a milder hint and a backup."""
    ladder = sorted(tables["hints"], key=lambda row: rungs.index(row["rung"]))
    before = {}
    for row in ladder:
        if row["rung"] == "erase" and "erase" not in row["loses"].lower():
            problems.add("hints.tsv", row.line, f"{row['id']}: loses does not say that it erases")
        for finding in ids_of(row["finds"]):
            if row["rung"] == "erase" and "backup" not in before.get(finding, ()):
                problems.add("hints.tsv", row.line,
                             f"{row['id']}: {finding} has no hint of a backup before it")
            before.setdefault(finding, set()).add(row["rung"])


def check_items(tables, problems):
    """The rows of a guide count its items from 1 without a gap."""
    for guide in GUIDES:
        rows = [row for row in tables["guides"] if row["guide"] == guide]
        if not rows:
            problems.add("guides.tsv", 1, f"no row for the guide {guide}")
        for wanted, row in enumerate(rows, start=1):
            if int(row["item"]) != wanted:
                problems.add("guides.tsv", row.line, f"item {row['item']} instead of {wanted}")
                break


def check_text(guide, text, rows, problems):
    """Every item of the text has its row with its digest, and no row is left over."""
    items = items_of(text)
    for number, (item, row) in enumerate(zip(items, rows), start=1):
        if digest_of(item) != row["digest"]:
            problems.add("guides.tsv", row.line,
                         f"{guide} {number} is another text: {digest_of(item)}, {item[:60]}")
    for number, item in enumerate(items[len(rows):], start=len(rows) + 1):
        problems.add("guides.tsv", 1, f"{guide} {number} has no row: {item[:60]}")
    for row in rows[len(items):]:
        problems.add("guides.tsv", row.line, f"{guide} has no item {row['item']}")


def check(tables, rungs, documents, problems):
    """All of it; gives one line of what was compared. `rungs`: names of enum rung in its order."""
    check_references(tables, problems)
    check_erasing(tables, rungs, problems)
    check_items(tables, problems)
    compared = 0
    for guide in GUIDES:
        path = documents / f"{guide}.txt"
        if path.is_file():
            rows = [row for row in tables["guides"] if row["guide"] == guide]
            check_text(guide, path.read_text(encoding="utf-8"), rows, problems)
            compared += 1
    if compared < len(GUIDES):
        return (f"guides: {len(GUIDES) - compared} of {len(GUIDES)} texts are not at hand,"
                " their rows were not held against them")
    return f"guides: every item of the {compared} texts has its hint"
