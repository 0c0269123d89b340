# SPDX-License-Identifier: GPL-3.0-or-later
"""The cable is pulled and put back in each step of a restore: told at once, taken up where the phone allows it, else an
end with the next step."""

import pytest

from rescue_bed import ENDS, Rescue, until
from restore_judge import PHONE, PHONES

pytest_plugins = ["restore_fixtures"]

BACK_MS = 2500
LIMIT = 300
PULLS = {  # when: (where the phone begins, fault)
    "entering-recovery": ("normal", f"lockdown got EnterRecovery unplug:{BACK_MS}"),
    "sending-loaders": ("recovery", f"recovery got data 30 unplug:{BACK_MS}"),
    "dfu-upload": ("dfu", f"dfu got byte 30000 unplug:{BACK_MS}"),
    "restore-begins": ("recovery", f"restored got StartRestore unplug:{BACK_MS}"),
    "sending-ios": ("recovery", f"asr got byte 600000 unplug:{BACK_MS}"),
    "firmware": ("recovery", f"restored sent DataRequestMsg/NORData unplug:{BACK_MS}"),
}


def notes(rescue, name):
    return [line.get("kind") for line in rescue.journal(name)]


@pytest.mark.parametrize("when", PULLS)
@pytest.mark.parametrize("goal", ["erase", "update"])
def test_pulled(folder, apple, known, when, goal):
    mode, fault = PULLS[when]
    with Rescue(folder, apple, ipsw=known, mode=mode, trust_after_ms=1, faults=[fault]) as rescue:
        if mode == "normal":
            rescue.pair()
        rescue.until_phone(mode=mode)
        before = rescue.phone.state()
        name = rescue.start_erase() if goal == "erase" else rescue.start("restore", rescue.ecid, "--update")
        job = rescue.until_job(name, lambda one: one["state"] in ENDS | {"asking"}, LIMIT)
        if job["state"] == "asking":
            rescue.ok("job", "answer", name, "--no")
            job = rescue.until_end(name)
        after = rescue.phone.state()
        if job["state"] == "done":
            assert (after["build"], after["erases"], after["updates"]) == (
                PHONES[PHONE][1], int(goal == "erase"), int(goal == "update"))
        else:
            assert job["error"]["next"], job
        if goal == "update":
            assert (after["erases"], after["files_digest"]) == (0, before["files_digest"])
        told = notes(rescue, name)
        assert "phone-left" in told
        if job["state"] == "done":
            assert "phone-back" in told


def test_pulled_while_it_downloads(folder, apple, known):
    """The phone is not needed for that: told, and the job goes on."""
    with Rescue(folder, apple, ipsw=known, mode="recovery", trust_after_ms=1) as rescue:
        rescue.until_phone(mode="recovery")
        apple.firmware.behave("rate", bytes_per_second=1 << 20)
        name = rescue.start("restore", rescue.ecid, "--update")
        rescue.until_job(name, lambda one: (one.get("progress") or {}).get("done", 0) > 0)
        rescue.phone.control("unplug")
        until("it is told", lambda: "phone-left" in notes(rescue, name))
        apple.firmware.behave_normally()
        rescue.phone.control("plug")
        assert rescue.until_end(name, LIMIT)["state"] == "done"
        assert "phone-back" in notes(rescue, name)


def test_pulled_for_good(folder, apple, known):
    """An end with its next step, and the exit code of a lost phone."""
    with Rescue(folder, apple, ipsw=known, mode="recovery", faults=["recovery got data 30 unplug"]) as rescue:
        rescue.until_phone(mode="recovery")
        name = rescue.start("restore", rescue.ecid, "--update")
        told = rescue.until_job(name, lambda one: one["state"] in ENDS or one.get("awaiting") == "phone" and
                                one["steps"][one["step"]]["state"] != "running", LIMIT)
        assert told["state"] == "running", told
        rescue.ok("job", "cancel", name)
        assert rescue.until_end(name)["state"] in {"cancelled", "failed"}
