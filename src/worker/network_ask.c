/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Two rounds of questions, each all at once. A struct look owns curl's multi handle and the hooks;
 * a struct question is one handle on its way:
 *
 *   round 1   HEAD of every server, verified; the page of known content, plainly
 *   round 2   servers whose TLS failed: who is it that answers there? believed in nothing
 */
#include "worker/network_ask.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "version.h"
#include "worker/apple_root.h"
#include "worker/http_hooks.h"
#include "worker/network_here.h"
#include "worker/network_leaf.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	CONNECT_S = 8,
	TOTAL_S = 12,
	AGAIN_S = 6,
	POLL_MS = 1000,
	PAGE_BYTES = 4096,
	URL_BYTES = 320,
	PORT_TLS = 443,
	PORT_PLAIN = 80,
};

/* The page by which Apple's own devices know a login page. */
static const char page_host[] = "captive.apple.com";
static const char page_url[] = "http://captive.apple.com/hotspot-detect.html";
static const char page_word[] = ">Success<";
static const char certificate_folder[] = "/etc/ssl/certs";

struct look {
	CURLM *multi;
	struct http_hooks hooks;
};

/* One on its way. What it sees goes into `seen`. */
struct question {
	CURL *easy;
	struct network_seen *seen;
	const char *host;
	bool running;
	char body[PAGE_BYTES]; /* the page's beginning, with a NUL */
	size_t body_bytes;
	int64_t date_s;
};

static void look_done(struct look *look)
{
	curl_multi_cleanup(look->multi);
	http_hooks_done(&look->hooks);
}

/* --- where a name leads in a test */

/* The entry of the map "host:port:to:to-port"; NULL none. */
static const char *map_find(const struct look *look, const char *host, unsigned port)
{
	char from[URL_BYTES];
	int n = snprintf(from, sizeof(from), "%s:%u:", host, port);

	for (const struct curl_slist *one = look->hooks.connect_to; one; one = one->next)
		if (strncmp(one->data, from, (size_t)n) == 0)
			return one->data + n;
	return NULL;
}

/* A map that changes the address and not the port stands for what a name server tells. */
static bool is_told(const struct look *look, const char *host, unsigned port)
{
	const char *to = map_find(look, host, port);
	const char *colon = to ? strrchr(to, ':') : NULL;

	return !look->hooks.connect_to ||
	       (colon && strtoul(colon + 1, NULL, 10) == (unsigned long)port);
}

static bool is_known(const struct look *look, const char *host, unsigned port)
{
	return !look->hooks.connect_to || map_find(look, host, port);
}

/* --- one question */

/* Notes the address that is tried first. */
static curl_socket_t on_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct network_seen *seen = context;
	const struct sockaddr_in *four = (const void *)&address->addr;
	const struct sockaddr_in6 *six = (const void *)&address->addr;
	int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);

	if (seen->address[0] == '\0')
		(void)inet_ntop(address->family,
				address->family == AF_INET ? (const void *)&four->sin_addr
							   : (const void *)&six->sin6_addr,
				seen->address, sizeof(seen->address));
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static size_t on_header(char *bytes, size_t size, size_t n, void *context)
{
	enum { DATE_BYTES = 64 };
	struct question *question = context;
	char line[DATE_BYTES];

	if (n >= sizeof(line) || strncasecmp(bytes, "date:", 5) != 0)
		return n;
	memcpy(line, bytes, n);
	line[n] = '\0';
	question->date_s = curl_getdate(line + 5, NULL);
	if (question->date_s < 0)
		question->date_s = 0;
	return n;
}

/* More than the beginning is not wanted, and ends it. */
static size_t on_body(char *bytes, size_t size, size_t n, void *context)
{
	struct question *question = context;
	size_t room = sizeof(question->body) - 1 - question->body_bytes;
	size_t taken = n < room ? n : room;

	memcpy(question->body + question->body_bytes, bytes, taken);
	question->body_bytes += taken;
	question->body[question->body_bytes] = '\0';
	return taken == n ? n : CURL_WRITEFUNC_ERROR;
}

static CURL *easy_new(const struct look *look, struct question *question)
{
	CURL *easy = curl_easy_init();

	if (!easy)
		return NULL;
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "idevicerescue/" IDR_VERSION);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT, (long)TOTAL_S);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, question);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, question);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, question->seen);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, question);
	if (look->hooks.connect_to)
		curl_easy_setopt(easy, CURLOPT_CONNECT_TO, look->hooks.connect_to);
	return easy;
}

static void easy_set_root(CURL *easy, const struct look *look, enum network_root root)
{
	struct curl_blob apple = { .data = (void *)apple_root_pem,
				   .len = sizeof(apple_root_pem) - 1,
				   .flags = CURL_BLOB_NOCOPY };

	if (look->hooks.ca_path) {
		curl_easy_setopt(easy, CURLOPT_CAINFO, look->hooks.ca_path);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
		return;
	}
	if (root == NETWORK_ROOT_PUBLIC)
		return;
	curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
	curl_easy_setopt(easy, CURLOPT_CAPATH,
			 root == NETWORK_ROOT_ANY ? certificate_folder : NULL);
	curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &apple);
}

/* --- rounds */

static int question_start(const struct look *look, struct question *question)
{
	if (!question->easy || curl_multi_add_handle(look->multi, question->easy) != CURLM_OK)
		return -ENOMEM;
	question->running = true;
	return 0;
}

static void question_end(const struct look *look, struct question *question)
{
	if (question->running)
		curl_multi_remove_handle(look->multi, question->easy);
	curl_easy_cleanup(question->easy);
	question->easy = NULL;
	question->running = false;
}

static void seen_take(struct network_seen *seen, CURL *easy, CURLcode code)
{
	long status = 0, proxy = 0, os_errno = 0, proxied = 0;
	curl_off_t encrypted = 0;

	(void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &proxy);
	(void)curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_errno);
	(void)curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &seen->verify);
	(void)curl_easy_getinfo(easy, CURLINFO_APPCONNECT_TIME_T, &encrypted);
	(void)curl_easy_getinfo(easy, CURLINFO_USED_PROXY, &proxied);
	seen->code = code;
	seen->status = (unsigned)status;
	seen->proxy_status = (unsigned)proxy;
	seen->os_errno = (int)os_errno;
	seen->proxied = proxied != 0;
	seen->encrypted = encrypted > 0;
}

/* Runs what was started to its ends; each question has its limits. */
static void round_run(const struct look *look, void (*take)(struct question *question, CURLcode),
		      bool any)
{
	int running = any;

	while (running > 0 && curl_multi_perform(look->multi, &running) == CURLM_OK) {
		CURLMsg *message;
		int left;

		while ((message = curl_multi_info_read(look->multi, &left))) {
			struct question *question = NULL;

			(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &question);
			if (message->msg == CURLMSG_DONE && question)
				take(question, message->data.result);
		}
		if (running > 0)
			(void)curl_multi_poll(look->multi, NULL, 0, POLL_MS, NULL);
	}
}

/* --- round 1 */

static void first_take(struct question *question, CURLcode code)
{
	seen_take(question->seen, question->easy, code);
	if (question->seen->proxied)
		question->seen->told = false; /* the address is the proxy's */
}

static int first_start(const struct look *look, const struct network_target *target,
		       struct question *question)
{
	char url[URL_BYTES];

	question->host = target->host;
	question->seen->told = is_told(look, target->host, PORT_TLS);
	/* if nobody ends it */
	question->seen->code = CURLE_COULDNT_RESOLVE_HOST;
	if (!is_known(look, target->host, PORT_TLS))
		return 0;
	question->seen->code = CURLE_OPERATION_TIMEDOUT;
	question->easy = easy_new(look, question);
	if (!question->easy)
		return -ENOMEM;
	snprintf(url, sizeof(url), "https://%s/", target->host);
	curl_easy_setopt(question->easy, CURLOPT_URL, url);
	curl_easy_setopt(question->easy, CURLOPT_NOBODY, 1L);
	if (target->tunnel)
		curl_easy_setopt(question->easy, CURLOPT_CONNECT_ONLY, 1L);
	easy_set_root(question->easy, look, target->root);
	return question_start(look, question);
}

static int page_start(const struct look *look, struct question *question)
{
	if (!is_known(look, page_host, PORT_PLAIN))
		return 0;
	question->easy = easy_new(look, question);
	if (!question->easy)
		return -ENOMEM;
	curl_easy_setopt(question->easy, CURLOPT_URL, page_url);
	return question_start(look, question);
}

/* The host of the address that an answer leads to. */
static void place_read(CURL *easy, char ret[static NETWORK_PLACE_BYTES])
{
	CURLU *parts = curl_url();
	char *url = NULL, *host = NULL;

	(void)curl_easy_getinfo(easy, CURLINFO_REDIRECT_URL, &url);
	if (parts && url && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
	    curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK)
		text_copy(ret, NETWORK_PLACE_BYTES, host);
	curl_free(host);
	curl_url_cleanup(parts);
}

static void page_read(const struct question *question, struct network_page *ret)
{
	enum { OK = 200, MULTIPLE = 300, BAD = 400, PROXY = 407, LOGIN = 511 };
	unsigned status = question->seen->status;
	struct network_page page = { .date_s = question->date_s };

	if (status == OK && question->body_bytes > 0)
		page.is =
		    strstr(question->body, page_word) ? NETWORK_PAGE_TRUE : NETWORK_PAGE_OTHER;
	else if ((status >= MULTIPLE && status < BAD) || status == LOGIN)
		page.is = NETWORK_PAGE_OTHER;
	else if (status == PROXY)
		page.is = NETWORK_PAGE_PROXY;
	if (page.is == NETWORK_PAGE_OTHER)
		place_read(question->easy, page.place);
	*ret = page;
}

/* --- round 2 */

static bool is_doubtful(const struct network_seen *seen)
{
	return seen->code == CURLE_PEER_FAILED_VERIFICATION ||
	       seen->code == CURLE_SSL_CONNECT_ERROR;
}

static void second_take(struct question *question, CURLcode code)
{
	static const char word[] = "Cert:";
	struct network_seen *seen = question->seen;
	struct curl_certinfo *chain = NULL;

	(void)curl_easy_getinfo(question->easy, CURLINFO_CERTINFO, &chain);
	if (!chain || chain->num_of_certs < 1)
		return;
	for (const struct curl_slist *one = chain->certinfo[0]; one; one = one->next)
		if (strncmp(one->data, word, sizeof(word) - 1) == 0)
			seen->looked =
			    network_leaf_read(one->data + sizeof(word) - 1, question->host,
					      seen->issuer, sizeof(seen->issuer), &seen->name_fits);
	seen->date_s = question->date_s;
}

static int second_start(const struct look *look, struct question *question)
{
	char url[URL_BYTES];

	question->easy = easy_new(look, question);
	if (!question->easy)
		return -ENOMEM;
	snprintf(url, sizeof(url), "https://%s/", question->host);
	curl_easy_setopt(question->easy, CURLOPT_URL, url);
	curl_easy_setopt(question->easy, CURLOPT_NOBODY, 1L);
	curl_easy_setopt(question->easy, CURLOPT_TIMEOUT, (long)AGAIN_S);
	curl_easy_setopt(question->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_0);
	curl_easy_setopt(question->easy, CURLOPT_SSL_CIPHER_LIST, "DEFAULT:@SECLEVEL=0");
	curl_easy_setopt(question->easy, CURLOPT_SSL_VERIFYPEER, 0L);
	curl_easy_setopt(question->easy, CURLOPT_SSL_VERIFYHOST, 0L);
	curl_easy_setopt(question->easy, CURLOPT_CERTINFO, 1L);
	return question_start(look, question);
}

static int second_round(const struct look *look, struct question *questions, size_t count)
{
	bool any = false;
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++) {
		if (!is_doubtful(questions[i].seen))
			continue;
		questions[i].date_s = 0;
		r = second_start(look, &questions[i]);
		any = true;
	}
	if (r == 0)
		round_run(look, second_take, any);
	for (size_t i = 0; i < count; i++)
		question_end(look, &questions[i]);
	return r;
}

static int first_round(const struct look *look, const struct network_target *targets, size_t count,
		       struct question *questions, struct network_page *ret_page)
{
	struct question *page = &questions[count];
	int r = page_start(look, page);

	for (size_t i = 0; i < count && r == 0; i++)
		r = first_start(look, &targets[i], &questions[i]);
	if (r == 0)
		round_run(look, first_take, true);
	if (page->easy)
		page_read(page, ret_page);
	for (size_t i = 0; i <= count; i++)
		question_end(look, &questions[i]);
	return r;
}

/* --- all */

int network_look(const struct network_target *targets, size_t count, struct network_seen *ret_seen,
		 struct network_page *ret_page, struct network_here *ret_here, struct error *err)
{
	_cleanup_free_ struct question *questions = calloc(count + 1, sizeof(*questions));
	_cleanup_(look_done) struct look look = {};
	struct network_seen page_seen = {};
	int r;

	if (!questions || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return error_set_errno(err, ERROR_BUG, "curl", ENOMEM, "Cannot use the network");
	r = http_hooks_read(getenv("CREDENTIALS_DIRECTORY"), &look.hooks, err);
	if (r < 0)
		return r;
	look.multi = curl_multi_init();
	if (!look.multi)
		return error_set_errno(err, ERROR_BUG, "curl", ENOMEM, "Cannot use the network");
	/* a name server may hang for long: it is not waited for at the end */
	curl_multi_setopt(look.multi, CURLMOPT_QUICK_EXIT, 1L);
	*ret_page = (struct network_page){};
	for (size_t i = 0; i < count; i++) {
		ret_seen[i] = (struct network_seen){};
		questions[i].seen = &ret_seen[i];
	}
	questions[count].seen = &page_seen;
	r = first_round(&look, targets, count, questions, ret_page);
	if (r == 0)
		r = second_round(&look, questions, count);
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "curl", -r, "Cannot use the network");
	*ret_here = network_here_look(look.hooks.connect_to != NULL);
	return 0;
}
