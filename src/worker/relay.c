/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * libmicrohttpd gives each connection a thread, in which a request is collected, sent to Apple and
 * answered; libtatsu waits for its answer anyway. What the threads share with the loop:
 *
 *   lock ─ outcome, has_outcome, patient, ending        event_fd: the loop is to look
 *
 * Invariants: bodies are at most BODY_BYTES_MAX; only POST is taken; only 127.0.0.1 is listened to.
 */
#include "worker/relay.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "worker/http.h"
#include "worker/tss.h"
#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

enum {
	BODY_BYTES_MAX = 1 << 20,
	CONNECTIONS_MAX = 16,
	IDLE_S = 120,
	PAUSE_MS = 2000,
	/* new tries begin so long after the first one, by how much is at stake */
	PATIENCE_MS = 5000,
	PATIENCE_TOUCHED_MS = 60000,
	MS_PER_S = 1000,
};

struct relay {
	struct MHD_Daemon *daemon;
	int event_fd;
	uint16_t port;
	pthread_mutex_t lock;
	pthread_cond_t ended;
	bool ending, patient, has_outcome;
	struct relay_outcome outcome;
};

/* One request while it comes in. */
struct upload {
	char *bytes;
	size_t n;
	bool too_long;
};

/* --- asking Apple */

/* One try. True if *ret_reply (owned by the caller) is Apple's answer, whatever it says. */
static bool ask_once(const struct upload *upload, struct relay_outcome *ret,
		     struct http_reply *ret_reply)
{
	_cleanup_(http_freep) struct http *http = NULL;
	struct relay_outcome outcome = { .end = RELAY_NETWORK, .status = TSS_STATUS_NONE };
	struct tss_reply answer;

	if (http_new(&http, &outcome.why) < 0 ||
	    tss_ask(http, upload->bytes, upload->n, RELAY_ASK_S, ret_reply, &answer, &outcome.why) <
		0) {
		if (tss_error_is_certificate(&outcome.why))
			outcome.end = RELAY_CERTIFICATE;
		*ret = outcome;
		return false;
	}
	outcome.status = answer.status;
	switch (answer.status) {
	case TSS_STATUS_OK:
		outcome.end = RELAY_SIGNED;
		break;
	case TSS_STATUS_NOT_ELIGIBLE:
	case TSS_STATUS_NOT_ELIGIBLE_OLD:
		outcome.end = RELAY_NOT_SIGNED;
		break;
	default:
		outcome.end = RELAY_REFUSED;
	}
	*ret = outcome;
	return true;
}

/* Lets a pause go by. False if there is to be no further try. */
static bool may_try_again(struct relay *relay, uint64_t began_ms)
{
	struct timespec until;
	bool again;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += PAUSE_MS / MS_PER_S;
	pthread_mutex_lock(&relay->lock);
	again = clock_now_ms() - began_ms < (relay->patient ? PATIENCE_TOUCHED_MS : PATIENCE_MS);
	while (again && !relay->ending &&
	       pthread_cond_timedwait(&relay->ended, &relay->lock, &until) == 0)
		;
	again = again && !relay->ending;
	pthread_mutex_unlock(&relay->lock);
	return again;
}

static bool ask(struct relay *relay, const struct upload *upload, struct relay_outcome *ret,
		struct http_reply *ret_reply)
{
	uint64_t began_ms = clock_now_ms();

	do {
		if (ask_once(upload, ret, ret_reply))
			return true;
	} while (ret->end == RELAY_NETWORK && may_try_again(relay, began_ms));
	return false;
}

static void outcome_tell(struct relay *relay, const struct relay_outcome *outcome)
{
	pthread_mutex_lock(&relay->lock);
	/* a failure that nobody took yet is not covered by a success */
	if (!relay->has_outcome || outcome->end != RELAY_SIGNED)
		relay->outcome = *outcome;
	relay->has_outcome = true;
	pthread_mutex_unlock(&relay->lock);
	(void)eventfd_write(relay->event_fd, 1);
}

/* --- the engine's side */

static enum MHD_Result respond(struct MHD_Connection *connection, unsigned status, const char *text,
			       size_t n)
{
	struct MHD_Response *response = MHD_create_response_from_buffer_copy(n, text);
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/xml");
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result answer(struct relay *relay, struct MHD_Connection *connection,
			      const struct upload *upload)
{
	static const char no_answer[] =
	    "STATUS=502&MESSAGE=idevicerescue: Apple's signing server gave no answer";
	struct relay_outcome outcome = {};
	struct http_reply reply = {};
	enum MHD_Result result;

	if (upload->too_long)
		return respond(connection, MHD_HTTP_CONTENT_TOO_LARGE, "", 0);
	if (ask(relay, upload, &outcome, &reply)) {
		outcome_tell(relay, &outcome);
		result = respond(connection, reply.head.status, reply.body, reply.body_bytes);
		http_reply_done(&reply);
		return result;
	}
	outcome_tell(relay, &outcome);
	return respond(connection, MHD_HTTP_BAD_GATEWAY, no_answer, sizeof(no_answer) - 1);
}

static bool upload_add(struct upload *upload, const char *bytes, size_t n)
{
	char *grown;

	if (upload->too_long || n > BODY_BYTES_MAX - upload->n) {
		upload->too_long = true;
		return true;
	}
	grown = realloc(upload->bytes, upload->n + n);
	if (!grown)
		return false;
	memcpy(grown + upload->n, bytes, n);
	upload->bytes = grown;
	upload->n += n;
	return true;
}

/* Called with the head, with each piece of the body, and at its end (*n is 0). */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *bytes,
				  size_t *n, void **request_context)
{
	struct upload *upload = *request_context;

	if (!upload) {
		if (strcmp(method, MHD_HTTP_METHOD_POST) != 0)
			return respond(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "", 0);
		*request_context = calloc(1, sizeof(*upload));
		return *request_context ? MHD_YES : MHD_NO;
	}
	if (*n == 0)
		return answer(context, connection, upload);
	if (!upload_add(upload, bytes, *n))
		return MHD_NO;
	*n = 0;
	return MHD_YES;
}

static void on_completed(void *context, struct MHD_Connection *connection, void **request_context,
			 enum MHD_RequestTerminationCode code)
{
	struct upload *upload = *request_context;

	if (upload)
		free(upload->bytes);
	free(upload);
	*request_context = NULL;
}

/* --- life */

/* Threads must not take the signals that the loop waits for. */
static int daemon_start(struct relay *relay)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const union MHD_DaemonInfo *info;
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	relay->daemon = MHD_start_daemon(
	    MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_THREAD_PER_CONNECTION |
		MHD_USE_ITC,
	    0, NULL, NULL, on_request, relay, MHD_OPTION_SOCK_ADDR, &address,
	    MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
	    (unsigned)IDLE_S, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_END);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!relay->daemon)
		return -errno;
	info = MHD_get_daemon_info(relay->daemon, MHD_DAEMON_INFO_BIND_PORT);
	if (!info || info->port == 0)
		return -EADDRNOTAVAIL;
	relay->port = info->port;
	return 0;
}

int relay_new(struct relay **ret, struct error *err)
{
	_cleanup_(relay_freep) struct relay *relay = calloc(1, sizeof(*relay));
	pthread_condattr_t attributes;
	int r;

	if (!relay)
		return error_set_errno(err, ERROR_BUG, "worker", ENOMEM, "relay");
	relay->event_fd = -1;
	pthread_mutex_init(&relay->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&relay->ended, &attributes);
	pthread_condattr_destroy(&attributes);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return error_set(err, ERROR_BUG, "worker", 0, "Cannot start libcurl");
	relay->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = relay->event_fd < 0 ? -errno : daemon_start(relay);
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "kernel", -r,
				       "Cannot listen for the engine on 127.0.0.1");
	*ret = TAKE(relay);
	return 0;
}

struct relay *relay_free(struct relay *relay)
{
	if (!relay)
		return NULL;
	pthread_mutex_lock(&relay->lock);
	relay->ending = true;
	pthread_cond_broadcast(&relay->ended);
	pthread_mutex_unlock(&relay->lock);
	if (relay->daemon)
		MHD_stop_daemon(relay->daemon);
	if (relay->event_fd >= 0)
		close(relay->event_fd);
	pthread_cond_destroy(&relay->ended);
	pthread_mutex_destroy(&relay->lock);
	free(relay);
	return NULL;
}

uint16_t relay_port(const struct relay *relay)
{
	return relay->port;
}

int relay_fd(const struct relay *relay)
{
	return relay->event_fd;
}

int relay_take(struct relay *relay, struct relay_outcome *ret)
{
	eventfd_t count;
	int r = -EAGAIN;

	(void)eventfd_read(relay->event_fd, &count);
	pthread_mutex_lock(&relay->lock);
	if (relay->has_outcome) {
		*ret = relay->outcome;
		relay->has_outcome = false;
		r = 0;
	}
	pthread_mutex_unlock(&relay->lock);
	return r;
}

void relay_be_patient(struct relay *relay)
{
	pthread_mutex_lock(&relay->lock);
	relay->patient = true;
	pthread_mutex_unlock(&relay->lock);
}
