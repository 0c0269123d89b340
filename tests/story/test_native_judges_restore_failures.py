# SPDX-License-Identifier: GPL-3.0-or-later
"""The failures of the unmodified idevicerestore that a file, a phone or a server can cause.

One row each: what is done, what the engine is known to say and its exit code, and what the phone is left in: its mode,
whether the user's data is still there, whether it can boot its system. IDR_SLOW=1 adds those that wait for more than
40 seconds. Best run with several workers (pytest -n 6): the engine mostly waits.
"""

import os
import subprocess
import time

import pytest

from restore_judge import FAILED, MIB, PHONE, Restore

pytest_plugins = ["restore_fixtures"]

slow = pytest.mark.skipif(os.environ.get("IDR_SLOW") != "1", reason="waits for minutes: IDR_SLOW=1")
LIMIT = 90  # seconds, for one run
SLOW_LIMIT = 420
SETTLED_SECONDS = 10
WAITED_SECONDS = 12  # so long it is looked at an engine that waits for ever
MINIMUM = {"mode": "recovery", "restore_steps": "minimum"}
FULL = {"restore_steps": "full"}
NORMAL, DFU = {"mode": "normal"}, {"mode": "dfu"}

# what the phone is left in: words, all of which must be true
UNTOUCHED = "untouched"  # as it was before, in every respect
KEPT = "kept"            # the user's data is there
GONE = "gone"            # it is not, and no new system stands in its place


def failure(name, text, left, *, status=1, kind="erase", wishes=None, tss=None, phone=None, faults=(), run=None,
            why=None, marks=()):
    """text: words that the output or log must have. left: UNTOUCHED, or the mode and KEPT or GONE.

    wishes: of the IPSW. tss: (behaviour, options). why: the phone's own reason."""
    return pytest.param({"text": [text] if isinstance(text, str) else text, "left": left, "status": status,
                         "kind": kind, "wishes": wishes or {}, "tss": tss, "phone": {**MINIMUM, **(phone or {})},
                         "faults": faults, "run": run or {}, "why": why}, id=name, marks=marks)


def other_board(manifest):
    for identity in manifest["BuildIdentities"]:
        identity["Info"]["DeviceClass"] = "d63ap"


def recovery_variant(manifest):
    for identity in manifest["BuildIdentities"]:
        identity["Info"]["RecoveryVariant"] = "Nonsense"


NO_MANIFEST = "Unable to extract BuildManifest from"
NO_IDENTITY = "Unable to find a matching build identity"
LOST = "Could not read data (-256). Aborting."
UNSUITABLE = "Could not make sure this firmware is suitable for the current device. Refusing to continue."
UNSIGNED = "Unable to get SHSH blobs for this device"
REJECTED = "Device reconnected in Recovery mode, most likely image personalization failed."

BEFORE = [  # the phone is not touched
    failure("unplugged", "Unable to discover device mode", UNTOUCHED, phone={"plugged": "no"}),
    failure("no-file", "cannot be opened.", UNTOUCHED, status=255, run={"ipsw": "nothing.ipsw"}),
    failure("file-cut", "cannot be opened.", UNTOUCHED, status=255, wishes={"damage": ["truncate"]}),
    failure("no-manifest", NO_MANIFEST, UNTOUCHED, wishes={"damage": ["no-manifest"]}),
    # a list that cannot be read counts as one without models
    failure("manifest-cut", UNSUITABLE, UNTOUCHED, wishes={"damage": ["manifest-cut"]}),
    failure("manifest-garbage", UNSUITABLE, UNTOUCHED, wishes={"damage": ["manifest-garbage"]}),
    failure("wrong-model", UNSUITABLE, UNTOUCHED, wishes={"product": "iPad12,1"}),
    failure("wrong-model-normal", UNSUITABLE, UNTOUCHED, wishes={"product": "iPad12,1"}, phone=NORMAL),
    failure("no-identity", NO_IDENTITY, UNTOUCHED, wishes={"rewrite": other_board}),
    failure("no-identity-update", NO_IDENTITY, UNTOUCHED, wishes={"rewrite": other_board}, kind="update"),
    failure("variant-unknown", NO_IDENTITY, UNTOUCHED, run={"variant": "Customer Nonsense"}),
    failure("variant-lost", "Variant 'Nonsense' not found in BuildManifest", UNTOUCHED,
            wishes={"rewrite": recovery_variant}),
    failure("component-missing", ["SEP file ", "not found in IPSW", "Could not find all required components"],
            UNTOUCHED, wishes={"damage": ["missing:SEP"]}),
    failure("component-case", ["not found in IPSW", "Could not find all required components"], UNTOUCHED,
            wishes={"damage": ["case:iBEC"]}),
    failure("no-space", ["failed: No space left on device", "Unable to extract filesystem from IPSW"], UNTOUCHED,
            wishes={"deflate": True}, run={"cache_bytes": MIB}),
    failure("not-signed", ["STATUS=94", UNSIGNED], UNTOUCHED, tss=("94", {})),
    failure("not-signed-normal", ["STATUS=94", UNSIGNED], UNTOUCHED, tss=("94", {}), phone=NORMAL),
    failure("not-signed-dfu", ["STATUS=94", UNSIGNED], UNTOUCHED, tss=("94", {}), phone=DFU),
    failure("enter-recovery-refused", "Unable to place device into recovery mode", UNTOUCHED,
            phone=NORMAL, faults=["lockdown got EnterRecovery error:SetProhibited"]),
]

LOADERS = [  # in the boot ROM and iBoot: data is kept
    failure("normal-pulled", ["Unable to place device into recovery mode"], "normal kept", phone=NORMAL,
            faults=["lockdown got EnterRecovery unplug"]),
    failure("dfu-upload-pulled", "Unable to send iBSS component", "dfu kept", phone=DFU,
            faults=["dfu got byte 30000 unplug"]),
    failure("ibss-rejected", "Possibly invalid iBSS", "dfu kept", phone={**DFU, "dfu_trouble": "no-reset"}),
    failure("ibec-upload-pulled", "Unable to send iBEC component: Unable to upload data to device", "recovery kept",
            faults=["recovery got byte 30000 unplug"]),
    failure("ramdisk-upload-pulled", "Unable to upload data to device", "recovery kept",
            faults=["recovery got byte 900000 unplug"]),
    failure("digest-not-in-ticket", REJECTED, "recovery kept",
            tss=("wrong_digest", {"component": "RestoreDeviceTree"})),
    failure("no-im4p", ["Personalization failed for component", "Tag not found", REJECTED], "recovery kept",
            wishes={"damage": ["im4p:RestoreDeviceTree"]}),
    failure("normal-pulled-behind", "Unable to place device into recovery mode", "recovery kept",
            phone={**NORMAL, "no_reenum": "yes"}, marks=slow),
    failure("ibec-rejected", "Possibly invalid iBEC", "recovery kept", tss=("bad_signature", {}), marks=slow),
    failure("bootx-pulled", "Device failed to enter restore mode.", "recovery kept",
            faults=["recovery got bootx unplug"], marks=slow),
    failure("restored-never-ready", "Device failed to enter restore mode.", "restore kept",
            phone={"restore_never_ready": "yes"}, marks=slow),
]

STATUSES = {6: "Status: Disk Failure", 14: "Status: Fail", 27: "Status: Failed to mount filesystems.",
            50: "Status: Failed to load SEP Firmware.", 53: "Status: Failed to recover FDR data.",
            99: "Unhandled status message (99)",
            1015: "Status: X-Gold Baseband Update Failed. Defective Unit?"}
SAYS = [  # restored says so
    *[failure(f"status-{number}", [text, FAILED], "recovery gone", phone={"restore_status": f"{number}:{number}"})
      for number, text in STATUSES.items()],
    *[failure(f"status-{number}-without-error", [text, LOST], "recovery gone",
              phone={"restore_status": f"{number}:none"}) for number, text in STATUSES.items()],
    failure("status-all-ones", "Status: Verification Error", "recovery gone",
            phone={"restore_status": "0xffffffffffffffff"}),
    failure("status-update", "Status: Fail", "recovery kept", kind="update", phone={"restore_status": "14:14"}),
    failure("status-51", "Status: Failed to load SEP Firmware.", "recovery kept",
            phone={**FULL, "fail_at": "load_sep_os"}),
    # the false success: a message after the failing one
    failure("status-then-progress", ["Status: Fail", "DONE"], "recovery gone", status=0,
            phone={"restore_status": "14", "restore_after_status": "progress"}),
    failure("host-too-old", ["Unhandled status message (10)", "This host version is unsupported"], "recovery kept",
            phone={"required_types": "RootTicket,BootabilityBundleV2"}),
    failure("crash", ["*** restored crashed, backtrace following ***", "restored_external"], "recovery gone",
            phone={"restored_crash": "yes"}),
    failure("fdr-unreachable", "Status: Failed to recover FDR data.", "recovery gone",
            phone={**FULL, "fdr_host": "127.0.0.1:1"}),
    failure("fdr-refused", "Status: Failed to recover FDR data.", "recovery gone",
            phone={**FULL, "fdr": "refuse", "fdr_host": "127.0.0.1:1"}, why="the host offers no proxy"),
    failure("baseband-refused", "device didn't accept BasebandData", "recovery gone",
            phone={**FULL, "baseband": "refuse"}),
    failure("splat", ["Unhandled status message (100)", "install_splat [0]D("], "recovery gone",
            phone={**FULL, "fail_at": "install_splat:-100"}),
    failure("url-refused", "Requesting URLAsset from", "recovery kept",
            phone={**FULL, "url_asset": "http://127.0.0.1:9/key"},
            why="the host did not get what stands at the address"),
    failure("ticket-refused-midway", ["Unable to fetch SE ticket", "Couldn't get SE firmware data"], "recovery gone",
            phone=FULL, tss=("94", {"where": {"tickets": ["BBTicket", "SE,Ticket"]}})),
]

NOR = "restored sent DataRequestMsg/NORData"
LINK = [  # the link, and who is behind it
    failure("asr-silent", "Unable to receive data from ASR", "recovery gone", phone={"asr_silent": "yes"}),
    # exit 0 and DONE, even if the cable is out: a ProgressMsg waited to be read when sending had failed
    failure("asr-lost", ["Unable to send payload to ASR", FAILED, "DONE"], "recovery gone", status=0,
            faults=["asr got byte 600000 reset"], why="asr: the connection was closed before the end"),
    failure("asr-garbage", ["Unable to send payload to ASR", FAILED, "DONE"], "recovery gone", status=0,
            faults=["asr got byte 600000 garbage"], why="asr: the checksum of a chunk is wrong"),
    failure("asr-unknown-command", "ASR was unable to validate the filesystem", "recovery gone",
            faults=["asr sent OOBData 2 garbage"]),
    failure("asr-pulled", ["Unable to send payload to ASR", FAILED, "DONE"], "recovery gone", status=0,
            faults=["asr got byte 600000 unplug"]),
    failure("asr-pulled-update", ["Unable to send payload to ASR", FAILED, "DONE"], "recovery kept", status=0,
            kind="update", faults=["asr got byte 600000 unplug"]),
    failure("nor-pulled", LOST, "recovery kept", phone=FULL, faults=[f"{NOR} unplug"]),
    failure("nor-pulled-late", LOST, "recovery gone", phone=FULL, faults=[f"{NOR} 2 unplug"]),
    failure("pulled", LOST, "recovery gone", faults=["restored sent CheckpointMsg/restore_images unplug"]),
    failure("reboot-midway", LOST, "recovery gone", faults=["restored sent CheckpointMsg/restore_images reboot"]),
    failure("cryptex-lost", "Failed to send component Cryptex1,SystemOS", "recovery gone", phone=FULL,
            faults=["data got byte 200000 reset"]),
]


def settled(phone, mode):
    """The state once the phone is in @mode; the last one if that does not come."""
    end = time.monotonic() + SETTLED_SECONDS
    while True:
        state = phone.state()
        if (state["mode"] == mode and not state["booting"] and not state["leaving"]) or time.monotonic() > end:
            return state
        time.sleep(0.05)


def check_left(phone, before, left):
    if left == UNTOUCHED:
        # a host that only asks may open sessions
        assert {**phone.state(), "sessions": before["sessions"]} == before
        return
    mode, data = left.split()
    state = settled(phone, mode)
    assert state["mode"] == mode
    assert state["erases"] == state["updates"] == 0 and state["version"] == before["version"]
    if data == KEPT:
        assert state["files_digest"] == before["files_digest"] and state["host_ids"] == before["host_ids"]
    else:
        assert state["files"] == state["hosts"] == 0 and state["partial"] and not state["auto_boot"]


@pytest.mark.parametrize("case", [*BEFORE, *LOADERS, *SAYS, *LINK])
def test_failure(folder, ipsws, apple, case):
    ipsw, truth = ipsws(**case["wishes"]), ipsws()
    if case["tss"]:
        name, options = case["tss"]
        apple.tss.behave(name, **options)
    with Restore(folder, ipsw, apple, product=PHONE, truth=truth, faults=case["faults"], **case["phone"]) as phone:
        if case["phone"]["mode"] == "normal":
            phone.pair()
        before = phone.state()
        assert before["files"] > 0
        done = phone.run(limit=SLOW_LIMIT if os.environ.get("IDR_SLOW") == "1" else LIMIT,
                         erase=case["kind"] == "erase", **case["run"])
        assert done.status == case["status"] and not done.finished, done.tail()
        for text in case["text"]:
            assert text in done.out or text in done.log, f"'{text}' is missing\n{done.tail()}"
        if case["why"]:
            assert phone.seen("restore-failed", why=case["why"])
        check_left(phone, before, case["left"])


# ---- the engine has no limit of its own

SILENT = [
    pytest.param({"tss": ("silence", {}), "faults": [], "left": UNTOUCHED, "phone": {}}, id="signing-server"),
    pytest.param({"tss": ("silence", {}), "faults": [], "left": UNTOUCHED, "phone": NORMAL},
                 id="signing-server-normal"),
    pytest.param({"tss": None, "faults": [f"{NOR} silence"], "left": "restore kept", "until": "fault",
                  "phone": FULL}, id="phone"),
    pytest.param({"tss": None, "faults": [], "left": "restore gone", "until": "status",
                  "phone": {"restore_status": "14:none", "restore_after_status": "stay"}}, id="phone-after-status"),
]


@pytest.mark.parametrize("case", SILENT)
def test_silence(folder, ipsws, apple, case):
    """It waits as long as it is looked at, and what it has done to the phone until then stays so."""
    if case["tss"]:
        apple.tss.behave(case["tss"][0], **case["tss"][1])
    with Restore(folder, ipsws(), apple, product=PHONE, faults=case["faults"], **{**MINIMUM, **case["phone"]}) as phone:
        if case["phone"].get("mode") == "normal":
            phone.pair()
        before = phone.state()
        process = phone.engine()
        try:
            if case["tss"]:
                assert apple.tss.record.wait(1, timeout=LIMIT)
            else:
                phone.wait_event(case["until"], LIMIT)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(WAITED_SECONDS)
            check_left(phone, before, case["left"])
        finally:
            process.kill()
            process.wait()
