# SPDX-License-Identifier: GPL-3.0-or-later
"""Firmware on another disk, without one: images made by other tools say what they are, a folder beside each stands for
what is in it, and a link for its mount. Kernel, PID 1 and name spaces are the image story's matter
(test_image_data.py)."""

import fcntl
import json
import os
import pathlib
import subprocess

import pytest

from host_disks import Workshop
from native_service import BUILD, ENVIRONMENT, Service
from worker_bed import WorkerRun, failure

WORKER = BUILD / "idevicerescue-worker"
OWN_FOLDER = "idevicerescue-firmware"
EXIT_REFUSED = 5


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    made = Workshop(tmp_path_factory.mktemp("shop"))
    for name, label in (("bench", "BENCH"), ("twin", "BENCH"), ("other", "Other")):
        subprocess.run(["mkfs.exfat", "-q", "-L", label, made.blank(f"{name}.img", 8)], check=True)
    subprocess.run(["mkfs.exfat", "-q", "-L", "RESCUEDATA", made.blank("ours.img", 8)], check=True)
    made.ntfs("windows.img", {})
    made.ntfs("dirty.img", {}, label="Dirty", dirty=True)
    made.ext4("linux.img", {}, label="Linux")
    made.ext4("pulled.img", {}, label="Pulled", recover=True)
    made.bitlocker("bitlocker.img")
    made.luks("luks.img")
    made.apfs("apfs.img")
    made.fat("fat.img")
    made.blank("empty.img", 1)
    subprocess.run(["mkswap", "-q", made.blank("swap.img", 8)], check=True)
    return made


class Disks:
    """The images that a test wants; what is in them lies beside them."""

    def __init__(self, folder, shop):
        self.folder, self.shop = folder, shop
        self.environment = {**ENVIRONMENT, "IDEVICERESCUE_DISKS": str(folder)}

    def insert(self, *names, source=None):
        for name in names:
            subprocess.run(["cp", "--sparse=always", self.shop.folder / f"{source or name}.img",
                            self.folder / f"{name}.img"], check=True)
            (self.folder / f"{name}.mounted").mkdir()

    def mounts(self):
        return sorted(path.readlink().name.removesuffix(".mounted") for path in self.folder.iterdir()
                      if path.is_symlink())

    def ask(self, **fields):
        with WorkerRun("disk", self.environment, **fields) as run:
            result = run.result()
            return result, [event for event in run.events if event["event"] == "disk"]

    def listed(self):
        result, events = self.ask(action="list")
        assert result["ok"] is True and result["disks"] == len(events), result
        return {event["id"]: event for event in events}

    def use(self, word, **more):
        return self.ask(action="use", volume=word, **more)[0]


@pytest.fixture
def disks(tmp_path, shop):
    folder = tmp_path / "disks"
    folder.mkdir()
    return Disks(folder, shop)


@pytest.fixture
def service(tmp_path, disks):
    made = Service(tmp_path, "--worker", WORKER, "--storage", tmp_path / "storage", worker=False,
                   environment={"IDEVICERESCUE_DISKS": disks.environment["IDEVICERESCUE_DISKS"]}).start()
    yield made
    status, _ = made.stop()
    assert status == 0, made.log.read_text()


def refused(result, kind, *words):
    assert failure(result)[0] == kind, result
    for word in words:
        assert word in result["error"]["text"], result
    return result["error"]["text"]


# what is there → (file system as told, why not, a word of the remedy)
KINDS = {
    "bench": ("exfat", "none", None), "fat": ("vfat", "none", None), "windows": ("ntfs", "none", None),
    "linux": ("ext4", "none", None), "pulled": ("ext4", "none", None), "dirty": ("ntfs", "dirty", "chkdsk"),
    "bitlocker": ("bitlocker", "bitlocker", "BitLocker"), "luks": ("luks", "luks", "LUKS"),
    "apfs": ("apfs", "macos", "macOS"), "empty": (None, "empty", "exFAT"), "swap": ("swap", "file-system", "exFAT"),
}


def test_every_kind_of_disk_is_told_apart_and_refused_with_a_remedy(disks):
    disks.insert(*KINDS, "ours")
    before = {path.name: path.stat().st_mtime_ns for path in disks.folder.glob("*.img")}
    listed = disks.listed()
    told = {name: (one.get("filesystem"), one["cause"]) for name, one in listed.items()}
    assert told == {name: row[:2] for name, row in KINDS.items()}  # the stick itself is no choice
    for name, (_, cause, word) in KINDS.items():
        if cause == "none":
            assert "text" not in listed[name]
            continue
        assert refused(disks.use(name), "refused", name, word) == listed[name]["text"]
    refused(disks.use("ours"), "refused", "rescue stick itself")
    assert disks.mounts() == [] and not list(disks.folder.glob(f"*.mounted/{OWN_FOLDER}"))
    assert {path.name: path.stat().st_mtime_ns for path in disks.folder.glob("*.img")} == before


def test_windows_that_sleeps_is_left_alone(disks):
    disks.insert("windows")
    disks.insert("second", source="windows")
    (disks.folder / "second.mounted/hiberfil.sys").write_bytes(b"hibr".ljust(8192, b"\1"))
    refused(disks.use("second"), "refused", "second", "Restart")
    refused(disks.use("windows"), "refused", "Another Windows")
    assert disks.mounts() == []


def test_a_disk_that_takes_no_writes(disks):
    disks.insert("bench")
    os.chmod(disks.folder / "bench.img", 0o444)
    refused(disks.use("bench"), "refused", "switch")
    assert disks.listed()["bench"]["cause"] == "protected"


def test_a_disk_is_found_by_any_of_its_names(disks):
    disks.insert("bench", "other")
    uuid = disks.listed()["bench"]["uuid"]
    for word in ("bench", str(disks.folder / "bench.img"), uuid, uuid.lower(), "BENCH", "Bench"):
        result = disks.use(word)
        assert result["ok"] and (result["id"], result["label"], result["uuid"]) == ("bench", "BENCH", uuid), word
        assert result["folder"] == str(disks.folder / uuid / OWN_FOLDER) and result["free_bytes"] > 0
        assert (disks.folder / "bench.mounted" / OWN_FOLDER).is_dir() and disks.mounts() == ["bench"]
    assert disks.listed()["bench"]["folder"] == result["folder"] and "folder" not in disks.listed()["other"]
    for word in ("nothing", "", "ench", "/dev/sdz9"):
        refused(disks.use(word), "usage", "firmware disks")


def test_of_two_with_one_label_none_is_guessed(disks):
    disks.insert("bench", "twin")
    refused(disks.use("BENCH"), "ambiguous", "bench, twin")
    assert disks.use("twin")["ok"] and disks.mounts() == ["twin"]


def test_a_clone_beside_its_original_is_refused(disks):
    disks.insert("bench")
    disks.insert("clone", source="bench")
    assert disks.use("bench")["ok"]
    refused(disks.use("clone"), "refused", "same id")
    assert disks.mounts() == ["bench"]
    # pulled out, its mount is still there; the clone takes the place
    (disks.folder / "bench.img").unlink()
    assert disks.use("clone")["ok"] and disks.mounts() == ["clone"]


def test_an_internal_disk_is_used_only_if_the_person_said_so(disks):
    disks.insert("internal", source="other")
    disks.insert("internal3", source="empty")  # is nothing to think of
    listed = disks.listed()
    assert listed["internal"]["internal"] is True and "internal3" not in listed
    for fields in ({}, {"internal": False}):
        refused(disks.use("internal", **fields), "refused", "own disk", OWN_FOLDER, "--internal")
    assert disks.mounts() == [] and not (disks.folder / "internal.mounted" / OWN_FOLDER).exists()
    assert disks.use("internal", internal=True)["ok"] and disks.mounts() == ["internal"]
    # a Linux of this computer may sleep on it; one on a USB disk is put right by mounting it
    disks.insert("internal2", source="pulled")
    refused(disks.use("internal2", internal=True), "refused", "Linux")


def test_what_has_the_folders_name_is_not_touched(disks):
    disks.insert("bench", "other")
    (disks.folder / "bench.mounted" / OWN_FOLDER).write_text("mine")
    refused(disks.use("bench"), "refused", OWN_FOLDER)
    (disks.folder / "other.mounted" / OWN_FOLDER).symlink_to("/tmp")
    refused(disks.use("other"), "refused", OWN_FOLDER)
    assert (disks.folder / "bench.mounted" / OWN_FOLDER).read_text() == "mine" and disks.mounts() == []


def test_all_are_ended_but_the_one_that_is_kept(disks):
    disks.insert("bench", "other", "linux")
    uuids = {name: disks.use(name)["uuid"] for name in ("bench", "other", "linux")}
    result, _ = disks.ask(action="end", keep=uuids["other"])
    assert result == {"ok": True, "ended": 2} and disks.mounts() == ["other"]
    assert disks.ask(action="end")[0]["ended"] == 1 and disks.mounts() == []
    assert disks.ask(action="end")[0]["ended"] == 0


@pytest.mark.parametrize("fields", [{}, {"action": "format"}, {"action": "use"}, {"action": "list", "volume": "x"},
                                    {"action": "use", "volume": "x", "keep": "y"}, {"action": "end", "volume": "x"},
                                    {"action": "use", "volume": 1}, {"action": "list", "folder": "/"}])
def test_a_request_is_checked(disks, fields):
    assert failure(disks.ask(**fields)[0])[0] == "usage"


def test_elsewhere_the_person_mounts(tmp_path):
    """Without the image's folder for mounts nothing is tried, whoever asks."""
    with WorkerRun("disk", ENVIRONMENT, action="use", volume="sda1") as run:
        refused(run.result(), "unsupported", "firmware cache use FOLDER")


# --- the service and the command line


def chosen(service):
    answer = service.json("firmware", "cache")
    return answer["cache"]["folder"] if answer["exit"] == 0 else answer["error"]["text"]


def test_a_disk_is_chosen_used_and_left(service, disks):
    disks.insert("bench", "other", "fat")
    own = chosen(service)
    answer = service.json("firmware", "cache", "use", "Bench")
    assert answer["exit"] == 0 and answer["disk"]["id"] == "bench", answer
    folder = answer["cache"]["folder"]
    assert folder == answer["disk"]["folder"] == chosen(service) and answer["cache"]["chosen"] is True
    listed = {one["id"]: one for one in service.json("firmware", "disks")["disks"]}
    assert listed["bench"]["folder"] == folder and listed["other"]["cause"] == "none"
    # another one: the first is let go
    said = service.run("firmware", "cache", "use", "fat")
    assert said.returncode == 0 and "goes to fat" in said.stdout and "4 GiB" in said.stdout, said.stdout
    assert disks.mounts() == ["fat"]
    said = service.run("firmware", "disks").stdout
    assert "firmware cache use bench" in said and "FAT32" in said and "cache use off" in said
    # its own folder, or a mirror, is no other place
    assert service.json("firmware", "cache", "use", chosen(service))["exit"] == 0
    assert service.json("firmware", "cache", "use", "http://shop.example/ipsw")["exit"] == 0
    assert disks.mounts() == ["fat"] and "/idevicerescue-firmware" in chosen(service)
    assert service.json("firmware", "cache", "use", "off")["exit"] == 0
    assert disks.mounts() == [] and chosen(service) == own
    settings = json.loads((service.folder / "storage/settings.json").read_text())
    assert settings == {"v": 1}


def test_off_also_ends_what_nobody_chose(service, disks):
    """Mounted for somebody who did not wait for the answer."""
    disks.insert("bench")
    assert disks.use("bench")["ok"]
    assert service.json("firmware", "cache", "use", "off")["exit"] == 0 and disks.mounts() == []


def test_a_folder_after_a_disk_lets_it_go(service, disks, tmp_path):
    disks.insert("bench")
    assert service.json("firmware", "cache", "use", "bench")["exit"] == 0
    assert service.json("firmware", "cache", "use", str(tmp_path / "nowhere"))["exit"] == 9
    assert disks.mounts() == ["bench"]  # the choice was not made
    (tmp_path / "mine").mkdir()
    assert service.json("firmware", "cache", "use", str(tmp_path / "mine"))["exit"] == 0
    assert disks.mounts() == [] and chosen(service) == str(tmp_path / "mine")


def test_a_disk_is_not_left_while_a_file_on_it_is_in_use(service, disks):
    disks.insert("bench", "other")
    folder = pathlib.Path(service.json("firmware", "cache", "use", "bench")["cache"]["folder"])
    with open(folder / f"{'a' * 64}.ipsw", "wb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)  # as a worker that reads it
        for word in ("off", "other", str(disks.folder)):
            answer = service.json("firmware", "cache", "use", word)
            assert answer["exit"] == EXIT_REFUSED and "job" in answer["error"]["text"], answer
            assert chosen(service) == str(folder) and disks.mounts() == ["bench"]
        assert service.json("firmware", "cache", "use", "BENCH")["exit"] == 0  # it is not left
    assert service.json("firmware", "cache", "use", "other")["exit"] == 0 and disks.mounts() == ["other"]


def test_what_is_refused_changes_nothing(service, disks):
    disks.insert("bench", "luks")
    disks.insert("internal", source="other")
    assert service.json("firmware", "cache", "use", "bench")["exit"] == 0
    folder = chosen(service)
    for words, status in ((["luks"], EXIT_REFUSED), (["internal"], EXIT_REFUSED), (["nothing"], 2)):
        answer = service.json("firmware", "cache", "use", *words)
        assert answer["exit"] == status and "firmware disks" in answer["error"]["next"], answer
        assert chosen(service) == folder and disks.mounts() == ["bench"]
    answer = service.json("firmware", "cache", "use", "internal", "--internal")
    assert answer["exit"] == 0 and answer["disk"]["internal"] is True and disks.mounts() == ["internal"]
    assert service.json("firmware", "cache", "--internal")["exit"] == 2


def test_a_disk_that_was_pulled_out_is_never_replaced_by_memory(service, disks):
    disks.insert("bench")
    assert service.json("firmware", "cache", "use", "bench")["exit"] == 0
    (link,) = [path for path in disks.folder.iterdir() if path.is_symlink()]
    link.unlink()
    (disks.folder / "bench.img").rename(disks.folder / "away")
    answer = service.json("firmware", "cache")
    assert answer["exit"] == 9 and "Plug it in" in answer["error"]["text"], answer
    assert service.json("firmware", "cache", "use", "bench")["exit"] == 2
    (disks.folder / "away").rename(disks.folder / "bench.img")
    assert service.json("firmware", "cache", "use", "bench")["exit"] == 0 and disks.mounts() == ["bench"]
    (disks.folder / "bench.img").unlink()
    link.unlink()
    assert service.json("firmware", "cache", "use", "off")["exit"] == 0
