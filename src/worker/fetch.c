/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One file:
 *
 *      lies there whole ───────────────────────────────────────────────▶ done
 *      │ no
 *      ▼                 given up: the next source
 *   resumed ─▶ a source ◀──────────┐
 *                │ lanes_run() ────┘
 *                │ all bytes                 hashes wrong: HASH.ipsw.bad, once more from 0
 *                ▼
 *             HASH.ipsw, HASH.ipsw.json ──▶ done
 *
 * Invariants: the part is a true prefix at every moment; every way out leaves it so that the next
 * fetch goes on; after wrong bytes a shop's own server is not asked again.
 */
#include "worker/fetch.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "worker/fetch_lanes.h"
#include "worker/fetch_note.h"
#include "worker/fetch_part.h"
#include "worker/fetch_source.h"
#include "worker/fetch_space.h"
#include "worker/fetch_tell.h"
#include "worker/fetch_whole.h"
#include "worker/http.h"
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CONNECTIONS = 8, DOWNLOADS = 2 };

struct fields {
	sd_json_variant *firmware; /* borrowed */
	const char *folder, *mirror;
	uint64_t connections;
	int rehash;
};

static const sd_json_dispatch_field fetch_fields[] = {
	{ "firmware", SD_JSON_VARIANT_OBJECT, sd_json_dispatch_variant_noref,
	  offsetof(struct fields, firmware), SD_JSON_REFUSE_NULL | SD_JSON_MANDATORY },
	{ "folder", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
	  offsetof(struct fields, folder), SD_JSON_REFUSE_NULL | SD_JSON_MANDATORY },
	{ "mirror", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
	  offsetof(struct fields, mirror), SD_JSON_REFUSE_NULL },
	{ "connections", SD_JSON_VARIANT_UNSIGNED, sd_json_dispatch_uint64,
	  offsetof(struct fields, connections), SD_JSON_REFUSE_NULL },
	{ "rehash", SD_JSON_VARIANT_BOOLEAN, sd_json_dispatch_tristate,
	  offsetof(struct fields, rehash), SD_JSON_REFUSE_NULL },
	{},
};

struct fetch {
	struct http *http;
	struct fetch_place place;
	struct ipsw ipsw;
	struct part *part;
	unsigned connections;
	bool rehash;
	struct fetch_source sources[SOURCES_MAX];
	size_t source_count, source; /* source: the one that is asked now */
	bool mixed;                  /* a shop's own server sent some of the part's bytes */
	uint64_t fetched; /* bytes over the network, in all runs of the lanes that ended */
	char from[HTTP_HOST_BYTES];
	struct fetch_tell tell;
};

static void fetch_done(struct fetch *fetch)
{
	part_free(fetch->part);
	if (fetch->place.folder_fd >= 0)
		close(fetch->place.folder_fd);
	http_free(fetch->http);
}

static int hash_error(struct error *err)
{
	return error_set_errno(err, ERROR_BUG, "worker", ENOMEM, "Cannot hash");
}

/* --- what the others tell */

static int on_hashed(void *context, uint64_t done)
{
	struct fetch *fetch = context;

	return fetch_tell_progress(&fetch->tell, done, 0, "", false, NULL);
}

static int on_progress(void *context, uint64_t done, uint64_t came, const char *host,
		       struct error *err)
{
	struct fetch *fetch = context;

	if (host[0])
		text_copy(fetch->from, sizeof(fetch->from), host);
	return fetch_tell_progress(&fetch->tell, done, fetch->fetched + came, host, false, err);
}

static int on_retry(void *context, const char *reason, struct error *err)
{
	return fetch_tell_retry(reason, err);
}

/* Looks at the free space; a bad download of before gives way. */
static int on_room(void *context, uint64_t done, struct error *err)
{
	struct fetch *fetch = context;
	const struct fetch_place *place = &fetch->place;
	uint64_t size = fetch->ipsw.size;
	char bad[PLACE_NAME_BYTES];
	struct space space;
	int r = space_read(place->folder_fd, &space, err);

	if (r == 0)
		r = space_check(&space, size - done, size, place->folder, err);
	if (r == 0)
		return 0;
	fetch_place_name(place, ".bad", bad);
	if (unlinkat(place->folder_fd, bad, 0) < 0 || space_read(place->folder_fd, &space, err) < 0)
		return r;
	return space_check(&space, size - done, size, place->folder, err);
}

/* --- the download */

static int source_run(struct fetch *fetch, struct error *err)
{
	const struct fetch_source *source = &fetch->sources[fetch->source];
	struct lanes_options options = {
		.http = fetch->http,
		.part = fetch->part,
		.url = source->url,
		.is_own_server = source->is_own_server,
		.size = fetch->ipsw.size,
		.connections = fetch->connections,
		.watch = { on_progress, on_retry, on_room, fetch },
	};
	uint64_t came = 0;
	int r = lanes_run(&options, &came, err);

	fetch->fetched += came;
	if (came > 0 && source->is_own_server)
		fetch->mixed = true;
	return r;
}

static int next_source(struct fetch *fetch, const struct error *failed, struct error *err)
{
	char reason[ERROR_TEXT_BYTES];

	fetch->source++;
	snprintf(reason, sizeof(reason), "%.180s. The next server is asked", failed->text);
	return fetch_tell_retry(reason, err);
}

/* Until all bytes are there. */
static int fetch_bytes(struct fetch *fetch, struct error *err)
{
	for (;;) {
		struct error failed = {};
		int r = 0;

		if (part_done(fetch->part) < fetch->ipsw.size)
			r = source_run(fetch, &failed);
		if (r == 0)
			return fetch_tell_progress(&fetch->tell, fetch->ipsw.size, fetch->fetched,
						   fetch->from, true, err);
		if (fetch->source + 1 == fetch->source_count ||
		    (failed.kind != ERROR_NETWORK && failed.kind != ERROR_PROTOCOL)) {
			if (err)
				*err = failed;
			return r;
		}
		r = next_source(fetch, &failed, err);
		if (r < 0)
			return r;
	}
}

static int fetch_find(struct fetch *fetch, struct error *err)
{
	struct whole_options options = { fetch->rehash, on_hashed, fetch };

	return whole_find(&fetch->place, &fetch->ipsw, &options, err);
}

/* Opens the part and takes up what lies there. 1: another fetch made it whole meanwhile. */
static int part_begin(struct fetch *fetch, struct error *err)
{
	int r;

	fetch->part = part_free(fetch->part);
	r = part_open(&fetch->place, &fetch->ipsw, &fetch->part, err);
	if (r == 0)
		r = fetch_find(fetch, err);
	if (r > 0)
		part_drop(fetch->part);
	if (r != 0)
		return r;
	r = part_resume(fetch->part, on_hashed, fetch, err);
	if (r == 0)
		r = on_room(fetch, part_done(fetch->part), err);
	if (r == 0 && part_done(fetch->part) > 0)
		r = fetch_tell_resumed(part_done(fetch->part), err);
	return r;
}

static int fetch_named(struct fetch *fetch, const struct digest *digest, struct error *err)
{
	int r;

	if (digest_sha1(digest, fetch->ipsw.sha1) < 0 ||
	    digest_sha256(digest, fetch->ipsw.sha256) < 0)
		return hash_error(err);
	r = note_write(&fetch->place, &fetch->ipsw, clock_wall_ms());
	if (r < 0)
		log_warning("Cannot note that %s is right: %s", fetch->place.stem, strerror(-r));
	return 0;
}

/* One whole download. 1: it is there and right; 0: its bytes were wrong. */
static int fetch_once(struct fetch *fetch, struct error *err)
{
	_cleanup_(digest_freep) struct digest *digest = NULL;
	int r = part_begin(fetch, err);

	if (r != 0)
		return r;
	if (digest_new(&digest) < 0)
		return hash_error(err);
	r = fetch_bytes(fetch, err);
	if (r == 0)
		r = part_finish(fetch->part, digest, on_hashed, fetch, err);
	if (r > 0 && fetch_named(fetch, digest, err) < 0)
		return -ENOMEM;
	return r;
}

/* Once more if the bytes turn out to be wrong; a shop's own server has one try of its own. */
static int fetch_download(struct fetch *fetch, struct error *err)
{
	int left = DOWNLOADS;

	while (left > 0) {
		int r = fetch_once(fetch, err);

		if (r != 0)
			return r < 0 ? r : 0;
		left -= !fetch->mixed;
		fetch->mixed = false;
		fetch->source = fetch->source_count - 1;
		r = fetch_tell_retry("The checksum of the firmware file is wrong", err);
		if (r < 0)
			return r;
	}
	return error_set(
	    err, ERROR_BAD_FILE, "worker", 0,
	    "The firmware file arrived wrong twice: its checksum is not what the "
	    "catalogue tells. It is kept as .bad. Use another stick or disk, or another "
	    "network");
}

/* --- the request */

static int usage(struct error *err, const char *text)
{
	return error_set(err, ERROR_USAGE, "worker", 0, "%s", text);
}

static int firmware_take(struct fetch *fetch, sd_json_variant *object, struct error *err)
{
	int r = ipsw_from_json(object, &fetch->ipsw, err);

	if (r < 0)
		return r;
	if (ipsw_set_url(&fetch->ipsw, fetch->ipsw.url) < 0)
		return usage(err, "The firmware's \"url\" is no address of Apple's firmware");
	if (!fetch->ipsw.sha1[0] && !fetch->ipsw.sha256[0])
		return usage(err, "The firmware has no hash");
	if (!ipsw_size_is_sane(fetch->ipsw.size, true))
		return usage(err, "The firmware has no size");
	fetch->tell.total = fetch->ipsw.size;
	fetch_place_set_stem(&fetch->place, &fetch->ipsw);
	return 0;
}

static int request_take(const struct request *request, struct fetch *fetch, struct error *err)
{
	struct fields fields = { .folder = "", .mirror = "", .connections = CONNECTIONS };
	int r = request_fields(request, fetch_fields, &fields, err);

	if (r == 0)
		r = firmware_take(fetch, fields.firmware, err);
	if (r < 0)
		return r;
	if (fields.folder[0] != '/' || strlen(fields.folder) + PLACE_NAME_BYTES > IPSW_PATH_BYTES)
		return usage(err, "Field \"folder\" is no absolute path");
	if (fields.connections < 1 || fields.connections > WINDOW_SPANS)
		return usage(err, "Field \"connections\" is not 1 to 8");
	if (fetch_sources(&fetch->ipsw, fetch->place.stem, fields.mirror, fetch->sources,
			  &fetch->source_count) < 0)
		return usage(err, "Field \"mirror\" is no base address of a server");
	fetch->place.folder = fields.folder;
	fetch->connections = (unsigned)fields.connections;
	fetch->rehash = fields.rehash > 0;
	return 0;
}

static int folder_open(struct fetch *fetch, struct error *err)
{
	struct fetch_place *place = &fetch->place;

	place->folder_fd = open(place->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (place->folder_fd < 0)
		return error_set_errno(err, ERROR_NO_SPACE, "kernel", errno,
				       "The folder for firmware, %.120s, cannot be used",
				       place->folder);
	return 0;
}

static int result_build(struct fetch *fetch, sd_json_variant **ret, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *firmware = NULL;
	const char *end = strrchr(fetch->place.folder, '/');
	int r;

	snprintf(fetch->ipsw.path, sizeof(fetch->ipsw.path), "%s%s%s", fetch->place.folder,
		 end && end[1] == '\0' ? "" : "/", fetch->place.stem);
	fetch->ipsw.verified = true;
	r = ipsw_to_json(&fetch->ipsw, &firmware, err);
	if (r < 0)
		return r;
	r = sd_json_buildo(ret, SD_JSON_BUILD_PAIR_VARIANT("firmware", firmware),
			   SD_JSON_BUILD_PAIR_UNSIGNED("fetched", fetch->fetched),
			   SD_JSON_BUILD_PAIR_CONDITION(fetch->from[0] != '\0', "from",
							SD_JSON_BUILD_STRING(fetch->from)));
	return r < 0 ? error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot build the result") : 0;
}

int fetch_run(const struct request *request, sd_json_variant **ret_fields, struct error *err)
{
	_cleanup_(fetch_done) struct fetch fetch = { .place = { .folder_fd = -1, .folder = "" } };
	int r = request_take(request, &fetch, err);

	if (r == 0)
		r = folder_open(&fetch, err);
	if (r == 0)
		r = fetch_find(&fetch, err);
	if (r < 0)
		return r;
	if (r == 0) {
		fetch.rehash = false; /* what comes now is hashed anyway */
		r = http_new(&fetch.http, err);
		if (r == 0)
			r = fetch_download(&fetch, err);
		if (r < 0)
			return r;
	} else {
		part_clear(&fetch.place);
	}
	return result_build(&fetch, ret_fields, err);
}
