/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Owns one worker link for each question that is under way. The workers themselves see to it that
 * only one of them is at the disks (`busy`).
 */
#include "service/disks.h"
#include "base/log.h"
#include "base/object.h"
#include "facts/facts.h"
#include "service/fields.h"
#include "service/worker_link.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct question {
	struct question *next;
	struct disks *disks;
	struct worker_link *link;
	sd_json_variant *list; /* of `list`: what has been told so far */
	bool lists, uses;
	disks_fn fn; /* NULL: nobody waits */
	void *user;
};

struct disks {
	struct worker_pool *pool;
	struct question *questions;
};

int disks_new(struct worker_pool *pool, struct disks **ret)
{
	struct disks *disks = calloc(1, sizeof(*disks));

	if (!disks)
		return -ENOMEM;
	disks->pool = pool;
	*ret = disks;
	return 0;
}

static void question_free(struct question *question)
{
	struct question **at = &question->disks->questions;

	while (*at && *at != question)
		at = &(*at)->next;
	if (*at)
		*at = question->next;
	worker_link_free(question->link);
	sd_json_variant_unref(question->list);
	free(question);
}
DEFINE_CLEANUP(struct question *, question_free)

struct disks *disks_free(struct disks *disks)
{
	if (!disks)
		return NULL;
	while (disks->questions)
		question_free(disks->questions);
	free(disks);
	return NULL;
}

void disks_forget(struct disks *disks, const void *user)
{
	for (struct question *at = disks->questions; at; at = at->next)
		if (at->user == user)
			at->fn = NULL;
}

/* --- answers --------------------------------------------------------------------------------- */

/* The object Disk, of an event or a result. */
static int disk_build(sd_json_variant *from, sd_json_variant **ret)
{
	static const char *const texts[] = { "id",   "device", "disk", "filesystem", "label",
					     "uuid", "cause",  "text", "folder" };
	_cleanup_(object_done) struct object object = { 0 };

	if (!field_string(from, "id") || !field_string(from, "device"))
		return -EBADMSG;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		object_text(&object, texts[i], field_string(from, texts[i]));
	object_number(&object, "size_bytes", field_unsigned(from, "size_bytes", 0));
	object_flag(&object, "internal", field_true(from, "internal"));
	if (sd_json_variant_by_key(from, "free_bytes"))
		object_number(&object, "free_bytes", field_unsigned(from, "free_bytes", 0));
	return object_end(&object, ret);
}

static void on_event(const char *name, sd_json_variant *event, void *user)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *disk = NULL;
	struct question *question = user;
	int r;

	if (!question->lists || strcmp(name, "disk") != 0)
		return;
	r = disk_build(event, &disk);
	if (r >= 0)
		r = sd_json_variant_append_array(&question->list, disk);
	if (r < 0)
		log_warning("a line of worker disk is passed over: %s", strerror(-r));
}

static void on_end(sd_json_variant *result, const struct error *err, void *user)
{
	_cleanup_(question_freep) struct question *question = user;
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	struct error bad;
	int r = 0;

	if (!err && question->lists)
		object = sd_json_variant_ref(question->list);
	if (!err && question->uses)
		r = field_string(result, "folder") && field_string(result, "uuid")
			? disk_build(result, &object)
			: -EBADMSG;
	if (r < 0) {
		(void)error_set(&bad, ERROR_PROTOCOL, "service", 0,
				"worker disk answered with something that is not allowed");
		err = &bad;
	}
	if (question->fn)
		question->fn(object, err, question->user);
}

/* --- questions ------------------------------------------------------------------------------- */

static int ask(struct disks *disks, const struct question *what, sd_json_variant *fields,
	       struct error *err)
{
	_cleanup_(question_freep) struct question *question = NULL;
	struct worker_request request = {
		.kind = "disk",
		.fields = fields,
		.total_ms = timing_ms(TIMING_DISK),
		.event_fn = on_event,
		.end_fn = on_end,
	};
	int r = 0;

	if (!disks->pool)
		return error_set(err, ERROR_UNSUPPORTED, "service", 0,
				 "a tape is played: this computer's disks are not touched");
	question = malloc(sizeof(*question));
	if (question) {
		*question = *what;
		question->disks = disks;
		if (question->lists)
			r = sd_json_variant_new_array(&question->list, NULL, 0);
		request.user = question;
	}
	if (!question || r < 0)
		return error_set_errno(err, ERROR_BUG, "service", ENOMEM, "disk");
	r = worker_link_new(disks->pool, &request, &question->link, err);
	if (r < 0)
		return r;
	question->next = disks->questions;
	disks->questions = TAKE(question);
	return 0;
}

static int fields_failed(int r, struct error *err)
{
	return error_set_errno(err, ERROR_BUG, "service", -r, "disk");
}

int disks_list(struct disks *disks, disks_fn fn, void *user, struct error *err)
{
	const struct question what = { .lists = true, .fn = fn, .user = user };
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	int r = sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_STRING("action", "list"));

	return r < 0 ? fields_failed(r, err) : ask(disks, &what, fields, err);
}

int disks_use(struct disks *disks, const char *volume, bool internal, disks_fn fn, void *user,
	      struct error *err)
{
	const struct question what = { .uses = true, .fn = fn, .user = user };
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	int r = sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_STRING("action", "use"),
			       SD_JSON_BUILD_PAIR_STRING("volume", volume),
			       SD_JSON_BUILD_PAIR_BOOLEAN("internal", internal));

	return r < 0 ? fields_failed(r, err) : ask(disks, &what, fields, err);
}

int disks_end(struct disks *disks, const char *keep, disks_fn fn, void *user, struct error *err)
{
	const struct question what = { .fn = fn, .user = user };
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	int r = sd_json_buildo(
	    &fields, SD_JSON_BUILD_PAIR_STRING("action", "end"),
	    SD_JSON_BUILD_PAIR_CONDITION(keep != NULL, "keep", SD_JSON_BUILD_STRING(keep)));

	return r < 0 ? fields_failed(r, err) : ask(disks, &what, fields, err);
}
