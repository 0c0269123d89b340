/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Asking, and taking answers; what each answer has to be: request_kinds.c. */
#include "restore/requests.h"

#include <stdlib.h>
#include <string.h>

#include "phone.h"
#include "restore/run.h"
#include "text.h"

/* ---- a port of its own ---- */

struct data_link {
	struct plist_stream plist; /* first */
	struct request *request;   /* NULL: no longer wanted */
};

static void answer_log(struct request *q, const char *why);

static void key_take(struct request *q, plist_t answer)
{
	struct run *run = q->run;
	bool good = request_url_judge(q, answer) == ANSWER_GOOD;
	const char *why = good ? nullptr : q->why;

	EVLOG(&run->phone->log, "key", LOG_TEXT("verdict", good ? "good" : "bad"),
	      LOG_TEXT("why", why ? why : ""));
	if (good) {
		q->key = KEY_GOOD;
		return;
	}
	answer_log(q, why);
	request_end(q);
	run_answered(run, why);
}

static void link_take(struct plist_stream *s, plist_t message)
{
	struct data_link *l = (struct data_link *)s;
	struct request *q = l->request;

	if (q && l == q->key_link)
		key_take(q, message);
	else if (q)
		request_take(q, message);
}

static void link_free(struct service *service)
{
	struct data_link *l = (struct data_link *)service;
	struct request *q = l->request;

	if (q && l == q->key_link) {
		q->key_link = nullptr;
	} else if (q) {
		struct run *run = q->run;

		q->link = nullptr;
		request_end(q); /* forgets the run */
		run_answered(run, "the host closed the connection before it had answered");
	}
	plist_stream_done(&l->plist);
	free(l);
}

static struct service *link_open(struct phone *phone, void *user, const struct stream *stream)
{
	static const struct service_class class = { plist_stream_feed, link_free };
	struct request *q = user;
	struct data_link *l = calloc(1, sizeof(*l));

	if (!l)
		die("out of memory");
	*l = (struct data_link){ .plist = { .service = { &class, *stream },
					    .take = link_take,
					    .ceiling = RESTORE_MESSAGE_MAX } };
	if (!q->link) {
		l->request = q;
		q->link = l;
	} else if (q->key == KEY_ASKED && !q->key_link) {
		l->request = q;
		q->key_link = l;
	}
	return &l->plist.service;
}

/* ---- asking ---- */

static void request_send(struct request *q)
{
	plist_t message = plist_new_dict(), arguments = plist_new_dict();
	struct run *run = q->run;

	if (q->kind->describe)
		q->kind->describe(q, arguments);
	if (q->step->asked == ASKED_SYSTEM_IMAGE)
		plist_dict_set_item(arguments, "WillSendImageVerificationProgress",
				    plist_new_bool(1));
	EVLOG(&run->phone->log, "ask", LOG_TEXT("data_type", q->kind->data_type),
	      LOG_TEXT("about", q->names         ? request_image(q)
				: q->step->about ? q->step->about
						 : ""),
	      LOG_INT("port", q->port));
	plist_dict_set_item(
	    message, "MsgType",
	    plist_new_string(q->kind->async ? "AsyncDataRequestMsg" : "DataRequestMsg"));
	plist_dict_set_item(message, "DataType",
			    plist_new_string(q->step->asked == ASKED_UNKNOWN ? q->step->about
									     : q->kind->data_type));
	if (plist_dict_get_size(arguments))
		plist_dict_set_item(message, "Arguments", arguments);
	else
		plist_free(arguments);
	if (q->port)
		plist_dict_set_item(message, "DataPort", plist_new_uint(q->port));
	if (run->main)
		plist_stream_send(run->main, message);
	else
		plist_free(message);
}

static void port_open(struct request *q)
{
	struct ports *ports = &q->run->phone->ports;
	bool own = q->step->port_ios && q->run->choice.ios >= q->step->port_ios;

	if (q->step->asked == ASKED_SYSTEM_IMAGE) {
		uint16_t port = asr_begin(&q->asr, q->run, own ? 0 : ASR_PORT);

		q->port = own ? port : 0;
	} else if (own) {
		q->port = ports_listen(ports, 0, "data", link_open, q);
	}
}

void request_begin(struct request *q, struct run *run, const struct step *step)
{
	const struct firmware *f = run->phone->firmware;

	request_end(q);
	*q = (struct request){ .run = run,
			       .step = step,
			       .kind = request_kind_of(step->asked),
			       .hash = EVP_MD_CTX_new(),
			       .first = true };
	if (!q->hash)
		die("out of memory");
	EVP_DigestInit_ex(q->hash, EVP_sha256(), nullptr);
	if (step->asked == ASKED_SOURCE_OBJECT && f)
		q->member = firmware_member(f, run->choice.kind, step->about);
	port_open(q);
	request_send(q);
	if (q->kind->silent) {
		request_end(q);
		run_answered(run, nullptr);
	}
}

static void answer_log(struct request *q, const char *why)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	BUF_AUTO hex = {};

	EVP_DigestFinal_ex(q->hash, digest, &len);
	buf_add_hex(&hex, digest, len);
	EVLOG(&q->run->phone->log, "answer", LOG_TEXT("data_type", q->kind->data_type),
	      LOG_TEXT("about", q->step->about ? q->step->about : ""), LOG_INT("bytes", q->bytes),
	      LOG_TEXT("sha256", buf_text(&hex)), LOG_TEXT("verdict", why ? "bad" : "good"),
	      LOG_TEXT("why", why ? why : ""));
}

/*
 * After the first piece of an encrypted image the host waits a while, on the same connection, for
 * the address of its key. Made up: that it brings the key on a second connection to the same port.
 */
static void key_ask(struct request *q, plist_t answer)
{
	struct plist_stream *s = (struct plist_stream *)q->link;
	size_t len = 0;
	const uint8_t *bytes = answer_data(answer, "FileData", &len);
	plist_t message, arguments;

	if (!bytes || len < 4 || memcmp(bytes, "AEA1", 4) != 0 ||
	    !*q->run->phone->scenario.restore.url_asset || !s)
		return;
	message = plist_new_dict();
	arguments = plist_new_dict();
	request_url(q, arguments);
	plist_dict_set_item(message, "MsgType", plist_new_string("DataRequestMsg"));
	plist_dict_set_item(message, "DataType", plist_new_string("URLAsset"));
	plist_dict_set_item(message, "Arguments", arguments);
	plist_dict_set_item(message, "DataPort", plist_new_uint(q->port));
	q->key = KEY_ASKED;
	plist_stream_send(s, message);
}

void request_take(struct request *q, plist_t answer)
{
	struct run *run = q->run;
	enum judgement judgement = ANSWER_GOOD;
	bool images = q->step->asked == ASKED_FUD || q->step->asked == ASKED_EAN ||
		      q->step->asked == ASKED_PERSONALIZED;
	const char *why;

	if (q->kind->judge)
		judgement = q->kind->judge(q, answer);
	if (judgement == ANSWER_MORE) {
		if (q->first)
			key_ask(q, answer);
		q->first = false;
		if (images) {
			run_progress(run, q->step->operation,
				     (int)(100 * q->name / plist_array_get_size(q->names)));
			request_send(q);
		}
		return;
	}
	why = judgement == ANSWER_GOOD ? nullptr : q->why;
	answer_log(q, why);
	request_end(q);
	run_answered(run, why);
}

void request_end(struct request *q)
{
	if (!q->run)
		return;
	asr_end(&q->asr);
	if (q->step->asked != ASKED_SYSTEM_IMAGE && q->port)
		ports_unlisten(&q->run->phone->ports, q->port);
	if (q->link)
		q->link->request = nullptr; /* the host closes it */
	q->link = nullptr;
	if (q->key_link)
		q->key_link->request = nullptr;
	q->key_link = nullptr;
	plist_free(q->names);
	member_free(q->member);
	EVP_MD_CTX_free(q->hash);
	buf_done(&q->pieces);
	*q = (struct request){};
}
