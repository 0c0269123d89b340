/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What stands on the screens of phones that do not trust this computer yet. usbmuxd asks such a
 * phone to trust as soon as it is plugged in, but tells nobody what the phone answers, nor when its
 * dialog is tapped. So each of them is watched: a worker (trust, action await) says what the phone
 * says whenever that changes, and takes part only when usbmuxd has given up (worker/README.md). The
 * answers go into the fleet; once there is a record, the asker's check judges it.
 */
#include "phone/fleet.h"
#include "service/ask.h"
#include "service/worker_pool.h"

struct dialogs;

/* All borrowed; pool may be NULL: then nothing is watched. touched_fn: the owner calls
 * dialogs_review() soon, from the loop. Returns 0 or -ENOMEM. */
int dialogs_new(struct fleet *fleet, struct asker *asker, struct worker_pool *pool,
		asker_touched_fn touched_fn, void *touched_user, struct dialogs **ret);
struct dialogs *dialogs_free(struct dialogs *dialogs); /* ends what runs; NULL is fine */
DEFINE_CLEANUP(struct dialogs *, dialogs_free)

/*
 * After any change of the fleet and at dialogs_deadline(): ends watches of phones that left or that
 * a job has taken, begins those that are due. Before jobs_review(), so that a job never works
 * beside a watch. Not from inside a fleet event.
 */
void dialogs_review(struct dialogs *dialogs);
uint64_t dialogs_deadline(const struct dialogs *dialogs); /* UINT64_MAX: nothing to wait for */

/* Policy: is its screen to be watched? Pure. */
bool dialog_is_due(const struct phone *phone);
