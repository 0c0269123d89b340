# SPDX-License-Identifier: GPL-3.0-or-later
"""The phone's backup service before the unmodified idevicebackup2: what it writes is opened with SQLite and Python's
own property lists, what it sends back is verified by the phone."""

import hashlib
import plistlib
import signal
import sqlite3
import time

import pytest

from simphone import SimPhone

LIMIT = 40  # seconds, for anything that is awaited
BEFORE_PASSCODE = {"version": "15.5", "build": "19F77"}  # idevicebackup2 waits two seconds for a newer phone's wish
# the exit status is the number's negative, in eight bits
ENDS = {102: 154, 104: 152, 105: 151, 205: 51, 207: 49, 208: 48, 211: 45}
IN_SMALL_DISK = 'mount -t tmpfs -o size=60m none "$0" && exec "$@"'


@pytest.fixture()
def bench(tmp_path):
    """bench(**settings) → an iPhone 13 that trusts this computer, and is past Setup Assistant."""
    phones = []

    def begin(**settings):
        phone = SimPhone(tmp_path, "iphone13", name=f"p{len(phones)}", trust="silent",
                         **{"time_scale_percent": 20, **BEFORE_PASSCODE, **settings})
        phones.append(phone)
        phone.start()
        assert phone.run("idevicepair", "pair").returncode == 0
        phone.control("setup done")
        return phone

    (tmp_path / "b").mkdir()
    yield begin
    for phone in phones:
        phone.stop()


def run(phone, *words):
    return phone.run("idevicebackup2", "-u", phone.udid, *words, phone.folder / "b", timeout=40)


def backed_up(phone, *words):
    done = run(phone, *words, "backup")
    assert (done.returncode, "Backup Successful." in done.stdout) == (0, True), done
    return phone.folder / "b" / phone.udid


def rows(folder):
    """{path in its domain: (id, flags)} of a backup, whose database SQLite finds in order."""
    with sqlite3.connect(folder / "Manifest.db") as database:
        assert database.execute("pragma integrity_check").fetchall() == [("ok",)]
        found = database.execute("select fileID, domain, relativePath, flags from Files").fetchall()
    for name, domain, path, _ in found:
        assert name == hashlib.sha1(f"{domain}-{path}".encode()).hexdigest()
    return {path: (name, flags) for name, _, path, flags in found}


def contents(folder):
    return {path: (folder / name[:2] / name).read_bytes() for path, (name, flags) in rows(folder).items() if flags == 1}


# ---- backups

def test_full_backup_is_whole(bench, tmp_path):
    phone = bench()
    folder = backed_up(phone)
    status = plistlib.loads((folder / "Status.plist").read_bytes())
    assert (status["SnapshotState"], status["IsFullBackup"]) == ("finished", True)
    manifest = plistlib.loads((folder / "Manifest.plist").read_bytes())
    assert (manifest["IsEncrypted"], manifest["Lockdown"]["UniqueDeviceID"]) == (False, phone.udid)
    assert plistlib.loads((folder / "Info.plist").read_bytes())["Device Name"] == "iPhone 13"
    files = contents(folder)
    assert len(files) == phone.state()["files"] - 1  # but the lock of the sync
    for number, path in enumerate(("DCIM/100APPLE/IMG_0005.MOV", "Books/café ☕.epub", "Downloads/empty.txt")):
        phone.run("afcclient", "--", "get", f"/{path}", tmp_path / f"got{number}")
        assert files[f"Media/{path}"] == (tmp_path / f"got{number}").read_bytes()
    assert not (folder / "Snapshot").exists()


def test_incremental_backup_follows_the_phone(bench, tmp_path):
    phone = bench()
    folder = backed_up(phone)
    gone = rows(folder)["Media/DCIM/100APPLE/IMG_0001.HEIC"][0]
    (tmp_path / "new").write_bytes(b"new" * 30000)
    phone.run("afcclient", "--", "rm", "/DCIM/100APPLE/IMG_0001.HEIC")
    phone.run("afcclient", "--", "put", tmp_path / "new", "/Downloads/new.bin")
    done = run(phone, "backup")
    assert "Incremental backup mode." in done.stdout and "Backup Successful." in done.stdout
    files = contents(folder)
    assert "Media/DCIM/100APPLE/IMG_0001.HEIC" not in files and not (folder / gone[:2] / gone).exists()
    assert files["Media/Downloads/new.bin"] == b"new" * 30000
    assert len(phone.seen("message", name="file", way="sent")) < 2 * len(files)


def test_interrupted_backup_leaves_a_phone_that_works(bench):
    phone = bench(fault="mobilebackup2 sent file 5 delay:3000")
    backup = phone.popen("idevicebackup2", "-u", phone.udid, "backup", phone.folder / "b")
    with backup:
        phone.wait_event("fault", action="delay")
        backup.send_signal(signal.SIGINT)
        said, _ = backup.communicate(timeout=LIMIT)
    assert "Backup Aborted." in said
    folder = phone.folder / "b" / phone.udid
    assert (folder / "Snapshot").exists()
    assert len(contents(backed_up(phone))) > 30
    assert not (folder / "Snapshot").exists()


# ---- restores

def test_restore_makes_the_other_phone_the_same(bench):
    old = bench()
    folder = backed_up(old)
    wanted = old.seen("backup-done")[-1]["files_digest"]
    new = bench(seed=77)
    assert new.state()["files_digest"] != wanted
    folder.rename(new.folder / "b" / new.udid)  # the same ECID: the same folder
    done = run(new, "restore", "--skip-apps")
    assert (done.returncode, "Restore Successful." in done.stdout) == (0, True), done
    assert new.seen("backup-restored")[-1]["files_digest"] == wanted
    new.wait_event("leave", why="a backup was restored")


def test_restore_with_a_damaged_file_changes_nothing(bench):
    phone = bench()
    folder = backed_up(phone)
    before = phone.state()["files_digest"]
    name = rows(folder)["Media/PhotoData/Photos.sqlite"][0]
    damaged = folder / name[:2] / name
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"\0")
    done = run(phone, "restore", "--skip-apps", "--no-reboot")
    assert (done.returncode, "ErrorCode 205" in done.stdout) == (ENDS[205], True), done
    assert phone.seen("backup-file-wrong", path="PhotoData/Photos.sqlite")
    damaged.unlink()
    assert run(phone, "restore", "--skip-apps", "--no-reboot").returncode == ENDS[205]
    phone.run("afcclient", "--", "rm", "/iTunesRestore")
    assert phone.state()["files_digest"] == before


def test_restore_wants_find_my_off(bench):
    phone = bench(find_my="yes")
    backed_up(phone)
    assert run(phone, "restore", "--skip-apps").returncode == ENDS[211]


# ---- the passcode

def test_passcode_is_wanted_since_16_1(bench):
    phone = bench(passcode="yes", version="17.5", build="21F79")
    backup = phone.popen("idevicebackup2", "-u", phone.udid, "backup", phone.folder / "b")
    with backup:
        phone.wait_event("backup-passcode", state="shown")
        assert phone.state()["backup_wants_passcode"]
        time.sleep(0.3)  # it looks once a second; the wish must still stand then
        phone.control("type")
        said, _ = backup.communicate(timeout=LIMIT)
    assert "*** Waiting for passcode to be entered on the device ***" in said
    assert (backup.returncode, "Backup Successful." in said) == (0, True)


def test_nobody_types_the_passcode(bench):
    phone = bench(passcode="yes", backup_passcode_ms=100, version="16.1", build="20B82")
    done = run(phone, "backup")
    assert (done.returncode, "ErrorCode 208: Device locked (MBErrorDomain/208)" in done.stdout) == (ENDS[208], True)
    phone.control("set backup_type_after_ms 20")
    backed_up(phone)


# ---- passwords, and what is refused

def test_password_of_backups(bench):
    phone = bench()
    assert "enabled successfully" in run(phone, "encryption", "on", "secret").stdout
    assert phone.run("ideviceinfo", "-q", "com.apple.mobile.backup", "-k", "WillEncrypt").stdout == "true\n"
    assert run(phone, "changepw", "wrong", "other").returncode == ENDS[207]
    assert run(phone, "changepw", "secret", "other").returncode == 0
    folder = backed_up(phone)
    assert plistlib.loads((folder / "Manifest.plist").read_bytes())["IsEncrypted"]
    assert run(phone, "restore", "--skip-apps", "--no-reboot", "--password", "secret").returncode == ENDS[207]
    assert run(phone, "restore", "--skip-apps", "--no-reboot", "--password", "other").returncode == 0
    assert "disabled successfully" in run(phone, "encryption", "off", "other").stdout


@pytest.mark.parametrize("command", ["info", "list"])
def test_what_phones_refuse_since_ios_10(bench, command):
    phone = bench()
    backed_up(phone)
    assert run(phone, command).returncode == ENDS[205]


# ---- troubles: what the judge says

@pytest.mark.parametrize("settings, text, status", [
    ({"backup_error": 102}, "ErrorCode 102", ENDS[102]),
    ({"backup": "nothing"}, "Backup Failed (Error Code 0).", 0),
    ({"backup": "no_final_status"}, "Backup Failed (Error Code 0).", 0),
    ({"backup": "no_folders"}, "No such file or directory", None),
    ({"backup": "disconnect"}, "Backup Failed (Error Code 1).", 255),
    ({"backup": "cancel"}, "User has cancelled the backup process on the device.", 255),
    ({"afc_unreadable": "PhotoData/Photos.sqlite"}, "ErrorCode 104", ENDS[104]),
    ({"afc_busy": 3}, "Backup Successful.", 0),
    ({"fault": "mobilebackup2 sent file 9 cut"}, "Backup Aborted.", 255),
    ({"service_fail": "com.apple.mobilebackup2 InvalidService"}, "Invalid service", 255),
])
def test_trouble(bench, settings, text, status):
    phone = bench(**settings)
    done = run(phone, "backup")
    assert text in done.stdout + done.stderr, done
    assert status is None or done.returncode == status


def test_host_without_room(bench):
    phone = bench()
    done = phone.run("unshare", "--map-root-user", "--mount", "sh", "-c", IN_SMALL_DISK, phone.folder / "b",
                     "idevicebackup2", "-u", phone.udid, "backup", phone.folder / "b")
    assert (done.returncode, "ErrorCode 105" in done.stdout) == (ENDS[105], True), done


def test_idevicebackup2_follows_dots(bench):
    """Why our own program never hands it a folder with anything beside it."""
    phone = bench(backup="dotdot")
    run(phone, "backup")
    assert (phone.folder / "left-the-folder").read_text() == "must not be written"
