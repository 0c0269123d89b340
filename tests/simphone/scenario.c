/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "scenario.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

/* An include chain longer than this is a circle. */
enum { INCLUDE_DEPTH = 8 };

enum key_type { KEY_TEXT, KEY_NUMBER, KEY_CHOICE, KEY_MODEL, KEY_YES_NO, KEY_FAULT, KEY_ENV };

struct key {
	const char *name;
	enum key_type type;
	size_t offset;
	size_t bytes;               /* of the member; a choice is written as an int */
	const char *const *choices; /* NULL-ended, in the order of the enum */
	const char *help;
};

static const char *const bodies[] = { "phone", "keyboard", "disk", nullptr };
static const char *const modes[] = { "normal",  "recovery", "dfu",       "wtf",
				     "restore", "port-dfu", "debug-usb", nullptr };
static const char *const trusts[] = { "asking", "never", "denied",       "locked", "escrow",
				      "fmip",   "mc",    "mc_challenge", "silent", nullptr };
static const char *const tlses[] = { "normal",     "close",   "alert",   "no_handshake", "other_ca",
				     "wrong_cert", "max_1.0", "max_1.2", nullptr };
static const char *const replies[] = { "normal", "none", "wrong_request", "binary",
				       "split",  "long", nullptr };
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
	{ "pwned", KEY_TEXT, MEMBER(pwned), nullptr, "PWND field of DFU if set" },
	{ "version", KEY_TEXT, MEMBER(version), nullptr, "ProductVersion, instead of the model's" },
	{ "build", KEY_TEXT, MEMBER(build), nullptr, "BuildVersion, instead of the model's" },
	{ "speed", KEY_CHOICE, MEMBER(speed), speeds, "USB speed: high or full" },
	{ "usb_serial", KEY_TEXT, MEMBER(usb_serial), nullptr,
	  "raw USB serial string of every mode" },
	{ "usb_product_id", KEY_NUMBER, MEMBER(usb_product_id), nullptr, "instead of the mode's" },
	{ "gap_ms", KEY_NUMBER, MEMBER(gap_ms), nullptr, "off the bus before boot ROM or iBoot" },
	{ "boot_ms", KEY_NUMBER, MEMBER(boot_ms), nullptr, "off the bus before the whole system" },
	{ "time_scale_percent", KEY_NUMBER, MEMBER(time_scale_percent), nullptr,
	  "of both, 100: real" },
	{ "ipsw", KEY_TEXT, MEMBER(ipsw), nullptr, "the file whose restore it accepts" },
	{ "fault", KEY_FAULT, MEMBER(faults), nullptr,
	  "a fault, see fault.h; adds one; none clears" },
	{ "disk_bytes", KEY_NUMBER, MEMBER(disk_bytes), nullptr, "that the user may fill" },
	{ "battery_percent", KEY_NUMBER, MEMBER(battery_percent), nullptr, "charge" },
	{ "battery_health_percent", KEY_NUMBER, MEMBER(battery_health_percent), nullptr,
	  "of the capacity it had when new" },
	{ "battery_cycles", KEY_NUMBER, MEMBER(battery_cycles), nullptr, "charges so far" },
	{ "afc_unreadable", KEY_TEXT, MEMBER(afc_unreadable), nullptr,
	  "path of a file whose second half cannot be read" },
	{ "afc_locked", KEY_YES_NO, MEMBER(afc_locked), nullptr, "another host is syncing" },
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
	  "SYN is not answered" },
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
	  "asking, never, denied, locked, escrow, fmip, mc, mc_challenge, silent" },
	{ "trust_after_ms", KEY_NUMBER, MEMBER(lockdown.trust_after_ms), nullptr,
	  "the user taps Trust that long after the dialog came; 0: no one taps" },
	{ "dialog_delay_ms", KEY_NUMBER, MEMBER(lockdown.dialog_delay_ms), nullptr,
	  "from Pair to the dialog" },
	{ "passcode", KEY_YES_NO, MEMBER(lockdown.passcode), nullptr, "one is set" },
	{ "reconnect_after_trust", KEY_YES_NO, MEMBER(lockdown.reconnect_after_trust), nullptr,
	  "leaves the bus and comes back after a Pair that succeeded" },
	{ "forgets_host", KEY_NUMBER, MEMBER(lockdown.forgets_host), nullptr,
	  "after so many sessions; 0: never" },
	{ "stale_record", KEY_YES_NO, MEMBER(lockdown.stale_record), nullptr, "knows no HostID" },
	{ "buid_mismatch", KEY_YES_NO, MEMBER(lockdown.buid_mismatch), nullptr,
	  "knows every HostID with another SystemBUID" },
	{ "record_save_fail", KEY_YES_NO, MEMBER(lockdown.record_save_fail), nullptr,
	  "Pair: SavePairRecordFailed" },
	{ "missing_pair_record", KEY_YES_NO, MEMBER(lockdown.missing_pair_record), nullptr,
	  "StartSession: MissingPairRecord" },
	{ "tls", KEY_CHOICE, MEMBER(lockdown.tls), tlses,
	  "normal, close, alert, no_handshake, other_ca, wrong_cert, max_1.0, max_1.2" },
	{ "lockdown_reply", KEY_CHOICE, MEMBER(lockdown.reply), replies,
	  "normal, none, wrong_request, binary, split, long" },
	{ "service", KEY_CHOICE, MEMBER(lockdown.service), service_rules,
	  "normal, ssl_missing, wrong_port, close, tls_fails" },
	{ "service_fail", KEY_TEXT, MEMBER(lockdown.service_fail), nullptr,
	  "NAME ERROR: the answer to StartService of NAME" },
	{ "service_limit", KEY_NUMBER, MEMBER(lockdown.service_limit), nullptr,
	  "connections to services at once; 0: no limit" },
	{ "has_sidp", KEY_YES_NO, MEMBER(lockdown.has_sidp), nullptr,
	  "HasSiDP; real phones say yes, and then need the preboard service" },
	{ "unactivated", KEY_YES_NO, MEMBER(lockdown.unactivated), nullptr, "ActivationState" },
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

static const struct key *key_find(const char *name)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (!strcmp(keys[i].name, name))
			return &keys[i];
	return nullptr;
}

void scenario_print_keys(FILE *out)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		fprintf(out, "  %-28s %s\n", keys[i].name, keys[i].help);
}

void scenario_init(struct scenario *s)
{
	*s = (struct scenario){
		.model = model_find("iPhone14,5"),
		.mode = MODE_NORMAL,
		.plugged = true,
		.seed = 1,
		.ecid = 0x001c20223e29401e,
		.gap_ms = 1500,
		.boot_ms = 8000,
		.time_scale_percent = 100,
		.disk_bytes = 128000000000,
		.battery_percent = 80,
		.battery_health_percent = 91,
		.battery_cycles = 412,
		.name = "iPhone",
		.mux_knobs = mux_knobs_polite(),
		.ticket_key = SIMPHONE_TICKET_KEY,
		/* as two phones that were logged going from DFU to iBSS */
		.ibss_nonce = IBSS_NONCE_KEPT,
	};
}

/* Index of @value in @choices, or -EINVAL. */
static int choice_find(const char *const *choices, const char *value)
{
	for (int i = 0; choices[i]; i++)
		if (!strcmp(choices[i], value))
			return i;
	return -EINVAL;
}

static int number_parse(const char *value, uint64_t *ret_number)
{
	char *end;
	unsigned long long number;

	if (!isdigit((unsigned char)value[0]))
		return -EINVAL;
	errno = 0;
	number = strtoull(value, &end, 0);
	if (errno || *end)
		return -EINVAL;
	*ret_number = number;
	return 0;
}

static int key_store(const struct key *k, void *member, const char *value)
{
	switch (k->type) {
	case KEY_TEXT: {
		char copy[2048];

		if (strlen(value) >= sizeof(copy))
			return -EINVAL;
		text_copy(copy, sizeof(copy), value);
		if (text_unescape(copy) < 0 || strlen(copy) >= k->bytes)
			return -EINVAL;
		text_copy(member, k->bytes, copy);
		return 0;
	}
	case KEY_NUMBER:
		return number_parse(value, member);
	case KEY_CHOICE: {
		int choice = choice_find(k->choices, value);

		if (choice < 0)
			return -EINVAL;
		memcpy(member, &(unsigned){ (unsigned)choice }, sizeof(unsigned));
		return 0;
	}
	case KEY_MODEL: {
		const struct model *model = model_find(value);

		if (!model)
			return -EINVAL;
		memcpy(member, &model, sizeof(model));
		return 0;
	}
	case KEY_FAULT:
		return fault_parse(member, value);
	case KEY_ENV:
		return env_change(member, value);
	case KEY_YES_NO:
		if (strcmp(value, "yes") && strcmp(value, "no"))
			return -EINVAL;
		*(bool *)member = !strcmp(value, "yes");
		return 0;
	}
	return -EINVAL;
}

int scenario_set(struct scenario *s, const char *key, const char *value, char *why,
		 size_t why_bytes)
{
	const struct key *k = key_find(key);

	static_assert(sizeof(enum mode) == sizeof(unsigned));
	if (!k) {
		snprintf(why, why_bytes, "there is no key '%s'", key);
		return -EINVAL;
	}
	if (key_store(k, (char *)s + k->offset, value) < 0) {
		snprintf(why, why_bytes, "'%s' does not fit the key '%s' (%s)", value, key,
			 k->help);
		return -EINVAL;
	}
	if (!strcmp(key, "nonce_bytes") && s->nonce_bytes != 0 && s->nonce_bytes != 20 &&
	    s->nonce_bytes != 32) {
		s->nonce_bytes = 0;
		snprintf(why, why_bytes, "a nonce has 20 or 32 bytes, not '%s'", value);
		return -EINVAL;
	}
	if (!strcmp(key, "usb_serial"))
		s->usb_serial_set = true;
	return 0;
}

static char *trim(char *text)
{
	size_t len;

	while (isspace((unsigned char)*text))
		text++;
	len = strlen(text);
	while (len > 0 && isspace((unsigned char)text[len - 1]))
		text[--len] = '\0';
	return text;
}

static int file_read(struct scenario *s, const char *path, int depth, char *why, size_t why_bytes);

/* `include = NAME`: NAME.scenario beside the file that says it. */
static int include_read(struct scenario *s, const char *from, const char *name, int depth,
			char *why, size_t why_bytes)
{
	const char *slash = strrchr(from, '/');
	int folder = slash ? (int)(slash - from + 1) : 0;
	char path[512];

	if (depth >= INCLUDE_DEPTH || strchr(name, '/')) {
		snprintf(why, why_bytes, "%s: cannot include '%s'", from, name);
		return -EINVAL;
	}
	snprintf(path, sizeof(path), "%.*s%s.scenario", folder, from, name);
	return file_read(s, path, depth + 1, why, why_bytes);
}

static int line_read(struct scenario *s, const char *path, char *line, int depth, char *why,
		     size_t why_bytes)
{
	char *text = trim(line);
	char *equals = strchr(text, '=');

	if (!*text || *text == '#')
		return 0;
	if (!equals) {
		snprintf(why, why_bytes, "%s: no '=' in '%s'", path, text);
		return -EINVAL;
	}
	*equals = '\0';
	text = trim(text);
	if (!strcmp(text, "include"))
		return include_read(s, path, trim(equals + 1), depth, why, why_bytes);
	return scenario_set(s, text, trim(equals + 1), why, why_bytes);
}

static int file_read(struct scenario *s, const char *path, int depth, char *why, size_t why_bytes)
{
	FILE *in = fopen(path, "re");
	char line[1024];
	int r = 0;

	if (!in) {
		snprintf(why, why_bytes, "%s: %s", path, strerror(errno));
		return -errno;
	}
	while (r == 0 && fgets(line, sizeof(line), in)) {
		if (strlen(line) + 1 == sizeof(line) && !strchr(line, '\n')) {
			snprintf(why, why_bytes, "%s: a line is too long", path);
			r = -EINVAL;
		} else {
			r = line_read(s, path, line, depth, why, why_bytes);
		}
	}
	fclose(in);
	return r;
}

int scenario_read(struct scenario *s, const char *path, char *why, size_t why_bytes)
{
	return file_read(s, path, 0, why, why_bytes);
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
