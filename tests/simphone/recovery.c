/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "recovery.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "phone.h"
#include "text.h"

enum {
	COMMAND_MAX = 256,
	WORDS_MAX = COMMAND_MAX / 2 + 1, /* as many as fit, and a NULL */
	SHORT_BYTES = 512,               /* lost by UPLOAD_SHORT */
};

bool recovery_auto_boot(const struct recovery *r)
{
	const char *value = env_get(&r->nvram, "auto-boot");

	return value && !strcmp(value, "true");
}

void recovery_set_auto_boot(struct recovery *r, bool on)
{
	env_set(&r->nvram, "auto-boot", on ? "true" : "false");
}

/* ---- life ---- */

void recovery_init(struct recovery *r, struct phone *phone)
{
	*r = (struct recovery){ .phone = phone, .next_stage = 1 };
	env_set(&r->nvram, "auto-boot", "true");
}

void recovery_done(struct recovery *r)
{
	buf_done(&r->upload);
}

void recovery_boot(struct recovery *r)
{
	const struct model *m = r->phone->identity.model;
	char stage[12];

	r->stage = r->next_stage;
	r->next_stage = 1;
	r->loaded_count = 0;
	r->install = INSTALL_NONE;
	buf_done(&r->upload);
	*r->answer = '\0';
	r->ram = r->nvram;
	snprintf(stage, sizeof(stage), "%u", r->stage);
	env_set_transient(&r->ram, "build-version", m->iboot);
	env_set_transient(&r->ram, "build-style", "RELEASE");
	env_set_transient(&r->ram, "boot-stage", stage);
	env_set_transient(&r->ram, "radio-error", "0");
	env_set_transient(&r->ram, "ramdisk-size", "0x40000000");
	env_apply(&r->ram, &r->phone->scenario.env);
}

/* ---- uploads ---- */

enum usb_reply recovery_bulk_out(void *user, uint8_t ep, const uint8_t *bytes, size_t len)
{
	struct recovery *r = user;

	if (ep != 0x04)
		return USB_OK; /* typing on the serial console */
	if (len == 0 || r->phone->scenario.upload == UPLOAD_IGNORED)
		return USB_OK; /* an empty one ends a multiple of 512 */
	if (len > UPLOAD_CEILING - r->upload.len)
		return USB_STALL;
	buf_add(&r->upload, bytes, len);
	return USB_OK;
}

/* Closes the books of an upload that a command is about to use. False: there is none. */
static bool upload_end(struct recovery *r, const char *used_by)
{
	size_t lost = r->upload.len < SHORT_BYTES ? r->upload.len / 2 : SHORT_BYTES;
	uint8_t digest[SHA256_DIGEST_LENGTH];
	BUF_AUTO hex = {};

	if (r->phone->scenario.upload == UPLOAD_SHORT)
		r->upload.len -= lost;
	if (r->upload.len == 0)
		return false;
	SHA256(r->upload.bytes, r->upload.len, digest);
	buf_add_hex(&hex, digest, sizeof(digest));
	EVLOG(&r->phone->log, "upload", LOG_INT("bytes", r->upload.len),
	      LOG_TEXT("sha256", buf_text(&hex)), LOG_TEXT("used_by", used_by));
	return true;
}

static void loaded_add(struct recovery *r, const struct image_verdict *v)
{
	if (r->loaded_count == LOADED_MAX)
		return;
	text_copy(r->loaded[r->loaded_count].component, sizeof(r->loaded[0].component),
		  v->component);
	r->loaded[r->loaded_count].of[INSTALL_ERASE] = v->erase;
	r->loaded[r->loaded_count].of[INSTALL_UPDATE] = v->update;
	r->loaded_count++;
}

/*
 * Takes the load buffer as @component (NULL: as what it is). True if it is good, or if nobody is to
 * look. The buffer is empty afterwards.
 */
static bool upload_use(struct recovery *r, const char *used_by, const char *component)
{
	struct image_verdict verdict;
	bool good;

	if (!upload_end(r, used_by))
		return false;
	good = firmware_check_image(r->phone, component, r->upload.bytes, r->upload.len, &verdict);
	buf_done(&r->upload);
	if (good && !strcmp(verdict.component, "RestoreRamDisk"))
		r->install = verdict.erase ? INSTALL_ERASE : INSTALL_UPDATE;
	if (good)
		loaded_add(r, &verdict);
	return good || r->phone->scenario.firmware_check == FIRMWARE_CHECK_NONE;
}

/* Whether the image was loaded that belongs to the ramdisk. */
static bool is_loaded(const struct recovery *r, const char *component)
{
	for (unsigned i = 0; i < r->loaded_count; i++)
		if (r->loaded[i].of[r->install] && !strcmp(r->loaded[i].component, component))
			return true;
	return false;
}

/* ---- starting the restore system ---- */

/* What is missing for the kernel to come up, or NULL. */
static const char *restore_lacks(const struct recovery *r)
{
	static const char *const always[] = { "RestoreRamDisk", "RestoreDeviceTree",
					      "RestoreKernelCache" };
	static const char *const if_there[] = { "RestoreSEP", "RestoreTrustCache" };
	const struct firmware *f = r->phone->firmware;

	if (!f)
		return "no IPSW was given to the phone";
	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		if (!is_loaded(r, always[i]))
			return always[i];
	for (size_t i = 0; i < sizeof(if_there) / sizeof(if_there[0]); i++)
		if (firmware_component(f, r->install, if_there[i]) && !is_loaded(r, if_there[i]))
			return if_there[i];
	return nullptr;
}

/* ---- commands ---- */

struct command {
	const char *name;
	enum usb_reply (*run)(struct recovery *r, char *const words[WORDS_MAX]);
};

static void env_log(struct recovery *r, const char *verb, const char *name, const char *value)
{
	EVLOG(&r->phone->log, "env", LOG_TEXT("verb", verb), LOG_TEXT("name", name),
	      LOG_TEXT("value", value));
}

/* The value is the rest of the line ("boot-args rd=md0 -progress"). */
static enum usb_reply command_setenv(struct recovery *r, char *const words[WORDS_MAX])
{
	BUF_AUTO value = {};
	int e;

	if (!words[1])
		return USB_OK;
	for (unsigned i = 2; i < WORDS_MAX && words[i]; i++)
		buf_addf(&value, "%s%s", i > 2 ? " " : "", words[i]);
	e = !strcmp(words[0], "setenvnp") ? env_set_transient(&r->ram, words[1], buf_text(&value))
					  : env_set(&r->ram, words[1], buf_text(&value));
	env_log(r, e < 0 ? "refused" : words[0], words[1], buf_text(&value));
	return USB_OK;
}

static enum usb_reply command_saveenv(struct recovery *r, char *const words[WORDS_MAX])
{
	env_save(&r->nvram, &r->ram);
	env_log(r, words[0], "", "");
	return USB_OK;
}

static enum usb_reply command_clearenv(struct recovery *r, char *const words[WORDS_MAX])
{
	if (!strcmp(words[0], "clearenvs"))
		env_clear(&r->ram);
	else if (words[1])
		env_unset(&r->ram, words[1]);
	env_log(r, words[0], words[1] ? words[1] : "", "");
	return USB_OK;
}

/* A real iBoot stalls the getenv of an unknown variable; what C0 00 reads afterwards is not known:
 * empty here. */
static enum usb_reply command_getenv(struct recovery *r, char *const words[WORDS_MAX])
{
	const char *value = words[1] ? env_get(&r->ram, words[1]) : nullptr;

	text_copy(r->answer, sizeof(r->answer), value ? value : "");
	if (r->phone->scenario.getenv == GETENV_STALL)
		return USB_STALL;
	return value ? USB_OK : USB_STALL;
}

static enum usb_reply command_reboot(struct recovery *r, char *const words[WORDS_MAX])
{
	if (r->phone->scenario.reboot == REBOOT_LEAVES)
		phone_restart_after(r->phone, PHONE_LINGER_MS, words[0]);
	return USB_OK;
}

/* Starts the system from the disk, whatever NVRAM says. */
static enum usb_reply command_fsboot(struct recovery *r, char *const words[WORDS_MAX])
{
	phone_leave(r->phone, MODE_NORMAL, PHONE_LINGER_MS, words[0]);
	return USB_OK;
}

static enum usb_reply command_go(struct recovery *r, char *const words[WORDS_MAX])
{
	if (!upload_use(r, words[0], "iBEC"))
		return USB_STALL;
	r->next_stage = 2;
	identity_keep_nonces(&r->phone->identity);
	phone_leave(r->phone, MODE_RECOVERY, RECOVERY_LINGER_MS, words[0]);
	return USB_OK;
}

/* A kernel that cannot come up ends in a restart. */
static enum usb_reply command_bootx(struct recovery *r, char *const words[WORDS_MAX])
{
	bool kernel = upload_use(r, words[0], "RestoreKernelCache");
	const char *lacks = restore_lacks(r);
	bool blind = r->phone->scenario.firmware_check == FIRMWARE_CHECK_NONE;

	EVLOG(&r->phone->log, "bootx", LOG_INT("kernel", kernel),
	      LOG_TEXT("lacks", lacks ? lacks : ""), LOG_TEXT("install", install_name(r->install)));
	if (lacks && !(blind && kernel)) {
		phone_restart_after(r->phone, PHONE_LINGER_MS, "the restore system cannot start");
		return USB_OK;
	}
	r->phone->install = r->install;
	phone_leave(r->phone, MODE_RESTORE, RECOVERY_LINGER_MS, words[0]);
	return USB_OK;
}

/* What consumes the bytes loaded before: ramdisk, devicetree … */
static enum usb_reply load(struct recovery *r, const char *used_by, const char *component)
{
	return upload_use(r, used_by, component) ? USB_OK : USB_STALL;
}

static enum usb_reply command_ramdisk(struct recovery *r, char *const words[WORDS_MAX])
{
	return load(r, words[0], "RestoreRamDisk");
}

static enum usb_reply command_devicetree(struct recovery *r, char *const words[WORDS_MAX])
{
	return load(r, words[0], "RestoreDeviceTree");
}

static enum usb_reply command_rsepfirmware(struct recovery *r, char *const words[WORDS_MAX])
{
	return load(r, words[0], "RestoreSEP");
}

static enum usb_reply command_firmware(struct recovery *r, char *const words[WORDS_MAX])
{
	return load(r, words[0], nullptr);
}

/* Shows the picture loaded before; without one, one of iBoot's own. */
static enum usb_reply command_setpicture(struct recovery *r, char *const words[WORDS_MAX])
{
	return r->upload.len == 0 ? USB_OK : load(r, words[0], nullptr);
}

static enum usb_reply command_ticket(struct recovery *r, char *const words[WORDS_MAX])
{
	struct image_verdict verdict;
	bool good;

	if (!upload_end(r, words[0]))
		return USB_STALL;
	good = firmware_check_ticket(r->phone, r->upload.bytes, r->upload.len, &verdict);
	buf_done(&r->upload);
	return good || r->phone->scenario.firmware_check == FIRMWARE_CHECK_NONE ? USB_OK
										: USB_STALL;
}

static const struct command commands[] = {
	{ "setenv", command_setenv },
	{ "setenvnp", command_setenv },
	{ "saveenv", command_saveenv },
	{ "clearenv", command_clearenv },
	{ "clearenvs", command_clearenv },
	{ "getenv", command_getenv },
	{ "reboot", command_reboot },
	{ "reset", command_reboot },
	{ "fsboot", command_fsboot },
	{ "go", command_go },
	{ "memboot", command_go },
	{ "bootx", command_bootx },
	{ "ramdisk", command_ramdisk },
	{ "devicetree", command_devicetree },
	{ "rsepfirmware", command_rsepfirmware },
	{ "firmware", command_firmware },
	{ "setpicture", command_setpicture },
	{ "ticket", command_ticket },
};

static enum usb_reply command_run(struct recovery *r, char *line)
{
	char *words[WORDS_MAX] = {};
	char *rest = line;
	unsigned count = 0;

	EVLOG(&r->phone->log, "recovery-command", LOG_TEXT("line", line));
	while (count < WORDS_MAX - 1 && (words[count] = strtok_r(rest, " \r\n", &rest)))
		count++;
	for (size_t i = 0; words[0] && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(words[0], commands[i].name))
			return commands[i].run(r, words);
	return USB_OK; /* pictures, colours and what this iBoot does not know */
}

static enum usb_reply command_take(struct recovery *r, const struct usb_setup *setup,
				   const uint8_t *out)
{
	char line[COMMAND_MAX + 1];
	size_t len = setup->length < COMMAND_MAX ? setup->length : COMMAND_MAX;

	memcpy(line, out, len);
	line[len] = '\0';
	return command_run(r, line);
}

enum usb_reply recovery_control(void *user, const struct usb_setup *setup, const uint8_t *out,
				struct buf *in)
{
	struct recovery *r = user;

	switch (usb_request(setup)) {
	case 0x4000:
	case 0x4001:
		return command_take(r, setup, out);
	case 0xc000:
		buf_add(in, r->answer, strlen(r->answer) + 1);
		return USB_OK;
	case 0x4100:
		buf_done(&r->upload);
		return USB_OK;
	case 0x2101: /* end of an upload as old tools and `go` send it */
	case 0x4040: /* apple-mfi-fastcharge announces mA */
		return USB_OK;
	default:
		return USB_STALL;
	}
}
