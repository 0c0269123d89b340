/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What an answer of a firmware server means for a download that has `offset` bytes: pure. */
#include "worker/http.h"
#include <stdint.h>

enum fetch_answer {
	FETCH_TAKE,    /* the bytes from offset on follow */
	FETCH_REWIND,  /* the bytes from 0 on follow: what is there is of no use */
	FETCH_CHANGED, /* another file is there now: drop what is there, ask again */
	FETCH_LATER,   /* the server has had enough for now */
	FETCH_WRONG,   /* not what was asked for; may pass */
	FETCH_GONE,    /* it has no such file, asking again is of no use */
};

/*
 * etag: what the bytes up to offset were of, "" unknown. size: of the whole file. *ret_why: a
 * phrase for people, with the host's name to be put in front; NULL for FETCH_TAKE.
 */
enum fetch_answer fetch_answer_judge(const struct http_head *head, uint64_t offset, uint64_t size,
				     const char *etag, const char **ret_why);
