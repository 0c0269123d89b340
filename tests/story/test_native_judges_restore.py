# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated phone's restore before its judge, the unmodified idevicerestore, with pretended Apple servers.

Erase and update from every mode on five phones; twelve at once; what a phone asks for besides; and the two ways in
which the engine deceives who calls it: it erases where it was to update, and ends well where it failed. Its failures:
test_native_judges_restore_failures.py. Best run with several workers (pytest -n 6): the engine mostly waits.
"""

import concurrent.futures
import pathlib
import signal
import tempfile

import pytest

from restore_judge import FAILED, FINISHED, MIB, PHONE, PHONES, Restore

pytest_plugins = ["restore_fixtures"]

RESTORE_SECONDS, QUICK_TRIES = 15, 4
AT_ONCE = 12
MINIMUM = {"mode": "recovery", "restore_steps": "minimum"}
UPGRADE = "Customer Upgrade Install (IPSW)"


def restore_one(folder, ipsw, apple, product, mode, erase):
    """One whole restore, and what is true of phone and log after it."""
    with Restore(folder, ipsw, apple, product=product, mode=mode) as phone:
        if mode == "normal":
            phone.pair()
        before = phone.state()
        done = phone.run(erase=erase)
        assert done.finished, done.tail()
        done_at = phone.number_of(phone.wait_event("restored", kind="erase" if erase else "update"))
        phone.wait_event("attach", mode="normal", after=done_at)
        after = phone.state()
        check_phone(phone, before, after, product, erase)
        return done.seconds


def check_phone(phone, before, after, product, erase):
    assert after["mode"] == "normal" and not after["partial"] and after["auto_boot"]
    assert (after["version"], after["build"]) == PHONES[product] != (before["version"], before["build"])
    assert (after["erases"], after["updates"]) == (int(erase), int(not erase))
    assert before["files"] > 0
    if erase:
        assert after["files"] == 0 and after["hosts"] == 0
    else:
        assert after["files_digest"] == before["files_digest"] and after["host_ids"] == before["host_ids"]
    assert not phone.seen("answer", verdict="bad") and not phone.seen("image", verdict="bad")
    image = phone.seen("system-image")[-1]
    assert image["verdict"] == "good" and image["bytes"] == 2 * MIB


@pytest.mark.parametrize("kind", ["erase", "update"])
@pytest.mark.parametrize("mode", ["normal", "recovery", "dfu"])
@pytest.mark.parametrize("product", PHONES)
def test_restore(folder, ipsws, apple, product, mode, kind):
    restore_one(folder, ipsws(product), apple, product, mode, kind == "erase")


def test_restore_is_quick(ipsws, apple):
    """Other stories run beside it: the quickest of some counts."""
    def seconds():
        with tempfile.TemporaryDirectory(prefix="p", dir="/tmp") as path:
            return restore_one(pathlib.Path(path), ipsws(PHONE), apple, PHONE, "normal", False)
    assert any(seconds() <= RESTORE_SECONDS for _ in range(QUICK_TRIES))


def test_twelve_at_once(ipsws, apple):
    """Each with its own bus and socket, one set of servers."""
    cases = [(product, mode, erase) for product in PHONES for mode in ("recovery", "dfu")
             for erase in (True, False)][:AT_ONCE]

    def one(case):
        product, mode, erase = case
        with tempfile.TemporaryDirectory(prefix="p", dir="/tmp") as path:
            return restore_one(pathlib.Path(path), ipsws(product), apple, product, mode, erase)
    for product in PHONES:
        ipsws(product)
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        assert len(list(pool.map(one, cases))) == AT_ONCE


def test_same_version_by_deflated_image(folder, ipsws, apple):
    """The engine unpacks the image first; the phone sees the same bytes."""
    ipsw = ipsws("iPad12,1", deflate=True)
    restore_one(folder, ipsw, apple, "iPad12,1", "recovery", False)


def test_proxy_reaches_a_server(folder, ipsws, apple):
    """The phone's way into the network: through the host, to a server that answers."""
    with Restore(folder, ipsws(), apple, product=PHONE, mode="recovery",
                 fdr_host=f"127.0.0.1:{apple.port('gg', 'http')}") as phone:
        done = phone.run()
        assert done.finished, done.tail()
        assert [entry["status"] for entry in phone.seen("proxy-answer")] == [200, 200]


def test_second_try_after_a_failure(folder, ipsws, apple):
    """A phone whose restore failed stands in recovery, does not boot, tells of it, and can be restored."""
    with Restore(folder, ipsws(), apple, product=PHONE, mode="recovery", fail_at="restore_images:14") as phone:
        done = phone.run()
        assert done.status == 1 and "Status: Fail" in done.out, done.tail()
        phone.wait_event("attach", mode="recovery", after=phone.number_of(phone.seen("restore-failed")[-1]))
        state = phone.state()
        assert state["partial"] and state["erases"] == 0 and not state["auto_boot"]
        phone.control("set fail_at ")
        done = phone.run()
        assert done.finished, done.tail()
        assert "Previous restore exit status: 14" in done.out
        assert phone.state()["erases"] == 1


def image_elsewhere(manifest):
    for identity in manifest["BuildIdentities"]:
        identity["Manifest"]["OS"]["Info"]["Path"] = "nowhere.dmg"


def test_image_that_the_phone_cannot_compare_is_not_good(folder, ipsws, apple):
    """The phone's own file lacks the image: what streams in is right, and nobody can know that."""
    with Restore(folder, ipsws(), apple, product=PHONE, truth=ipsws(rewrite=image_elsewhere), **MINIMUM) as phone:
        done = phone.run()
        assert not done.finished, done.tail()
        assert phone.seen("restore-failed", why="asr: the phone has no image to compare with")
        assert phone.state()["erases"] == 0


# ---- what a phone asks for besides


def restored(folder, ipsw, apple, **settings):
    """The log, the output and the events of an erase from recovery that must succeed."""
    with Restore(folder, ipsw, apple, product=PHONE, **{"mode": "recovery", **settings}) as phone:
        done = phone.run()
        assert done.finished, done.tail()
        assert phone.state()["erases"] == 1 and not phone.seen("answer", verdict="bad")
        return done, phone.events()


def of(events, name, **fields):
    return [event for event in events if event["event"] == name and fields.items() <= event.items()]


def test_unknown_request_is_no_failure(folder, ipsws, apple):
    """A newer system asks for what the engine does not know; whoever waits for the answer waits for ever."""
    done, _ = restored(folder, ipsws(), apple)
    assert "Unknown data request 'HostSystemTime' received" in done.out


def test_no_proxy_is_no_failure(folder, ipsws, apple):
    done, _ = restored(folder, ipsws(), apple, **MINIMUM, fdr="refuse")
    assert "Could not create Reverse Proxy" in done.out


@pytest.mark.parametrize("fdr", ["old", "none"])
def test_proxy_of_old_phones(folder, ipsws, apple, fdr):
    """The engine turns to protocol 1 when BeginCtrl is refused, or not answered."""
    address = {"fdr_host": f"127.0.0.1:{apple.port('gg', 'http')}"} if fdr == "old" else {}
    done, events = restored(folder, ipsws(), apple, fdr=fdr, **address)
    assert "Device didn't accept new reverse proxy protocol, trying to use old one" in done.out
    assert "giving up" not in done.out
    assert [event["status"] for event in of(events, "proxy-answer")] == [200, 200] * (fdr == "old")


def test_key_of_an_encrypted_image(folder, ipsws, apple):
    """An image that begins as an encrypted archive: the engine waits for the phone to ask for its key."""
    url = f"http://127.0.0.1:{apple.port('gg', 'http')}/key"
    done, events = restored(folder, ipsws(aea_magic=True), apple, url_asset=url)
    assert done.out.count(f"Requesting URLAsset from {url}") == 2
    assert of(events, "key", verdict="good") and of(events, "answer", data_type="URLAsset", verdict="good")
    assert of(events, "answer", about="Cryptex1,SystemOS", verdict="good")


def test_encrypted_image_whose_key_nobody_wants(folder, ipsws, apple):
    done, _ = restored(folder, ipsws(aea_magic=True), apple)
    assert "No URLAsset requested, assuming it is not necessary." in done.log


def test_early_access_firmware(folder, ipsws, apple):
    """No manifest at hand has such a component: an entry for the iBoot of early systems is marked as one."""
    _, events = restored(folder, ipsws(rewrite=early_access), apple)
    assert [(event["about"], event["verdict"]) for event in of(events, "answer", data_type="EANData")] == \
        [("IsEarlyAccessFirmware", "good")]
    assert [event["about"] for event in of(events, "ask", data_type="EANData")][1:] == ["LLB"]


def early_access(manifest):
    for identity in manifest["BuildIdentities"]:
        identity["Manifest"]["LLB"]["Info"]["IsEarlyAccessFirmware"] = True


# ---- the trap


def update_without_identity(phone, mode):
    """Runs the engine without -e on an IPSW that has only the erase identity; what it said."""
    if mode == "normal":
        phone.pair()
    assert phone.state()["files"] > 0
    return phone.run(erase=False)


@pytest.mark.parametrize("mode", ["normal", "recovery", "dfu"])
def test_update_erases_without_upgrade_identity(folder, ipsws, apple, mode):
    """No -e, no question, exit 0: and the user's data is gone. The engine takes the board's first identity."""
    product = "iPhone8,1"
    with Restore(folder, ipsws(product, variants=("erase",)), apple, product=product, mode=mode) as phone:
        done = update_without_identity(phone, mode)
        assert done.finished, done.tail()
        phone.wait_event("restored", kind="erase")
        after = phone.state()
        assert (after["files"], after["hosts"], after["erases"], after["updates"]) == (0, 0, 1, 0)


@pytest.mark.parametrize("mode", ["normal", "recovery"])
def test_update_destroys_without_upgrade_identity(folder, ipsws, apple, mode):
    """The same from iOS 16 on: asked for the identity later it sends none. The data is gone, and so is the system."""
    with Restore(folder, ipsws(variants=("erase",)), apple, product=PHONE, mode=mode) as phone:
        done = update_without_identity(phone, mode)
        assert done.status == 1 and FAILED in done.out, done.tail()
        assert phone.seen("restore-failed", why="the build identity is not the one of this install")
        after = phone.state()
        assert (after["files"], after["hosts"], after["erases"], after["updates"]) == (0, 0, 0, 0)
        assert after["partial"] and not after["auto_boot"]


@pytest.mark.parametrize("mode", ["normal", "recovery"])
def test_exact_variant_never_erases(folder, ipsws, apple, mode):
    with Restore(folder, ipsws(variants=("erase",)), apple, product=PHONE, mode=mode) as phone:
        if mode == "normal":
            phone.pair()
        before = phone.state()
        done = phone.run(erase=False, variant=UPGRADE)
        assert done.status == 1 and "Unable to find a matching build identity" in done.out, done.tail()
        assert {**phone.state(), "sessions": before["sessions"]} == before


# ---- exit 0 and DONE, and nothing was restored


def left_midway(phone, done):
    assert done.status == 0 and FINISHED not in done.out and not done.finished, done.tail()
    phone.wait_event("attach", mode="recovery", after=phone.number_of(phone.wait_event("restore-failed")))
    state = phone.state()
    assert state["erases"] == state["updates"] == 0 and not state["auto_boot"]
    assert state["version"] != PHONES[PHONE][0]
    return state


def test_false_success_by_a_signal(folder, ipsws, apple):
    with Restore(folder, ipsws(), apple, product=PHONE, mode="recovery", time_scale_percent=100,
                 gap_ms=1000, boot_ms=1000) as phone:
        process = phone.engine()
        try:
            phone.wait_event("checkpoint", name="wait_for_storage", complete=0)
            process.send_signal(signal.SIGTERM)
            status = process.wait(90)
        finally:
            process.kill()
            process.wait()
        left_midway(phone, phone.done(status, 0))


def test_false_success_by_an_option(folder, ipsws, apple):
    """-x: it leaves at the first NORData, before anything was erased."""
    with Restore(folder, ipsws(), apple, product=PHONE, mode="recovery") as phone:
        before = phone.state()
        state = left_midway(phone, phone.run(arguments=["-x"]))
        assert state["files_digest"] == before["files_digest"] and not state["auto_boot"]
