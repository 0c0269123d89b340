# SPDX-License-Identifier: GPL-3.0-or-later
"""The other ways in: as a CD, as an internal disk, with less memory; and what Secure Boot must refuse."""

import pathlib
import re
import shutil
import subprocess
import time

import pytest

TREE = pathlib.Path(__file__).resolve().parent.parent.parent


@pytest.mark.parametrize("firmware,medium", [("bios", "cd"), ("secureboot", "cd"), ("uefi", "disk")])
def test_boots(power_on, firmware, medium):
    machine = power_on(firmware=firmware, medium=medium, phones=["iphone7-recovery"])
    assert [phone["product"] for phone in machine.phones()] == ["iPhone9,1"]
    machine.shutdown()


def esp_offset(image):
    """Bytes from the image's start to its EFI system partition."""
    table = subprocess.run(["sfdisk", "--dump", image], capture_output=True, text=True, check=True).stdout
    rows = [row for row in table.splitlines() if "C12A7328-F81F-11D2-BA4B-00A0C93EC93B" in row]
    assert len(rows) == 1, table
    return int(rows[0].split("start=")[1].split(",")[0]) * 512


@pytest.fixture
def unsigned_kernel_image(tmp_path_factory):
    """A copy of the image whose kernel has lost its signature; everything else is the same."""
    folder = TREE / "build/run" / f"unsigned-{time.monotonic_ns()}"
    folder.mkdir(parents=True)
    image = folder / "image.img"
    shutil.copyfile(TREE / "build/idevicerescue-amd64.img", image)
    place = f"{image}@@{esp_offset(image)}"
    names = subprocess.run(["mdir", "-/", "-b", "-i", place, "::/"], capture_output=True, text=True, check=True).stdout
    kernels = [name for name in names.splitlines() if "vmlinuz" in name.lower()]
    assert len(kernels) == 1, names
    kernel = folder / "vmlinuz"
    subprocess.run(["mcopy", "-i", place, kernels[0], kernel], check=True)
    subprocess.run(["sbattach", "--remove", kernel], check=True)
    subprocess.run(["mcopy", "-o", "-i", place, kernel, kernels[0]], check=True)
    yield str(image)
    shutil.rmtree(folder)


def test_secure_boot_refuses_an_unsigned_kernel(power_on, unsigned_kernel_image):
    """GRUB gives up with Secure Boot on ("bad shim signature" may have left the end of the serial line: its menu
    says that nothing could be booted). The same image with Secure Boot off starts, so it is the signature."""
    from guest_client import GuestError

    with pytest.raises(GuestError, match="no answer from inside") as refused:
        power_on(firmware="secureboot", image=unsigned_kernel_image, timeout=100)
    assert re.search("bad shim signature|Failed to boot both default and fallback entries", str(refused.value))
    machine = power_on(firmware="uefi", image=unsigned_kernel_image)
    assert machine.phones() == []
    machine.shutdown()
