/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Questions whose whole answers fit into memory. */
#include "worker/http.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { POLL_MS = 1000 };

struct body {
	struct http_question *question;
	size_t allocated;
	struct http_transfer *transfer; /* owned; NULL: it could not even begin */
};

static int body_begin(void *context, const struct http_head *head)
{
	struct body *body = context;

	body->question->reply.head = *head;
	return 0;
}

static int body_data(void *context, const void *bytes, size_t n)
{
	struct body *body = context;
	struct http_reply *reply = &body->question->reply;
	size_t need = reply->body_bytes + n + 1;

	if (n > body->question->request.reply_bytes_max - reply->body_bytes)
		return error_set(&body->question->error, ERROR_PROTOCOL, "worker", 0,
				 "The answer of %s is too long", reply->head.host);
	if (need > body->allocated) {
		size_t more = need * 2;
		char *longer = realloc(reply->body, more);

		if (!longer)
			return error_set_errno(&body->question->error, ERROR_BUG, "worker", ENOMEM,
					       "An answer");
		reply->body = longer;
		body->allocated = more;
	}
	memcpy(reply->body + reply->body_bytes, bytes, n);
	reply->body_bytes += n;
	reply->body[reply->body_bytes] = '\0';
	return 0;
}

void http_reply_done(struct http_reply *reply)
{
	free(reply->body);
	*reply = (struct http_reply){};
}

static void question_end(struct http_question *question, int result)
{
	question->result = result;
	if (result == 0 && !question->reply.body) {
		question->reply.body = calloc(1, 1);
		if (!question->reply.body)
			question->result = error_set_errno(&question->error, ERROR_BUG, "worker",
							   ENOMEM, "An answer");
	}
	if (question->result < 0)
		http_reply_done(&question->reply);
}

static void body_start(struct http *http, struct body *body, struct http_question *question)
{
	struct http_sink sink = { body_begin, body_data, body };

	*body = (struct body){ .question = question };
	question->reply = (struct http_reply){};
	question->result =
	    http_begin(http, &question->request, &sink, &body->transfer, &question->error);
}

/* Until all of the transfers are over. Each has its limits, so this ends. */
static int bodies_run(struct http *http, const struct body *bodies, size_t count)
{
	for (size_t i = 0; i < count;) {
		if (!bodies[i].transfer || http_is_over(bodies[i].transfer))
			i++;
		else if (http_turn(http, POLL_MS) < 0)
			return -EIO;
	}
	return 0;
}

static void body_end(struct body *body, int run_result)
{
	struct http_question *question = body->question;
	int r = question->result;

	if (body->transfer && run_result < 0)
		r = error_set(&question->error, ERROR_BUG, "curl", 0, "curl does not go on");
	else if (body->transfer)
		r = http_result(body->transfer, &question->error);
	body->transfer = http_end(body->transfer);
	question_end(question, r);
}

void http_ask_all(struct http *http, struct http_question *questions, size_t count)
{
	enum { QUESTIONS_MAX = 4 };
	struct body bodies[QUESTIONS_MAX] = {};
	size_t n = count < QUESTIONS_MAX ? count : QUESTIONS_MAX;
	int r;

	for (size_t i = 0; i < n; i++)
		body_start(http, &bodies[i], &questions[i]);
	r = bodies_run(http, bodies, n);
	for (size_t i = 0; i < n; i++)
		body_end(&bodies[i], r);
	if (count > n)
		http_ask_all(http, questions + n, count - n);
}

int http_ask(struct http *http, const struct http_request *request, struct http_reply *ret,
	     struct error *err)
{
	struct http_question question = { .request = *request };

	http_ask_all(http, &question, 1);
	if (question.result < 0) {
		if (err)
			*err = question.error;
		return question.result;
	}
	*ret = question.reply;
	return 0;
}

int http_post(struct http *http, const char *url, const char *const *headers, const void *body,
	      size_t body_bytes, unsigned total_s, size_t reply_bytes_max, struct http_reply *ret,
	      struct error *err)
{
	struct http_request request = {
		.url = url,
		.headers = headers,
		.body = body,
		.body_bytes = body_bytes,
		.total_s = total_s,
		.reply_bytes_max = reply_bytes_max,
	};

	return http_ask(http, &request, ret, err);
}

int http_stream(struct http *http, const struct http_request *request, const struct http_sink *sink,
		struct error *err)
{
	struct http_transfer *transfer = NULL;
	int r = http_begin(http, request, sink, &transfer, err);

	while (r == 0 && !http_is_over(transfer))
		r = http_turn(http, POLL_MS);
	if (transfer && r == 0)
		r = http_result(transfer, err);
	else if (transfer)
		r = error_set(err, ERROR_BUG, "curl", 0, "curl does not go on");
	http_end(transfer);
	return r;
}
