# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that ask and act, against a service that answers what a test says."""
import copy
import json
import os
import pty
import shlex
import signal
import subprocess
import sys

import pytest
from fake_service import FakeService, Refusal
from native_service import BUILD, ENVIRONMENT, LIMIT, PROGRAM, TREE, Service, iboot

sys.path.insert(0, str(TREE / "tests"))
from ipsw.make_ipsw import build  # noqa: E402

WORKER = BUILD / "idevicerescue-worker"
BOTH = ["Customer Erase Install (IPSW)", "Customer Upgrade Install (IPSW)"]
PHONE = {
    "key": "ecid:0x0000000000000001",
    "presence": "present",
    "mode": "normal",
    "trust": "stale",
    "label": "Anna",
}
STALE = {
    "id": "trust-stale",
    "severity": "problem",
    "title": "It forgot this computer",
    "meaning": "The pairing is gone.",
    "next": "Pair anew.",
    "cost": "Nothing is lost.",
    "evidence": "code -21",
    "command": "trust reset ecid:0x0000000000000001",
}
NOTE = {**STALE, "id": "all-well", "severity": "info", "title": "All is well"}
PLAN = {
    "goal": "erase",
    "label_goal": "Install iOS again, erasing everything",
    "lost": "All of it.",
    "data": "erased",
    "phone": "ecid:0x0000000000000001",
    "label": "Anna",
    "mode": "recovery",
    "steps": [{"kind": "erase", "label": "Erase it", "data": "erased", "optional": False}],
    "warnings": [],
    "network": True,
    "confirm_hint": "the last four characters of the serial number",
    "token": "TOKEN-1",
    "token_seconds": 900,
}
READY = {
    "id": "20261122-0612-x4k7",
    "state": "running",
    "goal": "update",
    "phone": "ecid:0x0000000000000001",
    "label": "Anna",
    "created_ms": 1000,
    "step": 0,
    "steps": [
        {"kind": "fetch", "label": "Download", "state": "running", "attempt": 1},
        {"kind": "update", "label": "Install", "state": "waiting", "attempt": 0},
    ],
    "data": "kept",
    "folder": "/data/jobs/20261122-0612-x4k7",
}


def job_with(*states, **fields):
    """READY with its steps in these states ("running", or "running 2" for a second attempt)."""
    job = {**copy.deepcopy(READY), **fields}
    for step, state in zip(job["steps"], states):
        step["state"], _, attempt = state.partition(" ")
        step["attempt"] = int(attempt or 1)
    return job


DONE = job_with("done", "done", state="done", exit=0, ended_ms=2000, proof={"name": "Anna"})
FAILED = job_with(
    "done",
    "failed",
    state="failed",
    exit=13,
    data="at-risk",
    error={
        "kind": "engine",
        "origin": "idevicerestore",
        "code": 1,
        "text": "it broke off",
        "next": "Take another cable.",
    },
)
ASKING = job_with(
    "done",
    "failed",
    state="asking",
    question={"id": "q", "text": "The update failed. Erase the phone instead?", "plan": PLAN},
)


@pytest.fixture
def service(tmp_path):
    made = FakeService(tmp_path / "socket").start()
    yield made
    made.stop()


def run(service, *arguments):
    return subprocess.run(
        [PROGRAM, "--socket", service.path, *arguments],
        capture_output=True,
        text=True,
        cwd=TREE,
        env=ENVIRONMENT,
        timeout=60,
    )


def run_json(service, *arguments):
    done = run(service, "--json", *arguments)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.stderr == "" and all(line["v"] == 1 for line in lines)
    assert [line["type"] for line in lines].index("result") == len(lines) - 1
    assert lines[-1]["exit"] == done.returncode
    return lines


class Following:
    """A command that follows a job, while the test tells what becomes of it."""

    def __init__(self, service, *arguments):
        self.process = subprocess.Popen(
            [PROGRAM, "--socket", service.path, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=TREE,
            env=ENVIRONMENT,
            text=True,
        )
        service.await_watcher()

    def end(self):
        out, err = self.process.communicate(timeout=60)
        assert "Sanitizer" not in err
        return self.process.returncode, out, err


# --- diagnose, trust check --------------------------------------------------------------------


def test_diagnose(service):
    answer = {"diagnoses": [{"phone": PHONE, "findings": [STALE, NOTE]}]}
    service.methods["Diagnose"] = lambda parameters: answer
    done = run(service, "diagnose", "Anna")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("Anna, Normal, ecid:0x0000000000000001\n\nProblem: It forgot")
    assert "Command         idevicerescue trust reset ecid:0x0000000000000001\n" in done.stdout
    assert service.calls == [("Diagnose", {"phone": "Anna"})]
    assert run_json(service, "diagnose") == [
        {"v": 1, "type": "result", "exit": 1, "diagnoses": answer["diagnoses"]}
    ]
    assert service.calls[1] == ("Diagnose", {})


def test_diagnose_of_a_computer_without_phones(service):
    service.methods["Diagnose"] = lambda parameters: {"diagnoses": [{"findings": [NOTE]}]}
    done = run(service, "diagnose")
    assert done.returncode == 0
    assert done.stdout.startswith("This computer\n\nNote: All is well\n")


def test_trust_check(service):
    service.methods["CheckTrust"] = lambda parameters: {"phone": PHONE, "findings": [STALE]}
    assert run_json(service, "trust", "check", "Anna")[-1]["findings"] == [STALE]
    service.methods["CheckTrust"] = lambda parameters: {"phone": PHONE, "findings": [NOTE]}
    assert run(service, "trust", "check", "Anna").returncode == 0


def test_a_reply_that_is_none(service):
    service.methods["Diagnose"] = lambda parameters: {}
    assert run(service, "diagnose").returncode == 70


# --- refusals ---------------------------------------------------------------------------------


REFUSALS = [
    ("NoSuchPhone", {"wanted": "Anna"}, 3, "no phone fits 'Anna'"),
    ("AmbiguousPhone", {"wanted": "a", "matches": ["port:1-1", "port:1-2"]}, 4, "port:1-2"),
    ("NoSuchJob", {"id": "x"}, 2, "job list"),
    ("Refused", {"kind": "no-consent", "text": "used up"}, 6, "used up"),
    ("Refused", {"kind": "bad-file", "text": "no IPSW"}, 7, "no IPSW"),
    ("Refused", {"kind": "not-signed", "text": "old"}, 8, "old"),
    ("Refused", {"kind": "no-space", "text": "full"}, 9, "full"),
    ("Refused", {"kind": "network", "text": "dead"}, 10, "dead"),
    ("Refused", {"kind": "busy", "text": "a job has it", "next": "Wait for it."}, 5, "Wait for it."),
]


@pytest.mark.parametrize("name, fields, status, text", REFUSALS)
def test_refusals(service, name, fields, status, text):
    def refuse(parameters):
        raise Refusal(name, **({"origin": "service", "code": 7} | fields))

    service.methods["Start"] = refuse
    done = run(service, "restore", "Anna", "--update")
    assert (done.returncode, done.stdout) == (status, "") and text in done.stderr
    result = run_json(service, "restart", "Anna")[-1]
    assert result["exit"] == status and result["error"]["text"]
    assert result["error"].get("next") == fields.get("next")


# --- plan, restore ----------------------------------------------------------------------------


def test_plan(service, tmp_path):
    (tmp_path / "x.ipsw").write_text("")
    service.methods["Plan"] = lambda parameters: {"plan": PLAN}
    done = run(service, "plan", "Anna", "erase", "--build", "21F90", "--file", tmp_path / "x.ipsw")
    assert done.returncode == 0
    assert service.calls[0][1] == {
        "phone": "Anna",
        "goal": "erase",
        "build": "21F90",
        "file": str(tmp_path / "x.ipsw"),
    }
    assert "EVERYTHING ON THIS PHONE WILL BE ERASED" in done.stdout
    assert (
        "  idevicerescue restore ecid:0x0000000000000001 --erase --build 21F90 --file '"
        f"{tmp_path}/x.ipsw' --consent TOKEN-1 --confirm LAST4\n" in done.stdout
    )
    assert "last four characters of the serial number" in done.stdout
    assert run_json(service, "plan", "iPhone14,5", "firmware")[-1]["plan"] == PLAN
    assert service.calls[1][1] == {"product": "iPhone14,5", "goal": "firmware"}
    run(service, "plan", "iPhone14,5", "update")
    assert service.calls[2][1] == {"phone": "iPhone14,5", "goal": "update"}
    lost = run(service, "plan", "Anna", "erase", "--file", tmp_path / "none")
    assert lost.returncode == 7 and len(service.calls) == 3
    # the command can be copied into a shell, whatever the file is called
    odd = tmp_path / "Anna's $(reboot).ipsw"
    odd.write_text("")
    printed = run(service, "plan", "Anna", "erase", "--file", odd).stdout
    command = next(line for line in printed.splitlines() if line.startswith("  idevicerescue restore "))
    words = shlex.split(command)
    assert words[words.index("--file") + 1] == str(odd)


def test_erase_without_consent_never_starts(service):
    service.methods["Plan"] = lambda parameters: {"plan": PLAN}
    done = run(service, "restore", "Anna", "--erase")
    assert done.returncode == 6 and "--consent TOKEN-1 --confirm LAST4" in done.stdout
    result = run_json(service, "restore", "Anna", "--erase")[-1]
    assert (result["exit"], result["error"]["kind"], result["plan"]) == (6, "no-consent", PLAN)
    assert [method for method, _ in service.calls] == ["Plan", "Plan"]


def test_erase_with_consent_passes_it_on(service):
    service.methods["Start"] = lambda parameters: {"job": DONE}
    run(service, "restore", "Anna", "--erase", "--consent", "TOKEN-1", "--confirm", "4XYZ")
    assert service.calls == [
        ("Start", {"phone": "Anna", "goal": "erase", "consent": "TOKEN-1", "confirm": "4XYZ"})
    ]


@pytest.mark.parametrize(
    "arguments, goal",
    [
        (["trust", "reset", "Anna"], "trust"),
        (["trust", "reset", "Anna", "--all-records"], "trust-store"),
        (["trust", "repair", "Anna"], "repair"),
        (["trust", "prove", "Anna"], "prove"),
        (["trust", "forget", "Anna"], "forget"),
        (["link", "test", "Anna"], "link-test"),
        (["recovery", "enter", "Anna"], "enter-recovery"),
        (["recovery", "exit", "Anna"], "exit-recovery"),
        (["restart", "Anna"], "restart"),
        (["firmware", "get", "Anna"], "firmware"),
        (["restore", "Anna", "--update"], "update"),
    ],
)
def test_goals(service, arguments, goal):
    service.methods["Start"] = lambda parameters: {"job": READY}
    done = run(service, *arguments, "--no-wait")
    assert done.returncode == 0 and "job show 20261122-0612-x4k7" in done.stdout
    assert service.calls == [("Start", {"phone": "Anna", "goal": goal})]
    assert run_json(service, *arguments, "--no-wait")[-1]["job"] == READY


# --- following --------------------------------------------------------------------------------


def test_following_tells_each_step_once(service):
    service.methods["Start"] = lambda parameters: {"job": READY}
    service.jobs = [READY]
    following = Following(service, "restore", "Anna", "--update")
    progress = {"part": "download", "done": 500, "total": 1000, "unit": "bytes"}
    service.tell(job_with("running", progress=progress))
    service.tell(job_with("done", "running", guidance="Do not unplug the phone."))
    service.tell(job_with("done", "running", guidance="Do not unplug the phone."))
    service.tell(job_with("done", "running 2", guidance="Do not unplug the phone."))
    service.tell(DONE)
    status, out, err = following.end()
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        "Install iOS again, keeping the data: Anna (job 20261122-0612-x4k7)",
        "Step 1 of 2: Download",
        "  Downloading: 500 bytes of 1 kB, 50 percent",
        "Step 1 of 2: Download: done",
        "Step 2 of 2: Install",
        "  To do now: Do not unplug the phone.",
        "Step 2 of 2, attempt 2: Install",
        "Step 2 of 2: Install: done",
        "",
        "Install iOS again, keeping the data: Anna: done.",
        "Data            The data on the phone was not touched.",
        "What was proven it answers as Anna",
        "Report          /data/jobs/20261122-0612-x4k7 holds report.txt; "
        "idevicerescue report 20261122-0612-x4k7 shows it",
    ]


def test_following_in_json(service):
    service.methods["Start"] = lambda parameters: {"job": READY}
    service.jobs = [READY]
    following = Following(service, "--json", "restart", "Anna")
    service.tell({**DONE, "id": "another"})
    service.tell(FAILED)
    status, out, err = following.end()
    lines = [json.loads(line) for line in out.splitlines()]
    assert (status, err) == (13, "")
    assert [line["type"] for line in lines] == ["job", "job", "result"]
    assert [line["job"] for line in lines] == [READY, FAILED, FAILED]
    assert lines[-1]["error"] == FAILED["error"] and lines[-1]["exit"] == 13


def test_following_a_failure(service):
    service.methods["Start"] = lambda parameters: {"job": FAILED}
    done = run(service, "restart", "Anna")
    assert done.returncode == 13
    assert "it broke off (says idevicerestore, code 1)" in done.stdout
    assert "Take another cable." in done.stdout


def test_a_job_that_asks(service):
    service.methods["Start"] = lambda parameters: {"job": ASKING}
    done = run(service, "restore", "Anna", "--update")
    assert done.returncode == 6
    assert "The update failed. Erase the phone instead?" in done.stdout
    assert "EVERYTHING ON THIS PHONE WILL BE ERASED" in done.stdout
    assert (
        "  idevicerescue job answer 20261122-0612-x4k7 --yes --consent TOKEN-1 --confirm LAST4\n"
        in done.stdout
    )
    assert "job answer 20261122-0612-x4k7 --no" in done.stdout
    assert run_json(service, "restore", "Anna", "--update")[-1]["job"] == ASKING


def test_an_outage_is_said_once_and_nothing_twice(service):
    service.methods["Start"] = lambda parameters: {"job": READY}
    service.jobs = [READY]
    following = Following(service, "restore", "Anna", "--update")
    service.tell(job_with("done", "running"))
    service.stop()
    service.jobs = [job_with("done", "running")]
    service.start()
    service.await_watcher()
    service.tell(DONE)
    status, out, err = following.end()
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert len([line for line in lines if "does not answer" in line]) == 1
    assert lines.count("The service answers again.") == 1
    for line in ("Step 1 of 2: Download: done", "Step 2 of 2: Install: done"):
        assert lines.count(line) == 1


def test_a_job_that_ended_while_the_service_was_away(service):
    service.methods["Start"] = lambda parameters: {"job": READY}
    service.methods["Job"] = lambda parameters: {"job": DONE}
    service.jobs = [READY]
    following = Following(service, "--json", "restart", "Anna")
    service.stop()
    service.jobs = []  # not among the last ones: it is asked for
    service.start()
    status, out, _ = following.end()
    lines = [json.loads(line) for line in out.splitlines()]
    assert (status, lines[-1]["job"]) == (0, DONE)
    assert [line.get("up") for line in lines if line["type"] == "service"] == [False, True]


def test_leaving_does_not_stop_the_job(service):
    service.methods["Start"] = lambda parameters: {"job": READY}
    service.jobs = [READY]
    following = Following(service, "restart", "Anna")
    following.process.send_signal(signal.SIGINT)
    status, out, err = following.end()
    assert (status, err) == (0, "")
    assert "the job goes on" in out and "job cancel 20261122-0612-x4k7" in out
    assert [method for method, _ in service.calls] == ["Start"]


def test_a_job_that_goes_on_with_other_steps(service):
    service.methods["Answer"] = lambda parameters: {"job": READY}
    service.jobs = [READY]
    following = Following(
        service, "job", "answer", "j", "--yes", "--consent", "T", "--confirm", "4XYZ"
    )
    other = [{"kind": "erase", "label": "Erase", "state": "done", "attempt": 1}]
    service.tell({**DONE, "steps": other, "data": "erased"})
    status, out, _ = following.end()
    assert status == 0
    assert "The job goes on with other steps.\nStep 1 of 1: Erase: done\n" in out
    assert service.calls == [
        ("Answer", {"id": "j", "yes": True, "consent": "T", "confirm": "4XYZ"})
    ]


def test_progress_on_a_terminal_is_one_line(service):
    service.methods["Start"] = lambda parameters: {"job": READY}
    service.jobs = [READY]
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [PROGRAM, "--socket", service.path, "restart", "Anna"],
        stdout=theirs,
        stderr=subprocess.PIPE,
        cwd=TREE,
        env=ENVIRONMENT,
    )
    os.close(theirs)
    service.await_watcher()
    for done in (100, 200, 300):
        progress = {"part": "download", "done": done, "total": 1000, "unit": "bytes"}
        service.tell(job_with("running", progress=progress))
    service.tell(DONE)
    out = b""
    try:
        while chunk := os.read(ours, 65536):
            out += chunk
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    assert process.wait(LIMIT) == 0 and process.stderr.read() == b""
    process.stderr.close()
    rewritten = out.split(b"\r\x1b[K")
    assert len(rewritten) == 4 and all(b"\n" not in line for line in rewritten[1:-1])


# --- jobs, report -----------------------------------------------------------------------------


def test_job_list(service):
    service.methods["Jobs"] = lambda parameters: {"jobs": [ASKING, DONE]}
    lines = run(service, "job", "list").stdout.splitlines()
    assert len(lines) == 2 and lines[0].endswith("Anna: asks you")
    assert run_json(service, "job", "list")[-1]["jobs"] == [ASKING, DONE]
    service.methods["Jobs"] = lambda parameters: {"jobs": []}
    assert run(service, "job", "list").stdout == "There are no jobs.\n"


def test_job_show(service):
    service.methods["Job"] = lambda parameters: {"job": FAILED}
    done = run(service, "job", "show", "j")
    assert done.returncode == 0 and service.calls == [("Job", {"id": "j"})]
    assert "1. Download: done\n2. Install: failed\n" in done.stdout
    assert "Take another cable." in done.stdout
    assert run_json(service, "job", "show", "j")[-1] == {
        "v": 1,
        "type": "result",
        "exit": 0,
        "job": FAILED,
    }


def test_job_cancel(service):
    ended = job_with("done", "waiting", state="cancelled", exit=14)
    service.methods["Cancel"] = lambda parameters: {"job": ended}
    done = run(service, "job", "cancel", "j")
    assert done.returncode == 0
    assert done.stdout == (
        "The job has been cancelled.\nThe data on the phone was not touched.\n"
    )


def test_job_pause_and_resume(service):
    paused = job_with("running", state="paused")
    service.methods["Pause"] = lambda parameters: {"job": paused}
    done = run(service, "job", "pause", "j")
    assert done.returncode == 0 and "what has come stays" in done.stdout
    assert f"job resume {paused['id']}" in done.stdout
    assert run_json(service, "job", "pause", "j")[-1]["job"] == paused
    service.methods["Resume"] = lambda parameters: {"job": READY}
    service.jobs = [READY]
    following = Following(service, "job", "resume", "j")
    service.tell(DONE)
    assert following.end()[0] == 0
    assert ("Resume", {"id": "j"}) in service.calls


def test_answers(service):
    service.methods["Job"] = lambda parameters: {"job": ASKING}
    done = run(service, "job", "answer", "j", "--yes")
    assert done.returncode == 6 and "--consent TOKEN-1" in done.stdout
    assert service.calls == [("Job", {"id": "j"})]
    service.methods["Answer"] = lambda parameters: {"job": FAILED}
    assert run(service, "job", "answer", "j", "--no").returncode == 13
    assert service.calls[1] == ("Answer", {"id": "j", "yes": False})


def test_report(service):
    answer = {"report": {"v": 1, "job": {}}, "text": "one\n\x1b[31mtwo\n\nthree"}
    service.methods["Report"] = lambda parameters: answer
    done = run(service, "report", "j")
    assert done.returncode == 0 and "\x1b" not in done.stdout
    lines = done.stdout.split("\n")
    assert (lines[0], lines[2:]) == ("one", ["", "three", ""])
    assert run_json(service, "report", "j")[-1]["report"] == answer["report"]


# --- the same commands and the real service ---------------------------------------------------


def test_with_the_real_service(tmp_path):
    (tmp_path / "store").mkdir()
    made = Service(tmp_path, "--storage", tmp_path / "store").start()
    made.see("1-2", serial=iboot(0x1))
    made.until_phones(lambda phones: phones and phones[0]["presence"] == "present")
    diagnosis = made.json("diagnose", "1-2")
    assert diagnosis["exit"] == 1
    assert [one["id"] for one in diagnosis["diagnoses"][0]["findings"]] == ["in-recovery"]
    text = made.run("diagnose", "1-2").stdout
    assert "idevicerescue recovery exit ecid:0x0000000000000001" in text
    plan = made.json("plan", "1-2", "exit-recovery")["plan"]
    assert (plan["data"], plan.get("token")) == ("kept", None)
    assert made.json("trust", "check", "1-2")["exit"] == 5
    assert made.json("plan", "9-9", "erase")["exit"] == 3
    too_long = made.json("diagnose", "x" * 10000)
    assert too_long["exit"] == 2 and "no phone can be named so" in too_long["error"]["text"]
    assert made.json("job", "show", "none")["exit"] == 2
    assert made.json("job", "list")["jobs"] == []
    started = made.json("recovery", "exit", "1-2", "--no-wait")["job"]
    assert [job["id"] for job in made.json("job", "list")["jobs"]] == [started["id"]]
    assert made.json("job", "show", started["id"])["job"]["goal"] == "exit-recovery"
    assert made.json("restart", "1-2")["exit"] == 5  # a job has it
    status, _ = made.stop()
    assert status == 0 and "Sanitizer" not in made.log.read_text()


# --- firmware files, without a service --------------------------------------------------------


NOBODY = FakeService("/nonexistent/socket")  # never started


@pytest.fixture(scope="module")
def ipsw(tmp_path_factory):
    path = tmp_path_factory.mktemp("ipsw") / "good.ipsw"
    build(path, boards=["iPhone14,5"], image_bytes=1 << 20, version="17.5.1", build="21F90")
    return path


def firmware(word, path, *arguments):
    return run_json(NOBODY, "firmware", word, path, "--worker", WORKER, *arguments)[-1]


def test_firmware_info(ipsw):
    result = firmware("info", ipsw)
    assert (result["exit"], result["products"]) == (0, ["iPhone14,5"])
    assert (result["firmware"]["version"], result["firmware"]["build"]) == ("17.5.1", "21F90")
    assert result["firmware"]["size"] == ipsw.stat().st_size
    (board,) = result["boards"]
    assert (board["board"], board["model"]) == ("d17ap", "iPhone 13")
    assert sorted(variant["name"] for variant in board["variants"]) == BOTH
    assert [variant["erases"] for variant in board["variants"]] == [
        "Erase" in variant["name"] for variant in board["variants"]
    ]
    text = run(NOBODY, "firmware", "info", ipsw, "--worker", WORKER).stdout
    assert "iOS 17.5.1, build 21F90" in text and "Erase Install (IPSW): erases the phone" in text


def test_firmware_check(ipsw, tmp_path):
    assert firmware("check", ipsw)["exit"] == 0
    assert firmware("check", ipsw, "--board", "D17AP")["exit"] == 0
    (tmp_path / "cut.ipsw").write_bytes(ipsw.read_bytes()[:-1000])
    (tmp_path / "text.ipsw").write_text("no firmware")
    build(
        tmp_path / "lacks.ipsw",
        boards=["iPhone14,5"],
        image_bytes=1 << 20,
        damage=["missing:SEP"],
    )
    for path, *arguments in (
        [ipsw, "--board", "d16ap"],
        [tmp_path / "cut.ipsw"],
        [tmp_path / "text.ipsw"],
        [tmp_path / "lacks.ipsw"],
        [tmp_path / "none.ipsw"],
    ):
        result = firmware("check", path, *arguments)
        assert (result["exit"], result["error"]["kind"]) == (7, "bad-file"), path
        assert "firmware" not in result


@pytest.mark.parametrize(
    "script, kind, status",
    [
        ("exit 1", "bug", 70),
        ("kill -SEGV $$", "bug", 70),
        ("echo no json; echo '{}'; exit 0", "bug", 70),
        ("""echo '{"v":1,"type":"result","ok":false}'""", "bug", 70),
        (
            """echo '{"v":1,"type":"result","ok":false,"error":{"kind":"silent","text":"x"}}'""",
            "silent",
            5,
        ),
    ],
)
def test_workers_that_fail(ipsw, tmp_path, script, kind, status):
    worker = tmp_path / "worker"
    worker.write_text(f"#!/bin/sh\nread line\n{script}\n")
    worker.chmod(0o755)
    result = run_json(NOBODY, "firmware", "info", ipsw, "--worker", worker)[-1]
    assert (result["exit"], result["error"]["kind"]) == (status, kind)
