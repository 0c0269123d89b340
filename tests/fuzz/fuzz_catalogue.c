/* SPDX-License-Identifier: GPL-3.0-or-later */
/* All lists of firmware: whatever they say, only Apple's hosts and sane records come out, also when
 * they are merged. */
#include "base/cleanup.h"
#include "worker/catalogue_parse.h"
#include "worker/http.h"
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct catalogue_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct ipsw *ipsw = &list->entries[i].ipsw;
		char host[HTTP_HOST_BYTES];

		if (http_url_host(ipsw->url, false, host) < 0 || !ipsw_host_is_allowed(host))
			abort();
		if (!ipsw_name_is_plain(ipsw->name) || !ipsw_build_is_final(ipsw->build))
			abort();
		if (!ipsw->sha1[0] && !ipsw->sha256[0])
			abort();
		if (ipsw->size && !ipsw_size_is_sane(ipsw->size, false))
			abort();
	}
}

/* What we write we can read, and it says the same. */
static void there_and_back(const struct catalogue_list *list)
{
	_cleanup_(catalogue_list_done) struct catalogue_list back = {};
	_cleanup_free_ char *text = NULL;
	struct catalogue_own own;

	if (catalogue_own_format(list, 1, &text) < 0)
		return;
	if (catalogue_own_parse(text, strlen(text), NULL, CATALOGUE_REFRESHED, false, &back, &own,
				NULL) < 0 ||
	    back.count != list->count || own.entries != list->count)
		abort();
	check(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char product[] = "iPhone12,1";
	_cleanup_(catalogue_list_done) struct catalogue_list merged = {};
	struct catalogue_list lists[5] = {};
	_cleanup_free_ char *text = malloc(size + 1);
	struct catalogue_offer offer = {};
	struct catalogue_own own;

	memcpy(text, data, size);
	text[size] = '\0';
	(void)catalogue_itunes_parse(text, size, product, false, &lists[0], NULL);
	(void)catalogue_itunes_parse(text, size, NULL, false, &lists[1], NULL);
	(void)catalogue_ipswme_parse(text, size, product, false, &lists[2], NULL);
	(void)catalogue_appledb_parse(text, size, product, "23G83", false, &lists[3], NULL);
	(void)catalogue_own_parse(text, size, NULL, CATALOGUE_IMAGE, false, &lists[4], &own, NULL);
	if (catalogue_gdmf_parse(text, size, product, &offer, NULL) == 0 && offer.build[0] &&
	    !ipsw_build_is_final(offer.build))
		abort();
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		check(&lists[i]);
		if (catalogue_list_merge(&merged, &lists[i]) == 0)
			catalogue_list_done(&lists[i]);
	}
	catalogue_list_finish(&merged);
	check(&merged);
	there_and_back(&merged);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		catalogue_list_done(&lists[i]);
	return 0;
}
