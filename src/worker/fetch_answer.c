/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/fetch_answer.h"
#include "worker/http_range.h"
#include <string.h>

/* Both are known, and say that the bytes are not the same. */
static bool etags_differ(const char *a, const char *b)
{
	return a[0] && b[0] && strcmp(a, b) != 0;
}

static enum fetch_answer judge_part(const struct http_head *head, const struct fetch_asked *asked,
				    const char **ret_why)
{
	uint64_t first = 0, last = 0, total = 0;

	if (etags_differ(head->etag, asked->etag)) {
		*ret_why = "has another file there now";
		return FETCH_CHANGED;
	}
	if (http_range_parse(head->range, &first, &last, &total) < 0 || first != asked->at ||
	    (total == asked->size && last + 1 != asked->end) ||
	    (head->has_length && head->length != last + 1 - first)) {
		*ret_why = "sends another part of the file than was asked for";
		return FETCH_WRONG;
	}
	if (total != asked->size) {
		*ret_why = "has a file of another size than the catalogue tells";
		return FETCH_WRONG;
	}
	return FETCH_TAKE;
}

static enum fetch_answer judge_whole(const struct http_head *head, const struct fetch_asked *asked,
				     const char **ret_why)
{
	if (head->has_length && head->length != asked->size) {
		*ret_why = "has a file of another size than the catalogue tells";
		return FETCH_WRONG;
	}
	if (asked->at == 0)
		return FETCH_TAKE;
	if (etags_differ(head->etag, asked->etag)) {
		*ret_why = "has another file there now";
		return FETCH_CHANGED;
	}
	*ret_why = "sends the file from its begin again";
	return FETCH_REWIND;
}

static enum fetch_answer judge_refusal(const struct http_head *head, uint64_t at,
				       const char **ret_why)
{
	switch (head->status) {
	case 401:
	case 403:
	case 404:
	case 410:
		*ret_why = "does not give this firmware file (any more): look for a newer one";
		return FETCH_GONE;
	case 416:
		*ret_why = "has a shorter file there now";
		return at > 0 ? FETCH_CHANGED : FETCH_WRONG;
	case 412:
		*ret_why = "has another file there now";
		return FETCH_CHANGED;
	case 429:
	case 503:
		*ret_why = "asks to wait";
		return FETCH_LATER;
	default:
		*ret_why = head->status >= 500 ? "is out of order"
					       : "answers with something else than the file";
		return FETCH_WRONG;
	}
}

enum fetch_answer fetch_answer_judge(const struct http_head *head, const struct fetch_asked *asked,
				     const char **ret_why)
{
	bool is_body = head->status == 200 || head->status == 206;

	*ret_why = NULL;
	if (is_body && (strcmp(head->type, "text/html") == 0 ||
			strcmp(head->type, "application/xhtml+xml") == 0)) {
		*ret_why = "sends a web page instead of the file: log in to this network, or use "
			   "another one";
		return FETCH_WRONG;
	}
	if (is_body && head->coding[0] && strcmp(head->coding, "identity") != 0) {
		*ret_why = "sends the file in a changed form: a filter may stand in between. Use "
			   "another network";
		return FETCH_WRONG;
	}
	if (head->status == 206)
		return judge_part(head, asked, ret_why);
	if (head->status == 200)
		return judge_whole(head, asked, ret_why);
	return judge_refusal(head, asked->at, ret_why);
}
