# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps of a repair whose other side is scripted (native_jobs): usbmuxd's restart, other phones, what a worker refuses,
a service that is killed with each step running."""

import pytest

from native_jobs import Bed, event, failure, result

REFUSED = 5
IDENTITY = {"name": "Anna", "serial_number": "F2LX12345671", "capacity_bytes": 128 << 30, "version": "17.5"}
ASKING = event("trust", trust="asking")


def beds(path, phones):
    made = Bed(path, phones=phones)
    made.start()
    made.script("trust-check", result(trust="stale", record=True, reach="record", identity={}))
    made.script("trust-unpair", result())
    made.script("backup-proof", event("passcode"), event("progress", bytes=9, files=1),
                result(bytes=4096, files=3, complete=False))
    made.script("mux-restart", result(answered_ms=5))
    return made


@pytest.fixture
def bed(tmp_path):
    made = beds(tmp_path, 1)
    yield made.come("normal")
    made.end()


@pytest.fixture
def two(tmp_path):
    made = beds(tmp_path, 2)
    yield made.come("normal", "normal")
    made.end()


def step_of(job, kind, rung=None):
    return next(s for s in job["steps"] if s["kind"] == kind and rung in (None, s.get("rung")))


def until_asked(bed, name, kind):
    return bed.until_job(name, lambda job: job.get("answers") and job["steps"][job["step"]]["kind"] == kind)


def say(bed, name, yes):
    reply, error = bed.call("Answer", id=name, yes=yes)
    assert error is None, reply


def skip_proof(bed, name):
    until_asked(bed, name, "replug")
    say(bed, name, False)
    job = bed.until_state(name, "done")
    bed.until_phones(lambda phones: phones[0]["presence"] == "present")  # nobody waits for it any more
    assert job["proof"]["backup"] and job["proof"]["backup_files"] == 3, job
    return job


def test_usbmuxd_is_restarted_when_the_phone_does_not_answer(bed):
    bed.script("trust-check", failure("silent", "no answer", reach="port"))
    name = bed.begin("repair")
    job = skip_proof(bed, name)
    assert step_of(job, "look")["state"] == "failed" and step_of(job, "restart-mux")["state"] == "done", job
    assert step_of(job, "verify-trust", 1)["state"] == "done"
    assert step_of(job, "pair", 2)["reason"].startswith("not needed: the phone was proven")
    assert [r["action"] for r in bed.requests("mux")] == ["restart"]


def test_usbmuxd_stays_where_it_cannot_be_restarted(bed):
    bed.script("trust-check", failure("silent", "no answer", reach="port"))
    bed.script("mux-restart", failure("unsupported", "there is no program for it here"))
    name = bed.begin("repair")
    job = skip_proof(bed, name)
    assert step_of(job, "restart-mux")["reason"] == "there is no program for it here"
    assert step_of(job, "verify-trust", 1)["attempt"] == 0 and step_of(job, "pair", 2)["state"] == "done"


def test_another_phones_job_is_not_disturbed(two):
    anna, berta = two.phones_here
    two.script(f"trust-pair-{berta.udid}", ASKING, "hang")
    other = two.begin("trust", berta)
    two.until_step(other, "pair")
    two.script(f"trust-check-{anna.udid}", failure("silent", "no answer", reach="port"))
    two.script(f"trust-pair-{anna.udid}", ASKING, "hang")
    name = two.begin("repair", anna)
    until_asked(two, name, "pair")
    say(two, name, False)
    job = two.until_job(name, lambda job: step_of(job, "forget-record")["state"] == "done")
    assert "another phone has a job" in step_of(job, "restart-mux")["reason"], job
    until_asked(two, name, "pair")
    say(two, name, False)  # the phone's own forgetting comes, and its pairing
    until_asked(two, name, "pair")
    say(two, name, False)
    job = until_asked(two, name, "reset-privacy")
    assert "another phone has a job" in step_of(job, "forget-store")["reason"]
    assert not two.requests("mux") and all(r["action"] == "forget" for r in two.requests("record"))
    assert two.job(other)["state"] == "running"
    for job in (name, other):
        two.call("Cancel", id=job)


@pytest.mark.parametrize("yes", [True, False])
def test_other_pairings_go_only_with_a_yes(two, yes):
    anna = two.anna
    two.script(f"trust-pair-{anna.udid}", ASKING, "hang")
    two.script("trust-unpair", failure("refused", "the phone does not know us"))
    two.script("record-forget", result(forgotten=0))
    name = two.begin("repair", anna)
    until_asked(two, name, "pair")
    say(two, name, False)
    job = until_asked(two, name, "forget-store")
    assert "also those that are plugged in now" in job["guidance"] and job["answers"] == {"yes": True, "no": True}
    assert not [r for r in two.requests("record") if r["action"] == "forget-store"]
    assert step_of(job, "unpair")["reason"].endswith("the phone does not know us")
    say(two, name, yes)
    until_asked(two, name, "pair" if yes else "reset-privacy")
    job = two.job(name)
    assert step_of(job, "forget-store")["state"] == ("done" if yes else "skipped")
    assert len([r for r in two.requests("record") if r["action"] == "forget-store"]) == yes
    two.call("Cancel", id=name)


def test_a_yes_is_not_for_a_job_that_began_since(two):
    """The question stood there for minutes: meanwhile another phone's job has begun."""
    anna, berta = two.phones_here
    for phone in (anna, berta):
        two.script(f"trust-pair-{phone.udid}", ASKING, "hang")
    two.script("trust-unpair", failure("refused", "the phone does not know us"))
    two.script("record-forget", result(forgotten=0))
    name = two.begin("repair", anna)
    until_asked(two, name, "pair")
    say(two, name, False)
    until_asked(two, name, "forget-store")
    other = two.begin("trust", berta)
    two.until_step(other, "pair")
    say(two, name, True)
    job = until_asked(two, name, "reset-privacy")
    assert "another phone has a job" in step_of(job, "forget-store")["reason"]
    assert not [r for r in two.requests("record") if r["action"] == "forget-store"]
    for job in (name, other):
        two.call("Cancel", id=job)


def test_policy_ends_it_at_once(bed):
    bed.script("trust-check", result(trust="refused-by-policy", detail="mc", record=False, reach="lockdown",
                                     identity={}))
    job = bed.until_state(bed.begin("repair"), "failed")
    assert job["exit"] == REFUSED and "can only be changed there" in job["error"]["text"], job
    assert not bed.requests("mux") and not bed.requests("record")


@pytest.mark.parametrize("kind", ["look", "restart-mux", "pair", "verify-trust", "forget-record", "replug",
                                  "verify-backup"])
def test_service_dies_with_a_step_running(bed, kind):
    """It is begun again as the same attempt, and what was decided stays decided."""
    scripts = {"look": "trust-check", "restart-mux": "mux-restart", "pair": "trust-pair",
               "verify-trust": "trust-verify", "forget-record": "record-forget", "verify-backup": "backup-proof"}
    for trust in ("pair", "verify-trust"):  # the bed answers for each phone
        scripts[trust] += f"-{bed.anna.udid}"
    good = {"look": result(trust="stale", record=True, reach="record", identity={}),
            "restart-mux": result(answered_ms=5),
            "pair": result(trust="trusted", by="us", identity=IDENTITY),
            "verify-trust": result(trust="trusted", identity=IDENTITY, media_entries=3),
            "forget-record": result(forgotten=1),
            "verify-backup": result(bytes=4096, files=3, complete=False)}
    if kind == "restart-mux":
        bed.script("trust-check", failure("silent", "no answer", reach="port"))
    if kind == "forget-record":
        bed.script(f"trust-pair-{bed.anna.udid}", failure("silent", "nobody tapped"))
    if kind in scripts:
        bed.script(scripts[kind], "hang")
    name = bed.begin("repair")
    if kind == "verify-backup":
        until_asked(bed, name, "replug")
        say(bed, name, False)
    before = bed.until_step(name, kind)
    bed.kill()
    after = bed.until_step(name, kind)
    assert [s["state"] for s in after["steps"]] == [s["state"] for s in before["steps"]]
    assert [s.get("reason") for s in after["steps"]] == [s.get("reason") for s in before["steps"]]
    assert step_of(after, kind, after["steps"][after["step"]].get("rung"))["attempt"] == 1
    bed.call("Cancel", id=name)
    job = bed.job(name)
    if job["state"] == "running":  # a step of some seconds cannot be stopped: it is ended
        bed.script(scripts[kind], good[kind])
        bed.kill()
        bed.until_job(name, lambda job: step_of(job, kind)["state"] == "done")
        bed.call("Cancel", id=name)
    bed.until_state(name, "cancelled")


def test_answers_that_do_not_fit(bed):
    bed.script(f"trust-pair-{bed.anna.udid}", ASKING, "hang")
    name = bed.begin("trust")
    bed.until_step(name, "pair")
    for yes in (True, False):
        reply, error = bed.call("Answer", id=name, yes=yes)
        assert error == "Refused" and reply["kind"] == "usage", reply
    assert bed.job(name)["state"] == "running" and "answers" not in bed.job(name)
    bed.call("Cancel", id=name)
    bed.until_phones(lambda phones: "job" not in phones[0])
    name = bed.begin("repair")
    until_asked(bed, name, "pair")
    reply, error = bed.call("Answer", id=name, yes=True)
    assert error == "Refused" and "ends by itself" in reply["text"], reply
    bed.call("Cancel", id=name)


def test_what_changed_with_another_port_is_said(bed):
    """Speed, hubs, port and whether the phone answers at all, before and after."""
    name = bed.begin("link-test")
    until_asked(bed, name, "swap-cable")
    reply, error = bed.call("Answer", id=name, yes=True)
    assert error == "Refused" and "not seen the phone leave" in reply["text"], reply
    bed.anna.leave()
    bed.until_phones(lambda phones: phones[0]["presence"] == "awaited")
    bed.see(bed.anna.port, pid="0x12a8", serial=bed.anna.udid.replace("-", ""), address=77, speed=12)
    bed.mux("attached", udid=bed.anna.udid, mux_id=1, location=1 << 16 | 77, product_id=0x12A8, connection="usb")
    job = bed.until_step(name, "swap-cable", "done")
    assert "USB runs at 12 Mbit/s; before it was 480 Mbit/s." in step_of(job, "swap-cable")["found"]
    until_asked(bed, name, "swap-port")
    bed.mux("detached", udid=bed.anna.udid, location=1 << 16 | 77)
    bed.see(bed.anna.port, "gone")
    bed.anna.port, bed.anna.address = "1-9.2", 78
    bed.anna.here = "normal"
    bed.anna.show()
    job = bed.until_state(name, "done")
    found = step_of(job, "swap-port")["found"]
    assert "Hubs between phone and computer: 1; before there were 0." in found and "480 Mbit/s" in found, found
    facts = [e["facts"] for e in bed.journal(name) if e["event"] == "done" and "before" in e.get("facts", {})]
    assert [(f["before"]["port"], f["after"]["port"]) for f in facts] == [("1-1", "1-1"), ("1-1", "1-9.2")]


def test_a_new_service_claims_nothing_of_the_link_before(two):
    """It dies while the phone is unplugged for another cable."""
    name = two.begin("link-test", two.anna)
    until_asked(two, name, "swap-cable")
    two.anna.leave()
    two.until_phones(lambda phones: "awaited" in [phone["presence"] for phone in phones])
    two.kill()
    until_asked(two, name, "swap-cable")
    two.anna.appear("normal")
    job = two.until_step(name, "swap-cable", "done")
    assert "nothing to compare" in step_of(job, "swap-cable")["found"], job
    (facts,) = [e["facts"] for e in two.journal(name) if e["event"] == "done" and "after" in e.get("facts", {})]
    assert facts["after"]["here"] and "before" not in facts
    two.call("Cancel", id=name)
