# SPDX-License-Identifier: GPL-3.0-or-later
"""From broken trust to a restored phone, in the booted image under UEFI with Secure Boot: our service, its sandboxed
workers, Debian's kernel, usbmuxd and idevicerestore, phones over USB, pretended Apple servers over the emulated
network.

One boot. Each test has a phone of its own; the phones' own counts (erases, updates, digest of the user's files) judge.
Reports of the jobs are kept in build/reports.
"""

import json
import pathlib
import shutil
import sys
import time

import pytest

from rescue_bed import ENDS, hosts_text

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path += [str(TREE / "tests"), str(TREE / "tests" / "net")]

import apple  # noqa: E402
from ipsw import make_ipsw  # noqa: E402

NEW = {"version": "18.1", "build": "22B83"}
BOARDS = ["iPhone14,5", "iPad12,1", "iPhone9,1"]
IMAGE_MIB = 8
# name of the scenario: what it is here for
PHONES = {
    "iphone13": "the story: its trust is broken for good",
    "ipad9-dfu": "arrives in DFU and is erased",
    "ipad9-recovery,unit=2": "arrives in recovery and goes back with its files",
    "iphone13-trusting,unit=3": "is updated and keeps its files",
    "iphone13-recovery,unit=4": "its cable is pulled while iOS is sent",
    "iphone13-recovery,unit=5": "the service is killed while iOS is sent",
}
STORY, DFU, RECOVERY, UPDATE, CABLE, KILL = range(6)
MINUTE = 60
RESTORE_LIMIT = 6 * MINUTE
GAP_MS = 4000  # as in test_image_restore.py
RAM = "/var/lib/idevicerescue"


@pytest.fixture(scope="module")
def folder():
    """Inside the tree, because the simulated phones and QEMU see it too."""
    path = TREE / "build" / "run" / f"rescue-{time.monotonic_ns()}"
    (path / "net").mkdir(parents=True)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def servers(folder):
    """One file for all these models. The guest comes in by 10.0.2.2, the catalogues tell Apple's own host."""
    path = folder / "iPhone_iPad_18.1_22B83_Restore.ipsw"
    make_ipsw.build(path, boards=BOARDS, image_bytes=IMAGE_MIB << 20, **NEW)
    with apple.Apple(folder / "net", address="0.0.0.0", host="10.0.2.2", base="https://updates.cdn-apple.com",
                     files=[path]) as running:
        running.ipsw = path
        yield running


@pytest.fixture(scope="module")
def machine(power_on, servers):
    hooks = {"idevicerescue.hosts": hosts_text(servers, "10.0.2.2"),
             "idevicerescue.ca": pathlib.Path(servers.ca).read_text(encoding="ascii")}
    booted = power_on(firmware="secureboot", memory=1536, credentials=hooks,
                      phones=[f"{name},ipsw={servers.ipsw},gap_ms={GAP_MS}" for name in PHONES])
    assert "Secure boot enabled" in booted.ok("dmesg | grep -i \"secure boot\"")
    yield booted
    booted.shutdown()


class Handset:
    """One of the phones, and what our command line says and does about it."""

    def __init__(self, machine, number):
        self.machine, self.phone = machine, machine.phone(number)
        self.ecid = f"ecid:{self.state()['ecid']}"

    def state(self):
        return self.phone.control("state")

    def control(self, line):
        return self.phone.control(line)

    def ask(self, words, timeout=180):
        """The result object of one of our commands."""
        done = self.machine.run(f"idevicerescue --json {words}", timeout)
        assert done.stdout, f"{words}: {done.stderr}"
        result = json.loads(done.stdout.splitlines()[-1])
        assert result["exit"] == done.status
        return result

    def listed(self):
        found = [one for one in self.ask("list")["phones"] if one.get("ecid") == self.ecid[5:]]
        return found[0] if found else {}

    def until(self, what, condition, limit=2 * MINUTE):
        end = time.monotonic() + limit
        while True:
            value = condition()
            if value:
                return value
            assert time.monotonic() < end, f"not within {limit} s: {what() if callable(what) else what}"
            time.sleep(1)

    def until_listed(self, limit=2 * MINUTE, **wanted):
        def is_so():
            listed = self.listed()
            return all(listed.get(key) == value for key, value in wanted.items())
        return self.until(lambda: f"{wanted}; it is {self.listed()}\n{self.journal()}", is_so, limit)

    def journal(self):
        return self.machine.run("journalctl -b --no-pager -n 100").stdout

    def must_be_done(self, job):
        assert job["state"] == "done", f"{json.dumps(job)}\n{self.journal()}"

    def job(self, name):
        return self.ask(f"job show {name}")["job"]

    def until_job(self, name, condition, limit=RESTORE_LIMIT):
        last = {}

        def look():
            result = self.ask(f"job show {name}")
            last.clear()  # what it does not say any more is not so any more
            last.update(result.get("job", result))  # no job: the service is being started again
            return dict(last) if "job" in result and condition(last) else None
        try:
            return self.until("the job as wanted", look, limit)
        except AssertionError as error:
            error.add_note(json.dumps(last))
            error.add_note(self.journal())
            raise

    def until_end(self, name, limit=RESTORE_LIMIT):
        job = self.until_job(name, lambda one: one["state"] in ENDS, limit)
        self.keep_report(name)
        return job

    def keep_report(self, name):
        reports = TREE / "build" / "reports"
        reports.mkdir(exist_ok=True)
        text = self.machine.run(f"idevicerescue report {name}").stdout
        (reports / f"{name}.txt").write_text(text, encoding="utf-8")
        (reports / f"{name}.json").write_text(json.dumps(self.ask(f"report {name}")["report"]), encoding="utf-8")
        return text

    def start(self, words):
        result = self.ask(f"{words} --no-wait")
        assert result["exit"] == 0, result
        return result["job"]["id"]

    def start_erase(self):
        plan = self.ask(f"plan {self.ecid} erase")["plan"]
        return self.start(f"restore {self.ecid} --erase --consent {plan['token']} "
                          f"--confirm {self.last4(plan)}")

    def last4(self, plan):
        """Of the number that the plan asks for."""
        return self.listed()["serial_number" if "serial" in plan["confirm_hint"] else "ecid"][-4:]

    def tap_trust(self, limit=3 * MINUTE):
        self.until("the dialog is on the screen", lambda: self.state()["dialog"] == "asking", limit)
        self.control("trust")

    def tap_whenever_asked(self, name, limit=RESTORE_LIMIT):
        """Follows the job to its end, tapping Trust when the phone shows the dialog."""
        def look():
            if self.state()["dialog"] == "asking":
                self.control("trust")
            return self.job(name)["state"] in ENDS | {"asking"}
        self.until("the job ends", look, limit)
        return self.job(name)


def test_the_story(machine, servers):
    """Stale record that does not heal, recovery, update refused, erase with consent, back, paired, verified."""
    phone = Handset(machine, STORY)
    phone.tap_trust()  # it was trusted once …
    phone.until_listed(in_mux=True)
    phone.until("this computer is trusted", lambda: phone.ask(f"trust check {phone.ecid}")["exit"] == 0)
    phone.control("set stale_record yes")  # … and now it refuses every computer it knows
    phone.control("unplug")
    phone.control("plug")
    phone.until_listed(in_mux=True, mode="normal")
    phone.until("stale", lambda: phone.listed().get("trust") == "stale")
    found = phone.ask(f"diagnose {phone.ecid}")
    assert found["exit"] == 1
    assert "trust-stale" in {one["id"] for one in found["diagnoses"][0]["findings"]}
    text = machine.run(f"idevicerescue diagnose {phone.ecid}").stdout
    assert "trust repair" in text
    # the mild way is tried, and does not help: the phone takes the pairing and forgets it again
    name = phone.start(f"trust reset {phone.ecid}")
    job = phone.tap_whenever_asked(name)
    assert job["state"] == "failed", job
    # it refuses to enter recovery for a computer it does not know: the person holds the buttons
    phone.control("set enter_recovery release")
    name = phone.start(f"recovery enter {phone.ecid}")
    phone.until_job(name, lambda one: "olume" in (one.get("guidance") or ""), MINUTE)
    phone.control("mode recovery")
    assert phone.until_end(name)["state"] == "done"
    # an update install that fails while the phone restores
    phone.control("set fail_at mount_system_partition")
    before = phone.state()
    name = phone.start(f"restore {phone.ecid} --update")
    job = phone.until_job(name, lambda one: one["state"] in ENDS | {"asking"}, 2 * RESTORE_LIMIT)
    assert job["state"] == "asking", job
    assert (phone.state()["erases"], phone.state()["files"]) == (0, before["files"])
    # an answer without a consent erases nothing
    assert phone.ask(f"job answer {name} --yes")["exit"] in {2, 6}
    phone.control("set fail_at none")
    phone.control("set stale_record no")
    plan = phone.job(name)["question"]["plan"]
    answered = phone.ask(f"job answer {name} --yes --consent {plan['token']} --confirm {phone.last4(plan)}")
    assert answered["exit"] == 0, answered
    job = phone.tap_whenever_asked(name)
    phone.must_be_done(job)
    after = phone.state()
    assert (after["mode"], after["build"], after["erases"]) == ("normal", NEW["build"], 1)
    assert job["proof"]["serial_number"] == after["serial"]
    report = phone.keep_report(name)
    assert NEW["build"] in report and "erased" in report


def test_arrives_in_dfu(machine):
    phone = Handset(machine, DFU)
    assert phone.ask(f"restore {phone.ecid} --erase")["exit"] == 6
    name = phone.start_erase()
    job = phone.tap_whenever_asked(name)
    phone.must_be_done(job)
    phone.keep_report(name)
    after = phone.state()
    assert (after["mode"], after["build"], after["erases"]) == ("normal", NEW["build"], 1)


def test_recovery_goes_back_to_normal_with_its_files(machine):
    phone = Handset(machine, RECOVERY)
    before = phone.state()
    result = phone.ask(f"recovery exit {phone.ecid}")
    assert result["exit"] == 0, result
    after = phone.state()
    assert (after["mode"], after["files_digest"], after["erases"]) == ("normal", before["files_digest"], 0)


def test_update_keeps_the_files(machine):
    phone = Handset(machine, UPDATE)
    before = phone.state()
    name = phone.start(f"restore {phone.ecid} --update")
    job = phone.tap_whenever_asked(name)
    phone.must_be_done(job)
    phone.keep_report(name)
    after = phone.state()
    assert (after["build"], after["updates"], after["erases"]) == (NEW["build"], 1, 0)
    assert after["files_digest"] == before["files_digest"]


def test_cable_pulled_while_ios_is_sent(machine):
    phone = Handset(machine, CABLE)
    phone.control("set fault asr got byte 3000000 unplug:4000")
    name = phone.start_erase()
    phone.until_job(name, lambda one: one.get("awaiting") == "phone" or
                    one["state"] in ENDS)
    job = phone.tap_whenever_asked(name, 2 * RESTORE_LIMIT)
    phone.keep_report(name)
    assert job["state"] == "done" or job["error"]["next"], job
    assert phone.state()["erases"] <= 1


def test_service_killed_while_ios_is_sent(machine):
    phone = Handset(machine, KILL)
    name = phone.start_erase()
    phone.until_job(name, lambda one: one["state"] in ENDS or
                    (one.get("progress") or {}).get("part") == "upload-system")
    machine.ok("systemctl kill --signal=SIGKILL idevicerescue.service")
    phone.until("the service is back", lambda: machine.run("idevicerescue list").status == 0)
    job = phone.tap_whenever_asked(name)
    phone.must_be_done(job)
    phone.keep_report(name)
    assert phone.state()["erases"] == 1


def test_refused_by_the_signing_server(machine, servers):
    """The phone stays as it was, the reason is told, and the exit code says it."""
    phone = Handset(machine, RECOVERY)
    before = phone.state()
    phone.until_listed(product=before["model"])  # the service was killed: it asks anew who the phone is
    servers.tss.behave("94")
    try:
        plan = phone.ask(f"plan {phone.ecid} erase").get("plan") or phone.ask(f"plan {phone.ecid} erase")
        assert "token" in plan, plan
        result = phone.ask(f"restore {phone.ecid} --erase --consent {plan['token']} --confirm {phone.last4(plan)}", 300)
    finally:
        servers.tss.behave_normally()
    assert result["exit"] == 8, result
    after = phone.state()
    assert (after["erases"], after["files_digest"]) == (0, before["files_digest"])


def test_nothing_was_erased_without_consent(machine):
    """The phones' own count: only those that were consented to, and never the two beside them."""
    erased = {number: machine.phone(number).control("state")["erases"] for number in range(len(PHONES))}
    assert (erased[RECOVERY], erased[UPDATE]) == (0, 0)
    assert all(count <= 1 for count in erased.values())


def test_engine_was_given_the_names_of_apple(machine):
    """A worker has a folder of its own for the link. None of them complained."""
    said = machine.ok("journalctl -b --no-pager")
    assert "engine: started" in said
    assert "under the name that it has" not in said


def test_service_is_small(machine):
    pid = machine.ok("systemctl show -P MainPID idevicerescue.service").strip()
    assert int(machine.ok(f"awk '/VmRSS/ {{ print $2 }}' /proc/{pid}/status")) <= 8 * 1024
    assert machine.ok("systemctl --failed --plain --no-legend").strip() == ""
