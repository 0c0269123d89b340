# SPDX-License-Identifier: GPL-3.0-or-later
"""tests/ipsw: its files are sound zips with true digests, structured as real ones, wrong on demand.

Judges: idevicerestore --ipsw-info, the zip reader of Python's library, real manifests beside the
tree (skipped where they are not).
"""
import hashlib
import io
import os
import plistlib
import re
import shutil
import subprocess
import sys
import time
import xml.parsers.expat
import zipfile
import zlib
from pathlib import Path

import pytest

TREE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TREE / "tests"))
from ipsw import boards, content, im4p, make_ipsw  # noqa: E402
from ipsw import zipwriter  # noqa: E402
from ipsw.make_ipsw import build, describe  # noqa: E402

DATA = TREE.parent / "shared" / "data"
SMALL = {"image_bytes": 300_000, "cryptex_bytes": 70_000}
ERASE, UPGRADE = "Customer Erase Install (IPSW)", "Customer Upgrade Install (IPSW)"
PRODUCTS = [board.product for board in boards.SIMULATED]


def make(folder, products, **wishes):
    path = folder / "a.ipsw"
    build(path, boards=products, **{**SMALL, **wishes})
    return path


def manifest_of(path):
    with zipfile.ZipFile(path) as archive:
        return plistlib.loads(archive.read("BuildManifest.plist"))


def ipsw_info(path):
    tool = shutil.which("idevicerestore")
    if not tool:
        pytest.skip("idevicerestore is not installed")
    return subprocess.run([tool, "--ipsw-info", str(path)], capture_output=True, text=True,
                          timeout=30, check=False)


# boards

def test_boards_are_those_of_the_simulated_phones():
    source = (TREE / "tests/simphone/model.c").read_text(encoding="utf-8")
    table = source[source.index("models[] = {"):source.index("\n};")]
    fields = [r'"([^"]*)"', r"(0x[0-9a-f]+)", "(?:true|false)"]
    row = re.compile(r"\{\s*" + r",\s*".join(
        fields[kind] for kind in (0, 0, 0, 0, 1, 1, 1, 1, 0, 2, 0, 0, 0)) + r"\s*\}")
    models = [(m[0], m[1], m[2], int(m[5], 16), int(m[6], 16), *m[9:]) for m in row.findall(table)]
    assert len(models) == table.count("{ \"") >= 13
    assert models == [(b.product, b.config, b.device_class, b.cpid, b.bdid, b.version, b.build,
                       b.iboot) for b in boards.SIMULATED]


def test_extra_boards_are_real():
    table = DATA / "tables/boards.tsv"
    if not table.exists():
        pytest.skip("the table of real boards is not beside the tree")
    rows = [line.split("\t") for line in table.read_text(encoding="utf-8").splitlines()[1:]]
    known = {(row[0], row[1], int(row[2], 16), int(row[3], 16)) for row in rows}
    assert {(b.product, b.config, b.cpid, b.bdid) for b in boards.ALL} <= known


def test_a_product_brings_all_its_boards_and_a_board_only_itself():
    assert [b.config for b in boards.select(["iPhone8,1"])] == ["n71map", "n71ap"]
    assert [b.config for b in boards.select(["n71ap", "iPhone8,1"])] == ["n71ap", "n71map"]
    with pytest.raises(ValueError, match="iPhone99,9"):
        boards.select(["iPhone99,9"])


# the file as a whole

@pytest.mark.parametrize("board", boards.SIMULATED, ids=lambda board: board.product)
def test_idevicerestore_reads_the_identities(tmp_path, board):
    done = ipsw_info(make(tmp_path, [board.config]))
    assert done.returncode == 0, done.stderr
    words = done.stdout.split()
    assert done.stdout.startswith(f"Product Version: {board.version}   Build: {board.build}\n")
    assert words[words.index("Types:") + 1] == board.product
    for number, (variant, behavior) in enumerate([(ERASE, "Erase"), (UPGRADE, "Update")], 1):
        assert f"[{number}] Variant: {variant}   Behavior: {behavior}\n" in done.stdout
    line = f"ChipID: {board.cpid:04x}   BoardID: {board.bdid:02x}   Model: {board.config}  "
    assert done.stdout.count(line) == 2


def test_research_identities_can_come_first(tmp_path):
    arguments = make_ipsw.parse_arguments(["x", "--boards", "iPhone14,5", "--research-first"])
    path = make(tmp_path, ["iPhone14,5"], variants=make_ipsw.wishes_of(arguments)["variants"])
    found = describe(path)
    assert [(one.variant, one.behavior) for one in found.identities] == [
        ("Research " + ERASE, None), ("Research " + UPGRADE, None), (ERASE, "Erase"),
        (UPGRADE, "Update")]
    research, customer = found.identities[0].components, found.identities[2].components
    changed = {name for name in customer if customer[name].path != research[name].path}
    assert changed == {"AppleLogo", "KernelCache", "LLB", "RestoreLogo", "iBEC", "iBSS", "iBoot",
                       "iBootData"}
    assert ipsw_info(path).stdout.index("Research") < ipsw_info(path).stdout.index(": Customer")


def test_one_file_serves_many_boards(tmp_path):
    path = make(tmp_path, ["iPhone8,1", "iPhone9,1", "iPad12,1"], version="15.8.3", build="19H386")
    found = describe(path)
    assert found.boards == ["d10ap", "j181ap", "n71ap", "n71map"]
    assert found.products == ["iPhone8,1", "iPhone9,1", "iPad12,1"]
    assert [one.board for one in found.identities[:4]] == ["n71map", "n71ap", "d10ap", "j181ap"]
    old, new = found.identity("n71map", ERASE), found.identity("d10ap", ERASE)
    assert (old.chip, old.board_id) == (0x8003, 4)
    assert len(old.components["iBSS"].digest) == 20 and len(new.components["iBSS"].digest) == 48
    assert old.components["OS"].path == new.components["OS"].path
    assert old.components["iBSS"].path != found.identity("n71ap", ERASE).components["iBSS"].path


def test_same_wishes_same_bytes(tmp_path):
    one = make(tmp_path, ["iPhone10,6"]).read_bytes()
    assert make(tmp_path, ["iPhone10,6"]).read_bytes() == one
    assert make(tmp_path, ["iPhone10,6"], seed=2).read_bytes() != one


def test_64_mib_take_less_than_3_s(tmp_path):
    start = time.process_time()
    path = make(tmp_path, ["iPhone14,5"], image_bytes=64 << 20)
    assert time.process_time() - start < 3
    assert describe(path).os_size == 64 << 20


# components

@pytest.mark.parametrize("product", PRODUCTS)
def test_every_member_is_sound_and_every_digest_true(tmp_path, product):
    path = make(tmp_path, [product], variants=(*make_ipsw.DEFAULT_VARIANTS, "research-erase"))
    found = describe(path)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert min(info.file_size for info in archive.infolist()) > 0
        assert found.os_sha256 == hashlib.sha256(archive.read(found.os_path)).hexdigest()
        used = set(make_ipsw.LIST_NAMES)
        for identity in found.identities:
            for name, fact in identity.components.items():
                used.add(fact.path)
                check_digest(name, fact, archive.read(fact.path))
        assert used == set(archive.namelist())


def check_digest(name, fact, data):
    """Written anew, so that it does not share the builder's mistakes."""
    if fact.file_type and fact.digest:
        signed = data.replace(b"IM4P\x16\x04" + fact.file_type.encode(),
                              b"IM4P\x16\x04" + fact.signed_type.encode(), 1)
        algorithm = {20: hashlib.sha1, 48: hashlib.sha384}[len(fact.digest)]
        assert algorithm(signed).digest() == fact.digest, name
        if fact.file_type != fact.signed_type:
            assert algorithm(data).digest() != fact.digest
    elif name.startswith(("Savage,", "Yonkers,", "BMU,")):
        assert hashlib.sha256(data).digest() == fact.digest, name
    elif name in ("OS", "Cryptex1,SystemOS", "Cryptex1,AppOS"):
        algorithm = {20: hashlib.sha1, 48: hashlib.sha384}[len(fact.digest)]
        assert algorithm(data).digest() == fact.digest, name


@pytest.mark.parametrize("product", PRODUCTS)
def test_erase_and_upgrade_differ_in_the_ramdisk_alone(tmp_path, product):
    path = make(tmp_path, [product])
    found, config = describe(path), boards.select([product])[0].config
    erase, upgrade = [found.identity(config, name).components for name in (ERASE, UPGRADE)]
    changed = {name for name in erase if erase[name] != upgrade[name]}
    assert changed == {"RestoreRamDisk", "RestoreTrustCache"}
    with zipfile.ZipFile(path) as archive:
        for fact, word in ((erase, "erase"), (upgrade, "update")):
            kind, _, payload = im4p.decode(archive.read(fact["RestoreRamDisk"].path))
            lines = payload[:payload.index(b"\n\n")].decode().split("\n")
            assert kind == "rdsk" and f"behavior={word}" in lines


def test_the_real_logo_proves_how_digests_are_made():
    real = DATA / "components/Firmware/all_flash/applelogo@3x~iphone.im4p"
    manifest = DATA / "buildmanifest/iPhone10,3_iPhone10,6_11.2_15C114.plist"
    if not real.exists() or not manifest.exists():
        pytest.skip("the real logo and its manifest are not beside the tree")
    entries = plistlib.loads(manifest.read_bytes())["BuildIdentities"][0]["Manifest"]
    data = real.read_bytes()
    assert hashlib.sha384(data).digest() == entries["AppleLogo"]["Digest"]
    assert hashlib.sha384(im4p.retype(data, "rlgo")).digest() == entries["RestoreLogo"]["Digest"]
    assert entries["RestoreLogo"]["Info"]["Path"] == entries["AppleLogo"]["Info"]["Path"]
    assert im4p.encode(*im4p.decode(data)) == data


REAL = [("iPhone13,2_iPhone13,3_26.2.1_23C71.plist", "d53gap"),
        ("iPhone13,2_iPhone13,3_26.2.1_23C71.plist", "d53pap"),
        ("iPhone9,x_iPhone10,x_15.4_19E241.plist", "d10ap"),
        ("iPhone9,x_iPhone10,x_15.4_19E241.plist", "d101ap"),
        ("iPhone10,3_iPhone10,6_11.2_15C114.plist", "d221ap"),
        ("iPhone10,3_iPhone10,6_11.2_15C114.plist", "d22ap")]


def shape(value):
    """What must be equal: of data the length, of other values all."""
    return len(value) if isinstance(value, bytes) else value


def entry_shape(entry):
    """An entry without what is made up: paths, versions, the bytes of digests."""
    info = {key: value for key, value in entry["Info"].items() if key != "Path"}
    rest = {key: type(value) if key.endswith(("-Version", "BuildString")) else shape(value)
            for key, value in entry.items() if key not in ("Info", "BuildString")}
    return info, rest


@pytest.mark.parametrize("name,config", REAL)
def test_identities_are_shaped_as_real_ones(tmp_path, name, config):
    real = DATA / "buildmanifest" / name
    if not real.exists():
        pytest.skip(f"the real manifest {name} is not beside the tree")
    theirs = plistlib.loads(real.read_bytes())
    path = make(tmp_path, [config], version=theirs["ProductVersion"],
                build=theirs["ProductBuildVersion"])
    ours = manifest_of(path)
    assert ours.keys() == theirs.keys()
    for variant, identity in zip((ERASE, UPGRADE), ours["BuildIdentities"]):
        model = next(one for one in theirs["BuildIdentities"] if one["Info"]["Variant"] == variant
                     and one["Info"]["DeviceClass"] == config)
        compare_identity(identity, model)


def compare_identity(identity, model):
    plain = {"Info", "Manifest"}
    assert {key: shape(value) for key, value in identity.items() if key not in plain} \
        == {key: shape(value) for key, value in model.items() if key not in plain}
    types = [{key: type(value) for key, value in one["Info"].items()} for one in (identity, model)]
    assert types[0] == types[1]
    assert identity["Info"]["SystemPartitionPadding"] == model["Info"]["SystemPartitionPadding"]
    assert identity["Manifest"].keys() == model["Manifest"].keys()
    for name, entry in identity["Manifest"].items():
        assert entry_shape(entry) == entry_shape(model["Manifest"][name]), name


def test_no_board_has_a_component_that_no_real_manifest_has(tmp_path):
    real = [DATA / "buildmanifest" / name for name in sorted({name for name, _ in REAL})]
    if not all(path.exists() for path in real):
        pytest.skip("the real manifests are not beside the tree")
    known = {name for path in real for one in plistlib.loads(path.read_bytes())["BuildIdentities"]
             for name in one["Manifest"]}
    for product in PRODUCTS:
        for identity in manifest_of(make(tmp_path, [product]))["BuildIdentities"]:
            assert identity["Manifest"].keys() <= known, product


def test_the_baseband_is_a_zip_with_the_members_a_host_signs(tmp_path):
    signed = {"iPhone9,1": "sbl1.mbn", "iPhone10,6": "psi_ram.bin", "iPhone14,5": "multi_image.mbn",
              "iPhone18,3": "xbl_sc.elf"}
    for product, member in signed.items():
        path = make(tmp_path, [product])
        entry = manifest_of(path)["BuildIdentities"][0]["Manifest"]["BasebandFirmware"]
        with zipfile.ZipFile(path) as archive:
            inner = zipfile.ZipFile(io.BytesIO(archive.read(entry["Info"]["Path"])))
        assert inner.testzip() is None
        assert member in inner.namelist() and "Options.plist" in inner.namelist()


# images and the zip itself

@pytest.mark.parametrize("texture", [content.DENSE, content.LIGHT, content.SPARSE])
@pytest.mark.parametrize("size", [4096, (1 << 20) - 1, 1 << 20, (1 << 20) + 100, (3 << 20) + 512,
                                  (66 << 20) + 511])
def test_images_have_their_size_and_end_with_a_trailer(texture, size):
    image = content.Image(7, "x", size, texture, b"AEA1")
    data = b"".join(bytes(length) if part is None else part for part, length in image.blocks())
    assert len(data) == size and data[:4] == b"AEA1"
    assert data[-512:-500] == b"koly\0\0\0\4\0\0\2\0"
    assert image.digest("sha1", "sha256") == [hashlib.sha1(data).digest(),
                                              hashlib.sha256(data).digest()]
    if texture == content.SPARSE and size > 65 << 20:
        assert data[1 << 20:64 << 20].strip(b"\0") == b"" != data[64 << 20:65 << 20].strip(b"\0")


def test_no_chunk_of_an_image_is_like_another():
    image = content.Image(1, "x", 8 << 20)
    data = b"".join(part for part, _ in image.blocks())
    chunks = [data[at:at + 131072] for at in range(0, len(data), 131072)]
    assert len(set(chunks)) == len(chunks)


def test_the_os_is_stored_or_deflated_as_asked(tmp_path):
    for deflate in (False, True):
        path = make(tmp_path, ["iPhone14,5"], deflate=deflate, image_bytes=5 << 20)
        found = describe(path)
        assert found.os_is_stored is not deflate
        with zipfile.ZipFile(path) as archive:
            info = archive.getinfo(found.os_path)
            assert archive.testzip() is None
        assert "/" not in found.os_path and info.file_size == 5 << 20
        assert info.compress_size < (1 << 20 if deflate else 6 << 20)


def test_a_sparse_os_takes_little_room(tmp_path):
    path = make(tmp_path, ["iPhone8,1"], sparse=True, image_bytes=200 << 20)
    found = describe(path)
    assert found.os_size == 200 << 20 and path.stat().st_blocks * 512 < 20 << 20
    digest = found.identity("n71map", ERASE).components["OS"].digest
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert hashlib.sha1(archive.read(found.os_path)).digest() == digest


def test_a_file_over_4_gib_has_zip64_records(tmp_path):
    path = make(tmp_path, ["iPod9,1"])
    with zipfile.ZipFile(path) as archive:
        plist = archive.read("BuildManifest.plist")
    big, hole = tmp_path / "big.ipsw", 5 << 30
    with zipwriter.ZipWriter(big) as out:
        out.add_blocks("os.dmg", iter([(b"start", 5), (None, hole), (b"end", 3)]), hole + 8)
        out.add("BuildManifest.plist", plist)
    with zipfile.ZipFile(big) as archive:
        assert archive.getinfo("os.dmg").file_size == hole + 8
        assert archive.getinfo("BuildManifest.plist").header_offset > 4 << 30
        assert archive.read("BuildManifest.plist") == plist
    assert big.stat().st_blocks * 512 < 1 << 20
    assert "Model: n112ap" in ipsw_info(big).stdout


def test_crc_of_zeros():
    for count in (0, 1, 4095, 1 << 20):
        assert zipwriter.crc32_zeros(zlib.crc32(b"abc"), count) == zlib.crc32(b"abc" + bytes(count))


def test_a_member_that_is_not_as_long_as_said_is_refused(tmp_path):
    with pytest.raises(ValueError, match="was to have 9 bytes"), \
            zipwriter.ZipWriter(tmp_path / "x.zip") as out:
        out.add_blocks("x", iter([(b"12345678", 8)]), 9)


def test_im4p_refuses_what_is_none():
    good = im4p.encode("ibss", "d", bytes(200))
    assert im4p.decode(im4p.retype(good, "xxxx")) == ("xxxx", "d", bytes(200))
    for bad in (b"", b"\x31" + good[1:], good[:50], good.replace(b"IM4P", b"IM4M")):
        with pytest.raises(im4p.DamagedIm4p):
            im4p.decode(bad)


# damage

def names_of(path):
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def damaged(folder, *kinds, **wishes):
    """The sound file's facts, and the damaged file."""
    facts = describe(make(folder, ["iPhone14,5"], **wishes))
    return facts.identities[0].components, make(folder, ["iPhone14,5"], damage=kinds, **wishes)


def test_upgrade_can_be_lacking(tmp_path):
    arguments = make_ipsw.parse_arguments(["x", "--boards", "iPhone14,5", "--without", "upgrade"])
    path = make(tmp_path, ["iPhone14,5"], variants=make_ipsw.wishes_of(arguments)["variants"])
    assert describe(path).variants == [ERASE]


def test_a_component_can_be_missing_or_named_in_other_case(tmp_path):
    parts, path = damaged(tmp_path, "missing:SEP", "case:iBEC")
    names = names_of(path)
    assert parts["SEP"].path not in names and parts["iBEC"].path not in names
    assert parts["iBEC"].path.lower() in [name.lower() for name in names]


def test_a_component_can_be_empty(tmp_path):
    parts, path = damaged(tmp_path, "empty:Cryptex1,AppVolume")
    with zipfile.ZipFile(path) as archive:
        assert archive.getinfo(parts["Cryptex1,AppVolume"].path).file_size == 0


@pytest.mark.parametrize("name", ["iBSS", "OS"])
def test_a_component_can_differ_from_its_digest(tmp_path, name):
    parts, path = damaged(tmp_path, f"digest:{name}")
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        data = archive.read(parts[name].path)
    assert hashlib.sha384(data).digest() != parts[name].digest
    assert describe(path).identities[0].components[name].digest == parts[name].digest


@pytest.mark.parametrize("name", ["KernelCache", "OS"])
def test_bytes_can_be_flipped_inside_the_zip(tmp_path, name):
    parts, path = damaged(tmp_path, f"crc:{name}")
    with zipfile.ZipFile(path) as archive, pytest.raises((zipfile.BadZipFile, zlib.error)):
        archive.read(parts[name].path)


def test_an_im4p_can_be_none(tmp_path):
    parts, path = damaged(tmp_path, "im4p:RestoreDeviceTree")
    with zipfile.ZipFile(path) as archive, pytest.raises(im4p.DamagedIm4p):
        im4p.decode(archive.read(parts["RestoreDeviceTree"].path))


def test_a_zip_can_be_cut_off(tmp_path):
    _, path = damaged(tmp_path, "truncate")
    with pytest.raises(zipfile.BadZipFile):
        names_of(path)
    assert ipsw_info(path).returncode != 0


def test_the_manifest_can_be_absent_or_broken(tmp_path):
    _, path = damaged(tmp_path, "no-manifest")
    assert "BuildManifest.plist" not in names_of(path)
    assert "Failed to extract BuildManifest.plist" in ipsw_info(path).stdout
    for kind, error in (("manifest-garbage", plistlib.InvalidFileException),
                        ("manifest-cut", xml.parsers.expat.ExpatError)):
        _, path = damaged(tmp_path, kind)
        with pytest.raises(error):
            manifest_of(path)


def test_there_can_be_a_manifest_of_almost_that_name(tmp_path):
    _, path = damaged(tmp_path, "manifesto")
    assert names_of(path)[:2] == ["BuildManifesto.plist", "BuildManifest.plist"]
    with zipfile.ZipFile(path) as archive:
        assert "BuildIdentities" not in plistlib.loads(archive.read("BuildManifesto.plist"))


def test_the_os_can_begin_as_an_encrypted_archive(tmp_path):
    for wanted in (False, True):
        path = make(tmp_path, ["iPhone17,3"], aea_magic=wanted)
        found = describe(path)
        with zipfile.ZipFile(path) as archive:
            assert (archive.read(found.os_path)[:4] == b"AEA1") is wanted
        assert found.os_path.endswith(".dmg.aea")


def test_firmware_can_be_listed_beside_llb(tmp_path):
    path = make(tmp_path, ["iPhone8,1"], flash_manifest=True)
    with zipfile.ZipFile(path) as archive:
        listed = archive.read("Firmware/all_flash/manifest").decode().splitlines()
        assert "LLB.n71m.RELEASE.im4p" in listed
        assert {"Firmware/all_flash/" + name for name in listed} <= set(archive.namelist())


# the program

def run(*words):
    program = TREE / "tests/ipsw/make_ipsw.py"
    return subprocess.run([str(program), *map(str, words)], capture_output=True, text=True,
                          timeout=60, check=False)


def test_the_program_makes_a_file(tmp_path):
    path = tmp_path / "p.ipsw"
    done = run(path, "--boards", "iPad12,1", "--version", "17.5", "--build", "21F79",
               "--image-bytes", "2M", "--cryptex-bytes", "64K", "--size", "KernelCache=3M",
               "--damage", "missing:SEP", "--research")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    found = describe(path)
    assert (found.version, found.build, found.os_size) == ("17.5", "21F79", 2 << 20)
    assert len(found.identities) == 4
    with zipfile.ZipFile(path) as archive:
        kernel = found.identity("j181ap", ERASE).components["KernelCache"].path
        assert archive.getinfo(kernel).file_size > 3 << 20


@pytest.mark.parametrize("words,text", [
    (["--boards", "iPhone3,1"], "no board or product is named 'iPhone3,1'"),
    (["--boards", "iPod9,1", "--damage", "crc"], "needs the name of a component"),
    (["--boards", "iPod9,1", "--damage", "melt:SEP"], "no damage is named 'melt'"),
    (["--boards", "iPod9,1", "--damage", "missing:Homer"], "has the component 'Homer'"),
    (["--boards", "iPod9,1", "--damage", "im4p:OS"], "is no IM4P that could be damaged"),
    (["--boards", "iPod9,1", "--damage", "missing:SEP", "crc:SEP"], "could be flipped"),
    (["--boards", "iPod9,1", "--image-bytes", "100"], "at least 4096 bytes"),
    (["--boards", "iPod9,1", "--image-bytes", "many"], "'many' is no size"),
])
def test_the_program_tells_what_is_wrong(tmp_path, words, text):
    done = run(tmp_path / "p.ipsw", *words)
    assert done.returncode == 2 and text in done.stderr


def test_the_program_tells_where_it_cannot_write(tmp_path):
    done = run(tmp_path / "none" / "p.ipsw", "--boards", "iPod9,1")
    assert done.returncode == 2 and "No such file" in done.stderr
    assert not os.path.exists(tmp_path / "none")
