/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* How much room a plan takes, and what goes to make it. A part of doctor/plan.h. */
#include "base/object.h"
#include "doctor/plan.h"

/*
 * Fills need_bytes and drops of a plan whose firmware, variant and room are there. Needed are what
 * is still to be fetched, the system image if the engine unpacks it first, and as much again for
 * logs and the phone's own parts (64 to 512 MiB). 0, or a negative errno with err set
 * (ERROR_NO_SPACE): what is needed, what is free, and what to do.
 */
int plan_take_room(struct plan *plan, const struct plan_request *request, struct error *err);

/* What an installation needs when the firmware is here; UINT64_MAX for a manifest that lies. */
uint64_t plan_need_here(const struct firmware *firmware, const struct variant *variant);

/* The field `drops`, array of {file, label, bytes}; left out without any. read: -EBADMSG for what
 * plan_take_room() cannot have made. */
void plan_put_drops(struct object *object, const struct plan *plan);
int plan_read_drops(sd_json_variant *object, struct plan *ret);
