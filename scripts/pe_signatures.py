#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who signed these EFI programs? Fails unless the right ones did.

  --microsoft FILE   must carry two signatures, by "Microsoft Corporation UEFI CA 2011" and by
                     "Microsoft UEFI CA 2023": old PCs know only the first, new ones only the second
  --debian FILE      must carry one by "Debian Secure Boot CA"

The certificate table is read here, because tools were seen to show only the first of several
signatures; openssl unpacks each PKCS#7. A signer counts by the issuer of the certificate that the
signature itself names, and the hash that it signs must be the hash of this very file. (That the
firmware trusts the issuer, only a machine with Secure Boot shows.) Sources: PE/COFF specification,
"Attribute Certificate Table"; Authenticode specification, "Calculating the PE Image Hash".
"""

import argparse
import hashlib
import re
import struct
import subprocess
import sys

MICROSOFT = ("Microsoft Corporation UEFI CA 2011", "Microsoft UEFI CA 2023")
DEBIAN = ("Debian Secure Boot CA",)
PKCS7 = 2


class Broken(ValueError):
    """Not a PE file, or its tables point outside of it."""


def offsets(data):
    """Returns (offset of the checksum, offset of the directory entry, table offset, table size)."""
    try:
        pe = struct.unpack_from("<I", data, 0x3C)[0]
        if data[:2] != b"MZ" or data[pe : pe + 4] != b"PE\0\0":
            raise Broken("not a PE file")
        optional = pe + 24
        magic = struct.unpack_from("<H", data, optional)[0]
        directories = optional + {0x10B: 96, 0x20B: 112}[magic]
        entry = directories + 4 * 8
        table, size = struct.unpack_from("<II", data, entry)
    except (struct.error, KeyError) as err:
        raise Broken(f"its headers make no sense ({err})") from err
    if table + size > len(data):
        raise Broken("its certificate table reaches beyond the end of the file")
    return optional + 64, entry, table, size


def signatures(data):
    """The PKCS#7 blobs of the certificate table."""
    _, _, at, size = offsets(data)
    end = at + size
    while at + 8 <= end:
        length, _, kind = struct.unpack_from("<IHH", data, at)
        if length < 8 or at + length > end:
            raise Broken("an entry of its certificate table is cut off")
        if kind == PKCS7:
            yield data[at + 8 : at + length]
        at += (length + 7) & ~7


def image_hash(data, algorithm="sha256"):
    """The hash that is signed: of all but the checksum, the directory's entry and the table."""
    checksum, entry, table, size = offsets(data)
    end = table if size else len(data)
    body = data[:checksum] + data[checksum + 4 : entry] + data[entry + 8 : end] + data[end + size :]
    return hashlib.new(algorithm, body).digest()


def openssl(*args, data):
    done = subprocess.run(["openssl", *args], input=data, check=False, capture_output=True)
    if done.returncode != 0:
        raise Broken("what it carries as a signature is no PKCS#7")
    return done.stdout.decode(errors="replace")


def signer_issuers(blob):
    """(issuer, subject) of the certificates that a PKCS#7's signatures name; others are a chain."""
    text = openssl("pkcs7", "-inform", "DER", "-noout", "-print", data=blob)
    infos = text[text.rindex("signer_info:") :]
    serials = {int(value, 16) for value in re.findall(r"^ *serial: 0x([0-9A-Fa-f]+)", infos, re.M)}
    serials |= {int(value) for value in re.findall(r"^ *serial: (\d+)$", infos, re.M)}
    certs = openssl("pkcs7", "-inform", "DER", "-print_certs", data=blob)
    found = []
    for block in re.findall(r"-----BEGIN.*?-----END CERTIFICATE-----", certs, re.S):
        args = ["-noout", "-serial", "-subject", "-issuer", "-nameopt", "sep_multiline,utf8"]
        lines = openssl("x509", *args, data=block.encode())
        subject, issuer = re.findall(r"^ *CN=(.*)$", lines, re.M)
        if int(re.search(r"serial=([0-9A-F]+)", lines).group(1), 16) in serials:
            found.append((issuer.strip(), subject.strip()))
    return found


def read_signers(path):
    """(issuer, subject) of every signature; one over other bytes than this file's is an error."""
    with open(path, "rb") as file:
        data = file.read()
    digest = image_hash(data)
    found = []
    for blob in signatures(data):
        if digest not in blob:
            raise Broken("a signature in it is over other bytes")
        found += signer_issuers(blob)
    return found


def check(path, wanted):
    """Prints the file's signers; returns what is missing."""
    try:
        signers = read_signers(path)
    except Broken as err:
        print(f"{path}\t-\t{err}")
        return list(wanted)
    for issuer, subject in signers:
        print(f"{path}\t{issuer}\t{subject}")
    issuers = {issuer for issuer, _ in signers}
    if not issuers:
        print(f"{path}\t-\tnot signed")
    return [name for name in wanted if name not in issuers]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--microsoft", action="append", default=[], metavar="FILE")
    parser.add_argument("--debian", action="append", default=[], metavar="FILE")
    args = parser.parse_args()
    failed = False
    print("file\tissuer\tsigner")
    for paths, wanted in ((args.microsoft, MICROSOFT), (args.debian, DEBIAN)):
        for path in paths:
            if missing := check(path, wanted):
                names = " and by ".join(missing)
                print(f"pe_signatures.py: {path} lacks a signature by {names}", file=sys.stderr)
                failed = True
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
