# SPDX-License-Identifier: GPL-3.0-or-later
"""The property lists of an IPSW: BuildManifest, Restore, RestoreVersion, SystemVersion.

Keys and the form of values are those of real files of the same age (see README.md); values that
mean nothing to a restore are made up and follow from the seed.
"""
import hashlib

from ipsw import baseband
from ipsw import firmware
from ipsw.components import BUILD_STRING, RETYPED, is_trusted
from ipsw.content import random_bytes

MIB = 1 << 20
PADDING = {"8": 80, "16": 160, "32": 320, "64": 640, "128": 1280, "256": 1280, "512": 1280,
           "768": 1280, "1024": 1280}
VARIANTS = {
    "erase": ("Customer Erase Install (IPSW)", "Erase"),
    "upgrade": ("Customer Upgrade Install (IPSW)", "Update"),
    "research-erase": ("Research Customer Erase Install (IPSW)", None),
    "research-upgrade": ("Research Customer Upgrade Install (IPSW)", None),
}
FLAGS_13 = ("IsFTAB", "IsLoadedByiBoot")
FLAGS_15 = FLAGS_13 + ("IsLoadedByiBootStage1", "IsiBootEANFirmware",
                       "IsiBootNonEssentialFirmware")
HASH_METHODS = {"sha1": "sha1", "sha384": "sha2-384"}
FACTORY_ONLY = {"baseband", "vinyl"}  # entries whose Info is the path alone


def _rule(actions, **conditions):
    return {"Actions": actions, "Conditions": conditions}


def _production(word, demoted):
    key = f"Ap{word}ProductionMode"
    return [_rule({"EPRO": False}, **{key: False}, ApRequiresImage4=True),
            _rule({"EPRO": True}, **{key: True}, ApRequiresImage4=True),
            _rule({"EPRO": False}, ApDemotionPolicyOverride="Demote", **{key: True}, **demoted,
                  ApRequiresImage4=True)]


def _security():
    return [_rule({"ESEC": value}, ApRawSecurityMode=value, ApRequiresImage4=True)
            for value in (False, True)]


def _factory(demote):
    """The rules of SEP and of the factory's entries; demote: what else happens on demotion."""
    off = demote | {"ESEC": False}
    return [_rule({"ESEC": False}, ApRawSecurityMode=False),
            _rule({"ESEC": True}, ApRawSecurityMode=True),
            *(_rule(off, ApDemotionPolicyOverride=word, ApRawProductionMode=False,
                    ApRawSecurityMode=True) for word in ("", "Demote")),
            _rule({"EPRO": False}, ApRawProductionMode=False),
            _rule({"EPRO": True}, ApRawProductionMode=True)]


DEMOTION = _rule({"DPRO": True}, ApDemotionPolicyOverride="Demote", ApRawProductionMode=True)
RAW = _production("Raw", {}) + _security()
CURRENT = _production("Current", {"ApInRomDFU": True}) + _security()
RULES = {"raw": RAW, "current": CURRENT, "llb": [DEMOTION] + RAW, "ibss": [DEMOTION] + CURRENT,
         "sep": _factory({"DSEC": True}), "ftsp": _factory({})}


def os_long_version(build):
    """23.3.71.0.0,0 for 23C71."""
    digits = len(build) - len(build.lstrip("0123456789"))
    major, letter, rest = build[:digits], build[digits:digits + 1], build[digits + 1:]
    return f"{major}.{ord(letter) - ord('A') + 1}.{rest.rstrip('abcdefg') or 0}.0.0,0"


def _hash_method(component, board):
    """How a digest of something that is no IM4P is made."""
    if component.source != "none":
        return {"HashMethod": HASH_METHODS[board.digest]}
    return {"HashMethod": "sha2-256"} if board.digest == "sha384" else {}


def _component_info(component, path, version, board):
    if component.source in FACTORY_ONLY:
        return {"Path": path}
    info = {flag: True for flag in component.flags}
    if component.source != "none":
        info["Path"] = path
    if component.name in RETYPED:
        info["Img4PayloadType"] = RETYPED[component.name]
    if component.hash_method:
        info |= _hash_method(component, board)
    if component.name == "SEP" and version < (15,) and board.cpid >= 0x8010:
        info["RequiredCapacity"] = "0xE400000" if board.cpid == 0x8015 else "0xC00000"
    if component.rules:
        info["RestoreRequestRules"] = RULES[component.rules]
    for flag in FLAGS_15 if version >= (15,) else FLAGS_13 if version >= (13,) else ():
        info.setdefault(flag, False)
    if version >= (13,) or not component.personalized:
        info["Personalize"] = component.personalized
    return info


def component_entry(component, path, data, board, options):
    """One entry of Manifest. data: see firmware.digest_entry."""
    if component.source == "baseband":
        return baseband.manifest_entry(options.seed, board.baseband.layout, path)
    entry = {"Info": _component_info(component, path, options.numbers, board),
             **dict(component.extra),
             **firmware.digest_entry(component, board, data)}
    trusted = is_trusted(component, board)
    if trusted or trusted is False and options.numbers >= (15,):
        entry["Trusted"] = trusted
    if component.name in BUILD_STRING and options.build == board.build:
        entry["BuildString"] = board.iboot + "~1"
    if component.kind == "sepi" and board.cpid >= 0x8101:
        entry["TBMDigests"] = random_bytes(options.seed, component.name + board.config, 240)
    return entry


def _variant_contents(is_research, numbers):
    kind = "Research" if is_research else "Production"
    contents = {"BasebandFirmware": "Release", "InstalledKernelCache": kind, "DFU": kind,
                "Firmware": kind, "RestoreKernelCache": "Production",
                "RestoreRamDisk": "Production", "OS": "Production", "SEP": kind,
                "RestoreSEP": kind, "VinylFirmware": "Release"}
    if numbers >= (16,):
        contents |= {"Cryptex1,AppOS": "CryptexOne", "Cryptex1,SystemOS": "CryptexOne"}
    return contents


def _info(board, variant, options):
    name, behavior = VARIANTS[variant]
    size = -(-options.image_bytes // MIB)
    info = {
        "BuildNumber": options.build, "BuildTrain": "Simulated", "DeviceClass": board.config,
        "FDRSupport": True, "MinimumSystemPartition": size, "OSVarContentSize": 256 * MIB,
        "SystemPartitionPadding": PADDING, "Variant": name,
        "VariantContents": _variant_contents(behavior is None, options.numbers),
    }
    if behavior:
        info["RestoreBehavior"] = behavior
    if options.numbers >= (13,):
        info["MobileDeviceMinVersion"] = "1810" if options.numbers >= (18,) else "1351"
    if options.numbers >= (16,):
        cryptex = -(-options.cryptex_bytes // MIB)
        info |= {"Cryptex1,AppOSSize": cryptex, "Cryptex1,SystemOSSize": cryptex,
                 "OSDiskImageSize": size}
    if options.numbers >= (18,):
        info["ContentEncoding"] = "aea"
    if options.numbers >= (26,):
        info |= {"Ap,Timestamp": 0, "RequestManifestProperties": ["Ap,Timestamp"],
                 "RestoreAttestationMode": 2, "ImageName": f"{board.target}RestoreIPSW"}
    return info


def _parts_keys(board, seed):
    """Ids of the parts that have firmware of their own."""
    keys = {}
    if board.baseband:
        size = 48 if board.baseband.layout in ("mav20", "mav25") else 32
        keys |= {"BbChipID": f"0x{board.baseband.chip:08X}", "BbFDRSecurityKeyHash": b""}
        for word in ("Activation", "Provisioning"):
            keys[f"Bb{word}ManifestKeyHash"] = random_bytes(seed, "Bb" + word, size)
    if board.se_chip:
        keys["SE,ChipID"] = f"0x{board.se_chip:X}"
    if board.has_face_camera:
        keys["PearlCertificationRootPub"] = b"\4" + random_bytes(seed, "Pearl", 96)
    if "savage" in board.parts:
        keys |= {"Savage,ChipID": "0x01", "Savage,PatchEpoch": "0x00"}
    if "yonkers" in board.parts:
        keys |= {"Yonkers,BoardID": 0, "Yonkers,ChipID": "0x414", "Yonkers,PatchEpoch": 0}
    if "rose" in board.parts:
        keys |= {"Rap,BoardID": 264, "Rap,ChipID": 8198, "Rap,SecurityDomain": 1}
    if "veridian" in board.parts:
        keys |= {"BMU,BoardID": 5715, "BMU,ChipID": 57601}
    if "euicc" in board.parts:
        keys["eUICC,ChipID"] = 6
    return keys


def _system_keys(board, options):
    """Keys that came with the system's version, whatever the board."""
    keys = {"ProductMarketingVersion": options.version} if options.numbers >= (15,) else {}
    if options.numbers >= (16,):
        long_version = os_long_version(options.build)
        target = board.config.removesuffix("ap")
        keys |= {
            "Ap,OSLongVersion": long_version, "Ap,ProductMarketingVersion": options.version,
            "Ap,ProductType": board.product, "Ap,SDKPlatform": "iphoneos",
            "Ap,Target": target[0].upper() + target[1:] + "AP", "Ap,TargetType": target,
            "Cryptex1,ChipID": "0xFF10", "Cryptex1,NonceDomain": 1,
            "Cryptex1,PreauthorizationVersion": long_version, "Cryptex1,ProductClass": "0xF2",
            "Cryptex1,SubType": 1, "Cryptex1,Type": 1, "Cryptex1,Version": long_version,
        }
    return keys


def identity(board, variant, entries, options):
    """One member of BuildIdentities."""
    # of other content, another id: a signing server that knows both must be able to tell them apart
    unique = hashlib.sha1(f"{options.seed}/{options.build}/{board.config}/{variant}".encode())
    for name, entry in sorted(entries.items()):
        unique.update(name.encode() + entry.get("Digest", b""))
    return {
        "ApBoardID": f"0x{board.bdid:02X}", "ApChipID": f"0x{board.cpid:04X}",
        "ApSecurityDomain": "0x01", "UniqueBuildID": unique.digest(),
        **_system_keys(board, options), **_parts_keys(board, options.seed),
        "Info": _info(board, variant, options), "Manifest": entries,
    }


def products(boards):
    return list(dict.fromkeys(board.product for board in boards))


def _type_ids(boards):
    ids = [board.bdid << 24 | board.cpid for board in boards]
    return {"DFU": ids, "Recovery": ids}


def build_manifest(identities, options):
    found = {"ManifestVersion": 0, "ProductBuildVersion": options.build,
             "ProductVersion": options.version, "BuildIdentities": identities,
             "SupportedProductTypes": products(options.boards)}
    if options.numbers < (12,):
        found["SupportedProductTypeIDs"] = _type_ids(options.boards)
    return found


def restore_plist(options, images):
    found = {
        "DeviceMap": [{"BDID": board.bdid, "BoardConfig": board.config, "CPID": board.cpid,
                       "Platform": board.platform, "SCEP": 0} for board in options.boards],
        "ProductBuildVersion": options.build, "ProductVersion": options.version,
        "SupportedProductTypeIDs": _type_ids(options.boards),
        "SupportedProductTypes": products(options.boards),
        "SystemRestoreImageFileSystems": {images["os"]: "APFS"},
    }
    if options.numbers < (12,):
        found |= {
            "DeviceClass": options.boards[0].device_class, "FirmwareDirectory": "Firmware",
            "ProductType": options.boards[0].product,
            "RestoreRamDisks": {"Update": images["update"], "User": images["erase"]},
            "SystemRestoreImages": {"User": images["os"]},
        }
    return found


def restore_version(options):
    return {"RestoreLongVersion": os_long_version(options.build)}


def system_version(options):
    return {"BuildID": hashlib.sha1(options.build.encode()).hexdigest(),
            "ProductBuildVersion": options.build, "ProductName": "iPhone OS",
            "ProductVersion": options.version}
