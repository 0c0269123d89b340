/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The kind `restore`: checks, hands over to a file, runs the engine, tells the end.
 *
 *   request ──▶ checked against the file ──▶ engine-N.jsonl made, locked     tied to the socket
 *   ───────────────────────────────────────────────────────────────────     lives on its own
 *   "following" ──▶ engine runs, is followed ──▶ result in the file,
 *                                                then to whoever listens
 */
#include "worker/restore.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "worker/lifeline.h"
#include "worker/relay.h"
#include "worker/reply.h"
#include "worker/restore_check.h"
#include "worker/restore_engine.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>

enum { ATTEMPT_MAX = 9 };

/* --- the request */

struct fields {
	const char *folder, *ecid, *path, *name, *variant, *consent;
	uint64_t attempt, os_bytes;
	bool erase;
};

#define FIELD(name, variant_type, dispatch, member, flags)                                         \
	{ name, SD_JSON_VARIANT_##variant_type, sd_json_dispatch_##dispatch,                       \
	  offsetof(struct fields, member), SD_JSON_REFUSE_NULL | (flags) }

static const sd_json_dispatch_field own_fields[] = {
	FIELD("folder", STRING, const_string, folder, SD_JSON_MANDATORY),
	FIELD("attempt", UNSIGNED, uint64, attempt, SD_JSON_MANDATORY),
	FIELD("ecid", STRING, const_string, ecid, SD_JSON_MANDATORY),
	FIELD("path", STRING, const_string, path, SD_JSON_MANDATORY),
	FIELD("name", STRING, const_string, name, 0),
	FIELD("variant", STRING, const_string, variant, SD_JSON_MANDATORY),
	FIELD("erase", BOOLEAN, stdbool, erase, SD_JSON_MANDATORY),
	FIELD("os_bytes", UNSIGNED, uint64, os_bytes, SD_JSON_MANDATORY),
	FIELD("consent", STRING, const_string, consent, 0),
	{},
};

static int refuse(struct error *err, const char *what)
{
	(void)error_set(err, ERROR_USAGE, "worker", 0, "%s", what);
	return -EINVAL;
}

static bool path_is_plain(const char *path)
{
	return path[0] == '/' && strlen(path) < PATH_MAX;
}

/* A file name that a server told: no way out of a folder. */
static bool name_is_plain(const char *name)
{
	return name[0] != '\0' && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
	       !strchr(name, '/') && strlen(name) < RESTORE_NAME_BYTES;
}

/* The four characters that a person types; which ones is the service's to compare. */
static bool consent_is_plain(const char *consent)
{
	static const char allowed[] = "0123456789abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	return strlen(consent) == RESTORE_CONSENT_BYTES - 1 &&
	       strspn(consent, allowed) == RESTORE_CONSENT_BYTES - 1;
}

static int consent_check(const struct fields *fields, struct error *err)
{
	if (!fields->erase && fields->consent)
		return refuse(err, "Field \"consent\" belongs to an erase only");
	if (!fields->erase)
		return 0;
	if (!fields->consent || fields->consent[0] == '\0')
		return error_set(err, ERROR_NO_CONSENT, "worker", 0,
				 "Everything on the phone would be erased, and nobody typed that "
				 "it may");
	if (!consent_is_plain(fields->consent))
		return refuse(err, "Field \"consent\" is not four letters and digits");
	return 0;
}

int restore_request_parse(const struct request *request, struct restore_request *ret,
			  struct error *err)
{
	struct fields fields = {};
	uint64_t ecid = 0;
	int r = request_fields(request, own_fields, &fields, err);

	if (r < 0)
		return r;
	r = request_check_ecid(fields.ecid, &ecid, err);
	if (r < 0)
		return r;
	if (ecid == 0)
		return refuse(err, "Field \"ecid\" is no ECID");
	if (!path_is_plain(fields.folder))
		return refuse(err, "Field \"folder\" is no absolute path");
	if (!path_is_plain(fields.path))
		return refuse(err, "Field \"path\" is no absolute path");
	if (fields.name && !name_is_plain(fields.name))
		return refuse(err, "Field \"name\" is no file name");
	if (fields.attempt < 1 || fields.attempt > ATTEMPT_MAX)
		return refuse(err, "Field \"attempt\" is out of range");
	if (fields.variant[0] == '\0' || strlen(fields.variant) >= RESTORE_VARIANT_BYTES)
		return refuse(err, "Field \"variant\" is empty or too long");
	r = consent_check(&fields, err);
	if (r < 0)
		return r;
	*ret = (struct restore_request){
		.folder = fields.folder,
		.path = fields.path,
		.name = fields.name,
		.variant = fields.variant,
		.consent = fields.consent,
		.ecid = ecid,
		.os_bytes = fields.os_bytes,
		.attempt = (unsigned)fields.attempt,
		.erase = fields.erase,
	};
	return 0;
}

/* --- the result */

/* The object `error` with what only this kind says. rule: NULL if the engine never ran. */
static int error_object(const struct error *why, const struct engine_rule *rule, bool touched,
			sd_json_variant **ret)
{
	return sd_json_buildo(
	    ret, SD_JSON_BUILD_PAIR_STRING("kind", error_kind_name(why->kind)),
	    SD_JSON_BUILD_PAIR_STRING("origin", why->origin),
	    SD_JSON_BUILD_PAIR_INTEGER("code", why->code),
	    SD_JSON_BUILD_PAIR_STRING("text", why->text),
	    SD_JSON_BUILD_PAIR_CONDITION(rule != NULL, "rule",
					 SD_JSON_BUILD_STRING(rule ? rule->id : "")),
	    SD_JSON_BUILD_PAIR_BOOLEAN("again", rule && rule->again),
	    SD_JSON_BUILD_PAIR_BOOLEAN("touched", touched),
	    SD_JSON_BUILD_PAIR_CONDITION(rule != NULL, "next",
					 SD_JSON_BUILD_STRING(rule ? rule->next : "")));
}

/* end: NULL if the engine never ran; why: NULL if all is well. */
static int fields_build(const struct restore_end *end, const struct error *why,
			sd_json_variant **ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *error = NULL;
	int r = why ? error_object(why, end ? end->rule : NULL, end && end->touched, &error) : 0;

	if (r < 0)
		return r;
	return sd_json_buildo(
	    ret, SD_JSON_BUILD_PAIR_UNSIGNED("time_ms", clock_wall_ms()),
	    SD_JSON_BUILD_PAIR_CONDITION(end != NULL, "seconds",
					 SD_JSON_BUILD_UNSIGNED(end ? end->seconds : 0)),
	    SD_JSON_BUILD_PAIR_CONDITION(end != NULL, "engine_exit",
					 SD_JSON_BUILD_INTEGER(end ? end->exit : 0)),
	    SD_JSON_BUILD_PAIR_CONDITION(error != NULL, "error", SD_JSON_BUILD_VARIANT(error)));
}

/* Into the file; *ret_fields is for whoever still listens. */
static int end_tell(struct restore_file *file, const struct restore_end *end,
		    const struct error *why, sd_json_variant **ret_fields)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *line = NULL;
	int r = fields_build(end, why, &fields);

	if (r >= 0)
		r = reply_result_build(why, fields, &line);
	if (r >= 0)
		r = restore_file_end(file, line);
	if (r < 0)
		log_error("The result is not in the job's folder: %s", strerror(-r));
	*ret_fields = TAKE(fields);
	return r;
}

/* --- running */

static int folder_open(const char *folder, struct error *err)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	return error_set_errno(err, ERROR_USAGE, "kernel", errno, "The job's folder is not there");
}

/* The service is told where to read, and then not needed any more. */
static int hand_over(const struct restore_file *file, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	int r = sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_STRING("file", file->name));

	lifeline_untie(); /* first: whoever reads that line may hang up at once */
	if (r >= 0)
		r = reply_event("following", fields);
	if (r < 0)
		return error_set_errno(err, ERROR_NO_SERVICE, "worker", -r,
				       "Nobody is there who would follow the restore");
	return 0;
}

int restore_run(const struct request *request, sd_json_variant **ret_fields, struct error *err)
{
	_cleanup_(restore_file_done) struct restore_file file = { .fd = -1 };
	/* freed after the result is told: a request to Apple may still be on its way */
	_cleanup_(relay_freep) struct relay *relay = NULL;
	_cleanup_close_ int folder_fd = -1;
	struct restore_request restore = {};
	struct restore_end end = {};
	int r = restore_request_parse(request, &restore, err);

	if (r < 0)
		return r;
	folder_fd = folder_open(restore.folder, err);
	if (folder_fd < 0)
		return folder_fd;
	r = restore_check(&restore, folder_fd, err);
	if (r < 0)
		return r;
	r = restore_file_create(folder_fd, restore.attempt, &file, err);
	if (r < 0)
		return r;
	r = hand_over(&file, err);
	if (r >= 0)
		r = relay_new(&relay, err);
	if (r >= 0)
		r = restore_engine_run(&restore, folder_fd, &file, relay, &end, err);
	if (r < 0) {
		(void)end_tell(&file, NULL, err, ret_fields);
		return r;
	}
	(void)end_tell(&file, &end, end.rule ? &end.why : NULL, ret_fields);
	if (!end.rule)
		return 0;
	*err = end.why;
	return error_set(NULL, end.why.kind, "", 0, " ");
}
