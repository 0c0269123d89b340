# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker kind `restore` with the unmodified idevicerestore under it, before a simulated phone, its requests for
tickets through our relay to a pretended Apple whose certificate counts.

The phone's own counts are the judge of what happened to it. IDR_SLOW=1 adds the one that waits for minutes.
"""

import json
import os
import signal
import socket
import time

import pytest

from restore_judge import FINISHED, PHONE, PHONES, Restore
from restore_worker import ERASE, UPGRADE, Job, until

pytest_plugins = ["restore_fixtures"]

slow = pytest.mark.skipif(os.environ.get("IDR_SLOW") != "1", reason="waits for minutes: IDR_SLOW=1")
MINIMUM = {"mode": "recovery", "restore_steps": "minimum"}
UNHURRIED = {**MINIMUM, "time_scale_percent": 100, "gap_ms": 1000, "boot_ms": 1000}


def bed(folder, ipsw, apple, **settings):
    return Restore(folder, ipsw, apple, product=PHONE, **{**MINIMUM, **settings})


def untouched(phone, before):
    """As it was, in every respect but how often it was talked to."""
    assert {**phone.state(), "sessions": before["sessions"]} == before


def failed(end, kind, rule=None, again=None, touched=None):
    error = end["error"]
    assert not end["ok"] and error["kind"] == kind, end
    assert error["origin"] == "idevicerestore" and error["code"] == end["engine_exit"] and error["text"]
    wanted = {"rule": rule, "again": again, "touched": touched}
    assert all(value in (None, error[key]) for key, value in wanted.items()), end
    assert error["next"].endswith(".")
    return error


# ---- it works


@pytest.mark.parametrize("erase", [True, False], ids=["erase", "update"])
@pytest.mark.parametrize("mode", ["normal", "recovery", "dfu"])
def test_restore(folder, ipsws, apple, mode, erase):
    with bed(folder, ipsws(), apple, mode=mode, restore_steps="full") as phone:
        if mode == "normal":
            phone.pair()
        before = phone.state()
        with Job(folder, phone, apple, ipsws()) as job:
            end = job.begin(erase=erase).end()
            assert end["ok"], job.tail()
            assert set(end) == {"v", "type", "ok", "time_ms", "seconds", "engine_exit"} and end["engine_exit"] == 0
            check_events(job, erase)
        done_at = phone.number_of(phone.wait_event("restored", kind="erase" if erase else "update"))
        phone.wait_event("attach", mode="normal", after=done_at)
        after = phone.state()
        assert (after["version"], after["build"]) == PHONES[PHONE]
        assert (after["erases"], after["updates"]) == (int(erase), int(not erase))
        if erase:
            assert after["files"] == 0
        else:
            assert after["files_digest"] == before["files_digest"] and after["host_ids"] == before["host_ids"]
    assert len(apple.tss.record) > 0


def check_events(job, erase):
    events = job.events()
    assert [event["event"] for event in events].count("touched") == 1
    assert events[0]["event"] == "started" and events[0]["pid"] == job.process.pid
    assert events[0]["engine"].startswith("idevicerestore 1.")
    assert (events[0]["log"], events[0]["out"]) == ("engine-1.log", "engine-1.out")
    assert FINISHED in job.text("engine-1.log")
    assert all(event["time_ms"] > 1_600_000_000_000 for event in job.lines())
    told = [(event["step"], event["permille"]) for event in job.events("progress")]
    assert [step for step, _ in told][:1] == ["detect"] and ("upload-image", 1000) == told[-1]
    assert ("prepare", 1000) in told
    first = [event["event"] for event in events].index("touched")
    early = [(event["step"], event["permille"]) for event in events[:first] if event["event"] == "progress"]
    assert all(step == "detect" or permille <= 300 for step, permille in early)
    notes = " ".join(event["text"] for event in job.events("note"))
    assert "Status: Restore Finished" in notes
    assert ("will erase all device data" in notes) is erase
    span = (job.lines()[-1]["time_ms"] - events[0]["time_ms"]) / 1000
    print(f"\nrestore worker: {span:.2f} s between started and result")


# ---- whoever started it may go


def test_socket_closed_after_following(folder, ipsws, apple):
    with bed(folder, ipsws(), apple) as phone, Job(folder, phone, apple, ipsws()) as job:
        job.begin()
        job.hang_up()
        assert job.end()["ok"], job.tail()
        assert phone.state()["erases"] == 1


def test_parent_killed(folder, ipsws, apple):
    """The service forks it (PDEATHSIG) and is killed: the restore does not notice."""
    with bed(folder, ipsws(), apple) as phone, Job(folder, phone, apple, ipsws()) as job:
        job.socket, theirs = socket.socketpair()
        job.socket.settimeout(60)
        read_end, write_end = os.pipe()
        parent = os.fork()
        if parent == 0:
            service_of_its_own(job, theirs, write_end)
        theirs.close()
        os.close(write_end)
        worker = int(os.read(read_end, 32))
        os.close(read_end)
        job.socket.sendall(json.dumps(job.request()).encode() + b"\n")
        assert job.line()["event"] == "following"
        job.wait_event("started")
        os.kill(parent, signal.SIGKILL)
        os.waitpid(parent, 0)
        job.hang_up()
        until("the result", lambda: job.lines()[-1]["type"] == "result")
        assert job.lines()[-1]["ok"], job.tail()
        until("its end", lambda: not os.path.exists(f"/proc/{worker}") or not job.is_locked(), 20)
        assert phone.state()["erases"] == 1


def service_of_its_own(job, theirs, write_end):
    """In a child: starts the worker as process_spawn_socket() does, and waits to be killed."""
    import ctypes
    import subprocess

    from restore_worker import PROGRAM

    def dies_with_parent():
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    with open(job.errors, "wb") as errors:
        process = subprocess.Popen([PROGRAM, "restore"], stdin=theirs, stdout=theirs, stderr=errors, cwd=job.folder,
                                   env=job.environment, preexec_fn=dies_with_parent)
    os.write(write_end, str(process.pid).encode())
    signal.pause()
    os._exit(0)


def test_worker_killed_leaves_no_result(folder, ipsws, apple):
    """The lock is free, no result is there: a reader knows. The engine is told to end and does not erase."""
    with bed(folder, ipsws(), apple, **UNHURRIED) as phone:
        before = phone.state()
        job = Job(folder, phone, apple, ipsws())
        job.begin()
        job.wait_event("progress", step="detect")
        engine = job.engine_pid()
        job.process.kill()
        job.process.wait()
        job.hang_up()
        assert not job.is_locked() and job.lines()[-1]["type"] == "event"
        until("the engine's end", lambda: not os.path.exists(f"/proc/{engine}"), 90)
        assert phone.state()["files_digest"] == before["files_digest"] and phone.state()["erases"] == 0


def test_file_is_locked_and_not_inherited(folder, ipsws, apple):
    with bed(folder, ipsws(), apple, **UNHURRIED) as phone, Job(folder, phone, apple, ipsws()) as job:
        job.begin()
        job.wait_event("started")
        assert job.is_locked()
        engine = job.engine_pid()
        open_files = {os.readlink(f"/proc/{engine}/fd/{number}") for number in os.listdir(f"/proc/{engine}/fd")}
        assert str(job.file) not in open_files and str(job.folder / "engine-1.out") in open_files
        with open(f"/proc/{engine}/environ", "rb") as environment:
            names = {text.split(b"=")[0].decode() for text in environment.read().split(b"\0") if text}
        assert "CREDENTIALS_DIRECTORY" not in names and {"TMPDIR", "TZ", "LC_ALL", "PATH"} <= names
        assert job.end()["ok"], job.tail()


# ---- cancelled


def test_cancelled_before_touch(folder, ipsws, apple):
    """While Apple is slow to answer."""
    apple.tss.behave("slow", seconds=60)
    with bed(folder, ipsws(), apple) as phone:
        before = phone.state()
        with Job(folder, phone, apple, ipsws()) as job:
            job.begin()
            job.wait_event("progress", step="prepare")
            (job.folder / "cancel").touch()
            until("the result", lambda: job.lines()[-1]["type"] == "result", 40)  # five seconds of grace
            end = job.end(limit=30)
            failed(end, "cancelled", "engine-cancelled", again=True, touched=False)
            assert "touched" not in job.names()
        untouched(phone, before)


def test_cancelled_before_the_start(folder, ipsws, apple):
    with bed(folder, ipsws(), apple) as phone:
        before = phone.state()
        with Job(folder, phone, apple, ipsws()) as job:
            (job.folder / "cancel").touch()
            failed(job.begin().end(), "cancelled", "engine-cancelled", touched=False)
        untouched(phone, before)


def test_cancel_comes_too_late(folder, ipsws, apple):
    with bed(folder, ipsws(), apple, **UNHURRIED) as phone, Job(folder, phone, apple, ipsws()) as job:
        job.begin()
        job.wait_event("touched")
        (job.folder / "cancel").touch()
        os.kill(job.process.pid, signal.SIGTERM)
        assert job.end()["ok"], job.tail()
        assert len([note for note in job.events("note") if "cannot be cancelled" in note["text"]]) == 1
        assert phone.state()["erases"] == 1


# ---- Apple's server


@pytest.mark.parametrize("mode", ["normal", "recovery", "dfu"])
def test_not_signed(folder, ipsws, apple, mode):
    apple.tss.behave("94")
    with bed(folder, ipsws(), apple, mode=mode) as phone:
        if mode == "normal":
            phone.pair()
        before = phone.state()
        with Job(folder, phone, apple, ipsws()) as job:
            end = job.begin().end()
            failed(end, "not-signed", again=False, touched=False)
        untouched(phone, before)


def test_not_signed_old_number(folder, ipsws, apple):
    apple.tss.behave("69")
    with bed(folder, ipsws(), apple) as phone, Job(folder, phone, apple, ipsws()) as job:
        failed(job.begin().end(), "not-signed", again=False, touched=False)


def test_dead_server_ends_soon(folder, ipsws, apple):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with bed(folder, ipsws(), apple) as phone:
        before = phone.state()
        with Job(folder, phone, apple, ipsws(), server={"port": port}) as job:
            began = time.monotonic()
            end = job.begin().end()
            assert time.monotonic() - began < 20
            failed(end, "network", "relay-network", again=True, touched=False)
            assert "gs.apple.com" in end["error"]["text"]
        untouched(phone, before)


def test_server_that_comes_back(folder, ipsws, apple):
    """One bad moment of the network is no failure."""
    apple.tss.behave("close", times=1)
    with bed(folder, ipsws(), apple) as phone, Job(folder, phone, apple, ipsws()) as job:
        assert job.begin().end()["ok"], job.tail()


@pytest.mark.parametrize("scheme", ["other_ca", "expired", "self_signed", "wrong_host"])
def test_server_that_is_not_apple(folder, ipsws, apple, scheme):
    """The engine itself would believe it."""
    with bed(folder, ipsws(), apple) as phone:
        before = phone.state()
        with Job(folder, phone, apple, ipsws(), server={"scheme": scheme}) as job:
            end = job.begin().end()
            failed(end, "network", "relay-certificate", again=False, touched=False)
        untouched(phone, before)
        # it may be asked for its date, not for a ticket
        assert not [one for one in apple.tss.record.entries() if one["method"] == "POST"]


@pytest.mark.parametrize("behaviour", ["captive_portal", "shield_403", "empty"])
def test_answer_that_is_none(folder, ipsws, apple, behaviour):
    apple.tss.behave(behaviour)
    with bed(folder, ipsws(), apple) as phone, Job(folder, phone, apple, ipsws()) as job:
        failed(job.begin().end(), "network", "relay-network", again=True, touched=False)


# ---- failures of the phone and the link


def test_cable_pulled_in_asr(folder, ipsws, apple):
    """The engine says DONE and exits 0."""
    with bed(folder, ipsws(), apple, faults=["asr got byte 600000 unplug"]) as phone:
        with Job(folder, phone, apple, ipsws()) as job:
            end = job.begin().end(limit=120)
            assert "\nDONE" in job.text("engine-1.out") and end["engine_exit"] == 0
            failed(end, "unplugged", "engine-asr-payload", again=True, touched=True)
        assert phone.state()["erases"] == 0


@pytest.mark.parametrize(("status", "rule", "again"), [
    ("6:6", "engine-status-disk", False), ("14:14", "engine-status-fail", True), ("53:53", "engine-status-fdr", True),
    ("99:99", "engine-status-unknown", True)])
def test_phone_says_that_it_failed(folder, ipsws, apple, status, rule, again):
    with bed(folder, ipsws(), apple, restore_status=status) as phone, Job(folder, phone, apple, ipsws()) as job:
        failed(job.begin().end(limit=120), job.lines()[-1]["error"]["kind"], rule, again, True)


def test_failure_that_looks_like_success(folder, ipsws, apple):
    """A message after the failing status: exit 0 and DONE."""
    with bed(folder, ipsws(), apple, restore_status="14", restore_after_status="progress") as phone, \
            Job(folder, phone, apple, ipsws()) as job:
        end = job.begin().end(limit=120)
        assert end["engine_exit"] == 0
        failed(end, "engine", "engine-status-fail", touched=True)


def test_garbage_in_asr(folder, ipsws, apple):
    with bed(folder, ipsws(), apple, faults=["asr got byte 600000 garbage"]) as phone, \
            Job(folder, phone, apple, ipsws()) as job:
        failed(job.begin().end(limit=120), "unplugged", again=True, touched=True)


def test_phone_that_is_not_there(folder, ipsws, apple):
    with bed(folder, ipsws(), apple, plugged="no") as phone, Job(folder, phone, apple, ipsws()) as job:
        failed(job.begin().end(), "unplugged", "engine-no-device", again=True, touched=False)


def test_two_attempts_in_one_folder(folder, ipsws, apple):
    with bed(folder, ipsws(), apple, restore_status="14:14") as phone:
        with Job(folder, phone, apple, ipsws()) as job:
            failed(job.begin().end(limit=120), "engine", touched=True)
        phone.wait_event("attach", mode="recovery", after=phone.number_of(phone.seen("restore-failed")[-1]))
        phone.control("set restore_status ")
        with Job(folder, phone, apple, ipsws(), attempt=2) as job:
            assert job.begin().end()["ok"], job.tail()
        assert phone.state()["erases"] == 1


def test_engine_that_is_not_installed(folder, ipsws, apple):
    with bed(folder, ipsws(), apple) as phone, Job(folder, phone, apple, ipsws(), path="/nowhere") as job:
        failed(job.begin().end(), "unsupported", "engine-not-started", touched=False)


# ---- an engine that is none: what the unmodified one does not do at will

SAYS = "printf '12:00:00.000    <Info> %s\\n' \"$1\" >>\"$log\""


def other_engine(folder, script):
    """A PATH on which idevicerestore is this script; $log is the log that it is to write, say TEXT writes a line."""
    (folder / "bin").mkdir()
    program = folder / "bin/idevicerestore"
    program.write_text("#!/bin/sh\nfor word; do case $word in --logfile=*) log=${word#*=} ;; esac; done\n"
                       f"say() {{ {SAYS}; }}\nsay 'idevicerestore 9.9 (libirecovery 9, libtatsu 9)'\n{script}\n")
    program.chmod(0o755)
    return f"{folder / 'bin'}:/usr/bin:/bin"


def test_update_that_would_erase(folder, ipsws, apple):
    """Whatever it was told: it says so before it touches the phone, and that is its last word."""
    path = other_engine(folder, "say 'This restore will erase all device data.'; exec sleep 60")
    with bed(folder, ipsws(), apple) as phone, Job(folder, phone, apple, ipsws(), path=path) as job:
        end = job.begin(erase=False).end(limit=20)
        failed(end, "bug", "engine-would-erase", again=False, touched=False)
        assert end["engine_exit"] == 128 + signal.SIGKILL


def test_engine_that_crashes(folder, ipsws, apple):
    path = other_engine(folder, "say 'Entering recovery mode...'; kill -SEGV $$")
    with bed(folder, ipsws(), apple) as phone, Job(folder, phone, apple, ipsws(), path=path) as job:
        end = job.begin().end(limit=20)
        failed(end, "engine", "engine-crashed", again=True, touched=True)
        assert end["engine_exit"] == 128 + signal.SIGSEGV
        assert [note for note in job.events("note") if "not one that was tried" in note["text"]]


def test_engine_that_talks_garbage(folder, ipsws, apple):
    """Megabytes of it, and words of success in the phone's own log: bounded, valid, and no success."""
    flood = ("head -c 3000000 /dev/urandom; echo 'progress: 99 9.9'; i=0; while [ $i -lt 2000 ]; do "
             "say 'Status: odd'; i=$((i + 1)); done; head -c 3000000 /dev/urandom >>$log; say 'Log is available:'; "
             "echo 'Status: Restore Finished' >>$log; exit 0")
    with bed(folder, ipsws(), apple) as phone:
        path = other_engine(folder, flood)
        with Job(folder, phone, apple, ipsws(), path=path) as job:
            failed(job.begin().end(limit=40), "engine", "engine-no-proof")
            assert len(job.events("note")) == 400 and job.file.stat().st_size < 200_000


@slow
def test_silent_phone(folder, ipsws, apple):
    """Half of the limit: told. The limit: ended. Takes the seventeen minutes that it says in steps.tsv."""
    with bed(folder, ipsws(), apple, faults=["restored sent CheckpointMsg/restore_images stall"]) as phone, \
            Job(folder, phone, apple, ipsws()) as job:
        job.begin()
        stalled = job.wait_event("stalled", limit=600)
        assert stalled["seconds"] >= 440
        failed(job.end(limit=700), "silent", "engine-silent", again=True, touched=True)


# ---- refused, before anything is begun


def test_erase_without_consent(folder, ipsws, apple):
    with bed(folder, ipsws(), apple) as phone, Job(folder, phone, apple, ipsws()) as job:
        before = phone.state()
        job.start(job.request(consent=None))
        assert job.refusal() == ("no-consent", 1)
        untouched(phone, before)


BAD_REQUESTS = {
    "folder-relative": {"folder": "job"}, "folder-missing": {"folder": None}, "attempt-0": {"attempt": 0},
    "attempt-10": {"attempt": 10}, "attempt-text": {"attempt": "1"}, "ecid-number": {"ecid": 1}, "ecid-0": {
        "ecid": "0x0000000000000000"}, "path-relative": {"path": "x.ipsw"}, "variant-empty": {"variant": ""},
    "variant-long": {"variant": "x" * 128}, "erase-text": {"erase": "yes"}, "erase-missing": {"erase": None},
    "consent-long": {"consent": "12345"}, "consent-signs": {"consent": "../x"}, "unknown": {"silence_s": 1},
    "os-bytes": {"os_bytes": -1},
}


@pytest.mark.parametrize("name", BAD_REQUESTS)
def test_bad_request(folder, ipsws, apple, name):
    with bed(folder, ipsws(), apple) as phone, Job(folder, phone, apple, ipsws()) as job:
        request = {**job.request(), **BAD_REQUESTS[name]}
        job.start({key: value for key, value in request.items() if value is not None})
        assert job.refusal() == ("usage", 2)


def test_consent_for_an_update(folder, ipsws, apple):
    with bed(folder, ipsws(), apple) as phone, Job(folder, phone, apple, ipsws()) as job:
        job.start(job.request(erase=False, consent="1234"))
        assert job.refusal() == ("usage", 2)


def same_name_erases(manifest):
    """An update's name on what erases."""
    for identity in manifest["BuildIdentities"]:
        identity["Info"]["RestoreBehavior"] = "Erase"


FILES = {
    "no-upgrade": ({"variants": ("erase",)}, {"erase": False}),
    "no-erase": ({"variants": ("upgrade",)}, {"erase": True}),
    "upgrade-erases": ({"rewrite": same_name_erases}, {"erase": False}),
    "variant-of-the-other": ({}, {"erase": False, "variant": ERASE}),
    "variant-that-updates": ({}, {"erase": True, "variant": UPGRADE}),
    "variant-in-part": ({}, {"erase": False, "variant": "Upgrade Install (IPSW)"}),
    "cut": ({"damage": ["truncate"]}, {}),
    "no-manifest": ({"damage": ["no-manifest"]}, {}),
    "manifest-garbage": ({"damage": ["manifest-garbage"]}, {}),
}


@pytest.mark.parametrize("name", FILES)
def test_bad_file(folder, ipsws, apple, name):
    """Among them the trap: without an identity to update by, the engine takes the first one and erases."""
    wishes, how = FILES[name]
    with bed(folder, ipsws(), apple) as phone, Job(folder, phone, apple, ipsws(**wishes)) as job:
        before = phone.state()
        job.start(job.request(**how))
        assert job.refusal() == ("bad-file", 1)
        untouched(phone, before)


def test_no_room_for_a_packed_system(folder, ipsws, apple):
    """In a folder whose file system has no room at all, the system image cannot be unpacked; one that is stored is
    read where it lies."""
    with bed(folder, ipsws(), apple) as phone, Job(folder, phone, apple, ipsws(deflate=True)) as job:
        job.start(job.request(folder="/proc"))
        assert job.refusal() == ("no-space", 1)


def test_file_that_is_not_there(folder, ipsws, apple):
    with bed(folder, ipsws(), apple) as phone, Job(folder, phone, apple, folder / "none.ipsw") as job:
        job.start(job.request())
        assert job.refusal() == ("bad-file", 1)


def test_attempt_that_was_begun_before(folder, ipsws, apple):
    with bed(folder, ipsws(), apple) as phone, Job(folder, phone, apple, ipsws()) as job:
        job.file.write_text("kept\n")
        job.start(job.request())
        assert job.line()["error"]["kind"] == "busy" and job.file.read_text() == "kept\n"
