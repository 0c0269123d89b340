/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What worker host-look tells, line by line, and what becomes of it: the object Computer of the
 * interface, with reasons, remedies, labels of phones, advice, and what follows. A part of host.c.
 */
#include "doctor/consent_move.h"
#include "phone/fleet.h"
#include <systemd/sd-json.h>

enum { HOST_VIEW_VOLUMES_MAX = 64, HOST_VIEW_RECORDS_MAX = 1000 };

struct host_view {
	size_t count;
	struct host_view_volume {
		sd_json_variant *object;  /* owned, as the worker told it; checked */
		sd_json_variant *records; /* owned array of what is shown; NULL none yet */
	} volumes[HOST_VIEW_VOLUMES_MAX];
};
void host_view_clear(struct host_view *view);

/* Take a line of the worker in. 0, or a negative errno: it is not allowed, and passed over. */
int host_view_volume(struct host_view *view, sd_json_variant *event);
int host_view_record(struct host_view *view, sd_json_variant *event, const struct fleet *fleet);

/* The object Computer; result: the worker's last line. Returns 0 or a negative errno. */
int host_view_build(const struct host_view *view, sd_json_variant *result,
		    const struct fleet *fleet, struct move_consents *consents,
		    sd_json_variant **ret);

/*
 * The fields of the request to host-reset: for what was shown of the volume, those of its records
 * that are named by file or UDID in `names`, all of them if that is NULL. Returns 0, or a negative
 * errno with err set: none is named, or one that was not shown.
 */
int host_view_request(sd_json_variant *volume, sd_json_variant *names, sd_json_variant **ret,
		      struct error *err);

/* The object Moved from the worker's result. 0, or -EBADMSG. */
int host_view_moved(sd_json_variant *result, sd_json_variant **ret);
