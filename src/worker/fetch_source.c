/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/fetch_source.h"
#include "base/text.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static int own_source(const char *mirror, const char *name, struct fetch_source *ret)
{
	size_t base = strlen(mirror);
	char host[HTTP_HOST_BYTES];
	int n;

	while (base > 0 && mirror[base - 1] == '/')
		base--;
	n = snprintf(ret->url, sizeof(ret->url), "%.*s/%s", (int)base, mirror, name);
	if (n < 0 || (size_t)n >= sizeof(ret->url) || strchr(mirror, '?'))
		return -EINVAL;
	ret->is_own_server = true;
	return http_url_place(ret->url, host);
}

int fetch_sources(const struct ipsw *wanted, const char *stem, const char *mirror,
		  struct fetch_source ret[static SOURCES_MAX], size_t *ret_count)
{
	size_t n = 0;

	if (mirror[0]) {
		if (own_source(mirror, stem, &ret[0]) < 0 ||
		    own_source(mirror, wanted->name, &ret[1]) < 0)
			return -EINVAL;
		n = 2;
	}
	text_copy(ret[n].url, sizeof(ret[n].url), wanted->url);
	ret[n].is_own_server = false;
	*ret_count = n + 1;
	return 0;
}
