/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Connections of a download against a server that answers one request at a time, as it is told. */
#include "base/clock.h"
#include "fetch_bed.h"
#include "worker/fetch_lanes.h"
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/syscall.h>

enum { PIECE_BYTES = 300 * 1024, FILE_MIB = 20 };

/* --- a disk that fails */

static int truncate_errno; /* what ftruncate() fails with; 0: it works */

int ftruncate(int fd, off_t length)
{
	if (truncate_errno) {
		errno = truncate_errno;
		return -1;
	}
	return (int)syscall(SYS_ftruncate, fd, length);
}

/* --- the server */

struct server {
	int fd;
	pthread_t thread;
	const char *const *heads; /* what the first requests are answered with, the last one for all
				     others; NULL at the end */
	unsigned most;            /* requests that are answered; then nobody listens any more */
	_Atomic unsigned requests;
	char url[64];
};

static bool request_read(int fd)
{
	char text[4096];
	size_t n = 0;

	while (n + 1 < sizeof(text)) {
		ssize_t got = recv(fd, text + n, sizeof(text) - n - 1, 0);

		if (got <= 0)
			return false;
		n += (size_t)got;
		text[n] = '\0';
		if (strstr(text, "\r\n\r\n"))
			return true;
	}
	return false;
}

static void answer_send(int fd, const char *head)
{
	static const char zeros[PIECE_BYTES];

	(void)send(fd, head, strlen(head), MSG_NOSIGNAL);
	/* a head that brings its body along is the whole answer */
	if (strcmp(head + strlen(head) - 4, "\r\n\r\n") == 0 && !strstr(head, "chunked"))
		for (size_t sent = 0; sent < sizeof(zeros);) {
			ssize_t n = send(fd, zeros + sent, sizeof(zeros) - sent, MSG_NOSIGNAL);

			if (n <= 0)
				return;
			sent += (size_t)n;
		}
}

static void *server_main(void *argument)
{
	struct server *server = argument;
	const char *const *head = server->heads;

	while (server->requests < server->most) {
		int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			break;
		if (request_read(fd)) {
			server->requests++;
			answer_send(fd, *head);
			head += head[1] != NULL;
		}
		close(fd);
	}
	shutdown(server->fd, SHUT_RDWR);
	return NULL;
}

static void server_start(struct server *server, const char *const *heads, unsigned most)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(address);

	*server = (struct server){ .heads = heads, .most = most };
	server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server->fd, (struct sockaddr *)&address, n), 0);
	assert_int_equal(listen(server->fd, 8), 0);
	assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &n), 0);
	snprintf(server->url, sizeof(server->url), "http://127.0.0.1:%u/x.ipsw",
		 ntohs(address.sin_port));
	assert_int_equal(pthread_create(&server->thread, NULL, server_main, server), 0);
}

static void server_end(struct server *server)
{
	shutdown(server->fd, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	close(server->fd);
}

/* --- lanes */

static int on_progress(void *context, uint64_t done, uint64_t came, const char *host,
		       struct error *err)
{
	return 0;
}

static int on_retry(void *context, const char *reason, struct error *err)
{
	return 0;
}

static int on_room(void *context, uint64_t done, struct error *err)
{
	return 0;
}

static int run(struct bed *bed, struct part *part, const struct server *server, struct error *err)
{
	struct lanes_options options = {
		.http = bed->http,
		.part = part,
		.url = server->url,
		.is_own_server = true,
		.size = bed->wanted.size,
		.connections = 1,
		.watch = { on_progress, on_retry, on_room, NULL },
	};
	uint64_t came = 0;

	return lanes_run(&options, &came, err);
}

static const char whole[] = "HTTP/1.1 200 OK\r\nContent-Length: 20971520\r\n\r\n";
static const char first_range[] = "HTTP/1.1 206 Partial Content\r\nContent-Length: 8388608\r\n"
				  "Content-Range: bytes 0-8388607/20971520\r\n\r\n";

/* One fetch from a server that answers as it is told. */
struct attempt {
	struct bed bed;
	struct part *part;
	struct server server;
	struct error error;
};

static void attempt_begin(struct attempt *attempt, const char *const *heads, unsigned mib_each)
{
	*attempt = (struct attempt){};
	bed_make(&attempt->bed, FILE_MIB * mib);
	attempt->part = part_of(&attempt->bed);
	server_start(&attempt->server, heads, mib_each);
}

static void attempt_fails(struct attempt *attempt, enum error_kind kind)
{
	assert_true(run(&attempt->bed, attempt->part, &attempt->server, &attempt->error) < 0);
	assert_int_equal(attempt->error.kind, kind);
}

static void attempt_end(struct attempt *attempt)
{
	server_end(&attempt->server);
	part_free(attempt->part);
	bed_end(&attempt->bed);
}

/* It sends the begin again and again, and breaks off: more than nothing each time, but no way. */
static void test_a_server_that_always_begins_anew(void **state)
{
	static const char *const heads[] = { whole, NULL };
	struct attempt attempt;

	attempt_begin(&attempt, heads, 10);
	attempt_fails(&attempt, ERROR_NETWORK);
	assert_non_null(strstr(attempt.error.text, "from its begin"));
	assert_true(attempt.server.requests >= 2 && attempt.server.requests <= 5);
	attempt_end(&attempt);
}

/* The begin comes again, and the disk does not let go of what is there. */
static void test_a_disk_that_fails_when_it_begins_anew(void **state)
{
	static const char *const heads[] = { first_range, whole, NULL };
	struct attempt attempt;

	attempt_begin(&attempt, heads, 10);
	truncate_errno = EIO;
	attempt_fails(&attempt, ERROR_NO_SPACE);
	truncate_errno = 0;
	assert_int_equal(attempt.server.requests, 2);
	attempt_end(&attempt);
}

/* Network and disk fail: another server would be of no use. */
static void test_the_disk_fails_behind_the_network(void **state)
{
	static const char *const heads[] = { first_range, NULL };
	char name[PLACE_NAME_BYTES];
	struct attempt attempt;
	int folder_fd;

	attempt_begin(&attempt, heads, 1);
	folder_fd = attempt.bed.place.folder_fd;
	fetch_place_name(&attempt.bed.place, ".part.json.part", name); /* no state can be written */
	assert_int_equal(mkdirat(folder_fd, name, 0755), 0);
	attempt_fails(&attempt, ERROR_NO_SPACE);
	assert_int_equal(unlinkat(folder_fd, name, AT_REMOVEDIR), 0);
	attempt_end(&attempt);
}

/* Apple's server is there, too: nobody waits minutes for the shop's own. */
static void test_an_own_server_that_asks_to_wait(void **state)
{
	static const char *const heads[] = { "HTTP/1.1 503 x\r\nRetry-After: 60\r\n"
					     "Content-Length: 1\r\n\r\nx",
					     NULL };
	uint64_t began_ms = clock_now_ms();
	struct attempt attempt;

	attempt_begin(&attempt, heads, 1);
	attempt_fails(&attempt, ERROR_NETWORK);
	assert_non_null(strstr(attempt.error.text, "asks to wait"));
	assert_true(clock_now_ms() - began_ms < 10000);
	attempt_end(&attempt);
}

/* --- heads */

static int head_take(void *context, const struct http_head *head)
{
	*(struct http_head *)context = *head;
	return 0;
}

static int bytes_take(void *context, const void *bytes, size_t n)
{
	return 0;
}

static bool everywhere(const char *host)
{
	return true;
}

static int stream(struct bed *bed, const char *answer, struct http_head *ret, struct error *err)
{
	const char *const heads[] = { answer, NULL };
	struct http_sink sink = { head_take, bytes_take, ret };
	struct http_request request = { .is_own_server = true, .host_is_allowed = everywhere };
	struct server server;
	int r;

	server_start(&server, heads, 1);
	request.url = server.url;
	r = http_stream(bed->http, &request, &sink, err);
	server_end(&server);
	return r;
}

static void test_heads(void **state)
{
	static const struct {
		const char *answer, *etag, *range;
	} rows[] = {
		{ "HTTP/1.1 206 x\r\nETag: \"e\"\r\nContent-Range: bytes 0-0/9\r\n"
		  "Content-Length: 1\r\n\r\nx",
		  "\"e\"", "bytes 0-0/9" },
		{ "HTTP/1.1 206 x\r\nETag: \"e\" \t\r\nContent-Range: bytes 0-0/9 \r\n"
		  "Content-Length: 1\r\n\r\nx",
		  "\"e\"", "bytes 0-0/9" },
		/* it could not be given back as it came */
		{ "HTTP/1.1 206 x\r\nETag: \"\xe9\"\r\nContent-Length: 1\r\n\r\nx", "", "" },
		{ "HTTP/1.1 206 x\r\nETag: \"\x01\"\r\nContent-Length: 1\r\n\r\nx", "", "" },
		/* what stands behind the body is no head */
		{ "HTTP/1.1 206 x\r\nETag: \"e\"\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"
		  "0\r\nHTTP/1.1 302 x: y\r\nLocation: http://127.0.0.1:1/\r\n\r\n",
		  "\"e\"", "" },
	};
	struct bed bed;

	bed_make(&bed, 3);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_head head = {};
		struct error err = {};

		if (stream(&bed, rows[i].answer, &head, &err) < 0)
			fail_msg("%zu: %s", i, err.text);
		assert_int_equal(head.status, 206);
		assert_string_equal(head.etag, rows[i].etag);
		assert_string_equal(head.range, rows[i].range);
	}
	bed_end(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_server_that_always_begins_anew),
		cmocka_unit_test(test_a_disk_that_fails_when_it_begins_anew),
		cmocka_unit_test(test_the_disk_fails_behind_the_network),
		cmocka_unit_test(test_an_own_server_that_asks_to_wait),
		cmocka_unit_test(test_heads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
