/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Both lists of firmware: whatever they say, only Apple's hosts and sane records come out. */
#include "base/cleanup.h"
#include "worker/catalogue_list.h"
#include "worker/http.h"
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct catalogue_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct ipsw *entry = &list->entries[i];
		char host[HTTP_HOST_BYTES];

		if (http_url_host(entry->url, false, host) < 0 || !ipsw_host_is_allowed(host))
			abort();
		if (!ipsw_name_is_plain(entry->name) || !ipsw_build_is_final(entry->build))
			abort();
		if (!entry->sha1[0] && !entry->sha256[0])
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(catalogue_list_done) struct catalogue_list ipswme = {}, itunes = {};
	_cleanup_free_ char *text = malloc(size + 1);
	struct ipsw ipsw;

	memcpy(text, data, size);
	text[size] = '\0';
	(void)catalogue_ipswme_parse(text, size, "iPhone12,1", false, &ipswme, NULL);
	(void)catalogue_itunes_parse(text, size, "iPhone12,1", false, &itunes, NULL);
	check(&ipswme);
	check(&itunes);
	(void)catalogue_choose(&itunes, &ipswme, NULL, &ipsw, NULL);
	return 0;
}
