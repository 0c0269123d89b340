# SPDX-License-Identifier: GPL-3.0-or-later
"""The four-character tags under which tickets (IM4M) hold the components that a request names.

Sources: [t] tags of a ticket that Apple signed for d22ap (iOS 15) and of a second one; [m] the
`Img4PayloadType` of published BuildManifests; [i] names and tags that idevicerestore and
pymobiledevice3 list; [c] published tags of cryptex tickets. `OS` is listed as "OS" + two zero bytes
by [i], but real tickets have `rosi`. A name in none of them gets a tag derived from its hash:
stable, and marked as derived, so that no test takes it for Apple's.
"""
import hashlib

TAGS = {
    # [t] and [i]: tag seen in a real ticket
    "AOP": "aopf", "AVE": "avef", "Ap,SystemVolumeCanonicalMetadata": "msys", "AppleLogo": "logo",
    "AudioCodecFirmware": "acfw", "BatteryCharging0": "chg0", "BatteryCharging1": "chg1",
    "BatteryFull": "batF", "BatteryLow0": "bat0", "BatteryLow1": "bat1", "BatteryPlugin": "glyP",
    "DeviceTree": "dtre", "ISP": "ispf", "KernelCache": "krnl", "LLB": "illb", "Liquid": "liqd",
    "Multitouch": "mtfw", "OS": "rosi", "RecoveryMode": "recm", "RestoreDeviceTree": "rdtr",
    "RestoreKernelCache": "rkrn", "RestoreLogo": "rlgo", "RestoreRamDisk": "rdsk",
    "RestoreSEP": "rsep", "RestoreTrustCache": "rtsc", "SEP": "sepi", "StaticTrustCache": "trst",
    "SystemVolume": "isys", "ftap": "ftap", "ftsp": "ftsp", "iBEC": "ibec", "iBSS": "ibss",
    "iBoot": "ibot", "rfta": "rfta", "rfts": "rfts",
    # [m]
    "RestoreDCP": "rdcp", "SE,RapRTKitOS": "rkos", "SE,RapSwBinDsp": "sbd1",
    # [i]
    "ACIBT": "acib", "ACIBTLPEM": "lpbt", "ACIWIFI": "aciw", "ANE": "anef", "ANS": "ansf",
    "Alamo": "almo", "Ap,ANE1": "ane1", "Ap,ANE2": "ane2", "Ap,ANE3": "ane3",
    "Ap,AudioAccessibilityBootChime": "auac", "Ap,AudioBootChime": "aubt",
    "Ap,AudioPowerAttachChime": "aupr", "Ap,BootabilityBrainTrustCache": "trbb", "Ap,CIO": "ciof",
    "Ap,DCP2": "dcp2", "Ap,HapticAssets": "hpas", "Ap,LocalPolicy": "lpol",
    "Ap,RestoreANE1": "ran1", "Ap,RestoreANE2": "ran2", "Ap,RestoreANE3": "ran3",
    "Ap,RestoreCIO": "rcio", "Ap,RestoreSecureM3Firmware": "rsm3",
    "Ap,RestoreSecurePageTableMonitor": "rspt", "Ap,RestoreTMU": "rtmu",
    "Ap,RestoreTrustedExecutionMonitor": "rtrx", "Ap,RestorecL4": "rxcl", "Ap,Scorpius": "scpf",
    "Ap,TMU": "tmuf", "Ap,rOSLogo1": "rlg1", "Ap,rOSLogo2": "rlg2", "BatteryCharging": "glyC",
    "CFELoader": "cfel", "CrownFirmware": "crwn", "DCP": "dcpf", "Dali": "dali", "Diags": "diag",
    "EngineeringTrustCache": "dtrs", "ExtDCP": "edcp", "GFX": "gfxf", "Hamm": "hamf",
    "Homer": "homr", "InputDevice": "ipdf", "LeapHaptics": "lphp", "LoadableTrustCache": "ltrs",
    "LowPowerWallet0": "lpw0", "LowPowerWallet1": "lpw1", "LowPowerWallet2": "lpw2",
    "MacEFI": "mefi", "MtpFirmware": "mtpf", "OSRamdisk": "osrd", "PEHammer": "hmmr",
    "PERTOS": "pert", "PHLEET": "phlt", "PMP": "pmpf", "PersonalizedDMG": "pdmg", "RBM": "rmbt",
    "RTP": "rtpf", "Rap,RTKitOS": "rkos", "Rap,RestoreRTKitOS": "rrko",
    "Rap,SoftwareBinaryDsp1": "sbd1", "RestoreANS": "rans", "RestoreExtDCP": "recp",
    "RestoreRTP": "rrtp", "SCE": "scef", "SCE1Firmware": "sc1f", "SIO": "siof",
    "SystemLocker": "lckr", "WCHFirmwareUpdater": "wchf", "iBootData": "ibdt",
    "iBootDataStage1": "ibd1", "iBootTest": "itst",
    # [c]
    "Cryptex1,AppOS": "caos", "Cryptex1,AppTrustCache": "trca", "Cryptex1,AppVolume": "casy",
    "Cryptex1,SystemOS": "csos", "Cryptex1,SystemTrustCache": "trcs",
    "Cryptex1,SystemVolume": "cssy",
}
ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"


def tag_of(name):
    """(tag, derived): the tag of a component, and whether it was made up from the name's hash."""
    if name in TAGS:
        return TAGS[name], False
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    tag = "z"
    for _ in range(3):
        number, digit = divmod(number, len(ALPHABET))
        tag += ALPHABET[digit]
    return tag, True
