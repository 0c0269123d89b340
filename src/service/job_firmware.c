/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The work of the steps catalogue, fetch and check: it needs no phone. Also of those that ask the
 * world about it: job_preflight.c. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "doctor/signing.h"
#include "service/cache.h"
#include "service/fields.h"
#include "service/job_run.h"
#include <stdio.h>
#include <string.h>

static void on_catalogue_end(sd_json_variant *result, const struct error *err, void *user)
{
	struct run *run = user;
	sd_json_variant *object = field_object(result, "firmware"), *facts = NULL;
	struct firmware firmware;

	if (!work_succeeded(run, err))
		return;
	if (firmware_from_json(object, &firmware) < 0) {
		work_answer_is_wrong(run);
		return;
	}
	(void)sd_json_buildo(&facts, SD_JSON_BUILD_PAIR_VARIANT("firmware", object));
	run_step_done(run, facts, false);
}

/* The plan was made from the catalogue; only one that has nothing yet asks it (again). */
void work_catalogue(struct run *run, const struct phone *phone)
{
	const struct plan *plan = job_plan(run->job);
	sd_json_variant *fields = NULL;
	int r;

	if (plan->firmware.url[0] != '\0' || plan->firmware.path[0] != '\0') {
		run_step_done(run, NULL, true);
		return;
	}
	r = sd_json_buildo(
	    &fields, SD_JSON_BUILD_PAIR_STRING("product", plan->product),
	    SD_JSON_BUILD_PAIR_CONDITION(plan->firmware.build[0] != '\0', "build",
					 SD_JSON_BUILD_STRING(plan->firmware.build)));
	work_ask(run, "catalogue", r, fields, NULL, on_catalogue_end);
}

/* The worker sees each block, so its rate goes before our own. */
static void take_download(struct progress *progress, sd_json_variant *event)
{
	const char *from = field_string(event, "from");

	progress_update(progress, "download", field_unsigned(event, "done", 0),
			field_unsigned(event, "total", 0), true, clock_now_ms());
	progress->rate = field_unsigned(event, "rate", progress->rate);
	progress->remaining_s = field_unsigned(event, "left_s", progress->remaining_s);
	text_copy(progress->from, sizeof(progress->from), from);
}

static void on_fetch_event(const char *name, sd_json_variant *event, void *user)
{
	struct run *run = user;

	if (strcmp(name, "progress") == 0) {
		take_download(&run->progress, event);
		run->progressed = true;
		run->jobs->options.touched_fn(run->jobs->options.user);
	} else {
		log_info("job %s: fetch: %s %s", run->id, name,
			 field_string(event, "reason") ?: "");
	}
}

/* Somebody else downloads this very file: it is asked for again until that has ended, and then lies
 * there whole. */
static void await_turn(struct run *run)
{
	run->link = worker_link_free(run->link);
	run_guide(run, message_find("job-fetch-busy")->text);
	run_enter(run, DOING_AWAIT_TURN, clock_now_ms() + timing_ms(TIMING_ASK_AGAIN));
}

static void on_fetch_end(sd_json_variant *result, const struct error *err, void *user)
{
	struct run *run = user;
	struct firmware firmware;
	sd_json_variant *facts = NULL;
	int r;

	if (err && err->kind == ERROR_BUSY) {
		await_turn(run);
		return;
	}
	if (!work_succeeded(run, err))
		return;
	if (firmware_from_json(field_object(result, "firmware"), &firmware) < 0 ||
	    !cache_holds(&job_plan(run->job)->room, firmware.path) || !firmware.verified) {
		work_answer_is_wrong(run);
		return;
	}
	r = cache_note(&firmware, NULL);
	if (r < 0)
		log_warning("what firmware %s is cannot be noted: %s", firmware.path, strerror(-r));
	(void)sd_json_buildo(
	    &facts, SD_JSON_BUILD_PAIR_VARIANT("firmware", field_object(result, "firmware")),
	    SD_JSON_BUILD_PAIR_UNSIGNED("fetched", field_unsigned(result, "fetched", 0)));
	run_step_done(run, facts, false);
}

/*
 * Does the whole file lie there already, with a proof that does not count any more? Also one that
 * the plan did not know of: it came since, maybe in an attempt that ended with the power.
 */
static bool must_hash(const struct plan *plan)
{
	const struct firmware *firmware = &plan->firmware;
	const struct cache_query query = {
		.product = plan->product,
		.build = firmware->build,
		.sha1 = firmware->sha1,
		.sha256 = firmware->sha256,
		.url = firmware->url,
	};
	struct firmware found;

	if (firmware->path[0] != '\0')
		return cache_is_stale(&plan->room, firmware->path);
	return cache_find(&plan->room, &query, &found) >= 0 &&
	       cache_is_stale(&plan->room, found.path);
}

/* Also a file of the cache passes through here: the worker computes its hash. */
void work_fetch(struct run *run, const struct phone *phone)
{
	const struct plan *plan = job_plan(run->job);
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	char folder[PLAN_ROOM_BYTES], mirror[STORAGE_URL_BYTES];
	sd_json_variant *fields = NULL;
	bool stale, mirrored;
	int r;

	if (plan->firmware.url[0] == '\0') {
		run_step_done(run, NULL, true); /* a file that the person brought */
		return;
	}
	room_firmware_folder(&plan->room, folder);
	stale = must_hash(plan);
	mirrored = storage_mirror(run->jobs->options.storage, mirror);
	r = firmware_to_json(&plan->firmware, &object);
	if (r >= 0)
		r = sd_json_buildo(
		    &fields, SD_JSON_BUILD_PAIR_VARIANT("firmware", object),
		    SD_JSON_BUILD_PAIR_STRING("folder", folder),
		    SD_JSON_BUILD_PAIR_CONDITION(stale, "rehash", SD_JSON_BUILD_BOOLEAN(true)),
		    SD_JSON_BUILD_PAIR_CONDITION(mirrored, "mirror", SD_JSON_BUILD_STRING(mirror)));
	work_ask(run, "fetch", r, fields, on_fetch_event, on_fetch_end);
}

/* --- check ----------------------------------------------------------------------------------- */

/* Before an installation: every member's checksum; with a ticket also what the manifest says that
 * Apple signed. */
enum { LEVEL_MEMBERS = 2, LEVEL_DIGESTS = 3 };

static bool installs(const struct run *run)
{
	return job_plan(run->job)->variant.name[0] != '\0';
}

static bool has_variant(sd_json_variant *variants, const struct variant *wanted)
{
	for (size_t i = 0; i < sd_json_variant_elements(variants); i++) {
		struct variant found;

		if (variant_from_json(sd_json_variant_by_index(variants, i), &found) >= 0 &&
		    strcmp(found.name, wanted->name) == 0 && found.erases == wanted->erases)
			return true;
	}
	return false;
}

static void on_check_event(const char *name, sd_json_variant *event, void *user)
{
	struct run *run = user;

	if (strcmp(name, "progress") != 0)
		return;
	progress_update(&run->progress, "check", field_unsigned(event, "done", 0),
			field_unsigned(event, "total", 0), true, clock_now_ms());
	run->progressed = true;
	run->jobs->options.touched_fn(run->jobs->options.user);
}

/* What stands in the way of installing it; NULL nothing. */
static const char *check_fault(const struct run *run, sd_json_variant *result)
{
	const struct plan *plan = job_plan(run->job);
	const char *hash = field_string(result, "manifest_sha256");
	struct signing signing;
	struct firmware checked;

	if (firmware_from_json(field_object(result, "firmware"), &checked) < 0)
		return "what the firmware file holds cannot be read: plan again";
	if (strcmp(checked.build, plan->firmware.build) != 0)
		return "the firmware file holds another build than was planned: plan again";
	if (installs(run) && !has_variant(field_array(result, "variants"), &plan->variant))
		return "the firmware file cannot be installed on this board as planned: plan "
		       "again, or take another file";
	if (work_signing(run, &signing) && signing.manifest_sha256[0] != '\0' && hash &&
	    strcmp(signing.manifest_sha256, hash) != 0)
		return "the firmware file holds another manifest than the one that Apple was asked "
		       "about: it was changed meanwhile, or the disk cannot be trusted. Delete "
		       "it (idevicerescue firmware drop) and plan again";
	return NULL;
}

/* {"proof":{"firmware":{…}}}: how much of the file was proven. */
static int proof_of_file(const struct run *run, sd_json_variant *result, sd_json_variant **ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *firmware = NULL, *proof = NULL;
	sd_json_variant *told = field_object(result, "proof");
	sd_json_variant *digests = field_object(told, "digests");
	uint64_t level = field_unsigned(told, "level", 0);
	uint64_t unlike = field_unsigned(digests, "unlike", 0);
	struct signing signing;
	bool ticket = level >= LEVEL_DIGESTS && work_signing(run, &signing) &&
		      signing.verdict == SIGN_SIGNED &&
		      field_is(result, "manifest_sha256", signing.manifest_sha256);
	int r;

	r = sd_json_buildo(
	    &firmware, SD_JSON_BUILD_PAIR_UNSIGNED("level", level),
	    SD_JSON_BUILD_PAIR_BOOLEAN("hash", job_plan(run->job)->firmware.verified ||
						   field_true(told, "hash")),
	    SD_JSON_BUILD_PAIR_UNSIGNED("members", field_unsigned(told, "members", 0)),
	    SD_JSON_BUILD_PAIR_UNSIGNED("crc", field_unsigned(told, "crc", 0)),
	    SD_JSON_BUILD_PAIR_UNSIGNED("matched", field_unsigned(digests, "matched", 0)),
	    SD_JSON_BUILD_PAIR_UNSIGNED("skipped", field_unsigned(digests, "skipped", 0)),
	    SD_JSON_BUILD_PAIR_CONDITION(unlike > 0, "unlike", SD_JSON_BUILD_UNSIGNED(unlike)),
	    SD_JSON_BUILD_PAIR_BOOLEAN("ticket", ticket));
	if (r >= 0)
		r = sd_json_buildo(&proof, SD_JSON_BUILD_PAIR_VARIANT("firmware", firmware));
	if (r >= 0)
		r = sd_json_buildo(
		    ret,
		    SD_JSON_BUILD_PAIR_UNSIGNED("members", field_unsigned(result, "members", 0)),
		    SD_JSON_BUILD_PAIR_VARIANT("proof", proof));
	return r;
}

/* One file of the cache serves all products of its manifest. A file that the person brought lies
 * elsewhere, and gets no note. */
static void note_products(const struct run *run, sd_json_variant *products)
{
	struct firmware firmware = job_plan(run->job)->firmware;
	char words[CACHE_PRODUCTS_BYTES] = "";
	size_t n = 0;

	if (!run_firmware_path(run, firmware.path) ||
	    !cache_holds(&job_plan(run->job)->room, firmware.path))
		return;
	for (size_t i = 0; i < sd_json_variant_elements(products); i++) {
		sd_json_variant *one = sd_json_variant_by_index(products, i);
		const char *text =
		    sd_json_variant_is_string(one) ? sd_json_variant_string(one) : "";

		/* half a name would be another product */
		if (n + strlen(text) + 1 < sizeof(words))
			n += (size_t)snprintf(words + n, sizeof(words) - n, "%s ", text);
	}
	firmware.verified = false; /* who hashed it has signed for it */
	if (cache_note(&firmware, words) < 0)
		log_info("job %s: what %s serves cannot be noted", run->id, firmware.path);
}

static void on_check_end(sd_json_variant *result, const struct error *err, void *user)
{
	struct run *run = user;
	sd_json_variant *facts = NULL;
	uint64_t level;
	const char *fault;

	if (!work_succeeded(run, err))
		return;
	level = field_unsigned(field_object(result, "proof"), "level", 0);
	fault = check_fault(run, result);
	if (fault) {
		run_step_fail(run, ERROR_BAD_FILE, false, fault);
		return;
	}
	if (installs(run) && level < LEVEL_MEMBERS) {
		work_answer_is_wrong(run); /* nothing is installed on half a proof */
		return;
	}
	note_products(run, field_array(result, "products"));
	(void)proof_of_file(run, result, &facts);
	run_step_done(run, facts, false);
}

void work_check(struct run *run, const struct phone *phone)
{
	const struct plan *plan = job_plan(run->job);
	const struct firmware *firmware = &plan->firmware;
	char path[FIRMWARE_PATH_BYTES];
	sd_json_variant *fields = NULL;
	struct signing signing;
	unsigned level = LEVEL_MEMBERS;
	/* Apple's list and another source tell this hash: then it is the file that Apple publishes,
	 * and it may not be refused for a digest that we do not understand */
	bool vouched = firmware->confirmed && firmware_has_source(firmware, "apple");
	int r;

	if (!run_firmware_path(run, path)) {
		run_step_fail(run, ERROR_BUG, false, "the path of the firmware is too long");
		return;
	}
	if (work_signing(run, &signing) && signing.verdict == SIGN_SIGNED)
		level = LEVEL_DIGESTS;
	r = sd_json_buildo(
	    &fields, SD_JSON_BUILD_PAIR_STRING("path", path),
	    SD_JSON_BUILD_PAIR_STRING("product", plan->product),
	    SD_JSON_BUILD_PAIR_STRING("board", plan->board),
	    SD_JSON_BUILD_PAIR_CONDITION(installs(run), "level", SD_JSON_BUILD_UNSIGNED(level)),
	    SD_JSON_BUILD_PAIR_CONDITION(installs(run) && firmware->sha1[0] != '\0', "sha1",
					 SD_JSON_BUILD_STRING(firmware->sha1)),
	    SD_JSON_BUILD_PAIR_CONDITION(installs(run) && firmware->sha256[0] != '\0', "sha256",
					 SD_JSON_BUILD_STRING(firmware->sha256)),
	    SD_JSON_BUILD_PAIR_CONDITION(installs(run) && vouched, "vouched",
					 SD_JSON_BUILD_BOOLEAN(true)));
	work_ask(run, "check", r, fields, on_check_event, on_check_end);
}
