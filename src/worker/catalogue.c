/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is at hand is read first: the image's catalogue, and the refreshed copy. Then the servers
 * are asked, in two rounds since AppleDB is asked by builds:
 *
 *   Apple's version list · api.ipsw.me · Apple's freshness list ──▶ the newest builds ──▶ AppleDB
 *
 * None has to answer. All that is told is merged by product and build (catalogue_list.h), and what
 * is sure goes into the refreshed copy.
 */
#include "worker/catalogue.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "worker/catalogue_ask.h"
#include "worker/catalogue_result.h"
#include "worker/remote.h"
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum {
	FIRST_S = 10,
	SECOND_S = 8,
	STATUS_NOT_FOUND = 404,
	FIRST_QUESTIONS = 3,
	APPLEDB_BUILDS = 2, /* the newest ones; more is known of nobody who is still signed */
	REFRESH_MS = 24 * 3600 * 1000,
	HOOK_BYTES_MAX = 1024 * 1024,
	MS_PER_S = 1000,
};

struct fields {
	const char *product, *build, *folder;
	int all, offline;
};

static const sd_json_dispatch_field catalogue_fields[] = {
	{ "product", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
	  offsetof(struct fields, product), SD_JSON_REFUSE_NULL | SD_JSON_MANDATORY },
	{ "build", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
	  offsetof(struct fields, build), SD_JSON_REFUSE_NULL },
	{ "folder", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
	  offsetof(struct fields, folder), SD_JSON_REFUSE_NULL },
	{ "all", SD_JSON_VARIANT_BOOLEAN, sd_json_dispatch_tristate, offsetof(struct fields, all),
	  SD_JSON_REFUSE_NULL },
	{ "offline", SD_JSON_VARIANT_BOOLEAN, sd_json_dispatch_tristate,
	  offsetof(struct fields, offline), SD_JSON_REFUSE_NULL },
	{},
};

/* One run. */
struct search {
	const struct fields *fields;
	struct http *http;
	struct catalogue_store store;
	struct catalogue_list lists[CATALOGUE_SOURCE_MAX]; /* what each source tells */
	struct catalogue_found found;
	bool has_new_apple; /* Apple's list came over the network just now */
};

static void search_done(struct search *search)
{
	for (size_t i = 0; i < CATALOGUE_SOURCE_MAX; i++)
		catalogue_list_done(&search->lists[i]);
	catalogue_list_done(&search->found.list);
	catalogue_store_done(&search->store);
	search->http = http_free(search->http);
}

static int fields_check(const struct fields *fields, struct error *err)
{
	if (!ipsw_product_is_plain(fields->product))
		return error_set(err, ERROR_USAGE, "worker", 0, "Field \"product\" is no product");
	if (fields->build && !ipsw_build_is_final(fields->build))
		return error_set(err, ERROR_USAGE, "worker", 0,
				 "'%.40s' is no build of a released iOS, such as 22C152. Run "
				 "idevicerescue firmware list --all to see those that are known",
				 fields->build);
	if (fields->folder && fields->folder[0] != '/')
		return error_set(err, ERROR_USAGE, "worker", 0, "Field \"folder\" is no folder");
	return 0;
}

/* --- what is at hand */

static void source_tell(struct search *search, enum catalogue_source source,
			enum catalogue_state state, uint64_t made_ms, const struct error *error)
{
	struct catalogue_told *told = &search->found.told[source];
	uint64_t now_ms = clock_wall_ms();

	*told = (struct catalogue_told){ .state = state };
	if (made_ms && made_ms <= now_ms) {
		told->has_age = true;
		told->age_s = (now_ms - made_ms) / MS_PER_S;
	}
	if (error)
		told->error = *error;
}

/* In a test the world's catalogue does not hold: the hook's does, or none. *ret is NULL for none;
 * *ret_owned is the caller's. */
static void image_text(const struct search *search, const char **ret, size_t *ret_bytes,
		       char **ret_owned)
{
	*ret = catalogue_image;
	*ret_bytes = catalogue_image_bytes;
	*ret_owned = NULL;
	if (!http_is_test(search->http))
		return;
	*ret_owned = catalogue_hook(getenv("CREDENTIALS_DIRECTORY"), HOOK_BYTES_MAX, ret_bytes);
	*ret = *ret_owned;
}

/* product NULL: all of it, into list. */
static int image_read(const struct search *search, const char *product, struct catalogue_list *list,
		      struct catalogue_own *own, struct error *err)
{
	_cleanup_free_ char *owned = NULL;
	const char *text;
	size_t n;

	image_text(search, &text, &n, &owned);
	if (!text)
		return 0;
	return catalogue_own_parse(text, n, product, CATALOGUE_IMAGE, http_is_test(search->http),
				   list, own, err);
}

static int at_hand_read(struct search *search, struct catalogue_own *ret_copy, struct error *err)
{
	const char *product = search->fields->product;
	struct catalogue_own image = {};
	int r;

	r = image_read(search, product, &search->lists[CATALOGUE_IMAGE], &image, err);
	if (r < 0)
		return error_set(err, ERROR_BUG, "worker", 0, "The image's catalogue is broken");
	if (image.made_ms) {
		source_tell(search, CATALOGUE_IMAGE, CATALOGUE_BUILT_IN, image.made_ms, NULL);
		search->found.has_image = true;
	}
	if (catalogue_store_load(&search->store, product, http_is_test(search->http), &image,
				 &search->lists[CATALOGUE_REFRESHED], ret_copy) == 0)
		source_tell(search, CATALOGUE_REFRESHED, CATALOGUE_ANSWERED, ret_copy->made_ms,
			    NULL);
	return 0;
}

/* --- servers */

static int answer_parse(struct search *search, const struct catalogue_question *question,
			const char *build, struct catalogue_list *list, struct error *err)
{
	const struct catalogue_answer *answer = &question->answer;
	const char *text = answer->body, *product = search->fields->product;
	bool is_test = http_is_test(search->http);
	size_t n = answer->body_bytes;

	switch (question->source) {
	case CATALOGUE_APPLE:
		return catalogue_itunes_parse(text, n, product, is_test, list, err);
	case CATALOGUE_IPSWME:
		return catalogue_ipswme_parse(text, n, product, is_test, list, err);
	case CATALOGUE_APPLEDB:
		return catalogue_appledb_parse(text, n, product, build, is_test, list, err);
	case CATALOGUE_GDMF:
		return catalogue_gdmf_parse(text, n, product, &search->found.offer, err);
	case CATALOGUE_REFRESHED:
	case CATALOGUE_IMAGE:
	case CATALOGUE_SOURCE_MAX:
		break;
	}
	return -EINVAL;
}

/* Takes what a source said; an answer that is none is forgotten. */
static int answer_take(struct search *search, struct catalogue_question *question,
		       const char *build)
{
	_cleanup_(catalogue_list_done) struct catalogue_list list = {};
	struct catalogue_list *all = &search->lists[question->source];
	bool knows_none = false;
	int r = question->result;

	if (r == 0 && question->answer.status != STATUS_NOT_FOUND)
		r = answer_parse(search, question, build, &list, &question->error);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		source_tell(search, question->source, CATALOGUE_FAILED, 0, &question->error);
		return 0;
	}
	catalogue_question_keep(&search->store, question);
	search->has_new_apple |= question->source == CATALOGUE_APPLE && question->is_new;
	r = catalogue_list_merge(all, &list);
	knows_none = question->source == CATALOGUE_GDMF ? search->found.offer.build[0] == '\0'
							: all->count == 0;
	source_tell(search, question->source, knows_none ? CATALOGUE_NOTHING : CATALOGUE_ANSWERED,
		    question->answer.asked_ms, NULL);
	return r;
}

static int lists_merge(struct search *search)
{
	struct catalogue_list *list = &search->found.list;
	int r = 0;

	catalogue_list_done(list);
	for (size_t i = 0; r == 0 && i < CATALOGUE_SOURCE_MAX; i++)
		r = catalogue_list_merge(list, &search->lists[i]);
	catalogue_list_finish(list);
	return r;
}

/* AppleDB is asked for the newest builds, or the one that is wanted. */
static int appledb_ask(struct search *search)
{
	struct catalogue_question questions[APPLEDB_BUILDS];
	char builds[APPLEDB_BUILDS][IPSW_TEXT_BYTES];
	const struct catalogue_list *list = &search->found.list;
	const struct fields *fields = search->fields;
	size_t count = 0;
	int r = 0;

	if (fields->build)
		memcpy(builds[count++], fields->build, strlen(fields->build) + 1);
	else if (search->found.offer.build[0] &&
		 !catalogue_list_find(list, search->found.offer.build))
		memcpy(builds[count++], search->found.offer.build, IPSW_TEXT_BYTES);
	for (size_t i = 0; !fields->build && i < list->count && count < APPLEDB_BUILDS; i++)
		memcpy(builds[count++], list->entries[i].ipsw.build, IPSW_TEXT_BYTES);
	for (size_t i = 0; i < count; i++)
		questions[i] = catalogue_question_appledb(fields->product, builds[i]);
	catalogue_ask(search->http, &search->store, questions, count, SECOND_S);
	for (size_t i = 0; i < count; i++) {
		if (r == 0)
			r = answer_take(search, &questions[i], builds[i]);
		catalogue_question_done(&questions[i]);
	}
	return r;
}

static int servers_ask(struct search *search)
{
	struct catalogue_question questions[FIRST_QUESTIONS] = {
		catalogue_question_apple(),
		catalogue_question_ipswme(search->fields->product),
		catalogue_question_gdmf(),
	};
	bool is_anybody_there = false;
	int r = 0;

	catalogue_ask(search->http, &search->store, questions, FIRST_QUESTIONS, FIRST_S);
	for (size_t i = 0; i < FIRST_QUESTIONS; i++) {
		is_anybody_there |= questions[i].result == 0;
		if (r == 0)
			r = answer_take(search, &questions[i], NULL);
		catalogue_question_done(&questions[i]);
	}
	if (r == 0)
		r = lists_merge(search);
	/* with nobody there this would be ten more seconds for nothing */
	return r == 0 && is_anybody_there ? appledb_ask(search) : r;
}

/* --- the refreshed copy */

/* Apple's whole list, from the answer that was just kept. */
static void apple_read(const struct search *search, struct catalogue_list *list)
{
	const struct catalogue_question question = catalogue_question_apple();
	struct catalogue_answer answer = {};

	if (catalogue_store_load_answer(&search->store, question.name, &answer) < 0)
		return;
	(void)catalogue_itunes_parse(answer.body, answer.body_bytes, NULL,
				     http_is_test(search->http), list, NULL);
	catalogue_answer_done(&answer);
}

/* Once a day, and when this product has news that the copy lacks. One from tomorrow was written by
 * a wrong clock: it counts as old, or nothing would come into it until then. */
static bool wants_refresh(const struct search *search, const struct catalogue_own *copy)
{
	const struct catalogue_entry *newest = catalogue_list_find(&search->found.list, NULL);
	uint64_t now_ms = clock_wall_ms();

	if (!search->store.may_write)
		return false;
	if (now_ms < copy->made_ms || now_ms - copy->made_ms >= REFRESH_MS)
		return search->has_new_apple;
	return newest && !newest->ipsw.conflict && newest->ipsw.confirmed &&
	       !(newest->told & (1U << CATALOGUE_IMAGE | 1U << CATALOGUE_REFRESHED));
}

static int refresh(struct search *search, const struct catalogue_own *copy)
{
	_cleanup_(catalogue_list_done) struct catalogue_list news = {}, known = {}, image = {};
	struct catalogue_own image_own = {}, copy_own = {};
	int r;

	if (!wants_refresh(search, copy))
		return 0;
	r = image_read(search, NULL, &image, &image_own, NULL);
	if (r < 0 || clock_wall_ms() < image_own.made_ms)
		return r; /* the clock is wrong, so the copy's date would be */
	(void)catalogue_store_load(&search->store, NULL, http_is_test(search->http), &image_own,
				   &known, &copy_own);
	r = catalogue_list_merge(&known, &image);
	if (r == 0)
		apple_read(search, &news);
	if (r == 0)
		r = catalogue_list_merge(&news, &search->found.list);
	if (r == 0)
		catalogue_store_refresh(&search->store, &known, &news, clock_wall_ms());
	catalogue_store_sweep(&search->store);
	return r;
}

/* --- the whole */

/* Apple's list tells no sizes: the file's host does. */
static int size_find(const struct search *search, struct ipsw *ipsw, struct error *err)
{
	_cleanup_(remote_freep) struct remote *remote = NULL;
	int r;

	if (ipsw->size || search->fields->offline > 0)
		return 0;
	r = remote_open(search->http, ipsw->url, &remote, err);
	if (r < 0)
		return r;
	if (!ipsw_size_is_sane(remote_size(remote), http_is_test(search->http)))
		return error_set(err, ERROR_NETWORK, "worker", 0,
				 "The firmware file of build %s has a size that none has. Try "
				 "again later",
				 ipsw->build);
	ipsw->size = remote_size(remote);
	return 0;
}

static int search_run(struct search *search, struct error *err)
{
	struct catalogue_own copy = {};
	int r;

	catalogue_store_open(search->fields->folder,
			     search->fields->offline > 0 ? NULL : search->http, &search->store);
	r = at_hand_read(search, &copy, err);
	if (r < 0)
		return r;
	if (search->fields->offline <= 0)
		r = servers_ask(search);
	if (r == 0)
		r = lists_merge(search);
	if (r == 0)
		r = refresh(search, &copy);
	return r < 0 ? error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot read the catalogues")
		     : 0;
}

/* The one that was asked for, or the newest: without a person's word not one in conflict. */
static int choose(struct search *search, struct ipsw *ret, struct error *err)
{
	const char *build = search->fields->build;
	const struct catalogue_entry *entry = catalogue_list_find(&search->found.list, build);

	if (!entry)
		return catalogue_none_found(&search->found, search->fields->product, build, err);
	if (entry->ipsw.conflict)
		return error_set(err, ERROR_NETWORK, "worker", 0,
				 "The sources disagree about build %s: they tell different "
				 "checksums or sizes of its file. Nothing was downloaded; try "
				 "again later",
				 entry->ipsw.build);
	*ret = entry->ipsw;
	return size_find(search, ret, err);
}

int catalogue_run(const struct request *request, sd_json_variant **ret_fields, struct error *err)
{
	struct search search = { .store = { .folder_fd = -1, .answers_fd = -1, .lock_fd = -1 } };
	struct fields fields = { .all = -1, .offline = -1 };
	struct ipsw ipsw;
	int r;

	search.fields = &fields;
	r = request_fields(request, catalogue_fields, &fields, err);
	if (r == 0)
		r = fields_check(&fields, err);
	if (r == 0)
		r = http_new(&search.http, err);
	if (r == 0)
		r = search_run(&search, err);
	if (r == 0 && fields.all <= 0)
		r = choose(&search, &ipsw, err);
	else if (r == 0 && search.found.list.count == 0)
		r = catalogue_none_found(&search.found, fields.product, NULL, err);
	if (r == 0)
		r = catalogue_result(&search.found, fields.all > 0 ? NULL : &ipsw, ret_fields, err);
	search_done(&search);
	return r;
}
