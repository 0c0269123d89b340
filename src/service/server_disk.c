/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ListDisks, UseCache: where firmware is kept, also on a disk that must be mounted first.
 *
 *   a disk:          worker mounts it ──▶ chosen ──┐
 *   folder, off:                          chosen ──┴─▶ a disk was mounted before, and is not the
 *                                                      one: worker unmounts it ──▶ answered
 *   URL:             chosen ──▶ answered
 *
 * Invariants: a disk is left only when no job needs a file on it; it counts as mounted (settings)
 * until the worker says that it is not any more, so that `off` can be said again.
 */
#include "base/cleanup.h"
#include "facts/facts.h"
#include "service/disks.h"
#include "service/fields.h"
#include "service/server_parts.h"
#include <errno.h>
#include <string.h>

/* As a choice it also ends what was mounted for one that was never made: the person went away. */
static const char off_word[] = "off";

/* What to do next about a disk stands in the text already, but for what is no refusal of ours. */
static void reply_disk_failure(sd_varlink *link, const struct error *err)
{
	bool told = err->kind == ERROR_REFUSED || err->kind == ERROR_USAGE ||
		    err->kind == ERROR_AMBIGUOUS || err->kind == ERROR_UNSUPPORTED ||
		    err->kind == ERROR_BUSY;

	if (told)
		(void)reply_refused_next(link, err, message_find("disk-next")->text);
	else
		(void)reply_refused(link, err);
}

static int no_disks(struct error *err)
{
	return error_set(err, ERROR_UNSUPPORTED, "service", 0,
			 "this computer's disks cannot be reached from here");
}

/* --- ListDisks ------------------------------------------------------------------------------- */

static void on_listed(sd_json_variant *object, const struct error *err, void *user)
{
	struct pending *pending = user;

	if (err)
		reply_disk_failure(pending->link, err);
	else
		(void)sd_varlink_replybo(pending->link,
					 SD_JSON_BUILD_PAIR_VARIANT("disks", object));
	pending_end(pending);
}

int on_list_disks(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
		  void *user)
{
	struct server *server = user;
	struct pending *pending;
	struct error err;
	int r = sd_varlink_dispatch(link, parameters, NULL, NULL);

	if (r != 0)
		return r;
	pending = pending_new(server, link, "");
	if (!pending)
		return sd_varlink_error_errno(link, -ENOMEM);
	r = server->options.disks ? disks_list(server->options.disks, on_listed, pending, &err)
				  : no_disks(&err);
	if (r < 0) {
		reply_disk_failure(link, &err);
		pending_end(pending);
	}
	return 0;
}

/* --- UseCache -------------------------------------------------------------------------------- */

/* The call is over: with the error, or with what is kept where now. */
static void use_end(struct pending *pending, const struct error *err)
{
	if (err)
		reply_disk_failure(pending->link, err);
	else
		(void)reply_cache(pending->server, pending->link, pending->disk);
	pending_end(pending);
}

/* Is the disk that was mounted before (its uuid, "" none) another one than now? */
static bool is_left(const struct pending *pending, const char *before)
{
	const char *uuid = field_string(pending->disk, "uuid");

	if (before[0] == '\0')
		return false;
	/* also by the path of its own folder it stays */
	return uuid ? strcmp(uuid, before) != 0 : !strstr(pending->use, before);
}

static int check_left(const struct pending *pending, const char *before, struct error *err)
{
	if (!is_left(pending, before) || !cache_is_needed(pending->server, before))
		return 0;
	return error_set(err, ERROR_BUSY, "service", 0, "%s", message_find("disk-in-job")->text);
}

static void on_left(sd_json_variant *object, const struct error *err, void *user)
{
	_cleanup_free_ char *text = NULL;
	struct pending *pending = user;
	char before[STORAGE_DISK_BYTES];
	struct error failure;
	bool known = storage_disk(pending->server->options.storage, before);

	/* a choice that was made elsewhere, or none: nothing of ours is mounted */
	if (!err || err->kind == ERROR_UNSUPPORTED || (!known && err->kind != ERROR_BUSY)) {
		if (known && !pending->disk)
			(void)storage_forget_disk(pending->server->options.storage);
		use_end(pending, NULL);
		return;
	}
	text = message_format("disk-choice-first", "text", err->text, NULL);
	(void)error_set(&failure, err->kind, err->origin, err->code, "%s", text ?: err->text);
	use_end(pending, &failure);
}

static int choose(struct pending *pending, struct error *err)
{
	const struct storage *storage = pending->server->options.storage;

	if (!pending->disk)
		return storage_choose(storage, pending->use, err);
	return storage_choose_disk(storage, field_string(pending->disk, "folder"),
				   field_string(pending->disk, "uuid"), err);
}

/* What was mounted for a choice that was not made: nobody waits for its end. */
static void unmount_new(struct pending *pending, const char *before)
{
	struct disks *disks = pending->server->options.disks;

	if (pending->disk && (before[0] == '\0' || is_left(pending, before)))
		(void)disks_end(disks, before[0] != '\0' ? before : NULL, NULL, NULL, NULL);
}

/* The disk, if it is to be one, is mounted. */
static void use_choose(struct pending *pending)
{
	struct server *server = pending->server;
	char before[STORAGE_DISK_BYTES] = "";
	struct error err;
	int r;

	if (pending->disk || !storage_word_is_url(pending->use))
		(void)storage_disk(server->options.storage, before);
	r = check_left(pending, before, &err);
	if (r >= 0)
		r = choose(pending, &err);
	if (r < 0)
		unmount_new(pending, before);
	if (r >= 0 && server->options.disks &&
	    (is_left(pending, before) || strcmp(pending->use, off_word) == 0)) {
		r = disks_end(server->options.disks,
			      pending->disk ? field_string(pending->disk, "uuid") : NULL, on_left,
			      pending, &err);
		if (r >= 0)
			return;
	}
	use_end(pending, r < 0 ? &err : NULL);
}

static void on_mounted(sd_json_variant *object, const struct error *err, void *user)
{
	struct pending *pending = user;

	if (err) {
		use_end(pending, err);
		return;
	}
	pending->disk = sd_json_variant_ref(object);
	use_choose(pending);
}

int on_use_cache(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
		 void *user)
{
	struct use_parameters {
		const char *use;
		bool internal;
	} p = { 0 };
	static const sd_json_dispatch_field table[] = {
		TEXT_FIELD(use_parameters, use, MUST),
		{ "internal", SD_JSON_VARIANT_BOOLEAN, sd_json_dispatch_stdbool,
		  offsetof(struct use_parameters, internal), SD_JSON_NULLABLE },
		{},
	};
	struct server *server = user;
	struct pending *pending;
	struct error err;
	int r = sd_varlink_dispatch(link, parameters, table, &p);

	if (r != 0)
		return r;
	if (!server->options.storage) {
		(void)error_set(&err, ERROR_UNSUPPORTED, "service", 0, "It keeps no firmware");
		return reply_refused(link, &err);
	}
	pending = pending_new(server, link, "");
	if (pending)
		pending->use = strdup(p.use);
	if (!pending || !pending->use) {
		if (pending)
			pending_end(pending);
		return sd_varlink_error_errno(link, -ENOMEM);
	}
	if (!storage_word_is_disk(p.use)) {
		use_choose(pending);
		return 0;
	}
	r = server->options.disks
		? disks_use(server->options.disks, p.use, p.internal, on_mounted, pending, &err)
		: no_disks(&err);
	if (r < 0)
		use_end(pending, &err);
	return 0;
}
