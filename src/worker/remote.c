/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/remote.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "worker/http_range.h"
#include "worker/ipsw.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { PIECE_S = 20, TRIES = 3, AGAIN_MS = 1000, STATUS_PARTIAL = 206, HEADER_BYTES = 256 };

struct remote {
	struct http *http; /* borrowed */
	char url[HTTP_URL_BYTES];
	char etag[HTTP_ETAG_BYTES]; /* "" none, or too weak to compare bytes by */
	uint64_t size;              /* 0 until it is known */
	uint64_t fetched;           /* bytes so far, for the ceiling */
	unsigned requests;          /* so far */
	uint8_t head[REMOTE_HEAD_BYTES];
};

/* One piece on its way. */
struct piece {
	struct remote *remote;
	uint64_t offset;
	char *to;
	size_t wanted, got;
	bool is_final; /* asking again is of no use */
	struct error error;
};

static int refuse_status(struct piece *piece, const struct http_head *head)
{
	switch (head->status) {
	case 403:
	case 404:
	case 410:
		piece->is_final = true;
		return error_set(&piece->error, ERROR_NETWORK, "worker", head->status,
				 "%s does not have this firmware file (any more)", head->host);
	case 200:
		if (strcmp(head->type, "text/html") == 0)
			return error_set(&piece->error, ERROR_NETWORK, "worker", head->status,
					 "A web page comes instead of the firmware: log in to this "
					 "network, or use another one");
		piece->is_final = true;
		return error_set(&piece->error, ERROR_NETWORK, "worker", head->status,
				 "%s does not send parts of the file, or the file has changed",
				 head->host);
	default:
		return error_set(&piece->error, ERROR_NETWORK, "worker", head->status,
				 "%s refuses for now (HTTP status %u)", head->host, head->status);
	}
}

static int refuse_range(struct piece *piece, const struct http_head *head)
{
	return error_set(&piece->error, ERROR_PROTOCOL, "worker", head->status,
			 "%s sends another part of the file than was asked for", head->host);
}

/* A weak one says nothing about bytes. */
static bool is_strong(const char *etag)
{
	return etag[0] && strncmp(etag, "W/", 2) != 0;
}

/* The answer is of another file than those before it. */
static bool is_changed(const struct remote *remote, const struct http_head *head, uint64_t total)
{
	if (remote->size != 0 && remote->size != total)
		return true;
	return remote->etag[0] && is_strong(head->etag) && strcmp(remote->etag, head->etag) != 0;
}

static int piece_begin(void *context, const struct http_head *head)
{
	struct piece *piece = context;
	struct remote *remote = piece->remote;
	uint64_t first, last, total;

	if (head->status != STATUS_PARTIAL)
		return refuse_status(piece, head);
	if ((head->coding[0] && strcmp(head->coding, "identity") != 0) ||
	    http_range_parse(head->range, &first, &last, &total) < 0)
		return refuse_range(piece, head);
	if (remote->size == 0 && total < piece->wanted)
		piece->wanted = total; /* the first question, for a file that is shorter */
	if (first != piece->offset || last != piece->offset + piece->wanted - 1)
		return refuse_range(piece, head);
	if (is_changed(remote, head, total))
		return error_set(&piece->error, ERROR_PROTOCOL, "worker", head->status,
				 "The file at %s has changed meanwhile. Try again", head->host);
	remote->size = total;
	if (remote->etag[0] == '\0' && is_strong(head->etag))
		text_copy(remote->etag, sizeof(remote->etag), head->etag);
	return 0;
}

static int piece_data(void *context, const void *bytes, size_t n)
{
	struct piece *piece = context;

	if (n > piece->wanted - piece->got)
		return error_set(&piece->error, ERROR_PROTOCOL, "worker", 0,
				 "The server sends more of the file than was asked for");
	memcpy(piece->to + piece->got, bytes, n);
	piece->got += n;
	piece->remote->fetched += n;
	return 0;
}

static int piece_try(struct piece *piece)
{
	struct remote *remote = piece->remote;
	char range[HEADER_BYTES], condition[HEADER_BYTES];
	const char *headers[] = { range, remote->etag[0] ? condition : NULL, NULL };
	struct http_request request = {
		.url = remote->url,
		.headers = headers,
		.total_s = PIECE_S,
		.host_is_allowed = ipsw_host_is_allowed,
	};
	struct http_sink sink = { piece_begin, piece_data, piece };
	int r;

	snprintf(range, sizeof(range), "Range: bytes=%" PRIu64 "-%" PRIu64, piece->offset,
		 piece->offset + piece->wanted - 1);
	snprintf(condition, sizeof(condition), "If-Range: %s", remote->etag);
	piece->got = 0;
	remote->requests++;
	r = http_stream(remote->http, &request, &sink, &piece->error);
	if (r == 0 && piece->got != piece->wanted)
		r = error_set(&piece->error, ERROR_NETWORK, "worker", 0,
			      "The server ended in the middle of the file");
	return r;
}

static int piece_get(struct remote *remote, uint64_t offset, void *ret, size_t n, struct error *err)
{
	struct piece piece = { .remote = remote, .offset = offset, .to = ret, .wanted = n };
	int r = 0;

	if (remote->fetched > REMOTE_BYTES_MAX || n > REMOTE_BYTES_MAX - remote->fetched)
		return error_set(err, ERROR_BAD_FILE, "worker", 0,
				 "The lists of this firmware file are larger than any real ones");
	for (int i = 0; i < TRIES; i++) {
		r = piece_try(&piece);
		if (r == 0 || piece.is_final || remote->fetched >= REMOTE_BYTES_MAX / 2)
			break;
		if (i + 1 < TRIES)
			http_wait(remote->http, AGAIN_MS);
	}
	if (r < 0 && err)
		*err = piece.error;
	return r;
}

int remote_open(struct http *http, const char *url, struct remote **ret, struct error *err)
{
	_cleanup_(remote_freep) struct remote *remote = calloc(1, sizeof(*remote));
	int r;

	if (!remote)
		return error_set_errno(err, ERROR_BUG, "worker", ENOMEM, "A remote file");
	remote->http = http;
	text_copy(remote->url, sizeof(remote->url), url);
	r = piece_get(remote, 0, remote->head, sizeof(remote->head), err);
	if (r < 0)
		return r;
	*ret = TAKE(remote);
	return 0;
}

struct remote *remote_free(struct remote *remote)
{
	free(remote);
	return NULL;
}

uint64_t remote_size(const struct remote *remote)
{
	return remote->size;
}

const uint8_t *remote_head(const struct remote *remote)
{
	return remote->head;
}

struct remote_cost remote_cost(const struct remote *remote)
{
	return (struct remote_cost){ .requests = remote->requests, .bytes = remote->fetched };
}

int remote_read(struct remote *remote, uint64_t offset, void *ret, size_t n, struct error *err)
{
	if (n == 0)
		return 0;
	if (offset > remote->size || n > remote->size - offset)
		return error_set(err, ERROR_BAD_FILE, "worker", 0,
				 "The firmware file points behind its own end");
	return piece_get(remote, offset, ret, n, err);
}
