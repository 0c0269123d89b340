#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a small IPSW with the structure of a real one. See README.md.

usage: make_ipsw.py OUT.ipsw --boards iPhone14,5 [--image-bytes 64M] […]
From Python: build(path, boards=["iPhone14,5"], image_bytes=64 << 20), then describe(path).
"""
import argparse
import plistlib
import sys
from dataclasses import dataclass, field
from pathlib import Path

if not __package__:  # started as a program, not imported
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ipsw import boards as board_table  # noqa: E402
from ipsw import components, content, firmware, manifest  # noqa: E402
from ipsw import damage as damages  # noqa: E402
from ipsw.describe import describe  # noqa: E402,F401 - part of what this module offers
from ipsw.zipwriter import ZipWriter  # noqa: E402

MIB = 1 << 20
SUFFIXES = {"K": 1 << 10, "M": MIB, "G": 1 << 30}
DEFAULT_VARIANTS = ("erase", "upgrade")
RESEARCH_VARIANTS = ("research-erase", "research-upgrade")
LIST_NAMES = ("BuildManifest.plist", "Restore.plist", "RestoreVersion.plist",
              "SystemVersion.plist")
AEA_MAGIC = b"AEA1"


@dataclass
class Options:
    """All a file follows from. boards: product types or board configs. Sizes in bytes.

    variants: keys of manifest.VARIANTS, in the order of the file. sizes: {component: bytes of its
    payload}. aea_magic: .aea images begin as an encrypted archive does, and a host then waits for
    the phone to ask for its key. flash_manifest: Firmware/all_flash/manifest lists the files there.
    """
    boards: list
    version: str = None
    build: str = None
    image_bytes: int = 16 * MIB
    cryptex_bytes: int = MIB
    variants: tuple = DEFAULT_VARIANTS
    deflate: bool = False
    sparse: bool = False
    aea_magic: bool = False
    flash_manifest: bool = False
    seed: int = 1
    sizes: dict = field(default_factory=dict)
    damage: tuple = ()

    def __post_init__(self):
        self.boards = board_table.select(self.boards)
        self.version = self.version or self.boards[0].version
        self.build = self.build or self.boards[0].build
        self.damage = tuple(damages.parse(word) for word in self.damage)
        unknown = [name for name in self.variants if name not in manifest.VARIANTS]
        if unknown or not self.variants:
            raise ValueError(f"variants are {', '.join(manifest.VARIANTS)}; not {unknown}")

    @property
    def numbers(self):
        """(17, 6, 1) of 17.6.1."""
        return tuple(int(part) for part in self.version.split("."))


def image_names(options):
    """{role: member name}: numbers as Apple's part numbers look, from the seed and the build."""
    names = {}
    for number, role in enumerate(("os", "erase", "update", "system_os", "app_os")):
        digits = int.from_bytes(content.random_bytes(options.seed, options.build + role, 4))
        is_wrapped = role in ("os", "system_os") and options.numbers >= (18,)
        names[role] = (f"042-{(digits // 1000) % 20000 + 20000 * number:05d}-{digits % 1000:03d}"
                       f".dmg{'.aea' if is_wrapped else ''}")
    return names


class Contents:
    """The members of one IPSW: owns files ({member: bytes or Image}) and the identities' entries.

    Files shared by boards or variants are made once; digests of images are computed once per hash.
    """

    def __init__(self, options):
        self.options = options
        self.names = image_names(options)
        self.files = {}
        self.paths = {}  # component: set of its members, over all identities
        self._image_digests = {}
        self.identities = [self._identity(board, variant)
                           for variant in options.variants for board in options.boards]

    def _image(self, path, size):
        options = self.options
        texture = content.LIGHT if options.deflate else content.DENSE
        if options.sparse and path == self.names["os"]:
            texture = content.SPARSE
        head = AEA_MAGIC if options.aea_magic and path.endswith(".aea") else b""
        return content.Image(options.seed, path, size, texture, head)

    def _image_digest(self, path, board):
        size = self.options.image_bytes
        if path != self.names["os"]:
            size = self.options.cryptex_bytes
        image = self.files.setdefault(path, self._image(path, size))
        key = (path, board.digest)
        if key not in self._image_digests:
            self._image_digests[key], = image.digest(board.digest)
        return self._image_digests[key]

    def _file(self, component, path, board, behavior):
        if component.source == "none":
            return None
        if component.source == "image":
            return self._image_digest(path, board)
        if path not in self.files:
            values = {"version": self.options.version, "build": self.options.build}
            if "ramdisk" in component.path:
                values["behavior"] = behavior
            size = firmware.file_size(component, self.options.sizes)
            self.files[path] = firmware.make_file(self.options.seed, component, path, board, size,
                                                  **values)
        return self.files[path]

    def _identity(self, board, variant):
        behavior = "erase" if variant.endswith("erase") else "update"
        words = components.names_for(board, {**self.names, "ramdisk": self.names[behavior]})
        if variant.startswith("research"):
            words |= components.RESEARCH_NAMES
        entries = {}
        for component in components.components_for(board, self.options.numbers):
            path = component.path and component.path.format(**words)
            data = self._file(component, path, board, behavior)
            entries[component.name] = manifest.component_entry(component, path, data, board,
                                                               self.options)
            if path:
                self.paths.setdefault(component.name, set()).add(path)
        return manifest.identity(board, variant, entries, self.options)

    def lists(self):
        """{member: bytes} of the property lists."""
        options = self.options
        found = (manifest.build_manifest(self.identities, options),
                 manifest.restore_plist(options, self.names), manifest.restore_version(options),
                 manifest.system_version(options))
        return {name: plistlib.dumps(one) for name, one in zip(LIST_NAMES, found)}

    def members_of(self, component):
        if component not in self.paths:
            raise ValueError(f"no board of this file has the component '{component}'")
        return sorted(self.paths[component])

    def flash_manifest(self):
        folder = components.FLASH
        names = [path.removeprefix(folder) for path in self.files if path.startswith(folder)]
        return "".join(f"{name}\n" for name in sorted(names)).encode()


def _write(path, lists, files, options):
    """The lists come first, then the small files, then the images. Returns {member: place}."""
    with ZipWriter(path) as out:
        for name, data in lists.items():
            out.add(name, data)
        for name, data in files.items():
            if not isinstance(data, content.Image):
                out.add(name, data)
        for name, image in files.items():
            if isinstance(image, content.Image):
                out.add_blocks(name, image.blocks(), image.size, options.deflate)
        return out.places()


def build(path, **wishes):
    """Writes the IPSW at path. wishes: the fields of Options. The same wishes, the same bytes."""
    options = Options(**wishes)
    made = Contents(options)
    lists, files = made.lists(), made.files
    if options.flash_manifest:
        files[components.FLASH + "manifest"] = made.flash_manifest()
    for one in options.damage:
        if one.kind in damages.FILE_KINDS:
            for member in made.members_of(one.component):
                damages.strike_file(one, files, member)
        elif one.kind in damages.LIST_KINDS:
            lists = damages.strike_lists(one, lists)
    places = _write(path, lists, files, options)
    for one in options.damage:
        if one.kind in damages.ZIP_KINDS:
            members = made.members_of(one.component) if one.component else [None]
            for member in members:
                damages.strike_zip(one, path, places.get(member))


def parse_size(word):
    """64M, 512K, 11G, 4096."""
    factor = SUFFIXES.get(word[-1:].upper(), 1)
    digits = word if factor == 1 else word[:-1]
    if not digits.isdigit():
        raise argparse.ArgumentTypeError(f"'{word}' is no size (as 64M, 512K, 11G or 4096)")
    return int(digits) * factor


def _component_size(word):
    name, _, size = word.rpartition("=")
    return name, parse_size(size)


def parse_arguments(words):
    parser = argparse.ArgumentParser(
        description="Makes a small IPSW with the structure of a real one.",
        epilog="damages: " + "; ".join(f"{kind}{':COMPONENT' * (kind in damages.NEEDS_COMPONENT)}"
                                       f" - {text}" for kind, text in damages.KINDS.items()))
    add = parser.add_argument
    add("path", metavar="OUT.ipsw")
    add("--boards", nargs="+", required=True, metavar="PRODUCT", help="or board configs")
    add("--version")
    add("--build")
    add("--image-bytes", type=parse_size, default=16 * MIB, metavar="SIZE")
    add("--cryptex-bytes", type=parse_size, default=MIB, metavar="SIZE")
    add("--variants", nargs="+", default=DEFAULT_VARIANTS, choices=manifest.VARIANTS)
    add("--without", nargs="+", default=(), choices=manifest.VARIANTS)
    add("--research", action="store_true", help="research identities after the others")
    add("--research-first", action="store_true", help="research identities before the others")
    add("--deflate", action="store_true", help="the images are deflated, not stored")
    add("--sparse", action="store_true", help="the OS image is mostly a hole")
    add("--aea-magic", action="store_true", help=".aea images begin with their real magic")
    add("--flash-manifest", action="store_true", help="add Firmware/all_flash/manifest")
    add("--seed", type=int, default=1)
    add("--size", action="append", default=[], type=_component_size, metavar="COMPONENT=SIZE")
    add("--damage", nargs="+", default=(), metavar="KIND[:COMPONENT]")
    return parser.parse_args(words)


def wishes_of(arguments):
    """The fields of Options from a command line."""
    wishes = vars(arguments).copy()
    del wishes["path"]
    before = RESEARCH_VARIANTS if wishes.pop("research_first") else ()
    after = RESEARCH_VARIANTS if wishes.pop("research") and not before else ()
    without = wishes.pop("without")
    variants = dict.fromkeys((*before, *wishes["variants"], *after))
    wishes["variants"] = tuple(name for name in variants if name not in without)
    wishes["sizes"] = dict(wishes.pop("size"))
    return wishes


def main(words):
    arguments = parse_arguments(words)
    try:
        build(arguments.path, **wishes_of(arguments))
    except (ValueError, OSError) as error:
        print(f"make_ipsw.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
