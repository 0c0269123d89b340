# SPDX-License-Identifier: GPL-3.0-or-later
"""A service with phones and workers that are scripted: whole jobs without hardware, network or engine."""
import json
import os
import re
import signal
import socket

from native_service import LIMIT, Service, iboot, until
from rescue_bed import await_lock

INTERFACE = "org.idevicerescue."
UPDATE = "Customer Upgrade Install (IPSW)"
ERASE = "Customer Erase Install (IPSW)"
BUILD = "21F90"
MANIFEST = "5" * 64
PROOF = {"level": 3, "structure": True, "hash": True, "members": 9, "crc": 9, "digests": {"matched": 7, "skipped": 2}}


def line(**fields):
    return json.dumps({"v": 1, **fields})


def event(name, **fields):
    return line(type="event", event=name, **fields)


def result(**fields):
    return line(type="result", ok=True, **fields)


def failure(kind, text="because", origin="fake", code=1, **more):
    error = {"kind": kind, "origin": origin, "code": code, "text": text, **more}
    return line(type="result", ok=False, error=error)


class Handset:
    """One phone at one port, as bus, usbmuxd and a probe show it. Serial number ends in its last four digits."""

    def __init__(self, bed, number=1):
        self.bed = bed
        self.port = f"1-{number}"
        self.ecid = 0x1C20223E294000 + number
        self.udid = f"00008110-{self.ecid:016X}"
        self.serial = f"F2LX1234567{number}"
        self.key = f"ecid:0x{self.ecid:016x}"
        self.build = "21F79"
        self.address = number * 10
        self.here = None

    def identity(self, **more):
        return {
            "udid": self.udid,
            "ecid": f"0x{self.ecid:016x}",
            "product": "iPhone14,5",
            "board": "D17AP",
            "name": f"Anna {self.port}",
            "serial_number": self.serial,
            "version": "17.5",
            "build": self.build,
            **more,
        }

    def leave(self):
        if self.here == "normal":
            self.bed.mux("detached", udid=self.udid, location=1 << 16 | self.address)
        self.bed.see(self.port, "gone")
        self.here = None

    def appear(self, mode):
        """In normal mode or recovery, from wherever it was."""
        if self.here:
            self.leave()
        self.here = mode
        self.address += 1
        self.show()

    def show(self):
        """The bus (and usbmuxd) say again what is there: for a service that was just started."""
        if self.here == "recovery":
            mode = f"SRNM:[{self.serial}]"
            self.bed.see(self.port, serial=iboot(self.ecid, mode_field=mode), address=self.address)
        elif self.here == "normal":
            self.bed.answer(self.udid, **self.identity())
            plain = self.udid.replace("-", "")
            self.bed.see(self.port, pid="0x12a8", serial=plain, address=self.address)
            self.bed.mux(
                "attached",
                udid=self.udid,
                mux_id=1,
                location=1 << 16 | self.address,
                product_id=0x12A8,
                connection="usb",
            )


class Bed(Service):
    """The service, its storage, and what its workers answer."""

    def __init__(self, folder, phones=1):
        self.storage = folder / "storage"
        super().__init__(folder, "--storage", str(self.storage))
        self.phones_here = [Handset(self, n + 1) for n in range(phones)]
        self.anna = self.phones_here[0]
        os.mkfifo(folder / "engine")
        self.engine_fds = {"engine": os.open(folder / "engine", os.O_RDWR)}
        for phone in self.phones_here[1:]:
            name = f"engine-0x{phone.ecid:016x}"
            os.mkfifo(folder / name)
            self.engine_fds[name] = os.open(folder / name, os.O_RDWR)
        self.gates = {}
        self.all_is_well()

    # --- the other side's answers

    def script(self, name, *lines):
        draft = self.folder / f"{name}.new"
        draft.write_text("\n".join(lines) + "\n")
        draft.rename(self.folder / name)

    def gate(self, name):
        """`wait NAME` in a script goes on after open_gate(NAME)."""
        os.mkfifo(self.folder / name)
        self.gates[name] = os.open(self.folder / name, os.O_RDWR)
        return f"wait {name}"

    def open_gate(self, name):
        os.write(self.gates[name], b"go\n")

    def all_is_well(self):
        self.script("trust-check", result(trust="stale", record=True, identity={}))
        self.script("record", result(forgotten=1))
        self.script("mode", result())
        for phone in self.phones_here:
            well = phone.identity(capacity_bytes=128 * 10**9, battery_percent=80)
            del well["build"], well["version"]  # what it runs then is not known here
            self.script(
                f"trust-pair-{phone.udid}",
                event("trust", trust="asking"),
                result(trust="trusted", by="usbmuxd", identity={"udid": phone.udid}),
            )
            self.script(
                f"trust-verify-{phone.udid}", result(trust="trusted", identity=well, media_entries=3)
            )
        firmware = {
            "product": "iPhone14,5",
            "version": "17.5.1",
            "build": BUILD,
            "name": "iPhone14,5_17.5.1_21F90_Restore.ipsw",
            "url": "https://updates.cdn-apple.com/x/iPhone14,5_17.5.1_21F90_Restore.ipsw",
            "size": 6,
            "sha1": "0" * 40,
        }
        path = str(self.storage / "firmware" / firmware["name"])
        variants = [
            {"name": ERASE, "erases": True, "os_bytes": 1000, "os_packed": False},
            {"name": UPDATE, "erases": False, "os_bytes": 1000, "os_packed": False},
        ]
        checked = {"version": "17.5.1", "build": BUILD, "size": 6, "name": firmware["name"]}
        self.firmware = firmware
        self.offer(firmware)
        self.network()
        self.sign("signed")
        self.script(
            "fetch",
            event("progress", done=3, total=6),
            result(firmware={**firmware, "path": path, "verified": True}, fetched=6),
        )
        self.script(
            "check",
            result(firmware=checked, products=["iPhone14,5"], variants=variants, members=9,
                   manifest_sha256=MANIFEST, proof=PROOF),
        )

    def offer(self, *firmwares, sources=(), **more):
        """What the catalogue knows, newest first."""
        self.script("catalogue", result(firmwares=list(firmwares), sources=list(sources), **more))

    def sign(self, verdict, text="", **more):
        """What Apple says from now on."""
        reason = {"reason": {"kind": "not-signed", "origin": "tss", "code": 94, "text": text}} if text else {}
        self.script("sign", result(verdict=verdict, manifest_sha256=MANIFEST, **reason, **more))

    def network(self, *fails):
        """The servers that cannot be reached: (host, cause, text)."""
        hosts = [{"host": "gs.apple.com", "purpose": "tickets", "state": "works", "cause": "none", "text": ""}]
        hosts += [{"host": host, "purpose": "phone" if host == "gg.apple.com" else "x", "state": "fails",
                   "cause": cause, "text": text} for host, cause, text in fails]
        self.script("network", result(hosts=hosts, cause=fails[0][1] if fails else "none"))

    def requests(self, kind):
        path = self.folder / f"requests-{kind}"
        return [json.loads(text) for text in path.read_text().splitlines()] if path.exists() else []

    # --- the engine

    def engine(self, *lines, phone=None):
        name = "engine" if phone in (None, self.anna) else f"engine-0x{phone.ecid:016x}"
        for text in lines:
            os.write(self.engine_fds[name], (text + "\n").encode())

    def engine_pids(self):
        path = self.folder / "engine-pids"
        return [int(word) for word in path.read_text().split()] if path.exists() else []

    # --- the service

    def come(self, *modes):
        """All phones appear, usbmuxd answers."""
        self.mux("mux-up")
        for phone, mode in zip(self.phones_here, modes):
            phone.appear(mode)
        self.until_phones(
            lambda phones: len(phones) == len(modes)
            and all(p.get("product") == "iPhone14,5" for p in phones)
        )
        return self

    def kill(self, before_start=lambda: None):
        """SIGKILL, and a new service that sees the same phones."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        await_lock(self.socket)
        self.log.rename(self.folder / f"log-{self.process.pid}")
        before_start()
        self.start()
        self.mux("mux-up")
        for phone in self.phones_here:
            phone.show()
        here = {phone.key for phone in self.phones_here if phone.here}
        self.until_phones(lambda phones: here <= {phone["key"] for phone in phones})

    def call(self, method, **parameters):
        """(parameters of the reply, None) or (those of the error, its name)."""
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(LIMIT)
            link.connect(str(self.socket))
            call = {"method": INTERFACE + method, "parameters": parameters}
            link.sendall(json.dumps(call).encode() + b"\0")
            got = b""
            while not got.endswith(b"\0"):
                more = link.recv(65536)
                assert more, "the service closed the link"
                got += more
        reply = json.loads(got[:-1])
        return reply.get("parameters", {}), reply.get("error", "").removeprefix(INTERFACE) or None

    def begin(self, goal, phone=None, **more):
        """A job for this goal; an erase gets its consent. Returns its id."""
        key = (phone or self.anna).key
        if goal == "erase" and "consent" not in more:
            plan, error = self.call("Plan", phone=key, goal=goal)
            assert error is None, plan
            more = {"consent": plan["plan"]["token"], "confirm": (phone or self.anna).serial[-4:]}
        reply, error = self.call("Start", phone=key, goal=goal, **more)
        assert error is None, reply
        return reply["job"]["id"]

    def begin_held(self, script, goal):
        """As begin(), but the worker of that script hangs once the plan is made."""
        if script == "check":  # the plan needs one that answers
            good = (self.folder / "check").read_text().strip()
            self.script("check", good)
            self.script("fetch", self.gate("plan-made"), (self.folder / "fetch").read_text().strip())
            job = self.begin(goal)
            self.until_step(job, "fetch")
            self.script("check", "hang")
            self.open_gate("plan-made")
            return job
        if script:
            self.script(script, "hang")
        return self.begin(goal)

    def hangs(self, kind):
        """A worker was asked for the step of this kind."""
        if kind == "check":
            return len(self.requests("check")) > 1
        if kind == "fetch":
            return self.requests("fetch")
        action = {"pair": "pair", "verify-trust": "verify"}[kind]
        return [r for r in self.requests("trust") if r["action"] == action]

    def engine_has_ended(self, name):
        return '"result"' in (self.storage / "jobs" / name / "engine-1.jsonl").read_text()

    def job(self, name):
        reply, error = self.call("Job", id=name)
        assert error is None, reply
        return reply["job"]

    def until_job(self, name, condition, what="the job is as expected"):
        last = {}

        def check():
            last["job"] = self.job(name)
            return last["job"] if condition(last["job"]) else None

        try:
            return until(what, check)
        except AssertionError as error:
            raise AssertionError(f"{error}: {last}\n{self.log.read_text()}") from None

    def until_state(self, name, state):
        return self.until_job(name, lambda job: job["state"] == state, f"the job is {state}")

    def until_step(self, name, kind, state="running"):
        def there(job):
            return any(s["kind"] == kind and s["state"] == state for s in job["steps"])

        return self.until_job(name, there, f"step {kind} is {state}")

    def journal(self, name):
        text = (self.storage / "jobs" / name / "journal.jsonl").read_text()
        return [json.loads(text) for text in text.splitlines()]

    def end(self):
        """After each test: ends well, leaves no engine, and without a word of the sanitizers."""
        for pid in self.engine_pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if self.process and self.process.poll() is None:
            status, _ = self.stop()
            assert status == 0, self.log.read_text()
        for log in self.folder.glob("log*"):
            assert not re.search("Sanitizer|runtime error", log.read_text()), log.read_text()


def events_of(journal, *names):
    """What the journal says happened, only the events of these names, in order."""
    return [(e["event"], e.get("kind")) for e in journal if e["event"] in names]
