# SPDX-License-Identifier: GPL-3.0-or-later
"""One text file of many sections, each headed by `## NAME`, that several processes may rewrite at once."""

import fcntl
import os

HEAD = "## "


class Golden:
    """order: names of all sections; others are dropped when the file is written. preface: text before the first."""

    def __init__(self, path, preface, order):
        self.path, self.preface, self.order = path, preface, list(order)

    def section(self, name):
        """Its text, or None."""
        return self._sections().get(name)

    def names(self):
        return list(self._sections())

    def replace(self, name, text):
        """Under a lock: rows of parallel workers do not lose each other. Who reads meanwhile reads a whole file."""
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            sections = self._sections()
            sections[name] = text
            new = self.path.with_suffix(".new")
            with open(new, "w", encoding="utf-8") as file:
                file.write(self.preface)
                file.writelines(f"\n{HEAD}{known}\n{sections[known]}" for known in self.order if known in sections)
            new.replace(self.path)
        finally:
            os.close(folder)

    def _sections(self):
        if not self.path.exists():
            return {}
        _, *parts = ("\n" + self.path.read_text(encoding="utf-8")).split("\n" + HEAD)
        found = {}
        for part in parts:
            name, _, text = part.partition("\n")
            found[name] = text.rstrip("\n") + "\n"
        return found
