/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/catalogue_ask.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	STATUS_OK = 200,
	STATUS_NOT_MODIFIED = 304,
	STATUS_NOT_FOUND = 404,
	STATUS_LOGIN = 511, /* of a network that wants one, RFC 6585 */
	FRESH_MS = 5 * 60 * 1000,
	QUESTIONS_MAX = 8,
	HEADER_BYTES = HTTP_ETAG_BYTES + 32,
};

void catalogue_question_done(struct catalogue_question *question)
{
	catalogue_answer_done(&question->answer);
}

struct catalogue_question catalogue_question_ipswme(const char *product)
{
	struct catalogue_question question = { .source = CATALOGUE_IPSWME };

	snprintf(question.name, sizeof(question.name), "ipswme-%s.json", product);
	snprintf(question.url, sizeof(question.url), "https://api.ipsw.me/v4/device/%s?type=ipsw",
		 product);
	return question;
}

struct catalogue_question catalogue_question_apple(void)
{
	return (struct catalogue_question){ .source = CATALOGUE_APPLE,
					    .name = "apple-version.plist",
					    .url = "https://s.mzstatic.com/version" };
}

struct catalogue_question catalogue_question_gdmf(void)
{
	return (struct catalogue_question){ .source = CATALOGUE_GDMF,
					    .name = "gdmf-pmv.json",
					    .url = "https://gdmf.apple.com/v2/pmv" };
}

struct catalogue_question catalogue_question_appledb(const char *product, const char *build)
{
	struct catalogue_question question = { .source = CATALOGUE_APPLEDB };
	char name[APPLEDB_NAME_BYTES];
	size_t os;

	catalogue_appledb_name(product, build, name);
	os = strcspn(name, ";");
	snprintf(question.name, sizeof(question.name), "appledb-%.*s-%s.json", (int)os, name,
		 build);
	/* a semicolon may stand in a path as it is (RFC 3986) */
	snprintf(question.url, sizeof(question.url), "https://api.appledb.dev/ios/%s.json", name);
	return question;
}

static bool host_is_catalogue(const char *host)
{
	static const char *const hosts[] = { "api.ipsw.me", "s.mzstatic.com", "itunes.apple.com",
					     "gdmf.apple.com", "api.appledb.dev" };

	for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
		if (strcmp(host, hosts[i]) == 0)
			return true;
	return false;
}

/* These two have a page for each thing they know. */
static bool says_unknown(enum catalogue_source source, unsigned status)
{
	return status == STATUS_NOT_FOUND &&
	       (source == CATALOGUE_IPSWME || source == CATALOGUE_APPLEDB);
}

/* Whether the answer is one that can be parsed. */
static int reply_check(enum catalogue_source source, const struct http_reply *reply,
		       struct error *err)
{
	const struct http_head *head = &reply->head;

	if (says_unknown(source, head->status))
		return 0;
	/* who fails sends web pages, too: only one that passes for the answer is a login page */
	if (strcmp(head->type, "text/html") == 0 &&
	    (head->status == STATUS_OK || head->status == STATUS_LOGIN))
		return error_set(err, ERROR_NETWORK, "worker", head->status,
				 "A web page answers instead of %s: log in to this network, or use "
				 "another one",
				 head->host);
	if (head->status != STATUS_OK)
		return error_set(err, ERROR_NETWORK, "worker", head->status,
				 "%s refuses for now (HTTP status %u). Try again later", head->host,
				 head->status);
	return 0;
}

static bool is_fresh(const struct catalogue_answer *kept, uint64_t now_ms)
{
	return kept->body && kept->asked_ms <= now_ms && now_ms - kept->asked_ms < FRESH_MS;
}

/* One question on its way: what is kept of it, and the header with its ETag. */
struct asking {
	struct catalogue_question *question;
	struct catalogue_answer kept;
	char if_none_match[HEADER_BYTES];
	const char *headers[2];
};

static void asking_prepare(struct asking *asking, unsigned limit_s, struct http_question *ret)
{
	static const char if_none_match[] = "If-None-Match: ";

	*ret = (struct http_question){ .request = {
					   .url = asking->question->url,
					   .connect_s = limit_s,
					   .total_s = limit_s,
					   .reply_bytes_max = CATALOGUE_BYTES_MAX,
					   .host_is_allowed = host_is_catalogue,
				       } };
	if (!asking->kept.body || asking->kept.etag[0] == '\0')
		return;
	memcpy(asking->if_none_match, if_none_match, sizeof(if_none_match));
	text_copy(asking->if_none_match + sizeof(if_none_match) - 1,
		  sizeof(asking->if_none_match) - (sizeof(if_none_match) - 1), asking->kept.etag);
	asking->headers[0] = asking->if_none_match;
	ret->request.headers = asking->headers;
}

static void asking_take(struct asking *asking, struct http_question *http_question)
{
	struct catalogue_question *question = asking->question;
	struct http_reply *reply = &http_question->reply;
	struct catalogue_answer *answer = &question->answer;

	question->result = http_question->result;
	question->error = http_question->error;
	if (question->result < 0) {
		if (question->error.kind == ERROR_PROTOCOL) /* nonsense, but not ours */
			question->error.kind = ERROR_NETWORK;
		return;
	}
	question->is_new = true;
	if (reply->head.status == STATUS_NOT_MODIFIED && asking->headers[0]) {
		*answer = TAKE_STRUCT(asking->kept);
		answer->asked_ms = clock_wall_ms();
		return;
	}
	question->result = reply_check(question->source, reply, &question->error);
	if (question->result < 0)
		return;
	*answer = (struct catalogue_answer){ .status = reply->head.status,
					     .asked_ms = clock_wall_ms(),
					     .body_bytes = reply->body_bytes };
	memcpy(answer->etag, reply->head.etag, sizeof(answer->etag));
	answer->body = TAKE(reply->body);
}

void catalogue_ask(struct http *http, const struct catalogue_store *store,
		   struct catalogue_question *questions, size_t count, unsigned limit_s)
{
	struct http_question http_questions[QUESTIONS_MAX];
	struct asking askings[QUESTIONS_MAX] = {};
	uint64_t now_ms = clock_wall_ms();
	size_t asked = 0;

	for (size_t i = 0; i < count && i < QUESTIONS_MAX; i++) {
		struct asking *asking = &askings[asked];

		asking->question = &questions[i];
		(void)catalogue_store_load_answer(store, questions[i].name, &asking->kept);
		if (is_fresh(&asking->kept, now_ms)) {
			questions[i].answer = TAKE_STRUCT(asking->kept);
			continue;
		}
		asking_prepare(asking, limit_s, &http_questions[asked++]);
	}
	if (asked)
		http_ask_all(http, http_questions, asked);
	for (size_t i = 0; i < asked; i++) {
		asking_take(&askings[i], &http_questions[i]);
		http_reply_done(&http_questions[i].reply);
		catalogue_answer_done(&askings[i].kept);
	}
}

void catalogue_question_keep(const struct catalogue_store *store,
			     const struct catalogue_question *question)
{
	if (question->is_new && question->result == 0)
		catalogue_store_save_answer(store, question->name, &question->answer);
}
