# SPDX-License-Identifier: GPL-3.0-or-later
"""Which finding came in which state: filled by test_native_findings.py, printed by conftest.py at the end of the run.
It goes through a file, because the run's output belongs to another process."""

import json
import os
import pathlib

TREE = pathlib.Path(__file__).resolve().parents[2]
FILE = TREE / "build/reports/findings.json"

__all__ = ["Matrix", "print_matrix"]


class Matrix:
    def __init__(self):
        self.states = {}

    def note(self, state, findings):
        assert findings
        self.states[state] = sorted(findings)

    def findings(self):
        return {finding for findings in self.states.values() for finding in findings}

    @staticmethod
    def is_whole(session):
        """True if no test of the file was left out (-k)."""
        return not session.config.option.keyword and all("::" not in word for word in session.config.args)

    def save(self):
        FILE.parent.mkdir(parents=True, exist_ok=True)
        part = FILE.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(self.states), encoding="utf-8")
        part.rename(FILE)


def print_matrix(write):
    """Rows are states, columns findings; None if none was noted."""
    if not FILE.exists():
        return
    states = json.loads(FILE.read_text(encoding="utf-8"))
    FILE.unlink()
    columns = sorted({finding for findings in states.values() for finding in findings})
    write(f"states x findings: {len(states)} states, {len(columns)} findings")
    for number, finding in enumerate(columns, 1):
        write(f"  {number:2} {finding}: {'; '.join(state for state in states if finding in states[state])}")
    width = max(map(len, states), default=0)
    write(" " * width + "  " + " ".join(f"{number:2}" for number in range(1, len(columns) + 1)))
    for state, findings in states.items():
        write(f"{state:{width}}  " + " ".join(" x" if finding in findings else " ." for finding in columns))
