/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One connection, one file, in order:
 *
 *      lies there whole ──────────────────────────────────────────────▶ done
 *      │ no
 *      ▼           cut, slow, refused: wait 1, 2, 4 … 60 s
 *   resumed ─▶ asking ◀──────────────┐
 *                │ 206 or 200        │
 *                ▼                   │
 *             taking ────────────────┘
 *                │ all bytes                          hashes wrong: NAME.bad, once more from 0
 *                ▼
 *             NAME, NAME.json ──▶ done
 *
 * Invariants: the part is a true prefix at every moment; every way out commits it first, so that
 * the next fetch goes on; the number of tries is bounded, and what counts as progress is bytes
 * kept.
 */
#include "worker/fetch.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "worker/fetch_answer.h"
#include "worker/fetch_part.h"
#include "worker/fetch_space.h"
#include "worker/fetch_whole.h"
#include "worker/http.h"
#include "worker/reply.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	MS_PER_S = 1000,
	PAUSE_FIRST_S = 1,
	PAUSE_LAST_S = 60,
	RETRY_AFTER_MAX_S = 300,
	/* tries in a row that bring nothing */
	TRIES_FIRST = 4, /* before a single byte came: the network is not there at all */
	TRIES_LATER = 8, /* it was there: about three minutes */
	TRIES_WRONG = 3, /* answers that are not the file */
	TRIES_TOTAL = 1000,
	NAME_BYTES = 256,
	HEADER_BYTES = HTTP_ETAG_BYTES + 64,
};
static const uint64_t progress_least = 256 * 1024; /* a try that keeps so much was worth it */
static const uint64_t space_again = 256ULL << 20;

struct fields {
	sd_json_variant *firmware; /* borrowed */
	const char *folder;
};

static const sd_json_dispatch_field fetch_fields[] = {
	{ "firmware", SD_JSON_VARIANT_OBJECT, sd_json_dispatch_variant_noref,
	  offsetof(struct fields, firmware), SD_JSON_REFUSE_NULL | SD_JSON_MANDATORY },
	{ "folder", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
	  offsetof(struct fields, folder), SD_JSON_REFUSE_NULL | SD_JSON_MANDATORY },
	{},
};

/* Why a try ended, as far as the sink knows. */
enum ending { ENDED_BY_NETWORK, ENDED_WRONG, ENDED_CHANGED, ENDED_LATER, ENDED_FOR_GOOD };

struct fetch {
	struct http *http;
	const char *folder;
	int folder_fd;
	struct ipsw ipsw;
	struct part *part;
	uint64_t fetched;   /* bytes over the network */
	uint64_t space_due; /* look at the free space when so much is done */
	uint64_t told_ms;   /* last progress event */
	unsigned tries, idle,
	    wrong; /* in all; in a row without progress; of these, wrong answers */
	/* of the running try */
	enum ending ending;
	unsigned retry_after_s;
	struct error error;
};

static void fetch_done(struct fetch *fetch)
{
	part_free(fetch->part);
	if (fetch->folder_fd >= 0)
		close(fetch->folder_fd);
	http_free(fetch->http);
}

/* --- events */

static int tell(const char *event, sd_json_variant *fields)
{
	int r = reply_event(event, fields);

	if (r < 0)
		log_info("Nobody listens: %s", strerror(-r));
	return r;
}

static int tell_progress(struct fetch *fetch, uint64_t done, bool always)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	uint64_t now = clock_now_ms();

	if (!always && now - fetch->told_ms < timing_ms(TIMING_PROGRESS))
		return 0;
	fetch->told_ms = now;
	if (sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_UNSIGNED("done", done),
			   SD_JSON_BUILD_PAIR_UNSIGNED("total", fetch->ipsw.size)) < 0)
		return -ENOMEM;
	return tell("progress", fields);
}

static int on_hashed(void *context, uint64_t done)
{
	return tell_progress(context, done, false);
}

static int tell_resumed(const struct fetch *fetch, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	int r;

	if (part_done(fetch->part) == 0)
		return 0;
	r = sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_UNSIGNED("done", part_done(fetch->part)));
	if (r >= 0)
		r = tell("resumed", fields);
	return r < 0 ? error_set_errno(err, ERROR_CANCELLED, "worker", -r, "Nobody listens") : 0;
}

static int tell_retry(const char *reason, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	int r = sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_STRING("reason", reason));

	if (r >= 0)
		r = tell("retry", fields);
	return r < 0 ? error_set_errno(err, ERROR_CANCELLED, "worker", -r, "Nobody listens") : 0;
}

/* --- room */

/* Looks at the free space; a bad download of before gives way. */
static int room_check(struct fetch *fetch, struct error *err)
{
	uint64_t done = fetch->part ? part_done(fetch->part) : 0;
	uint64_t more = fetch->ipsw.size - done;
	char bad[NAME_BYTES];
	struct space space;
	int r = space_read(fetch->folder_fd, &space, err);

	if (r < 0)
		return r;
	fetch->space_due = done + space_again;
	r = space_check(&space, more, fetch->ipsw.size, fetch->folder, err);
	if (r == 0)
		return 0;
	snprintf(bad, sizeof(bad), "%s.bad", fetch->ipsw.name);
	if (unlinkat(fetch->folder_fd, bad, 0) < 0 || space_read(fetch->folder_fd, &space, err) < 0)
		return r;
	return space_check(&space, more, fetch->ipsw.size, fetch->folder, err);
}

/* --- one try */

static int try_end(struct fetch *fetch, enum ending ending, int r)
{
	fetch->ending = ending;
	return r;
}

static int answer_refused(struct fetch *fetch, const struct http_head *head,
			  enum fetch_answer answer, const char *why)
{
	int r = error_set(&fetch->error, ERROR_NETWORK, "worker", head->status,
			  "%s %s (HTTP status %u)", head->host, why, head->status);

	fetch->retry_after_s = head->retry_after_s;
	switch (answer) {
	case FETCH_CHANGED:
		return try_end(fetch, ENDED_CHANGED, r);
	case FETCH_LATER:
		return try_end(fetch, ENDED_LATER, r);
	case FETCH_GONE:
		return try_end(fetch, ENDED_FOR_GOOD, r);
	case FETCH_WRONG:
	case FETCH_TAKE:
	case FETCH_REWIND:
		break;
	}
	return try_end(fetch, ENDED_WRONG, r);
}

static int on_head(void *context, const struct http_head *head)
{
	struct fetch *fetch = context;
	const char *why = NULL;
	enum fetch_answer answer = fetch_answer_judge(
	    head, part_done(fetch->part), fetch->ipsw.size, part_etag(fetch->part), &why);
	int r = 0;

	if (answer == FETCH_REWIND) {
		r = part_restart(fetch->part, &fetch->error);
		if (r == 0)
			r = tell_retry("The server sends the file from its begin again",
				       &fetch->error);
		if (r < 0)
			return try_end(fetch, ENDED_FOR_GOOD, r);
		answer = FETCH_TAKE;
	}
	if (answer != FETCH_TAKE)
		return answer_refused(fetch, head, answer, why);
	/* a weak one says nothing about bytes */
	part_set_etag(fetch->part, strncmp(head->etag, "W/", 2) == 0 ? "" : head->etag);
	return 0;
}

static int on_bytes(void *context, const void *bytes, size_t n)
{
	struct fetch *fetch = context;
	uint64_t done = part_done(fetch->part);
	int r;

	if (n > fetch->ipsw.size - done) {
		r = error_set(&fetch->error, ERROR_NETWORK, "worker", 0,
			      "The server sends more than the file");
		return try_end(fetch, ENDED_WRONG, r);
	}
	fetch->fetched += n;
	if (done >= fetch->space_due) {
		r = room_check(fetch, &fetch->error);
		if (r < 0)
			return try_end(fetch, ENDED_FOR_GOOD, r);
	}
	r = part_append(fetch->part, bytes, n, &fetch->error);
	if (r < 0)
		return try_end(fetch, ENDED_FOR_GOOD, r);
	if (tell_progress(fetch, part_done(fetch->part), false) < 0) {
		r = error_set(&fetch->error, ERROR_CANCELLED, "worker", 0, "Nobody listens");
		return try_end(fetch, ENDED_FOR_GOOD, r);
	}
	return 0;
}

/* Asks for what is missing. 0 if the answer ended as it said; the part may still not be whole. */
static int fetch_try(struct fetch *fetch)
{
	char range[HEADER_BYTES], condition[HEADER_BYTES];
	const char *headers[] = { "Accept-Encoding: identity", NULL, NULL, NULL };
	struct http_sink sink = { on_head, on_bytes, fetch };
	struct http_request request = {
		.url = fetch->ipsw.url,
		.headers = headers,
		.host_is_allowed = ipsw_host_is_allowed,
	};
	uint64_t done = part_done(fetch->part);
	int r;

	snprintf(range, sizeof(range), "Range: bytes=%" PRIu64 "-", done);
	snprintf(condition, sizeof(condition), "If-Range: %s", part_etag(fetch->part));
	if (done > 0) {
		headers[1] = range;
		headers[2] = part_etag(fetch->part)[0] ? condition : NULL;
	}
	fetch->ending = ENDED_BY_NETWORK;
	fetch->retry_after_s = 0;
	fetch->error = (struct error){};
	r = http_stream(fetch->http, &request, &sink, &fetch->error);
	if (r == 0 && part_done(fetch->part) < fetch->ipsw.size)
		r = error_set(&fetch->error, ERROR_NETWORK, "worker", 0,
			      "The connection broke in the middle of the file");
	return r;
}

/* --- one try after the other */

static unsigned pause_s(const struct fetch *fetch)
{
	unsigned pause = PAUSE_FIRST_S;

	for (unsigned i = 1; i < fetch->idle && pause < PAUSE_LAST_S; i++)
		pause *= 2;
	if (pause > PAUSE_LAST_S)
		pause = PAUSE_LAST_S;
	if (fetch->retry_after_s > pause)
		pause = fetch->retry_after_s;
	return pause < RETRY_AFTER_MAX_S ? pause : RETRY_AFTER_MAX_S;
}

static bool is_worth_another(struct fetch *fetch, uint64_t before)
{
	uint64_t done = part_done(fetch->part);

	fetch->tries++;
	if (done >= before + progress_least)
		fetch->idle = fetch->wrong = 0;
	fetch->idle++;
	if (fetch->ending == ENDED_WRONG || fetch->ending == ENDED_CHANGED)
		fetch->wrong++;
	return fetch->ending != ENDED_FOR_GOOD && fetch->wrong < TRIES_WRONG &&
	       fetch->idle < (fetch->fetched ? TRIES_LATER : TRIES_FIRST) &&
	       fetch->tries < TRIES_TOTAL;
}

static int fetch_again(struct fetch *fetch, struct error *err)
{
	int r = 0;

	if (fetch->ending == ENDED_CHANGED)
		r = part_restart(fetch->part, err);
	if (r == 0)
		r = tell_retry(fetch->error.text, err);
	if (r == 0)
		http_wait(fetch->http, pause_s(fetch) * MS_PER_S);
	return r;
}

/* Until all bytes are there. */
static int fetch_bytes(struct fetch *fetch, struct error *err)
{
	while (part_done(fetch->part) < fetch->ipsw.size) {
		uint64_t before = part_done(fetch->part);
		struct error ignored;
		int r = fetch_try(fetch);

		/* hanging up rudely after the last byte takes nothing away */
		if (r == 0 || (fetch->ending == ENDED_BY_NETWORK &&
			       part_done(fetch->part) == fetch->ipsw.size))
			continue;
		if (!is_worth_another(fetch, before)) {
			(void)part_commit(fetch->part, &ignored);
			if (err)
				*err = fetch->error;
			return r;
		}
		r = fetch_again(fetch, err);
		if (r < 0)
			return r;
	}
	return tell_progress(fetch, part_done(fetch->part), true) < 0
		   ? error_set(err, ERROR_CANCELLED, "worker", 0, "Nobody listens")
		   : 0;
}

/* Opens the part and takes up what lies there. 1: another fetch made it whole meanwhile. */
static int part_begin(struct fetch *fetch, struct error *err)
{
	int r;

	fetch->part = part_free(fetch->part);
	r = part_open(fetch->folder_fd, fetch->folder, &fetch->ipsw, &fetch->part, err);
	if (r == 0)
		r = whole_find(fetch->folder_fd, fetch->folder, &fetch->ipsw, on_hashed, fetch,
			       err);
	if (r > 0)
		part_drop(fetch->part);
	if (r != 0)
		return r;
	r = part_resume(fetch->part, on_hashed, fetch, err);
	if (r == 0)
		r = room_check(fetch, err);
	return r < 0 ? r : tell_resumed(fetch, err);
}

static int fetch_named(struct fetch *fetch, const struct digest *digest, struct error *err)
{
	int r;

	if (digest_sha1(digest, fetch->ipsw.sha1) < 0 ||
	    digest_sha256(digest, fetch->ipsw.sha256) < 0)
		return error_set_errno(err, ERROR_BUG, "worker", ENOMEM, "Cannot hash");
	r = whole_note(fetch->folder_fd, &fetch->ipsw);
	if (r < 0)
		log_warning("Cannot note that %s is right: %s", fetch->ipsw.name, strerror(-r));
	return 0;
}

/* Downloads; once more if the bytes turn out to be wrong. */
static int fetch_download(struct fetch *fetch, struct error *err)
{
	enum { DOWNLOADS = 2 };
	_cleanup_(digest_freep) struct digest *digest = NULL;
	int r;

	if (digest_new(&digest) < 0)
		return error_set_errno(err, ERROR_BUG, "worker", ENOMEM, "Cannot hash");
	for (int i = 0; i < DOWNLOADS; i++) {
		r = part_begin(fetch, err);
		if (r > 0)
			return 0;
		if (r == 0)
			r = fetch_bytes(fetch, err);
		if (r < 0)
			return r;
		r = part_finish(fetch->part, digest, err);
		if (r < 0)
			return r;
		if (r > 0)
			return fetch_named(fetch, digest, err);
		r = tell_retry("The checksum of the firmware file is wrong", err);
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

static int request_take(const struct request *request, struct fetch *fetch, struct error *err)
{
	struct fields fields = { .folder = "" };
	int r = request_fields(request, fetch_fields, &fields, err);

	if (r == 0)
		r = ipsw_from_json(fields.firmware, &fetch->ipsw, err);
	if (r < 0)
		return r;
	if (ipsw_set_url(&fetch->ipsw, fetch->ipsw.url) < 0)
		return error_set(err, ERROR_USAGE, "worker", 0,
				 "The firmware's \"url\" is no address of Apple's firmware");
	if (!fetch->ipsw.sha1[0] && !fetch->ipsw.sha256[0])
		return error_set(err, ERROR_USAGE, "worker", 0, "The firmware has no hash");
	if (!ipsw_size_is_sane(fetch->ipsw.size, true))
		return error_set(err, ERROR_USAGE, "worker", 0, "The firmware has no size");
	if (fields.folder[0] != '/' || strlen(fields.folder) + NAME_BYTES > IPSW_PATH_BYTES)
		return error_set(err, ERROR_USAGE, "worker", 0,
				 "Field \"folder\" is no absolute path");
	fetch->folder = fields.folder;
	return 0;
}

static int folder_open(struct fetch *fetch, struct error *err)
{
	fetch->folder_fd = open(fetch->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fetch->folder_fd < 0)
		return error_set_errno(err, ERROR_NO_SPACE, "kernel", errno,
				       "The folder for firmware, %.120s, cannot be used",
				       fetch->folder);
	return 0;
}

static int result_build(struct fetch *fetch, sd_json_variant **ret, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *firmware = NULL;
	const char *end = strrchr(fetch->folder, '/');
	int r;

	snprintf(fetch->ipsw.path, sizeof(fetch->ipsw.path), "%s%s%s", fetch->folder,
		 end && end[1] == '\0' ? "" : "/", fetch->ipsw.name);
	fetch->ipsw.verified = true;
	r = ipsw_to_json(&fetch->ipsw, &firmware, err);
	if (r < 0)
		return r;
	r = sd_json_buildo(ret, SD_JSON_BUILD_PAIR_VARIANT("firmware", firmware),
			   SD_JSON_BUILD_PAIR_UNSIGNED("fetched", fetch->fetched));
	return r < 0 ? error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot build the result") : 0;
}

int fetch_run(const struct request *request, sd_json_variant **ret_fields, struct error *err)
{
	_cleanup_(fetch_done) struct fetch fetch = { .folder_fd = -1, .folder = "" };
	int r = request_take(request, &fetch, err);

	if (r == 0)
		r = folder_open(&fetch, err);
	if (r == 0)
		r = whole_find(fetch.folder_fd, fetch.folder, &fetch.ipsw, on_hashed, &fetch, err);
	if (r < 0)
		return r;
	if (r == 0) {
		r = http_new(&fetch.http, err);
		if (r == 0)
			r = fetch_download(&fetch, err);
		if (r < 0)
			return r;
	}
	return result_build(&fetch, ret_fields, err);
}
