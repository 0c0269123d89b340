/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phone/phone.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *presence_name(enum presence presence)
{
	static const char *const names[PRESENCE_MAX] = {
		[PRESENCE_SETTLING] = "settling",
		[PRESENCE_PRESENT] = "present",
		[PRESENCE_AWAITED] = "awaited",
		[PRESENCE_GONE] = "gone",
	};

	return names[presence];
}

/* A count as it is told: few are as good as none. */
static unsigned many(unsigned count, unsigned from)
{
	return count >= from ? count : 0;
}

bool phone_fade(struct phone *phone, uint64_t now_ms)
{
	unsigned flaps = many(phone->flaps, PHONE_FLAPS_MANY);
	unsigned recoveries = many(phone->recoveries, PHONE_RECOVERIES_MANY);

	phone->flaps = lately_fade(&phone->flap_times, PHONE_FLAP_WINDOW_MS, now_ms);
	phone->recoveries = lately_fade(&phone->recovery_times, PHONE_RECOVERY_WINDOW_MS, now_ms);
	return flaps != many(phone->flaps, PHONE_FLAPS_MANY) ||
	       recoveries != many(phone->recoveries, PHONE_RECOVERIES_MANY);
}

uint64_t phone_fade_deadline(const struct phone *phone)
{
	uint64_t deadline_ms = UINT64_MAX, other;

	if (phone->flaps >= PHONE_FLAPS_MANY)
		deadline_ms = lately_deadline(&phone->flap_times, PHONE_FLAP_WINDOW_MS);
	if (phone->recoveries >= PHONE_RECOVERIES_MANY) {
		other = lately_deadline(&phone->recovery_times, PHONE_RECOVERY_WINDOW_MS);
		deadline_ms = other < deadline_ms ? other : deadline_ms;
	}
	return deadline_ms;
}

void phone_key(const struct phone *phone, char *ret)
{
	const struct identity *identity = &phone->identity;

	if (identity->ecid != 0)
		snprintf(ret, PHONE_KEY_BYTES, "ecid:0x%016" PRIx64, identity->ecid);
	else if (identity->udid[0] != '\0')
		snprintf(ret, PHONE_KEY_BYTES, "udid:%s", identity->udid);
	else
		snprintf(ret, PHONE_KEY_BYTES, "port:%s", phone->sighting.port);
}

/* An object in the making: after a failure the rest is skipped. */
struct draft {
	sd_json_variant *object;
	int failure;
};

static void put_text(struct draft *draft, const char *name, const char *text)
{
	if (draft->failure >= 0 && text && text[0] != '\0')
		draft->failure = sd_json_variant_set_field_string(&draft->object, name, text);
}

static void put_number(struct draft *draft, const char *name, uint64_t value)
{
	if (draft->failure >= 0)
		draft->failure = sd_json_variant_set_field_unsigned(&draft->object, name, value);
}

static void put_flag(struct draft *draft, const char *name, bool value)
{
	if (draft->failure >= 0)
		draft->failure = sd_json_variant_set_field_boolean(&draft->object, name, value);
}

__attribute__((format(printf, 3, 4))) static void put_format(struct draft *draft, const char *name,
							     const char *format, ...)
{
	char text[PHONE_KEY_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	put_text(draft, name, text);
}

static void put_told(struct draft *draft, const char *name, enum told told)
{
	if (told != TOLD_NOTHING)
		put_flag(draft, name, told == TOLD_YES);
}

static void put_identity(struct draft *draft, const struct identity *identity)
{
	if (identity->ecid != 0)
		put_format(draft, "ecid", "0x%016" PRIx64, identity->ecid);
	put_text(draft, "udid", identity->udid);
	put_text(draft, "name", identity->name);
	put_text(draft, "label", identity_label(identity));
	put_text(draft, "product", identity->product);
	if (identity->model) {
		put_text(draft, "board", identity->model->board);
		put_text(draft, "model", identity->model->name);
		put_text(draft, "family", family_name(identity->model->family));
		put_text(draft, "buttons", buttons_name(identity->model->buttons));
		if (identity->model->year > 0)
			put_number(draft, "year", identity->model->year);
	}
	put_text(draft, "version", identity->version);
	put_text(draft, "build", identity->build);
	put_text(draft, "serial_number", identity->serial_number);
	if (identity->capacity_bytes > 0)
		put_number(draft, "capacity_bytes", identity->capacity_bytes);
	if (identity->battery > 0) {
		put_number(draft, "battery_percent", identity->battery - 1);
		put_flag(draft, "battery_charging", identity->battery_charging);
	}
	if (identity->free_known)
		put_number(draft, "free_bytes", identity->free_bytes);
	put_text(draft, "activation", identity->activation);
	put_told(draft, "setup_done", identity->setup_done);
	put_told(draft, "supervised", identity->supervised);
	put_told(draft, "lost_mode", identity->lost_mode);
	put_told(draft, "passcode_set", identity->passcode_set);
	put_text(draft, "ap_nonce", identity->ap_nonce);
	put_text(draft, "sep_nonce", identity->sep_nonce);
}

static void put_iboot_flags(struct draft *draft, uint32_t ibfl)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *ids = NULL;
	const struct iboot_flag *flags;
	size_t count;

	flags = iboot_flag_all(&count);
	if (draft->failure >= 0)
		draft->failure = sd_json_variant_new_array(&ids, NULL, 0);
	for (size_t i = 0; i < count && draft->failure >= 0; i++)
		if (ibfl & flags[i].mask)
			draft->failure =
			    sd_json_variant_append_arrayb(&ids, SD_JSON_BUILD_STRING(flags[i].id));
	if (draft->failure >= 0)
		draft->failure = sd_json_variant_set_field(&draft->object, "iboot_flags", ids);
}

static void put_iboot(struct draft *draft, const struct iboot_serial *iboot)
{
	if (iboot->has & IBOOT_HAS_CPID)
		put_format(draft, "cpid", "0x%04" PRIx32, iboot->cpid);
	if (iboot->has & IBOOT_HAS_BDID)
		put_format(draft, "bdid", "0x%02" PRIx32, iboot->bdid);
	if (iboot->has & IBOOT_HAS_CPRV)
		put_format(draft, "cprv", "0x%02" PRIx32, iboot->cprv);
	if (iboot->has & IBOOT_HAS_CPFM)
		put_format(draft, "cpfm", "0x%02" PRIx32, iboot->cpfm);
	if (iboot->has & IBOOT_HAS_SCEP)
		put_format(draft, "scep", "0x%02" PRIx32, iboot->scep);
	if (iboot->has & IBOOT_HAS_IBFL) {
		put_format(draft, "ibfl", "0x%02" PRIx32, iboot->ibfl);
		put_iboot_flags(draft, iboot->ibfl);
	}
	put_text(draft, "srtg", iboot->srtg);
	put_text(draft, "srnm", iboot->srnm);
	put_text(draft, "imei", iboot->imei);
	put_text(draft, "pwnd", iboot->pwnd);
}

static void put_sighting(struct draft *draft, const struct phone *phone)
{
	const struct sighting *sighting = &phone->sighting;

	put_text(draft, "port", sighting->port);
	if (!phone->on_bus)
		return;
	put_number(draft, "bus", sighting->bus);
	put_number(draft, "address", sighting->address);
	put_format(draft, "usb_id", "%04x:%04x", sighting->vid, sighting->pid);
	if (sighting->speed_mbps > 0)
		put_number(draft, "speed_mbps", sighting->speed_mbps);
	put_number(draft, "hub_depth", sighting->hub_depth);
	if (sighting->max_power_ma > 0)
		put_number(draft, "max_power_ma", sighting->max_power_ma);
	put_number(draft, "configuration", sighting->configuration);
}

static void put_trust(struct draft *draft, const struct phone *phone)
{
	put_text(draft, "trust", trust_name(phone->trust));
	if (phone->trust_known) {
		put_flag(draft, "has_record", phone->has_record);
		put_text(draft, "trust_detail", trust_detail_name(phone->detail));
	}
	if (phone->trust_known && phone->record_broken)
		put_flag(draft, "record_broken", true);
	if (phone->trust_reason.kind != ERROR_NONE)
		put_text(draft, "trust_reason", phone->trust_reason.text);
	if (phone->on_bus && phone->mode == MODE_NORMAL)
		put_text(draft, "reach", reach_name(phone->reach));
}

static void put_counts(struct draft *draft, const struct phone *phone)
{
	put_number(draft, "enumerations", phone->enumerations);
	if (phone->flaps >= PHONE_FLAPS_MANY)
		put_number(draft, "flaps", phone->flaps);
	if (phone->recoveries >= PHONE_RECOVERIES_MANY)
		put_number(draft, "recoveries", phone->recoveries);
	if (phone->trust_losses > 0)
		put_number(draft, "trust_losses", phone->trust_losses);
}

int phone_to_json(const struct phone *phone, sd_json_variant **ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	struct draft draft = { 0 };
	char key[PHONE_KEY_BYTES];

	phone_key(phone, key);
	put_text(&draft, "key", key);
	put_text(&draft, "presence", presence_name(phone->presence));
	put_text(&draft, "mode", mode_name(phone->mode));
	put_text(&draft, "mode_label", mode_fact(phone->mode)->label);
	put_trust(&draft, phone);
	put_text(&draft, "job", phone->job);
	put_identity(&draft, &phone->identity);
	put_iboot(&draft, &phone->identity.iboot);
	put_sighting(&draft, phone);
	put_flag(&draft, "in_mux", phone->in_mux);
	put_number(&draft, "since_ms", clock_wall_ms() + phone->since_ms - clock_now_ms());
	put_counts(&draft, phone);
	object = draft.object;
	if (draft.failure < 0)
		return draft.failure;
	*ret = TAKE(object);
	return 0;
}
