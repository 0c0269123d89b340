/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/session_values.h"
#include "worker/probe.h"
#include "worker/value.h"

enum { PERCENT_MAX = 100 };

static int add_boolean(plist_t values, const char *key, const char *field,
		       sd_json_variant **identity)
{
	bool value;

	return value_bool(values, key, &value)
		   ? sd_json_variant_set_field_boolean(identity, field, value)
		   : 0;
}

int session_values_root(plist_t values, sd_json_variant **identity)
{
	int r;

	if (!value_is_dict(values))
		return 0;
	r = identity_add_text(identity, "activation", value_text(values, "ActivationState"));
	return r < 0 ? r : add_boolean(values, "PasswordProtected", "passcode_set", identity);
}

const char *session_domain_name(enum session_domain domain)
{
	static const char *const names[SESSION_DOMAIN_MAX] = {
		[SESSION_DOMAIN_DISK] = "com.apple.disk_usage",
		[SESSION_DOMAIN_BATTERY] = "com.apple.mobile.battery",
		[SESSION_DOMAIN_SETUP] = "com.apple.purplebuddy",
		[SESSION_DOMAIN_CHAPERONE] = "com.apple.mobile.chaperone",
	};

	return names[domain];
}

/* Free: what apps may still write. Phones tell it under two names, and 0 is a number, too. */
static int add_disk(plist_t values, sd_json_variant **identity)
{
	static const char *const keys[] = { "AmountDataAvailable", "TotalDataAvailable" };
	uint64_t capacity = value_number(values, "TotalDiskCapacity"), free_bytes;
	int r = capacity > 0
		    ? sd_json_variant_set_field_unsigned(identity, "capacity_bytes", capacity)
		    : 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_LEN(keys); i++)
		if (value_whole(values, keys[i], &free_bytes))
			return sd_json_variant_set_field_unsigned(identity, "free_bytes",
								  free_bytes);
	return r;
}

static int add_battery(plist_t values, sd_json_variant **identity)
{
	uint64_t percent;
	int r = 0;

	if (value_whole(values, "BatteryCurrentCapacity", &percent) && percent <= PERCENT_MAX)
		r = sd_json_variant_set_field_unsigned(identity, "battery_percent", percent);
	return r < 0 ? r : add_boolean(values, "BatteryIsCharging", "battery_charging", identity);
}

int session_values_domain(enum session_domain domain, plist_t values, sd_json_variant **identity)
{
	if (!value_is_dict(values))
		return 0;
	switch (domain) {
	case SESSION_DOMAIN_DISK:
		return add_disk(values, identity);
	case SESSION_DOMAIN_BATTERY:
		return add_battery(values, identity);
	case SESSION_DOMAIN_SETUP:
		return add_boolean(values, "SetupDone", "setup_done", identity);
	case SESSION_DOMAIN_CHAPERONE:
		return add_boolean(values, "DeviceIsChaperoned", "supervised", identity);
	case SESSION_DOMAIN_MAX:
		break;
	}
	return 0;
}
