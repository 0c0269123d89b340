/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "scenario_keys.h"

#include <errno.h>
#include <string.h>

static const char *const bodies[] = { "phone", "keyboard", "disk", nullptr };
static const char *const modes[] = { "normal",  "recovery", "dfu",       "wtf",
				     "restore", "port-dfu", "debug-usb", nullptr };
static const char *const trusts[] = { "asking", "never",     "denied", "locked",
				      "escrow", "fmip",      "mc",     "mc_challenge",
				      "silent", "no_dialog", nullptr };
static const char *const tlses[] = { "normal",   "close",      "alert",   "no_handshake",
				     "other_ca", "wrong_cert", "max_1.0", "max_1.2",
				     "newer",    "garbage",    nullptr };
static const char *const replies[] = { "normal",      "none",      "wrong_request", "binary",
				       "split",       "long",      "oversize",      "promise",
				       "empty",       "truncated", "not_plist",     "array",
				       "wrong_types", "endless",   "deep",          nullptr };
static const char *const device_keys[] = { "normal",     "garbage", "empty",
					   "wrong_type", "huge",    nullptr };
static const char *const escrow_bags[] = { "normal", "missing", "wrong_type", "huge", nullptr };
static const char *const backups[] = { "normal",     "nothing",    "no_final_status",
				       "no_folders", "dotdot",     "long_name",
				       "cancel",     "disconnect", nullptr };
static const char *const service_rules[] = { "normal", "ssl_missing", "wrong_port",
					     "close",  "tls_fails",   nullptr };
static const char *const images[] = { "accept", "reject", nullptr };
static const char *const nonces[] = { "fresh", "fixed", "zero", nullptr };
static const char *const ibss_nonces[] = { "kept", "fresh", nullptr };
static const char *const checks[] = { "strict", "none", nullptr };
static const char *const dfu_troubles[] = { "none",          "state-error", "wrong-state",
					    "never-state-5", "no-reset",    "ignore-manifest",
					    "stays-dfu",     nullptr };
static const char *const uploads[] = { "take", "short", "ignored", nullptr };
static const char *const ramdisks[] = { "none", "erase", "update", nullptr };
static const char *const after_statuses[] = { "reboot", "stay", "progress", nullptr };
static const char *const restore_steps[] = { "full", "minimum", nullptr };
static const char *const fdrs[] = { "accept", "refuse", "none", "old", nullptr };
static const char *const basebands[] = { "accept", "refuse", nullptr };
static const char *const reboots[] = { "leave", "ignored", nullptr };
static const char *const getenvs[] = { "answer", "stall", nullptr };
static const char *const enters[] = { "plain", "session", "release", nullptr };
static const char *const wrong_modes[] = { "none",    "normal",   "recovery",  "dfu",  "wtf",
					   "restore", "port-dfu", "debug-usb", nullptr };
static const char *const speeds[] = { "high", "full", nullptr };

#define MEMBER(m) offsetof(struct scenario, m), sizeof((struct scenario){}.m)

static const struct key keys[] = {
	{ "model", KEY_MODEL, MEMBER(model), nullptr, "ProductType, a row of model.c" },
	{ "body", KEY_CHOICE, MEMBER(body), bodies, "phone, or a stranger with Apple's vendor id" },
	{ "mode", KEY_CHOICE, MEMBER(mode), modes, "mode at the start" },
	{ "plugged", KEY_YES_NO, MEMBER(plugged), nullptr, "yes or no: cable in at the start" },
	{ "seed", KEY_NUMBER, MEMBER(seed), nullptr, "of everything random" },
	{ "unit", KEY_NUMBER, MEMBER(unit), nullptr, "tells phones of one scenario apart" },
	{ "ecid", KEY_NUMBER, MEMBER(ecid), nullptr, "64-bit chip identity" },
	{ "serial", KEY_TEXT, MEMBER(serial), nullptr, "Apple's serial number" },
	{ "udid", KEY_TEXT, MEMBER(udid), nullptr, "as in the USB serial string of normal mode" },
	{ "imei", KEY_TEXT, MEMBER(imei), nullptr, "shown by recovery if set" },
	{ "name", KEY_TEXT, MEMBER(name), nullptr, "the user's name for the phone" },
	{ "name_bytes", KEY_NUMBER, MEMBER(lockdown.name_bytes), nullptr,
	  "as lockdownd tells the name: repeated up to that length, at most 1 MiB; 0: once" },
	{ "pwned", KEY_TEXT, MEMBER(pwned), nullptr, "PWND field of DFU if set" },
	{ "version", KEY_TEXT, MEMBER(version), nullptr, "ProductVersion, instead of the model's" },
	{ "build", KEY_TEXT, MEMBER(build), nullptr, "BuildVersion, instead of the model's" },
	{ "speed", KEY_CHOICE, MEMBER(speed), speeds, "USB speed: high or full" },
	{ "usb_serial", KEY_TEXT, MEMBER(usb_serial), nullptr,
	  "raw USB serial string of every mode" },
	{ "usb_product_id", KEY_NUMBER, MEMBER(usb_product_id), nullptr, "instead of the mode's" },
	{ "usb_max_power_ma", KEY_NUMBER, MEMBER(usb_knobs.max_power_ma), nullptr,
	  "bMaxPower of every configuration, up to 510; 0: as usual" },
	{ "blink_every_ms", KEY_NUMBER, MEMBER(usb_knobs.blink_every_ms), nullptr,
	  "leaves the bus and comes back that long after each attach; 0: never" },
	{ "blink_times", KEY_NUMBER, MEMBER(usb_knobs.blink_times), nullptr,
	  "how often it does so after a boot; 0: without end" },
	{ "recovery_loop", KEY_YES_NO, MEMBER(recovery_loop), nullptr,
	  "the system cannot start: every boot ends in recovery, until a restore" },
	{ "recovery_again_ms", KEY_NUMBER, MEMBER(recovery_again_ms), nullptr,
	  "with recovery_loop: iBoot tries again by itself after so long; 0: never" },
	{ "gap_ms", KEY_NUMBER, MEMBER(gap_ms), nullptr, "off the bus before boot ROM or iBoot" },
	{ "boot_ms", KEY_NUMBER, MEMBER(boot_ms), nullptr, "off the bus before the whole system" },
	{ "time_scale_percent", KEY_NUMBER, MEMBER(time_scale_percent), nullptr,
	  "of both, 100: real" },
	{ "ipsw", KEY_TEXT, MEMBER(ipsw), nullptr, "the file whose restore it accepts" },
	{ "fault", KEY_FAULT, MEMBER(faults), nullptr,
	  "a fault, see fault.h; adds one; none clears" },
	{ "disk_bytes", KEY_NUMBER, MEMBER(disk_bytes), nullptr, "that the user may fill" },
	{ "disk_free_bytes", KEY_NUMBER, MEMBER(disk_free_bytes), nullptr,
	  "left of them at the start; 0: all that the files leave" },
	{ "battery_percent", KEY_NUMBER, MEMBER(battery_percent), nullptr, "charge" },
	{ "battery_health_percent", KEY_NUMBER, MEMBER(battery_health_percent), nullptr,
	  "of the capacity it had when new" },
	{ "battery_cycles", KEY_NUMBER, MEMBER(battery_cycles), nullptr, "charges so far" },
	{ "afc_unreadable", KEY_TEXT, MEMBER(afc_unreadable), nullptr,
	  "path of a file whose second half cannot be read" },
	{ "afc_locked", KEY_YES_NO, MEMBER(afc_locked), nullptr, "another host is syncing" },
	{ "afc_busy", KEY_NUMBER, MEMBER(afc_busy), nullptr,
	  "so many times the lock of a sync is refused" },
	{ "backup", KEY_CHOICE, MEMBER(backup.rule), backups,
	  "normal, nothing, no_final_status, no_folders, dotdot, long_name, cancel, disconnect" },
	{ "backup_error", KEY_NUMBER, MEMBER(backup.error), nullptr,
	  "MBErrorDomain's number that answers Backup and Restore; 0: none" },
	{ "backup_type_after_ms", KEY_NUMBER, MEMBER(backup.type_after_ms), nullptr,
	  "the user types the passcode so long after a backup wants it; 0: no one types" },
	{ "backup_passcode_ms", KEY_NUMBER, MEMBER(backup.passcode_ms), nullptr,
	  "how long it is wanted before error 208" },
	{ "backup_skips_space", KEY_YES_NO, MEMBER(backup.skips_space), nullptr,
	  "does not ask how much room the host has" },
	{ "find_my", KEY_YES_NO, MEMBER(backup.find_my), nullptr,
	  "is on: restoring a backup is refused" },
	{ "drop_after_bytes", KEY_NUMBER, MEMBER(usb_knobs.drop_after_bytes), nullptr,
	  "cable out once that many bytes have passed" },
	{ "no_reenum", KEY_YES_NO, MEMBER(usb_knobs.no_reenum), nullptr,
	  "never comes back after a change of mode" },
	{ "reenum_delay_ms", KEY_NUMBER, MEMBER(usb_knobs.reenum_delay_ms), nullptr,
	  "comes back that much later" },
	{ "reenum_twice", KEY_YES_NO, MEMBER(usb_knobs.reenum_twice), nullptr,
	  "comes back, goes, and comes back" },
	{ "wrong_mode", KEY_CHOICE, MEMBER(usb_knobs.wrong_mode), wrong_modes,
	  "comes back in this mode, or none" },
	{ "stall_ep0", KEY_NUMBER, MEMBER(usb_knobs.stall_ep0), nullptr,
	  "0xTTRR: type and request that stall" },
	{ "stall_ep", KEY_NUMBER, MEMBER(usb_knobs.stall_ep), nullptr,
	  "address of a pipe that stalls" },
	{ "delay_ep_ms", KEY_NUMBER, MEMBER(usb_knobs.delay_ep_ms), nullptr,
	  "bulk transfers are answered late" },
	{ "bulk_short", KEY_NUMBER, MEMBER(usb_knobs.bulk_short), nullptr,
	  "IN transfers end after that many bytes" },
	{ "nak_forever", KEY_YES_NO, MEMBER(usb_knobs.nak_forever), nullptr,
	  "bulk pipes answer nothing" },
	{ "cfg1_stall", KEY_YES_NO, MEMBER(usb_knobs.cfg1_stall), nullptr,
	  "GET_DESCRIPTOR 0201 stalls three times" },
	{ "one_config", KEY_YES_NO, MEMBER(usb_knobs.one_config), nullptr,
	  "normal mode has one configuration" },
	{ "mode_switch_needed", KEY_YES_NO, MEMBER(usb_knobs.mode_switch_needed), nullptr,
	  "no mux before SET_MODE 2 or 3" },
	{ "serial_timeout", KEY_NUMBER, MEMBER(usb_knobs.serial_timeout), nullptr,
	  "ms by which the serial string is late" },
	{ "serial_empty", KEY_YES_NO, MEMBER(usb_knobs.serial_empty), nullptr,
	  "the serial string has no characters" },
	{ "serial_40hex", KEY_YES_NO, MEMBER(usb_knobs.serial_40hex), nullptr,
	  "UDID of 40 digits, whatever the model" },
	{ "mux_version", KEY_NUMBER, MEMBER(mux_knobs.version), nullptr,
	  "answered to the version packet: 2, 1, 99" },
	{ "mux_no_version", KEY_YES_NO, MEMBER(mux_knobs.no_version), nullptr,
	  "the version packet is not answered" },
	{ "mux_stale_v2_before_version", KEY_YES_NO, MEMBER(mux_knobs.stale_v2_before_version),
	  nullptr, "an old segment comes before the version" },
	{ "mux_psh_flag", KEY_YES_NO, MEMBER(mux_knobs.psh_flag), nullptr,
	  "data with PSH and ACK" },
	{ "mux_refuse_port", KEY_NUMBER, MEMBER(mux_knobs.refuse_port), nullptr,
	  "connections to this port are reset" },
	{ "mux_no_synack", KEY_YES_NO, MEMBER(mux_knobs.no_synack), nullptr,
	  "SYN is not answered, nor Connect" },
	{ "mux_rst_after", KEY_NUMBER, MEMBER(mux_knobs.rst_after), nullptr,
	  "bytes of a connection before it is reset" },
	{ "mux_no_ack", KEY_YES_NO, MEMBER(mux_knobs.no_ack), nullptr,
	  "data is never acknowledged" },
	{ "mux_window", KEY_NUMBER, MEMBER(mux_knobs.window), nullptr,
	  "announced, in bytes: 131072" },
	{ "mux_mss", KEY_NUMBER, MEMBER(mux_knobs.mss), nullptr, "bytes of a segment at most" },
	{ "mux_split_prefix", KEY_YES_NO, MEMBER(mux_knobs.split_prefix), nullptr,
	  "length and body in two segments: yes" },
	{ "mux_truncate_packet", KEY_NUMBER, MEMBER(mux_knobs.truncate_packet), nullptr,
	  "this packet lacks its second half" },
	{ "mux_oversize", KEY_NUMBER, MEMBER(mux_knobs.oversize), nullptr,
	  "this packet is longer than 65536 bytes" },
	{ "mux_control_text", KEY_TEXT, MEMBER(mux_knobs.control_text), nullptr,
	  "an error of the mux after setup" },
	{ "mux_seq_wrap", KEY_YES_NO, MEMBER(mux_knobs.seq_wrap), nullptr,
	  "packets are counted from 0xfff0" },
	{ "trust", KEY_CHOICE, MEMBER(trust), trusts,
	  "asking, never, denied, locked, escrow, fmip, mc, mc_challenge, silent, no_dialog" },
	{ "trust_after_ms", KEY_NUMBER, MEMBER(lockdown.trust_after_ms), nullptr,
	  "the user taps Trust that long after the dialog came; 0: no one taps" },
	{ "dialog_delay_ms", KEY_NUMBER, MEMBER(lockdown.dialog_delay_ms), nullptr,
	  "from Pair to the dialog" },
	{ "passcode", KEY_YES_NO, MEMBER(lockdown.passcode), nullptr, "one is set" },
	{ "reconnect_after_trust", KEY_YES_NO, MEMBER(lockdown.reconnect_after_trust), nullptr,
	  "leaves the bus and comes back after a Pair that succeeded" },
	{ "forgets_host", KEY_NUMBER, MEMBER(lockdown.forgets_host), nullptr,
	  "after so many sessions; 0: never" },
	{ "forget_after_ms", KEY_NUMBER, MEMBER(lockdown.forget_after_ms), nullptr,
	  "another computer fights for the record: dropped so long after each Pair; 0: never" },
	{ "stale_record", KEY_YES_NO, MEMBER(lockdown.stale_record), nullptr, "knows no HostID" },
	{ "buid_mismatch", KEY_YES_NO, MEMBER(lockdown.buid_mismatch), nullptr,
	  "knows every HostID with another SystemBUID" },
	{ "record_save_fail", KEY_YES_NO, MEMBER(lockdown.record_save_fail), nullptr,
	  "Pair: SavePairRecordFailed" },
	{ "missing_pair_record", KEY_YES_NO, MEMBER(lockdown.missing_pair_record), nullptr,
	  "StartSession: MissingPairRecord" },
	{ "tls", KEY_CHOICE, MEMBER(lockdown.tls), tlses,
	  "normal, close, alert, no_handshake, other_ca, wrong_cert, max_1.0, max_1.2, newer "
	  "(alert: protocol version), garbage" },
	{ "lockdown_reply", KEY_CHOICE, MEMBER(lockdown.reply), replies,
	  "normal, none, wrong_request, binary, split, long, oversize, promise, empty, truncated, "
	  "not_plist, array, wrong_types, endless, deep" },
	{ "lockdown_reply_to", KEY_TEXT, MEMBER(lockdown.reply_to), nullptr,
	  "only to this request: GetValue, GetValue/DeviceName, Pair; empty: to all" },
	{ "device_key", KEY_CHOICE, MEMBER(lockdown.device_key), device_keys,
	  "DevicePublicKey: normal, garbage, empty, wrong_type, huge" },
	{ "escrow_bag", KEY_CHOICE, MEMBER(lockdown.escrow_bag), escrow_bags,
	  "of a Pair that succeeds: normal, missing, wrong_type, huge" },
	{ "service", KEY_CHOICE, MEMBER(lockdown.service), service_rules,
	  "normal, ssl_missing, wrong_port, close, tls_fails" },
	{ "service_fail", KEY_TEXT, MEMBER(lockdown.service_fail), nullptr,
	  "NAME ERROR: the answer to StartService of NAME" },
	{ "service_limit", KEY_NUMBER, MEMBER(lockdown.service_limit), nullptr,
	  "connections to services at once; 0: no limit" },
	{ "has_sidp", KEY_YES_NO, MEMBER(lockdown.has_sidp), nullptr,
	  "HasSiDP; real phones say yes, and then need the preboard service" },
	{ "unactivated", KEY_YES_NO, MEMBER(lockdown.unactivated), nullptr, "ActivationState" },
	{ "activation", KEY_TEXT, MEMBER(lockdown.activation), nullptr,
	  "ActivationState, whatever it is: FactoryActivated, MismatchedIMEI" },
	{ "supervised", KEY_YES_NO, MEMBER(lockdown.supervised), nullptr,
	  "an organisation supervises it (trust = mc and mc_challenge say so too)" },
	{ "clock_s", KEY_NUMBER, MEMBER(lockdown.clock_s), nullptr,
	  "seconds since 1970 at the start; 0: the real clock" },
	{ "dfu_image", KEY_CHOICE, MEMBER(dfu_image), images, "accept or reject what DFU gets" },
	{ "dfu_trouble", KEY_CHOICE, MEMBER(dfu_trouble), dfu_troubles,
	  "boot ROM: none, state-error, wrong-state, never-state-5, no-reset, ignore-manifest, "
	  "stays-dfu" },
	{ "dfu_poll_ms", KEY_NUMBER, MEMBER(dfu_poll_ms), nullptr, "poll time-out after a block" },
	{ "firmware_check", KEY_CHOICE, MEMBER(firmware_check), checks,
	  "of images: strict (ticket, digests), or none (any bytes boot)" },
	{ "ticket_key", KEY_TEXT, MEMBER(ticket_key), nullptr,
	  "PEM file, public key of the signing server" },
	{ "nonce", KEY_CHOICE, MEMBER(nonce), nonces, "fresh at each boot, fixed, or zero" },
	{ "nonce_bytes", KEY_NUMBER, MEMBER(nonce_bytes), nullptr, "20 or 32, not the model's" },
	{ "ibss_nonce", KEY_CHOICE, MEMBER(ibss_nonce), ibss_nonces,
	  "kept from the boot ROM, as seen; or fresh" },
	{ "upload", KEY_CHOICE, MEMBER(upload), uploads,
	  "to recovery: take, short (the end is lost), ignored" },
	{ "reboot", KEY_CHOICE, MEMBER(reboot), reboots, "iBoot's command: leave, ignored" },
	{ "recovery_ecid", KEY_NUMBER, MEMBER(recovery_ecid), nullptr,
	  "shown by recovery instead" },
	{ "env", KEY_ENV, MEMBER(env), nullptr,
	  "NAME=VALUE in iBoot's environment; adds one; NAME= removes; none clears" },
	{ "ramdisk", KEY_CHOICE, MEMBER(restore.ramdisk), ramdisks,
	  "none, erase, update: what a phone that starts in restore mode has booted" },
	{ "restore_status", KEY_TEXT, MEMBER(restore.status), nullptr,
	  "final StatusMsg: N, N:AMRERROR or N:none" },
	{ "restore_after_status", KEY_CHOICE, MEMBER(restore.after_status), after_statuses,
	  "after a failing status: reboot, stay (silent), progress (says one thing more)" },
	{ "fail_at", KEY_TEXT, MEMBER(restore.fail_at), nullptr, "CHECKPOINT[:RESULT] that fails" },
	{ "restored_crash", KEY_YES_NO, MEMBER(restore.crashes), nullptr,
	  "restored crashes near the end" },
	{ "restore_never_ready", KEY_YES_NO, MEMBER(restore.never_ready), nullptr,
	  "the ramdisk comes up and restored does not" },
	{ "restore_steps", KEY_CHOICE, MEMBER(restore.steps), restore_steps,
	  "full, or the minimum that a host must do" },
	{ "required_types", KEY_TEXT, MEMBER(restore.required_types), nullptr,
	  "data types (with commas) the host must know, instead of the release's" },
	{ "asr_silent", KEY_YES_NO, MEMBER(restore.asr_silent), nullptr,
	  "the receiver of the system image says nothing" },
	{ "fdr", KEY_CHOICE, MEMBER(restore.fdr), fdrs,
	  "reverse proxy: accept, refuse, none (BeginCtrl is never answered), old (protocol 1)" },
	{ "fdr_host", KEY_TEXT, MEMBER(restore.fdr_host), nullptr,
	  "HOST:PORT the phone fetches from through the proxy" },
	{ "url_asset", KEY_TEXT, MEMBER(restore.url_asset), nullptr,
	  "URL the phone asks the host to fetch" },
	{ "baseband", KEY_CHOICE, MEMBER(restore.baseband), basebands,
	  "accept or refuse its new firmware" },
	{ "getenv", KEY_CHOICE, MEMBER(getenv), getenvs, "answer, or stall every getenv" },
	{ "enter_recovery", KEY_CHOICE, MEMBER(enter_recovery), enters,
	  "without a session: plain: taken; session: refused; release: refused since iOS 14.5" },
	{ "mux_connect_delay_ms", KEY_NUMBER, MEMBER(mux_connect_delay_ms), nullptr,
	  "usbmuxd door: Connect is answered so late" },
	{ "mux_result", KEY_NUMBER, MEMBER(mux_result), nullptr,
	  "usbmuxd door: result of every Connect, if not 0" },
	{ "mux_save_result", KEY_NUMBER, MEMBER(mux_save_result), nullptr,
	  "usbmuxd door: result of every SavePairRecord, if not 0" },
	{ "visible_delay_ms", KEY_NUMBER, MEMBER(visible_delay_ms), nullptr,
	  "usbmuxd door: listed so long after it attached" },
};

const struct key *key_find(const char *name)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (!strcmp(keys[i].name, name))
			return &keys[i];
	return nullptr;
}

int choice_find(const char *const *choices, const char *value)
{
	for (int i = 0; choices[i]; i++)
		if (!strcmp(choices[i], value))
			return i;
	return -EINVAL;
}

void scenario_print_keys(FILE *out)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		fprintf(out, "  %-28s %s\n", keys[i].name, keys[i].help);
}

const char *body_name(enum body body)
{
	return bodies[body];
}

const char *mode_name(enum mode mode)
{
	return modes[mode];
}

int mode_parse(const char *name, enum mode *ret_mode)
{
	int choice = choice_find(modes, name);

	if (choice < 0)
		return -EINVAL;
	*ret_mode = (enum mode)choice;
	return 0;
}
