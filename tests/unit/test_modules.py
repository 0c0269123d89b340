# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/modules.py: closure, built-in modules, lists that are wrong. A kernel of a few files stands in."""
import lzma
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))
import modules  # noqa: E402  pylint: disable=wrong-import-position


@pytest.fixture(name="kernel")
def fixture_kernel(tmp_path):
    (tmp_path / "modules.dep").write_text(
        "kernel/usb/usb-storage.ko.xz: kernel/usb/usbcore.ko.xz kernel/scsi/scsi_mod.ko.xz\n"
        "kernel/usb/usbcore.ko.xz: kernel/usb/usb-common.ko.xz\n"
        "kernel/usb/usb-common.ko.xz:\n"
        "kernel/scsi/scsi_mod.ko.xz:\n"
        "kernel/nls/nls_a.ko.xz:\n"
        "kernel/nls/nls_b.ko.xz:\n"
        "kernel/usb/uas.ko.xz: kernel/usb/usb-storage.ko.xz\n"
    )
    (tmp_path / "modules.softdep").write_text("# comment\nsoftdep usbcore pre: nls-a post: gone\n")
    (tmp_path / "modules.builtin").write_text("kernel/input/atkbd.ko\n")
    return modules.Kernel(tmp_path)


def test_closure_follows_hard_and_soft_dependencies(kernel):
    assert modules.select(kernel, ["usb_storage"], []) == {"usb_storage", "usbcore", "usb_common", "scsi_mod", "nls_a"}


@pytest.mark.parametrize("pattern", ["nls_*", "nls/*", "nls/nls_*"])
def test_globs_by_name_and_by_path(kernel, pattern):
    assert modules.select(kernel, [pattern], []) == {"nls_a", "nls_b"}


def test_hyphen_and_underscore_are_one(kernel):
    assert modules.select(kernel, ["usb-common"], []) == modules.select(kernel, ["usb_common"], [])


def test_what_is_built_in_counts_as_present(kernel):
    assert modules.select(kernel, ["atkbd"], []) == set()


def test_unknown_name_fails(kernel):
    with pytest.raises(ValueError, match="xhci_hdc is listed, but"):
        modules.select(kernel, ["xhci_hdc"], [])


def test_banned_stays_out_and_a_need_for_it_fails(kernel):
    assert "uas" not in modules.select(kernel, ["usb_storage"], ["uas"])
    with pytest.raises(ValueError, match="needs it: scsi_mod"):
        modules.select(kernel, ["usb_storage"], ["scsi_mod"])


def test_ban_of_nothing_fails(kernel):
    with pytest.raises(ValueError, match="there is no such module"):
        modules.select(kernel, ["nls_a"], ["iphet"])


def test_list_is_read_with_reasons_and_bans(tmp_path):
    path = tmp_path / "list"
    path.write_text("# head\n\nxhci_pci  # why\n!ipheth # why not\nnls_*\n")
    assert modules.read_list(path) == (["xhci_pci", "nls_*"], ["ipheth"])


def test_unpacked_copy_keeps_the_signature(tmp_path):
    body = b"\x7fELF module" + b"sig" + modules.SIGNATURE
    (tmp_path / "a.ko.xz").write_bytes(lzma.compress(body))
    modules.copy_module(str(tmp_path / "a.ko.xz"), str(tmp_path / "out/a.ko"))
    assert (tmp_path / "out/a.ko").read_bytes() == body


def test_unsigned_module_is_refused(tmp_path):
    (tmp_path / "a.ko.xz").write_bytes(lzma.compress(b"\x7fELF module"))
    with pytest.raises(ValueError, match="carries no signature"):
        modules.copy_module(str(tmp_path / "a.ko.xz"), str(tmp_path / "a.ko"))
    assert not (tmp_path / "a.ko").exists()


def test_the_image_list_gives_each_module_a_reason():
    for line in (SCRIPTS.parent / "rootfs/modules").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, _, reason = line.partition("#")
            assert len(name.split()) == 1 and reason.strip(), line
