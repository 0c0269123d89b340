/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which firmware a plan takes:
 *
 *   catalogue ──▶ candidates, newest first ──▶ sign ──signed, unknown──▶ chosen ──▶ check
 *       │             (at most three)            └─ not signed: the next one
 *       └─ no answer ──▶ what the cache has ──▶ sign …
 *
 * Nothing is chosen about whose hash the sources disagree; an update takes nothing older than what
 * the phone runs. A build that the person names is the only candidate.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "service/cache.h"
#include "service/fields.h"
#include "service/planner_parts.h"
#include "service/sign.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* A catalogue of the image that is older: Apple has probably more by now. */
#define OLD_CATALOGUE_S (UINT64_C(30) * 24 * 3600)

enum { FOLDER_MODE = 0770 };

static void choose_next(struct planning *planning);

static bool is_outage(enum error_kind kind)
{
	return kind == ERROR_NETWORK || kind == ERROR_SILENT;
}

/* --- the cache ------------------------------------------------------------------------------- */

/* The file that the catalogue names may lie in the cache, whole. */
static void look_into_cache(const struct planning *planning, struct firmware *firmware)
{
	const struct cache_query query = {
		.product = planning->product,
		.build = firmware->build,
		.sha1 = firmware->sha1,
		.sha256 = firmware->sha256,
		.url = firmware->url,
	};
	struct firmware cached;

	firmware->path[0] = '\0';
	firmware->verified = false;
	if (cache_find(&planning->room, &query, &cached) < 0)
		return;
	if (firmware->size != 0 && cached.size != 0 && firmware->size != cached.size)
		return;
	text_copy(firmware->path, sizeof(firmware->path), cached.path);
	firmware->verified = cached.verified;
}

static bool take_cached(struct planning *planning)
{
	const struct cache_query query = {
		.product = planning->product,
		.build = planning->build,
	};

	if (cache_find(&planning->room, &query, &planning->candidates[0]) < 0)
		return false;
	planning->candidate_count = 1;
	planning->candidate = 0;
	return true;
}

bool choose_fall_back(struct planning *planning)
{
	if (planning->fell_back || planning->file[0] != '\0' ||
	    planning->firmware.path[0] != '\0' || !take_cached(planning))
		return false;
	planning->fell_back = planning->offline = true;
	planning_warn(planning, "plan-warning-offline");
	log_notice("no network: firmware %s from the cache is taken",
		   planning->candidates[0].build);
	choose_next(planning);
	return true;
}

/* --- what Apple signs ------------------------------------------------------------------------ */

static bool can_be_asked(const struct planning *planning)
{
	return planning->phone_id != 0 && planning->ecid != 0 && planning->board[0] != '\0';
}

static void ask_signing(struct planning *planning, worker_end_fn end_fn)
{
	const struct firmware *firmware = &planning->firmware;
	const struct sign_question question = {
		.product = planning->product,
		.board = planning->board,
		.ecid = planning->ecid,
		.variant = planning->goal == GOAL_UPDATE ? PLANNING_UPDATE_VARIANT
							 : PLANNING_ERASE_VARIANT,
		.firmware = firmware,
		.path = firmware->path[0] != '\0' ? firmware->path : NULL,
	};
	sd_json_variant *fields = NULL;
	int r = sign_build(&question, &fields);

	planning_ask(planning, "sign", r, fields, SIGN_LIMIT_MS, end_fn);
}

static void take_signing(struct planning *planning, sd_json_variant *result,
			 const struct error *err)
{
	planning->link = worker_link_free(planning->link);
	signing_take(result, err, clock_wall_ms(), &planning->signing);
	log_info("firmware %s for %s: %s %s", planning->firmware.build, planning->key,
		 sign_verdict_name(planning->signing.verdict), planning->signing.text);
}

/* None of the candidates: says which were asked about. */
static void fail_not_signed(struct planning *planning)
{
	char builds[PLANNING_ASKED_MAX * 2 * FIRMWARE_TEXT_BYTES] = "";
	struct error err;
	size_t n = 0;

	if (planning->candidate_count == 1) {
		planning_fail_kind(planning, ERROR_NOT_SIGNED, planning->signing.text);
		return;
	}
	for (size_t i = 0; i < planning->candidate_count && n < sizeof(builds); i++)
		n += (size_t)snprintf(builds + n, sizeof(builds) - n, "%s%s (%s)",
				      i > 0 ? ", " : "", planning->candidates[i].version,
				      planning->candidates[i].build);
	(void)error_set(
	    &err, ERROR_NOT_SIGNED, "service", 0,
	    "Apple's signing server gives this phone no ticket for any of the newest: "
	    "iOS %s. None can be installed now: see idevicerescue firmware list %s --all",
	    builds, planning->product);
	planning_fail(planning, &err);
}

static void on_sign_end(sd_json_variant *result, const struct error *err, void *user)
{
	struct planning *planning = user;
	bool refused;

	take_signing(planning, result, err);
	refused = planning->signing.verdict == SIGN_NOT_SIGNED;
	/* one that the person named, or the only one there is: plan_make() knows what it is good
	 * for */
	if (refused && planning->build[0] == '\0' && !planning->fell_back) {
		planning->candidate++;
		planning_warn(planning, "plan-sign-older-taken");
		choose_next(planning);
		return;
	}
	planning_check(planning);
}

static void on_brought_end(sd_json_variant *result, const struct error *err, void *user)
{
	take_signing(user, result, err);
	planning_make(user);
}

void choose_ask_brought(struct planning *planning)
{
	const struct variant *variant =
	    planning->goal == GOAL_UPDATE ? &planning->update : &planning->erase;

	if (can_be_asked(planning) && variant->name[0] != '\0')
		ask_signing(planning, on_brought_end);
	else
		planning_make(planning);
}

static void choose_next(struct planning *planning)
{
	if (planning->candidate == planning->candidate_count) {
		fail_not_signed(planning);
		return;
	}
	planning->firmware = planning->candidates[planning->candidate];
	planning->signing = (struct signing){ 0 };
	if (!planning->fell_back)
		look_into_cache(planning, &planning->firmware);
	if (can_be_asked(planning))
		ask_signing(planning, on_sign_end);
	else
		planning_check(planning);
}

/* --- the catalogue --------------------------------------------------------------------------- */

enum judgement { JUDGED_TAKE, JUDGED_PASS, JUDGED_STOP };

/* STOP: nothing beyond it is looked at; err says why, should there be no candidate. */
static enum judgement judge(const struct planning *planning, const struct firmware *firmware,
			    struct error *err)
{
	const struct phone *phone = planning_phone(planning);

	if (planning->build[0] != '\0' && strcmp(firmware->build, planning->build) != 0)
		return JUDGED_PASS;
	/* what follows is older still */
	if (planning->goal == GOAL_UPDATE && phone && plan_check_age(firmware, phone, err) < 0)
		return JUDGED_STOP;
	if (!firmware->conflict)
		return JUDGED_TAKE;
	(void)plan_refuse_conflict(firmware, err);
	return planning->candidate_count == 0 ? JUDGED_STOP : JUDGED_PASS;
}

static int read_firmware(sd_json_variant *object, struct firmware *ret)
{
	if (firmware_from_json(object, ret) < 0 || ret->url[0] == '\0' || ret->build[0] == '\0')
		return -EBADMSG;
	return 0;
}

/* -EBADMSG: the answer is none. -ENOENT with err: there is no candidate. */
static int collect(struct planning *planning, sd_json_variant *result, struct error *err)
{
	sd_json_variant *array = field_array(result, "firmwares");
	size_t count = array ? sd_json_variant_elements(array) : 0;
	enum judgement judgement = JUDGED_PASS;
	struct firmware firmware;

	(void)error_set(err, ERROR_UNSUPPORTED, "service", 0,
			"no source knows a firmware%s%s for %s: see idevicerescue firmware list %s "
			"--all, or bring the file",
			planning->build[0] != '\0' ? " of build " : "", planning->build,
			planning->product, planning->product);
	if (!array)
		return -EBADMSG;
	for (size_t i = 0; i < count && judgement != JUDGED_STOP &&
			   planning->candidate_count < PLANNING_ASKED_MAX;
	     i++) {
		if (read_firmware(sd_json_variant_by_index(array, i), &firmware) < 0)
			return -EBADMSG;
		judgement = judge(planning, &firmware, err);
		if (judgement == JUDGED_TAKE)
			planning->candidates[planning->candidate_count++] = firmware;
	}
	return planning->candidate_count > 0 ? 0 : -ENOENT;
}

/* What the catalogue noticed about itself. */
static void take_notices(struct planning *planning, sd_json_variant *result)
{
	sd_json_variant *sources = field_array(result, "sources");
	sd_json_variant *newest = field_object(result, "newest_offered");
	const char *build = field_string(newest, "build");
	bool answered = false, failed = false;

	for (size_t i = 0; i < sd_json_variant_elements(sources); i++) {
		sd_json_variant *source = sd_json_variant_by_index(sources, i);

		answered |= field_is(source, "state", "answered");
		failed |= field_is(source, "state", "failed");
	}
	planning->offline = failed && !answered;
	if (planning->offline)
		planning_warn(planning, "plan-warning-no-source");
	if (planning->offline && field_unsigned(result, "catalogue_age_s", 0) > OLD_CATALOGUE_S)
		planning_warn(planning, "plan-warning-old-catalogue");
	if (build && planning->build[0] == '\0' && planning->candidate_count > 0 &&
	    build_compare(build, planning->candidates[0].build) > 0)
		planning_warn(planning, "plan-warning-newer");
}

static void on_catalogue_end(sd_json_variant *result, const struct error *err, void *user)
{
	struct planning *planning = user;
	struct error why;
	int r;

	planning->link = worker_link_free(planning->link);
	if (err && is_outage(err->kind) && choose_fall_back(planning))
		return;
	if (err) {
		planning_fail(planning, err);
		return;
	}
	r = collect(planning, result, &why);
	if (r == -EBADMSG) {
		planning_fail_kind(planning, ERROR_PROTOCOL,
				   "worker catalogue answered with something that is not allowed");
		return;
	}
	if (r < 0) {
		planning_fail(planning, &why);
		return;
	}
	take_notices(planning, result);
	choose_next(planning);
}

/* Where the refreshed catalogue is kept; "" nowhere: it is refreshed for this question only. */
static void catalogue_folder(const struct planning *planning, char ret[static FIRMWARE_PATH_BYTES])
{
	ret[0] = '\0';
	if (planning->room.folder[0] == '\0')
		return;
	snprintf(ret, FIRMWARE_PATH_BYTES, "%s/catalogue", planning->room.folder);
	if (mkdir(ret, FOLDER_MODE) < 0 && errno != EEXIST)
		ret[0] = '\0';
}

void choose_begin(struct planning *planning)
{
	char folder[FIRMWARE_PATH_BYTES];
	sd_json_variant *fields = NULL;
	int r;

	if (planning->build[0] != '\0' && take_cached(planning)) {
		choose_next(planning); /* named and here: nobody else need know it */
		return;
	}
	catalogue_folder(planning, folder);
	r = sd_json_buildo(
	    &fields, SD_JSON_BUILD_PAIR_STRING("product", planning->product),
	    SD_JSON_BUILD_PAIR_CONDITION(planning->build[0] != '\0', "build",
					 SD_JSON_BUILD_STRING(planning->build)),
	    SD_JSON_BUILD_PAIR_CONDITION(folder[0] != '\0', "folder", SD_JSON_BUILD_STRING(folder)),
	    SD_JSON_BUILD_PAIR_BOOLEAN("all", true));
	planning_ask(planning, "catalogue", r, fields, 0, on_catalogue_end);
}
