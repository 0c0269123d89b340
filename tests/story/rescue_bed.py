# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole product natively: our service, workers and command line, the unmodified engine, a simulated phone on both
native doors, pretended Apple servers. Only the kernel and usbmuxd are played: sightings come from the stand-in's bus
(bus_sightings), the mux is the phone's own door.

    with Rescue(folder, apple, product="iPhone14,5", trust="asking") as rescue:
        plan = rescue.json("plan", "ecid:…", "erase")["plan"]
        job = rescue.follow(rescue.start("restore", …))

The service may be killed and started again at any moment: rescue.kill_service(), rescue.start_service().
"""

import contextlib
import fcntl
import json
import os
import pathlib
import re
import signal
import subprocess
import time

from bus_sightings import BusSightings
from restore_judge import FAST
from simphone import ENVIRONMENT, SimPhone

__all__ = ["Cli", "ENDS", "LIMIT", "PROGRAM", "Rescue", "await_lock", "hosts_text", "read_only", "small",
           "until", "untouched", "write_hooks"]

TREE = pathlib.Path(__file__).resolve().parents[2]
BUILD = TREE / os.environ.get("IDR_BUILD", "build/asan")
PROGRAM, WORKER = BUILD / "idevicerescue", BUILD / "idevicerescue-worker"
LIMIT = 60  # seconds, for anything that is awaited without a limit of its own
RESTORE_LIMIT = 90
POLL_SECONDS = 0.02
ENDS = {"done", "failed", "cancelled"}
STOPPED = ENDS | {"asking"}  # without a person it goes no further
# name in the world: service of tests/net, and its listener
HOSTS = {"api.ipsw.me": "catalogue", "s.mzstatic.com": "catalogue", "api.appledb.dev": "catalogue",
         "gdmf.apple.com": "gdmf", "gs.apple.com": "tss",
         "updates.cdn-apple.com": "firmware", "wkms-public.apple.com": "gg", "gg.apple.com": "gg"}
CDN = "https://updates.cdn-apple.com"
# prefixes: $0 is the folder that is mounted over
SEE = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
SMALL = 'mount -t tmpfs -o "size=$1" none "$0" && shift && exec "$@"'
READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'


def small(path, size):
    """Prefix: the service and its workers see an empty file system of that size ("4m") in the folder's place."""
    return [*SEE, SMALL, str(path), size]


def read_only(path):
    """Prefix: the same of a folder that cannot be written."""
    return [*SEE, READ_ONLY, str(path)]


def until(what, condition, limit=LIMIT):
    """The first true value of condition(); fails with `what` when it does not come."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(POLL_SECONDS)
    raise AssertionError(f"not within {limit} seconds: {what() if callable(what) else what}")


def hosts_text(apple, address="127.0.0.1", schemes=()):
    """The host map that sends Apple's names to the pretended servers. schemes: {service: listener} other than https."""
    chosen = dict(schemes)
    return "".join(f"{name}:443 {address}:{apple.port(service, chosen.get(service, 'https'))}\n"
                   for name, service in HOSTS.items())


def write_hooks(folder, apple, **how):
    """A folder of credentials, as a virtual machine would pass them."""
    folder.mkdir(exist_ok=True)
    (folder / "idevicerescue.hosts").write_text(hosts_text(apple, **how), encoding="ascii")
    (folder / "idevicerescue.ca").write_bytes(pathlib.Path(apple.ca).read_bytes())
    return folder


def await_lock(path):
    """Until no process holds the service's claim of its socket: a worker that was just being forked when the service
    was killed holds it until it is another program."""
    def is_free():
        with open(f"{path}.lock", "rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True
    until("the socket is claimed by nobody", is_free)


class Cli:
    """A command of ours beside the test; killed with the bed at the latest."""

    def __init__(self, rescue, *words, json_lines=True):
        command = [str(PROGRAM), "--socket", str(rescue.socket), *(["--json"] if json_lines else []), *map(str, words)]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, cwd=TREE, env=rescue.environment, text=True)
        rescue.others.append(self.process)

    def end(self, limit=RESTORE_LIMIT):
        """(exit status, lines of JSON)"""
        out, err = self.process.communicate(timeout=limit)
        assert "Sanitizer" not in err, err
        lines = [json.loads(line) for line in out.splitlines()]
        if lines and lines[-1]["type"] == "result":
            assert lines[-1]["exit"] == self.process.returncode
        return self.process.returncode, lines

    def kill(self):
        self.process.kill()
        self.process.communicate()


class Rescue:
    """folder: short, for sockets. ipsw: what the phone compares a restore with. settings: of the phone's scenario.
    prefix: words before the service's command, small() or read_only()."""

    def __init__(self, folder, apple, *, ipsw=None, product="iPhone14,5", mode="normal", worker=WORKER, storage=None,
                 prefix=(), **settings):
        self.folder, self.apple = pathlib.Path(folder), apple
        known = {"ipsw": ipsw} if ipsw else {}
        self.phone = SimPhone(folder, usbmuxd=True, libusb=True, model=product, mode=mode,
                              **{**FAST, **known, **settings})
        self.worker, self.prefix = worker, list(prefix)
        self.storage = pathlib.Path(storage) if storage else self.folder / "storage"
        self.socket, self.tape, self.log = (self.folder / name for name in ("socket", "tape", "service.log"))
        self.hooks = self.folder / "hooks"
        self.environment = {}
        self.service = self.bus = self._tape_fd = None
        self.others = []
        self.starts = 0

    # ---- life

    def __enter__(self):
        self.storage.mkdir(exist_ok=True)
        if self.apple:
            self.apple.set_base(CDN)  # catalogues name Apple's own host
            write_hooks(self.hooks, self.apple)
        self.phone.start()
        self.environment = {**ENVIRONMENT, **self.phone.env(), "CREDENTIALS_DIRECTORY": str(self.hooks),
                            "IDEVICERESCUE_LOCKDOWN": str(self.phone.records)}
        try:
            os.mkfifo(self.tape)
            self._tape_fd = os.open(self.tape, os.O_RDWR)
            self.start_service(tell_again=False)
            self.bus = BusSightings(self.phone.bus, self._write)
            self.bus.__enter__()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, kind, value, traceback):
        if value is not None:
            value.add_note(f"the service's log ends:\n{self.log_tail()}")
        try:
            self.remove(judge=value is None)
        except Exception as error:
            if value is None:
                raise
            value.add_note(f"and {error}")

    def _write(self, line):
        os.write(self._tape_fd, (line + "\n").encode())

    def start_service(self, tell_again=True):
        self.starts += 1
        with open(self.log, "a", encoding="utf-8") as log:
            self.service = subprocess.Popen(
                [*self.prefix, PROGRAM, "serve", "--foreground", "--socket", self.socket, "--replay", self.tape,
                 "--worker", self.worker, "--storage", self.storage],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=TREE, env=self.environment)
        until("the service listens", lambda: self.log_text().count("listening at") >= self.starts or
              self.service.poll() is not None)
        assert self.service.poll() is None, self.log_tail()
        if tell_again:
            self.bus.tell_again()

    def kill_service(self):
        self.service.send_signal(signal.SIGKILL)
        self.service.wait()
        self.service = None  # its end is not judged
        await_lock(self.socket)

    def remove(self, judge=False):
        for process in self.others:
            if process.poll() is None:
                process.kill()
                process.communicate()
        status = self.end_service()
        self.end_engines()
        try:
            if self.bus:
                self.bus.__exit__(None, None, None)
        finally:
            if self._tape_fd is not None:
                os.close(self._tape_fd)
                self._tape_fd = None
            self.phone.stop()
        if judge:
            assert status == 0 and "Sanitizer" not in self.log_text() and "runtime error" not in self.log_text(), \
                self.log_tail()

    def end_service(self):
        """Its exit status; of one that has ended by itself, too. One that hangs is killed: nothing may be left."""
        if not self.service:
            return 0
        if self.service.poll() is None:
            self.service.terminate()
        try:
            return self.service.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.service.kill()
            return self.service.wait()

    def workers(self, kind=""):
        """Pids of our workers of this kind, whoever is their parent now."""
        found = []
        for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = entry.read_bytes().split(b"\0")
                ours = str(self.hooks).encode() in (entry.parent / "environ").read_bytes()
            except OSError:
                continue
            if ours and words[0].endswith(b"/" + WORKER.name.encode()) and kind.encode() in words[1:2 if kind else 99]:
                found.append(int(entry.parent.name))
        return found

    def end_engines(self):
        """A restore worker outlives the service: none may outlive the bed."""
        for pid in self.workers("restore"):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    # ---- asking

    def log_text(self):
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def log_tail(self, lines=40):
        return "\n".join(self.log_text().splitlines()[-lines:])

    def run(self, *words, limit=RESTORE_LIMIT):
        """The command line, in text."""
        done = subprocess.run([str(PROGRAM), "--socket", str(self.socket), *map(str, words)], capture_output=True,
                              stdin=subprocess.DEVNULL, text=True, cwd=TREE, env=self.environment, timeout=limit,
                              check=False)
        assert "Sanitizer" not in done.stderr, done.stderr
        return done

    def json(self, *words, limit=RESTORE_LIMIT):
        """Its result object; `exit` is in it."""
        return Cli(self, *words).end(limit)[1][-1]

    def ok(self, *words, limit=RESTORE_LIMIT):
        result = self.json(*words, limit=limit)
        assert result["exit"] == 0, result
        return result

    def phones(self):
        return self.json("list")["phones"]

    def until_phone(self, limit=LIMIT, **wanted):
        """The phone as `list` has it, once these fields are so."""
        last = []

        def look():
            last[:] = self.phones()
            fits = [phone for phone in last if all(phone.get(key) == value for key, value in wanted.items())]
            return fits[0] if fits else None

        return until(lambda: f"a phone with {wanted}; there is {last}", look, limit)

    def until_normal(self):
        """What the phone itself says, once it is back in normal mode."""
        def back():
            state = self.phone.state()
            return state if state["mode"] == "normal" and state["attached"] else None
        return until("the phone is back in normal mode", back)

    @property
    def ecid(self):
        return f"ecid:{self.phone.state()['ecid']}"

    def last4(self, plan):
        """What a person types: of the number that the plan asks for."""
        return self.phones()[0]["serial_number" if "serial" in plan["confirm_hint"] else "ecid"][-4:]

    # ---- jobs

    def jobs(self):
        return self.json("job", "list")["jobs"]

    def job(self, name):
        return self.json("job", "show", name)["job"]

    def start(self, *words):
        """Starts what the command line says and does not wait for it; the job's id."""
        return self.ok(*words, "--no-wait")["job"]["id"]

    def start_erase(self, *more):
        """With the consent that a person gives: plan, read, type."""
        plan = self.ok("plan", self.ecid, "erase", *more)["plan"]
        return self.start("restore", self.ecid, "--erase", *more, "--consent", plan["token"],
                          "--confirm", self.last4(plan))

    def until_job(self, name, condition, limit=RESTORE_LIMIT):
        """The job once condition(job) holds; AssertionError with the job if that does not come."""
        last = {}

        def look():
            result = self.json("job", "show", name)
            if result["exit"] == 12:  # the service is being started again
                return None
            last.clear()  # what it does not say any more is not so any more
            last.update(result["job"] if "job" in result else {"state": "none", **result})
            return last if "job" in result and condition(last) else None

        return dict(until(lambda: f"the job as wanted; it is {json.dumps(last)}\n{self.log_tail()}", look, limit))

    def until_end(self, name, limit=RESTORE_LIMIT):
        return self.until_job(name, lambda job: job.get("state") in STOPPED, limit)

    def journal(self, name):
        """What the job's journal holds, a dict for each line."""
        lines = (self.storage / "jobs" / name / "journal.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def report(self, name):
        return json.loads((self.storage / "jobs" / name / "report.json").read_text(encoding="utf-8"))

    # ---- the person

    def tap_trust(self, limit=LIMIT):
        """Waits for the dialog and taps Trust."""
        until("the Trust dialog is shown", lambda: self.phone.state()["dialog"] == "asking", limit)
        self.phone.control("trust")

    def pair(self):
        """The phone trusts this computer before the story begins."""
        self.phone.control("set trust_after_ms 1")

        def paired():
            return self.phone.run("idevicepair", "pair").returncode == 0
        until("the phone trusts this computer", paired)
        self.phone.control("set trust_after_ms 0")
        self.until_phone(product=self.phone.state()["model"])
        self.ok("trust", "check", self.ecid)

    def rss_kib(self):
        status = pathlib.Path(f"/proc/{self.service.pid}/status").read_text(encoding="ascii")
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))


@contextlib.contextmanager
def untouched(rescue):
    """The bed, whose phone must be found as it was."""
    def look():
        state = rescue.phone.state()
        return {key: state[key] for key in ("mode", "erases", "updates", "partial", "files", "files_digest", "boots")}

    with rescue:
        rescue.until_phone(mode=rescue.phone.state()["mode"])
        before = look()
        yield rescue
        assert look() == before
