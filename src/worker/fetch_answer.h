/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What an answer of a firmware server means for who asked for a range of the file: pure. */
#include "worker/http.h"
#include <stdint.h>

enum fetch_answer {
	FETCH_TAKE,    /* the bytes that were asked for follow; with status 200 all from 0 on */
	FETCH_REWIND,  /* the bytes from 0 on follow, not those that were asked for */
	FETCH_CHANGED, /* another file is there now: drop what is there, ask again */
	FETCH_LATER,   /* the server has had enough for now */
	FETCH_WRONG,   /* not what was asked for; may pass */
	FETCH_GONE,    /* it has no such file, asking again is of no use */
};

/* Bytes `at` to `end`, without that, were asked for, of a file of size bytes. */
struct fetch_asked {
	uint64_t at, end, size;
	const char *etag; /* what this server called the file before, "" unknown */
};

/* *ret_why: a phrase for people, with the host's name to be put in front; NULL for FETCH_TAKE. */
enum fetch_answer fetch_answer_judge(const struct http_head *head, const struct fetch_asked *asked,
				     const char **ret_why);
