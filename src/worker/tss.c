/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/tss.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "worker/property_list.h"
#include <curl/curl.h>
#include <string.h>

enum { REPLY_BYTES_MAX = 4 << 20, STATUS_LIMIT = 1000000, DECIMAL = 10 };

static const char url[] = "https://gs.apple.com/TSS/controller?action=2";
/* What libtatsu sends. */
static const char *const headers[] = {
	"Content-Type: text/xml; charset=\"utf-8\"",
	"Cache-Control: no-cache",
	"User-Agent: InetURL/1.0",
	"Expect:",
	NULL,
};

/* --- what it says */

/* The value of the field `name` ("STATUS=") at s; NULL if there stands another one. */
static const char *field_value(const char *s, const char *name)
{
	size_t n = strlen(name);

	return strncmp(s, name, n) == 0 ? s + n : NULL;
}

static int number_read(const char *s)
{
	int value = 0;

	if (*s < '0' || *s > '9')
		return TSS_STATUS_NONE;
	for (; *s >= '0' && *s <= '9' && value < STATUS_LIMIT; s++)
		value = value * DECIMAL + (*s - '0');
	return value;
}

/* One field, of n bytes up to the next '&'. */
static void field_read(const char *s, size_t n, struct tss_reply *reply)
{
	const char *value;

	if ((value = field_value(s, "STATUS=")))
		reply->status = number_read(value);
	else if ((value = field_value(s, "MESSAGE=")))
		text_to_utf8(reply->message, sizeof(reply->message), value,
			     n - (size_t)(value - s));
}

void tss_reply_parse(const char *bytes, size_t n, struct tss_reply *ret)
{
	struct tss_reply reply = { .status = TSS_STATUS_NONE };
	const char *end = bytes + n;
	const char *s = bytes + strspn(bytes, " \t\r\n");

	while (s < end) {
		const char *tickets = field_value(s, "REQUEST_STRING=");
		size_t field = strcspn(s, "&");

		if (tickets) { /* the last one: a property list may hold any character */
			reply.tickets = tickets;
			reply.tickets_bytes = (size_t)(end - tickets);
			break;
		}
		field_read(s, field, &reply);
		if (s[field] == '\0')
			break;
		s += field + 1;
	}
	/* without this word it is no success, whatever number stands there */
	if (reply.status == TSS_STATUS_OK && strcmp(reply.message, "SUCCESS") != 0)
		reply.status = TSS_STATUS_NONE;
	*ret = reply;
}

static bool has_bytes(plist_t list, const char *key)
{
	plist_t node = plist_dict_get_item(list, key);
	uint64_t bytes = 0;

	if (!node || plist_get_node_type(node) != PLIST_DATA)
		return false;
	(void)plist_get_data_ptr(node, &bytes);
	return bytes > 0;
}

bool tss_reply_has_ticket(const struct tss_reply *reply)
{
	_cleanup_(plist_freep) plist_t list = NULL;

	if (reply->status != TSS_STATUS_OK || !reply->tickets)
		return false;
	list = property_list_parse(reply->tickets, reply->tickets_bytes);
	return list && (has_bytes(list, "ApImg4Ticket") || has_bytes(list, "APTicket"));
}

enum tss_verdict tss_reply_verdict(const struct tss_reply *reply)
{
	enum { BASEBAND = 8, BASEBAND_OTHER = 49 };

	switch (reply->status) {
	case TSS_STATUS_OK:
		return tss_reply_has_ticket(reply) ? TSS_SIGNED : TSS_UNKNOWN;
	case TSS_STATUS_NOT_ELIGIBLE:
	case TSS_STATUS_NOT_ELIGIBLE_OLD:
		return TSS_NOT_SIGNED;
	case BASEBAND:
	case BASEBAND_OTHER:
		return TSS_OUR_FAULT;
	default:
		return TSS_UNKNOWN;
	}
}

/* --- asking */

bool tss_error_is_certificate(const struct error *err)
{
	return strcmp(err->origin, "openssl") == 0 ||
	       (strcmp(err->origin, "curl") == 0 && err->code == CURLE_PEER_FAILED_VERIFICATION);
}

int tss_ask(struct http *http, const void *body, size_t n, unsigned total_s,
	    struct http_reply *ret_http, struct tss_reply *ret, struct error *err)
{
	struct http_reply answer = {};
	struct tss_reply reply;
	int r;

	r = http_post(http, url, headers, body, n, total_s, REPLY_BYTES_MAX, &answer, err);
	if (r < 0)
		return r;
	tss_reply_parse(answer.body, answer.body_bytes, &reply);
	if (reply.status == TSS_STATUS_NONE) {
		r = error_set(err, ERROR_NETWORK, "tss", answer.head.status,
			      "Apple's signing server answered, but with nothing that can be used "
			      "(HTTP %u)",
			      answer.head.status);
		http_reply_done(&answer);
		return r;
	}
	*ret_http = answer;
	*ret = reply;
	return 0;
}
