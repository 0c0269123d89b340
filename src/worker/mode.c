/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/mode.h"
#include "base/cleanup.h"
#include "worker/mode_ways.h"
#include <errno.h>
#include <stddef.h>
#include <string.h>

struct fields {
	const char *action, *mode, *udid, *ecid;
	uint64_t bus, address;
};
static const uint64_t NUMBER_ABSENT = UINT64_MAX;

#define FIELD(name, variant_type, dispatch, flags)                                                 \
	{ #name, SD_JSON_VARIANT_##variant_type, sd_json_dispatch_##dispatch,                      \
	  offsetof(struct fields, name), SD_JSON_REFUSE_NULL | (flags) }
static const sd_json_dispatch_field fields_table[] = {
	FIELD(action, STRING, const_string, SD_JSON_MANDATORY),
	FIELD(mode, STRING, const_string, SD_JSON_MANDATORY),
	FIELD(udid, STRING, const_string, 0),
	FIELD(bus, UNSIGNED, uint64, 0),
	FIELD(address, UNSIGNED, uint64, 0),
	FIELD(ecid, STRING, const_string, 0),
	{},
};

enum mode_way mode_way(enum mode_action action, enum mode mode)
{
	static const enum mode_way ways[MODE_ACTION_MAX][MODE_MAX] = {
		[MODE_ACTION_ENTER_RECOVERY] = { [MODE_NORMAL] = MODE_WAY_LOCKDOWND },
		[MODE_ACTION_EXIT_RECOVERY] = { [MODE_RECOVERY] = MODE_WAY_IBOOT },
		[MODE_ACTION_RESTART] = { [MODE_NORMAL] = MODE_WAY_RELAY,
					  [MODE_RESTORE] = MODE_WAY_RESTORED,
					  [MODE_RECOVERY] = MODE_WAY_IBOOT },
	};

	return ways[action][mode];
}

static enum mode_action action_from_name(const char *name)
{
	static const char *const names[MODE_ACTION_MAX] = {
		[MODE_ACTION_ENTER_RECOVERY] = "enter-recovery",
		[MODE_ACTION_EXIT_RECOVERY] = "exit-recovery",
		[MODE_ACTION_RESTART] = "restart",
	};

	for (size_t i = 0; i < MODE_ACTION_MAX; i++)
		if (strcmp(names[i], name) == 0)
			return (enum mode_action)i;
	return MODE_ACTION_MAX;
}

static int refuse(struct error *err, const char *what)
{
	(void)error_set(err, ERROR_USAGE, "worker", 0, "%s", what);
	return -EINVAL;
}

/* The phone is named as for a probe. */
static int place_check(const struct fields *fields, struct mode_phone *phone, struct error *err)
{
	bool on_mux = phone->mode == MODE_NORMAL || phone->mode == MODE_RESTORE;

	if (on_mux &&
	    (fields->bus != NUMBER_ABSENT || fields->address != NUMBER_ABSENT || fields->ecid))
		return refuse(err, "This mode is asked by udid, not by bus, address or ecid");
	if (on_mux)
		return request_check_udid(fields->udid, phone->udid, err);
	if (fields->udid)
		return refuse(err, "This mode is asked by bus and address, not by udid");
	if (fields->ecid && request_check_ecid(fields->ecid, &phone->ecid, err) < 0)
		return -EINVAL;
	return request_check_place(fields->bus, fields->address, &phone->bus, &phone->address, err);
}

static int parse(const struct request *request, enum mode_action *ret_action,
		 struct mode_phone *ret, struct error *err)
{
	struct fields fields = { .bus = NUMBER_ABSENT, .address = NUMBER_ABSENT };
	struct mode_phone phone = {};
	int r = request_fields(request, fields_table, &fields, err);

	if (r < 0)
		return r;
	*ret_action = action_from_name(fields.action);
	if (*ret_action == MODE_ACTION_MAX)
		return refuse(err, "Field \"action\" is no action");
	phone.mode = mode_from_name(fields.mode);
	if (phone.mode == MODE_UNKNOWN)
		return refuse(err, "Field \"mode\" is no mode that can be asked");
	r = place_check(&fields, &phone, err);
	if (r < 0)
		return r;
	*ret = phone;
	return 0;
}

int mode_run(const struct request *request, struct error *err)
{
	enum mode_action action = MODE_ACTION_MAX;
	struct mode_phone phone = {};
	int r = parse(request, &action, &phone, err);

	if (r < 0)
		return r;
	switch (mode_way(action, phone.mode)) {
	case MODE_WAY_LOCKDOWND:
		return mode_enter_recovery(&phone, err);
	case MODE_WAY_RELAY:
		return mode_restart_normal(&phone, err);
	case MODE_WAY_RESTORED:
		return mode_restart_restore(&phone, err);
	case MODE_WAY_IBOOT:
		return mode_iboot(&phone, action == MODE_ACTION_EXIT_RECOVERY, err);
	case MODE_WAY_NONE:
	case MODE_WAY_MAX:
		break;
	}
	return error_set(err, ERROR_UNSUPPORTED, "worker", 0,
			 "From this mode only the phone's buttons lead there");
}
