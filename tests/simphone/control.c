/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "hand.h"
#include "text.h"

enum { CLIENTS_MAX = 8, LINE_MAX_BYTES = 4096 };

struct client {
	struct control *control; /* owner */
	int fd;                  /* -1: free */
	struct buf in;
};

struct control {
	struct loop *loop;   /* borrowed */
	struct phone *phone; /* borrowed */
	int fd;
	char path[sizeof(((struct sockaddr_un *)nullptr)->sun_path)];
	struct client clients[CLIENTS_MAX];
};

/* ---- commands ---- */

static void answer_error(struct buf *answer, const char *why)
{
	buf_add_text(answer, "{\"ok\":false,\"error\":");
	buf_add_json(answer, why);
	buf_add_text(answer, "}\n");
}

static void add_member(struct buf *answer, const char *key, const char *text)
{
	buf_addf(answer, ",\"%s\":", key);
	buf_add_json(answer, text);
}

/* Whom the phone trusts, and what stands on its screen. */
static void add_trust(struct phone *p, struct buf *answer)
{
	const struct trust *t = &p->trust;
	unsigned count = 0;

	trust_sync(&p->trust);
	buf_add_text(answer, ",\"host_ids\":[");
	for (const struct host *h = t->hosts; h; h = h->next) {
		if (count++ > 0)
			buf_add_text(answer, ",");
		buf_add_json(answer, h->id);
	}
	buf_addf(answer, "],\"hosts\":%u,\"sessions\":%u,\"locked\":%s,\"passcode\":%s", count,
		 t->sessions, t->locked ? "true" : "false", t->passcode ? "true" : "false");
	buf_addf(answer, ",\"unlocked_once\":%s,\"setup_done\":%s",
		 t->unlocked_once ? "true" : "false", t->setup_done ? "true" : "false");
	add_member(answer, "dialog", dialog_name(t->dialog));
	buf_addf(answer, ",\"backup_wants_passcode\":%s", p->backup.asker ? "true" : "false");
}

/* The system, and what proves that the user's files were kept or destroyed. */
static void add_system(const struct phone *p, struct buf *answer)
{
	char digest[65];

	files_digest(&p->files, digest);
	add_member(answer, "version", p->system.version);
	add_member(answer, "build", p->system.build);
	buf_addf(answer, ",\"erases\":%u,\"updates\":%u,\"partial\":%s", p->system.erases,
		 p->system.updates, p->system.partial ? "true" : "false");
	buf_addf(answer, ",\"auto_boot\":%s,\"files\":%u",
		 recovery_auto_boot(&p->recovery) ? "true" : "false", files_count(&p->files));
	add_member(answer, "files_digest", digest);
}

static void answer_state(struct phone *p, struct buf *answer)
{
	const struct model *m = p->identity.model;
	BUF_AUTO serial = {};
	BUF_AUTO nonces = {};

	phone_usb_serial(p, &serial);
	identity_nonce_string(&p->identity, &nonces);
	buf_addf(answer,
		 "{\"ok\":true,\"mode\":\"%s\",\"plugged\":%s,\"leaving\":%s,\"booting\":%s,"
		 "\"attached\":%s",
		 mode_name(p->mode), p->plugged ? "true" : "false",
		 p->power == POWER_LEAVING ? "true" : "false",
		 p->power == POWER_BOOTING ? "true" : "false", p->usb.shape ? "true" : "false");
	buf_addf(answer, ",\"configuration\":%u,\"boots\":%u,\"cpid\":%u,\"bdid\":%u",
		 p->usb.config, p->boots, m->cpid, m->bdid);
	buf_addf(answer, ",\"ecid\":\"0x%016" PRIx64 "\"", p->identity.ecid);
	add_member(answer, "body", body_name(p->scenario.body));
	add_member(answer, "model", m->product);
	add_member(answer, "board", m->board);
	add_member(answer, "name", m->name);
	add_member(answer, "udid", p->identity.udid);
	add_member(answer, "serial", p->identity.serial);
	add_member(answer, "usb_serial", buf_text(&serial));
	add_member(answer, "nonces", buf_text(&nonces));
	add_trust(p, answer);
	add_system(p, answer);
	buf_add_text(answer, "}\n");
}

/* Each command appends its whole answer. */
static void run_mode(struct loop *loop, struct phone *p, char *rest, struct buf *answer)
{
	enum mode mode;

	if (mode_parse(rest, &mode) < 0) {
		answer_error(answer, "there is no such mode");
		return;
	}
	phone_leave(p, mode, 0, "control");
	answer_state(p, answer);
}

static void run_set(struct loop *loop, struct phone *p, char *rest, struct buf *answer)
{
	const char *key = strtok_r(rest, " ", &rest);
	char why[256] = "usage: set KEY VALUE";

	/* a value may be empty, and keeps its spaces */
	if (!key || scenario_set(&p->scenario, key, rest ? rest : "", why, sizeof(why)) < 0)
		answer_error(answer, why);
	else
		answer_state(p, answer);
}

static void run_state(struct loop *loop, struct phone *p, char *rest, struct buf *answer)
{
	answer_state(p, answer);
}

static void run_quit(struct loop *loop, struct phone *p, char *rest, struct buf *answer)
{
	loop->quit = true;
	answer_state(p, answer);
}

static const struct command {
	const char *name;
	void (*run)(struct loop *loop, struct phone *p, char *rest, struct buf *answer);
} commands[] = {
	{ "mode", run_mode },
	{ "set", run_set },
	{ "state", run_state },
	{ "quit", run_quit },
};

/* Everything else is the user's hand. */
static void run_gesture(struct phone *p, const char *verb, const char *rest, struct buf *answer)
{
	const char *why = "";
	BUF_AUTO help = {};

	switch (hand_do(p, verb, rest, &why)) {
	case 0:
		answer_state(p, answer);
		return;
	case -ENOENT:
		buf_addf(&help, "commands: mode, set, state, quit, %s", hand_gestures);
		answer_error(answer, buf_text(&help));
		return;
	default:
		answer_error(answer, why);
	}
}

void control_run(struct loop *loop, struct phone *p, char *line, struct buf *answer)
{
	char nothing[1] = "", *rest = nothing;
	const char *verb = strtok_r(line, " ", &rest);

	EVLOG(&p->log, "control", LOG_TEXT("verb", verb ? verb : ""),
	      LOG_TEXT("rest", rest ? rest : ""));
	if (!verb) {
		answer_error(answer, "an empty line");
		return;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, verb) != 0)
			continue;
		commands[i].run(loop, p, rest, answer);
		return;
	}
	run_gesture(p, verb, rest, answer);
}

/* ---- sockets ---- */

static void client_close(struct client *c)
{
	if (c->fd < 0)
		return;
	loop_unwatch(c->control->loop, c->fd);
	close(c->fd);
	c->fd = -1;
	buf_done(&c->in);
}

static void client_ready(void *user, short events)
{
	struct client *c = user;
	char bytes[LINE_MAX_BYTES];
	ssize_t got = recv(c->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	const uint8_t *newline;

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0 || c->in.len + (size_t)got > LINE_MAX_BYTES) {
		client_close(c);
		return;
	}
	buf_add(&c->in, bytes, (size_t)got);
	while ((newline = memchr(c->in.bytes, '\n', c->in.len))) {
		size_t len = (size_t)(newline - c->in.bytes);
		BUF_AUTO answer = {};

		c->in.bytes[len] = '\0';
		control_run(c->control->loop, c->control->phone, (char *)c->in.bytes, &answer);
		buf_drop(&c->in, len + 1);
		/* an answer fits the socket's buffer; who does not read it is no loss */
		if (send(c->fd, answer.bytes, answer.len, MSG_DONTWAIT | MSG_NOSIGNAL) !=
		    (ssize_t)answer.len) {
			client_close(c);
			return;
		}
	}
}

static void control_ready(void *user, short events)
{
	struct control *c = user;
	int fd = accept4(c->fd, nullptr, nullptr, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		if (c->clients[i].fd >= 0)
			continue;
		c->clients[i] = (struct client){ .control = c, .fd = fd };
		if (loop_watch(c->loop, fd, POLLIN, client_ready, &c->clients[i]))
			return;
		c->clients[i].fd = -1;
	}
	close(fd);
}

struct control *control_new(struct loop *loop, struct phone *phone, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct control *c = calloc(1, sizeof(*c));

	if (!c)
		die("out of memory");
	*c = (struct control){ .loop = loop, .phone = phone };
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		c->clients[i].fd = -1;
	if (strlen(path) >= sizeof(c->path))
		die("the path of the socket is too long: %s", path);
	text_copy(c->path, sizeof(c->path), path);
	text_copy(address.sun_path, sizeof(address.sun_path), path);
	unlink(path);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0 || bind(c->fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(c->fd, 8) < 0)
		die("%s: %s", path, strerror(errno));
	loop_watch(loop, c->fd, POLLIN, control_ready, c);
	return c;
}

struct control *control_free(struct control *c)
{
	if (!c)
		return nullptr;
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		client_close(&c->clients[i]);
	loop_unwatch(c->loop, c->fd);
	close(c->fd);
	unlink(c->path);
	free(c);
	return nullptr;
}
