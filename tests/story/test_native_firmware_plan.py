# SPDX-License-Identifier: GPL-3.0-or-later
"""Which firmware a plan takes, what it says of the signature, and what is found out before the phone is touched.

First part: the product with fake workers, each answer at will (native_jobs). Second part: the real workers beside the
pretended Apple servers and a simulated phone (rescue_bed), which counts what was done to it."""

import fcntl
import json
import os
import shutil
import sys
import time
import zipfile

import pytest

from native_jobs import ERASE, MANIFEST, PROOF, UPDATE, Bed, event, failure, result
from native_service import until
from rescue_bed import Rescue, untouched
from restore_judge import MIB, PHONE, PHONES

sys.path[:0] = [os.path.join(os.path.dirname(__file__), "..", name) for name in ("net", "")]

from apple import Apple  # noqa: E402
from ipsw.make_ipsw import build  # noqa: E402

pytest_plugins = ["restore_fixtures"]

BUILD = PHONES[PHONE][1]
OLDER = ("18.1", "22B83")
BUILD_OF_BED = "21F90"
NOT_SIGNED = "Apple's signing server gives this phone no ticket"


# --- fake workers -----------------------------------------------------------------------------


@pytest.fixture
def bed(tmp_path):
    made = Bed(tmp_path).start()
    made.come("normal")
    yield made
    made.end()


def build_of(bed, build, version="17.6", **more):
    """A firmware that the catalogue may tell of."""
    name = f"iPhone14,5_{version}_{build}_Restore.ipsw"
    return {**bed.firmware, "version": version, "build": build, "name": name,
            "url": f"https://updates.cdn-apple.com/x/{name}", **more}


def check_answers(bed, build, version="17.6", **more):
    """What the file holds, whichever is asked about."""
    variants = [{"name": ERASE, "erases": True, "os_bytes": 1000, "os_packed": False},
                {"name": UPDATE, "erases": False, "os_bytes": 1000, "os_packed": False}]
    answer = {"firmware": {"version": version, "build": build, "size": 6, "name": "x.ipsw"}, "products": ["iPhone14,5"],
              "variants": variants, "members": 9, "manifest_sha256": MANIFEST, "proof": PROOF, **more}
    bed.script("check", result(**answer))


def plan(bed, goal="update", **more):
    reply, error = bed.call("Plan", phone=bed.anna.key, goal=goal, **more)
    assert error is None, reply
    return reply["plan"]


def refused(bed, kind, goal="update", **more):
    reply, error = bed.call("Plan", phone=bed.anna.key, goal=goal, **more)
    assert error == "Refused" and reply["kind"] == kind, reply
    return reply["text"]


def warnings(card):
    return {warning["id"] for warning in card["warnings"]}


def test_signed_plan_says_what_was_asked(bed):
    card = plan(bed)
    assert card["signed"]["verdict"] == "signed" and card["signed"]["manifest_sha256"] == MANIFEST
    assert card["signed"]["at_ms"] > 0 and not [one for one in warnings(card) if one.startswith("plan-sign")]
    (asked,) = bed.requests("sign")
    assert (asked["product"], asked["board"], asked["variant"]) == ("iPhone14,5", "d17ap", UPDATE)
    assert asked["ecid"] == f"0x{bed.anna.ecid:016x}" and asked["url"] == card["firmware"]["url"]
    assert "current" not in asked  # nobody but one catalogue calls it so
    assert plan(bed, "erase")["signed"]["verdict"] == "signed"
    assert bed.requests("sign")[-1]["variant"] == ERASE
    (first, *_) = bed.requests("catalogue")
    assert first["all"] is True and first["folder"].startswith(str(bed.storage))


def test_control_is_asked_when_two_sources_agree(bed):
    bed.offer({**bed.firmware, "sources": "apple ipsw.me", "said_signed": "yes", "confirmed": True})
    card = plan(bed)
    assert bed.requests("sign")[-1]["current"] is True
    assert card["firmware"]["confirmed"] and card["firmware"]["sources"] == "apple ipsw.me"


def test_unknown_warns_and_blocks_nothing(bed):
    bed.sign("unknown", "gs.apple.com does not answer in time")
    card = plan(bed)
    assert card["signed"]["verdict"] == "unknown" and "plan-sign-unknown" in warnings(card)
    for broken in (failure("network"), "crash", result(verdict="perhaps"), result()):
        bed.script("sign", broken)
        assert plan(bed)["signed"]["verdict"] == "unknown"


def test_newest_is_not_signed_but_an_older_one_is(bed):
    bed.offer(build_of(bed, "21G80"), build_of(bed, "21G79"), build_of(bed, "21G78"), build_of(bed, "21G77"))
    check_answers(bed, "21G79")
    bed.sign("not-signed", NOT_SIGNED)
    bed.script("sign-21G79", result(verdict="signed", manifest_sha256=MANIFEST))
    card = plan(bed)
    assert card["firmware"]["build"] == "21G79" and card["signed"]["verdict"] == "signed"
    assert "plan-sign-older-taken" in warnings(card) and len(bed.requests("sign")) == 2
    # what is not known is not passed over: nobody said no
    bed.script("sign-21G80", result(verdict="unknown"))
    check_answers(bed, "21G80")
    card = plan(bed)
    assert card["firmware"]["build"] == "21G80" and "plan-sign-older-taken" not in warnings(card)


def test_none_of_the_newest_three_is_signed(bed):
    bed.offer(*(build_of(bed, f"21G{80 - i}") for i in range(5)))
    bed.sign("not-signed", NOT_SIGNED)
    text = refused(bed, "not-signed")
    assert "21G80" in text and "21G78" in text and "21G77" not in text
    assert len(bed.requests("sign")) == 3 and not bed.requests("check")
    assert "21G80" in refused(bed, "not-signed", "firmware")


def test_named_build_that_is_not_signed_may_only_be_kept(bed):
    bed.sign("not-signed", NOT_SIGNED)
    assert NOT_SIGNED in refused(bed, "not-signed", build=bed.firmware["build"])
    card = plan(bed, "firmware", build=bed.firmware["build"])
    assert card["signed"]["verdict"] == "not-signed" and "plan-sign-no" in warnings(card)


def test_sources_that_disagree_stop_automatic_use(bed):
    bed.offer(build_of(bed, "21G80", conflict=True), bed.firmware)
    for goal in ("update", "erase", "firmware"):
        text = refused(bed, "bad-file", goal)
        assert "disagree" in text and "21G80" in text
    refused(bed, "bad-file", build="21G80")
    assert not bed.requests("sign")
    assert plan(bed, build=bed.firmware["build"])["firmware"]["build"] == bed.firmware["build"]
    # behind one that is sure it does no harm
    bed.offer(bed.firmware, build_of(bed, "21E200", conflict=True))
    assert plan(bed)["firmware"]["build"] == bed.firmware["build"]


def test_update_takes_nothing_older(bed):
    bed.offer(build_of(bed, "21F10", "17.4"), build_of(bed, "21E1", "17.3"))
    text = refused(bed, "refused")
    assert "17.5" in text and "17.4" in text and "17.3" not in text and not bed.requests("sign")
    # of one version the build decides
    bed.offer(build_of(bed, "21F78", "17.5"))
    assert "21F79" in refused(bed, "refused")
    check_answers(bed, "21F78")
    assert plan(bed, "erase")["firmware"]["build"] == "21F78"


@pytest.mark.parametrize("answer", [
    result(), result(firmwares={}), result(firmwares=[{"build": "21F90"}]), result(firmwares=[1]),
    result(firmwares=[{"build": "21F90", "url": "https://x/y", "name": "../y"}]),
])
def test_catalogue_that_talks_nonsense(bed, answer):
    bed.script("catalogue", answer)
    refused(bed, "protocol")


def test_catalogue_that_knows_nothing(bed):
    bed.offer()
    assert "iPhone14,5" in refused(bed, "unsupported")


def test_old_catalogue_and_something_newer_are_told(bed):
    sources = [{"name": "image", "state": "built-in"}, {"name": "ipsw.me", "state": "failed"},
               {"name": "apple", "state": "failed"}]
    bed.offer(bed.firmware, sources=sources, catalogue_age_s=40 * 86400)
    assert {"plan-warning-no-source", "plan-warning-old-catalogue"} <= warnings(plan(bed))
    sources[1]["state"] = "answered"
    bed.offer(bed.firmware, sources=sources, newest_offered={"version": "17.6", "build": "21G80"})
    found = warnings(plan(bed))
    assert "plan-warning-newer" in found and "plan-warning-no-source" not in found
    bed.offer(bed.firmware, sources=sources, newest_offered={"version": "17.5.1", "build": BUILD_OF_BED})
    assert "plan-warning-newer" not in warnings(plan(bed))


def test_brought_file_is_asked_about_by_its_path(bed):
    path = bed.folder / "mine.ipsw"
    path.write_bytes(b"x" * 6)
    card = plan(bed, file=str(path))
    assert bed.requests("sign")[-1]["path"] == str(path) and "url" not in bed.requests("sign")[-1]
    assert card["signed"]["verdict"] == "signed"
    assert [step["kind"] for step in card["steps"]][:3] == ["network", "sign", "check"]
    bed.sign("not-signed", NOT_SIGNED)
    assert NOT_SIGNED in refused(bed, "not-signed", file=str(path))


def test_product_without_a_phone_asks_nobody(bed):
    reply, error = bed.call("Plan", product="iPhone14,5", goal="firmware")
    assert error is None and "signed" not in reply["plan"] and not bed.requests("sign")


def test_network_that_cannot_carry_a_restore(bed):
    """Told in words, before the phone was touched; a second look forgives a moment's weakness."""
    text = "This computer's clock is wrong: it says 2001-01-01, another says 2026-11-22."
    bed.network(("gs.apple.com", "clock", text))
    job = bed.begin("update")
    failed = bed.until_state(job, "failed")
    assert failed["exit"] == 10 and failed["error"]["text"] == text and failed["error"]["next"]
    assert failed["data"] == "kept" and bed.phones()[0]["mode"] == "normal"
    assert len(bed.requests("network")) == 2 and not bed.requests("fetch") and not bed.requests("mode")
    text = "A login page or a filter of this network answers in place of gs.apple.com."
    bed.network(("gs.apple.com", "captive-portal", text))
    job = bed.begin("update")
    weak = bed.until_job(job, lambda now: "error" in now["steps"][0])
    assert weak["steps"][0]["error"]["text"] == text and weak["state"] == "running"
    bed.network()
    bed.until_step(job, "enter-recovery")
    assert bed.requests("network")[-1]["hosts"] == ["gs.apple.com", "gg.apple.com", "updates.cdn-apple.com"]
    bed.call("Cancel", id=job)


def test_server_that_only_the_phone_asks_stops_nothing(bed):
    """It is told of, and the job goes on."""
    bed.network(("gg.apple.com", "silent", "gg.apple.com does not answer in time."))
    job = bed.begin("update")
    job_now = bed.until_step(job, "enter-recovery")
    (step,) = [one for one in job_now["steps"] if one["kind"] == "network"]
    assert step["state"] == "done" and "only the phone itself asks" in step["found"]
    assert "gg.apple.com does not answer in time" in step["found"]
    bed.call("Cancel", id=job)


def test_probe_that_fails_itself_is_no_evidence(bed):
    bed.script("network", "crash")
    job = bed.begin("update")
    job_now = bed.until_step(job, "enter-recovery")
    (step,) = [one for one in job_now["steps"] if one["kind"] == "network"]
    assert step["state"] == "done" and "could not be tried out" in step["found"]
    bed.call("Cancel", id=job)


def test_keys_of_new_systems_need_their_server(bed):
    bed.offer(build_of(bed, "22C152", "18.2"))
    check_answers(bed, "22C152", "18.2")
    job = bed.begin("update")
    bed.until_step(job, "enter-recovery")
    assert "wkms-public.apple.com" in bed.requests("network")[-1]["hosts"]
    bed.call("Cancel", id=job)


def hold_before_check(bed, goal="update"):
    """A job whose download waits: what the later steps are told can still be chosen."""
    fetch = (bed.folder / "fetch").read_text().strip().splitlines()
    bed.script("fetch", bed.gate("fetched"), *fetch)
    job = bed.begin(goal)
    bed.until_step(job, "fetch")
    return job


def test_signature_that_ended_after_the_plan(bed):
    job = hold_before_check(bed)
    bed.sign("not-signed", NOT_SIGNED)
    bed.open_gate("fetched")
    failed = bed.until_state(job, "failed")
    assert failed["exit"] == 8 and failed["error"]["text"] == NOT_SIGNED and failed["data"] == "kept"
    assert not bed.requests("mode") and not bed.requests("restore")


def test_check_asks_for_the_digests_only_with_a_ticket(bed):
    job = hold_before_check(bed)
    bed.sign("unknown", "nobody answers")
    check_answers(bed, BUILD_OF_BED, proof={**PROOF, "level": 2, "digests": {"matched": 0, "skipped": 0}})
    bed.open_gate("fetched")
    now = bed.until_step(job, "enter-recovery")
    assert bed.requests("check")[-1]["level"] == 2 and "level" not in bed.requests("check")[0]
    (step,) = [one for one in now["steps"] if one["kind"] == "sign"]
    assert "nobody answers" in step["found"] and now["proof"]["firmware"]["ticket"] is False
    bed.call("Cancel", id=job)


def test_proof_of_a_file_that_is_at_odds_with_its_list(bed):
    """Apple publishes it so; that is told, and is no proof of the list."""
    check_answers(bed, BUILD_OF_BED, proof={**PROOF, "level": 2, "digests": {"matched": 5, "skipped": 2, "unlike": 1}})
    now = bed.until_step(bed.begin("update"), "enter-recovery")
    assert now["proof"]["firmware"] == {"level": 2, "hash": True, "members": 9, "crc": 9, "matched": 5, "skipped": 2,
                                        "unlike": 1, "ticket": False}
    bed.call("Cancel", id=now["id"])


def test_proof_with_a_ticket(bed):
    job = bed.begin("update")
    now = bed.until_step(job, "enter-recovery")
    assert bed.requests("check")[-1]["level"] == 3
    proof = now["proof"]["firmware"]
    assert proof == {"level": 3, "hash": True, "members": 9, "crc": 9, "matched": 7, "skipped": 2, "ticket": True}
    bed.call("Cancel", id=job)


@pytest.mark.parametrize("answer", [
    {"proof": {**PROOF, "level": 1}}, {"manifest_sha256": "6" * 64}, {"variants": []},
])
def test_nothing_is_installed_on_half_a_proof(bed, answer):
    job = hold_before_check(bed)
    check_answers(bed, BUILD_OF_BED, **answer)
    bed.open_gate("fetched")
    failed = bed.until_state(job, "failed")
    assert failed["exit"] in {7, 70} and failed["data"] == "kept" and not bed.requests("mode")


def test_pause_survives_a_new_service(bed):
    bed.script("fetch", event("progress", done=3, total=6, rate=1000, left_s=7, **{"from": "updates.cdn-apple.com"}),
               "hang")
    job = bed.begin("update")
    shown = bed.until_job(job, lambda now: now.get("progress", {}).get("done") == 3)["progress"]
    assert (shown["rate"], shown["remaining_s"], shown["from"]) == (1000, 7, "updates.cdn-apple.com")
    reply, error = bed.call("Resume", id=job)
    assert error == "Refused" and "not paused" in reply["text"] and "phone" not in reply["next"]
    reply, error = bed.call("Pause", id=job)
    assert error is None and reply["job"]["state"] == "paused"
    assert "resume" in reply["job"]["guidance"] and "rate" not in reply["job"]["progress"]
    assert bed.call("Pause", id=job)[1] == "Refused"
    bed.kill()
    paused = bed.job(job)
    assert paused["state"] == "paused" and len(bed.requests("fetch")) == 1
    assert bed.call("Start", phone=bed.anna.key, goal="restart")[0]["kind"] == "busy"
    bed.all_is_well()
    assert bed.call("Resume", id=job)[1] is None
    now = bed.until_step(job, "enter-recovery")
    (step,) = [one for one in now["steps"] if one["kind"] == "fetch"]
    assert step["attempt"] == 1 and len(bed.requests("fetch")) == 2
    reply, error = bed.call("Pause", id=job)
    assert error == "Refused" and "only a download" in reply["text"]
    bed.call("Cancel", id=job)


def test_paused_job_can_be_cancelled(bed):
    bed.script("fetch", "hang")
    job = bed.begin("update")
    bed.until_step(job, "fetch")
    assert bed.call("Pause", id=job)[1] is None
    assert bed.call("Cancel", id=job)[0]["job"]["state"] == "cancelled"
    assert bed.call("Resume", id=job)[1] == "Refused" and "job" not in bed.phones()[0]


def test_file_that_another_job_downloads_is_waited_for(bed):
    bed.script("fetch", failure("busy", "somebody else downloads it"))
    job = bed.begin("update")
    waits = bed.until_job(job, lambda now: "Another job" in now.get("guidance", ""))
    assert waits["state"] == "running"
    bed.all_is_well()
    now = bed.until_step(job, "enter-recovery")
    (step,) = [one for one in now["steps"] if one["kind"] == "fetch"]
    assert step["attempt"] == 1
    bed.call("Cancel", id=job)


def keep(bed, build, sha1="1" * 40, size=6):
    """A file of this build lies in the cache, as a job has left it."""
    folder = bed.storage / "firmware"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{sha1}.ipsw"
    path.write_bytes(b"x" * 6)
    os.truncate(path, size)
    note = {**build_of(bed, build), "v": 2, "sha1": sha1, "size": size, "verified": True, "verified_level": 1,
            "mtime_ms": path.stat().st_mtime_ns // 1_000_000, "verified_ms": int(time.time() * 1000)}
    (folder / f"{path.name}.json").write_text(json.dumps(note))
    return path


def test_file_that_came_since_the_plan_is_hashed(bed):
    """The power failed after the download, before the journal knew of it: what the note says is not believed."""
    bed.script("fetch", "hang")
    job = bed.begin("update")
    until("the file is asked for", lambda: bed.requests("fetch"))
    assert "rehash" not in bed.requests("fetch")[0]
    keep(bed, BUILD_OF_BED, sha1=bed.firmware["sha1"])
    bed.kill()
    until("the file is asked for again", lambda: len(bed.requests("fetch")) == 2)
    assert bed.requests("fetch")[1]["rehash"] is True
    bed.call("Cancel", id=job)


def test_disk_of_a_download_without_bytes_stays(bed):
    """A job will put its file there, though none lies there yet: the disk is not left."""
    disk = bed.folder / "disks/1234-ABCD/idevicerescue-firmware"
    disk.mkdir(parents=True)
    bed.storage.mkdir(exist_ok=True)
    (bed.storage / "settings.json").write_text(json.dumps({"v": 1, "cache": str(disk), "disk": "1234-ABCD"}))
    bed.script("fetch", "hang")
    job = bed.begin("update")
    until("the file is asked for", lambda: bed.requests("fetch"))
    assert bed.call("Pause", id=job)[1] is None and list(disk.glob("*.ipsw*")) == []
    reply, error = bed.call("UseCache", use="off")
    assert error == "Refused" and reply["kind"] == "busy", reply
    bed.call("Cancel", id=job)


def offer_that_needs_room(bed):
    """Two files are there, and must go for the one that is offered."""
    disk = os.statvfs(bed.folder)
    size = disk.f_bavail * disk.f_frsize - 100 * MIB
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if size + (4 << 30) > memory:
        pytest.skip("the memory is too small for a firmware as large as its temporary files may be")
    first, second = (keep(bed, build, digit * 40, 300 * MIB) for build, digit in (("21A1", "a"), ("21A2", "b")))
    os.utime(first, (1, 1))
    bed.offer(build_of(bed, BUILD_OF_BED, size=size))
    held = {"version": "17.6", "build": BUILD_OF_BED, "size": size, "name": "x.ipsw"}
    check_answers(bed, BUILD_OF_BED, firmware=held)
    return first, second


def held_before_room_is_made(bed):
    """A job that will delete two files, and waits before that."""
    first, second = offer_that_needs_room(bed)
    network = (bed.folder / "network").read_text().strip()
    bed.script("network", bed.gate("room"), network)
    reply, error = bed.call("Start", phone=bed.anna.key, goal="update")
    assert error == "Refused" and reply["kind"] == "no-consent" and "plan" in reply["next"], reply
    assert {drop["file"] for drop in plan(bed)["drops"]} == {first.name, second.name}
    job = bed.begin("update")
    bed.until_step(job, "network")
    return job, first, second


def test_files_of_another_folder_were_not_named(bed):
    first, second = offer_that_needs_room(bed)
    assert len(plan(bed)["drops"]) == 2
    other = bed.folder / "other"
    shutil.copytree(first.parent, other, copy_function=os.link)  # the same names, on another disk
    reply, error = bed.call("UseCache", use=str(other))
    assert error is None, reply
    reply, error = bed.call("Start", phone=bed.anna.key, goal="update")
    assert error == "Refused" and reply["kind"] == "no-consent", reply


def test_nothing_but_the_named_files_goes(bed):
    """What the card named has become something else meanwhile: that stays."""
    job, first, second = held_before_room_is_made(bed)
    part = first.rename(first.with_name(first.name + ".part"))
    bed.open_gate("room")
    bed.until_step(job, "make-room", "done")
    assert part.exists() and not second.exists()
    bed.call("Cancel", id=job)


def test_what_went_before_it_failed_is_in_the_journal(bed):
    job, first, second = held_before_room_is_made(bed)
    with open(second, "rb") as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        bed.open_gate("room")
        failed = bed.until_state(job, "failed")
    assert "in use" in failed["error"]["text"] and second.exists() and not first.exists()
    (note,) = [entry for entry in bed.journal(job) if entry.get("kind") == "dropped"]
    assert [drop["file"] for drop in note["fields"]["dropped"]] == [first.name]


@pytest.mark.parametrize("what", ["no catalogue", "nothing but the catalogue"])
def test_without_a_network_the_cache_is_taken(bed, what):
    path = keep(bed, "21G79")
    if what == "no catalogue":
        bed.script("catalogue", failure("network", "nobody answers"))
    else:
        bed.offer(build_of(bed, "21G80"), sources=[{"name": "image", "state": "built-in"},
                                                   {"name": "apple", "state": "failed"}])
        bed.script("check-21G80", failure("network", "no route"))
    bed.sign("unknown", "nobody answers")
    check_answers(bed, "21G79")
    card = plan(bed)
    assert card["firmware"]["build"] == "21G79" and card["firmware"]["path"] == str(path)
    assert {"plan-warning-offline", "plan-sign-unknown"} <= warnings(card)
    assert bed.requests("sign")[-1]["path"] == str(path)
    refused(bed, "network" if what == "no catalogue" else "unsupported", build="21E200")


# --- the whole product ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def both(store, ipsws):
    """Servers of their own, which know an older firmware, too."""
    older = store / "older.ipsw"
    build(older, boards=[PHONE], version=OLDER[0], build=OLDER[1], image_bytes=MIB, cryptex_bytes=MIB // 2)
    (store / "both").mkdir()
    with Apple(store / "both", files=[ipsws(PHONE), older]) as apple:
        yield apple


@pytest.fixture
def world(folder, apple, known):
    """world(servers) → the product beside a phone in recovery, which must be found as it was; by default its servers
    know one firmware for it."""
    def make(servers=apple):
        return untouched(Rescue(folder, servers, ipsw=known, mode="recovery"))
    return make


def card_of(rescue, goal="erase", *more):
    return rescue.ok("plan", rescue.ecid, goal, *more)["plan"]


def test_plan_by_real_workers_is_signed(world, apple):
    with world() as rescue:
        card = card_of(rescue)
        assert card["signed"]["verdict"] == "signed" and card["firmware"]["build"] == BUILD
        assert {"apple", "ipsw.me"} <= set(card["firmware"]["sources"].split())
        (asked,) = apple.tss.record.entries()
        assert int(str(asked["ecid"]), 0) == int(rescue.phone.state()["ecid"], 0)
        told = rescue.run("plan", rescue.ecid, "erase").stdout
        assert "yes, by Apple, for this very phone" in told and "Apple's list" in told


def test_refusal_that_contradicts_the_sources(world, apple):
    """Two sources call it current: then it may be our fault, and nobody says that Apple no longer signs."""
    with world() as rescue:
        apple.tss.behave("94")
        card = card_of(rescue, "update")
        assert card["signed"]["verdict"] == "unknown" and "isagree" in card["signed"]["text"]
        assert "plan-sign-unknown" in warnings(card)


def test_refusal_that_nothing_contradicts(world, apple):
    with world() as rescue:
        apple.catalogue.behave("unsigned", where={"source": "ipswme"})
        apple.catalogue.behave("close", where={"source": "appledb"})
        apple.tss.behave("94")
        result_of = rescue.json("plan", rescue.ecid, "update")
        assert result_of["exit"] == 8, result_of
        assert rescue.json("restore", rescue.ecid, "--update")["exit"] == 8 and rescue.jobs() == []


def test_older_build_that_is_signed_is_taken(world, both):
    with world(both) as rescue:
        both.catalogue.behave("unsigned", where={"source": "ipswme"})
        both.catalogue.behave("close", where={"source": "appledb"})
        both.tss.behave("94", where={"build": BUILD})
        card = card_of(rescue)
        assert card["firmware"]["build"] == OLDER[1] and "plan-sign-older-taken" in warnings(card)


@pytest.mark.parametrize("source", ["ipswme", "apple", "appledb"])
def test_dead_source_blocks_nothing(world, apple, source):
    with world() as rescue:
        apple.catalogue.behave("close", where={"source": source})
        assert card_of(rescue, "update")["firmware"]["build"] == BUILD


def test_lying_source_stops_automatic_use(world, apple, known):
    with world() as rescue:
        apple.catalogue.behave("hostile_hash", where={"source": "apple"})
        result_of = rescue.json("plan", rescue.ecid, "update")
        assert result_of["exit"] == 7 and "disagree" in result_of["error"]["text"], result_of
        assert rescue.json("plan", rescue.ecid, "update", "--build", BUILD)["exit"] == 7
        brought = card_of(rescue, "update", "--file", known)
        assert brought["signed"]["verdict"] == "signed"


def test_dead_signing_server_is_found_before_the_phone_is_touched(world, apple):
    with world() as rescue:
        apple.tss.behave("close")
        card = card_of(rescue, "update")
        assert card["signed"]["verdict"] == "unknown"
        ended = rescue.json("restore", rescue.ecid, "--update")
        assert ended["exit"] == 10, ended
        kinds = {step["kind"]: step["state"] for step in ended["job"]["steps"]}
        assert kinds["network"] == "failed" and kinds["fetch"] == "waiting"


def committed(rescue):
    """Bytes of the download that the disk is known to have."""
    states = [json.loads(path.read_text()) for path in (rescue.storage / "firmware").glob("*.part.json")]
    return states[0]["committed"] if states else 0


@pytest.fixture(scope="module")
def large(store, ipsws):
    """Servers that know a firmware which takes some seconds to come."""
    (store / "large").mkdir()
    with Apple(store / "large", files=[ipsws(PHONE, image_bytes=40 * MIB)]) as apple:
        yield apple


def test_pause_resume_and_cancel_keep_what_has_come(world, large):
    large.firmware.behave("rate", bytes_per_second=200_000)
    for start in (0, 8 * MIB):  # what is written in order comes at once, the rest does not end
        large.firmware.behave("ok", where={"range": f"bytes={start}-{start + 8 * MIB - 1}"})
    with world(large) as rescue:
        name = rescue.start("firmware", "get", rescue.ecid)
        until("some of it is on the disk", lambda: committed(rescue) > 0)
        told = rescue.run("job", "show", name).stdout
        assert "from updates.cdn-apple.com" in told and "a second" in told
        told = rescue.run("job", "pause", name)
        assert told.returncode == 0 and f"job resume {name}" in told.stdout
        until("the worker has ended", lambda: not rescue.workers("fetch"))
        kept = committed(rescue)
        assert rescue.job(name)["state"] == "paused" and kept > 0
        assert rescue.json("job", "pause", name)["exit"] == 5
        rescue.ok("job", "resume", name, "--no-wait")
        rescue.until_job(name, lambda job: job.get("progress", {}).get("done", 0) >= kept)
        assert rescue.ok("job", "cancel", name)["job"]["state"] == "cancelled"
        until("the worker has ended", lambda: not rescue.workers("fetch"))
        assert committed(rescue) >= kept
        large.firmware.behave_normally()
        large.firmware.record.clear()
        assert rescue.json("firmware", "get", rescue.ecid)["exit"] == 0
        size = large.registry.firmwares()[0].size
        assert 0 < large.firmware.sent() <= size - kept + MIB  # and its lists, read beforehand


def spoil_member(path, suffix):
    """One byte of a member is changed; size and time of change stay."""
    with zipfile.ZipFile(path) as archive:
        (info,) = [one for one in archive.infolist() if one.filename.endswith(suffix)][:1]
    stat = path.stat()
    with open(path, "r+b") as file:
        file.seek(info.header_offset + 26)
        lengths = file.read(4)
        start = info.header_offset + 30 + int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little")
        file.seek(start + info.compress_size // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_stick_that_went_bad_is_found_before_the_phone_is_touched(world):
    """The note still says that the file is right, and its size and time are as they were."""
    with world() as rescue:
        rescue.ok("firmware", "get", rescue.ecid)
        (whole,) = (rescue.storage / "firmware").glob("*.ipsw")
        spoil_member(whole, ".dmg")
        ended = rescue.json("restore", rescue.ecid, "--update")
        assert ended["exit"] == 7, ended
        kinds = {step["kind"]: step["state"] for step in ended["job"]["steps"]}
        assert kinds["check"] == "failed" and kinds["update"] == "waiting" and ended["job"]["data"] == "kept"
