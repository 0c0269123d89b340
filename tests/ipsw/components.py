# SPDX-License-Identifier: GPL-3.0-or-later
"""Which components a manifest has for a board and a system, with the flags of real manifests.

A row is (name, type of its file, path, flags, rules). Names, flags, rules and the other type under
which a component is signed (RETYPED) are those of the real manifests 11.2, 15.4 and 26.2.1; a test
compares them again. Types: the table idevicerestore signs by.
"""
from dataclasses import dataclass

FIRMWARE = frozenset({"IsFirmwarePayload"})
SECOND = frozenset({"IsSecondaryFirmwarePayload"})
FUD = frozenset({"IsFUDFirmware"})
BOOT = frozenset({"IsLoadedByiBoot"})
EAN = frozenset({"IsiBootEANFirmware"})
NONE = frozenset()

FLASH, DFU = "Firmware/all_flash/", "Firmware/dfu/"

ALWAYS = (
    ("AppleLogo", "logo", FLASH + "{logo}@{screen}~{body}.im4p", FIRMWARE, "raw"),
    ("BatteryCharging0", "chg0", FLASH + "batterycharging0@{screen}~{body}.im4p", FIRMWARE, "raw"),
    ("BatteryCharging1", "chg1", FLASH + "batterycharging1@{screen}~{body}.im4p", FIRMWARE, "raw"),
    ("BatteryFull", "batF", FLASH + "batteryfull@{screen}~{body}.im4p", FIRMWARE, "raw"),
    ("BatteryLow0", "bat0", FLASH + "batterylow0@{screen}~{body}.im4p", FIRMWARE, "raw"),
    ("BatteryLow1", "bat1", FLASH + "batterylow1@{screen}~{body}.im4p", FIRMWARE, "raw"),
    ("BatteryPlugin", "glyP", FLASH + "glyphplugin@{screen}~{body}-{plug}.im4p", FIRMWARE, "raw"),
    ("DeviceTree", "dtre", FLASH + "DeviceTree.{config}.im4p", FIRMWARE, "raw"),
    ("KernelCache", "krnl", "kernelcache.{kind}.{kernel}", NONE, "raw"),
    ("LLB", "illb", FLASH + "LLB.{target}.{release}.im4p", FIRMWARE, "llb"),
    ("RecoveryMode", "recm", FLASH + "recoverymode@{screen}~{body}-{plug}.im4p", FIRMWARE, "raw"),
    ("RestoreDeviceTree", "dtre", FLASH + "DeviceTree.{config}.im4p", NONE, "current"),
    ("RestoreKernelCache", "krnl", "kernelcache.release.{kernel}", NONE, "current"),
    ("RestoreLogo", "logo", FLASH + "{logo}@{screen}~{body}.im4p", NONE, "current"),
    ("RestoreRamDisk", "rdsk", "{ramdisk}", NONE, "current"),
    ("RestoreSEP", "sepi", FLASH + "sep-firmware.{target}.RELEASE.im4p", SECOND, "sep"),
    ("SEP", "sepi", FLASH + "sep-firmware.{target}.RELEASE.im4p", SECOND, "sep"),
    ("iBEC", "ibec", DFU + "iBEC.{target}.{release}.im4p", NONE, "current"),
    ("iBSS", "ibss", DFU + "iBSS.{target}.{release}.im4p", NONE, "ibss"),
    ("iBoot", "ibot", FLASH + "iBoot.{target}.{release}.im4p", FIRMWARE, "raw"),
)
SINCE_A9 = (
    ("Liquid", "liqd", FLASH + "liquiddetect@{screen}~{body}-{plug}.im4p", FIRMWARE, "raw"),
)
SINCE_12 = (
    ("RestoreTrustCache", "trst", "Firmware/{ramdisk}.trustcache", FUD | BOOT, "current"),
    ("StaticTrustCache", "trst", "Firmware/{os}.trustcache", FUD, "current"),
)
SINCE_15 = (
    ("SystemVolume", "isys", "Firmware/{os}.root_hash", FUD, "current"),
    ("Ap,SystemVolumeCanonicalMetadata", "msys", "Firmware/{os}.mtree", FUD, "current"),
)
SINCE_15_A10 = (
    ("AVE", "avef", "Firmware/ave/AppleAVE2FW_{family}.im4p", FUD | BOOT, "raw"),
)
CLASSIC = (
    ("AOP", "aopf", "Firmware/AOP/aopfw-{platform}aop.im4p", FUD, "raw"),
)
MODERN = (
    ("AOP", "aopf", "Firmware/AOP/aopfw-{platform}aop.RELEASE.im4p", FUD | BOOT, "raw"),
    ("ANE", "anef", "Firmware/ane/{family}_ane_fw.im4p", FUD | BOOT, "raw"),
    ("ANS", "ansf", "Firmware/ansf.{platform}.release.im4p", FIRMWARE, "raw"),
    ("DCP", "dcpf", "Firmware/dcp/{platform}dcp.im4p", EAN, "raw"),
    ("GFX", "gfxf", "Firmware/agx/armfw_{family}.im4p", FUD | BOOT, "raw"),
    ("ISP", "ispf", "Firmware/isp_bni/adc-{target}.im4p", FUD | BOOT, "raw"),
    ("PMP", "pmpf", "Firmware/pmp/{platform}pmp.im4p", FUD | BOOT, "raw"),
    ("RestoreANS", "rans", "Firmware/rans.{platform}.release.im4p", FUD | BOOT, "raw"),
    ("RestoreDCP", "dcpf", "Firmware/dcp/{platform}dcp_restore.im4p", BOOT, "raw"),
    ("SIO", "siof", "Firmware/SmartIOFirmware_{family}.im4p", FUD | BOOT, "raw"),
    ("iBootData", "ibdt", FLASH + "iBootData.{target}.{release}.im4p", FUD | BOOT, "raw"),
)
MODERN_PHONE = (
    ("LowPowerWallet0", "lpw0", FLASH + "lowpowermode@{screen}~{body}-{plug}.im4p", FIRMWARE,
     "raw"),
    ("LowPowerWallet1", "lpw1", FLASH + "lowpowerfindmymode@{screen}~{body}-{plug}.im4p", FIRMWARE,
     "raw"),
)
PARTS = {
    "homer": (("Homer", "homr", "Firmware/homer_{target}.im4p", FUD, "raw"),),
    "multitouch": (("Multitouch", "mtfw", "Firmware/{target}_Multitouch.im4p", FUD, "raw"),),
    "callan": (("AudioCodecFirmware", "acfw", "Firmware/{target}_AudioCodecFirmware.im4p", FUD,
                "raw"),),
    "haptics": (
        ("Ap,HapticAssets", "hpas", "Firmware/{target}_HapticAssets.im4p", FUD, "raw"),
        ("LeapHaptics", "lphp", "Firmware/{target}_LeapHapticsFirmware.im4p", FUD, "raw"),
    ),
    "wireless": (("WCHFirmwareUpdater", "wchf",
                  "Firmware/WirelessPower/WirelessPower.{kernel}.im4p", FIRMWARE | BOOT, "raw"),),
}
UNTRUSTED = {"Homer", "Multitouch", "AudioCodecFirmware", "Ap,HapticAssets", "LeapHaptics"}
RETYPED = {
    "RestoreDeviceTree": "rdtr", "RestoreKernelCache": "rkrn", "RestoreLogo": "rlgo",
    "RestoreSEP": "rsep", "RestoreTrustCache": "rtsc", "RestoreDCP": "rdcp",
    "SE,RapRTKitOS": "rkos", "SE,RapSwBinDsp": "sbd1",
}
BUILD_STRING = {"LLB", "iBEC", "iBSS"}
FAMILIES = {
    "t7000": "H7", "s8000": "H8", "s8003": "H8", "t8010": "H9", "t8015": "H10", "t8020": "H11",
    "t8030": "H12", "t8101": "H13", "t8110": "H14", "t8120": "H15", "t8132": "H16",
    "t8140": "H17", "t8150": "H18",
}

CRYPTEX = (
    ("Cryptex1,AppOS", "{app_os}", False), ("Cryptex1,SystemOS", "{system_os}", False),
    ("Cryptex1,AppTrustCache", "Firmware/{app_os}.trustcache", True),
    ("Cryptex1,AppVolume", "Firmware/{app_os}.root_hash", True),
    ("Cryptex1,SystemTrustCache", "Firmware/{system_os}.trustcache", True),
    ("Cryptex1,SystemVolume", "Firmware/{system_os}.root_hash", True),
)
CRYPTEX_TYPES = {"TrustCache": "trst", "Volume": "isys"}
SAVAGE = tuple(f"{chip}-{kind}" for chip in ("B0", "B2", "BA", "BE", "BF")
               for kind in ("Dev", "Prod"))
SAVAGE_OLD = ("B0", "B2")
YONKERS_FAB = (0x1a01, 0x2a01, 0x2201, 0x3201, 0xea01, 0xf201)
ROSE = "Firmware/Rose/r1p1/ftab.bin"


@dataclass(frozen=True)
class Component:
    """source tells how its file is made and what its digest covers: im4p, image (a disk image), raw
    (SHA-256 of the file), ftab (one entry of it), baseband, se, vinyl, none (no file)."""
    name: str
    source: str
    path: str = None
    kind: str = None
    flags: frozenset = NONE
    rules: str = None
    trusted: bool = None
    personalized: bool = True
    hash_method: bool = False
    extra: tuple = ()

    @property
    def signed_kind(self):
        """The type under which it is signed and the phone gets it."""
        return RETYPED.get(self.name, self.kind)


def _plain(rows):
    return [Component(name, "im4p", path, kind, flags, rules, name not in UNTRUSTED)
            for name, kind, path, flags, rules in rows]


def _fixed():
    """The OS image, and the four entries without a file: results of the factory's own signing."""
    yield Component("OS", "image", "{os}", None, NONE, "current", True, False, True)
    for name, rules in (("ftap", "raw"), ("ftsp", "ftsp"), ("rfta", "current"), ("rfts", "ftsp")):
        yield Component(name, "none", None, name, NONE, rules, True, False, True)


def _cryptexes():
    for name, path, is_im4p in CRYPTEX:
        kind = next((kind for word, kind in CRYPTEX_TYPES.items() if name.endswith(word)), None)
        yield Component(name, "im4p" if is_im4p else "image", path, kind, NONE, "current", None,
                        is_im4p, True)


def _savage(version):
    for chip in SAVAGE:
        if version < (15,) and chip[:2] not in SAVAGE_OLD:
            continue
        yield Component(f"Savage,{chip}-Patch", "raw", f"Firmware/Savage/Savage.{chip}.fw")
        if chip[:2] in SAVAGE_OLD:
            yield Component(f"Savage,{chip}-PatchVT", "raw", f"Firmware/Savage/Savage.{chip}.vt.fw")


def _yonkers():
    """For each revision of the chip a patch for development and one for production fusing."""
    for number in range(2 * len(YONKERS_FAB)):
        revision, is_production = YONKERS_FAB[number // 2], bool(number % 2)
        model = "EA01_F201" if revision > 0xe000 else "1A01_2A01_2201_3201"
        path = f"Firmware/Yonkers/Yonkers.{model}_{'Prod' if is_production else 'Dev'}.fw"
        yield Component(f"Yonkers,SysTopPatch{number:X}", "raw", path,
                        extra=(("EPRO", is_production), ("FabRevision", revision)))


def _rose():
    for name, entry in (("Rap,RTKitOS", "rkos"), ("Rap,SoftwareBinaryDsp1", "sbd1")):
        yield Component(name, "ftab", ROSE, entry, frozenset({"IsFTAB"}), "raw", True)
    for name, entry in (("SE,RapRTKitOS", "rkos"), ("SE,RapSwBinDsp", "sbd1")):
        yield Component(name, "ftab", ROSE, entry, frozenset({"IsFTAB"}), personalized=False)


def _secure_element(board):
    if board.se_chip == 0x20211:
        for part in ("Bootloader", "Firmware", "MigrationOS", "OS"):
            yield Component(f"SE,{part}", "se", "Firmware/SE/Icefall.RELEASE.sefw", "CMAC")
    elif board.se_chip:
        number = {0x73: 4, 0x64: 5, 0xd2: 7}.get(board.se_chip, 8)
        yield Component("SE,UpdatePayload", "se", f"Firmware/SE/Stockholm{number}.RELEASE.sefw",
                        "UpdatePayloadHash")


def _of_parts(board, version):
    for part in sorted(board.parts & PARTS.keys()):
        yield from _plain(PARTS[part])
    if "savage" in board.parts:
        yield from _savage(version)
    if "yonkers" in board.parts:
        yield from _yonkers()
    if "rose" in board.parts:
        yield from _rose()
    if "veridian" in board.parts:
        for name, member in (("DigestMap", "DigestMap.der"), ("FirmwareMap", "FirmwareMap.plist")):
            yield Component(f"BMU,{name}", "raw", f"Firmware/Veridian/{{target}}/{member}")
    if "euicc" in board.parts:
        for part in ("Gold", "Main"):
            yield Component(f"eUICC,{part}", "vinyl", "Firmware/vinyl_06.vnlfw", part)


def components_for(board, version):
    """The components of one identity, paths still as templates. version: tuple of integers."""
    rows = ALWAYS
    rows += SINCE_A9 if board.cpid > 0x7001 else ()
    rows += SINCE_12 if version >= (12,) else ()
    rows += SINCE_15 if version >= (15,) else ()
    rows += SINCE_15_A10 if version >= (15,) and board.cpid >= 0x8010 else ()
    if board.is_modern:
        rows += MODERN + (MODERN_PHONE if board.device_class == "iPhone" else ())
    elif board.cpid >= 0x8010:
        rows += CLASSIC
    found = _plain(rows) + list(_fixed())
    if version >= (16,):
        found += _cryptexes()
    found += _secure_element(board)
    found += _of_parts(board, version)
    if board.baseband:
        found.append(Component("BasebandFirmware", "baseband",
                               f"Firmware/{board.baseband.stem}.Release.bbfw"))
    return found


def is_trusted(component, board):
    """AOP is trusted only where iBoot loads it."""
    return board.is_modern if component.name == "AOP" else component.trusted


def names_for(board, images):
    """What the templates of paths are filled with. images: {role: member name}."""
    return {
        "config": board.config, "target": board.target, "platform": board.platform,
        "kernel": board.kernel, "screen": board.screen, "body": board.device_class.lower(),
        "plug": "usbc" if board.cpid > 0x8130 else "lightning",
        "family": FAMILIES[board.platform], "release": "RELEASE", "kind": "release",
        "logo": "applelogo", **images,
    }


RESEARCH_NAMES = {"release": "RESEARCH_RELEASE", "kind": "research", "logo": "researchlogo"}
