# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot work: one clear message, its exit code, and nothing changed."""

import zipfile

import pytest

from rescue_bed import Rescue, read_only, small, until, untouched
from restore_judge import PHONE
from simphone import SimPhone

pytest_plugins = ["restore_fixtures"]


@pytest.fixture
def bed(folder, apple, known):
    """bed(**settings) → the product beside one phone in recovery, which must be found as it was."""
    def make(**settings):
        return untouched(Rescue(folder, apple, ipsw=known, **{"mode": "recovery", **settings}))
    return make


def refused(rescue, status, *words, says=()):
    """It ends with that status, in text and in JSON, and says it in words."""
    result = rescue.json(*words)
    assert result["exit"] == status, result
    told = rescue.run(*words)
    assert told.returncode == status, told
    text = (told.stdout + told.stderr).lower()
    for word in says:
        assert word in text, text
    return text


def test_unknown_phone(bed):
    with bed() as rescue:
        for words in (("diagnose",), ("plan",), ("trust", "check"), ("recovery", "exit"), ("restart",)):
            more = ("erase",) if words == ("plan",) else ()
            refused(rescue, 3, *words, "ecid:0x00000000deadbeef", *more)
        refused(rescue, 3, "restore", "udid:00008110-000000000000001E", "--update")


def test_two_phones_match(bed):
    with bed() as rescue:
        with SimPhone(rescue.folder, "iphone13-recovery", name="second", usbmuxd=False, unit=7,
                      libusb=rescue.phone.bus):
            until("both are seen", lambda: len(rescue.phones()) == 2)
            refused(rescue, 4, "restore", "iPhone 13", "--update", says=("ecid:",))


def file_cases(folder, ipsws):
    no_zip = folder / "holiday.ipsw"
    no_zip.write_bytes(b"\xff\xd8\xff\xe0" + b"x" * 5000)
    empty = folder / "empty.ipsw"
    empty.write_bytes(b"")
    whole = ipsws(PHONE)
    truncated = folder / "truncated.ipsw"
    truncated.write_bytes(whole.read_bytes()[:-100000])
    other = folder / "other.ipsw"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("readme.txt", "no firmware")
    return {"no-zip": no_zip, "empty": empty, "truncated": truncated, "no-manifest": other,
            "missing": folder / "not-there.ipsw", "wrong-board": ipsws("iPad12,1")}


@pytest.mark.parametrize("what", ["no-zip", "empty", "truncated", "no-manifest", "missing", "wrong-board"])
def test_bad_file(bed, folder, ipsws, what):
    path = file_cases(folder, ipsws)[what]
    with bed() as rescue:
        refused(rescue, 7, "plan", rescue.ecid, "erase", "--file", path)
        refused(rescue, 7, "restore", rescue.ecid, "--update", "--file", path)
        assert rescue.jobs() == []


def without_upgrade(manifest):
    manifest["BuildIdentities"] = [one for one in manifest["BuildIdentities"]
                                   if "Upgrade" not in one["Info"]["Variant"]]


def test_update_with_a_file_that_can_only_erase(bed, ipsws):
    """The engine itself would erase here: see test_native_judges_restore.py."""
    path = ipsws(PHONE, rewrite=without_upgrade)
    with bed() as rescue:
        refused(rescue, 7, "restore", rescue.ecid, "--update", "--file", path)
        refused(rescue, 7, "plan", rescue.ecid, "update", "--file", path)


@pytest.mark.parametrize("status", ["94", "69"])
def test_not_signed(bed, apple, status):
    with bed() as rescue:
        apple.tss.behave(status)
        result = rescue.json("restore", rescue.ecid, "--update")
        assert result["exit"] == 8 and "sign" in result["job"]["error"]["text"], result


def test_dead_signing_server(bed, apple):
    with bed() as rescue:
        apple.tss.behave("close")
        result = rescue.json("restore", rescue.ecid, "--update", limit=240)
        assert result["exit"] == 10, result


def test_no_network(bed, apple):
    with bed() as rescue:
        apple.catalogue.behave("close")
        refused(rescue, 10, "plan", rescue.ecid, "update")
        refused(rescue, 10, "restore", rescue.ecid, "--update")


def test_download_that_is_never_right(bed, apple):
    with bed() as rescue:
        apple.firmware.behave("corrupt", at=500000, where={"method": "GET"})
        result = rescue.json("firmware", "get", rescue.ecid, limit=240)
        assert result["exit"] in {7, 10}, result
        assert not list((rescue.storage / "firmware").glob("*.ipsw"))


def test_no_room_for_the_firmware(bed, folder):
    with bed(prefix=small(folder / "storage", "2m")) as rescue:
        refused(rescue, 9, "plan", rescue.ecid, "update")
        refused(rescue, 9, "restore", rescue.ecid, "--update")


def test_read_only_storage(bed, folder):
    with bed(prefix=read_only(folder / "storage")) as rescue:
        text = refused(rescue, 9, "restore", rescue.ecid, "--update")
        assert "read-only" in text or "cannot be written" in text


def test_no_service(bed):
    with bed() as rescue:
        rescue.kill_service()
        for words in (("diagnose",), ("job", "list"), ("restore", rescue.ecid, "--update")):
            assert rescue.run(*words).returncode == 12
        rescue.start_service()
