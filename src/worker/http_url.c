/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/cleanup.h"
#include "base/text.h"
#include "worker/http.h"
#include <curl/curl.h>
#include <errno.h>
#include <string.h>

static void curl_url_cleanupp(CURLU **url)
{
	curl_url_cleanup(*url);
}

static void curl_freep(char **text)
{
	curl_free(*text);
}

/* Visible ASCII without what programs read differently: quotes, backslashes, encoded dots. */
static bool is_plain(const char *url)
{
	for (const char *c = url; *c; c++)
		if (*c <= ' ' || *c > '~' || strchr("\\\"<>#`{}|^", *c))
			return false;
	return !strstr(url, "/.") && !strcasestr(url, "%2e") && !strcasestr(url, "%2f") &&
	       !strcasestr(url, "%00");
}

static bool has_part(CURLU *parts, CURLUPart part)
{
	_cleanup_(curl_freep) char *value = NULL;

	return curl_url_get(parts, part, &value, 0) == CURLUE_OK;
}

/* A part equals one of two texts (the second may be NULL). */
static bool part_is(CURLU *parts, CURLUPart part, const char *a, const char *b)
{
	_cleanup_(curl_freep) char *value = NULL;

	if (curl_url_get(parts, part, &value, 0) != CURLUE_OK)
		return false;
	return strcmp(value, a) == 0 || (b && strcmp(value, b) == 0);
}

static int url_host(const char *url, bool allow_http, bool allow_port,
		    char ret[static HTTP_HOST_BYTES])
{
	_cleanup_(curl_url_cleanupp) CURLU *parts = NULL;
	_cleanup_(curl_freep) char *host = NULL;

	if (strlen(url) >= HTTP_URL_BYTES || !is_plain(url))
		return -EINVAL;
	parts = curl_url();
	if (!parts || curl_url_set(parts, CURLUPART_URL, url, CURLU_PATH_AS_IS) != CURLUE_OK)
		return -EINVAL;
	if (!part_is(parts, CURLUPART_SCHEME, "https", allow_http ? "http" : NULL))
		return -EINVAL;
	if (has_part(parts, CURLUPART_USER) || has_part(parts, CURLUPART_PASSWORD))
		return -EINVAL;
	if (!allow_port && has_part(parts, CURLUPART_PORT) &&
	    !part_is(parts, CURLUPART_PORT, "443", NULL))
		return -EINVAL;
	if (curl_url_get(parts, CURLUPART_HOST, &host, 0) != CURLUE_OK || host[0] == '\0' ||
	    strlen(host) >= HTTP_HOST_BYTES)
		return -EINVAL;
	text_copy(ret, HTTP_HOST_BYTES, host);
	for (char *c = ret; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	return 0;
}

int http_url_host(const char *url, bool allow_http, char ret[static HTTP_HOST_BYTES])
{
	return url_host(url, allow_http, false, ret);
}

int http_url_place(const char *url, char ret[static HTTP_HOST_BYTES])
{
	return url_host(url, true, true, ret);
}
