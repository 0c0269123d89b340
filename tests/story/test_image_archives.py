# SPDX-License-Identifier: GPL-3.0-or-later
"""What the built archives hold, without booting them: modules complete and signed, nothing of the build left in."""

import lzma
import pathlib
import stat
import subprocess

import pytest

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
WORK = TREE / "build/image"
SIGNATURE = b"~Module signature appended~\n"


def read_cpio(data):
    """{name: (mode, uid, gid, content)} of every newc archive in data, one after the other."""
    files, at = {}, 0
    while at < len(data):
        if data[at] == 0:
            at += 1
            continue
        assert data[at : at + 6] == b"070701"
        field = [int(data[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        name = data[at + 110 : at + 110 + field[11] - 1].decode()
        start = at + (110 + field[11] + 3) // 4 * 4
        at = start + (field[6] + 3) // 4 * 4
        if name != "TRAILER!!!":
            files[name] = (field[1], field[2], field[3], data[start : start + field[6]])
    return files


@pytest.fixture(scope="module")
def initrd():
    """The whole system as the kernel unpacks it: each compressed part starts at a multiple of four bytes."""
    data = (TREE / "build/initrd.img").read_bytes()
    sizes = [(WORK / f"{part}.zst").stat().st_size for part in ("base", "modules", "overlay")]
    assert sum(sizes) == len(data) and not any(size % 4 for size in sizes)
    files, at = {}, 0
    for size in sizes:
        part = data[at : at + size].rstrip(b"\0")
        # zstd may complain of a last byte that was a zero too; what it unpacked is judged by read_cpio
        done = subprocess.run(["zstd", "-dcq"], input=part, capture_output=True, check=False)
        files.update(read_cpio(done.stdout))
        at += size
    return files


@pytest.fixture(scope="module")
def version():
    return (WORK / "kernel/VERSION").read_text().strip()


@pytest.fixture(scope="module")
def modules(initrd, version):
    top = f"usr/lib/modules/{version}/"
    return {name.removeprefix(top): entry[3] for name, entry in initrd.items()
            if name.startswith(top) and stat.S_ISREG(entry[0])}


def test_every_dependency_is_in_the_archive(modules):
    lines = modules["modules.dep"].decode().splitlines()
    shipped = {name for name in modules if name.endswith(".ko")}
    assert len(lines) == len(shipped) > 100
    for line in lines:
        path, _, needs = line.partition(":")
        assert {path, *needs.split()} <= shipped, line


def test_depmod_agrees_with_the_shipped_table(tmp_path, modules, version):
    """depmod over the archive's modules has nothing to say and writes the table that is shipped."""
    top = tmp_path / "lib/modules" / version
    for name, content in modules.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(content)
    done = subprocess.run(["depmod", "-n", "-b", tmp_path, version], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert set(modules["modules.dep"].decode().splitlines()) <= set(done.stdout.splitlines())


def test_modules_are_debians_bytes_with_their_signature(modules, version):
    top = WORK / "kernel/tree/usr/lib/modules" / version
    for name, content in modules.items():
        if name.endswith(".ko"):
            assert content.endswith(SIGNATURE), name
            assert content == lzma.decompress((top / f"{name}.xz").read_bytes()), name


@pytest.mark.parametrize("name", ["apple-mfi-fastcharge", "ipheth", "i915", "amdgpu", "nouveau"])
def test_kept_out(modules, name):
    assert not [path for path in modules if path.endswith(f"/{name}.ko")]


@pytest.mark.parametrize("name", ["xhci-pci", "ehci-pci", "usbhid", "hid-generic", "exfat", "r8169", "e1000e", "r8152"])
def test_shipped(modules, name):
    assert [path for path in modules if path.endswith(f"/{name}.ko")]


def test_owners_and_modes(initrd):
    """Root's, and writable for nobody else; what another user owns is known by name here."""
    assert initrd["."][:3] == (stat.S_IFDIR | 0o755, 0, 0)
    users = {line.split(":")[0]: int(line.split(":")[2]) for line in initrd["etc/passwd"][3].decode().splitlines()}
    foreign = {name for name, (_, uid, _, _) in initrd.items() if uid != 0}
    assert foreign <= {"var/lib/usbmux", "var/lib/systemd/network", "var/lib/private/systemd/timesync"}, foreign
    loose = {name for name, (mode, _, _, _) in initrd.items() if mode & 0o002 and not stat.S_ISLNK(mode)}
    assert loose <= {"tmp", "var/tmp", "run/lock"}, loose
    setuid = {name for name, (mode, _, _, _) in initrd.items() if stat.S_ISREG(mode) and mode & 0o6000}
    assert not setuid
    assert {"idevicerescue", "idevicerescue-worker", "usbmux"} <= users.keys()


def test_nobody_has_a_password(initrd):
    for line in initrd["etc/shadow"][3].decode().splitlines():
        user, password, changed = line.split(":")[:3]
        assert password in ("*", "!", "!*"), user
        assert changed == "", user


def test_product_is_in_place(initrd):
    for name in ("usr/bin/idevicerescue", "usr/lib/idevicerescue/idevicerescue-worker",
                 "usr/lib/idevicerescue/idevicerescue-worker-heavy"):
        assert initrd[name][0] == stat.S_IFREG | 0o755
        assert initrd[name][3] == (TREE / "build" / pathlib.Path(name).name).read_bytes()
    assert initrd["init"][3] == b"usr/lib/systemd/systemd"


def test_units_start_only_what_is_there(initrd):
    """Every link of a .wants folder leads to a unit in the archive (an instance to its template)."""
    units = "usr/lib/systemd/system/"
    wants = [name for name in initrd if name.startswith(units) and ".wants/" in name]
    assert f"{units}multi-user.target.wants/idevicerescue.service" in wants
    for name in wants:
        target = initrd[name][3].decode()
        assert target.startswith("../"), name
        assert units + target.removeprefix("../") in initrd, name


def test_nothing_listens_for_strangers(initrd):
    """No socket unit opens an internet port."""
    for name, entry in initrd.items():
        if name.endswith(".socket"):
            for line in entry[3].decode().splitlines():
                if line.startswith(("ListenStream=", "ListenDatagram=")):
                    assert line.split("=")[1].startswith(("/", "%t/", "@", "vsock:")), f"{name}: {line}"


def test_manifest_names_what_is_inside(initrd):
    rows = initrd["usr/share/idevicerescue/manifest.tsv"][3].decode().splitlines()
    assert rows[0].split("\t") == ["package", "version", "source", "licences"]
    found = {row.split("\t")[0]: row.split("\t") for row in rows[1:]}
    assert {"systemd", "usbmuxd", "libirecovery-1.0-5", "shim-signed", "grub-efi-amd64-signed"} <= found.keys()
    assert any(name.startswith("linux-binary-") for name in found)
    assert all(len(row) == 4 and all(row) for row in found.values())
    assert "GPL" in found["usbmuxd"][3]
