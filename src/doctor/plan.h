/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * From a goal to steps. Pure. The planner's one promise: only GOAL_ERASE has a step whose data is
 * erased, and no other goal's plan can become one without a new plan and a new consent.
 */
#include "doctor/firmware.h"
#include "doctor/signing.h"
#include "facts/facts.h"
#include "phone/phone.h"
#include <systemd/sd-json.h>

enum { PLAN_STEPS_MAX = 48, PLAN_WARNINGS_MAX = 16, PLAN_CONFIRM_BYTES = 5, PLAN_ROOM_BYTES = 512 };
enum { PLAN_DROPS_MAX = 16, PLAN_DROP_FILE_BYTES = 256, PLAN_DROP_LABEL_BYTES = 160 };

struct plan_step {
	enum step_kind kind;
	bool optional; /* what it does is wanted, but the goal is reached without it */
	unsigned rung; /* of the repair ladder (doctor/ladder.h), 1 the mildest; 0: no rung */
};

/* Where files go (service/storage.h). */
struct room {
	char folder[PLAN_ROOM_BYTES]; /* "" none is writable */
	bool lasting;                 /* a data partition; else RAM, lost at power-off */
	const char *why;              /* message id: why there is none; NULL nobody knows */
	uint64_t free_bytes;
	uint64_t ram_free_bytes; /* what the kernel says is available; also with a data partition */
	char cache[PLAN_ROOM_BYTES]; /* folder for firmware that the person named, maybe on another
					disk; "" FOLDER/firmware */
	uint64_t cache_free_bytes;   /* with `cache` */
	bool cache_here;             /* it is on the disk of `folder`: both take from one room */
	bool cache_in_memory;        /* it is in RAM, whatever `folder` is */
	uint64_t ram_bytes;          /* of this computer; 0 unknown */
	bool fat;                    /* the firmware folder holds no file over 4 GiB less a byte */
};

/* A file of the cache that is deleted to make room: starting the plan is the consent. */
struct plan_drop {
	char file[PLAN_DROP_FILE_BYTES];   /* its name in the firmware folder, no slash */
	char label[PLAN_DROP_LABEL_BYTES]; /* for people: "iOS 17.5.1 (21F90) for iPhone14,5" */
	uint64_t bytes;                    /* that are free when it is gone */
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
	struct signing signing;       /* of firmware, for this phone and variant */
	uint64_t need_bytes;          /* room that is still needed: download and unpacked system */
	struct room room;
	const char *warnings[PLAN_WARNINGS_MAX]; /* message ids (facts/messages.tsv) */
	size_t warning_count;
	struct plan_drop drops[PLAN_DROPS_MAX]; /* what step make-room deletes */
	size_t drop_count;
	struct plan_step steps[PLAN_STEPS_MAX];
	size_t step_count;
};

struct plan_request {
	enum goal goal;
	const struct phone *phone;       /* NULL for GOAL_FIRMWARE by product */
	const char *product;             /* with phone == NULL */
	const struct firmware *firmware; /* NULL if the goal needs none */
	const struct variant *update,
	    *erase;                    /* the two variants for this board, NULL: it has none */
	const struct signing *signing; /* NULL: nobody was asked */
	const char *const *warnings;   /* message ids of what the planner noticed; NULL none */
	size_t warning_count;
	const struct room *room;
	const struct plan_drop *may_go; /* what could be deleted, in this order (service/cache.h) */
	size_t may_go_count;
	uint64_t part_bytes; /* of the firmware, that lie in the cache already */
};

/*
 * Returns 0; or a negative errno with err filled (kind: the exit code; text: what stands in the
 * way): ERROR_UNSUPPORTED (mode or model cannot do it), ERROR_BAD_FILE (variant missing, board or
 * product not in the file, a variant whose behaviour contradicts its name), ERROR_NO_SPACE,
 * ERROR_BUSY (a job has the phone), ERROR_REFUSED (an update to an older version),
 * ERROR_NOT_SIGNED. *ret is written only on success.
 */
int plan_make(const struct plan_request *request, struct plan *ret, struct error *err);

/* The refusal of a firmware about which the sources disagree. Fills err, returns its errno. */
int plan_refuse_conflict(const struct firmware *firmware, struct error *err);
/* 0, or -EACCES (ERROR_REFUSED) for one that is older than what the phone runs. */
int plan_check_age(const struct firmware *firmware, const struct phone *phone, struct error *err);

/*
 * The steps of an erase that follows a failed update in the same job (the firmware is here, the
 * phone where the update left it). The caller has a consent. -EINVAL if the plan is no update or
 * has no erase_variant.
 */
int plan_erase_after(const struct plan *update, struct plan *ret);

/* The phone needs Apple's servers until the installation has ended: it has them asked for the keys
 * of its system (iOS 18 and later). */
bool plan_is_online_to_the_end(const struct plan *plan);

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
