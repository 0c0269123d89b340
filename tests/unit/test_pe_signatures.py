# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/pe_signatures.py: Debian's real shim passes; one without, with fewer, or with other signatures does not."""
import struct
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))
import pe_signatures  # noqa: E402  pylint: disable=wrong-import-position

SHIM = Path("/usr/lib/shim/shimx64.efi.signed")
BARE_SHIM = Path("/usr/lib/shim/shimx64.efi")
MOK = Path("/usr/lib/shim/mmx64.efi.signed")


def judge(option, path):
    """Runs the script as the build does."""
    command = [sys.executable, SCRIPTS / "pe_signatures.py", option, path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def with_table(blobs):
    """Shim with these certificate-table entries in place of its own."""
    data = SHIM.read_bytes()
    _, entry, table, _ = pe_signatures.offsets(data)
    new = b"".join(struct.pack("<IHH", 8 + len(blob), 0x200, 2) + blob + b"\0" * (-len(blob) % 8) for blob in blobs)
    head = bytearray(data[:table])
    head[entry : entry + 8] = struct.pack("<II", table if new else 0, len(new))
    return bytes(head) + new


@pytest.fixture
def shim_with(tmp_path):
    def write(data):
        path = tmp_path / "shim.efi"
        path.write_bytes(data)
        return path

    return write


def test_real_shim_has_both_of_microsofts():
    status, out, _ = judge("--microsoft", SHIM)
    assert status == 0
    assert "Microsoft Corporation UEFI CA 2011" in out and "Microsoft UEFI CA 2023" in out


def test_real_mok_manager_is_debians():
    status, out, _ = judge("--debian", MOK)
    assert status == 0 and "Debian Secure Boot CA" in out


def test_rebuilt_table_is_as_good_as_the_real_one(shim_with):
    blobs = list(pe_signatures.signatures(SHIM.read_bytes()))
    assert len(blobs) == 2
    assert judge("--microsoft", shim_with(with_table(blobs)))[0] == 0


@pytest.mark.parametrize("keep,missing", [(0, "Microsoft UEFI CA 2023"), (1, "Microsoft Corporation UEFI CA 2011")])
def test_one_of_microsofts_is_missing(shim_with, keep, missing):
    blobs = list(pe_signatures.signatures(SHIM.read_bytes()))
    status, _, err = judge("--microsoft", shim_with(with_table([blobs[keep]])))
    assert status == 1 and err.strip().endswith(f"lacks a signature by {missing}")


def test_no_signature(shim_with):
    status, out, err = judge("--microsoft", shim_with(with_table([])))
    assert status == 1 and "not signed" in out and "2011 and by Microsoft UEFI CA 2023" in err


def test_debians_own_unsigned_file():
    assert judge("--microsoft", BARE_SHIM)[0] == 1


def test_signed_by_somebody_else():
    status, _, err = judge("--debian", SHIM)
    assert status == 1 and "lacks a signature by Debian Secure Boot CA" in err


def test_changed_byte_is_noticed(shim_with):
    data = bytearray(SHIM.read_bytes())
    data[4096] ^= 1
    status, out, _ = judge("--microsoft", shim_with(bytes(data)))
    assert status == 1 and "over other bytes" in out


@pytest.mark.parametrize("cut", [0, 1, 63, 64, 200, 300, 100_000])
def test_cut_off_file_is_refused_with_words(shim_with, cut):
    status, out, err = judge("--microsoft", shim_with(SHIM.read_bytes()[:cut]))
    assert status == 1 and "Traceback" not in err and out.count("\n") >= 2


def test_entry_longer_than_its_table(shim_with):
    data = bytearray(SHIM.read_bytes())
    table = pe_signatures.offsets(bytes(data))[2]
    struct.pack_into("<I", data, table, 0xFFFFFF)
    status, out, err = judge("--microsoft", shim_with(bytes(data)))
    assert status == 1 and "cut off" in out and "Traceback" not in err


def test_garbage_instead_of_a_signature(shim_with):
    data = SHIM.read_bytes()
    status, out, err = judge("--microsoft", shim_with(with_table([pe_signatures.image_hash(data) + b"\xff" * 64])))
    assert status == 1 and "Traceback" not in err and "no PKCS#7" in out
