#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Picks the kernel modules that a list names, with all they depend on, and copies them unpacked.

usage: modules.py --list rootfs/modules --from TREE --to TREE VERSION

The list's form stands at its top. Dependencies come from depmod's modules.dep and modules.softdep
("pre" and "post"). A module is copied with its signature: only the compression of the file is
undone. After that depmod writes its tables for the new tree.
"""

import argparse
import fnmatch
import lzma
import os
import shutil
import subprocess
import sys

SIGNATURE = b"~Module signature appended~\n"
TABLES = ("modules.builtin", "modules.builtin.modinfo", "modules.order")


def stem(path):
    return path.split(".ko")[0]


def module_name(path):
    return os.path.basename(stem(path)).replace("-", "_")


def read_list(path):
    """Returns (patterns wanted, patterns kept out)."""
    wanted, banned = [], []
    with open(path, encoding="utf-8") as file:
        for line in file:
            words = line.split("#", 1)[0].split()
            if words:
                (banned if words[0].startswith("!") else wanted).append(words[0].lstrip("!"))
    return wanted, banned


class Kernel:
    """depmod's tables of one kernel: where each module is, what it needs, what is built in."""

    def __init__(self, folder):
        self.folder = folder
        self.path, self.needs = {}, {}
        for line in self.lines("modules.dep"):
            path, _, needs = line.partition(":")
            self.path[module_name(path)] = path
            self.needs[module_name(path)] = [module_name(need) for need in needs.split()]
        self.soft = {}
        for line in self.lines("modules.softdep"):
            words = line.split()
            if words[:1] == ["softdep"]:
                others = [word.replace("-", "_") for word in words[2:] if not word.endswith(":")]
                self.soft.setdefault(words[1].replace("-", "_"), []).extend(others)
        self.builtin = {module_name(line): line for line in self.lines("modules.builtin")}

    def lines(self, name):
        with open(os.path.join(self.folder, name), encoding="utf-8") as file:
            return [line.strip() for line in file if line.strip() and not line.startswith("#")]

    def match(self, pattern):
        """Modules that a pattern names; an empty set if all are built in; None if there are none."""
        if "/" in pattern:
            place = "kernel/" + pattern
            found = {n for n, path in self.path.items() if fnmatch.fnmatch(stem(path), place)}
        else:
            found = set(fnmatch.filter(self.path, pattern.replace("-", "_")))
        if not found and not fnmatch.filter(self.builtin, pattern.replace("-", "_")):
            return None
        return found

    def closure(self, names):
        done, todo = set(), list(names)
        while todo:
            name = todo.pop()
            if name in done or name not in self.path:
                continue
            done.add(name)
            todo += self.needs[name] + self.soft.get(name, [])
        return done


def select(kernel, wanted, banned):
    names = set()
    for pattern in wanted:
        found = kernel.match(pattern)
        if found is None:
            raise ValueError(f"{pattern} is listed, but it is neither a module nor built in")
        names |= found
    out = set()
    for pattern in banned:
        found = kernel.match(pattern)
        if not found:
            raise ValueError(f"{pattern} is to be kept out, but there is no such module")
        out |= found
    names = kernel.closure(names)
    if names & out:
        needed = ", ".join(sorted(names & out))
        raise ValueError(f"to be kept out, but something in the list needs it: {needed}")
    return names


def copy_module(source, dest):
    """Undoes the compression; the bytes inside, signature and all, stay what Debian signed."""
    opener = lzma.open if source.endswith(".xz") else open
    with opener(source, "rb") as file:
        data = file.read()
    if not data.endswith(SIGNATURE):
        raise ValueError(f"{source} carries no signature: Secure Boot would refuse it")
    os.makedirs(os.path.dirname(dest), exist_ok=True)
    with open(dest, "wb") as file:
        file.write(data)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", required=True)
    parser.add_argument("--from", dest="source", required=True)
    parser.add_argument("--to", dest="dest", required=True)
    parser.add_argument("version")
    args = parser.parse_args()
    source = os.path.join(args.source, "usr/lib/modules", args.version)
    dest = os.path.join(args.dest, "usr/lib/modules", args.version)
    try:
        kernel = Kernel(source)
        names = select(kernel, *read_list(args.list))
        for name in sorted(names):
            path = kernel.path[name]
            copy_module(os.path.join(source, path), os.path.join(dest, stem(path) + ".ko"))
        for table in TABLES:
            shutil.copy(os.path.join(source, table), dest)
        # depmod insists on /lib/modules below the base; the archive must not have a folder of that
        # name
        subprocess.run(["depmod", "-b", os.path.join(args.dest, "usr"), args.version], check=True)
    except (OSError, ValueError, subprocess.CalledProcessError) as err:
        sys.exit(f"modules.py: {err}")
    print(f"{len(names)} modules")


if __name__ == "__main__":
    main()
