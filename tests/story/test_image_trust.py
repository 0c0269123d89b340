# SPDX-License-Identifier: GPL-3.0-or-later
"""Trust and the services behind it in the booted image, over USB: libimobiledevice's own tools, usbmuxd's preflight and
the kernel before simulated phones. None of our programs takes part but in the last tests, which need phones that are
paired. The order of the tests is that of a bench's day."""

import hashlib
import json
import pathlib
import re
import shutil
import time

import pytest

from test_image_system import make_disk

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
PHONES = ["iphone13", "iphone7", "ipad9"]
ANNA, OLD, TABLET = range(3)
DOMAINS = ["com.apple.disk_usage", "com.apple.disk_usage.factory", "com.apple.mobile.battery",
           "com.apple.mobile.backup", "com.apple.international", "com.apple.fmip",
           "com.apple.mobile.wireless_lockdown", "com.apple.mobile.iTunes", "com.apple.mobile.chaperone",
           "com.apple.xcode.developerdomain", "com.apple.mobile.data_sync"]


@pytest.fixture(scope="module")
def machine(power_on):
    folder = TREE / "build/run" / f"trust-{time.monotonic_ns()}"
    folder.mkdir(parents=True)
    stick = folder / "stick.img"
    make_disk(stick, [("RESCUEDATA", 256, ["mkfs.exfat", "-L", "RESCUEDATA"])])  # room for the proof by a backup
    booted = power_on(firmware="direct", phones=PHONES,
                      qemu=["-drive", f"if=none,id=stick,format=raw,file={stick}",
                            "-device", "usb-storage,bus=usb0.0,port=2,drive=stick"])
    # usbmuxd makes keys for each phone before it shows it; an emulated processor takes its time
    wanted = {udid_of(booted, index) for index in range(len(PHONES))}
    listed = until(lambda: booted.run("idevice_id -l").stdout, lambda text: wanted == set(text.split()), seconds=180)
    assert set(listed.split()) == wanted
    # it watches what phones say of trust, and would take part
    booted.ok("systemctl stop idevicerescue.service")
    yield booted
    booted.shutdown()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def product(machine):
    """The machine with our service, for the last tests."""
    machine.ok("systemctl start idevicerescue.service")
    return machine


def udid_of(machine, index):
    udid = machine.phone(index).control("state")["udid"]
    return f"{udid[:8]}-{udid[8:]}" if len(udid) == 24 else udid


def until(question, wanted, seconds=60):
    """Asks until the answer is as wanted; the last answer else."""
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if wanted(answer) or time.monotonic() > deadline:
            return answer
        time.sleep(0.3)


def attached(machine, index):
    return until(lambda: machine.phone(index).control("state"),
                 lambda state: state["attached"] and state["mode"] == "normal" and state["configuration"] > 0)


def replug(machine, index):
    """Until the dialog stands on the screen and usbmuxd waits for the tap: one that comes earlier it never hears of."""
    phone = machine.phone(index)
    name = "ObserveNotification/com.apple.mobile.lockdown.request_pair"

    def observed():
        return sum(event["event"] == "message" and event["name"] == name for event in phone.events())

    before = observed()
    for line in ("unplug", "plug"):
        phone.control(line)
    assert until(observed, lambda count: count > before, seconds=180) > before
    assert phone.control("state")["dialog"] == "asking"


def refusal(machine, index):
    said = machine.run(f"idevicepair pair -u {udid_of(machine, index)}")
    assert said.status != 0
    return said.stdout + said.stderr


def test_a_stranger_is_told_what_to_do(machine):
    assert "accept the trust dialog on the screen" in refusal(machine, ANNA)
    machine.phone(OLD).control("passcode set")
    machine.phone(OLD).control("lock")
    assert "a passcode is set" in refusal(machine, OLD)
    machine.phone(OLD).control("unlock")


def await_record(machine, index):
    """usbmuxd's preflight has paired and stored its record. A tool that asked meanwhile would pair a second time."""
    path = f"/var/lib/lockdown/{udid_of(machine, index)}.plist"
    stored = until(lambda: machine.run(f"grep -c HostID {path}").stdout.strip(), lambda text: text == "1", seconds=180)
    assert stored == "1"


def test_tapping_trust_is_enough(machine):
    """usbmuxd's preflight hears of the tap and pairs; no tool takes part."""
    for index in (ANNA, OLD, TABLET):
        until(lambda: machine.phone(index).control("state"), lambda state: state["dialog"] == "asking", seconds=180)
        machine.phone(index).control("trust")
        await_record(machine, index)
        udid = udid_of(machine, index)
        said = machine.run(f"idevicepair validate -u {udid}")
        assert f"SUCCESS: Validated pairing with device {udid}" in said.stdout, said
        assert machine.phone(index).control("state")["hosts"] == 1
    listed = machine.ok("idevicepair list").split()
    assert {udid_of(machine, index) for index in (ANNA, OLD, TABLET)} <= set(listed)


def test_every_value_and_domain_is_read(machine):
    udid = udid_of(machine, ANNA)
    plain = len(machine.ok(f"ideviceinfo -s -u {udid}").splitlines())
    full = machine.ok(f"ideviceinfo -u {udid}")
    assert len(full.splitlines()) > plain + 20
    assert f"SerialNumber: {machine.phone(ANNA).control('state')['serial']}" in full
    for domain in DOMAINS:
        assert machine.run(f"ideviceinfo -u {udid} -q {domain}").status == 0, domain
    assert "BatteryCurrentCapacity: 80" in machine.ok(f"ideviceinfo -u {udid} -q com.apple.mobile.battery")


def test_name_and_clock(machine):
    udid = udid_of(machine, OLD)
    machine.ok(f"idevicename -u {udid} 'Bench phone 7'")
    assert machine.ok(f"idevicename -u {udid}").strip() == "Bench phone 7"
    machine.ok(f"idevicedate -u {udid} -s 1700000000")
    assert "2023" in machine.ok(f"idevicedate -u {udid}")


def test_files_go_and_come_back(machine):
    udid = udid_of(machine, TABLET)
    assert "100APPLE" in machine.ok(f"afcclient -u {udid} -- ls /DCIM")
    hashed = machine.ok("head -c 300000 /dev/urandom >/tmp/put && sha256sum </tmp/put").split()[0]
    machine.ok(f"afcclient -u {udid} -- put /tmp/put /Downloads/put.bin")
    machine.ok(f"rm -f /tmp/get && afcclient -u {udid} -- get /Downloads/put.bin /tmp/get")
    assert machine.ok("sha256sum </tmp/get").split()[0] == hashed != hashlib.sha256(b"").hexdigest()


def test_a_backup_and_back(machine):
    """What was on the phone comes back to it from the backup, and nothing that came to it since."""
    udid = udid_of(machine, TABLET)
    machine.ok("mkdir /tmp/backups")
    said = machine.ok(f"idevicebackup2 -u {udid} backup --full /tmp/backups")
    assert "Full backup mode." in said and "Backup Successful." in said
    assert machine.ok(f"ls -d /tmp/backups/{udid}/Snapshot 2>/dev/null || true") == ""
    machine.ok(f"afcclient -u {udid} -- put /tmp/put /Downloads/since.bin")
    before = machine.phone(TABLET).control("state")["files"]
    said = machine.ok(f"idevicebackup2 -u {udid} restore --skip-apps --no-reboot /tmp/backups")
    assert "Restore Successful." in said
    done = [event for event in machine.phone(TABLET).events() if event["event"] in ("backup-done", "backup-restored")]
    assert done[0]["files_digest"] == done[1]["files_digest"]
    assert machine.phone(TABLET).control("state")["files"] < before


def test_diagnostics(machine):
    udid = udid_of(machine, ANNA)
    assert "CycleCount" in machine.ok(f"idevicediagnostics -u {udid} diagnostics All")
    assert "DesignCapacity" in machine.ok(f"idevicediagnostics -u {udid} ioregentry AppleSmartBattery")


def test_usbmuxd_does_not_complain(machine):
    """Up to here no cable was pulled. A client that asks for the record of a phone never paired is no complaint."""
    log = machine.ok("journalctl -b --no-pager -u usbmuxd | grep -E '\\]\\[[012]\\]' || true").splitlines()
    # nor is it one that a program hung up before it had read all
    known = re.compile(r"Failed to read '/var/lib/lockdown/|"
                       r"client_write: sending to fd \d+ failed: Broken pipe|"
                       r"Receive from client fd \d+ failed: Connection reset by peer|"
                       r"connection_teardown: aborting buffer flush to client after error\.$")
    assert [line for line in log if not known.search(line)] == []


def test_trust_outlives_a_restart(machine):
    udid, phone = udid_of(machine, ANNA), machine.phone(ANNA)
    boots = phone.control("state")["boots"]
    machine.ok(f"idevicediagnostics -u {udid} restart")
    until(lambda: phone.control("state"), lambda state: state["boots"] > boots)
    attached(machine, ANNA)
    said = until(lambda: machine.run(f"idevicepair validate -u {udid}"), lambda done: done.status == 0)
    assert said.status == 0, said
    assert phone.control("state")["hosts"] == 1


def test_recovery_by_a_trusted_host_and_back(machine):
    state = machine.phone(OLD).control("state")
    machine.ok(f"ideviceenterrecovery {state['udid']}")
    until(lambda: machine.phone(OLD).control("state"),
          lambda now: now["mode"] == "recovery" and now["configuration"] > 0)
    until(lambda: machine.run(f"irecovery -n -i {state['ecid']}"), lambda done: done.status == 0)
    attached(machine, OLD)
    said = until(lambda: machine.run(f"idevicepair validate -u {state['udid']}"), lambda done: done.status == 0)
    assert said.status == 0, said


def test_a_phone_that_forgot_is_paired_anew(machine):
    """Reset Location & Privacy: the record is worth nothing. Deleting it and tapping Trust again heals."""
    udid, phone = udid_of(machine, TABLET), machine.phone(TABLET)
    phone.control("forget")
    refused = machine.run(f"ideviceinfo -u {udid}")
    assert refused.status != 0
    assert phone.control("state")["hosts"] == 0
    # `idevicepair unpair` keeps the record of a phone that does not know it
    machine.ok(f"rm /var/lib/lockdown/{udid}.plist")
    replug(machine, TABLET)
    phone.control("trust")
    await_record(machine, TABLET)
    assert machine.run(f"idevicepair validate -u {udid}").status == 0


def test_a_phone_that_was_denied_says_so(machine):
    phone = machine.phone(TABLET)
    phone.control("forget")
    machine.ok(f"rm /var/lib/lockdown/{udid_of(machine, TABLET)}.plist")
    replug(machine, TABLET)
    phone.control("deny")
    assert "user denied the trust dialog" in refusal(machine, TABLET)


# --- our own helpers of this layer, as the units of the image have them


def run_worker(machine, kind, timeout=90, **fields):
    """The result of one worker in its own unit, with its user and sandbox; only its socket is a pair of files, and the
    unit counts as started when it has ended."""
    request = json.dumps({"v": 1, "type": "request", "kind": kind, **fields})
    unit = f"idevicerescue-worker-{kind}@story.service"
    machine.ok(f"""mkdir -p /run/story /run/systemd/system/{unit}.d && cat >/run/story/request <<'END'
{request}
END
cat >/run/systemd/system/{unit}.d/zz-story.conf <<'END'
[Service]
Type=oneshot
StandardInput=file:/run/story/request
StandardOutput=truncate:/run/story/answer
END
systemctl daemon-reload && systemctl start {unit}""", timeout)
    return json.loads(machine.ok("tail -n 1 /run/story/answer"))


def listed(machine):
    return set(machine.run("idevice_id -l").stdout.split())


def await_validated(machine, index):
    command = f"idevicepair validate -u {udid_of(machine, index)}"
    said = until(lambda: machine.run(command), lambda done: done.status == 0)
    assert said.status == 0, said


def main_pid(machine):
    return machine.ok("systemctl show -P MainPID usbmuxd").strip()


@pytest.mark.parametrize("hung", [False, True])
def test_usbmuxd_is_restarted_for_phones_that_are_plugged_in(product, hung):
    before, old = listed(product), main_pid(product)
    assert udid_of(product, ANNA) in before
    if hung:
        product.ok(f"kill -STOP {old}")
    answer = run_worker(product, "mux", action="restart")
    assert answer["ok"] is True and answer["answered_ms"] > 0, answer
    assert main_pid(product) not in (old, "0")
    assert until(lambda: listed(product), lambda now: now == before, seconds=180) == before
    await_validated(product, ANNA)


def findings(machine):
    return {finding["id"] for diagnosis in machine.result("idevicerescue --json diagnose")["diagnoses"]
            for finding in diagnosis["findings"]}


def test_the_kernel_is_read_and_a_plug_that_fails_is_seen(product):
    """A phone that answers no descriptor never becomes a device: only the kernel's messages tell."""
    log = "journalctl -b --no-pager -o cat -u idevicerescue | grep 'the kernel says: ' || true"
    assert "nothing is known of cables" not in product.ok("journalctl -b --no-pager -o cat -u idevicerescue")
    phone = product.phone(TABLET)
    phone.control("unplug")
    phone.control("set stall_ep0 0x8006")
    phone.control("plug")
    said = until(lambda: product.ok(log), lambda text: "unable to enumerate" in text, seconds=120)
    assert "device descriptor read" in said and "unable to enumerate" in said, said
    assert "port-trouble" in findings(product)
    phone.control("unplug")
    phone.control("set stall_ep0 0")
    phone.control("plug")
    attached(product, TABLET)


def job_once(machine, job, condition, seconds=120):
    """The job once condition(job, its present step) holds."""
    def look():
        return machine.result(f"idevicerescue --json job show {job}")["job"]

    seen = until(look, lambda now: condition(now, now["steps"][min(now["step"], len(now["steps"]) - 1)]), seconds)
    assert condition(seen, seen["steps"][min(seen["step"], len(seen["steps"]) - 1)]), seen
    return seen


def job_ended(job, _):
    return job["state"] in ("done", "failed", "cancelled")


def job_asks(kind):
    return lambda job, step: job_ended(job, step) or (step["kind"] == kind and job.get("answers"))


def begin_job(machine, command):
    begun = machine.result(f"idevicerescue --json {command} --no-wait")
    assert begun["exit"] == 0, begun
    return begun["job"]["id"]


def test_usbmuxd_is_restarted_within_a_repair(product):
    """Nobody lists the phone: the first rung is the remedy, and proven to be one."""
    udid = udid_of(product, ANNA)
    product.ok("systemctl stop usbmuxd")
    job = begin_job(product, f"trust repair udid:{udid}")
    assert job_once(product, job, job_asks("replug"))["state"] == "running"
    product.ok(f"idevicerescue job answer {job} --no --no-wait")
    job_once(product, job, job_asks("verify-backup"))
    product.run(f"idevicerescue job answer {job} --no --no-wait")  # unless it has ended by now
    seen = job_once(product, job, job_ended)
    assert seen["state"] == "done" and seen["proof"]["session"] and not seen["proof"].get("replug"), seen
    rungs = {(step["rung"], step["kind"]): step["state"] for step in seen["steps"] if step.get("rung")}
    assert rungs[1, "restart-mux"] == rungs[1, "verify-trust"] == "done", seen
    assert all(state == "skipped" for (rung, _), state in rungs.items() if rung > 1), seen


def test_all_is_proven_with_a_backup(product):
    """By programs that the image has, in the sandbox that it gives them; what was backed up stays nowhere."""
    udid, phone = udid_of(product, ANNA), product.phone(ANNA)
    job = begin_job(product, f"trust prove udid:{udid}")
    assert job_once(product, job, job_asks("replug"))["state"] == "running"
    phone.control("unplug")
    job_once(product, job, lambda now, _: "Now plug it in" in now.get("guidance", "") or job_ended(now, _))
    phone.control("plug")
    seen = job_once(product, job, job_ended, 180)
    proof = seen["proof"]
    assert seen["state"] == "done", seen
    assert all(proof.get(word) is True for word in ("session", "replug", "identity", "media", "backup")), proof
    assert proof["backup_bytes"] > 0 and proof["backup_files"] > 0, proof
    assert product.ok("find /data/idevicerescue -name backup-proof") == ""


def test_records_are_kept_only_if_asked(product):
    """The data partition is exFAT: its files have no owners, only the mount's."""
    product.ok("systemctl stop data.mount")
    kept = product.result("idevicerescue --json trust keep")
    assert kept["exit"] == 0 and (kept["kept"], kept["lasting"]) == (False, False) and kept["records"] >= 2, kept
    assert product.result("idevicerescue --json trust keep on")["error"]["kind"] == "unsupported"
    product.ok("systemctl start data.mount")
    try:
        kept = product.result("idevicerescue --json trust keep on")
        assert kept["kept"] is True and kept["lasting"] is True and kept["records"] >= 2, kept
        name = f"{udid_of(product, ANNA)}.plist"
        product.ok(f"cmp /data/idevicerescue/pairings/{name} /var/lib/lockdown/{name}")
        # workers that read foreign bytes do not see it: what they would need is out of sight
        assert "pairings" in product.ok("systemctl show -P InaccessiblePaths idevicerescue-worker-fetch@story.service")
        # the next start
        product.ok("rm /var/lib/lockdown/*.plist && systemctl start idevicerescue-worker-record-load.service")
        await_validated(product, ANNA)
        assert product.ok(f"stat -c %U /var/lib/lockdown/{name}").strip() == "usbmux"
        assert product.result("idevicerescue --json trust keep off")["kept"] is False
        product.ok("test ! -e /data/idevicerescue/pairings")
    finally:
        product.run("idevicerescue trust keep off")
