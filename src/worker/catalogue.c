/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Two sources are asked at the same time, and neither has to answer: api.ipsw.me, which knows all
 * builds with sizes, and Apple's own version list, which knows the newest. What both tell must
 * agree.
 */
#include "worker/catalogue.h"
#include "base/cleanup.h"
#include "worker/catalogue_list.h"
#include "worker/http.h"
#include "worker/remote.h"
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { SOURCE_S = 10, STATUS_OK = 200, STATUS_NOT_FOUND = 404 };

enum source_id { SOURCE_IPSWME, SOURCE_ITUNES, SOURCE_MAX };

struct fields {
	const char *product, *build;
};

static const sd_json_dispatch_field catalogue_fields[] = {
	{ "product", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
	  offsetof(struct fields, product), SD_JSON_REFUSE_NULL | SD_JSON_MANDATORY },
	{ "build", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
	  offsetof(struct fields, build), SD_JSON_REFUSE_NULL },
	{},
};

/* What became of one source. */
struct source {
	struct catalogue_list list;
	bool answered;      /* the list is what it knows, maybe nothing */
	struct error error; /* otherwise */
};

static bool host_is_catalogue(const char *host)
{
	return strcmp(host, "api.ipsw.me") == 0 || strcmp(host, "s.mzstatic.com") == 0 ||
	       strcmp(host, "itunes.apple.com") == 0;
}

static int fields_check(const struct fields *fields, struct error *err)
{
	if (!ipsw_product_is_plain(fields->product))
		return error_set(err, ERROR_USAGE, "worker", 0, "Field \"product\" is no product");
	if (fields->build && !ipsw_build_is_final(fields->build))
		return error_set(err, ERROR_USAGE, "worker", 0,
				 "Field \"build\" is no build that Apple sells");
	return 0;
}

/* Whether the answer is one that can be parsed. */
static int reply_check(const struct http_reply *reply, struct error *err)
{
	const struct http_head *head = &reply->head;

	if (strcmp(head->type, "text/html") == 0)
		return error_set(err, ERROR_NETWORK, "worker", head->status,
				 "A web page answers instead of %s: log in to this network, or use "
				 "another one",
				 head->host);
	if (head->status != STATUS_OK)
		return error_set(err, ERROR_NETWORK, "worker", head->status,
				 "%s refuses for now (HTTP status %u). Try again later", head->host,
				 head->status);
	return 0;
}

static void source_read(enum source_id id, const struct http_question *question,
			const char *product, bool is_test, struct source *source)
{
	const struct http_reply *reply = &question->reply;
	int r;

	source->error = question->error;
	if (question->result < 0)
		return;
	/* this one has a page for each product it knows */
	if (id == SOURCE_IPSWME && reply->head.status == STATUS_NOT_FOUND) {
		source->answered = true;
		return;
	}
	r = reply_check(reply, &source->error);
	if (r < 0)
		return;
	if (id == SOURCE_IPSWME)
		r = catalogue_ipswme_parse(reply->body, reply->body_bytes, product, is_test,
					   &source->list, &source->error);
	else
		r = catalogue_itunes_parse(reply->body, reply->body_bytes, product, is_test,
					   &source->list, &source->error);
	source->answered = r == 0;
}

static void sources_ask(struct http *http, const char *product, struct source *sources)
{
	char url[HTTP_HOST_BYTES];
	const struct http_request request = {
		.connect_s = SOURCE_S,
		.total_s = SOURCE_S,
		.reply_bytes_max = CATALOGUE_BYTES_MAX,
		.host_is_allowed = host_is_catalogue,
	};
	struct http_question questions[SOURCE_MAX] = { { .request = request },
						       { .request = request } };

	snprintf(url, sizeof(url), "https://api.ipsw.me/v4/device/%s?type=ipsw", product);
	questions[SOURCE_IPSWME].request.url = url;
	questions[SOURCE_ITUNES].request.url = "https://s.mzstatic.com/version";
	http_ask_all(http, questions, SOURCE_MAX);
	for (size_t i = 0; i < SOURCE_MAX; i++) {
		source_read((enum source_id)i, &questions[i], product, http_is_test(http),
			    &sources[i]);
		http_reply_done(&questions[i].reply);
	}
}

/* Nothing was chosen: why. */
static int none_found(const struct fields *fields, const struct source *sources, struct error *err)
{
	const struct source *ipswme = &sources[SOURCE_IPSWME], *itunes = &sources[SOURCE_ITUNES];

	if (!ipswme->answered || (!itunes->answered && !fields->build)) {
		const struct source *failed = ipswme->answered ? itunes : ipswme;

		return error_set(err, failed->error.kind, failed->error.origin, failed->error.code,
				 "%s", failed->error.text);
	}
	if (fields->build && ipswme->list.count > 0)
		return error_set(err, ERROR_UNSUPPORTED, "worker", 0,
				 "No source knows build %s for %s. Leave the build out to get the "
				 "newest",
				 fields->build, fields->product);
	if (ipswme->list.refused > 0)
		return error_set(err, ERROR_PROTOCOL, "worker", 0,
				 "The sources tell nothing of %s that can be trusted: foreign "
				 "addresses, or no checksums. Nothing was downloaded",
				 fields->product);
	return error_set(err, ERROR_UNSUPPORTED, "worker", 0,
			 "No source knows firmware for %s. Bring an IPSW file for it",
			 fields->product);
}

/* Apple's list tells no sizes: the file's host does. */
static int size_find(struct http *http, struct ipsw *ipsw, struct error *err)
{
	_cleanup_(remote_freep) struct remote *remote = NULL;
	int r;

	if (ipsw->size)
		return 0;
	r = remote_open(http, ipsw->url, &remote, err);
	if (r < 0)
		return r;
	if (!ipsw_size_is_sane(remote_size(remote), http_is_test(http)))
		return error_set(err, ERROR_PROTOCOL, "worker", 0,
				 "The firmware file of build %s has a size that none has",
				 ipsw->build);
	ipsw->size = remote_size(remote);
	return 0;
}

static int catalogue_find(const struct fields *fields, struct http *http, struct ipsw *ret,
			  struct error *err)
{
	struct source sources[SOURCE_MAX] = {};
	int r;

	sources_ask(http, fields->product, sources);
	r = catalogue_choose(&sources[SOURCE_ITUNES].list, &sources[SOURCE_IPSWME].list,
			     fields->build, ret, err);
	if (r == 0)
		r = none_found(fields, sources, err);
	else if (r > 0)
		r = size_find(http, ret, err);
	for (size_t i = 0; i < SOURCE_MAX; i++)
		catalogue_list_done(&sources[i].list);
	return r;
}

int catalogue_run(const struct request *request, sd_json_variant **ret_fields, struct error *err)
{
	_cleanup_(http_freep) struct http *http = NULL;
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *firmware = NULL;
	struct fields fields = {};
	struct ipsw ipsw;
	int r;

	r = request_fields(request, catalogue_fields, &fields, err);
	if (r == 0)
		r = fields_check(&fields, err);
	if (r == 0)
		r = http_new(&http, err);
	if (r == 0)
		r = catalogue_find(&fields, http, &ipsw, err);
	if (r == 0)
		r = ipsw_to_json(&ipsw, &firmware, err);
	if (r < 0)
		return r;
	r = sd_json_buildo(ret_fields, SD_JSON_BUILD_PAIR_VARIANT("firmware", firmware));
	return r < 0 ? error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot build the result") : 0;
}
