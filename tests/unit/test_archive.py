# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/archive.py, judged by cpio: the same bytes every time, owners kept or root's, links whole."""
import io
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ARCHIVE = Path(__file__).resolve().parents[2] / "scripts/archive.py"


def pack(out, *args, date=1000, check=True):
    command = [sys.executable, ARCHIVE, "--date", str(date), *args, out]
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=check)


def listing(path):
    """cpio's own long listing: {name: (mode, links, owner, group)}."""
    done = subprocess.run(["cpio", "-itv", "--numeric-uid-gid", "--quiet"], stdin=open(path, "rb"), capture_output=True,
                          text=True, check=True)
    # a node shows "major, minor" where a file shows its size
    rows = [re.sub(r",\s+", ",", line).split(None, 8) for line in done.stdout.splitlines()]
    return {row[-1].split(" -> ")[0]: tuple(row[:4]) for row in rows}


@pytest.fixture(name="tar")
def fixture_tar(tmp_path):
    """Owners, a hard link that comes before its name in sorting order, a symbolic link, a node, a setgid folder."""
    path = tmp_path / "in.tar"
    with tarfile.open(path, "w") as tar:
        def add(name, kind=tarfile.REGTYPE, mode=0o644, uid=0, gid=0, content=b"", target="", dev=(0, 0)):
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.uid, info.gid, info.linkname = kind, mode, uid, gid, target
            info.devmajor, info.devminor, info.size = *dev, len(content)
            tar.addfile(info, io.BytesIO(content))

        add("./", tarfile.DIRTYPE, 0o700)
        add("./usr/bin", tarfile.DIRTYPE, 0o755)
        add("./bin", tarfile.SYMTYPE, target="usr/bin")
        add("./usr/bin/perl5", mode=0o755, content=b"the program")
        add("./usr/bin/aperl", tarfile.LNKTYPE, target="./usr/bin/perl5")
        add("./var/lib/mux", tarfile.DIRTYPE, 0o2775, uid=100, gid=46)
        add("./dev/null", tarfile.CHRTYPE, 0o666, dev=(1, 3))
    return path


def test_tar_keeps_owners_modes_links_and_nodes(tmp_path, tar):
    pack(tmp_path / "out", "--tar", tar)
    found = listing(tmp_path / "out")
    assert found["."] == ("drwxr-xr-x", "2", "0", "0")
    assert found["var/lib/mux"] == ("drwxrwsr-x", "2", "100", "46")
    assert found["bin"][0] == "lrwxrwxrwx"
    assert found["dev/null"][0] == "crw-rw-rw-"
    assert found["usr/bin/aperl"][1] == found["usr/bin/perl5"][1] == "2"


def test_hard_links_are_whole_after_unpacking(tmp_path, tar):
    pack(tmp_path / "out", "--tar", tar, "--without", "dev")
    (tmp_path / "root").mkdir()
    subprocess.run(["cpio", "-idm", "--quiet", "--no-preserve-owner"], stdin=open(tmp_path / "out", "rb"),
                   cwd=tmp_path / "root", check=True)
    for name in ("perl5", "aperl"):
        assert (tmp_path / "root/usr/bin" / name).read_bytes() == b"the program"
    assert (tmp_path / "root/usr/bin/perl5").stat().st_nlink == 2


def test_same_content_same_bytes_whatever_day_and_order(tmp_path):
    for name, order in (("one", ["a", "b"]), ("two", ["b", "a"])):
        for file in order:
            path = tmp_path / name / "etc" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(file)
            os.utime(path, (len(name), hash(file) % 1000))
        pack(tmp_path / f"{name}.cpio", "--tree", tmp_path / name)
    assert (tmp_path / "one.cpio").read_bytes() == (tmp_path / "two.cpio").read_bytes()


def test_tree_becomes_roots_whatever_the_umask(tmp_path):
    top = tmp_path / "tree/usr/bin"
    top.mkdir(parents=True, mode=0o700)
    (top / "tool").write_text("x")
    (top / "tool").chmod(0o700)
    (top / "text").write_text("x")
    (top / "text").chmod(0o600)
    pack(tmp_path / "out", "--tree", tmp_path / "tree")
    found = listing(tmp_path / "out")
    assert found["usr/bin/tool"] == ("-rwxr-xr-x", "1", "0", "0")
    assert found["usr/bin/text"] == ("-rw-r--r--", "1", "0", "0")
    assert found["usr/bin"] == ("drwxr-xr-x", "2", "0", "0")


def test_later_source_wins_and_without_drops(tmp_path, tar):
    (tmp_path / "new").write_text("newer")
    pack(tmp_path / "out", "--tar", tar, "--file", f"{tmp_path / 'new'}=usr/bin/perl6", "--without", "var")
    found = listing(tmp_path / "out")
    assert "usr/bin/perl6" in found and not [name for name in found if name.startswith("var")]


@pytest.mark.parametrize("folder", ["bin", "lib", "sbin", "lib64"])
def test_folder_over_a_merged_link_is_refused(tmp_path, folder):
    (tmp_path / "tree" / folder).mkdir(parents=True)
    (tmp_path / "tree" / folder / "x").write_text("x")
    done = pack(tmp_path / "out", "--tree", tmp_path / "tree", check=False)
    assert done.returncode == 1 and f"/{folder} must stay a link" in done.stderr
    assert not (tmp_path / "out").exists()


def test_sockets_are_refused_with_words(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "tree").mkdir()
    (tmp_path / "pipe").rename(tmp_path / "tree/pipe")
    done = pack(tmp_path / "out", "--tree", tmp_path / "tree", check=False)
    assert done.returncode == 1 and "neither a file nor a folder" in done.stderr
