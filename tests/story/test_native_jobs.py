# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs, whole: with a fake worker, so that each step can be held, broken and interrupted at will."""
import json
import os
import re
import threading
import time

import pytest
from native_jobs import BUILD, ERASE, UPDATE, Bed, event, events_of, failure, result
from native_service import Watch, until

ENGINE_ENDS = [
    event("progress", step="restore-image", permille=1000),
    result(seconds=3, engine_exit=0),
]
STEPS_OF_INSTALL = [
    "network",
    "fetch",
    "sign",
    "check",
    "enter-recovery",
    "update",
    "await-normal",
    "verify-system",
    "pair",
    "verify-trust",
]


@pytest.fixture
def bed(tmp_path):
    made = Bed(tmp_path).start()
    yield made
    made.end()


@pytest.fixture
def two(tmp_path):
    made = Bed(tmp_path, phones=2).start()
    yield made
    made.end()


def states(job):
    return [step["state"] for step in job["steps"]]


def install(bed, job, kind="update"):
    """Brings an install from its beginning to its end."""
    bed.until_step(job, "enter-recovery")
    bed.anna.appear("recovery")
    run_engine(bed, job, kind)
    finish(bed, job)


def run_engine(bed, job, kind="update"):
    bed.until_step(job, kind)
    bed.engine(event("started", pid=1), event("touched"))
    bed.until_job(job, lambda now: now["touched"])
    bed.anna.build = BUILD
    bed.engine(*ENGINE_ENDS)


def finish(bed, job):
    bed.until_step(job, "await-normal")
    bed.anna.appear("normal")
    return bed.until_state(job, "done")


# --- whole chains -----------------------------------------------------------------------------


def test_trust_is_healed(bed):
    bed.come("normal")
    until("trust is known", lambda: bed.phones()[0]["trust"] == "stale")
    job = bed.begin("trust")
    done = bed.until_state(job, "done")
    assert states(done) == ["done"] * 3 and done["exit"] == 0
    assert done["proof"]["media_entries"] == 3
    assert done["proof"]["serial_number"] == bed.anna.serial
    phone = bed.phones()[0]
    assert phone["trust"] == "trusted" and phone["has_record"] and "job" not in phone
    folder = bed.storage / "jobs" / job
    assert json.loads((folder / "report.json").read_text())["outcome"] == "done"
    assert "trust" in (folder / "report.txt").read_text().lower()
    assert bed.requests("trust")[-1]["action"] == "verify"


def test_person_is_guided_while_pairing(bed):
    gates = [bed.gate("gate-1"), bed.gate("gate-2")]
    bed.script(
        f"trust-pair-{bed.anna.udid}",
        event("trust", trust="locked"),
        gates[0],
        event("trust", trust="denied"),
        gates[1],
        result(trust="trusted", by="us", identity=bed.anna.identity()),
    )
    bed.come("normal")
    job = bed.begin("trust")
    locked = bed.until_job(job, lambda now: now.get("trust") == "locked")
    assert "passcode" in locked["guidance"]
    assert bed.phones()[0]["trust"] == "locked" and bed.phones()[0]["job"] == job
    bed.open_gate("gate-1")
    denied = bed.until_job(job, lambda now: now.get("trust") == "denied")
    assert "plug it in again" in denied["guidance"]
    bed.open_gate("gate-2")
    bed.until_state(job, "done")


def test_update_keeps_to_its_plan(bed):
    bed.come("normal")
    job = bed.begin("update")
    install(bed, job)
    done = bed.job(job)
    assert [step["kind"] for step in done["steps"]] == STEPS_OF_INSTALL
    assert states(done) == ["done"] * len(STEPS_OF_INSTALL)
    assert done["proof"]["build"] == BUILD
    (request,) = bed.requests("restore")
    assert request["variant"] == UPDATE and request["erase"] is False
    assert "consent" not in request and request["attempt"] == 1
    assert request["ecid"] == f"0x{bed.anna.ecid:016x}"
    assert request["path"].startswith(str(bed.storage / "firmware"))


def test_erase_with_consent(bed):
    bed.come("recovery")
    job = bed.begin("erase")
    run_engine(bed, job, "erase")
    done = finish(bed, job)
    assert done["data"] == "erased" and done["exit"] == 0
    (request,) = bed.requests("restore")
    assert request["variant"] == ERASE and request["erase"] is True
    assert request["consent"] == bed.anna.serial[-4:]


def test_update_fails_asks_and_erases(bed):
    bed.come("recovery")
    job = bed.begin("update")
    bed.until_step(job, "update")
    bed.engine(event("touched"), failure("engine", again=False, touched=True))
    asking = bed.until_state(job, "asking")
    assert asking["question"]["plan"]["erases"] is True
    token = asking["question"]["plan"]["token"]
    for wrong in (
        {},
        {"consent": token, "confirm": "0000"},
        {"consent": "x" * 23, "confirm": bed.anna.serial[-4:]},
    ):
        reply, error = bed.call("Answer", id=job, yes=True, **wrong)
        assert error == "Refused" and reply["kind"] == "no-consent", reply
    assert bed.job(job)["state"] == "asking"
    assert len(bed.requests("restore")) == 1
    reply, error = bed.call(
        "Answer", id=job, yes=True, consent=token, confirm=bed.anna.serial[-4:].lower()
    )
    assert error is None, reply
    run_engine(bed, job, "erase")
    finish(bed, job)
    first, second = bed.requests("restore")
    assert (first["erase"], second["erase"]) == (False, True)
    assert (first["attempt"], second["attempt"]) == (1, 2)


def test_no_is_an_answer(bed):
    bed.come("recovery")
    job = bed.begin("update")
    bed.until_step(job, "update")
    bed.engine(event("touched"), failure("engine", again=False, touched=True))
    bed.until_state(job, "asking")
    assert bed.call("Answer", id=job, yes=False)[1] is None
    failed = bed.until_state(job, "failed")
    assert failed["exit"] == 13 and failed["error"]["kind"] == "engine"
    assert len(bed.requests("restore")) == 1


def test_firmware_alone(bed):
    reply, error = bed.call("Start", product="iPhone14,5", goal="firmware")
    assert error is None, reply
    job = reply["job"]["id"]
    assert bed.until_state(job, "done")["exit"] == 0
    (note,) = (bed.storage / "firmware").glob("*.ipsw.json")
    assert json.loads(note.read_text())["build"] == BUILD


def test_buttons_when_the_phone_refuses(bed):
    bed.script("mode", failure("refused", "trust first", origin="lockdownd"))
    bed.come("normal")
    job = bed.begin("enter-recovery")
    waits = bed.until_job(job, lambda now: "buttons" in now.get("guidance", ""))
    assert "volume" in waits["guidance"].lower()
    bed.anna.leave()
    bed.anna.appear("recovery")
    bed.until_state(job, "done")


# --- what is refused --------------------------------------------------------------------------


def test_consent_is_bound_to_phone_and_goal(two):
    two.come("recovery", "recovery")
    anna, bert = two.phones_here
    plan = two.call("Plan", phone=anna.key, goal="erase")[0]["plan"]
    for key, confirm in ((bert.key, bert.serial[-4:]), (anna.key, bert.serial[-4:]), (anna.key, "")):
        reply, error = two.call(
            "Start", phone=key, goal="erase", consent=plan["token"], confirm=confirm
        )
        assert error == "Refused" and reply["kind"] == "no-consent", reply
    assert two.call("Start", phone=anna.key, goal="erase")[1] == "Refused"
    assert two.call("Jobs")[0]["jobs"] == []
    assert not list((two.storage / "jobs").iterdir()) and two.requests("restore") == []


def test_one_job_a_phone(bed):
    bed.come("normal")
    bed.script(f"trust-pair-{bed.anna.udid}", "hang")
    job = bed.begin("trust")
    bed.until_step(job, "pair")
    reply, error = bed.call("Start", phone=bed.anna.key, goal="restart")
    assert error == "Refused" and reply["kind"] == "busy", reply
    reply, error = bed.call("CheckTrust", phone=bed.anna.key)
    assert error == "NotAnswered" and reply["kind"] == "busy", reply
    assert len(bed.call("Jobs")[0]["jobs"]) == 1


@pytest.mark.parametrize(
    "method, parameters, wanted",
    [
        ("Job", {"id": "none"}, "NoSuchJob"),
        ("Cancel", {"id": "none"}, "NoSuchJob"),
        ("Answer", {"id": "none", "yes": True}, "NoSuchJob"),
        ("Answer", {"id": "none", "yes": False}, "NoSuchJob"),
        ("Report", {"id": "none"}, "NoSuchJob"),
        ("Plan", {"phone": "9-9", "goal": "trust"}, "NoSuchPhone"),
        ("Plan", {"phone": "1-1", "goal": "fly"}, "org.varlink.service.InvalidParameter"),
        ("Plan", {"goal": "erase"}, "org.varlink.service.InvalidParameter"),
        ("Plan", {"product": "iPhone14,5", "goal": "erase"}, "org.varlink.service.InvalidParameter"),
        ("Plan", {"product": "Toaster1,1", "goal": "firmware"}, "Refused"),
        ("Plan", {"phone": "1-1", "goal": "update", "file": "/nowhere.ipsw"}, "Refused"),
        ("Start", {"phone": "1-1", "goal": "exit-recovery"}, "Refused"),
    ],
)
def test_errors(bed, method, parameters, wanted):
    bed.come("normal")
    assert bed.call(method, **parameters)[1] == wanted


def test_failures_of_planning_reach_the_caller(bed):
    bed.come("normal")
    for kind in ("network", "unsupported"):
        bed.script("catalogue", failure(kind))
        reply, error = bed.call("Plan", phone="1-1", goal="update")
        assert error == "Refused" and reply["kind"] == kind and reply["next"]
    bed.script("catalogue", "crash")
    assert bed.call("Plan", phone="1-1", goal="update")[0]["kind"] == "protocol"


def test_phone_leaves_while_it_is_planned(bed):
    bed.script("catalogue", bed.gate("gate"), (bed.folder / "catalogue").read_text().strip())
    bed.come("normal")
    got = []
    call = threading.Thread(target=lambda: got.append(bed.call("Plan", phone="1-1", goal="update")))
    call.start()
    until("the catalogue is asked", lambda: bed.requests("catalogue"))
    bed.anna.leave()
    until("the phone is gone", lambda: not bed.phones())
    bed.open_gate("gate")
    call.join(40)
    assert got[0][1] == "Refused" and got[0][0]["kind"] == "unplugged"


# --- interruptions ----------------------------------------------------------------------------


def hold(bed, kind):
    """A job that stands in the step of this kind; for a step that a worker does, the worker hangs."""
    bed.come("normal")
    scripts = {
        "fetch": "fetch",
        "check": "check",
        "pair": f"trust-pair-{bed.anna.udid}",
        "verify-trust": f"trust-verify-{bed.anna.udid}",
    }
    good = {name: (bed.folder / name).read_text() for name in scripts.values()}
    if kind in ("pair", "verify-trust"):
        bed.script(scripts[kind], "hang")
        job = bed.begin("trust")
    else:
        job = bed.begin_held(scripts.get(kind), "update")
    if kind in ("update", "await-normal"):
        bed.until_step(job, "enter-recovery")
        bed.anna.appear("recovery")
    if kind == "await-normal":
        run_engine(bed, job)
    bed.until_step(job, kind)
    if kind == "update":
        until("the engine runs", bed.engine_pids)
    if kind in scripts:
        until("the worker hangs", lambda: bed.hangs(kind))

        def release():
            (bed.folder / scripts[kind]).write_text(good[scripts[kind]])

    else:

        def release():
            pass

    return job, release


def go_on(bed, job, kind):
    """From that step to the end."""
    if kind in ("pair", "verify-trust"):
        return bed.until_state(job, "done")
    if kind in ("fetch", "check", "enter-recovery"):
        bed.until_step(job, "enter-recovery")
        bed.anna.appear("recovery")
    if kind != "await-normal":
        run_engine(bed, job)
    return finish(bed, job)


HELD = ["fetch", "check", "enter-recovery", "update", "await-normal", "pair", "verify-trust"]


@pytest.mark.parametrize("kind", HELD)
def test_service_is_killed(bed, kind):
    job, release = hold(bed, kind)
    release()
    bed.kill()
    done = go_on(bed, job, kind)
    # a phone that showed up in recovery before the new service looked need not be sent there
    assert set(states(done)) <= {"done", "skipped"}
    journal = bed.journal(job)
    ends = [e for e in journal if e["event"] == "done"]
    assert len(ends) == len(done["steps"]), journal
    assert len(events_of(journal, "touched")) == (0 if kind in ("pair", "verify-trust") else 1)
    assert events_of(journal, "failed") == []
    assert len(bed.requests("restore")) == (0 if kind in ("pair", "verify-trust") else 1)


def test_engine_ends_while_no_service_runs(bed):
    job, _ = hold(bed, "update")
    bed.engine(event("touched"))
    bed.until_job(job, lambda now: now["touched"])
    bed.process.kill()
    bed.process.wait()
    bed.anna.build = BUILD
    bed.engine(*ENGINE_ENDS)
    until("the engine has ended", lambda: bed.engine_has_ended(job))
    bed.log.rename(bed.folder / "log-1")
    bed.start()
    bed.mux("mux-up")
    bed.anna.show()
    finish(bed, job)
    journal = bed.journal(job)
    assert len(events_of(journal, "touched")) == 1 and len(bed.requests("restore")) == 1


@pytest.mark.parametrize("kind, data", [("fetch", "kept"), ("update", "at-risk"), ("await-normal", "kept")])
def test_nothing_goes_on_after_the_computer_was_switched_off(bed, kind, data):
    job, _ = hold(bed, kind)
    engines = len(bed.requests("restore"))
    journal = bed.storage / "jobs" / job / "journal.jsonl"

    def switch_off():
        journal.write_text(re.sub(r'"boot":"[0-9a-f]', '"boot":"x', journal.read_text(), count=1))

    bed.kill(before_start=switch_off)
    now = bed.job(job)
    assert now["state"] == "failed" and "was switched off" in now["error"]["text"], now
    assert now["data"] == data
    assert (journal.parent / "report.txt").exists()
    assert bed.phones()[0].get("job") is None
    other = bed.begin("trust" if kind == "fetch" else "exit-recovery")  # the phone is free
    bed.until_job(other, lambda now: now["state"] != "ready")
    assert len(bed.requests("restore")) == engines


def test_an_engine_whose_file_cannot_be_read_gets_none_beside_it(bed):
    job, _ = hold(bed, "update")
    told = bed.storage / "jobs" / job / "engine-1.jsonl"
    aside = told.rename(told.with_name("aside"))
    told.symlink_to(aside)  # is not followed
    bed.kill()
    time.sleep(3)  # longer than one that has not begun is sought
    assert bed.job(job)["state"] == "running" and len(bed.requests("restore")) == 1
    aside.rename(told)
    run_engine(bed, job)
    finish(bed, job)
    assert len(bed.requests("restore")) == 1


def test_engine_worker_dies(bed):
    job, _ = hold(bed, "update")
    bed.engine(event("touched"), "exit")
    asking = bed.until_state(job, "asking")
    (step,) = [s for s in asking["steps"] if s["kind"] == "update"]
    assert "without a result" in step["error"]["text"]
    bed.kill()
    assert bed.until_state(job, "asking")["question"]["id"] == "question-erase-after-update"
    assert bed.call("Cancel", id=job)[1] is None
    bed.until_state(job, "cancelled")


@pytest.mark.parametrize("kind", [k for k in HELD if k != "await-normal"])
def test_cancel(bed, kind):
    job, _ = hold(bed, kind)
    reply, error = bed.call("Cancel", id=job)
    assert error is None, reply
    if kind == "update":  # it put the phone into recovery: it brings it back
        bed.until_step(job, "exit-recovery")
        bed.anna.appear("normal")
    ended = bed.until_state(job, "cancelled")
    assert ended["exit"] == 14 and ended["data"] == "kept"
    assert bed.call("Cancel", id=job)[0]["kind"] == "refused"
    assert "job" not in bed.phones()[0]


def test_cancel_is_refused_once_the_phone_is_touched(bed):
    job, _ = hold(bed, "update")
    bed.engine(event("touched"))
    bed.until_job(job, lambda now: now["touched"])
    reply, error = bed.call("Cancel", id=job)
    assert error == "Refused" and reply["kind"] == "refused"
    bed.anna.build = BUILD
    bed.engine(*ENGINE_ENDS)
    finish(bed, job)


def test_what_a_former_service_sent_into_recovery_comes_back(bed):
    """It came there while no service ran, so the new one need not send it; but the job did."""
    job, _ = hold(bed, "enter-recovery")
    bed.anna.here = "recovery"
    bed.kill()
    bed.until_step(job, "update")
    until("the engine runs", bed.engine_pids)
    assert bed.call("Cancel", id=job)[1] is None
    bed.until_step(job, "exit-recovery")
    bed.anna.appear("normal")
    bed.until_state(job, "cancelled")


def test_a_stop_that_came_too_late_does_not_stop_what_was_agreed_to_since(bed):
    bed.come("recovery")
    job = bed.begin("update")
    bed.until_step(job, "update")
    bed.engine(event("touched"))
    bed.until_job(job, lambda now: now["touched"])
    stop = bed.storage / "jobs" / job / "cancel"
    stop.touch()  # as a service leaves it that had not heard of it yet
    bed.engine(failure("engine", again=False, touched=True))
    token = bed.until_state(job, "asking")["question"]["plan"]["token"]
    reply, error = bed.call("Answer", id=job, yes=True, consent=token, confirm=bed.anna.serial[-4:])
    assert error is None, reply
    assert not stop.exists()
    run_engine(bed, job, "erase")
    finish(bed, job)


def test_what_was_said_of_a_silent_engine_ends_with_its_silence(bed):
    bed.come("recovery")
    job = bed.begin("update")
    bed.until_step(job, "update")
    bed.engine(event("stalled", seconds=300))
    bed.until_job(job, lambda now: "said nothing for a while" in now.get("guidance", ""))
    bed.engine(event("progress", step="restore", permille=10))
    bed.until_job(job, lambda now: "said nothing" not in now.get("guidance", ""))
    run_engine(bed, job)
    finish(bed, job)


def test_nobody_waits_for_the_phone_of_a_job_that_has_ended(bed):
    """While the engine runs its phone comes and goes; after that it is asked again like any other."""
    bed.come("recovery")
    job = bed.begin("update")
    bed.until_step(job, "update")
    bed.until_phones(lambda phones: phones[0]["presence"] == "awaited")
    bed.engine(event("touched"), failure("engine", again=False, touched=True))
    bed.until_state(job, "asking")
    assert bed.call("Answer", id=job, yes=False)[1] is None
    bed.until_state(job, "failed")
    bed.until_phones(lambda phones: phones[0]["presence"] == "present")


@pytest.mark.parametrize("kind", ["pair", "verify-trust"])
def test_cable_is_pulled_and_put_back(bed, kind):
    job, release = hold(bed, kind)
    release()
    bed.anna.leave()
    bed.until_job(job, lambda now: now.get("awaiting") == "phone")
    bed.anna.appear("normal")
    bed.until_state(job, "done")
    notes = events_of(bed.journal(job), "note")
    assert notes.count(("note", "phone-left")) == notes.count(("note", "phone-back")) == 1


@pytest.mark.parametrize("kind", ["fetch", "check"])
def test_cable_does_not_matter_to_a_download(bed, kind):
    job, release = hold(bed, kind)
    bed.anna.leave()
    bed.until_job(job, lambda now: now.get("awaiting") == "phone")
    bed.anna.appear("normal")
    bed.until_job(job, lambda now: "awaiting" not in now)
    assert len(bed.requests(kind)) == (1 if kind == "fetch" else 2)  # the plan checks too
    release()


def test_cable_is_pulled_under_the_engine(bed):
    job, _ = hold(bed, "update")
    bed.engine(event("touched"))
    bed.until_job(job, lambda now: now["touched"])
    bed.anna.leave()
    bed.until_job(job, lambda now: now.get("awaiting") == "phone")
    bed.anna.appear("recovery")
    bed.until_job(job, lambda now: "awaiting" not in now)
    assert bed.phones()[0]["key"] == bed.anna.key
    bed.anna.build = BUILD
    bed.engine(*ENGINE_ENDS)
    finish(bed, job)


def test_two_phones_at_once(two):
    two.come("recovery", "recovery")
    anna, bert = two.phones_here
    first, second = two.begin("update"), two.begin("erase", bert)
    two.until_step(first, "update")
    two.until_step(second, "erase")
    two.engine(event("touched"), failure("engine", again=False, touched=True))
    two.engine(event("touched"), result(seconds=1, engine_exit=0), phone=bert)
    two.until_state(first, "asking")
    two.until_step(second, "await-normal")
    bert.build = BUILD
    bert.appear("normal")
    two.until_state(second, "done")
    assert two.job(first)["data"] != "erased"
    assert [r["ecid"] for r in two.requests("restore") if r["erase"]] == [f"0x{bert.ecid:016x}"]
    listed = {p["key"]: p.get("job") for p in two.phones()}
    assert listed == {anna.key: first, bert.key: None}


# --- what is told -----------------------------------------------------------------------------


def test_watchers_hear_of_jobs(bed):
    bed.come("normal")
    watch = Watch(bed, "--json")
    watch.event()
    job = bed.begin("trust")
    seen = []
    while not seen or seen[-1] != "done":
        told = watch.event()
        if told["kind"] == "job":
            assert told["job"]["id"] == job
            seen.append(told["job"]["state"])
    assert seen[0] in ("ready", "running") and "running" in seen
    watch.end()
    again = Watch(bed, "--json")
    (last,) = again.event()["snapshot"]["jobs"]
    assert last["id"] == job and last["state"] == "done"
    again.end()


def test_progress_does_not_flood(bed):
    job, _ = hold(bed, "update")
    watch = Watch(bed, "--json")
    watch.event()
    began = time.monotonic()
    for permille in range(0, 1000, 5):
        bed.engine(event("progress", step="upload-system", permille=permille))
    told = 0
    while True:
        now = watch.event()
        told += now["kind"] == "job"
        if now["kind"] == "job" and now["job"].get("progress", {}).get("done") == 995:
            break
    assert told < 40 + 5 * (time.monotonic() - began)  # on a busy machine it takes longer, and more may be told
    watch.end()


def test_service_stays_small(bed):
    job, _ = hold(bed, "update")
    bed.engine(*[event("progress", step="upload-system", permille=n) for n in range(0, 1000, 10)])
    bed.until_job(job, lambda now: now.get("progress", {}).get("done") == 990)
    if b"__asan_init" not in bed.command[0].read_bytes():
        assert bed.rss_kib() < 8 * 1024


def test_storage_that_cannot_be_written(bed):
    bed.come("normal")
    bed.storage.mkdir(exist_ok=True)
    (bed.storage / "jobs").write_text("a file where a folder should be")
    reply, error = bed.call("Start", phone=bed.anna.key, goal="trust")
    assert error == "Refused" and reply["kind"] == "no-space", reply
    assert bed.call("Jobs")[0]["jobs"] == [] and "job" not in bed.phones()[0]
    os.unlink(bed.storage / "jobs")
    bed.until_state(bed.begin("trust"), "done")
