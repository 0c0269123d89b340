/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phone/identity.h"
#include "base/cleanup.h"
#include "base/text.h"
#include <errno.h>
#include <string.h>

/* The model that the facts give, best evidence first. */
static const struct model *find_model(const struct iboot_serial *iboot, const char *board,
				      const char *product)
{
	unsigned both = IBOOT_HAS_CPID | IBOOT_HAS_BDID;
	const struct model *model = NULL;

	if ((iboot->has & both) == both)
		model = model_by_chip(iboot->cpid, iboot->bdid);
	if (!model && board && board[0] != '\0')
		model = model_by_board(board);
	if (!model && product && product[0] != '\0')
		model = model_by_product(product);
	return model;
}

static void take_udid(struct identity *identity, const char *udid)
{
	text_copy(identity->udid, sizeof(identity->udid), udid);
	if (identity->ecid == 0)
		(void)udid_ecid(udid, &identity->ecid);
}

static void take_iboot(struct identity *identity, const struct iboot_serial *iboot)
{
	identity->iboot = *iboot;
	identity->ecid = iboot->ecid;
	text_copy(identity->serial_number, sizeof(identity->serial_number), iboot->srnm);
}

void identity_from_sighting(const struct sighting *sighting, const struct usb_id *id,
			    struct identity *ret)
{
	struct identity out = { 0 };
	struct iboot_serial iboot;
	char udid[UDID_BYTES];
	size_t n = strlen(sighting->serial);

	switch (id ? id->mode : MODE_UNKNOWN) {
	case MODE_NORMAL:
	case MODE_RESTORE:
		if (udid_from_serial(sighting->serial, udid) == 0)
			take_udid(&out, udid);
		break;
	case MODE_PORT_DFU:
		/* its ECID is the port controller's, only the ids are the phone's */
		if (port_dfu_serial_parse(sighting->serial, n, &iboot) == 0)
			out.iboot = iboot;
		break;
	case MODE_RECOVERY:
	case MODE_DFU:
	case MODE_WTF:
	case MODE_DEBUG_USB:
	case MODE_UNKNOWN:
	case MODE_MAX:
		if (iboot_serial_parse(sighting->serial, n, &iboot) == 0)
			take_iboot(&out, &iboot);
		break;
	}
	out.model = find_model(&out.iboot, NULL, NULL);
	if (out.model)
		text_copy(out.product, sizeof(out.product), out.model->product);
	*ret = out;
}

/* A worker's object before it is judged: sd-json writes fields one by one, we only into this. */
struct worker_identity {
	const char *ecid, *udid, *product, *board, *name, *version, *build, *serial_number;
	const char *serial_string, *ap_nonce, *sep_nonce;
	uint64_t capacity_bytes;
	uint64_t battery_percent; /* BATTERY_ABSENT if it was not said */
	bool battery_charging;
	uint64_t free_bytes; /* FREE_ABSENT if it was not said */
	const char *activation;
	int setup_done, supervised, lost_mode, passcode_set; /* -1 if it was not said */
};

enum { BATTERY_FULL = 100 };
static const uint64_t BATTERY_ABSENT = UINT64_MAX, FREE_ABSENT = UINT64_MAX;

static int dispatch_identity(sd_json_variant *object, struct worker_identity *ret)
{
#define STRING(name)                                                                               \
	{ #name, SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,                            \
	  offsetof(struct worker_identity, name), SD_JSON_REFUSE_NULL }
#define TOLD(name)                                                                                 \
	{                                                                                          \
		#name, SD_JSON_VARIANT_BOOLEAN, sd_json_dispatch_tristate,                         \
		    offsetof(struct worker_identity, name), SD_JSON_REFUSE_NULL                    \
	}
	static const sd_json_dispatch_field fields[] = {
		STRING(ecid),
		STRING(udid),
		STRING(product),
		STRING(board),
		STRING(name),
		STRING(version),
		STRING(build),
		STRING(serial_number),
		STRING(serial_string),
		STRING(ap_nonce),
		STRING(sep_nonce),
		{ "capacity_bytes", SD_JSON_VARIANT_UNSIGNED, sd_json_dispatch_uint64,
		  offsetof(struct worker_identity, capacity_bytes), SD_JSON_REFUSE_NULL },
		{ "battery_percent", SD_JSON_VARIANT_UNSIGNED, sd_json_dispatch_uint64,
		  offsetof(struct worker_identity, battery_percent), SD_JSON_REFUSE_NULL },
		{ "battery_charging", SD_JSON_VARIANT_BOOLEAN, sd_json_dispatch_stdbool,
		  offsetof(struct worker_identity, battery_charging), SD_JSON_REFUSE_NULL },
		{ "free_bytes", SD_JSON_VARIANT_UNSIGNED, sd_json_dispatch_uint64,
		  offsetof(struct worker_identity, free_bytes), SD_JSON_REFUSE_NULL },
		STRING(activation),
		TOLD(setup_done),
		TOLD(supervised),
		TOLD(lost_mode),
		TOLD(passcode_set),
		{},
	};
#undef STRING
#undef TOLD

	return sd_json_dispatch(object, fields, SD_JSON_ALLOW_EXTENSIONS, ret) < 0 ? -EBADMSG : 0;
}

/* "0x" and 16 hexadecimal digits, and no other ECID than the one that is known already. */
static bool take_ecid(const char *text, struct identity *identity)
{
	uint64_t ecid;

	if (!text)
		return true;
	if (strlen(text) != 18 || strncmp(text, "0x", 2) != 0 ||
	    text_parse_hex(text + 2, 16, &ecid) < 0)
		return false;
	if (identity->ecid != 0 && identity->ecid != ecid)
		return false;
	identity->ecid = ecid;
	return true;
}

static bool take_foreign_udid(const char *text, struct identity *identity)
{
	char udid[UDID_BYTES];
	uint64_t ecid;

	if (!text)
		return true;
	if (udid_from_serial(text, udid) < 0)
		return false;
	if (identity->ecid != 0 && udid_ecid(udid, &ecid) == 0 && ecid != identity->ecid)
		return false;
	take_udid(identity, udid);
	return true;
}

static bool take_nonce(const char *text, char *ret)
{
	size_t n = text ? strlen(text) : 0;

	if (n % 2 != 0 || n > NONCE_BYTES_MAX * 2 || strspn(text ?: "", "0123456789abcdef") != n)
		return false;
	memcpy(ret, text ?: "", n + 1);
	return true;
}

/* A percentage, or nothing; charging without one says nothing that could be shown. */
static bool take_battery(const struct worker_identity *in, struct identity *identity)
{
	if (in->battery_percent == BATTERY_ABSENT)
		return true;
	if (in->battery_percent > BATTERY_FULL)
		return false;
	identity->battery = (unsigned)in->battery_percent + 1;
	identity->battery_charging = in->battery_charging;
	return true;
}

static enum told told_from(int tristate)
{
	if (tristate < 0)
		return TOLD_NOTHING;
	return tristate ? TOLD_YES : TOLD_NO;
}

/* What a session says of the phone's condition; all of it may be absent. */
static void take_condition(const struct worker_identity *in, struct identity *identity)
{
	identity->capacity_bytes = in->capacity_bytes;
	if (in->free_bytes != FREE_ABSENT) {
		identity->free_bytes = in->free_bytes;
		identity->free_known = true;
	}
	text_copy(identity->activation, sizeof(identity->activation), in->activation);
	identity->setup_done = told_from(in->setup_done);
	identity->supervised = told_from(in->supervised);
	identity->lost_mode = told_from(in->lost_mode);
	identity->passcode_set = told_from(in->passcode_set);
}

int identity_from_json(sd_json_variant *object, struct identity *ret)
{
	struct worker_identity in = {
		.battery_percent = BATTERY_ABSENT,
		.free_bytes = FREE_ABSENT,
		.setup_done = -1,
		.supervised = -1,
		.lost_mode = -1,
		.passcode_set = -1,
	};
	struct identity out = { 0 };
	struct iboot_serial iboot;

	if (!sd_json_variant_is_object(object) || dispatch_identity(object, &in) < 0)
		return -EBADMSG;
	/* what makes no sense in there is the phone's doing, not the worker's */
	if (in.serial_string &&
	    iboot_serial_parse(in.serial_string, strlen(in.serial_string), &iboot) == 0)
		take_iboot(&out, &iboot);
	if (!take_ecid(in.ecid, &out) || !take_foreign_udid(in.udid, &out) ||
	    !take_nonce(in.ap_nonce, out.ap_nonce) || !take_nonce(in.sep_nonce, out.sep_nonce) ||
	    !take_battery(&in, &out))
		return -EBADMSG;
	take_condition(&in, &out);
	text_copy(out.product, sizeof(out.product), in.product);
	text_copy(out.name, sizeof(out.name), in.name);
	text_copy(out.version, sizeof(out.version), in.version);
	text_copy(out.build, sizeof(out.build), in.build);
	if (in.serial_number)
		text_copy(out.serial_number, sizeof(out.serial_number), in.serial_number);
	out.model = find_model(&out.iboot, in.board, out.product);
	if (out.model && out.product[0] == '\0')
		text_copy(out.product, sizeof(out.product), out.model->product);
	*ret = out;
	return 0;
}

enum identity_tie identity_compare(const struct identity *a, const struct identity *b)
{
	if (a->ecid != 0 && b->ecid != 0)
		return a->ecid == b->ecid ? TIE_ECID : TIE_DIFFERENT;
	if (a->udid[0] != '\0' && b->udid[0] != '\0')
		return strcmp(a->udid, b->udid) == 0 ? TIE_UDID : TIE_DIFFERENT;
	return TIE_UNCERTAIN;
}

static bool udids_differ(const struct identity *a, const struct identity *b)
{
	return a->udid[0] != '\0' && b->udid[0] != '\0' && strcmp(a->udid, b->udid) != 0;
}

static bool learn_text(char *known, size_t bytes, const char *news)
{
	if (news[0] == '\0' || strcmp(known, news) == 0)
		return false;
	text_copy(known, bytes, news);
	return true;
}

/*
 * Two boards can share a product (iPhone8,1): its name alone leads to the first of them, and must
 * not displace the one that the chip told.
 */
static bool learn_model(struct identity *known, const struct identity *news)
{
	unsigned both = IBOOT_HAS_CPID | IBOOT_HAS_BDID;

	if (!news->model || news->model == known->model)
		return false;
	if (known->model && (known->iboot.has & both) == both && (news->iboot.has & both) != both &&
	    strcmp(known->model->product, news->model->product) == 0)
		return false;
	known->model = news->model;
	return true;
}

/* Numbers that a session reads: the latest counts. */
static bool learn_numbers(struct identity *known, const struct identity *news)
{
	bool changed = false;

	if (news->capacity_bytes != 0 && news->capacity_bytes != known->capacity_bytes) {
		known->capacity_bytes = news->capacity_bytes;
		changed = true;
	}
	if (news->battery != 0 && (news->battery != known->battery ||
				   news->battery_charging != known->battery_charging)) {
		known->battery = news->battery;
		known->battery_charging = news->battery_charging;
		changed = true;
	}
	if (news->free_known && (!known->free_known || news->free_bytes != known->free_bytes)) {
		known->free_known = true;
		known->free_bytes = news->free_bytes;
		changed = true;
	}
	return changed;
}

static bool learn_told(enum told *known, enum told news)
{
	if (news == TOLD_NOTHING || *known == news)
		return false;
	*known = news;
	return true;
}

/* What a session says of the phone's condition; the latest counts. */
static bool learn_condition(struct identity *known, const struct identity *news)
{
	bool changed = learn_numbers(known, news);

	changed |= learn_text(known->activation, sizeof(known->activation), news->activation);
	changed |= learn_told(&known->setup_done, news->setup_done);
	changed |= learn_told(&known->supervised, news->supervised);
	changed |= learn_told(&known->lost_mode, news->lost_mode);
	changed |= learn_told(&known->passcode_set, news->passcode_set);
	return changed;
}

int identity_learn(struct identity *known, const struct identity *news)
{
	bool changed = false;

	if (identity_compare(known, news) == TIE_DIFFERENT || udids_differ(known, news))
		return -EXDEV;
	if (known->ecid == 0 && news->ecid != 0) {
		known->ecid = news->ecid;
		changed = true;
	}
#define LEARN(member) changed |= learn_text(known->member, sizeof(known->member), news->member)
	LEARN(udid);
	LEARN(product);
	LEARN(name);
	LEARN(version);
	LEARN(build);
	LEARN(serial_number);
	LEARN(ap_nonce);
	LEARN(sep_nonce);
#undef LEARN
	changed |= learn_condition(known, news);
	changed |= learn_model(known, news);
	changed |= iboot_serial_learn(&known->iboot, &news->iboot);
	return changed;
}

void identity_forget_boot(struct identity *identity)
{
	identity->ap_nonce[0] = '\0';
	identity->sep_nonce[0] = '\0';
	identity->iboot.pwnd[0] = '\0';
}

const char *identity_label(const struct identity *identity)
{
	if (identity->name[0] != '\0')
		return identity->name;
	if (identity->model)
		return identity->model->name;
	return identity->product[0] != '\0' ? identity->product : NULL;
}
