# SPDX-License-Identifier: GPL-3.0-or-later
"""From broken trust to a restored phone, natively: everything of ours and the unmodified engine (rescue_bed). What the
phone counts is the judge: its erases, its updates, the digest of its user's files."""

import contextlib

import pytest

from rescue_bed import Rescue, until
from restore_judge import PHONE, PHONES

pytest_plugins = ["restore_fixtures"]

VERSION, BUILD = PHONES[PHONE]


@pytest.fixture
def bed(folder, apple, known):
    """bed(**settings) → the product beside one phone, for which there is a newer firmware."""
    with contextlib.ExitStack() as beds:
        yield lambda **settings: beds.enter_context(Rescue(folder, apple, ipsw=known, product=PHONE, **settings))


def finding_ids(rescue):
    diagnoses = rescue.json("diagnose")["diagnoses"]
    return {finding["id"] for diagnosis in diagnoses for finding in diagnosis["findings"]}


def test_stale_record_is_diagnosed_and_healed(bed):
    rescue = bed()
    rescue.pair()
    before = rescue.phone.state()
    rescue.phone.control("forget")
    rescue.phone.control("unplug")
    rescue.phone.control("plug")
    rescue.until_phone(trust="stale")
    assert "trust-stale" in finding_ids(rescue)
    told = rescue.run("diagnose")
    assert told.returncode == 1 and "trust repair" in told.stdout
    name = rescue.start("trust", "reset", rescue.ecid)
    rescue.tap_trust()
    job = rescue.until_end(name)
    assert job["state"] == "done", job
    assert job["proof"]["serial_number"] == before["serial"] and job["proof"]["media_entries"] > 0
    after = rescue.phone.state()
    assert (after["files_digest"], after["erases"], after["updates"]) == (before["files_digest"], 0, 0)
    rescue.until_phone(trust="trusted")
    assert rescue.json("trust", "check", rescue.ecid)["exit"] == 0
    shown = rescue.run("show", rescue.ecid).stdout
    assert "128 GB" in shown and " %" in shown and after["serial"] in shown


def test_denied_dialog_is_told_and_the_next_tap_counts(bed):
    rescue = bed()
    name = rescue.start("trust", "reset", rescue.ecid)
    until("the dialog is shown", lambda: rescue.phone.state()["dialog"] == "asking")
    rescue.phone.control("deny")
    rescue.until_job(name, lambda job: job.get("trust") == "denied")
    rescue.phone.control("unplug")  # it asks anew only for a new connection
    rescue.until_job(name, lambda job: job.get("awaiting") == "phone")
    rescue.phone.control("plug")
    rescue.tap_trust()
    assert rescue.until_end(name)["state"] == "done"


def test_phone_that_refuses_what_it_has_just_paired(bed):
    """No tap heals that: the job ends soon, and says so."""
    rescue = bed(stale_record="yes", trust_after_ms=1)
    before = rescue.phone.state()
    rescue.until_phone(model="iPhone 13")
    result = rescue.json("trust", "reset", rescue.ecid)
    assert result["exit"] == 5 and "refuses" in result["job"]["error"]["text"], result
    assert len(rescue.phone.seen("paired")) == 2
    assert rescue.phone.state()["files_digest"] == before["files_digest"]


def test_phone_in_recovery_goes_back_with_its_files(bed):
    rescue = bed(mode="recovery")
    before = rescue.phone.state()
    rescue.until_phone(mode="recovery")
    result = rescue.json("recovery", "exit", rescue.ecid)
    assert result["exit"] == 0, result
    after = rescue.until_normal()
    assert (after["files_digest"], after["files"], after["erases"]) == (before["files_digest"], before["files"], 0)


def test_into_recovery_by_its_service_when_it_trusts_us(bed):
    rescue = bed(enter_recovery="release")
    rescue.pair()
    rescue.until_phone(trust="trusted")
    assert rescue.json("recovery", "enter", rescue.ecid)["exit"] == 0
    rescue.until_phone(mode="recovery")


def test_into_recovery_by_buttons_when_it_does_not(bed):
    rescue = bed(enter_recovery="release")
    rescue.until_phone(model="iPhone 13")
    name = rescue.start("recovery", "enter", rescue.ecid)
    told = rescue.until_job(name, lambda job: "olume" in (job.get("guidance") or "") or job["state"] == "failed")
    assert told["state"] == "running", told
    rescue.phone.control("mode recovery")  # what the buttons do
    assert rescue.until_end(name)["state"] == "done"


@pytest.mark.parametrize("mode", ["normal", "recovery", "dfu"])
def test_update_keeps_the_files(bed, mode):
    rescue = bed(mode=mode, enter_recovery="release")
    if mode == "normal":
        rescue.pair()
        rescue.until_phone(trust="trusted")
    before = rescue.phone.state()
    rescue.until_phone(mode=mode)
    plan = rescue.ok("plan", rescue.ecid, "update")["plan"]
    assert plan["variant"] == "Customer Upgrade Install (IPSW)" and plan["firmware"]["build"] == BUILD
    assert "token" not in plan and plan["data"] == "at-risk"
    name = rescue.start("restore", rescue.ecid, "--update")
    job = rescue.until_job(name, lambda one: one["state"] in {"done", "failed"} or one.get("trust") == "asking")
    if job["state"] == "running":
        rescue.tap_trust()
    job = rescue.until_end(name)
    assert job["state"] == "done", job
    after = rescue.until_normal()
    assert (after["version"], after["build"], after["updates"], after["erases"]) == (VERSION, BUILD, 1, 0)
    assert after["files_digest"] == before["files_digest"]
    assert job["data"] != "erased"
    proof = job["proof"]["firmware"]
    assert proof["level"] == 3 and proof["hash"] and proof["ticket"] and proof["crc"] == proof["members"] > 0
    assert proof["matched"] > 0 and "Apple gave a ticket" in rescue.run("report", name).stdout


def test_erase_needs_a_typed_consent(bed):
    rescue = bed(mode="dfu")
    rescue.until_phone(mode="dfu")
    before = rescue.phone.state()
    assert rescue.json("restore", rescue.ecid, "--erase")["exit"] == 6
    plan = rescue.ok("plan", rescue.ecid, "erase")["plan"]
    wrong = [("--consent", "0000-0000-0000", "--confirm", rescue.last4(plan)),
             ("--consent", plan["token"], "--confirm", "!!!!"),
             ("--consent", plan["token"]), ("--confirm", rescue.last4(plan))]
    for words in wrong:
        assert rescue.json("restore", rescue.ecid, "--erase", *words)["exit"] in {2, 6}, words
    assert rescue.jobs() == []
    after = rescue.phone.state()
    assert (after["mode"], after["erases"], after["files_digest"]) == ("dfu", 0, before["files_digest"])


def test_erase_from_dfu_ends_paired_and_proven(bed):
    rescue = bed(mode="dfu", trust_after_ms=1)
    rescue.until_phone(mode="dfu")
    name = rescue.start_erase()
    job = rescue.until_end(name)
    assert job["state"] == "done", job
    after = rescue.until_normal()
    assert (after["build"], after["erases"], after["updates"], after["files"]) == (BUILD, 1, 0, 0)
    report = rescue.report(name)
    assert report["proof"]["serial_number"] == after["serial"]
    text = rescue.run("report", name)
    assert text.returncode == 0 and BUILD in text.stdout and "erased" in text.stdout
    # the token is used up
    again = rescue.json("job", "list")["jobs"]
    assert [one["id"] for one in again] == [name]


def test_failed_update_asks_and_erases_only_after_a_yes(bed):
    rescue = bed(mode="recovery", trust_after_ms=1, fail_at="mount_system_partition")
    rescue.until_phone(mode="recovery")
    name = rescue.start("restore", rescue.ecid, "--update")
    job = rescue.until_job(name, lambda one: one["state"] not in {"ready", "running"}, 180)
    assert job["state"] == "asking", job
    assert rescue.phone.state()["erases"] == 0
    assert rescue.json("job", "answer", name, "--yes")["exit"] in {2, 6}
    rescue.phone.control("set fail_at none")
    plan = rescue.job(name)["question"]["plan"]
    rescue.ok("job", "answer", name, "--yes", "--consent", plan["token"], "--confirm", rescue.last4(plan))
    job = rescue.until_end(name, 180)
    assert job["state"] == "done", job
    assert rescue.until_normal()["erases"] == 1
