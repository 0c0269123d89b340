# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of the map of faults: what idevicerestore says, from before the phone is touched to the end of the restore."""

from faults import rows

ERASE, UPDATE = "$ restore erase", "$ restore update"
RECOVERY, NORMAL = {"scenario": "iphone13-recovery"}, {"scenario": "iphone13"}
# a boot ROM's nonce that iBSS keeps: the engine needs no second ticket then
DFU = {"scenario": "iphone13-dfu"}
KEPT = "ibss_nonce=kept"
ERASED, UPDATED = {"finished": "erase"}, {"finished": "update"}
PATIENT = {"limit": 45}
# waits for ever; so long is looked at it
FOR_EVER = {"limit": 12}


def at(conversation, *entries):
    """Rows of faults in one conversation: (what, place and action[, {more fields}])."""
    return [(f"{conversation}-{what}", f"fault={conversation} {fault}", ERASE, *more) for what, fault, *more in entries]


POLITE = rows("restore", "both", ("polite", "", ERASE, ERASED), scenario="iphone13-recovery", limit=60)

# ---- the signing server

SERVER = rows(
    "signing", "both",
    *[(f"status-{status}", "", ERASE, {"server": (status, {})}) for status in ("94", "69", "128")],
    ("html", "", ERASE, {"server": ("html", {}), **PATIENT}),
    ("silence", "", ERASE, {"server": ("silence", {}), **FOR_EVER}),
    ("no-ticket", KEPT, ERASE, {"server": ("no_ticket", {}), **DFU}),
    ("closed-once", "", ERASE, {"server": ("close", {"times": 1}), **ERASED}),
    ("wrong-nonce", KEPT, ERASE, {"server": ("wrong_nonce", {}), **DFU}),
    ("wrong-ecid", KEPT, ERASE, {"server": ("wrong_ecid", {}), **DFU}),
    ("bad-signature", KEPT, ERASE, {"server": ("bad_signature", {}), **DFU}),
    ("garbage-ticket", KEPT, ERASE, {"server": ("garbage_ticket", {}), **DFU}),
    ("wrong-nonce-nobody-checks", (KEPT, "firmware_check=none"), ERASE, {"server": ("wrong_nonce", {}), **DFU}),
    ("refused-in-the-middle", "", ERASE, {"server": ("94", {"nth": 2}), "slow": "35 s, as every failure here"}),
    scenario="iphone13-recovery")

# ---- from normal mode

START = rows(
    "start", "both",
    ("update", "trust=silent", "pair", UPDATE, UPDATED),
    ("erase-without-trust", "trust=denied", ERASE, ERASED),
    ("update-nobody-taps", "", UPDATE, FOR_EVER),
    ("update-denied", "trust=denied", UPDATE, UPDATED),
    ("has_sidp", ("trust=silent", "has_sidp=yes"), "pair", UPDATE),
    ("enter_recovery-session-denied", ("enter_recovery=session", "trust=denied"), ERASE),
    ("enter-recovery-refused", "fault=lockdown got EnterRecovery error:PasswordProtected", ERASE),
    ("enter-recovery-answer-lost", "fault=lockdown sent EnterRecovery reset", ERASE),
    ("enter-recovery-unplug", "fault=lockdown got EnterRecovery unplug", ERASE, PATIENT),
    ("unplugged", "plugged=no", ERASE),
    ("connect-refused", "mux_result=3", ERASE, PATIENT),
    ("wrong_mode", "wrong_mode=dfu", ERASE, PATIENT),
    ("reenum_delay_ms", "reenum_delay_ms=3000", ERASE, ERASED),
    scenario="iphone13", limit=60)

# ---- in the boot ROM and iBoot

LOADERS = rows(
    "loaders", "both",
    ("dfu", KEPT, ERASE, {**DFU, **ERASED}),
    ("dfu-new-nonce", "", ERASE, {**DFU, **ERASED, "limit": 150, "slow": "20 times 4 s for one open"}),
    *[(f"dfu-{what}", (KEPT, *settings), ERASE, DFU) for what, settings in {
        "image-refused": ["dfu_image=reject"], "no_reenum": ["no_reenum=yes"],
        "reenum_delay_ms": ["reenum_delay_ms=12000", "time_scale_percent=100"],
        "wrong_mode": ["wrong_mode=normal"], "state-error": ["dfu_trouble=state-error"],
        "no-reset": ["dfu_trouble=no-reset"], "stays-dfu": ["dfu_trouble=stays-dfu"],
        "serial_timeout": ["serial_timeout=1500"],
        "block-stall": ["fault=dfu got DNLOAD 20 stall"], "block-drop": ["fault=dfu got DNLOAD 20 drop"],
        "block-garbage": ["fault=dfu got DNLOAD 20 garbage"], "byte-unplug": ["fault=dfu got byte 30000 unplug"],
        "byte-reboot": ["fault=dfu got byte 30000 reboot"], "status-reset": ["fault=dfu got GETSTATUS 9 reset"],
    }.items()],
    ("getenv-stall", "getenv=stall", ERASE, ERASED),
    ("boot-stage-1", "env=boot-stage=1", ERASE, ERASED),
    ("recovery_ecid", "recovery_ecid=0x1234", ERASE, PATIENT),
    ("nonce-zero", "nonce=zero", ERASE, ERASED),
    *at("recovery",
        ("data-stall", "got data 5 stall"), ("data-unplug", "got data 30 unplug", PATIENT),
        ("data-drop", "got data 30 drop", PATIENT), ("byte-reset", "got byte 900000 reset", PATIENT),
        ("byte-reboot", "got byte 900000 reboot", PATIENT), ("ramdisk-stall", "got ramdisk stall", PATIENT),
        ("bootx-drop", "got bootx drop", {"slow": "43 s"}),
        ("bootx-unplug", "got bootx unplug", {"limit": 400, "slow": "waits 300 s"}),
        ("garbage-in-kernel", "got byte 1700000 garbage", PATIENT), ("answer-delay", "got answer delay:2000", ERASED)),
    scenario="iphone13-recovery", limit=60)

# ---- in the ramdisk

NOR = "sent DataRequestMsg/NORData"
RESTORED = rows(
    "restored", "both",
    *at("restored",
        ("unplug", f"{NOR} unplug"), ("unplug-and-back", f"{NOR} unplug:500", "mode recovery"),
        ("reset", f"{NOR} reset"),
        ("reboot", f"{NOR} reboot"), ("garbage", f"{NOR} garbage"), ("cut", f"{NOR} cut"),
        ("drop", f"{NOR} drop", FOR_EVER),
        ("stall", f"{NOR} stall", FOR_EVER), ("silence", f"{NOR} silence", FOR_EVER),
        ("delay", f"{NOR} delay:2000", ERASED),
        ("query-reset", "got QueryType reset", ERASED), ("answer-garbage", "sent message 1 garbage", ERASED),
        ("start-lost", "got StartRestore drop", FOR_EVER), ("start-unplug", "got StartRestore unplug"),
        ("byte-got-reset", "got byte 150000 reset"), ("byte-got-unplug", "got byte 150000 unplug"),
        ("byte-sent-garbage", "sent byte 9000 garbage"),
        ("checkpoint-garbage", "sent CheckpointMsg/format_media garbage"),
        ("progress-cut", "sent ProgressMsg 20 cut"),
        ("status-lost", "sent StatusMsg drop", {**ERASED, "limit": 75, "slow": "waits for last words"}),
        ("status-unplug", "sent StatusMsg unplug", ERASED),
        ("final-answer-lost", "got ReceivedFinalStatusMsg reset", ERASED)),
    *[(what, settings, ERASE, *more) for what, settings, *more in (
        ("restore_status-reboot", "restore_status=14:14"),
        ("restore_status-without-amrerror", "restore_status=14:none", FOR_EVER),
        ("restore_after_status-stay", ("restore_status=53:53", "restore_after_status=stay"),
         {"limit": 75, "slow": "60 s"}),
        ("restore_after_status-progress", ("restore_status=6:6", "restore_after_status=progress")),
        ("fail_at-host-too-old", "fail_at=is_host_compatible:10"),
        ("fail_at-fdr", "fail_at=fdr_recover"),
        ("restored_crash", "restored_crash=yes"),
        ("restore_never_ready", "restore_never_ready=yes", {"limit": 400, "slow": "waits 300 s"}),
        ("restore_steps-minimum", "restore_steps=minimum", ERASED),
        ("required_types", "required_types=BootabilityBundleV3"),
        ("baseband-refused", "baseband=refuse"),
        ("url_asset-nobody", "url_asset=http://127.0.0.1:9/key"),
        ("mux_connect_delay_ms", "mux_connect_delay_ms=300", ERASED))],
    scenario="iphone13-recovery", limit=45)

STREAMS = rows(
    "streams", "both",
    ("asr_silent", "asr_silent=yes", ERASE, PATIENT),
    ("fdr-refuse", "fdr=refuse", ERASE, ERASED), ("fdr-none", "fdr=none", ERASE, ERASED),
    ("fdr_host-nobody", "fdr_host=127.0.0.1:9", ERASE, PATIENT),
    *at("asr",
        ("initiate-drop", "sent Initiate drop"), ("initiate-garbage", "sent Initiate garbage"),
        ("info-cut", "got PacketInfo reset"), ("oob-garbage", "sent OOBData garbage"),
        ("byte-unplug", "got byte 600000 unplug"), ("byte-reset", "got byte 600000 reset"),
        ("byte-reboot", "got byte 600000 reboot"), ("byte-stall", "got byte 600000 stall"),
        ("byte-silence", "got byte 600000 silence", {"slow": "35 s, and stall shows the same"}),
        ("byte-garbage", "got byte 600000 garbage"),
        ("info-delay", "got PacketInfo delay:2000", ERASED)),
    *at("fdr",
        ("begin-reset", "got BeginCtrl reset", ERASED),
        ("port-garbage", "sent ConnPort garbage", ERASED), ("connect-drop", "sent Connect drop", ERASED),
        ("ping-garbage", "sent Ping garbage", ERASED), ("pong-unplug", "got Pong unplug")),
    *at("data",
        ("cut", "got message 3 cut"), ("stall", "got message 3 stall"), ("garbage", "got byte 100000 garbage"),
        ("unplug", "got byte 100000 unplug"), ("reset", "got byte 100000 reset"), ("drop", "got message 1 drop")),
    scenario="iphone13-recovery", limit=45)

ROWS = POLITE + SERVER + START + LOADERS + RESTORED + STREAMS
