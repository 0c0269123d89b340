# SPDX-License-Identifier: GPL-3.0-or-later
"""The repair ladder natively, beside a simulated phone (rescue_bed): what each rung does, what the person's hand and
word do to it, what a service that dies in the middle leaves, and what the result says was proven. The phone is the
judge: its trust, its dialog, its erases."""

import pathlib
import tempfile

import pytest

from rescue_bed import Cli, Rescue, until

REFUSED = 5
MENU = "Settings > General > Transfer or Reset iPhone (on an iPad Transfer or Reset iPad) > Reset"


@pytest.fixture
def bed():
    """bed(**settings) → the product beside one phone that is plugged in."""
    beds, folders = [], []

    def make(**settings):
        folders.append(tempfile.TemporaryDirectory(prefix="r", dir="/tmp"))
        rescue = Rescue(pathlib.Path(folders[-1].name), None, **settings)
        beds.append(rescue)
        rescue.__enter__()
        rescue.until_phone(product=rescue.phone.state()["model"], in_mux=True)
        return rescue

    yield make
    for one in beds:
        one.__exit__(None, None, None)
    for one in folders:
        one.cleanup()


def step_of(job, kind, rung=None):
    """The first step of this kind (and rung)."""
    return next(s for s in job["steps"] if s["kind"] == kind and rung in (None, s.get("rung")))


def now(job):
    """The step at which it is; of a job that has ended there is none."""
    return job["steps"][job["step"]] if job["step"] < len(job["steps"]) else {"kind": None}


def until_asked(rescue, name, kind):
    """The step of this kind waits for the person."""
    return rescue.until_job(name, lambda job: now(job)["kind"] == kind and job.get("answers"))


def answer(rescue, name, kind, word):
    job = until_asked(rescue, name, kind)
    assert word in job["answers"], job
    rescue.ok("job", "answer", name, f"--{word}", "--no-wait")
    return job


def finish(rescue, name, *, plug=True):
    """The proof at the end: the cable if the story is about it, and no backup."""
    if plug:
        until_asked(rescue, name, "replug")
        unplug_and_plug(rescue, name)
    else:
        answer(rescue, name, "replug", "no")
    skip_backup(rescue, name)
    return rescue.until_end(name)


def unplug_and_plug(rescue, name):
    rescue.phone.control("unplug")
    rescue.until_job(name, lambda job: "unplugged. Now" in job.get("guidance", ""))
    rescue.phone.control("plug")


def skip_backup(rescue, name):
    """It may end before anybody could skip it: then it has."""
    job = rescue.until_job(name, lambda job: now(job)["kind"] == "verify-backup" or job["state"] != "running")
    if job["state"] == "running":
        rescue.run("job", "answer", name, "--no", "--no-wait")


def losses(rescue):
    state = rescue.phone.state()
    return state["erases"], state["updates"]


def test_healthy_phone_is_only_proven(bed):
    rescue = bed()
    rescue.pair()
    name = rescue.start("trust", "repair", rescue.ecid)
    job = finish(rescue, name)
    assert job["state"] == "done", job
    assert all(s["state"] == "skipped" and "trusts this computer" in s["reason"]
               for s in job["steps"] if s.get("rung")), job["steps"]
    proof = job["proof"]
    assert proof["session"] and proof["identity"] and proof["media"] and proof["replug"], proof
    assert losses(rescue) == (0, 0)
    assert rescue.phone.state()["dialog"] == "none"
    shown = rescue.run("report", name).stdout
    assert "Unplugged and plugged in again, it needed no dialog." in shown


def test_stale_record_is_healed_without_a_hand_but_the_tap(bed):
    rescue = bed()
    rescue.pair()
    rescue.phone.control("forget")
    name = rescue.start("trust", "repair", rescue.ecid)
    job = rescue.until_job(name, lambda job: step_of(job, "restart-mux")["state"] not in ("waiting", "running"))
    assert step_of(job, "look")["state"] == "done"
    assert step_of(job, "restart-mux")["reason"].startswith("usbmuxd works"), job
    rescue.tap_trust()
    job = finish(rescue, name)
    assert job["state"] == "done", job
    assert step_of(job, "pair", 2)["state"] == "done" and step_of(job, "verify-trust", 2)["state"] == "done"
    assert "the pairing was deleted here" in rescue.run("report", name).stdout.replace("\n", " ")
    assert all(s["state"] == "skipped" and "proven" in s["reason"] for s in job["steps"] if s.get("rung", 0) > 2)
    assert job["proof"]["replug"] and losses(rescue) == (0, 0)


def test_locked_denied_and_then_trusted(bed):
    """What the phone waits for is told, event by event, with the time that is left."""
    rescue = bed(trust="locked", passcode="yes")
    name = rescue.start("trust", "repair", rescue.ecid)
    job = rescue.until_job(name, lambda job: job.get("trust") == "locked" and now(job)["kind"] == "pair")
    assert "unlock it" in job["guidance"] and job["until_ms"] > job["created_ms"] and job["answers"] == {"no": True}
    rescue.phone.control("unlock")
    until("the dialog is shown", lambda: rescue.phone.state()["dialog"] == "asking")
    rescue.phone.control("deny")
    job = rescue.until_job(name, lambda job: job.get("trust") == "denied")
    assert "Do Not Trust" in job["guidance"]
    rescue.phone.control("unplug")
    rescue.phone.control("plug")
    rescue.tap_trust()
    job = finish(rescue, name, plug=False)
    assert job["state"] == "done", job
    replug = next(p for p in job["unproven"] if p["what"] == "replug")
    assert replug["reason"] == "passed over by the person" and job["proof"]["replug"] is False
    assert job["proof"]["session"] is True


def test_lost_mode_ends_the_ladder(bed):
    rescue = bed(scenario="iphone13-lost-mode")
    name = rescue.start("trust", "repair", rescue.ecid)
    job = rescue.until_end(name)
    assert job["state"] == "failed" and job["exit"] == REFUSED, job
    assert not any(s["state"] in ("done", "failed") for s in job["steps"] if s.get("rung", 0) > 2), job["steps"]
    assert "advice" not in job


def test_service_dies_in_the_middle_of_a_rung(bed):
    rescue = bed()
    rescue.pair()
    rescue.phone.control("forget")
    name = rescue.start("trust", "repair", rescue.ecid)
    until("the dialog is shown", lambda: rescue.phone.state()["dialog"] == "asking")
    rescue.kill_service()
    rescue.start_service()
    job = rescue.until_job(name, lambda job: now(job)["kind"] == "pair")
    assert step_of(job, "look")["state"] == "done"
    rescue.tap_trust()
    until_asked(rescue, name, "replug")
    rescue.kill_service()
    rescue.phone.control("unplug")
    until("it is off the bus", lambda: not rescue.bus.present)
    rescue.start_service()
    rescue.phone.control("plug")
    unplug_and_plug_if_asked(rescue, name)
    skip_backup(rescue, name)
    job = rescue.until_end(name)
    assert job["state"] == "done" and job["proof"]["replug"], job
    assert [e["event"] for e in rescue.journal(name)].count("created") == 1


def unplug_and_plug_if_asked(rescue, name):
    """A service that did not see it leave asks for it; one that did goes on."""
    job = rescue.until_job(name, lambda job: job.get("answers") or now(job)["kind"] != "replug")
    if now(job)["kind"] == "replug":
        unplug_and_plug(rescue, name)


def test_no_and_yes_lead_through_the_ladder(bed):
    """The person passes over what he does not want; the reset of settings that he did is believed, and proven."""
    rescue = bed(trust="asking")
    name = rescue.start("trust", "repair", rescue.ecid)
    answer(rescue, name, "pair", "no")
    # no record, no session: those rungs do not apply; a new identity costs nobody anything here
    rescue.until_job(name, lambda job: step_of(job, "forget-store")["state"] == "done")
    answer(rescue, name, "pair", "no")
    job = answer(rescue, name, "reset-privacy", "no")
    assert MENU + " > Reset Location & Privacy" in job["guidance"] and "What stays: Photos, apps" in job["guidance"]
    assert "What is lost: All Wi-Fi networks" in answer(rescue, name, "reset-network", "no")["guidance"]
    assert "> Reset All Settings, then" in answer(rescue, name, "reset-settings", "yes")["guidance"]
    # a dialog of an earlier rung may still stand there, which asks for another identity of this computer
    rescue.until_job(name, lambda job: now(job)["kind"] == "pair" and job.get("trust") == "asking")
    rescue.tap_trust()
    job = finish(rescue, name, plug=False)
    assert job["state"] == "done", job
    assert step_of(job, "unpair")["reason"].startswith("no session opens")
    assert step_of(job, "forget-record")["reason"].startswith("this computer holds no pairing")
    assert step_of(job, "reset-privacy")["reason"] == "passed over by the person"
    assert step_of(job, "reset-settings")["state"] == "done"
    assert step_of(job, "restart")["state"] == "skipped" and losses(rescue) == (0, 0)
    told = rescue.report(name)
    assert [e["fields"]["answer"] for e in told["events"] if e["kind"] == "answer"].count("done") == 1


def test_a_word_is_no_proof_of_a_replug(bed):
    rescue = bed()
    rescue.pair()
    name = rescue.start("trust", "prove", rescue.ecid)
    until_asked(rescue, name, "replug")
    said = rescue.json("job", "answer", name, "--yes", "--no-wait")
    assert said["exit"] == REFUSED and "not seen the phone leave" in said["error"]["text"], said
    unplug_and_plug(rescue, name)
    job = rescue.until_job(name, lambda job: now(job)["kind"] == "verify-backup" or job["state"] != "running")
    job = rescue.until_end(name)
    assert job["state"] == "done" and job["proof"]["replug"] and job["proof"]["backup"], job
    assert job["proof"]["backup_bytes"] > 0 and job["proof"]["backup_files"] > 0
    assert "unproven" not in job
    assert not list((rescue.storage / "jobs" / name).glob("backup*"))


def test_forget_makes_both_forget(bed):
    rescue = bed()
    rescue.pair()
    name = rescue.start("trust", "forget", rescue.ecid)
    job = rescue.until_end(name)
    assert job["state"] == "done" and step_of(job, "unpair")["state"] == "done", job
    assert not [path for path in rescue.phone.records.glob("*.plist") if "System" not in path.name]
    assert rescue.phone.run("idevicepair", "validate").returncode != 0
    assert rescue.phone.state()["hosts"] == 0


def test_link_is_compared(bed):
    rescue = bed()
    rescue.pair()
    name = rescue.start("link", "test", rescue.ecid)
    until_asked(rescue, name, "swap-cable")
    rescue.phone.control("unplug")
    rescue.phone.control("plug")
    job = rescue.until_job(name, lambda job: step_of(job, "swap-cable")["state"] == "done")
    assert step_of(job, "swap-cable")["found"], job
    until_asked(rescue, name, "swap-port")
    rescue.phone.control("unplug")
    rescue.until_phone(presence="awaited")
    rescue.ok("job", "answer", name, "--yes", "--no-wait")
    rescue.phone.control("plug")
    job = rescue.until_end(name)
    assert job["state"] == "done", job
    assert "does not show up with it" in step_of(job, "swap-port")["found"]
    facts = [e["facts"] for e in rescue.journal(name) if e["event"] == "done" and "before" in e.get("facts", {})]
    assert [f["before"]["here"] for f in facts] == [True, True] and facts[0]["before"]["speed_mbps"] == 480
    assert facts[0]["after"]["answer_ms"] > 0 and facts[1]["after"] == {"here": False}
    assert facts[0]["found"] in rescue.run("report", name).stdout


def test_restart_by_its_buttons(bed):
    """A phone that trusts nobody takes no command: the person's hand restarts it, and the job sees that."""
    rescue = bed(trust="asking")
    name = rescue.start("restart", rescue.ecid)
    job = rescue.until_job(name, lambda job: "buttons" in job.get("guidance", ""))
    assert job["until_ms"] > job["created_ms"] and "answers" not in job, job
    rescue.phone.control("button restart")
    job = rescue.until_end(name)
    assert job["state"] == "done", job


def test_the_command_line_follows_and_tells_how_to_answer(bed):
    rescue = bed()
    rescue.pair()
    told = Cli(rescue, "trust", "repair", rescue.ecid, json_lines=False)
    job = until("the job is there", rescue.jobs)[0]
    lines = []
    while not lines or f"job answer {job['id']} --yes" not in lines[-1]:
        lines.append(told.process.stdout.readline())
        assert lines[-1], lines
    answer(rescue, job["id"], "replug", "no")
    skip_backup(rescue, job["id"])
    out = "".join(lines) + told.process.communicate(timeout=60)[0]
    assert told.process.returncode == 0, out
    assert "2 to 33. not needed: the phone trusts" in out and "minutes are left for it" in out, out
    assert "Unplug the phone and plug it in again: left out, passed over by the person" in out, out
    assert "Not proven" in out and "passed over by the person" in out, out
