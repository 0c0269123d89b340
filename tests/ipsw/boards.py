# SPDX-License-Identifier: GPL-3.0-or-later
"""The boards an IPSW can be built for.

Ids, names and default systems of the rows up to EXTRA are those of tests/simphone/model.c (a test
compares them). The rows of EXTRA are real boards that no simulated phone has: the sister board of
the iPhone 6s with the other maker's chip and the same board id, and boards for files that are the
wrong ones. Sources: libirecovery's device list (ids), the published board tables of blacktop/ipsw
(platform, kernel name, baseband chip), real manifests (11.2, 13.5.1, 15.4, 26.2.1) for the parts of
d10, d101, d22, d221, d53g and d53p. The parts of other boards are chosen by kind and age, see
README.md.
"""
from dataclasses import dataclass

SHA1_CHIPS = {0x7000, 0x7001, 0x8000, 0x8001, 0x8003}


@dataclass(frozen=True)
class Baseband:
    """chip: BbChipID. stem: the file is Firmware/<stem>.Release.bbfw. layout: see baseband.py."""
    chip: int
    stem: str
    layout: str


@dataclass(frozen=True)
class Board:
    product: str  # iPhone14,5
    config: str   # d17ap
    cpid: int
    bdid: int
    platform: str  # t8110
    kernel: str    # kernelcache.release.<kernel>
    screen: str    # of the pictures shown at boot
    version: str   # a system it runs
    build: str
    iboot: str
    baseband: Baseband = None
    se_chip: int = 0  # 0: no secure element in the manifest
    parts: frozenset = frozenset()  # homer savage yonkers rose veridian euicc haptics wireless

    @property
    def target(self):
        """d17 of d17ap; n71m of n71map."""
        return self.config.removesuffix("ap")

    @property
    def digest(self):
        """The hash of its manifests: SHA-1 up to A9, SHA-384 from A10 on."""
        return "sha1" if self.cpid in SHA1_CHIPS else "sha384"

    @property
    def is_modern(self):
        """A12 and later: the firmware of many coprocessors is loaded by iBoot."""
        return self.cpid >= 0x8020

    @property
    def device_class(self):
        return next(kind for kind in ("iPhone", "iPad", "iPod") if self.product.startswith(kind))

    @property
    def has_face_camera(self):
        return bool({"savage", "yonkers"} & self.parts)


MAV10 = Baseband(0x007f50e1, "Mav10-10.80.02", "mav10")
MAV13 = Baseband(0x009210e1, "Mav13-7.52.00", "mav10")
MAV16 = Baseband(0x009540e1, "Mav16-9.01.00", "mav16")
MAV17 = Baseband(0x0003b0e1, "Mav17-7.02.00", "mav16")
ICE16 = Baseband(0x00000060, "ICE16-6.02.02", "ice16")
ICE17 = Baseband(0x00000065, "ICE17-5.02.02", "ice17")
ICE18 = Baseband(0x0000005e, "ICE18-6.00.00", "ice17")
MAV20 = Baseband(0x000e50e1, "Mav20-6.20.03", "mav20")
MAV21 = Baseband(0x001440e1, "Mav21-4.01.01", "mav20")
MAV22 = Baseband(0x001720e1, "Mav22-2.40.03", "mav20")
MAV23 = Baseband(0x001fe0e1, "Mav23-2.00.02", "mav20")
MAV24 = Baseband(0x002af0e1, "Mav24-1.70.02", "mav20")
MAV25 = Baseband(0x001f30e1, "Mav25-1.00.01", "mav25")

FACE = frozenset({"savage", "multitouch", "callan"})
FACE_OLD = FACE | {"euicc"}
FACE_NEW = FACE | {"yonkers", "rose", "veridian", "euicc", "haptics", "wireless"}

IOS12 = ("12.5.7", "16H81", "iBoot-4513.280.6")
IOS15 = ("15.8.3", "19H386", "iBoot-7429.140.4")
IOS16 = ("16.7.10", "20H350", "iBoot-8422.200.1")
IOS17 = ("17.6.1", "21G93", "iBoot-10151.142.1")
IOS18 = ("18.1", "22B83", "iBoot-11881.40.163")
IOS26 = ("26.0", "23A341", "iBoot-13822.1.2")
IOS26_2 = ("26.2.1", "23C71", "iBoot-13822.62.5")

SIMULATED = (
    Board("iPhone7,2", "n61ap", 0x7000, 0x06, "t7000", "iphone7", "1334", *IOS12, MAV10),
    Board("iPhone8,1", "n71map", 0x8003, 0x04, "s8003", "n71", "1334", *IOS15, MAV13),
    Board("iPhone9,1", "d10ap", 0x8010, 0x08, "t8010", "iphone9", "1334", *IOS15, MAV16, 0x20211,
          frozenset({"homer"})),
    Board("iPhone10,6", "d221ap", 0x8015, 0x0e, "t8015", "iphone10b", "2436", *IOS16, ICE17, 0x73,
          FACE),
    Board("iPhone11,8", "n841ap", 0x8020, 0x0c, "t8020", "iphone11b", "1792", *IOS17, ICE18, 0x64,
          FACE_OLD),
    Board("iPhone14,5", "d17ap", 0x8110, 0x0a, "t8110", "iphone14", "2532", *IOS17, MAV21, 0x2c,
          FACE_NEW),
    Board("iPhone15,2", "d73ap", 0x8120, 0x0c, "t8120", "iphone15", "2556", *IOS17, MAV22, 0x36,
          FACE_NEW),
    Board("iPhone17,3", "d47ap", 0x8140, 0x08, "t8140", "iphone17", "2556", *IOS18, MAV24, 0x37,
          FACE_NEW),
    Board("iPhone18,3", "v57ap", 0x8150, 0x08, "t8150", "v57", "2622", *IOS26, MAV25, 0x37,
          FACE_NEW),
    Board("iPad7,5", "j71bap", 0x8010, 0x18, "t8010", "ipad7b", "2048", *IOS17),
    Board("iPad12,1", "j181ap", 0x8030, 0x18, "t8030", "ipad12p", "2160", *IOS17),
    Board("iPad16,4", "j718ap", 0x8132, 0x0a, "t8132", "ipad16", "2420", *IOS17, MAV23, 0x36,
          frozenset({"savage", "yonkers", "multitouch", "callan", "euicc"})),
    Board("iPod9,1", "n112ap", 0x8010, 0x16, "t8010", "n112", "1136", *IOS15),
)

EXTRA = (
    Board("iPhone8,1", "n71ap", 0x8000, 0x04, "s8000", "n71", "1334", *IOS15, MAV13),
    Board("iPhone9,3", "d101ap", 0x8010, 0x0c, "t8010", "iphone9", "1334", *IOS15, ICE16, 0,
          frozenset({"homer"})),
    Board("iPhone10,3", "d22ap", 0x8015, 0x06, "t8015", "iphone10b", "2436", *IOS16, MAV17, 0x73,
          FACE),
    Board("iPhone13,2", "d53gap", 0x8101, 0x0c, "t8101", "iphone13", "2532", *IOS26_2, MAV20, 0xd2,
          FACE_NEW),
    Board("iPhone13,3", "d53pap", 0x8101, 0x0e, "t8101", "iphone13", "2532", *IOS26_2, MAV20, 0xd2,
          FACE_NEW),
    Board("iPhone14,2", "d63ap", 0x8110, 0x0c, "t8110", "iphone14", "2532", *IOS17, MAV21, 0x2c,
          FACE_NEW),
)

ALL = SIMULATED + EXTRA


def select(words):
    """Boards by product type (all boards of it) or by board config, each once, in the order asked.

    A product of SIMULATED comes with its sister boards: a real iPhone8,1 file has both.
    """
    chosen = []
    for word in words:
        found = [board for board in ALL if word in (board.product, board.config)]
        if not found:
            known = ", ".join(sorted({board.product for board in ALL}))
            raise ValueError(f"no board or product is named '{word}' (known: {known})")
        chosen += [board for board in found if board not in chosen]
    if not chosen:
        raise ValueError("an IPSW is for one board at least")
    return chosen
