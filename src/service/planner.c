/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Owns the plannings that wait for a worker:
 *
 *        (a phone that has just been plugged in: until it is known who it is)
 *             goal without firmware
 *   request ─────────────────────────────────────────────────────▶ plan_make() ─▶ answer (freed)
 *      │ a file                                                        ▲     ▲
 *      ├────────────────────────────────▶ check worker ──▶ sign worker ┘     │
 *      └── planner_choose.c: catalogue and sign worker, cache ──▶ check worker
 *
 * Invariant: every planning in the list waits: for its phone (waiting), or has a link. The limit is
 * one for all workers.
 */
#include "base/clock.h"
#include "base/text.h"
#include "service/fields.h"
#include "service/planner_parts.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* --- ends ------------------------------------------------------------------------------------ */

static void planning_free(struct planning *planning)
{
	struct planning **at = &planning->planner->plannings;

	while (*at && *at != planning)
		at = &(*at)->next;
	if (*at)
		*at = planning->next;
	worker_link_free(planning->link);
	free(planning);
}

void planning_fail(struct planning *planning, const struct error *err)
{
	planner_fn fn = planning->fn;
	void *user = planning->user;
	struct error why = *err;

	planning_free(planning);
	fn(NULL, &why, user);
}

const struct phone *planning_phone(const struct planning *planning)
{
	const struct phone *phone = fleet_get(planning->planner->options.fleet, planning->phone_id);

	if (!phone && fleet_find(planning->planner->options.fleet, planning->key, &phone, NULL) < 0)
		return NULL;
	return phone->presence == PRESENCE_GONE ? NULL : phone;
}

/* What lies in the cache already, and what may leave it. A file that the person brought needs no
 * room there, but maybe its system image does. */
static void look_for_room(const struct planning *planning, struct plan_request *request,
			  struct plan_drop may_go[static PLAN_DROPS_MAX])
{
	const struct planner_options *options = &planning->planner->options;

	request->part_bytes = cache_part_bytes(&planning->room, &planning->firmware);
	request->may_go_count =
	    cache_may_go(&planning->room, &planning->firmware, planning->offline,
			 options->needed_fn, options->touched_user, may_go);
	request->may_go = may_go;
}

void planning_make(struct planning *planning)
{
	const struct goal_fact *fact = goal_fact(planning->goal);
	struct plan_request request = {
		.goal = planning->goal,
		.product = planning->product,
		.firmware = fact->firmware ? &planning->firmware : NULL,
		.update = planning->update.name[0] != '\0' ? &planning->update : NULL,
		.erase = planning->erase.name[0] != '\0' ? &planning->erase : NULL,
		.signing = &planning->signing,
		.warnings = planning->warnings,
		.warning_count = planning->warning_count,
		.room = &planning->room,
	};
	struct plan_drop may_go[PLAN_DROPS_MAX];
	planner_fn fn = planning->fn;
	void *user = planning->user;
	struct plan plan;
	struct error err;
	int r = 0;

	if (fact->firmware)
		look_for_room(planning, &request, may_go);
	if (planning->phone_id != 0) {
		request.phone = planning_phone(planning);
		if (!request.phone)
			r = error_set(&err, ERROR_UNPLUGGED, "service", 0,
				      "the phone left the USB bus meanwhile");
	}
	if (r >= 0)
		r = plan_make(&request, &plan, &err);
	if (r < 0) {
		planning_fail(planning, &err);
		return;
	}
	planning_free(planning);
	fn(&plan, NULL, user);
}

void planning_fail_kind(struct planning *planning, enum error_kind kind, const char *text)
{
	struct error err;

	(void)error_set(&err, kind, "service", 0, "%s", text);
	planning_fail(planning, &err);
}

/* --- workers --------------------------------------------------------------------------------- */

void planning_ask(struct planning *planning, const char *kind, int built, sd_json_variant *fields,
		  unsigned limit_ms, worker_end_fn end_fn)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *taken = fields;
	uint64_t now_ms = clock_now_ms();
	struct worker_request request = {
		.kind = kind,
		.fields = taken,
		.end_fn = end_fn,
		.user = planning,
	};
	struct error err;
	int r;

	if (built < 0 || !planning->planner->options.pool) {
		planning_fail_kind(planning, built < 0 ? ERROR_BUG : ERROR_UNSUPPORTED,
				   built < 0 ? "a request cannot be made"
					     : "a tape is played: no worker can be asked");
		return;
	}
	request.total_ms =
	    planning->until_ms > now_ms ? (unsigned)(planning->until_ms - now_ms) : 1;
	if (limit_ms != 0 && limit_ms < request.total_ms)
		request.total_ms = limit_ms;
	r = worker_link_new(planning->planner->options.pool, &request, &planning->link, &err);
	if (r < 0)
		planning_fail(planning, &err);
}

static bool take_variants(struct planning *planning, sd_json_variant *variants)
{
	for (size_t i = 0; i < sd_json_variant_elements(variants); i++) {
		struct variant variant;

		if (variant_from_json(sd_json_variant_by_index(variants, i), &variant) < 0)
			return false;
		if (strcmp(variant.name, PLANNING_UPDATE_VARIANT) == 0)
			planning->update = variant;
		if (strcmp(variant.name, PLANNING_ERASE_VARIANT) == 0)
			planning->erase = variant;
	}
	return true;
}

static bool array_has(sd_json_variant *array, const char *wanted)
{
	for (size_t i = 0; i < sd_json_variant_elements(array); i++) {
		sd_json_variant *value = sd_json_variant_by_index(array, i);

		if (sd_json_variant_is_string(value) &&
		    strcmp(sd_json_variant_string(value), wanted) == 0)
			return true;
	}
	return false;
}

/* What the archive itself says goes before what the catalogue said. False: they contradict. */
static bool take_checked(struct planning *planning, const struct firmware *checked)
{
	struct firmware *known = &planning->firmware;

	if (known->build[0] != '\0' && strcmp(known->build, checked->build) != 0)
		return false;
	text_copy(known->build, sizeof(known->build), checked->build);
	text_copy(known->version, sizeof(known->version), checked->version);
	text_copy(known->product, sizeof(known->product), planning->product);
	if (known->name[0] == '\0')
		text_copy(known->name, sizeof(known->name), checked->name);
	if (checked->size > 0)
		known->size = checked->size;
	return true;
}

static void on_check_end(sd_json_variant *result, const struct error *err, void *user)
{
	struct planning *planning = user;
	struct firmware checked;

	planning->link = worker_link_free(planning->link);
	if (err && (err->kind == ERROR_NETWORK || err->kind == ERROR_SILENT) &&
	    choose_fall_back(planning))
		return;
	if (err) {
		planning_fail(planning, err);
		return;
	}
	if (firmware_from_json(field_object(result, "firmware"), &checked) < 0 ||
	    checked.build[0] == '\0' || !take_variants(planning, field_array(result, "variants"))) {
		planning_fail_kind(planning, ERROR_PROTOCOL,
				   "worker check answered with something that is not allowed");
		return;
	}
	if (!array_has(field_array(result, "products"), planning->product)) {
		planning_fail_kind(
		    planning, ERROR_BAD_FILE,
		    "this firmware is for other models than this phone: take another "
		    "file, or leave the choice to idevicerescue");
		return;
	}
	if (!take_checked(planning, &checked)) {
		planning_fail_kind(planning, ERROR_BAD_FILE,
				   "the file holds another build than was said of it, and is not "
				   "used. If it is in the firmware cache, delete it there "
				   "(idevicerescue firmware drop)");
		return;
	}
	if (planning->file[0] != '\0')
		choose_ask_brought(planning);
	else
		planning_make(planning);
}

void planning_check(struct planning *planning)
{
	const struct firmware *firmware = &planning->firmware;
	const bool here = firmware->path[0] != '\0';
	sd_json_variant *fields = NULL;
	int r;

	r = sd_json_buildo(
	    &fields,
	    SD_JSON_BUILD_PAIR_STRING(here ? "path" : "url", here ? firmware->path : firmware->url),
	    SD_JSON_BUILD_PAIR_STRING("product", planning->product),
	    SD_JSON_BUILD_PAIR_STRING("board", planning->board));
	planning_ask(planning, "check", r, fields, 0, on_check_end);
}

void planning_warn(struct planning *planning, const char *id)
{
	for (size_t i = 0; i < planning->warning_count; i++)
		if (strcmp(planning->warnings[i], id) == 0)
			return;
	if (planning->warning_count < PLANNING_WARNINGS_MAX)
		planning->warnings[planning->warning_count++] = id;
}

/* --- requests -------------------------------------------------------------------------------- */

static int take_product(struct planning *planning, const char *product, struct error *err)
{
	const struct model *model;

	text_copy(planning->product, sizeof(planning->product), product);
	model = model_by_product(planning->product);
	if (!model)
		return error_set(err, ERROR_UNSUPPORTED, "service", 0,
				 "there is no model '%s' in the table", planning->product);
	text_copy(planning->board, sizeof(planning->board), model->board);
	return 0;
}

static int take_model(struct planning *planning, struct error *err)
{
	const struct phone *phone;
	const struct model *model;

	if (planning->phone_id == 0)
		return take_product(planning, planning->product, err);
	phone = planning_phone(planning);
	if (!phone)
		return error_set(err, ERROR_UNPLUGGED, "service", 0,
				 "the phone left the USB bus meanwhile");
	model = phone->identity.model;
	planning->ecid = phone->identity.ecid;
	text_copy(planning->product, sizeof(planning->product), phone->identity.product);
	text_copy(planning->board, sizeof(planning->board), model ? model->board : "");
	if (goal_fact(planning->goal)->firmware && planning->board[0] == '\0')
		return error_set(err, ERROR_UNSUPPORTED, "service", 0,
				 "the model of this phone is not known, so no firmware can be "
				 "chosen for it");
	return 0;
}

/* Is it still being asked who it is? A phone that was plugged in a second ago is. */
static bool phone_is_being_asked(const struct planning *planning)
{
	const struct phone *phone = planning_phone(planning);
	const struct error *problem =
	    phone ? asker_problem(planning->planner->options.asker, phone) : NULL;

	/* one that a job has is asked by nobody else */
	return phone && phone->mode == MODE_NORMAL && !phone->identity.model &&
	       phone->job[0] == '\0' && planning->planner->options.pool &&
	       (!problem || ask_is_worth_again(problem->kind)) &&
	       clock_now_ms() < planning->known_until_ms;
}

/* A file that the person brought. */
static int take_file(struct planning *planning, const char *file, struct error *err)
{
	struct firmware *firmware = &planning->firmware;
	const char *name = strrchr(file, '/');
	struct stat found;

	if (file[0] != '/' || strlen(file) >= sizeof(firmware->path))
		return error_set(err, ERROR_USAGE, "service", 0,
				 "the firmware file needs its whole path");
	if (stat(file, &found) < 0)
		return error_set_errno(err, ERROR_BAD_FILE, "kernel", errno,
				       "the firmware file '%s' cannot be read", file);
	if (!S_ISREG(found.st_mode))
		return error_set(err, ERROR_BAD_FILE, "service", 0,
				 "'%s' is no firmware file: give the .ipsw itself", file);
	text_copy(firmware->path, sizeof(firmware->path), file);
	text_copy(firmware->name, sizeof(firmware->name), name + 1);
	firmware->size = (uint64_t)found.st_size;
	return 0;
}

static void planning_begin(struct planning *planning)
{
	const bool brought = planning->file[0] != '\0';
	struct error err;
	int r;

	r = take_model(planning, &err);
	if (r >= 0)
		r = storage_room(planning->planner->options.storage, &planning->room, &err);
	if (r >= 0 && goal_fact(planning->goal)->firmware && !brought)
		r = storage_add_cache(planning->planner->options.storage, &planning->room, &err);
	if (r >= 0 && brought)
		r = take_file(planning, planning->file, &err);
	if (r < 0)
		planning_fail(planning, &err);
	else if (!goal_fact(planning->goal)->firmware)
		planning_make(planning);
	else if (brought)
		planning_check(planning);
	else
		choose_begin(planning);
}

void planner_review(struct planner *planner)
{
	struct planning *planning = planner->plannings;

	while (planning) {
		if (!planning->waiting || phone_is_being_asked(planning)) {
			planning = planning->next;
			continue;
		}
		planning->waiting = false;
		planning_begin(planning);
		planning = planner->plannings; /* it may have ended, and others with it */
	}
}

uint64_t planner_deadline(const struct planner *planner)
{
	uint64_t deadline_ms = UINT64_MAX;

	for (const struct planning *one = planner->plannings; one; one = one->next)
		if (one->waiting && one->known_until_ms < deadline_ms)
			deadline_ms = one->known_until_ms;
	return deadline_ms;
}

void planner_plan(struct planner *planner, const struct planner_request *request, planner_fn fn,
		  void *user)
{
	struct planning *planning = calloc(1, sizeof(*planning));
	uint64_t now_ms = clock_now_ms();

	if (!planning) {
		struct error err;

		(void)error_set_errno(&err, ERROR_BUG, "service", ENOMEM, "plan");
		fn(NULL, &err, user);
		return;
	}
	*planning = (struct planning){
		.planner = planner,
		.next = planner->plannings,
		.goal = request->goal,
		.known_until_ms = now_ms + timing_ms(TIMING_PROBE_TOTAL),
		.until_ms = now_ms + timing_ms(TIMING_PLAN),
		.fn = fn,
		.user = user,
	};
	text_copy(planning->build, sizeof(planning->build), request->build);
	text_copy(planning->product, sizeof(planning->product), request->product);
	text_copy(planning->file, sizeof(planning->file), request->file);
	if (request->phone) {
		planning->phone_id = request->phone->id;
		phone_key(request->phone, planning->key);
	}
	planner->plannings = planning;
	planning->waiting = phone_is_being_asked(planning);
	if (planning->waiting)
		planner->options.touched_fn(planner->options.touched_user);
	else
		planning_begin(planning);
}

void planner_forget(struct planner *planner, const void *user)
{
	for (struct planning *planning = planner->plannings, *next; planning; planning = next) {
		next = planning->next;
		if (planning->user == user)
			planning_free(planning);
	}
}

int planner_new(const struct planner_options *options, struct planner **ret)
{
	struct planner *planner = calloc(1, sizeof(*planner));

	if (!planner)
		return -ENOMEM;
	planner->options = *options;
	*ret = planner;
	return 0;
}

struct planner *planner_free(struct planner *planner)
{
	if (!planner)
		return NULL;
	while (planner->plannings)
		planning_free(planner->plannings);
	free(planner);
	return NULL;
}
