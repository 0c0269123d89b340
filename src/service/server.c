/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Owns the varlink server, the list of its links (sd-varlink keeps none that could be closed at the
 * end), the watchers, the number of the latest event, and one `struct pending` for each call that
 * waits for a worker's answer.
 *
 * Invariants: a snapshot with number n holds the effect of all events up to n, because both are
 * made in the same thread from the same fleet. A pending call lives until its answer came or its
 * link went, whichever is first.
 *
 * Who may connect: the socket has mode 0660, so root, and the user and group of the service (the
 * console runs in that group). Whoever is in it sees phones' names and numbers and may ask them;
 * others on this computer may not.
 */
#include "service/server.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "service/server_parts.h"
#include "version.h"
#include <errno.h>
#include <string.h>
#include <systemd/sd-varlink.h>

enum {
	SOCKET_MODE = 0660,
	SERVER_LINKS_MAX = 128,
};

struct peer {
	struct peer *next;
	sd_varlink *link; /* borrowed: sd-varlink holds it from connect to disconnect */
};

/* --- objects --------------------------------------------------------------------------------- */

static int phones_build(const struct server *server, sd_json_variant **ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *phones = NULL;
	int r;

	r = sd_json_build(&phones, SD_JSON_BUILD_EMPTY_ARRAY);
	for (size_t i = 0; r >= 0 && i < fleet_count(server->options.fleet); i++) {
		_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
		const struct phone *phone = fleet_at(server->options.fleet, i);

		if (!phone)
			break;
		r = phone_build(server, phone, &object);
		if (r >= 0)
			r = sd_json_variant_append_array(&phones, object);
	}
	if (r < 0)
		return r;
	*ret = TAKE(phones);
	return 0;
}

static int snapshot_build(const struct server *server, sd_json_variant **ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *phones = NULL, *jobs = NULL;
	int r = phones_build(server, &phones);

	if (r >= 0 && server->options.jobs)
		r = jobs_build_all(server->options.jobs, true, &jobs);
	if (r < 0)
		return r;
	return sd_json_buildo(
	    ret, SD_JSON_BUILD_PAIR_UNSIGNED("seq", server->seq),
	    SD_JSON_BUILD_PAIR_UNSIGNED("time_ms", clock_wall_ms()),
	    SD_JSON_BUILD_PAIR_STRING("version", IDR_VERSION),
	    SD_JSON_BUILD_PAIR_BOOLEAN("test", server->options.test),
	    SD_JSON_BUILD_PAIR_BOOLEAN("mux_up", server->mux_up),
	    SD_JSON_BUILD_PAIR_VARIANT("phones", phones),
	    SD_JSON_BUILD_PAIR_CONDITION(jobs != NULL, "jobs", SD_JSON_BUILD_VARIANT(jobs)));
}

/* payload (may be NULL) goes in under `name`. */
static int event_build(const struct server *server, const char *kind, const char *name,
		       sd_json_variant *payload, sd_json_variant **ret)
{
	return sd_json_buildo(
	    ret, SD_JSON_BUILD_PAIR_UNSIGNED("seq", server->seq),
	    SD_JSON_BUILD_PAIR_UNSIGNED("time_ms", clock_wall_ms()),
	    SD_JSON_BUILD_PAIR_STRING("kind", kind),
	    SD_JSON_BUILD_PAIR_CONDITION(payload != NULL, name, SD_JSON_BUILD_VARIANT(payload)));
}

static int problem_build(const struct error *err, sd_json_variant **ret)
{
	return sd_json_buildo(ret, SD_JSON_BUILD_PAIR_STRING("kind", error_kind_name(err->kind)),
			      SD_JSON_BUILD_PAIR_STRING("origin", err->origin),
			      SD_JSON_BUILD_PAIR_INTEGER("code", err->code),
			      SD_JSON_BUILD_PAIR_STRING("text", err->text));
}

/* --- events ---------------------------------------------------------------------------------- */

/* payload (may be NULL) goes in under `name`. */
void server_send(struct server *server, const char *kind, const char *name,
		 sd_json_variant *payload)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *event = NULL;
	int r;

	server->seq++;
	r = event_build(server, kind, name, payload, &event);
	if (r < 0)
		log_error("event %s cannot be told: %s", kind, strerror(-r));
	else
		watchers_send(server->watchers, event);
}

static const char *fleet_event_kind(enum fleet_event event)
{
	switch (event) {
	case FLEET_ADDED:
		return "added";
	case FLEET_CHANGED:
		return "changed";
	case FLEET_REMOVED:
		return "removed";
	case FLEET_EVENT_MAX:
		break;
	}
	return "changed";
}

void server_fleet_event(struct server *server, enum fleet_event event, const struct phone *phone)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	int r = phone_tell(server, phone, event == FLEET_REMOVED, &object);

	if (r < 0)
		log_error("a phone cannot be told: %s", strerror(-r));
	else
		server_send(server, fleet_event_kind(event), "phone", object);
}

void server_job(struct server *server, sd_json_variant *job)
{
	server_send(server, "job", "job", job);
}

void server_mux(struct server *server, bool up, const struct error *why)
{
	bool news = server->mux_up != up;

	server->mux_known = true;
	server->mux_up = up;
	server->mux_problem = !up && why ? *why : (struct error){ 0 };
	if (news)
		server_send(server, up ? "mux-up" : "mux-down", "phone", NULL);
}

bool server_mux_is_up(const struct server *server)
{
	return server->mux_up;
}

/* --- methods --------------------------------------------------------------------------------- */

static int on_list(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
		   void *user)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *snapshot = NULL;
	struct server *server = user;
	int r;

	r = sd_varlink_dispatch(link, parameters, NULL, NULL);
	if (r != 0)
		return r;
	r = snapshot_build(server, &snapshot);
	if (r < 0)
		return sd_varlink_error_errno(link, r);
	return sd_varlink_replybo(link, SD_JSON_BUILD_PAIR_VARIANT("snapshot", snapshot));
}

static int on_watch(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
		    void *user)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *snapshot = NULL, *event = NULL;
	struct server *server = user;
	int r;

	r = sd_varlink_dispatch(link, parameters, NULL, NULL);
	if (r != 0)
		return r;
	r = snapshot_build(server, &snapshot);
	if (r >= 0)
		r = event_build(server, "snapshot", "snapshot", snapshot, &event);
	if (r >= 0)
		r = watchers_add(server->watchers, link, event);
	if (r < 0)
		return sd_varlink_error_errno(link, r);
	return 0;
}

static int reply_phone(const struct server *server, sd_varlink *link, const struct phone *phone)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL, *problem = NULL;
	const struct error *err = asker_problem(server->options.asker, phone);
	int r;

	r = phone_build(server, phone, &object);
	if (r >= 0 && err)
		r = problem_build(err, &problem);
	if (r < 0)
		return sd_varlink_error_errno(link, r);
	return sd_varlink_replybo(link, SD_JSON_BUILD_PAIR_VARIANT("phone", object),
				  SD_JSON_BUILD_PAIR_CONDITION(problem != NULL, "problem",
							       SD_JSON_BUILD_VARIANT(problem)));
}

int reply_not_answered(sd_varlink *link, const char *wanted, const struct error *err)
{
	return sd_varlink_errorbo(link, INTERFACE_ERROR_NOT_ANSWERED,
				  SD_JSON_BUILD_PAIR_STRING("wanted", wanted),
				  SD_JSON_BUILD_PAIR_STRING("kind", error_kind_name(err->kind)),
				  SD_JSON_BUILD_PAIR_STRING("origin", err->origin),
				  SD_JSON_BUILD_PAIR_INTEGER("code", err->code),
				  SD_JSON_BUILD_PAIR_STRING("text", err->text));
}

/* Keys of all phones that `wanted` fits. */
static int reply_ambiguous(const struct server *server, sd_varlink *link, const char *wanted)
{
	const struct phone *matches[FLEET_PHONES_MAX];
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *keys = NULL;
	size_t count = fleet_match(server->options.fleet, wanted, matches, FLEET_PHONES_MAX);
	int r = sd_json_build(&keys, SD_JSON_BUILD_EMPTY_ARRAY);

	for (size_t i = 0; r >= 0 && i < count && i < FLEET_PHONES_MAX; i++) {
		char key[PHONE_KEY_BYTES];

		phone_key(matches[i], key);
		r = sd_json_variant_append_arrayb(&keys, SD_JSON_BUILD_STRING(key));
	}
	if (r < 0)
		return sd_varlink_error_errno(link, r);
	return sd_varlink_errorbo(link, INTERFACE_ERROR_AMBIGUOUS_PHONE,
				  SD_JSON_BUILD_PAIR_STRING("wanted", wanted),
				  SD_JSON_BUILD_PAIR_VARIANT("matches", keys));
}

int reply_not_found(const struct server *server, sd_varlink *link, const char *wanted,
		    const struct error *err)
{
	if (err->kind == ERROR_AMBIGUOUS)
		return reply_ambiguous(server, link, wanted);
	if (err->kind == ERROR_NO_PHONE)
		return sd_varlink_errorbo(link, INTERFACE_ERROR_NO_SUCH_PHONE,
					  SD_JSON_BUILD_PAIR_STRING("wanted", wanted));
	return sd_varlink_error_invalid_parameter_name(link, "phone");
}

int find_phone(const struct server *server, sd_varlink *link, const char *wanted,
	       const struct phone **ret)
{
	struct error err;
	int r;

	if (strlen(wanted) >= WANTED_BYTES_MAX)
		r = sd_varlink_error_invalid_parameter_name(link, "phone");
	else if (fleet_find(server->options.fleet, wanted, ret, &err) < 0)
		r = reply_not_found(server, link, wanted, &err);
	else
		return 0;
	return r == 0 ? 1 : r; /* sd_varlink_error() returns the error that it sent */
}

struct pending *pending_new(struct server *server, sd_varlink *link, const char *wanted)
{
	struct pending *pending = calloc(1, sizeof(*pending));

	if (!pending)
		return NULL;
	pending->server = server;
	text_copy(pending->wanted, sizeof(pending->wanted), wanted);
	pending->link = sd_varlink_ref(link);
	pending->next = server->pending;
	server->pending = pending;
	return pending;
}

void pending_end(struct pending *pending)
{
	struct pending **at = &pending->server->pending;

	while (*at && *at != pending)
		at = &(*at)->next;
	if (*at)
		*at = pending->next;
	sd_varlink_unref(pending->link);
	free(pending->consent);
	free(pending->confirm);
	free(pending->use);
	sd_json_variant_unref(pending->disk);
	free(pending);
}

static void on_asked(const struct phone *phone, const struct error *err, void *user)
{
	struct pending *pending = user;

	/* A link that has just gone is no failure of ours, and sd_varlink_error() always returns
	 * the error that it sent. */
	if (err)
		(void)reply_not_answered(pending->link, pending->wanted, err);
	else
		(void)reply_phone(pending->server, pending->link, phone);
	pending_end(pending);
}

static int show_ask(struct server *server, sd_varlink *link, const char *wanted,
		    const struct phone *phone)
{
	struct pending *pending = pending_new(server, link, wanted);
	struct error err;

	if (!pending)
		return sd_varlink_error_errno(link, -ENOMEM);
	if (asker_ask(server->options.asker, phone, ASK_IDENTITY, on_asked, pending, &err) < 0) {
		pending_end(pending);
		return reply_not_answered(link, wanted, &err);
	}
	return 0;
}

static int on_show(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
		   void *user)
{
	struct show_parameters {
		const char *phone;
		int ask;
	} p = { .ask = -1 };
	static const sd_json_dispatch_field table[] = {
		{ "phone", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
		  offsetof(struct show_parameters, phone),
		  SD_JSON_MANDATORY | SD_JSON_REFUSE_NULL },
		{ "ask", SD_JSON_VARIANT_BOOLEAN, sd_json_dispatch_tristate,
		  offsetof(struct show_parameters, ask), SD_JSON_NULLABLE },
		{},
	};
	const struct phone *phone;
	struct server *server = user;
	int r;

	r = sd_varlink_dispatch(link, parameters, table, &p);
	if (r != 0)
		return r;
	r = find_phone(server, link, p.phone, &phone);
	if (r != 0)
		return r < 0 ? r : 0;
	if (p.ask > 0)
		return show_ask(server, link, p.phone, phone);
	return reply_phone(server, link, phone);
}

static int on_connect(sd_varlink_server *varlink, sd_varlink *link, void *user)
{
	struct server *server = user;
	struct peer *peer = malloc(sizeof(*peer));

	if (!peer)
		return -ENOMEM; /* sd-varlink closes the link */
	*peer = (struct peer){ .next = server->peers, .link = link };
	server->peers = peer;
	return 0;
}

static void peer_remove(struct server *server, const sd_varlink *link)
{
	struct peer **at = &server->peers, *peer;

	while (*at && (*at)->link != link)
		at = &(*at)->next;
	peer = *at;
	if (peer)
		*at = peer->next;
	free(peer);
}

static void on_disconnect(sd_varlink_server *varlink, sd_varlink *link, void *user)
{
	struct server *server = user;

	peer_remove(server, link);
	watchers_remove(server->watchers, link);
	for (struct pending *pending = server->pending, *next; pending; pending = next) {
		next = pending->next;
		if (pending->link != link)
			continue;
		asker_forget(server->options.asker, pending);
		if (server->options.planner)
			planner_forget(server->options.planner, pending);
		if (server->options.host)
			host_forget(server->options.host, pending);
		if (server->options.keeper)
			keeper_forget(server->options.keeper, pending);
		if (server->options.disks)
			disks_forget(server->options.disks, pending);
		pending_end(pending);
	}
}

/* --- the server ------------------------------------------------------------------------------ */

const struct server_method server_methods[] = {
	{ INTERFACE_METHOD_LIST, on_list },
	{ INTERFACE_METHOD_SHOW, on_show },
	{ INTERFACE_METHOD_WATCH, on_watch },
	{ INTERFACE_METHOD_DIAGNOSE, on_diagnose },
	{ INTERFACE_METHOD_PLAN, on_plan },
	{ INTERFACE_METHOD_START, on_start },
	{ INTERFACE_METHOD_CHECK_TRUST, on_check_trust },
	{ INTERFACE_METHOD_JOBS, on_jobs },
	{ INTERFACE_METHOD_JOB, on_job },
	{ INTERFACE_METHOD_CANCEL, on_cancel },
	{ INTERFACE_METHOD_PAUSE, on_pause },
	{ INTERFACE_METHOD_RESUME, on_resume },
	{ INTERFACE_METHOD_ANSWER, on_answer },
	{ INTERFACE_METHOD_REPORT, on_report },
	{ INTERFACE_METHOD_LOOK_AT_COMPUTER, on_look_at_computer },
	{ INTERFACE_METHOD_MOVE_RECORDS, on_move_records },
	{ INTERFACE_METHOD_KEEP_RECORDS, on_keep_records },
	{ INTERFACE_METHOD_LIST_FIRMWARE, on_list_firmware },
	{ INTERFACE_METHOD_DROP_FIRMWARE, on_drop_firmware },
	{ INTERFACE_METHOD_USE_CACHE, on_use_cache },
	{ INTERFACE_METHOD_LIST_DISKS, on_list_disks },
	{},
};

static int server_bind(struct server *server)
{
	int r;

	r = sd_varlink_server_set_info(server->varlink, "idevicerescue", "idevicerescue",
				       IDR_VERSION, NULL);
	if (r >= 0)
		r = sd_varlink_server_add_interface(server->varlink,
						    &vl_interface_org_idevicerescue);
	for (const struct server_method *method = server_methods; r >= 0 && method->name; method++)
		r = sd_varlink_server_bind_method(server->varlink, method->name, method->call);
	if (r >= 0)
		r = sd_varlink_server_bind_connect(server->varlink, on_connect);
	if (r >= 0)
		r = sd_varlink_server_bind_disconnect(server->varlink, on_disconnect);
	if (r >= 0)
		r = sd_varlink_server_set_connections_max(server->varlink, SERVER_LINKS_MAX);
	sd_varlink_server_set_userdata(server->varlink, server);
	return r;
}

static int server_listen(struct server *server, sd_event *event)
{
	int r;

	r = sd_varlink_server_new(&server->varlink, SD_VARLINK_SERVER_INHERIT_USERDATA |
							SD_VARLINK_SERVER_ACCOUNT_UID);
	if (r >= 0)
		r = server_bind(server);
	if (r >= 0)
		r = sd_varlink_server_attach_event(server->varlink, event, 0);
	if (r >= 0)
		r = sd_varlink_server_listen_address(server->varlink, server->path, SOCKET_MODE);
	return r;
}

int server_new(const struct server_options *options, struct server **ret, struct error *err)
{
	struct server *server = calloc(1, sizeof(*server));
	int r;

	if (!server)
		return error_set_errno(err, ERROR_BUG, "service", ENOMEM, "server");
	server->options = *options;
	server->path = strdup(options->path);
	r = server->path ? watchers_new(&server->watchers) : -ENOMEM;
	if (r >= 0)
		r = server_listen(server, options->event);
	if (r < 0) {
		server_free(server);
		return error_set_errno(err, ERROR_USAGE, "service", -r, "cannot listen at '%s'",
				       options->path);
	}
	*ret = server;
	return 0;
}

struct server *server_free(struct server *server)
{
	if (!server)
		return NULL;
	while (server->peers) /* each comes back to on_disconnect(), which cleans up after it */
		(void)sd_varlink_close(server->peers->link);
	watchers_free(server->watchers);
	if (server->varlink) {
		(void)sd_varlink_server_shutdown(server->varlink);
		sd_varlink_server_unref(server->varlink);
		if (server->path)
			(void)unlink(server->path);
	}
	free(server->told);
	free(server->path);
	free(server);
	return NULL;
}
