#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists what the image is made of: package, version, source package, licences.

  --status FILE            dpkg's status: all packages installed in it
  --from-status FILE P…    only the packages P of it
  --debs DIR               package files, by their own control data
  --doc DIR                where PACKAGE/copyright is looked for; may be repeated

Licences are the names in the "License:" fields of a machine-readable copyright file, or "see
copyright" where a package has only prose. --texts DIR collects the copyright files themselves; they
travel with the image as rescue/licences.tar.zst.
"""

import argparse
import glob
import os
import re
import subprocess
import sys


def stanzas(text):
    """dpkg's paragraphs as dicts; continuation lines are not needed here."""
    for block in text.split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z-]+): *(.*)$", block, re.M))
        if fields:
            yield fields


def installed(path):
    with open(path, encoding="utf-8") as file:
        for fields in stanzas(file.read()):
            if fields.get("Status", "").endswith(" installed"):
                yield fields


def deb_fields(path):
    done = subprocess.run(["dpkg-deb", "-f", path], check=True, capture_output=True, text=True)
    return next(stanzas(done.stdout))


def copyright_text(package, docs):
    for doc in docs:
        path = os.path.join(doc, package, "copyright")
        if os.path.exists(path):
            with open(path, encoding="utf-8", errors="replace") as file:
                return file.read()
    return sys.exit(f"manifest.py: {package} has no copyright file")


def licences(text):
    names = re.findall(r"^License: *(\S[^\n]*)$", text, re.M)
    return " | ".join(sorted(set(name.strip() for name in names))) or "see copyright"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--status", required=True)
    parser.add_argument("--from-status", nargs="+", default=[], metavar=("FILE", "PACKAGE"))
    parser.add_argument("--debs")
    parser.add_argument("--doc", action="append", default=[])
    parser.add_argument("--texts", required=True)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()

    found = list(installed(args.status))
    if args.debs:
        found += [deb_fields(path) for path in glob.glob(os.path.join(args.debs, "*.deb"))]
    if args.from_status:
        wanted = set(args.from_status[1:])
        extra = [fields for fields in installed(args.from_status[0]) if fields["Package"] in wanted]
        if missing := wanted - {fields["Package"] for fields in extra}:
            sys.exit(f"manifest.py: not installed: {', '.join(sorted(missing))}")
        found += extra

    rows = []
    for fields in found:
        name = fields["Package"]
        text = copyright_text(name, args.doc)
        with open(os.path.join(args.texts, name), "w", encoding="utf-8") as out:
            out.write(text)
        source = fields.get("Source", name).split()[0]
        rows.append("\t".join((name, fields["Version"], source, licences(text))))
    with open(args.out, "w", encoding="utf-8") as out:
        out.write("package\tversion\tsource\tlicences\n")
        out.writelines(f"{row}\n" for row in sorted(set(rows)))


if __name__ == "__main__":
    main()
