/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "recovery.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "phone.h"
#include "text.h"

enum { COMMAND_MAX = 256, WORDS_MAX = 8 };

/* ---- environment ---- */

const char *env_get(const struct env *env, const char *name)
{
	for (unsigned i = 0; i < env->count; i++)
		if (!strcmp(env->variables[i].name, name))
			return env->variables[i].value;
	return nullptr;
}

static void env_unset(struct env *env, const char *name)
{
	for (unsigned i = 0; i < env->count; i++) {
		if (strcmp(env->variables[i].name, name))
			continue;
		env->variables[i] = env->variables[--env->count];
		return;
	}
}

int env_set(struct env *env, const char *name, const char *value)
{
	unsigned i = 0;

	if (strlen(name) >= ENV_NAME_BYTES || strlen(value) >= ENV_VALUE_BYTES)
		return -ENOSPC;
	if (!*value) {
		env_unset(env, name);
		return 0;
	}
	while (i < env->count && strcmp(env->variables[i].name, name))
		i++;
	if (i == ENV_VARIABLES)
		return -ENOSPC;
	text_copy(env->variables[i].name, ENV_NAME_BYTES, name);
	text_copy(env->variables[i].value, ENV_VALUE_BYTES, value);
	if (i == env->count)
		env->count++;
	return 0;
}

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
	*r = (struct recovery){ .phone = phone, .hash = EVP_MD_CTX_new(), .next_stage = 1 };
	if (!r->hash)
		die("out of memory");
	env_set(&r->nvram, "auto-boot", "true");
}

void recovery_done(struct recovery *r)
{
	EVP_MD_CTX_free(r->hash);
}

void recovery_boot(struct recovery *r)
{
	const struct model *m = r->phone->identity.model;
	char stage[12];

	r->stage = r->next_stage;
	r->next_stage = 1;
	r->uploaded = 0;
	*r->answer = '\0';
	r->ram = r->nvram;
	snprintf(stage, sizeof(stage), "%u", r->stage);
	env_set(&r->ram, "build-version", m->iboot);
	env_set(&r->ram, "build-style", "RELEASE");
	env_set(&r->ram, "boot-stage", stage);
	env_set(&r->ram, "radio-error", "0");
	env_set(&r->ram, "ramdisk-size", "0x40000000");
}

/* ---- uploads ---- */

static void upload_begin(struct recovery *r)
{
	r->uploaded = 0;
	EVP_DigestInit_ex(r->hash, EVP_sha256(), nullptr);
}

/* Closes the books of an upload when the host goes on to something else; the bytes count as loaded
 * until then. */
static void upload_log(struct recovery *r, const char *used_by)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	BUF_AUTO hex = {};

	if (r->uploaded == 0)
		return;
	EVP_DigestFinal_ex(r->hash, digest, &len);
	buf_add_hex(&hex, digest, len);
	EVLOG(&r->phone->log, "upload", LOG_INT("bytes", r->uploaded),
	      LOG_TEXT("sha256", buf_text(&hex)), LOG_TEXT("used_by", used_by));
	r->uploaded = 0;
}

enum usb_reply recovery_bulk_out(void *user, uint8_t ep, const uint8_t *bytes, size_t len)
{
	struct recovery *r = user;

	if (ep != 0x04)
		return USB_OK; /* typing on the serial console */
	if (len == 0)
		return USB_OK; /* end mark of a multiple of 512 */
	if (r->uploaded == 0)
		upload_begin(r);
	EVP_DigestUpdate(r->hash, bytes, len);
	r->uploaded += len;
	return USB_OK;
}

/* ---- commands ---- */

struct command {
	const char *name;
	enum usb_reply (*run)(struct recovery *r, char *const words[WORDS_MAX]);
};

static enum usb_reply command_setenv(struct recovery *r, char *const words[WORDS_MAX])
{
	if (words[1])
		env_set(&r->ram, words[1], words[2] ? words[2] : "");
	return USB_OK;
}

static enum usb_reply command_saveenv(struct recovery *r, char *const words[WORDS_MAX])
{
	r->nvram = r->ram;
	return USB_OK;
}

static enum usb_reply command_clearenvs(struct recovery *r, char *const words[WORDS_MAX])
{
	r->ram.count = 0;
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
	phone_leave(r->phone, recovery_auto_boot(r) ? MODE_NORMAL : MODE_RECOVERY, PHONE_LINGER_MS,
		    words[0]);
	return USB_OK;
}

static enum usb_reply command_go(struct recovery *r, char *const words[WORDS_MAX])
{
	if (r->uploaded == 0)
		return USB_STALL;
	upload_log(r, words[0]);
	r->next_stage = 2;
	phone_leave(r->phone, MODE_RECOVERY, PHONE_LINGER_MS, words[0]);
	return USB_OK;
}

static enum usb_reply command_bootx(struct recovery *r, char *const words[WORDS_MAX])
{
	if (r->uploaded == 0)
		return USB_STALL;
	upload_log(r, words[0]);
	phone_leave(r->phone, MODE_RESTORE, PHONE_LINGER_MS, words[0]);
	return USB_OK;
}

/* What consumes the bytes loaded before: ramdisk, devicetree, ticket … */
static enum usb_reply command_load(struct recovery *r, char *const words[WORDS_MAX])
{
	if (r->uploaded == 0)
		return USB_STALL;
	upload_log(r, words[0]);
	return USB_OK;
}

static const struct command commands[] = {
	{ "setenv", command_setenv },   { "setenvnp", command_setenv },
	{ "saveenv", command_saveenv }, { "clearenvs", command_clearenvs },
	{ "getenv", command_getenv },   { "reboot", command_reboot },
	{ "reset", command_reboot },    { "go", command_go },
	{ "memboot", command_go },      { "bootx", command_bootx },
	{ "ramdisk", command_load },    { "devicetree", command_load },
	{ "firmware", command_load },   { "rsepfirmware", command_load },
	{ "ticket", command_load },
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
		upload_begin(r);
		return USB_OK;
	case 0x2101: /* end of an upload as old tools and `go` send it */
	case 0x4040: /* apple-mfi-fastcharge announces mA */
		return USB_OK;
	default:
		return USB_STALL;
	}
}
