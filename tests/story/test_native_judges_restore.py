# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated phone's restore before its judge: the unmodified idevicerestore, natively, with pretended Apple servers.

Erase and update from every mode on five phones; twelve at once; and each failure of the engine that a phone or a server
can cause, with the text that the engine is known to print for it. IDR_SLOW=1 adds the failures that need more than a
minute of waiting. Best run with several workers (pytest -n 6): the engine mostly waits.
"""

import concurrent.futures
import os
import pathlib
import sys
import tempfile

import pytest

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / name) for name in ("net", "")]

from apple import Apple  # noqa: E402
from ipsw.make_ipsw import build  # noqa: E402
from restore_judge import Restore  # noqa: E402

PHONES = {  # product: the version that its IPSW brings
    "iPhone8,1": ("15.8.4", "19H390"),
    "iPhone10,6": ("16.7.11", "20H360"),
    "iPhone14,5": ("18.2", "22C152"),
    "iPhone18,3": ("26.1", "23B85"),
    "iPad12,1": ("17.7.1", "21H216"),
}
PHONE = "iPhone14,5"
MIB = 1 << 20
LIMIT = 60  # seconds, for one run
RESTORE_SECONDS = 15
AT_ONCE = 12

slow = pytest.mark.skipif(os.environ.get("IDR_SLOW") != "1", reason="waits for minutes: IDR_SLOW=1")


@pytest.fixture(scope="session")
def store():
    """Files and servers of one worker; a short path because of sockets."""
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp") as folder:
        yield pathlib.Path(folder)


@pytest.fixture(scope="session")
def ipsws(store):
    """ipsws(product, wishes…): the path of such a file, made once."""
    made = {}

    def make(product=PHONE, **wishes):
        key = (product, repr(sorted(wishes.items())))
        if key not in made:
            version, number = PHONES[product]
            made[key] = store / f"{len(made)}.ipsw"
            build(made[key], boards=[product], version=version, build=number,
                  **{"image_bytes": 2 * MIB, "cryptex_bytes": MIB // 2, **wishes})
        return made[key]
    return make


@pytest.fixture(scope="session")
def servers(store):
    (store / "apple").mkdir()
    with Apple(store / "apple") as apple:
        yield apple


@pytest.fixture
def apple(servers):
    yield servers
    servers.tss.behave_normally()


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="p", dir="/tmp") as path:
        yield pathlib.Path(path)


def restore_one(folder, ipsw, apple, product, mode, erase):
    """One whole restore, and what is true of phone and log after it."""
    with Restore(folder, ipsw, apple, product=product, mode=mode) as phone:
        if mode == "normal":
            phone.pair()
        before = phone.state()
        done = phone.run(erase=erase)
        assert done.finished, done.tail()
        phone.wait_event("restored", kind="erase" if erase else "update")
        phone.wait_event("attach", mode="normal", after=len(phone.seen("attach")))
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
    seconds = restore_one(folder, ipsws(product), apple, product, mode, kind == "erase")
    assert seconds <= RESTORE_SECONDS


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
    assert restore_one(folder, ipsw, apple, "iPad12,1", "recovery", False) <= RESTORE_SECONDS


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
        phone.wait_event("attach", mode="recovery", after=len(phone.events()) - 1)
        state = phone.state()
        assert state["partial"] and state["erases"] == 0 and not state["auto_boot"]
        phone.control("set fail_at ")
        done = phone.run()
        assert done.finished, done.tail()
        assert "Previous restore exit status: 14" in done.out
        assert phone.state()["erases"] == 1


# ---- failures: what is done to the phone or the server, and what the engine is known to say

MINIMUM = {"mode": "recovery", "restore_steps": "minimum"}


def failure(name, text, *, status=1, wishes=None, tss=None, phone=None, faults=(), run=None, why=None,
            product=PHONE, marks=()):
    """text: words that the output or log must have. tss: (behaviour, options). why: the phone's own reason."""
    return pytest.param({"text": [text] if isinstance(text, str) else text, "status": status, "wishes": wishes or {},
                         "tss": tss, "phone": {**MINIMUM, **(phone or {})}, "faults": faults, "run": run or {}, "why": why,
                         "product": product}, id=name, marks=marks)


FULL = {"restore_steps": "full"}
FAILURES = [
    # before the phone is touched
    failure("unplugged", "Unable to discover device mode", phone={"plugged": "no"}),
    failure("not-signed", ["STATUS=94", "Unable to get SHSH blobs for this device"], tss=("94", {})),
    failure("variant-unknown", "Unable to find a matching build identity", run={"variant": "Customer Nonsense"}),
    failure("component-missing", "Could not find all required components",
            wishes={"damage": ["missing:SEP"]}),
    # in recovery and DFU
    failure("enter-recovery-refused", "Unable to place device into recovery mode",
            phone={"mode": "normal"}, faults=["lockdown got EnterRecovery error:SetProhibited"]),
    failure("upload-broken", "Unable to send iBEC", faults=["recovery got byte 30000 unplug"]),
    failure("ibss-rejected", "Possibly invalid iBSS", phone={"mode": "dfu", "dfu_trouble": "no-reset"}),
    # the restore
    *[failure(f"status-{number}", text, phone={"restore_status": number}) for number, text in (
        (6, "Status: Disk Failure"), (14, "Status: Fail"), (27, "Status: Failed to mount filesystems."),
        (51, "Status: Failed to load SEP Firmware."), (53, "Status: Failed to recover FDR data."),
        (99, "Unhandled status message (99)"), (1015, "Status: X-Gold Baseband Update Failed. Defective Unit?"),
        ("0xffffffffffffffff", "Status: Verification Error"))],
    failure("status-without-error", ["Status: Fail", "Could not read data (-256). Aborting."],
            phone={"restore_status": "14:none"}),
    # the false success: a message after the failing one
    failure("status-then-progress", ["Status: Fail", "DONE"], status=0,
            phone={"restore_status": "14", "restore_after_status": "progress"}),
    failure("host-too-old", ["Unhandled status message (10)", "This host version is unsupported"],
            phone={"required_types": "RootTicket,BootabilityBundleV2"}),
    failure("asr-silent", "Unable to receive data from ASR", phone={"asr_silent": "yes"}),
    # exit 0 and DONE: a ProgressMsg was still waiting to be read when sending had failed
    failure("asr-lost", ["Unable to send payload to ASR", "Unable to successfully restore device", "DONE"], status=0,
            faults=["asr got byte 600000 reset"], why="asr: the connection was closed before the end"),
    failure("asr-garbage", ["Unable to send payload to ASR", "Unable to successfully restore device", "DONE"], status=0,
            faults=["asr got byte 600000 garbage"], why="asr: the checksum of a chunk is wrong"),
    failure("asr-unknown-command", "ASR was unable to validate the filesystem", faults=["asr sent OOBData 2 garbage"]),
    failure("cable-out", "Could not read data (-256). Aborting.",
            faults=["restored sent CheckpointMsg/restore_images unplug"]),
    failure("reboot-midway", "Could not read data (-256). Aborting.",
            faults=["restored sent CheckpointMsg/restore_images reboot"]),
    failure("crash", "*** restored crashed, backtrace following ***", phone={"restored_crash": "yes"}),
    failure("fdr-unreachable", "Status: Failed to recover FDR data.", phone={**FULL, "fdr_host": "127.0.0.1:1"}),
    failure("baseband-refused", "device didn't accept BasebandData", phone={**FULL, "baseband": "refuse"}),
    failure("cryptex-lost", "Failed to send component Cryptex1,SystemOS", phone=FULL, faults=["data got byte 200000 reset"]),
    failure("splat", ["Unhandled status message (100)", "install_splat [0]D("],
            phone={**FULL, "fail_at": "install_splat:-100"}),
    failure("ticket-refused-midway", ["Unable to fetch SE ticket", "Couldn't get SE firmware data"], phone=FULL,
            tss=("94", {"where": {"tickets": ["BBTicket", "SE,Ticket"]}})),
    failure("sep", ["Status: Failed to load SEP Firmware.", "load_sep_os [0]D("],
            phone={**FULL, "fail_at": "load_sep_os"}),
    # minutes of waiting
    failure("ibec-rejected", "Possibly invalid iBEC", tss=("bad_signature", {}), marks=slow),
    failure("restored-never-ready", "Device failed to enter restore mode.", phone={"restore_never_ready": "yes"},
            marks=slow),
]


@pytest.mark.parametrize("case", FAILURES)
def test_failure(folder, ipsws, apple, case):
    ipsw = ipsws(case["product"], **case["wishes"])
    if case["tss"]:
        name, options = case["tss"]
        apple.tss.behave(name, **options)
    truth = ipsws(case["product"])
    with Restore(folder, ipsw, apple, product=case["product"], truth=truth, faults=case["faults"],
                 **case["phone"]) as phone:
        done = phone.run(limit=400 if os.environ.get("IDR_SLOW") == "1" else LIMIT + 30, **case["run"])
        assert done.status == case["status"] and not done.finished, done.tail()
        for text in case["text"]:
            assert text in done.out or text in done.log, f"'{text}' is missing\n{done.tail()}"
        if case["why"]:
            assert phone.seen("restore-failed", why=case["why"])
        state = phone.state()
        assert state["erases"] == state["updates"] == 0
        assert state["version"] != PHONES[case["product"]][0]


def test_no_proxy_is_no_failure(folder, ipsws, apple):
    with Restore(folder, ipsws(), apple, product=PHONE, **MINIMUM, fdr="refuse") as phone:
        done = phone.run()
        assert done.finished, done.tail()
        assert "Could not create Reverse Proxy" in done.out
