/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * From a goal to steps. Pure. The planner's one promise: only GOAL_ERASE has a step whose data is
 * erased, and no other goal's plan can become one without a new plan and a new consent.
 */
#include "doctor/firmware.h"
#include "facts/facts.h"
#include "phone/phone.h"
#include <systemd/sd-json.h>

enum { PLAN_STEPS_MAX = 16, PLAN_WARNINGS_MAX = 8, PLAN_CONFIRM_BYTES = 5, PLAN_ROOM_BYTES = 512 };

struct plan_step {
	enum step_kind kind;
	bool optional; /* what it does is wanted, but the goal is reached without it */
};

/* Where files go (service/storage.h). */
struct room {
	char folder[PLAN_ROOM_BYTES]; /* "" none is writable */
	bool lasting;                 /* a data partition; else RAM, lost at power-off */
	uint64_t free_bytes;
	uint64_t ram_free_bytes; /* what the kernel says is available; also with a data partition */
};

struct plan {
	enum goal goal;
	enum data data;              /* worst of its steps */
	char phone[PHONE_KEY_BYTES]; /* key; "product:iPhone14,5" for GOAL_FIRMWARE without a phone
				      */
	char label[IDENTITY_TEXT_BYTES];   /* the phone for people */
	char product[IDENTITY_TEXT_BYTES]; /* ProductType, "" unknown */
	char board[IDENTITY_TEXT_BYTES];   /* "d17ap", "" unknown */
	uint64_t ecid;                     /* 0 unknown */
	char udid[UDID_BYTES];             /* "" unknown */
	enum mode mode;                    /* when it was planned */
	char confirm[PLAN_CONFIRM_BYTES];  /* LAST4: of the serial number, else of the ECID; ""
					      unknown */
	struct firmware firmware;          /* firmware.build "" if the goal needs none */
	struct variant variant;            /* name "" if the goal installs nothing */
	struct variant erase_variant; /* of an update: what an erase after it would take; "" none */
	uint64_t need_bytes;          /* room that is still needed: download and unpacked system */
	struct room room;
	const char *warnings[PLAN_WARNINGS_MAX]; /* message ids (facts/messages.tsv) */
	size_t warning_count;
	struct plan_step steps[PLAN_STEPS_MAX];
	size_t step_count;
};

struct plan_request {
	enum goal goal;
	const struct phone *phone;       /* NULL for GOAL_FIRMWARE by product */
	const char *product;             /* with phone == NULL */
	const struct firmware *firmware; /* NULL if the goal needs none */
	const struct variant *update,
	    *erase; /* the two variants for this board, NULL: it has none */
	const struct room *room;
};

/*
 * Returns 0; or a negative errno with err filled (kind: the exit code; text: what stands in the
 * way): ERROR_UNSUPPORTED (mode or model cannot do it), ERROR_BAD_FILE (variant missing, board or
 * product not in the file, a variant whose behaviour contradicts its name), ERROR_NO_SPACE,
 * ERROR_BUSY (a job has the phone), ERROR_REFUSED (an update to an older version). *ret is written
 * only on success.
 */
int plan_make(const struct plan_request *request, struct plan *ret, struct error *err);

/*
 * The steps of an erase that follows a failed update in the same job (the firmware is here, the
 * phone where the update left it). The caller has a consent. -EINVAL if the plan is no update or
 * has no erase_variant.
 */
int plan_erase_after(const struct plan *update, struct plan *ret);

/* True if any step erases. The job's executor asks this of the step, not of the goal. */
bool plan_erases(const struct plan *plan);

/*
 * The object `plan` of the interfaces (service/interface.h lists its fields, without the token).
 * plan_to_record() adds what only journals hold: "confirm", "installs" (the whole variant) and
 * "erase_installs". plan_from_json() reads a record back; -EBADMSG for one that plan_make() and
 * plan_erase_after() cannot have made: unknown words, a step that erases outside of GOAL_ERASE.
 */
int plan_to_json(const struct plan *plan, sd_json_variant **ret);
int plan_to_record(const struct plan *plan, sd_json_variant **ret);
int plan_from_json(sd_json_variant *object, struct plan *ret);
