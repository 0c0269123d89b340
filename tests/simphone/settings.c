/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "settings.h"

#include <string.h>
#include <time.h>

#include "notices.h"
#include "phone.h"
#include "text.h"

/* A host may not fill the memory: keys of a domain, bytes of a key and of a value. */
enum { KEYS_MAX = 256, KEY_BYTES_MAX = 256, VALUE_BYTES_MAX = 64 * 1024 };

/* Keys that a trusted host may write without a domain; the rest belong to the phone. */
static const char *const writable[] = {
	"DeviceName",      "TimeIntervalSince1970", "TimeZone", "TimeZoneOffsetFromUTC",
	"Uses24HourClock",
};

/* Domains that hosts keep their own things in. */
static const char *const writable_domains[] = {
	"com.apple.international",
	"com.apple.mobile.data_sync",
	"com.apple.mobile.tethered_sync",
	"com.apple.mobile.backup",
	"com.apple.mobile.user_preferences",
	"com.apple.mobile.iTunes",
	"com.apple.iTunes",
	"com.apple.mobile.wireless_lockdown",
	"com.apple.Accessibility",
	"com.apple.mobile.mobile_application_usage",
	"com.apple.mobile.software_behavior",
	"com.apple.xcode.developerdomain",
};

static bool in_list(const char *const *list, size_t count, const char *word)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(list[i], word))
			return true;
	return false;
}

static bool may_write(const char *domain, const char *key)
{
	if (!domain)
		return in_list(writable, sizeof(writable) / sizeof(writable[0]), key);
	return in_list(writable_domains, sizeof(writable_domains) / sizeof(writable_domains[0]),
		       domain);
}

static plist_t domain_of(const struct settings *s, const char *domain, bool make)
{
	plist_t values = plist_dict_get_item(s->written, domain ? domain : "");

	if (!values && make) {
		values = plist_new_dict();
		plist_dict_set_item(s->written, domain ? domain : "", values);
	}
	return values;
}

void settings_init(struct settings *s, struct phone *phone)
{
	*s = (struct settings){ .phone = phone, .written = plist_new_dict() };
}

void settings_done(struct settings *s)
{
	plist_free(s->written);
	s->written = nullptr;
}

void settings_erase(struct settings *s)
{
	struct phone *phone = s->phone;

	settings_done(s);
	settings_init(s, phone);
	text_copy(phone->scenario.name, sizeof(phone->scenario.name), phone->identity.model->kind);
}

static double clock_start(const struct settings *s)
{
	struct timespec now;

	if (s->phone->scenario.lockdown.clock_s)
		return (double)s->phone->scenario.lockdown.clock_s +
		       (double)s->phone->timers->now_ms / 1000.0;
	clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec + (double)(now.tv_nsec / 1000) / 1000000.0;
}

double settings_now(const struct settings *s)
{
	return clock_start(s) + (double)s->clock_ahead_ms / 1000.0;
}

static const char *clock_set(struct settings *s, plist_t value)
{
	double wanted = 0;
	uint64_t seconds = 0;

	switch (plist_get_node_type(value)) {
	case PLIST_REAL:
		plist_get_real_val(value, &wanted);
		break;
	case PLIST_UINT:
		plist_get_uint_val(value, &seconds);
		wanted = (double)seconds;
		break;
	default:
		return "InvalidValue";
	}
	if (!(wanted >= 0 && wanted < 1e11))
		return "InvalidValue";
	s->clock_ahead_ms = (int64_t)((wanted - clock_start(s)) * 1000.0);
	return nullptr;
}

static const char *name_set(struct settings *s, plist_t value)
{
	char *name = s->phone->scenario.name;
	const size_t room = sizeof(s->phone->scenario.name);
	const char *wanted;
	size_t len;

	if (plist_get_node_type(value) != PLIST_STRING)
		return "InvalidValue";
	wanted = plist_get_string_ptr(value, nullptr);
	text_copy(name, room, wanted);
	/* a long name ends with a whole character */
	for (len = strlen(name); len > 0 && ((uint8_t)wanted[len] & 0xc0) == 0x80; len--)
		;
	name[len] = '\0';
	notice_post(s->phone, "com.apple.mobile.lockdown.device_name_changed");
	return nullptr;
}

static bool has_room(plist_t values, const char *key, plist_t value)
{
	char *bytes = nullptr;
	uint32_t len = 0;

	if (strlen(key) > KEY_BYTES_MAX ||
	    (plist_dict_get_size(values) >= KEYS_MAX && !plist_dict_get_item(values, key)))
		return false;
	plist_to_bin(value, &bytes, &len);
	plist_mem_free(bytes);
	return len <= VALUE_BYTES_MAX;
}

const char *settings_write(struct settings *s, const char *domain, const char *key, plist_t value,
			   bool known)
{
	plist_t values;

	if (!may_write(domain, key))
		return known ? "ImmutableValue" : value ? "SetProhibited" : "RemoveProhibited";
	if (!domain && !strcmp(key, "DeviceName"))
		return value ? name_set(s, value) : "RemoveProhibited";
	if (!domain && !strcmp(key, "TimeIntervalSince1970"))
		return value ? clock_set(s, value) : "RemoveProhibited";
	values = domain_of(s, domain, true);
	if (value) {
		if (!has_room(values, key, value))
			return "SetProhibited";
		plist_dict_set_item(values, key, plist_copy(value));
		return nullptr;
	}
	if (!plist_dict_get_item(values, key))
		return known ? "RemoveProhibited" : "MissingValue";
	plist_dict_remove_item(values, key);
	return nullptr;
}

void settings_overlay(const struct settings *s, const char *domain, plist_t values)
{
	plist_t written = domain_of(s, domain, false);

	if (written)
		plist_dict_merge(&values, written);
}
