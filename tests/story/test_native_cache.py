# SPDX-License-Identifier: GPL-3.0-or-later
"""The firmware cache, natively: the service, its workers and the command line, pretended Apple servers, a real nginx as
a shop's mirror. What the servers sent is the judge of what was downloaded."""

import contextlib
import fcntl
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

import pytest

TREE = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TREE / "tests/net"), str(TREE / "tests")]

from apple import Apple  # noqa: E402
from ipsw.make_ipsw import build  # noqa: E402
from rescue_bed import CDN, Rescue, read_only, small, until  # noqa: E402

MIB = 1 << 20
PRODUCT, SISTER, OTHER = "iPhone14,5", "iPhone14,2", "iPhone13,2"
IMAGE = 24 * MIB
DAY_MS = 24 * 3600 * 1000
EXIT_BUSY, EXIT_UNSUPPORTED, EXIT_NO_CONSENT, EXIT_NO_SPACE = 5, 5, 6, 9
NGINX = pathlib.Path("/usr/sbin/nginx")
PORT_TRIES = 5


class World:
    """Apple's servers, and three firmwares: two builds of one product pair, one of another product."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "pki").mkdir()
        self.files = {}
        for boards, version, number in (([PRODUCT, SISTER], "18.1", "22B83"), ([PRODUCT, SISTER], "18.2", "22C152"),
                                        ([OTHER], "18.3", "22D60")):
            path = folder / f"{number}.ipsw"
            build(path, boards=boards, version=version, build=number, image_bytes=IMAGE, cryptex_bytes=MIB // 2)
            self.files[number] = path
        self.apple = Apple(folder / "pki", files=list(self.files.values()), base=CDN)

    def file(self, number):
        return next(file for file in self.apple.registry.firmwares() if file.build == number)

    def hash(self, number):
        """What the file is called in the cache, by any of its hashes."""
        hashes = self.file(number).hashes
        return {f"{hashes['sha1']}.ipsw", f"{hashes['sha256']}.ipsw"}

    def sent(self):
        return self.apple.firmware.sent()


@pytest.fixture(scope="module")
def world():
    with tempfile.TemporaryDirectory(prefix="c", dir="/tmp") as folder:
        made = World(pathlib.Path(folder))
        with made.apple:
            yield made


@pytest.fixture
def bed(world, folder):
    """bed(**settings) → the product beside a phone that nobody asks for anything."""
    world.apple.calm()
    with contextlib.ExitStack() as beds:
        yield lambda **settings: beds.enter_context(Rescue(folder, world.apple, **settings))


def get(rescue, product, number):
    """Downloads, or finds, and returns the job."""
    result = rescue.json("firmware", "get", product, "--build", number)
    assert result["exit"] == 0, f"{result}\n{rescue.log_tail()}"
    return result["job"]


def cache(rescue):
    return rescue.ok("firmware", "cache")["cache"]


def files(rescue):
    return {file["build"]: file for file in cache(rescue)["files"] if file["kind"] == "whole" and "build" in file}


def part(rescue):
    """The download that has begun, once bytes of it are there."""
    found = [file for file in cache(rescue)["files"] if file["kind"] == "part" and file["bytes"] > 0]
    return found[0] if found else None


def test_two_products_of_one_file_are_one_download(bed, world):
    rescue = bed()
    assert cache(rescue)["files"] == []
    assert "No firmware is kept" in rescue.run("firmware", "cache").stdout
    job = get(rescue, PRODUCT, "22C152")
    size, once = world.file("22C152").size, world.sent()
    assert size <= once < size + 2 * MIB
    get(rescue, SISTER, "22C152")
    assert world.sent() < once + 2 * MIB  # the manifest may be read again
    kept = cache(rescue)
    assert kept["folder"] == str(rescue.storage / "firmware") and len(kept["files"]) == 1
    file = kept["files"][0]
    assert file["file"] in world.hash("22C152") and file["name"] == world.file("22C152").name
    assert {PRODUCT, SISTER} <= set(file["products"]) and file["bytes"] == size
    assert not file["stale"] and not file["in_use"] and file["verified_ms"] > 0
    told = rescue.run("firmware", "cache").stdout
    assert "iOS 18.2 (22C152)" in told and file["file"] in told and PRODUCT in told and "are right" in told
    assert job["state"] == "done"


def test_note_survives_the_service(bed, world):
    rescue = bed()
    get(rescue, PRODUCT, "22C152")
    assert rescue.end_service() == 0
    use = json.loads((rescue.storage / "firmware/use.json").read_text())
    assert use["boot"] == ""
    rescue.start_service()
    assert not files(rescue)["22C152"]["stale"]
    sent = world.sent()
    get(rescue, PRODUCT, "22C152")
    assert world.sent() < sent + 2 * MIB


def test_drop_is_refused_while_it_is_used(bed, world):
    rescue = bed()
    get(rescue, PRODUCT, "22C152")
    name = files(rescue)["22C152"]["file"]
    path = rescue.storage / "firmware" / name
    with open(path, "rb") as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        result = rescue.json("firmware", "drop", name)
        assert result["exit"] == EXIT_BUSY and "in use" in result["error"]["text"], result
        assert files(rescue)["22C152"]["in_use"]
    assert path.exists()
    assert rescue.json("firmware", "drop", "nothing")["exit"] == 2
    dropped = rescue.ok("firmware", "drop", world.file("22C152").name)["dropped"]
    assert dropped["file"] == name and not path.exists()
    assert list((rescue.storage / "firmware").glob("*.ipsw*")) == []
    told = rescue.run("firmware", "drop", name)
    assert told.returncode == 2 and "has no file" in told.stderr


def test_download_that_runs_is_not_dropped(bed, world):
    rescue = bed()
    world.apple.firmware.behave("rate", bytes_per_second=MIB // 4)  # it cannot end before it is cancelled
    name = rescue.start("firmware", "get", PRODUCT, "--build", "22C152")
    running = until("bytes have come", lambda: part(rescue))
    assert running["in_use"]
    assert rescue.json("firmware", "drop", running["file"])["exit"] == EXIT_BUSY
    rescue.ok("job", "cancel", name)
    rescue.until_end(name)
    until("nobody writes it", lambda: not part(rescue)["in_use"])
    assert rescue.ok("firmware", "drop", running["file"])["dropped"]["kind"] == "part"
    assert cache(rescue)["files"] == []


def test_room_is_made_by_what_the_card_names(bed, world, folder):
    """100 MiB hold one firmware and what must stay free, not two."""
    rescue = bed(prefix=small(folder / "storage", "100m"))
    get(rescue, PRODUCT, "22B83")
    unseen = rescue.json("firmware", "get", PRODUCT, "--build", "22C152")
    assert unseen["exit"] == EXIT_NO_CONSENT and "iOS 18.1 (22B83)" in unseen["error"]["text"], unseen
    assert set(files(rescue)) == {"22B83"}  # nobody was told of it
    plan = rescue.ok("plan", rescue.ecid, "firmware", "--build", "22C152")["plan"]
    assert [drop["bytes"] for drop in plan["drops"]] == [world.file("22B83").size]
    assert "18.1" in plan["drops"][0]["label"] and "make-room" in [step["kind"] for step in plan["steps"]]
    told = rescue.run("plan", rescue.ecid, "firmware", "--build", "22C152").stdout
    assert "deleted" in told and "iOS 18.1 (22B83)" in told
    assert set(files(rescue)) == {"22B83"}  # a plan deletes nothing
    job = get(rescue, PRODUCT, "22C152")
    assert set(files(rescue)) == {"22C152"}
    made = [step for step in job["steps"] if step["kind"] == "make-room"]
    assert [step["state"] for step in made] == ["done"] and "iOS 18.1 (22B83)" in made[0]["found"]
    journal = [line for line in rescue.log_text().splitlines() if "to make room" in line]
    assert len(journal) == 1


def test_room_that_cannot_be_made(bed, folder):
    rescue = bed(prefix=small(folder / "storage", "100m"))
    get(rescue, PRODUCT, "22B83")
    # the only file that could go is in use: nothing goes, and the person learns what to do
    locker = subprocess.Popen(
        ["nsenter", f"--user=/proc/{rescue.service.pid}/ns/user", f"--mount=/proc/{rescue.service.pid}/ns/mnt",
         sys.executable, "-c", "import fcntl,sys\nheld=open(sys.argv[1],'rb')\nfcntl.flock(held,fcntl.LOCK_SH)\n"
         "print('held',flush=True)\nsys.stdin.read()", files(rescue)["22B83"]["path"]],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert locker.stdout.readline() == b"held\n"
        result = rescue.json("firmware", "get", PRODUCT, "--build", "22C152")
        assert result["exit"] == EXIT_NO_SPACE, result
        text = result["error"]["text"]
        assert "MB of room are needed" in text and "larger stick" in text, text
    finally:
        locker.communicate()
    assert set(files(rescue)) == {"22B83"}


@pytest.mark.parametrize("how, words", [("read-only", "read-only"), ("full", "of room are needed"),
                                        ("gone", "is not there")])
def test_another_disk_that_cannot_be_used(bed, folder, how, words):
    disk = folder / "disk"
    disk.mkdir()
    prefix = {"read-only": read_only(disk), "full": small(disk, "8m"), "gone": []}[how]
    rescue = bed(prefix=prefix)
    chosen = rescue.json("firmware", "cache", "use", str(disk))
    if how == "read-only":
        result = chosen
    else:
        assert chosen["exit"] == 0 and chosen["cache"]["chosen"], chosen
        if how == "gone":
            disk.rmdir()
        result = rescue.json("firmware", "get", PRODUCT, "--build", "22C152")
    assert result["exit"] == EXIT_NO_SPACE and words in result["error"]["text"], result
    assert str(disk) in result["error"]["text"] and not list(rescue.storage.glob("firmware/*.ipsw*"))
    if how == "gone":
        assert not disk.exists()  # and no folder of its name was made
    rescue.ok("firmware", "cache", "use", "off")
    assert rescue.ok("plan", rescue.ecid, "firmware", "--build", "22C152")["plan"]["room"].get("cache") is None


def test_firmware_on_another_disk(bed, world, folder):
    disk = folder / "disk"
    disk.mkdir()
    rescue = bed()
    rescue.ok("firmware", "cache", "use", str(disk))
    get(rescue, PRODUCT, "22C152")
    assert [path.name for path in disk.glob("*.ipsw")] == [files(rescue)["22C152"]["file"]]
    assert not list((rescue.storage / "firmware").glob("*.ipsw"))
    assert rescue.end_service() == 0
    rescue.start_service()  # the choice outlives the service
    sent = world.sent()
    get(rescue, SISTER, "22C152")
    assert world.sent() < sent + 2 * MIB and cache(rescue)["folder"] == str(disk)
    assert "which was chosen" in rescue.run("firmware", "cache").stdout
    # a single word is the name of a disk, and disks are connected by the stick's own system alone
    for word, status in (("relative", EXIT_UNSUPPORTED), ("ftp://x", 2), ("http://", 2),
                         ("/etc/passwd", EXIT_NO_SPACE)):
        result = rescue.json("firmware", "cache", "use", word)
        assert result["exit"] == status, (word, result)
    assert rescue.json("firmware", "cache", "drop", "x")["exit"] == 2
    assert cache(rescue)["folder"] == str(disk)


def engine_of(rescue):
    """(pid, arguments) of the engine that runs for this bed; None if there is none."""
    for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"idevicerestore") and any(str(rescue.storage).encode() in word for word in words):
            return int(entry.parent.name), [word.decode() for word in words if word]
    return None


@contextlib.contextmanager
def held(pid):
    """A process that does nothing while the block runs: what it has and locks can be looked at."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_engine_sees_apples_name(bed, world):
    """It calls what it unpacks by the file's name; the file is locked as long as it needs it."""
    rescue = bed(mode="recovery", ipsw=world.files["22C152"])
    rescue.until_phone(mode="recovery")
    name = rescue.start("restore", rescue.ecid, "--update", "--build", "22C152")
    pid, arguments = until("the engine runs", lambda: engine_of(rescue), 60)
    with held(pid):
        link = pathlib.Path(arguments[-1])
        assert link.name == world.file("22C152").name and link.is_symlink()
        kept = files(rescue)["22C152"]
        assert os.readlink(link) == kept["path"] and kept["in_use"]
        with open(kept["path"], "rb") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert rescue.json("firmware", "drop", kept["file"])["exit"] == EXIT_BUSY
    rescue.until_job(name, lambda job: any(step["kind"] == "update" and step["state"] in {"done", "failed"}
                                           for step in job["steps"]))
    until("the link is gone", lambda: not link.parent.exists())
    assert rescue.phone.state()["updates"] == 1
    rescue.ok("job", "cancel", name)


# ---- a shop's mirror

CONFIG = """daemon off; error_log {folder}/error.log; pid {folder}/pid; user root;
events {{ }}
http {{ access_log {folder}/access.log; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
server {{ listen 127.0.0.1:{port}; location /ipsw/ {{ root {folder}/www; }} }} }}
"""


class Mirror:
    """A real nginx that serves a folder of plain files."""

    def __init__(self, folder):
        self.folder = folder
        self.files = folder / "www/ipsw"
        self.files.mkdir(parents=True)
        self.url = self.process = None

    def __enter__(self):
        """nginx takes no socket and no port 0: another program may have taken the port that was just free."""
        for _ in range(PORT_TRIES):
            try:
                self._start()
                until("nginx listens, or not", self._is_decided)
            except BaseException:
                self.__exit__()
                raise
            if self.process.poll() is None:
                return self
        raise AssertionError((self.folder / "error.log").read_text(encoding="utf-8"))

    def _is_decided(self):
        return (self.folder / "pid").exists() or self.process.poll() is not None

    def _start(self):
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/ipsw"
        config = self.folder / "nginx.conf"
        config.write_text(CONFIG.format(folder=self.folder, port=port), encoding="ascii")
        self.process = subprocess.Popen([NGINX, "-c", config, "-e", self.folder / "error.log"],
                                        stderr=subprocess.DEVNULL)

    def __exit__(self, *_):
        if self.process:
            self.process.terminate()
            self.process.wait(10)

    def log(self):
        return (self.folder / "access.log").read_text(encoding="utf-8")


@pytest.fixture
def mirror(folder):
    if not NGINX.exists():
        pytest.skip("there is no nginx in this build root (tests/packages)")
    (folder / "shop").mkdir()
    with Mirror(folder / "shop") as one:
        yield one


def test_mirror_is_asked_first(bed, world, mirror):
    rescue = bed()
    sha256 = world.file("22C152").hashes["sha256"]
    os.link(world.files["22C152"], mirror.files / f"{sha256}.ipsw")
    os.link(world.files["22C152"], mirror.files / world.file("22C152").name)
    assert rescue.ok("firmware", "cache", "use", mirror.url)["cache"]["mirror"] == mirror.url
    get(rescue, PRODUCT, "22C152")
    assert world.sent() < 2 * MIB, "the file itself came from Apple's server"
    assert " 206 " in mirror.log()
    assert set(files(rescue)) == {"22C152"} and not files(rescue)["22C152"]["stale"]
    assert mirror.url in rescue.run("firmware", "cache").stdout


@pytest.mark.parametrize("fault", ["missing", "wrong", "dead"])
def test_mirror_that_fails_is_passed_over(bed, world, mirror, fault):
    rescue = bed()
    file = world.file("22C152")
    if fault == "wrong":
        data = bytearray(world.files["22C152"].read_bytes())
        data[len(data) // 2] ^= 0xFF
        for name in (f"{file.hashes['sha256']}.ipsw", f"{file.hashes['sha1']}.ipsw", file.name):
            (mirror.files / name).write_bytes(data)
    rescue.ok("firmware", "cache", "use", mirror.url)
    if fault == "dead":
        mirror.__exit__()
    job = get(rescue, PRODUCT, "22C152")
    assert job["state"] == "done" and world.sent() >= file.size // 2
    assert set(files(rescue)) == {"22C152"}


# ---- what lies there already

def test_file_of_an_older_release_is_adopted(bed, world):
    rescue = bed()
    file, firmware = world.file("22C152"), rescue.storage / "firmware"
    firmware.mkdir(exist_ok=True)
    (firmware / file.name).write_bytes(file.path.read_bytes())
    (firmware / f"{file.name}.json").write_text(json.dumps(
        {"product": PRODUCT, "version": "18.2", "build": "22C152", "name": file.name, "size": file.size,
         "url": CDN + file.url_path, "sha1": file.hashes["sha1"], "verified": True}))
    assert files(rescue)["22C152"]["stale"]
    get(rescue, PRODUCT, "22C152")
    assert world.sent() < 2 * MIB
    assert {path.name for path in firmware.glob("*.ipsw")} <= world.hash("22C152")
    assert not files(rescue)["22C152"]["stale"]


@pytest.mark.parametrize("damaged", [False, True])
def test_old_proof_is_made_anew(bed, world, damaged):
    """A week later the whole file is hashed again; a stick that forgot a bit is noticed before a phone is touched."""
    rescue = bed()
    get(rescue, PRODUCT, "22C152")
    kept = files(rescue)["22C152"]
    path = pathlib.Path(kept["path"])
    note = json.loads(path.with_name(path.name + ".json").read_text())
    note["verified_ms"] = int(time.time() * 1000) - 8 * DAY_MS
    times = path.stat()
    if damaged:
        with open(path, "r+b") as file:
            file.seek(kept["bytes"] // 2)
            byte = file.read(1)
            file.seek(kept["bytes"] // 2)
            file.write(bytes([byte[0] ^ 1]))
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    path.with_name(path.name + ".json").write_text(json.dumps(note))
    assert files(rescue)["22C152"]["stale"]
    sent = world.sent()
    get(rescue, PRODUCT, "22C152")
    assert (world.sent() - sent >= kept["bytes"]) == damaged
    assert not files(rescue)["22C152"]["stale"]
    assert path.read_bytes() == world.files["22C152"].read_bytes()


def test_two_jobs_for_one_file(bed, world):
    """One downloads, the other waits for it."""
    rescue = bed()
    world.apple.firmware.behave("rate", bytes_per_second=2 * MIB)
    first = rescue.start("firmware", "get", PRODUCT, "--build", "22C152")
    until("bytes have come", lambda: part(rescue))
    (writer,) = rescue.workers("fetch")
    with held(writer):
        second = rescue.start("firmware", "get", SISTER, "--build", "22C152")
        rescue.until_job(second, lambda job: "Another job" in job.get("guidance", ""))
    assert [rescue.until_end(name)["state"] for name in (first, second)] == ["done", "done"]
    assert world.sent() < world.file("22C152").size + 3 * MIB
