#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a cpio archive (newc) for the kernel's initramfs: same content, same bytes.

Sources, later ones on top of earlier ones:
  --tar FILE        a tar, with its owners, modes, links and nodes as they are
  --tree DIR        a folder; all becomes root's, 0755 for folders and what is executable, else 0644
  --file SRC=DEST   one file; root's, mode as with --tree
  --without PATH    drops that path, and what is below it, from all sources before it
The root itself is root's and 0755: without an entry of its own the kernel leaves it writable for
everybody. Names are sorted, inode numbers count up, every time is --date. An archive that would
replace one of the root's links (bin, lib, sbin, lib64) by a folder is refused: the kernel would do
it and nothing would start.
"""

import argparse
import os
import stat
import sys
import tarfile

MERGED = {"bin", "sbin", "lib", "lib32", "lib64"}


class Entry:
    """One path: mode with file type, owner, content (bytes or a function), rdev, link's target."""

    def __init__(self, mode, uid=0, gid=0, content=b"", rdev=(0, 0), same_as=None):
        self.mode, self.uid, self.gid = mode, uid, gid
        self.content, self.rdev, self.same_as = content, rdev, same_as

    def read(self):
        return self.content() if callable(self.content) else self.content


def tar_entry(tar, member):
    mode = member.mode & 0o7777
    owner = {"uid": member.uid, "gid": member.gid}
    if member.isdir():
        return Entry(stat.S_IFDIR | mode, **owner)
    if member.issym():
        return Entry(stat.S_IFLNK | 0o777, content=member.linkname.encode(), **owner)
    if member.islnk():
        return Entry(stat.S_IFREG | mode, same_as=clean(member.linkname), **owner)
    if member.isreg():
        return Entry(stat.S_IFREG | mode, content=tar.extractfile(member).read(), **owner)
    if member.ischr() or member.isblk():
        kind = stat.S_IFCHR if member.ischr() else stat.S_IFBLK
        return Entry(kind | mode, rdev=(member.devmajor, member.devminor), **owner)
    if member.isfifo():
        return Entry(stat.S_IFIFO | mode, **owner)
    raise ValueError(f"{member.name}: a kind of file that the archive does not know")


def clean(name):
    return os.path.normpath(name).lstrip("/")


def add_tar(entries, path):
    with tarfile.open(path) as tar:
        for member in tar:
            if clean(member.name) != ".":
                entries[clean(member.name)] = tar_entry(tar, member)


def disk_entry(path):
    info = os.lstat(path)
    if stat.S_ISLNK(info.st_mode):
        return Entry(stat.S_IFLNK | 0o777, content=os.readlink(path).encode())
    if stat.S_ISDIR(info.st_mode):
        return Entry(stat.S_IFDIR | 0o755)
    if not stat.S_ISREG(info.st_mode):
        raise ValueError(f"{path}: neither a file nor a folder nor a link")

    def content():
        with open(path, "rb") as file:
            return file.read()

    return Entry(stat.S_IFREG | (0o755 if info.st_mode & 0o100 else 0o644), content=content)


def add_tree(entries, top):
    for folder, folders, files in os.walk(top):
        for name in folders + files:
            path = os.path.join(folder, name)
            entries[os.path.relpath(path, top)] = disk_entry(path)


def add_file(entries, pair):
    source, dest = pair.split("=", 1)
    entries[clean(dest)] = disk_entry(source)


def drop(entries, path):
    for name in [name for name in entries if name == path or name.startswith(path + "/")]:
        del entries[name]


def add_parents(entries):
    for name in list(entries):
        while name := os.path.dirname(name):
            entries.setdefault(name, Entry(stat.S_IFDIR | 0o755))


def check_merged(entries):
    for name in MERGED & entries.keys():
        if not stat.S_ISLNK(entries[name].mode):
            raise ValueError(f"/{name} must stay a link into /usr: put the file below usr/")


def header(number, entry, nlink, size, date, name):
    fields = [number, entry.mode, entry.uid, entry.gid, nlink, date, size, 0, 0, *entry.rdev]
    fields += [len(name) + 1, 0]
    return b"070701" + "".join(f"{field:08X}" for field in fields).encode()


def pad(data):
    return data + b"\0" * (-len(data) % 4)


def write_archive(out, entries, date):
    """Hard links share an inode number; only the last one carries the content."""
    links = {}
    for name, entry in entries.items():
        links.setdefault(entry.same_as or name, []).append(name)
    number = 0
    for first in sorted(links):
        number += 1
        names = sorted(links[first])
        for name in names:
            entry = entries[first]
            content = entry.read() if name == names[-1] else b""
            raw = name.encode()
            nlink = 2 if stat.S_ISDIR(entry.mode) else len(names)
            out.write(pad(header(number, entry, nlink, len(content), date, raw) + raw + b"\0"))
            out.write(pad(content))
    end = Entry(0)
    out.write(pad(header(0, end, 1, 0, 0, b"TRAILER!!!") + b"TRAILER!!!\0"))
    out.write(b"\0" * (-out.tell() % 512))


class Source(argparse.Action):
    """Keeps the sources of all kinds in the order of the command line."""

    def __call__(self, parser, namespace, value, option_string=None):
        namespace.sources.append((option_string, value))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--date", type=int, required=True, help="seconds since the epoch")
    for option in ("--tar", "--tree", "--file", "--without"):
        parser.add_argument(option, action=Source, dest="sources", default=[])
    parser.add_argument("out")
    args = parser.parse_args()
    add = {"--tar": add_tar, "--tree": add_tree, "--file": add_file, "--without": drop}
    entries = {".": Entry(stat.S_IFDIR | 0o755)}
    try:
        for kind, value in args.sources:
            add[kind](entries, value)
        add_parents(entries)
        check_merged(entries)
        with open(args.out, "wb") as out:
            write_archive(out, entries, args.date)
    except (OSError, ValueError) as err:
        sys.exit(f"archive.py: {err}")


if __name__ == "__main__":
    main()
