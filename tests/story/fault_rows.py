# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of the map of faults: a phone in normal mode, in recovery and in DFU. Order and areas: those of the knobs."""

from faults import rows

RECOVERY, DFU = {"scenario": "iphone13-recovery"}, {"scenario": "iphone13-dfu"}
QUERY, INFO, SHORT = "$ irecovery -q -i {ecid}", "$ ideviceinfo -k ActivationState", "$ ideviceinfo -s -k DeviceName"
SEND, PAIR, VALIDATE = "$ irecovery -v -i {ecid} -f {image}", "$ idevicepair pair", "$ idevicepair validate"
LIST, RECOVER = "$ idevice_id -l", "$ ideviceenterrecovery {udid}"
GETENV = "$ irecovery -i {ecid} -s < getenv build-version;/exit"
CRASH = "usbmuxd is in the middle of a transfer when the phone goes, and may crash"
GAUGE, FILES = "$ idevicediagnostics diagnostics GasGauge", "$ afcclient ls /"

# ---- the cable, the bus, the ways back

USB = rows(
    "usb", "usb",
    ("polite", "", QUERY, "$ irecovery -m -i {ecid}", SEND, GETENV),
    ("drop_after_bytes", "drop_after_bytes=50000", SEND, QUERY),
    ("stall_ep0-command", "stall_ep0=0x4000", "$ irecovery -i {ecid} -c 'setenv colour blue'"),
    ("stall_ep0-answer", "stall_ep0=0xc000", GETENV),
    ("stall_ep-upload", "stall_ep=0x04", SEND),
    ("delay_ep_ms", "delay_ep_ms=200", SEND),
    ("delay_ep_ms-too-late", "delay_ep_ms=11000", SEND),
    ("nak_forever", "nak_forever=yes", SEND),
    ("serial_timeout", "serial_timeout=1500", QUERY),
    ("serial_empty", "serial_empty=yes", "$ irecovery -q"),
    ("usb_serial-not-hex", r"usb_serial=CPID:zz ECID:\x01\x02 SRNM:[", "$ irecovery -q"),
    ("usb_product_id", "usb_product_id=0x1290", "$ irecovery -q"),
    ("no_reenum", "no_reenum=yes", "$ irecovery -i {ecid} -n", "event detach", QUERY),
    ("reenum_delay_ms", "reenum_delay_ms=1500", "$ irecovery -i {ecid} -n", "event attach 2", "mode normal"),
    ("reenum_twice", "reenum_twice=yes", "$ irecovery -i {ecid} -c reboot", "event attach 2", "mode recovery", QUERY),
    ("wrong_mode", "wrong_mode=dfu", "$ irecovery -i {ecid} -n", "mode dfu", "$ irecovery -m -i {ecid}"),
    ("nonce-zero", "nonce=zero", QUERY),
    ("nonce-fixed", "nonce=fixed", QUERY, "$ irecovery -i {ecid} -c reboot", "event attach 2", "mode recovery", QUERY),
    ("nonce_bytes-20", "nonce_bytes=20", QUERY),
    ("unplugged", "plugged=no", QUERY),
    scenario="iphone13-recovery")

ENUMERATION = rows(
    "enumeration", "usbmuxd",
    ("polite", "", "listed 20", SHORT),
    ("speed-full", "speed=full", "listed 20", SHORT),
    ("cfg1_stall", "cfg1_stall=yes", "listed 20", SHORT),
    ("one_config", "one_config=yes", "listed 4"),
    ("mode_switch_needed", "mode_switch_needed=yes", "listed 4"),
    ("serial_timeout", "serial_timeout=1500", "listed 4"),
    ("serial_empty", "serial_empty=yes", "listed 4"),
    ("serial_40hex", "serial_40hex=yes", "listed 20", LIST),
    ("stall_ep-mux-in", "stall_ep=0x85", "listed 4"),
    ("stall_ep-mux-out", "stall_ep=0x04", "listed 4"),
    ("bulk_short", "bulk_short=16", "listed 4"),
    ("delay_ep_ms", "delay_ep_ms=50", "listed 25", SHORT),
    ("nak_forever", "nak_forever=yes", "listed 4"),
    ("drop_after_bytes", "drop_after_bytes=3000", "listed 4", {"wavers": CRASH}),
    ("no_reenum", "no_reenum=yes", "listed 20", RECOVER, "event detach", LIST),
    ("reconnect_after_trust", ("trust=silent", "reconnect_after_trust=yes"), "event attach 2", "listed 20", LIST))

# ---- the mux below the services, with usbmuxd

MUX = rows(
    "mux", "usbmuxd",
    ("version-1", "mux_version=1", "listed 4"),
    ("version-99", "mux_version=99", "listed 4"),
    ("no_version", "mux_no_version=yes", "listed 4"),
    ("stale_v2_before_version", "mux_stale_v2_before_version=yes", "listed 10"),
    ("psh_flag", "mux_psh_flag=yes", "listed 4"),
    ("refuse_port", "mux_refuse_port=62078", "listed 4"),
    ("no_synack", "mux_no_synack=yes", "listed 4"),
    ("rst_after", "mux_rst_after=400", "listed 4"),
    ("no_ack", "mux_no_ack=yes", "listed 20", SHORT),
    ("window-0", "mux_window=0", "listed 4"),
    ("window-small", "mux_window=512", "listed 20", SHORT),
    ("mss", "mux_mss=7", "listed 20", SHORT),
    ("split_prefix-no", "mux_split_prefix=no", "listed 20", SHORT),
    ("truncate_packet", "mux_truncate_packet=1", "listed 4"),
    ("oversize", "mux_oversize=1", "listed 4"),
    ("control_text", "mux_control_text=socket is closed", "listed 20"),
    ("seq_wrap", "mux_seq_wrap=yes", "listed 20", SHORT),
    ("syn-ack-dropped", "fault=mux sent SYN-ACK drop", "listed 4"),
    ("data-garbage", "fault=mux sent data garbage", "listed 4"),
    ("data-cut", "fault=mux sent data 3 cut", "listed 4"),
    ("byte-garbage", "fault=mux sent byte 30 garbage", "listed 4"),
    ("deaf", "fault=mux got data 2 stall", "listed 4"),
    ("bus-reset", "fault=mux got setup reset", "event attach 2", "listed 10", SHORT,
     {"wavers": "usbmuxd may hang when the phone goes before it was set up"}),
    ("unplug-and-back", "fault=mux sent data 2 unplug:300", "event attach 2", "listed 4", LIST, {"wavers": CRASH}),
    ("reboot", "fault=mux got data 3 reboot", "listed 20", LIST),
    ("silence", "fault=mux sent data 2 silence", GETENV),
    ("transfer-delayed", "fault=normal got data 3 delay:1500", "listed 20", SHORT))

# ---- usbmuxd's socket and lockdownd

LOCKDOWN = rows(
    "lockdown", "mux",
    ("polite", "trust=silent", SHORT, "pair", INFO),
    ("connect-delay", "mux_connect_delay_ms=3000", SHORT),
    ("connect-delay-too-long", "mux_connect_delay_ms=6000", SHORT),
    ("connect-refused", "mux_result=3", SHORT),
    ("connect-bad-device", "mux_result=2", SHORT),
    ("visible-late", "visible_delay_ms=60000", LIST, SHORT),
    ("unplugged", "plugged=no", LIST, SHORT),
    ("reply-none", "lockdown_reply=none", SHORT, {"limit": 150, "slow": "each question waits 30 s"}),
    ("reply-wrong_request", "lockdown_reply=wrong_request", SHORT),
    ("reply-binary", "lockdown_reply=binary", SHORT),
    ("reply-split", "lockdown_reply=split", SHORT),
    ("reply-long", "lockdown_reply=long", "$ ideviceinfo -s"),
    ("error-invented", "fault=lockdown got GetValue/DeviceName error:NobodyKnowsThis", SHORT),
    ("error-InvalidResponse", "fault=lockdown got QueryType error:InvalidResponse", SHORT),
    ("error-MissingValue", "fault=lockdown got GetValue/DeviceName error:MissingValue", SHORT),
    ("missing-value", "", "$ ideviceinfo -s -k NoSuchKey"),
    ("drop", "fault=lockdown sent QueryType drop", SHORT, {"limit": 38}),
    ("cut", "fault=lockdown sent GetValue/DeviceName cut", SHORT),
    ("garbage", "fault=lockdown sent GetValue/DeviceName garbage", SHORT),
    ("garbage-at-byte", "fault=lockdown sent byte 2 garbage", SHORT, {"limit": 10}),
    ("reset", "fault=lockdown got GetValue/DeviceName reset", SHORT),
    ("reset-at-byte", "fault=lockdown sent byte 200 reset", SHORT),
    ("delay", "fault=lockdown sent GetValue/DeviceName delay:2000", SHORT),
    ("unplug", "fault=lockdown got GetValue/DeviceName unplug", SHORT, LIST),
    ("reboot", "fault=lockdown got GetValue/DeviceName reboot", SHORT),
    ("stall", "fault=lockdown got GetValue/DeviceName stall", SHORT,
     {"limit": 60, "slow": "30 s, and drop shows the same"}),
    ("silence", "fault=lockdown got QueryType silence", SHORT, {"limit": 150, "slow": "each question waits 30 s"}),
    ("enter_recovery-session", ("enter_recovery=session", "trust=silent"), RECOVER, "mode recovery"),
    ("enter_recovery-untrusted", ("enter_recovery=session", "trust=denied"), RECOVER),
    ("enter-recovery-error", "fault=lockdown got EnterRecovery error:PasswordProtected", RECOVER),
    ("clock_s", ("clock_s=1000000000", "trust=silent"), "pair", "$ idevicedate"),
    ("unactivated", ("unactivated=yes", "trust=silent"), "pair", INFO),
    *[(f"evil-{reply}", f"lockdown_reply={reply}", SHORT)
      for reply in ("empty", "truncated", "not_plist", "array", "wrong_types", "deep")],
    ("evil-values", ("lockdown_reply=wrong_types", "lockdown_reply_to=GetValue"), SHORT),
    ("name-odd", r"name=<\x01&\u202e>", SHORT))

# ---- trust

PAIRING = rows(
    "pairing", "mux",
    ("asking", "", PAIR, "hand trust", PAIR, VALIDATE),
    ("asking-and-denied", "", PAIR, "hand deny", PAIR),
    ("no_dialog", "trust=no_dialog", PAIR, PAIR),
    ("device_key-garbage", "device_key=garbage", PAIR),
    ("device_key-wrong_type", "device_key=wrong_type", PAIR),
    ("escrow_bag-wrong_type", ("trust=silent", "escrow_bag=wrong_type"), PAIR, VALIDATE),
    ("forget_after_ms", ("trust=silent", "forget_after_ms=1"), PAIR, "event forget-host", VALIDATE),
    ("never", "trust=never", PAIR, PAIR),
    ("trust_after_ms", "trust_after_ms=300", PAIR, "event dialog 2", PAIR, VALIDATE),
    ("dialog_delay_ms", "dialog_delay_ms=500", PAIR, "event dialog 2", "hand trust", PAIR),
    ("denied", "trust=denied", PAIR, VALIDATE, INFO),
    ("locked", "trust=locked", PAIR, "hand unlock", PAIR, "hand trust", PAIR),
    ("passcode", "passcode=yes", PAIR, "hand trust tap-only", PAIR, "hand type", PAIR),
    ("escrow", "trust=escrow", PAIR, INFO),
    ("lost-mode", "trust=fmip", PAIR, INFO),
    ("supervised", "trust=mc", PAIR),
    ("supervised-challenge", "trust=mc_challenge", PAIR),
    ("setup-assistant", "trust=silent", PAIR, VALIDATE),
    ("reconnect_after_trust", ("trust=silent", "reconnect_after_trust=yes"), PAIR, "event attach 2", VALIDATE),
    ("forgets_host", ("trust=silent", "forgets_host=1"), "pair", VALIDATE, VALIDATE, PAIR),
    ("forgotten-by-hand", "trust=silent", "pair", "hand forget", "hand set trust denied", VALIDATE, INFO, PAIR),
    ("stale_record", "trust=silent", "pair", "hand set stale_record yes", VALIDATE, INFO, "$ idevicepair unpair"),
    ("buid_mismatch", "trust=silent", "pair", "hand set buid_mismatch yes", VALIDATE),
    ("record_save_fail", ("trust=silent", "record_save_fail=yes"), PAIR),
    ("missing_pair_record", "trust=silent", "pair", "hand set missing_pair_record yes", VALIDATE, INFO),
    ("host-cannot-save", ("trust=silent", "mux_save_result=13"), PAIR, "$ idevicepair list"),
    ("pair-answer-lost", ("trust=silent", "fault=lockdown got Pair reset"), PAIR, PAIR),
    ("unpair-error", "trust=silent", "pair", "hand set fault lockdown got Unpair error:InvalidHostID",
     "$ idevicepair unpair"))

# ---- TLS and services

PAIRED = ("trust=silent",)
TLS = rows(
    "tls", "mux",
    *[(rule, PAIRED, "pair", f"hand set tls {rule}", VALIDATE, INFO)
      for rule in ("close", "alert", "other_ca", "wrong_cert", "max_1.0", "max_1.2", "newer")],
    ("no_handshake", PAIRED, "pair", "hand set tls no_handshake", VALIDATE, {"limit": 38}),
    ("stop-session-reset", PAIRED, "pair", "hand set fault lockdown got StopSession reset", INFO))

SERVICES = rows(
    "services", "mux",
    ("polite", PAIRED, "pair", GAUGE, FILES),
    ("start-InvalidService", (*PAIRED, "service_fail=com.apple.afc InvalidService"), "pair", FILES),
    ("start-ServiceProhibited", (*PAIRED, "service_fail=com.apple.afc ServiceProhibited"), "pair", FILES),
    ("start-PasswordProtected", (*PAIRED, "service_fail=com.apple.mobile.diagnostics_relay PasswordProtected"), "pair",
     GAUGE),
    ("service_limit", (*PAIRED, "service_limit=1"), "pair", FILES),
    *[(rule, PAIRED, "pair", f"hand set service {rule}", FILES, GAUGE)
      for rule in ("wrong_port", "close", "tls_fails")],
    ("ssl_missing", PAIRED, "pair", "hand set service ssl_missing", GAUGE, {"limit": 15}),
    ("battery-worn", (*PAIRED, "battery_percent=1", "battery_health_percent=60", "battery_cycles=1200"), "pair",
     "$ ideviceinfo -q com.apple.mobile.battery", GAUGE),
    ("disk-full", (*PAIRED, "disk_bytes=1"), "pair", "$ ideviceinfo -q com.apple.disk_usage",
     "$ afcclient put {image} /image", "$ afcclient info /image"),
    ("afc_unreadable", (*PAIRED, "afc_unreadable=DCIM/100APPLE/IMG_0001.HEIC"), "pair",
     "$ afcclient get /DCIM/100APPLE/IMG_0001.HEIC {folder}/photo"),
    ("afc_locked", (*PAIRED, "afc_locked=yes"), "pair", FILES, {"note": "afcclient asks for no lock"}),
    ("afc-cut", PAIRED, "pair", "hand set fault afc sent answer cut", FILES),
    ("afc-garbage", PAIRED, "pair", "hand set fault afc sent answer garbage", FILES),
    ("afc-reset", PAIRED, "pair", "hand set fault afc got GetFileInfo 2 reset", FILES),
    ("diagnostics-garbage", PAIRED, "pair",
     "hand set fault diagnostics_relay sent message 1 garbage", GAUGE),
    ("diagnostics-reset", PAIRED, "pair", "hand set fault diagnostics_relay got GasGauge reset", GAUGE),
    ("diagnostics-unplug", PAIRED, "pair", "hand set fault diagnostics_relay got GasGauge unplug",
     GAUGE))

# ---- recovery and DFU

IBOOT = rows(
    "recovery", "usb",
    ("getenv-stall", "getenv=stall", GETENV),
    ("getenv-slow", "fault=recovery got answer delay:3000", GETENV),
    ("getenv-too-slow", "fault=recovery got answer drop", GETENV),
    ("env", ("env=boot-stage=1", "env=radio-error=1"),
     "$ irecovery -i {ecid} -s < getenv boot-stage;getenv radio-error;/exit"),
    ("upload-short", "upload=short", SEND, "$ irecovery -i {ecid} -c go"),
    ("upload-ignored", "upload=ignored", SEND, "$ irecovery -i {ecid} -c go"),
    ("reboot-ignored", "reboot=ignored", "$ irecovery -i {ecid} -n", QUERY),
    ("recovery_ecid", "recovery_ecid=0x1234", QUERY, "$ irecovery -m"),
    ("command-stall", "fault=recovery got setenv stall", "$ irecovery -i {ecid} -c 'setenv colour blue'"),
    ("start-stall", "fault=recovery got upload-start stall", SEND),
    ("data-stall", "fault=recovery got data 3 stall", SEND),
    ("data-drop", "fault=recovery got data 3 drop", SEND),
    ("data-cut", "fault=recovery got data 3 cut", SEND),
    ("data-garbage", "fault=recovery got data 3 garbage", SEND, "$ irecovery -i {ecid} -c go"),
    ("data-unplug", "fault=recovery got data 3 unplug", SEND, QUERY),
    ("data-reset", "fault=recovery got data 3 reset", SEND, "event attach 2"),
    ("data-reboot", "fault=recovery got byte 100000 reboot", SEND),
    ("silence", "fault=recovery got getenv silence", GETENV, {"limit": 12}),
    ("answer-garbage", "fault=recovery sent answer garbage", GETENV),
    scenario="iphone13-recovery")

ROM = rows(
    "dfu", "usb",
    ("polite", "firmware_check=none", SEND, "mode recovery", QUERY),
    ("image-refused", "firmware_check=none", "hand set dfu_image reject", SEND, "event attach 2", "mode dfu"),
    ("image-not-signed", "", SEND, "event attach 2", "mode dfu"),
    ("state-error", "dfu_trouble=state-error", SEND, SEND),
    ("wrong-state", "dfu_trouble=wrong-state", SEND),
    ("never-state-5", "dfu_trouble=never-state-5", SEND),
    ("no-reset", "dfu_trouble=no-reset", SEND),
    ("ignore-manifest", "dfu_trouble=ignore-manifest", SEND),
    ("stays-dfu", ("dfu_trouble=stays-dfu", "firmware_check=none"), SEND, "event attach 2", "mode dfu", QUERY),
    ("dfu_poll_ms", ("dfu_poll_ms=3000", "firmware_check=none"), SEND),
    ("block-stall", "fault=dfu got DNLOAD 5 stall", SEND),
    ("block-drop", "fault=dfu got DNLOAD 5 drop", SEND),
    ("block-garbage", "fault=dfu got DNLOAD 5 garbage", SEND),
    ("status-stall", "fault=dfu got GETSTATUS 5 stall", SEND),
    ("status-garbage", "fault=dfu sent GETSTATUS 5 garbage", SEND),
    ("state-garbage", "fault=dfu sent GETSTATE garbage", SEND),
    ("unplug", "fault=dfu got byte 50000 unplug", SEND),
    ("reset", "fault=dfu got DNLOAD 9 reset", SEND, "event attach 2"),
    ("reboot", "fault=dfu got DNLOAD 9 reboot", SEND),
    scenario="iphone13-dfu")

# ---- several phones

MULTI = rows(
    "multi", "usb",
    ("two-no-ecid", "", "$ irecovery -q", {"second": ("iphone6s-recovery", "unit=2")}),
    ("same-ecid", "", QUERY, {"second": ("iphone13-recovery",)}),
    ("recovery-and-dfu", "", QUERY, {"second": ("iphone6s-dfu", "unit=2")}),
    scenario="iphone13-recovery")

MULTI_MUX = rows(
    "multi-usbmuxd", "usbmuxd",
    ("40-hex-and-24", "", "listed-count 2 20", "$ ideviceinfo -u {udid} -s -k DeviceName",
     {"second": ("iphone6s", "unit=2")}),
    ("same-udid", "", "listed-count 2 20", "$ ideviceinfo -u {udid} -s -k DeviceName", {"second": ("iphone13",)}))

ROWS = (USB + ENUMERATION + MUX + LOCKDOWN + PAIRING + TLS + SERVICES + IBOOT + ROM + MULTI + MULTI_MUX)
