/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A fast and honest server of one file over TLS, for tests/bench/download.py: ranges, keep-alive,
 * an ETag; a thread for each connection; as fast as it can, or held to a rate like a line or a
 * content network that limits each connection.
 *
 * usage: firmware_server FILE CERTIFICATE KEY LINE_BYTES_PER_S EACH_BYTES_PER_S    (0: no limit)
 * Prints its port on 127.0.0.1, serves any path, ends with its standard input.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { REQUEST_BYTES = 8192, PIECE_BYTES = 256 * 1024, BACKLOG = 64, NS_PER_S = 1000000000 };

/* Lets so many bytes a second through: `due_ns` is when the next piece may go. */
struct bucket {
	pthread_mutex_t lock;
	uint64_t bytes_per_s; /* 0: no limit */
	uint64_t due_ns;
};

struct server {
	const uint8_t *file;
	uint64_t size;
	SSL_CTX *tls;
	struct bucket line;
	uint64_t each_bytes_per_s;
};

struct connection {
	struct server *server; /* borrowed */
	int fd;
	struct bucket each;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void bucket_pass(struct bucket *bucket, size_t n)
{
	struct timespec until;
	uint64_t now, due;

	if (bucket->bytes_per_s == 0)
		return;
	pthread_mutex_lock(&bucket->lock);
	now = now_ns();
	if (bucket->due_ns < now)
		bucket->due_ns = now;
	due = bucket->due_ns;
	bucket->due_ns += (uint64_t)n * NS_PER_S / bucket->bytes_per_s;
	pthread_mutex_unlock(&bucket->lock);
	until = (struct timespec){ (time_t)(due / NS_PER_S), (long)(due % NS_PER_S) };
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

static int send_all(SSL *tls, const void *bytes, size_t n)
{
	size_t sent = 0;

	return n == 0 || (SSL_write_ex(tls, bytes, n, &sent) == 1 && sent == n) ? 0 : -1;
}

/* Reads up to the empty line; returns the bytes of the head, 0 at the end of the connection. */
static size_t request_read(SSL *tls, char request[static REQUEST_BYTES])
{
	size_t n = 0;

	while (n < REQUEST_BYTES - 1) {
		size_t got = 0;

		if (SSL_read_ex(tls, request + n, REQUEST_BYTES - 1 - n, &got) != 1)
			return 0;
		n += got;
		request[n] = '\0';
		if (strstr(request, "\r\n\r\n"))
			return n;
	}
	return 0;
}

static int answer(struct connection *connection, SSL *tls, const char *request)
{
	const struct server *server = connection->server;
	const char *range = strcasestr(request, "\r\nRange: bytes=");
	uint64_t first = 0, end = server->size;
	char head[512], part[128] = "";
	int n;

	if (range) {
		char *rest = NULL;

		first = strtoull(range + strlen("\r\nRange: bytes="), &rest, 10);
		if (*rest == '-' && rest[1] >= '0' && rest[1] <= '9')
			end = strtoull(rest + 1, NULL, 10) + 1;
		if (end > server->size)
			end = server->size;
		if (first >= end)
			return -1;
		snprintf(part, sizeof(part), "Content-Range: bytes %llu-%llu/%llu\r\n",
			 (unsigned long long)first, (unsigned long long)end - 1,
			 (unsigned long long)server->size);
	}
	n = snprintf(head, sizeof(head),
		     "HTTP/1.1 %s\r\nContent-Type: application/octet-stream\r\n"
		     "Accept-Ranges: bytes\r\nETag: \"bench\"\r\n%sContent-Length: %llu\r\n\r\n",
		     range ? "206 Partial Content" : "200 OK", part,
		     (unsigned long long)(end - first));
	if (send_all(tls, head, (size_t)n) < 0 || strncmp(request, "HEAD", 4) == 0)
		return strncmp(request, "HEAD", 4) == 0 ? 0 : -1;
	while (first < end) {
		size_t piece = end - first < PIECE_BYTES ? (size_t)(end - first) : PIECE_BYTES;

		bucket_pass(&connection->each, piece);
		bucket_pass(&connection->server->line, piece);
		if (send_all(tls, server->file + first, piece) < 0)
			return -1;
		first += piece;
	}
	return 0;
}

static void *connection_main(void *argument)
{
	struct connection *connection = argument;
	SSL *tls = SSL_new(connection->server->tls);
	char request[REQUEST_BYTES];

	if (tls && SSL_set_fd(tls, connection->fd) == 1 && SSL_accept(tls) == 1)
		while (request_read(tls, request) > 0 && answer(connection, tls, request) == 0)
			;
	SSL_free(tls);
	close(connection->fd);
	free(connection);
	return NULL;
}

static void *accept_main(void *argument)
{
	struct server *server = ((struct connection *)argument)->server;
	int listening = ((struct connection *)argument)->fd, fd;

	while ((fd = accept(listening, NULL, NULL)) >= 0) {
		struct connection *connection = calloc(1, sizeof(*connection));
		pthread_t thread;

		if (!connection)
			abort();
		connection->server = server;
		connection->fd = fd;
		connection->each.bytes_per_s = server->each_bytes_per_s;
		pthread_mutex_init(&connection->each.lock, NULL);
		if (pthread_create(&thread, NULL, connection_main, connection) != 0)
			abort();
		pthread_detach(thread);
	}
	return NULL;
}

static int listen_somewhere(void)
{
	struct sockaddr_in place = { .sin_family = AF_INET,
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(place);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&place, n) < 0 || listen(fd, BACKLOG) < 0 ||
	    getsockname(fd, (struct sockaddr *)&place, &n) < 0)
		return -1;
	printf("%u\n", ntohs(place.sin_port));
	fflush(stdout);
	return fd;
}

static int file_map(struct server *server, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	server->size = (uint64_t)st.st_size;
	server->file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	return server->file == MAP_FAILED ? -1 : 0;
}

int main(int argc, char *argv[])
{
	static struct server server;
	struct connection listening = { .server = &server };
	pthread_t thread;
	char byte;

	if (argc != 6 || file_map(&server, argv[1]) < 0) {
		fprintf(stderr, "usage: %s FILE CERTIFICATE KEY LINE EACH\n", argv[0]);
		return 2;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	server.tls = SSL_CTX_new(TLS_server_method());
	if (!server.tls || SSL_CTX_use_certificate_chain_file(server.tls, argv[2]) != 1 ||
	    SSL_CTX_use_PrivateKey_file(server.tls, argv[3], SSL_FILETYPE_PEM) != 1) {
		fprintf(stderr, "%s: certificate and key cannot be used\n", argv[0]);
		return 1;
	}
	pthread_mutex_init(&server.line.lock, NULL);
	server.line.bytes_per_s = strtoull(argv[4], NULL, 10);
	server.each_bytes_per_s = strtoull(argv[5], NULL, 10);
	listening.fd = listen_somewhere();
	if (listening.fd < 0 || pthread_create(&thread, NULL, accept_main, &listening) != 0)
		return 1;
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return 0;
}
