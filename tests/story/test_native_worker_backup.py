# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker `backup-proof`: what it makes of an idevicebackup2 that behaves in every way, played by a script in $PATH.
The phone beside it is the simulated one. With the real program: test_whole_backup_of_the_real_program and those
below it."""

import os
import plistlib
import signal
import time

import pytest

from simphone import SimPhone
from worker_bed import LIMIT, WorkerRun, failure, work

LIMIT_BYTES = 1000000
# What every script begins with: its folder, the phone's part of it, how to write files as the phone sends them.
HEAD = '''#!/usr/bin/python3
import os, plistlib, signal, sys, time
assert sys.argv[1] == "-u" and sys.argv[3:5] == ["backup", "--full"], sys.argv
udid, folder = sys.argv[2], sys.argv[5]
here = os.path.dirname(sys.argv[0])
ended = []
signal.signal(signal.SIGINT, lambda *_: ended.append(1))
def put(name, data):
    path = os.path.join(folder, udid, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)
def info(): put("Info.plist", plistlib.dumps({"Device Name": "x"}))
def state(word): put("Status.plist", plistlib.dumps({"SnapshotState": word, "Version": "3.3"}, fmt=plistlib.FMT_BINARY))
def payload(n, size=70000): put("Snapshot/%02x/%040x" % (n % 256, n), b"x" * size)
def wait(done, seconds=20):
    end = time.monotonic() + seconds
    while not done() and time.monotonic() < end:
        time.sleep(0.01)
print("Backup directory is", folder)
print("Backup will be unencrypted.")
print("Requesting backup from device...")
print("Full backup mode.")
info()
'''
WHOLE = HEAD + '''
state("uploading")
print("Receiving files")
for n in range(3): payload(n)
put("Manifest.plist", plistlib.dumps({"IsEncrypted": False}))
state("finished")
print("Received 6 files from device.")
print("Backup Successful.")
'''
LARGE = HEAD + '''
state("uploading")
print("Receiving files")
n = 0
while not ended:
    payload(n); n += 1
print("Received %d files from device." % n)
print("Backup Aborted.")
sys.exit(255)
'''


@pytest.fixture(scope="module")
def phone(tmp_path_factory):
    with SimPhone(tmp_path_factory.mktemp("p"), "iphone13", trust="silent") as made:
        assert made.run("idevicepair", "pair").returncode == 0
        yield made


class Bed:
    """A folder for the proof, and a program in $PATH."""

    def __init__(self, tmp_path, phone):
        self.phone, self.folder, self.programs = phone, tmp_path / "job", tmp_path / "bin"
        self.folder.mkdir()
        self.programs.mkdir()
        (self.folder / "journal").write_text("stays")

    def request(self, script=None, **fields):
        environment = self.phone.env()
        if script is not None:
            path = self.programs / "idevicebackup2"
            path.write_text(script)
            path.chmod(0o755)
            environment["PATH"] = f"{self.programs}:{environment['PATH']}"
        return environment, {"udid": self.phone.udid, "folder": str(self.folder), "limit_s": 60,
                             "limit_bytes": LIMIT_BYTES, **fields}

    def prove(self, script=None, wait_s=60, **fields):
        environment, request = self.request(script, **fields)
        try:
            return work("backup-proof", environment, wait_s, **request)
        finally:
            self.assert_clean()

    def assert_clean(self):
        assert [path.name for path in self.folder.iterdir()] == ["journal"]
        assert (self.folder / "journal").read_text() == "stays"


@pytest.fixture()
def bed(tmp_path, phone):
    return Bed(tmp_path, phone)


def test_whole_backup(bed):
    assert bed.prove(WHOLE) == {"ok": True, "bytes": pytest.approx(210000, abs=2000), "files": 5, "complete": True,
                                "encrypted": False}


def test_enough_of_a_large_one(bed):
    """Ended by SIGINT between two files; what had come is proof."""
    environment, request = bed.request(LARGE)
    with WorkerRun("backup-proof", environment, **request) as run:
        result = run.result(40)
    assert result["ok"] and result["complete"] is False and result["bytes"] >= LIMIT_BYTES and result["files"] > 10
    progress = [event for event in run.events if event["event"] == "progress"]
    assert progress and sorted(event["bytes"] for event in progress) == [event["bytes"] for event in progress]
    bed.assert_clean()


def test_leftovers_of_a_killed_run_go(bed):
    (bed.folder / "backup-proof/x").mkdir(parents=True)
    (bed.folder / "backup-proof/x/Status.plist").write_bytes(b"old")
    result = bed.prove(WHOLE)
    assert result["ok"], result


@pytest.mark.parametrize("tail,expected", [
    # it says so, and nothing is there; or the phone's own state says otherwise; or a list is cut
    ('print("Backup Successful.")', ("protocol", "idevicebackup2")),
    ('state("uploading"); payload(1); print("Backup Successful.")', ("protocol", "idevicebackup2")),
    ('state("finished"); put("Manifest.plist", b"<?xml version"); print("Backup Successful.")',
     ("protocol", "idevicebackup2")),
    ('print("Could not read Status.plist!\\nBackup Failed (Error Code 0).")', ("protocol", "idevicebackup2")),
    ('print("ErrorCode 208: Device locked (MBErrorDomain/208)\\nBackup Failed (Error Code 208).");sys.exit(48)',
     ("locked", "idevicebackup2")),
    ('print("ErrorCode 105: Insufficient free disk space\\n");sys.exit(151)', ("no-space", "idevicebackup2")),
    ('print("ErrorCode 4711: something new");sys.exit(1)', ("protocol", "idevicebackup2")),
    ('print("ERROR: Could not start service com.apple.mobilebackup2: Password protected");sys.exit(255)',
     ("locked", "idevicebackup2")),
    ('print("ERROR: Could not connect to lockdownd, error code -21");sys.exit(255)', ("refused", "lockdownd")),
    ('sys.stderr.write("ERROR: timeout while locking for sync\\n");sys.exit(255)', ("busy", "idevicebackup2")),
    ('print("User has cancelled the backup process on the device.\\nBackup Aborted.");sys.exit(255)',
     ("cancelled", "idevicebackup2")),
    ('os.abort()', ("protocol", "idevicebackup2")),
    ('print("\\x00\\xff\\x1b[2J" * 30000); sys.stdout.buffer.write(bytes(range(256)) * 500); sys.exit(3)',
     ("protocol", "idevicebackup2")),
])
def test_what_is_no_backup(bed, tail, expected):
    result = bed.prove(HEAD + tail)
    assert failure(result)[:2] == expected
    assert "complete" not in result


def test_passcode_is_asked_for(bed):
    """The line comes at once, although the program writes no newline after it for a while."""
    script = HEAD + '''
print("*** Waiting for passcode to be entered on the device ***")
wait(lambda: os.path.exists(os.path.join(here, "typed")))
''' + WHOLE[len(HEAD):]
    environment, request = bed.request(script)
    with WorkerRun("backup-proof", environment, **request) as run:
        assert run.event() == {"event": "passcode"}
        (bed.programs / "typed").touch()
        assert run.result()["complete"] is True
    bed.assert_clean()


def test_cancelled_by_the_service(bed):
    """A program that hears no signal is killed, and nothing of it stays."""
    script = HEAD + '''
signal.signal(signal.SIGINT, signal.SIG_IGN); signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(os.path.join(folder, "pid"), "w").write(str(os.getpid()))
print("*** Waiting for passcode to be entered on the device ***")
wait(lambda: False, 60)
'''
    environment, request = bed.request(script)
    with WorkerRun("backup-proof", environment, **request) as run:
        run.event()
        pid = int((bed.folder / "backup-proof/pid").read_text())
        run.socket.close()
        run.process.wait(5)
    bed.assert_clean()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_cancelled_while_it_is_being_ended(bed):
    """Enough has come, the program does not hear that it is to end: who cancels then does not wait for its grace, after
    which the service would have killed the worker, and a part of a phone would stay."""
    script = LARGE.replace("while not ended:", "while n < 40:").replace(
        'print("Received', 'wait(lambda: False, 60)\nprint("Received')
    environment, request = bed.request(script)
    with WorkerRun("backup-proof", environment, **request) as run:
        while run.event().get("bytes", 0) < LIMIT_BYTES:
            pass
        time.sleep(1)
        began = time.monotonic()
        run.socket.close()
        run.process.wait(20)
        assert time.monotonic() - began < 4
    bed.assert_clean()


def test_sigterm_ends_it_too(bed):
    environment, request = bed.request(HEAD + 'print("*** Waiting for passcode ***", flush=True)\nwait(lambda: ended)')
    with WorkerRun("backup-proof", environment, **request) as run:
        run.event()
        run.process.send_signal(signal.SIGTERM)
        assert failure(run.result(10))[:2] == ("cancelled", "worker")
    bed.assert_clean()


def test_a_phone_names_files_outside(bed, tmp_path):
    """idevicebackup2 follows ".."; the kernel does not let it."""
    (tmp_path / "precious").write_text("stays")
    script = HEAD + '''
for name in "../../../precious", "../../escaped", "../../journal":
    try:
        put(name, b"evil")
        print("ERROR: escaped to", name)
    except PermissionError:
        pass
try:
    os.remove(os.path.join(folder, udid, "../../journal"))
    print("ERROR: removed")
except PermissionError:
    pass
''' + WHOLE[len(HEAD):]
    assert bed.prove(script)["ok"]
    assert (tmp_path / "precious").read_text() == "stays" and not (tmp_path / "job/escaped").exists()


def test_no_room(bed):
    assert failure(bed.prove(WHOLE, limit_bytes=16 << 30)) == ("no-space", "worker", 28) or \
        os.statvfs(bed.folder).f_bavail * os.statvfs(bed.folder).f_frsize > (17 << 30)


def test_not_installed(bed):
    environment, request = bed.request()
    environment["PATH"] = str(bed.programs)
    assert failure(work("backup-proof", environment, **request))[0] == "unsupported"
    bed.assert_clean()


def test_phone_that_does_not_trust(tmp_path):
    with SimPhone(tmp_path, "iphone13") as stranger:
        bed = Bed(tmp_path, stranger)
        assert failure(bed.prove(WHOLE))[:2] == ("refused", "usbmuxd")


def test_cable_pulled(tmp_path):
    """The program would spin for ever."""
    with SimPhone(tmp_path, "iphone13", trust="silent") as phone:
        assert phone.run("idevicepair", "pair").returncode == 0
        bed = Bed(tmp_path, phone)
        environment, request = bed.request(HEAD + 'print("*** Waiting for passcode ***", flush=True)\n'
                                                  'wait(lambda: False, 60)')
        with WorkerRun("backup-proof", environment, **request) as run:
            run.event()
            phone.control("unplug")
            began = time.monotonic()
            assert failure(run.result())[0] == "unplugged"
            assert time.monotonic() - began < LIMIT / 2
        bed.assert_clean()


def test_usbmuxd_ends(tmp_path):
    with SimPhone(tmp_path, "iphone13", trust="silent") as phone:
        assert phone.run("idevicepair", "pair").returncode == 0
        bed = Bed(tmp_path, phone)
        environment, request = bed.request(HEAD + 'print("*** Waiting for passcode ***", flush=True)\n'
                                                  'wait(lambda: False, 60)')
        with WorkerRun("backup-proof", environment, **request) as run:
            run.event()
            phone.stop()
            assert failure(run.result())[:2] == ("no-service", "usbmuxd")
        bed.assert_clean()


@pytest.mark.parametrize("fields", [{"limit_s": 29}, {"limit_s": 3601}, {"limit_bytes": 1}, {"limit_bytes": "1"},
                                    {"folder": "job"}, {"folder": None}, {"udid": "../x"}, {"more": 1}])
def test_malformed_requests(bed, fields):
    assert failure(bed.prove(WHOLE, **fields))[:2] == ("usage", "worker")


def test_folder_that_is_none(bed, tmp_path):
    (tmp_path / "link").symlink_to(bed.folder)
    for folder in (tmp_path / "missing", bed.folder / "journal", tmp_path / "link"):
        assert failure(bed.prove(WHOLE, folder=str(folder)))[:2] == ("refused", "kernel")


# ---- the real program, and the simulated phone's backup service

@pytest.fixture()
def rig(tmp_path):
    """rig(**settings) → a Bed beside a phone that trusts and is past Setup Assistant."""
    phones = []

    def begin(**settings):
        made = SimPhone(tmp_path, "iphone13", trust="silent", **{
            "time_scale_percent": 20, "version": "15.5", "build": "19F77", **settings})
        phones.append(made)
        made.start()
        assert made.run("idevicepair", "pair").returncode == 0
        made.control("setup done")
        return Bed(tmp_path, made)

    yield begin
    for made in phones:
        made.stop()


def test_whole_backup_of_the_real_program(rig):
    result = rig().prove(limit_bytes=500000000)
    assert (result["ok"], result["complete"], result["encrypted"]) == (True, True, False), result
    assert result["files"] > 3 and result["bytes"] > 1000


def test_a_little_of_the_real_program(rig):
    """The limit may strike before the end or not: what is there is proof either way."""
    result = rig().prove(limit_bytes=65536)
    assert result["ok"] and result["bytes"] > 1000, result


def test_real_passcode_is_typed(rig):
    bed = rig(version="17.6.1", build="21G93", passcode="yes")
    environment, request = bed.request(limit_bytes=500000000)
    with WorkerRun("backup-proof", environment, **request) as run:
        while run.event()["event"] != "passcode":
            pass
        bed.phone.control("type")
        assert run.result(40)["complete"] is True
    bed.assert_clean()


def test_real_passcode_is_not_typed(rig):
    result = rig(version="17.6.1", build="21G93", passcode="yes", backup_passcode_ms=2000).prove()
    assert failure(result) == ("locked", "idevicebackup2", 208)


@pytest.mark.parametrize("settings,expected", [
    ({"backup": "nothing"}, "protocol"), ({"backup": "cancel"}, "cancelled"), ({"backup_error": 105}, "no-space"),
    ({"service_fail": "com.apple.mobilebackup2 PasswordProtected"}, "locked")])
def test_real_failures(rig, settings, expected):
    bed = rig(**settings)
    assert failure(bed.prove(limit_bytes=500000000))[0] == expected


def test_real_phone_names_a_file_outside(rig):
    """idevicebackup2 writes it where the phone says, but for the kernel."""
    bed = rig(backup="dotdot")
    bed.prove(limit_bytes=500000000)
