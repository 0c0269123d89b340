/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A struct http owns curl's multi handle, and with it the connections that stay open, and the test
 * hooks. A transfer belongs to whoever began it:
 *
 *   prepared ──▶ running ──▶ answered ─▶ done
 *                  ▲            │ 3xx to a host that is allowed, at most three times
 *                  └────────────┘
 *
 * Invariants: the sink's begin is called at most once and before any data, never for a redirect
 * that is followed; after an error of the sink nothing more reaches it.
 */
#include "worker/http.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "version.h"
#include "worker/apple_root.h"
#include "worker/http_fault.h"
#include "worker/http_hooks.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
	CONNECT_S = 15,
	SLOW_BYTES_PER_S = 10 * 1024,
	SLOW_S = 30,
	REDIRECTS_MAX = 3,
	DATE_S = 5,
	MS_PER_S = 1000,
	READ_BYTES = 256 * 1024,
	RETRY_AFTER_MAX_S = 24 * 3600,
};

struct http {
	CURLM *multi;
	struct http_hooks hooks;
};

struct http_transfer {
	struct http *http; /* borrowed */
	CURL *easy;
	struct http_request request; /* what it points to is borrowed */
	struct http_sink sink;
	struct curl_slist *headers;
	struct http_head head;
	char url[HTTP_URL_BYTES];
	char location[HTTP_URL_BYTES];
	unsigned redirects;
	bool begun, running;
	int sink_result; /* negative: the sink wanted the end */
	int result;
	struct error error;
};

/* --- one for a run */

int http_new(struct http **ret, struct error *err)
{
	_cleanup_(http_freep) struct http *http = calloc(1, sizeof(*http));
	int r;

	/* counted by curl, so that several of us do no harm */
	if (!http || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return error_set_errno(err, ERROR_BUG, "curl", ENOMEM, "Cannot use the network");
	http->multi = curl_multi_init();
	if (!http->multi)
		return error_set_errno(err, ERROR_BUG, "curl", ENOMEM, "Cannot use the network");
	/* a name server that hangs holds nobody up beyond the limits of a request */
	curl_multi_setopt(http->multi, CURLMOPT_QUICK_EXIT, 1L);
	r = http_hooks_read(getenv("CREDENTIALS_DIRECTORY"), &http->hooks, err);
	if (r < 0)
		return r;
	*ret = TAKE(http);
	return 0;
}

struct http *http_free(struct http *http)
{
	if (!http)
		return NULL;
	curl_multi_cleanup(http->multi);
	http_hooks_done(&http->hooks);
	free(http);
	return NULL;
}

bool http_is_test(const struct http *http)
{
	return http->hooks.connect_to || http->hooks.ca_path;
}

void http_wait(struct http *http, unsigned ms)
{
	uint64_t end_ms = clock_now_ms() + ms, now;

	while ((now = clock_now_ms()) < end_ms)
		if (curl_multi_poll(http->multi, NULL, 0, (int)(end_ms - now), NULL) != CURLM_OK)
			return;
}

/* --- what a server says */

static void head_length(struct http_head *head, const char *value)
{
	char *end = NULL;

	if (value[0] < '0' || value[0] > '9')
		return;
	errno = 0;
	head->length = strtoull(value, &end, 10);
	head->has_length = errno == 0 && *end == '\0';
}

static void head_retry_after(struct http_head *head, const char *value)
{
	unsigned long seconds = strtoul(value, NULL, 10);

	head->retry_after_s = (unsigned)(seconds > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : seconds);
}

static void head_type(struct http_head *head, const char *value)
{
	text_to_utf8(head->type, sizeof(head->type), value, strcspn(value, "; \t"));
	for (char *c = head->type; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
}

/* One that cannot be given back just as it came is of no use. */
static void head_etag(struct http_head *head, const char *value)
{
	text_copy(head->etag, sizeof(head->etag), value);
	if (strcmp(head->etag, value) != 0)
		head->etag[0] = '\0';
}

static void head_field(struct http_transfer *transfer, const char *name, const char *value)
{
	struct http_head *head = &transfer->head;

	if (text_equal_fold(name, "content-length"))
		head_length(head, value);
	else if (text_equal_fold(name, "content-type"))
		head_type(head, value);
	else if (text_equal_fold(name, "content-encoding"))
		text_copy(head->coding, sizeof(head->coding), value);
	else if (text_equal_fold(name, "content-range"))
		text_copy(head->range, sizeof(head->range), value);
	else if (text_equal_fold(name, "retry-after"))
		head_retry_after(head, value);
	else if (text_equal_fold(name, "etag"))
		head_etag(head, value);
	else if (text_equal_fold(name, "location") && strlen(value) < sizeof(transfer->location))
		text_copy(transfer->location, sizeof(transfer->location), value);
}

/* Who is asked by url, if that may be at all. */
static int url_host(const struct http_request *request, const char *url,
		    char ret[static HTTP_HOST_BYTES])
{
	return request->is_own_server ? http_url_place(url, ret) : http_url_host(url, false, ret);
}

static void head_reset(struct http_transfer *transfer)
{
	transfer->head = (struct http_head){};
	transfer->location[0] = '\0';
	(void)url_host(&transfer->request, transfer->url, transfer->head.host);
}

/* A line of the head: of n bytes, not ended by a NUL. */
static size_t on_header(char *bytes, size_t size, size_t n, void *context)
{
	enum { FIELD_BYTES = HTTP_URL_BYTES + 64 };
	struct http_transfer *transfer = context;
	char line[FIELD_BYTES];
	char *colon, *value;
	size_t n_text = n;

	/* what stands behind the body is no head any more; none of ours is so long */
	if (transfer->begun || n >= sizeof(line))
		return n;
	while (n_text > 0 && strchr(" \t\r\n", bytes[n_text - 1]))
		n_text--;
	memcpy(line, bytes, n_text);
	line[n_text] = '\0';
	if (strncmp(line, "HTTP/", 5) == 0) {
		const char *status = strchr(line, ' ');

		head_reset(transfer);
		transfer->head.status = status ? (unsigned)strtoul(status, NULL, 10) : 0;
		return n;
	}
	colon = strchr(line, ':');
	if (!colon)
		return n;
	*colon = '\0';
	value = colon + 1 + strspn(colon + 1, " \t");
	head_field(transfer, line, value);
	return n;
}

static bool is_redirect(const struct http_transfer *transfer)
{
	switch (transfer->head.status) {
	case 301:
	case 302:
	case 303:
	case 307:
	case 308:
		return transfer->request.host_is_allowed && !transfer->request.body;
	default:
		return false;
	}
}

static int sink_begin(struct http_transfer *transfer)
{
	if (transfer->begun)
		return 0;
	transfer->begun = true;
	transfer->sink_result = transfer->sink.begin(transfer->sink.context, &transfer->head);
	return transfer->sink_result;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *context)
{
	struct http_transfer *transfer = context;

	if (is_redirect(transfer))
		return n;
	if (sink_begin(transfer) < 0)
		return CURL_WRITEFUNC_ERROR;
	transfer->sink_result = transfer->sink.data(transfer->sink.context, bytes, n);
	return transfer->sink_result < 0 ? CURL_WRITEFUNC_ERROR : n;
}

/* --- one transfer */

static bool host_is_apple(const char *host)
{
	return strcmp(host, "gs.apple.com") == 0 || strcmp(host, "gdmf.apple.com") == 0;
}

static void easy_set_trust(CURL *easy, const struct http *http, const char *host)
{
	struct curl_blob apple = { .data = (void *)apple_root_pem,
				   .len = sizeof(apple_root_pem) - 1,
				   .flags = CURL_BLOB_NOCOPY };

	if (http->hooks.ca_path) {
		curl_easy_setopt(easy, CURLOPT_CAINFO, http->hooks.ca_path);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	} else if (host_is_apple(host)) {
		curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
		curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &apple);
	}
	if (http->hooks.connect_to)
		curl_easy_setopt(easy, CURLOPT_CONNECT_TO, http->hooks.connect_to);
}

static void easy_set_limits(CURL *easy, const struct http_request *request)
{
	unsigned connect_s = request->connect_s ? request->connect_s : CONNECT_S;

	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)connect_s);
	if (request->total_s) {
		curl_easy_setopt(easy, CURLOPT_TIMEOUT, (long)request->total_s);
		return;
	}
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, (long)SLOW_BYTES_PER_S);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)SLOW_S);
}

static CURL *easy_new(const struct http *http, const char *host)
{
	CURL *easy = curl_easy_init();

	if (!easy)
		return NULL;
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "idevicerescue/" IDR_VERSION);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)READ_BYTES);
	easy_set_trust(easy, http, host);
	return easy;
}

static int headers_build(const struct http_request *request, struct curl_slist **ret)
{
	struct curl_slist *list = NULL;

	/* curl would wait a second for the server's leave to send the body */
	list = curl_slist_append(NULL, "Expect:");
	for (size_t i = 0; list && request->headers && request->headers[i]; i++) {
		struct curl_slist *longer = curl_slist_append(list, request->headers[i]);

		if (!longer) {
			curl_slist_free_all(list);
			list = NULL;
		} else {
			list = longer;
		}
	}
	if (!list)
		return -ENOMEM;
	*ret = list;
	return 0;
}

static void transfer_done(struct http_transfer *transfer)
{
	curl_easy_cleanup(transfer->easy);
	curl_slist_free_all(transfer->headers);
	transfer->easy = NULL;
	transfer->headers = NULL;
}

/* Makes the handle for transfer->url and hands it to curl. */
static int transfer_start(struct http *http, struct http_transfer *transfer)
{
	const struct http_request *request = &transfer->request;
	char host[HTTP_HOST_BYTES];

	if (url_host(request, transfer->url, host) < 0)
		return error_set(&transfer->error, ERROR_PROTOCOL, "worker", 0,
				 "An address is none that may be asked: %s", transfer->url);
	transfer->easy = easy_new(http, host);
	if (!transfer->easy || headers_build(request, &transfer->headers) < 0)
		return error_set_errno(&transfer->error, ERROR_BUG, "curl", ENOMEM, "A request");
	if (request->is_own_server)
		curl_easy_setopt(transfer->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	easy_set_limits(transfer->easy, request);
	curl_easy_setopt(transfer->easy, CURLOPT_URL, transfer->url);
	curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->headers);
	curl_easy_setopt(transfer->easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(transfer->easy, CURLOPT_HEADERDATA, transfer);
	curl_easy_setopt(transfer->easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(transfer->easy, CURLOPT_WRITEDATA, transfer);
	curl_easy_setopt(transfer->easy, CURLOPT_PRIVATE, transfer);
	if (request->body) {
		curl_easy_setopt(transfer->easy, CURLOPT_POST, 1L);
		curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDS, request->body);
		curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDSIZE_LARGE,
				 (curl_off_t)request->body_bytes);
	}
	head_reset(transfer);
	if (curl_multi_add_handle(http->multi, transfer->easy) != CURLM_OK)
		return error_set_errno(&transfer->error, ERROR_BUG, "curl", ENOMEM, "A request");
	transfer->running = true;
	return 0;
}

static size_t on_date(char *bytes, size_t size, size_t n, void *context)
{
	enum { DATE_BYTES = 64 };
	char line[DATE_BYTES];
	int64_t *date = context;

	if (n >= sizeof(line) || strncasecmp(bytes, "date:", 5) != 0)
		return n;
	memcpy(line, bytes, n);
	line[n] = '\0';
	*date = curl_getdate(line + 5, NULL);
	return n;
}

/*
 * What time a server believes it is. Its certificate is not checked here: the answer only words an
 * error, "your clock is wrong" or "the certificate is".
 */
static int64_t server_date(const struct http *http, const char *host)
{
	char url[HTTP_HOST_BYTES + 16];
	CURL *easy = easy_new(http, host);
	int64_t date = 0;

	if (!easy)
		return 0;
	snprintf(url, sizeof(url), "https://%s/", host);
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
	curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT, (long)DATE_S);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_date);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, &date);
	if (curl_easy_perform(easy) != CURLE_OK)
		date = 0;
	curl_easy_cleanup(easy);
	return date > 0 ? date : 0;
}

static int transfer_fault(const struct http *http, struct http_transfer *transfer, CURLcode code)
{
	struct http_fault fault = {
		.code = code,
		.host = transfer->head.host,
		.now_s = (int64_t)(clock_wall_ms() / MS_PER_S),
	};

	if (transfer->sink_result < 0)
		return transfer->sink_result;
	(void)curl_easy_getinfo(transfer->easy, CURLINFO_SSL_VERIFYRESULT, &fault.verify);
	if (http_fault_is_of_dates(&fault))
		fault.server_now_s = server_date(http, transfer->head.host);
	return http_fault_set(&transfer->error, &fault);
}

/* Where it is sent to, if it may go there. */
static int redirect_url(struct http_transfer *transfer, char ret[static HTTP_URL_BYTES])
{
	char host[HTTP_HOST_BYTES], *url = NULL;

	(void)curl_easy_getinfo(transfer->easy, CURLINFO_REDIRECT_URL, &url);
	if (!url || strlen(url) >= HTTP_URL_BYTES || transfer->location[0] == '\0')
		return error_set(&transfer->error, ERROR_PROTOCOL, "worker", transfer->head.status,
				 "%s redirects to nowhere", transfer->head.host);
	if (http_url_host(url, false, host) < 0 || !transfer->request.host_is_allowed(host))
		return error_set(&transfer->error, ERROR_NETWORK, "worker", transfer->head.status,
				 "%s redirects to a foreign place: a login page or a filter may "
				 "stand in between. Log in, or use another network",
				 transfer->head.host);
	if (++transfer->redirects > REDIRECTS_MAX)
		return error_set(&transfer->error, ERROR_PROTOCOL, "worker", transfer->head.status,
				 "%s redirects in a circle", transfer->head.host);
	text_copy(ret, HTTP_URL_BYTES, url);
	return 0;
}

/* Asks again at the place that it is sent to. */
static int transfer_follow(struct http *http, struct http_transfer *transfer)
{
	char url[HTTP_URL_BYTES];
	int r = redirect_url(transfer, url);

	if (r < 0)
		return r;
	curl_multi_remove_handle(http->multi, transfer->easy);
	transfer->running = false;
	transfer_done(transfer);
	text_copy(transfer->url, sizeof(transfer->url), url);
	return transfer_start(http, transfer);
}

/* Curl has done its part of it. True if it is over. */
static bool transfer_end(struct http *http, struct http_transfer *transfer, CURLcode code)
{
	if (code == CURLE_OK && is_redirect(transfer)) {
		transfer->result = transfer_follow(http, transfer);
		if (transfer->result == 0)
			return false; /* it runs again */
	} else if (code == CURLE_OK) {
		transfer->result = sink_begin(transfer);
	} else {
		transfer->result = transfer_fault(http, transfer, code);
	}
	if (transfer->running)
		curl_multi_remove_handle(http->multi, transfer->easy);
	transfer->running = false;
	return true;
}

/* True if any is over. */
static bool transfers_collect(struct http *http)
{
	CURLMsg *message;
	bool any = false;
	int left;

	while ((message = curl_multi_info_read(http->multi, &left))) {
		struct http_transfer *transfer = NULL;
		CURLcode code = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
		any |= transfer_end(http, transfer, code);
	}
	return any;
}

int http_begin(struct http *http, const struct http_request *request, const struct http_sink *sink,
	       struct http_transfer **ret, struct error *err)
{
	struct http_transfer *transfer = calloc(1, sizeof(*transfer));
	int r;

	if (!transfer)
		return error_set_errno(err, ERROR_BUG, "curl", ENOMEM, "A request");
	transfer->http = http;
	transfer->request = *request;
	transfer->sink = *sink;
	text_copy(transfer->url, sizeof(transfer->url), request->url);
	r = transfer_start(http, transfer);
	if (r < 0) {
		if (err)
			*err = transfer->error;
		http_end(transfer);
		return r;
	}
	*ret = transfer;
	return 0;
}

struct http_transfer *http_end(struct http_transfer *transfer)
{
	if (!transfer)
		return NULL;
	if (transfer->running)
		curl_multi_remove_handle(transfer->http->multi, transfer->easy);
	transfer_done(transfer);
	free(transfer);
	return NULL;
}

bool http_is_over(const struct http_transfer *transfer)
{
	return !transfer->running;
}

int http_result(const struct http_transfer *transfer, struct error *err)
{
	if (err && transfer->error.kind != ERROR_NONE)
		*err = transfer->error;
	return transfer->result;
}

const char *http_transfer_url(const struct http_transfer *transfer)
{
	return transfer->url;
}

int http_turn(struct http *http, unsigned ms)
{
	int running = 0;

	if (curl_multi_perform(http->multi, &running) != CURLM_OK)
		return -EIO;
	if (transfers_collect(http) || ms == 0)
		return 0;
	return curl_multi_poll(http->multi, NULL, 0, (int)ms, NULL) == CURLM_OK ? 0 : -EIO;
}

void http_wake(struct http *http)
{
	(void)curl_multi_wakeup(http->multi);
}
