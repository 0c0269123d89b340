/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "restore/fdr.h"

#include <plist/plist.h>
#include <stdlib.h>
#include <string.h>

#include "phone.h"
#include "restore/run.h"
#include "text.h"

enum { PATIENCE_MS = 15000, IN_MAX = 1024 * 1024, COMMAND_CONNECT = 1 };

static const char begin_ctrl[] = "BeginCtrl"; /* with their NUL */
static const char hello_ctrl[] = "HelloCtrl";
static const char hello_conn[] = "HelloConn";

struct fdr_link {
	struct service service; /* first */
	struct fdr *fdr;        /* NULL: no longer wanted */
	struct buf in;
	bool greeted;
	bool closed;
};

/* ---- out ---- */

static void link_close(struct fdr_link *l)
{
	if (l->closed)
		return;
	l->closed = true;
	l->service.stream.close(l->service.stream.user);
}

static void link_send(struct fdr_link *l, const char *name, const void *bytes, size_t len)
{
	struct stream *stream = &l->service.stream;
	enum tap_verdict verdict = tap_message(stream->tap, FAULT_SENT, name);
	BUF_AUTO out = {};

	if (verdict == TAP_DROP || l->closed)
		return;
	buf_add(&out, bytes, len);
	if (verdict == TAP_GARBAGE)
		fault_garbage(&l->fdr->run->phone->faults, out.bytes, len);
	stream->send(stream->user, out.bytes, verdict == TAP_CUT ? len / 2 : len);
	if (verdict == TAP_CUT)
		link_close(l);
}

/* @prefix, the length, a binary property list, in one piece. Frees @message. */
static void plist_send(struct fdr_link *l, const char *name, const void *prefix, size_t prefix_len,
		       plist_t message)
{
	char *bytes = nullptr;
	uint32_t len = 0;
	uint8_t length[4];
	BUF_AUTO out = {};

	plist_to_bin(message, &bytes, &len);
	plist_free(message);
	put_le32(length, len);
	buf_add(&out, prefix, prefix_len);
	buf_add(&out, length, sizeof(length));
	buf_add(&out, bytes, len);
	plist_mem_free(bytes);
	link_send(l, name, out.bytes, out.len);
}

static void use_over(struct fdr *f, const char *why)
{
	struct run *run = f->run;

	EVLOG(&run->phone->log, "proxy", LOG_TEXT("verdict", why ? "bad" : "good"),
	      LOG_TEXT("why", why ? why : ""));
	timer_disarm(run->phone->timers, &f->patience);
	f->state = FDR_IDLE;
	buf_clear(&f->asked);
	if (f->conn) {
		f->conn->fdr = nullptr;
		link_close(f->conn);
		f->conn = nullptr;
	}
	run_answered(run, why);
}

static void patience_over(void *user)
{
	use_over(user, "the host's proxy does not answer");
}

/* ---- in: each returns how many bytes it used, 0: more must come ---- */

/* The length in front of a property list, or 0 if it is not whole yet. */
static size_t plist_len(const struct buf *in, size_t at)
{
	uint32_t len;

	if (in->len < at + 4)
		return 0;
	len = get_le32(in->bytes + at);
	return len < IN_MAX && in->len >= at + 4 + len ? 4 + (size_t)len : 0;
}

static size_t control_greet(struct fdr_link *l)
{
	struct fdr *f = l->fdr;
	size_t len;

	if (l->in.len < sizeof(begin_ctrl) - 1)
		return 0;
	if (!memcmp(l->in.bytes, hello_ctrl, sizeof(hello_ctrl) - 1)) {
		uint8_t answer[sizeof(hello_ctrl) - 1 + 2];

		tap_message(l->service.stream.tap, FAULT_GOT, hello_ctrl);
		memcpy(answer, hello_ctrl, sizeof(hello_ctrl) - 1);
		put_le16(answer + sizeof(hello_ctrl) - 1, f->conn_port);
		link_send(l, "ConnPort", answer, sizeof(answer));
		f->old = true;
		l->greeted = true;
		return l->in.len;
	}
	if (memcmp(l->in.bytes, begin_ctrl, sizeof(begin_ctrl) - 1) != 0 ||
	    f->run->phone->scenario.restore.fdr == FDR_OLD) {
		link_close(l);
		return l->in.len;
	}
	len = plist_len(&l->in, sizeof(begin_ctrl));
	if (len == 0)
		return 0;
	tap_message(l->service.stream.tap, FAULT_GOT, begin_ctrl);
	plist_t answer = plist_new_dict();

	f->old = false;
	plist_dict_set_item(answer, "ConnPort", plist_new_uint(f->conn_port));
	if (f->run->phone->scenario.restore.fdr != FDR_NONE)
		plist_send(l, "ConnPort", nullptr, 0, answer);
	else
		plist_free(answer);
	l->greeted = true;
	return sizeof(begin_ctrl) + len;
}

static void ping_send(struct fdr_link *l)
{
	static const uint8_t command[2] = { 0xaa, 0xbb };
	plist_t message = plist_new_dict();

	plist_dict_set_item(message, "Command", plist_new_string("Ping"));
	plist_send(l, "Ping", command, sizeof(command), message);
	l->fdr->state = FDR_PINGED;
}

/* Protocol 1 repeats the word, protocol 2 wraps it into a property list. */
static void hello_send(struct fdr_link *l)
{
	plist_t answer;

	if (l->fdr->old) {
		link_send(l, hello_conn, hello_conn, sizeof(hello_conn));
		return;
	}
	answer = plist_new_dict();
	plist_dict_set_item(answer, "Command", plist_new_string(hello_conn));
	plist_dict_set_item(answer, "Identifier",
			    plist_new_string(l->fdr->run->phone->identity.udid));
	plist_send(l, hello_conn, nullptr, 0, answer);
}

static size_t conn_greet(struct fdr_link *l)
{
	if (l->in.len < sizeof(hello_conn))
		return 0;
	tap_message(l->service.stream.tap, FAULT_GOT, hello_conn);
	if (memcmp(l->in.bytes, hello_conn, sizeof(hello_conn)) != 0) {
		use_over(l->fdr, "the host does not say hello on the proxy's connection");
		return 0;
	}
	hello_send(l);
	l->greeted = true;
	ping_send(l);
	return sizeof(hello_conn);
}

/* HOST:PORT of the scenario. */
static bool address_split(const char *address, struct buf *host, unsigned *port)
{
	const char *colon = strrchr(address, ':');

	if (!colon || colon == address || colon - address > 255)
		return false;
	buf_add(host, address, (size_t)(colon - address));
	*port = (unsigned)strtoul(colon + 1, nullptr, 10);
	return *port > 0 && *port < 65536;
}

static void proxy_send(struct fdr_link *l)
{
	struct fdr *f = l->fdr;
	uint8_t head[5] = { 0x05, 0x01, 0x00, 0x03 }, port_bytes[2];
	unsigned port = 0;
	BUF_AUTO out = {}, host = {};

	if (!address_split(f->run->phone->scenario.restore.fdr_host, &host, &port)) {
		use_over(f, "fdr_host is no HOST:PORT");
		return;
	}
	head[4] = (uint8_t)host.len;
	put_be16(port_bytes, (uint16_t)port);
	buf_add(&out, head, sizeof(head));
	buf_add(&out, host.bytes, host.len);
	buf_add(&out, port_bytes, sizeof(port_bytes));
	/* the host echoes what follows the command, behind 05 00 */
	buf_add(&f->asked, "\5\0", 2);
	buf_add(&f->asked, out.bytes + 2, out.len - 2);
	f->state = FDR_PROXIED;
	link_send(l, "Proxy", out.bytes, out.len);
}

static size_t pong_take(struct fdr_link *l)
{
	size_t len = plist_len(&l->in, 0);
	plist_t answer = nullptr;
	bool pong;

	if (len == 0)
		return 0;
	tap_message(l->service.stream.tap, FAULT_GOT, "Pong");
	plist_from_memory((const char *)l->in.bytes + 4, (uint32_t)len - 4, &answer, nullptr);
	pong = answer && plist_get_node_type(answer) == PLIST_DICT &&
	       plist_dict_get_item(answer, "Pong");
	plist_free(answer);
	if (!pong)
		use_over(l->fdr, "the host's proxy does not answer Ping");
	else if (*l->fdr->run->phone->scenario.restore.fdr_host)
		proxy_send(l);
	else
		use_over(l->fdr, nullptr);
	return len;
}

static size_t echo_take(struct fdr_link *l)
{
	struct fdr *f = l->fdr;
	size_t len = f->asked.len;
	BUF_AUTO request = {};

	if (l->in.len < len)
		return 0;
	tap_message(l->service.stream.tap, FAULT_GOT, "Echo");
	if (memcmp(l->in.bytes, f->asked.bytes, len) != 0) {
		use_over(f, "the host's proxy echoes something else");
		return 0;
	}
	buf_addf(&request,
		 "GET / HTTP/1.1\r\nHost: %s\r\nUser-Agent: restored\r\nConnection: close\r\n\r\n",
		 f->run->phone->scenario.restore.fdr_host);
	f->state = FDR_ASKED;
	link_send(l, "Request", request.bytes, request.len);
	return len;
}

/* A whole answer: headers, and as many bytes as they tell; else what came until now waits. */
static size_t response_take(struct fdr_link *l)
{
	const char *text = buf_text(&l->in);
	const char *end = strstr(text, "\r\n\r\n");
	const char *length = strcasestr(text, "content-length:");
	size_t whole;
	unsigned status = 0;

	if (!end)
		return 0;
	whole = (size_t)(end - text) + 4;
	if (length && length < end)
		whole += strtoul(length + strlen("content-length:"), nullptr, 10);
	if (l->in.len < whole)
		return 0;
	sscanf(text, "HTTP/%*s %u", &status);
	tap_message(l->service.stream.tap, FAULT_GOT, "Response");
	EVLOG(&l->fdr->run->phone->log, "proxy-answer", LOG_INT("status", status),
	      LOG_INT("bytes", whole));
	use_over(l->fdr, status == 200 ? nullptr : "the server behind the proxy refuses");
	return whole;
}

static size_t link_step(struct fdr_link *l)
{
	if (l == l->fdr->control)
		return l->greeted ? l->in.len : control_greet(l);
	if (!l->greeted)
		return conn_greet(l);
	switch (l->fdr->state) {
	case FDR_PINGED:
		return pong_take(l);
	case FDR_PROXIED:
		return echo_take(l);
	case FDR_ASKED:
		return response_take(l);
	case FDR_IDLE:
	case FDR_CALLED:
		return l->in.len;
	}
	return 0;
}

static void link_feed(struct service *service, const uint8_t *bytes, size_t len)
{
	struct fdr_link *l = (struct fdr_link *)service;
	size_t used = 1;

	if (!l->fdr || l->closed || l->in.len + len > IN_MAX)
		return;
	buf_add(&l->in, bytes, len);
	while (used > 0 && l->in.len > 0 && l->fdr && !l->closed) {
		used = link_step(l);
		buf_drop(&l->in, used);
	}
}

static void link_free(struct service *service)
{
	struct fdr_link *l = (struct fdr_link *)service;
	struct fdr *f = l->fdr;

	if (f && f->control == l)
		f->control = nullptr;
	if (f && f->conn == l) {
		f->conn = nullptr;
		if (f->state != FDR_IDLE)
			use_over(f, "the host's proxy closed the connection");
	}
	buf_done(&l->in);
	free(l);
}

/* ---- life ---- */

static struct fdr_link *link_new(const struct stream *stream)
{
	static const struct service_class class = { link_feed, link_free };
	struct fdr_link *l = calloc(1, sizeof(*l));

	if (!l)
		die("out of memory");
	*l = (struct fdr_link){ .service = { &class, *stream } };
	return l;
}

/* The latest control connection counts: a host may open it again with another protocol. */
static struct service *control_open(struct phone *phone, void *user, const struct stream *stream)
{
	struct fdr_link *l = link_new(stream);
	struct fdr *f = user;

	if (f->control)
		f->control->fdr = nullptr;
	f->control = l;
	l->fdr = f;
	return &l->service;
}

static struct service *conn_open(struct phone *phone, void *user, const struct stream *stream)
{
	struct fdr_link *l = link_new(stream);
	struct fdr *f = user;

	if (f->state == FDR_CALLED && !f->conn) {
		f->conn = l;
		l->fdr = f;
	}
	return &l->service;
}

void fdr_listen(struct fdr *f, struct run *run)
{
	struct ports *ports = &run->phone->ports;

	f->run = run;
	if (run->phone->scenario.restore.fdr == FDR_REFUSE)
		return;
	ports_listen(ports, FDR_PORT, "fdr", control_open, f);
	f->conn_port = ports_listen(ports, 0, "fdr", conn_open, f);
}

void fdr_stop(struct fdr *f)
{
	if (!f->run)
		return;
	timer_disarm(f->run->phone->timers, &f->patience);
	if (f->control)
		f->control->fdr = nullptr;
	if (f->conn)
		f->conn->fdr = nullptr;
	buf_done(&f->asked);
	*f = (struct fdr){};
}

void fdr_use(struct fdr *f)
{
	uint8_t command[4];

	if (!f->control || !f->control->greeted ||
	    f->run->phone->scenario.restore.fdr == FDR_NONE) {
		run_answered(f->run, *f->run->phone->scenario.restore.fdr_host
					 ? "the host offers no proxy"
					 : nullptr);
		return;
	}
	put_le32(command, COMMAND_CONNECT);
	f->state = FDR_CALLED;
	timer_arm(f->run->phone->timers, &f->patience, PATIENCE_MS, patience_over, f);
	link_send(f->control, "Connect", command, sizeof(command));
}
