/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/network.h"
#include "base/cleanup.h"
#include "base/object.h"
#include "base/text.h"
#include "worker/network_ask.h"
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

enum { DAY_BYTES = 16 };

/* Every server that a rescue asks (reference: firmware.md §1, §3.1; idevicerestore.md §7). */
static const struct server {
	struct network_target target;
	const char *purpose; /* rows network-for-… of messages.tsv */
	bool needed;         /* without it no restore ends well */
	bool rare;           /* only looked at if asked for */
} servers[] = {
	{ { "gs.apple.com", NETWORK_ROOT_APPLE, false }, "signing", true, false },
	{ { "gg.apple.com", NETWORK_ROOT_ANY, true }, "phone", true, false },
	{ { "wkms-public.apple.com", NETWORK_ROOT_PUBLIC, false }, "keys", true, false },
	{ { "updates.cdn-apple.com", NETWORK_ROOT_PUBLIC, false }, "firmware", false, false },
	{ { "secure-appldnld.apple.com", NETWORK_ROOT_PUBLIC, false },
	  "old-firmware",
	  false,
	  false },
	{ { "api.ipsw.me", NETWORK_ROOT_PUBLIC, false }, "catalogue", false, false },
	{ { "s.mzstatic.com", NETWORK_ROOT_PUBLIC, false }, "versions", false, false },
	{ { "appldnld.apple.com", NETWORK_ROOT_PUBLIC, false }, "old-firmware", false, true },
	{ { "updates-http.cdn-apple.com", NETWORK_ROOT_PUBLIC, false }, "firmware", false, true },
};
enum { SERVERS = ARRAY_LEN(servers) };

struct view {
	const struct server *servers[SERVERS];
	struct network_target targets[SERVERS];
	struct network_seen seen[SERVERS];
	enum network_cause causes[SERVERS];
	size_t count;
	struct network_page page;
	struct network_here here;
};

/* --- the request */

struct fields {
	sd_json_variant *hosts; /* borrowed; NULL all */
};

static const sd_json_dispatch_field network_fields[] = {
	{ "hosts", SD_JSON_VARIANT_ARRAY, sd_json_dispatch_variant_noref,
	  offsetof(struct fields, hosts), SD_JSON_REFUSE_NULL },
	{},
};

static const struct server *server_find(const char *host)
{
	for (size_t i = 0; i < SERVERS; i++)
		if (strcmp(servers[i].target.host, host) == 0)
			return &servers[i];
	return NULL;
}

static bool view_has(const struct view *view, const struct server *server)
{
	for (size_t i = 0; i < view->count; i++)
		if (view->servers[i] == server)
			return true;
	return false;
}

static void view_add(struct view *view, const struct server *server)
{
	if (view_has(view, server))
		return;
	view->servers[view->count] = server;
	view->targets[view->count++] = server->target;
}

/* Only servers of ours: nobody scans a network with this. */
static int view_choose(struct view *view, sd_json_variant *hosts, struct error *err)
{
	for (size_t i = 0; !hosts && i < SERVERS; i++)
		if (!servers[i].rare)
			view_add(view, &servers[i]);
	for (size_t i = 0; i < sd_json_variant_elements(hosts); i++) {
		sd_json_variant *one = sd_json_variant_by_index(hosts, i);
		const struct server *server = sd_json_variant_is_string(one)
						  ? server_find(sd_json_variant_string(one))
						  : NULL;

		if (!server)
			return error_set(err, ERROR_USAGE, "worker", 0,
					 "Field \"hosts\" has one that no rescue asks");
		view_add(view, server);
	}
	if (view->count == 0)
		return error_set(err, ERROR_USAGE, "worker", 0, "Field \"hosts\" is empty");
	return 0;
}

/* --- words */

static void day_format(int64_t seconds, char ret[static DAY_BYTES])
{
	time_t t = (time_t)seconds;
	struct tm tm = {};

	ret[0] = '\0';
	if (seconds != 0 && gmtime_r(&t, &tm))
		(void)strftime(ret, DAY_BYTES, "%Y-%m-%d", &tm);
}

static const char *or_text(const char *text, const char *id)
{
	return text[0] != '\0' ? text : message_find(id)->text;
}

static const char *cause_message(enum network_cause cause)
{
	switch (cause) {
	case NETWORK_NO_NETWORK:
		return "network-no-network";
	case NETWORK_CLOCK:
		return "network-clock";
	case NETWORK_CAPTIVE_PORTAL:
		return "network-captive-portal";
	case NETWORK_PROXY:
		return "network-proxy";
	case NETWORK_NO_ROUTE:
		return "network-no-route";
	case NETWORK_DNS_FAILS:
		return "network-dns-fails";
	case NETWORK_TLS_INSPECTION:
		return "network-tls-inspection";
	case NETWORK_DNS_LIE:
		return "network-dns-lie";
	case NETWORK_REFUSED:
		return "network-refused";
	case NETWORK_SILENT:
		return "network-silent";
	case NETWORK_DOWN:
		return "network-down";
	case NETWORK_NONE:
	case NETWORK_CAUSE_MAX:
		break;
	}
	return "network-none";
}

/* What it means and what to do, about this server. */
static char *cause_text(const struct view *view, size_t i)
{
	const struct network_seen *seen = &view->seen[i];
	char ours[DAY_BYTES], theirs[DAY_BYTES];

	day_format(view->here.now_s, ours);
	day_format(network_other_clock(seen, &view->page), theirs);
	return message_format(cause_message(view->causes[i]), "host", view->targets[i].host,
			      "address", or_text(seen->address, "network-no-address"), "issuer",
			      or_text(seen->issuer, "network-no-issuer"), "place",
			      or_text(view->page.place, "network-no-place"), "ours", ours, "theirs",
			      or_text(theirs, "network-no-clock"), NULL);
}

/* --- the result */

static int host_build(const struct view *view, size_t i, sd_json_variant **ret)
{
	_cleanup_(object_done) struct object object = {};
	_cleanup_free_ char *text = cause_text(view, i);
	const struct network_seen *seen = &view->seen[i];
	bool works = view->causes[i] == NETWORK_NONE;

	object_text(&object, "host", view->targets[i].host);
	object_text(&object, "purpose", view->servers[i]->purpose);
	object_flag(&object, "needed", view->servers[i]->needed);
	object_text(&object, "state", works ? "works" : "fails");
	object_text(&object, "cause", network_cause_name(view->causes[i]));
	object_check(&object, text ? 0 : -ENOMEM);
	object_text(&object, "text", text);
	object_text(&object, "address", seen->address);
	object_text(&object, "issuer", seen->issuer);
	return object_end(&object, ret);
}

/*
 * A server for phones is verified by the phone, and which authority Apple uses for it is not known
 * here: only one that Apple did not sign is a fault.
 */
static enum network_cause view_cause(const struct view *view, size_t i)
{
	static const char apple[] = "Apple";
	enum network_cause cause = network_cause_find(&view->seen[i], &view->page, &view->here);

	if (view->targets[i].tunnel && cause == NETWORK_TLS_INSPECTION && view->seen[i].name_fits &&
	    strncmp(view->seen[i].issuer, apple, sizeof(apple) - 1) == 0)
		return NETWORK_NONE;
	return cause;
}

/* Is a's failure worse news than b's? What a restore needs goes before what it can do without. */
static bool is_worse(const struct view *view, size_t a, size_t b)
{
	bool fails_a = view->causes[a] != NETWORK_NONE, fails_b = view->causes[b] != NETWORK_NONE;

	if (fails_a && fails_b && view->servers[a]->needed != view->servers[b]->needed)
		return view->servers[a]->needed;
	return view->causes[a] < view->causes[b];
}

/* The host that tells the cause of the whole. */
static size_t view_worst(const struct view *view)
{
	size_t worst = 0;

	for (size_t i = 1; i < view->count; i++)
		if (is_worse(view, i, worst))
			worst = i;
	return worst;
}

static int result_build(const struct view *view, sd_json_variant **ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *hosts = NULL;
	_cleanup_free_ char *text = NULL;
	size_t worst = view_worst(view);
	bool fine = view->causes[worst] == NETWORK_NONE;
	int r = 0;

	for (size_t i = 0; i < view->count && r >= 0; i++) {
		_cleanup_(sd_json_variant_unrefp) sd_json_variant *host = NULL;

		r = host_build(view, i, &host);
		if (r >= 0)
			r = sd_json_variant_append_array(&hosts, host);
	}
	text = fine ? message_format("network-all-work", NULL) : cause_text(view, worst);
	if (r >= 0 && !text)
		r = -ENOMEM;
	if (r < 0)
		return r;
	return sd_json_buildo(
	    ret, SD_JSON_BUILD_PAIR_VARIANT("hosts", hosts),
	    SD_JSON_BUILD_PAIR_STRING("cause", network_cause_name(view->causes[worst])),
	    SD_JSON_BUILD_PAIR_STRING("text", text));
}

int network_run(const struct request *request, sd_json_variant **ret_fields, struct error *err)
{
	struct fields fields = {};
	struct view view = {};
	int r = request_fields(request, network_fields, &fields, err);

	if (r == 0)
		r = view_choose(&view, fields.hosts, err);
	if (r == 0)
		r = network_look(view.targets, view.count, view.seen, &view.page, &view.here, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < view.count; i++)
		view.causes[i] = view_cause(&view, i);
	r = result_build(&view, ret_fields);
	return r < 0 ? error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot build the result") : 0;
}
