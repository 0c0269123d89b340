/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/fetch_state.h"
#include "base/cleanup.h"
#include "base/text.h"
#include <errno.h>
#include <stddef.h>
#include <string.h>

enum { STATE_VERSION = 1 };

struct fields {
	const char *url, *from, *etag, *sha1, *sha256;
	uint64_t version, size, committed;
	sd_json_variant *prefixes; /* borrowed, an array */
};

#define FIELD(name, type, dispatch, member, flags)                                                 \
	{ name, SD_JSON_VARIANT_##type, sd_json_dispatch_##dispatch,                               \
	  offsetof(struct fields, member), (flags) | SD_JSON_REFUSE_NULL }

static const sd_json_dispatch_field state_fields[] = {
	FIELD("v", UNSIGNED, uint64, version, SD_JSON_MANDATORY),
	FIELD("url", STRING, const_string, url, SD_JSON_MANDATORY),
	FIELD("from", STRING, const_string, from, 0),
	FIELD("etag", STRING, const_string, etag, SD_JSON_MANDATORY),
	FIELD("size", UNSIGNED, uint64, size, SD_JSON_MANDATORY),
	FIELD("sha1", STRING, const_string, sha1, SD_JSON_MANDATORY),
	FIELD("sha256", STRING, const_string, sha256, SD_JSON_MANDATORY),
	FIELD("committed", UNSIGNED, uint64, committed, SD_JSON_MANDATORY),
	FIELD("prefixes", ARRAY, variant_noref, prefixes, SD_JSON_MANDATORY),
	{},
};

void fetch_state_done(struct fetch_state *state)
{
	free(state->prefixes);
	*state = (struct fetch_state){};
}

static bool text_take(char *dst, size_t dst_bytes, const char *src)
{
	text_copy(dst, dst_bytes, src);
	return strcmp(dst, src) == 0;
}

/* What stands in the headers of requests: no line may end in it. */
static bool etag_take(struct fetch_state *state, const char *etag)
{
	for (const char *c = etag; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return false;
	return text_take(state->etag, sizeof(state->etag), etag);
}

/* Only digits: what any other text becomes when it is copied would not be what the file says. */
static bool hash_take(char *dst, size_t dst_bytes, const char *src)
{
	size_t n = strlen(src);

	if (n != dst_bytes - 1 || strspn(src, "0123456789abcdef") != n)
		return false;
	return text_take(dst, dst_bytes, src);
}

static bool known_hash_take(char *dst, size_t dst_bytes, const char *src)
{
	return src[0] == '\0' || hash_take(dst, dst_bytes, src);
}

static int prefixes_take(struct fetch_state *state, sd_json_variant *list)
{
	size_t count = (size_t)((state->committed + state_segment_bytes - 1) / state_segment_bytes);

	if (count > STATE_PREFIXES_MAX || sd_json_variant_elements(list) != count)
		return -EBADMSG;
	state->prefixes = calloc(count + 1, sizeof(*state->prefixes));
	if (!state->prefixes)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		sd_json_variant *prefix = sd_json_variant_by_index(list, i);

		if (!sd_json_variant_is_string(prefix) ||
		    !hash_take(state->prefixes[i], IPSW_SHA256_BYTES,
			       sd_json_variant_string(prefix)))
			return -EBADMSG;
	}
	state->prefix_count = count;
	return 0;
}

static int state_take(struct fetch_state *state, const struct fields *fields)
{
	const char *from = fields->from ? fields->from : fields->url;

	if (fields->version != STATE_VERSION ||
	    !text_take(state->url, sizeof(state->url), fields->url) ||
	    !text_take(state->from, sizeof(state->from), from) || !etag_take(state, fields->etag) ||
	    !known_hash_take(state->sha1, sizeof(state->sha1), fields->sha1) ||
	    !known_hash_take(state->sha256, sizeof(state->sha256), fields->sha256) ||
	    fields->committed > fields->size ||
	    fields->committed > STATE_PREFIXES_MAX * state_segment_bytes)
		return -EBADMSG;
	state->size = fields->size;
	state->committed = fields->committed;
	return prefixes_take(state, fields->prefixes);
}

int fetch_state_parse(const char *text, size_t n, struct fetch_state *ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	_cleanup_(fetch_state_done) struct fetch_state state = {};
	struct fields fields = {};
	int r;

	if (n > STATE_BYTES_MAX || memchr(text, '\0', n) ||
	    sd_json_parse(text, SD_JSON_PARSE_MUST_BE_OBJECT, &object, NULL, NULL) < 0 ||
	    sd_json_dispatch(object, state_fields, 0, &fields) < 0)
		return -EBADMSG;
	r = state_take(&state, &fields);
	if (r < 0)
		return r;
	*ret = TAKE_STRUCT(state);
	return 0;
}

static bool is_same_or_unknown(const char *a, const char *b)
{
	return a[0] == '\0' || b[0] == '\0' || strcmp(a, b) == 0;
}

bool fetch_state_fits(const struct fetch_state *state, const struct ipsw *wanted)
{
	bool known = (state->sha1[0] && wanted->sha1[0]) || (state->sha256[0] && wanted->sha256[0]);

	/* by its hash; an address may change */
	return (known || strcmp(state->url, wanted->url) == 0) && state->size == wanted->size &&
	       is_same_or_unknown(state->sha1, wanted->sha1) &&
	       is_same_or_unknown(state->sha256, wanted->sha256);
}

int fetch_state_format(const struct fetch_state *state, char **ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL, *prefixes = NULL;
	int r = sd_json_variant_new_array(&prefixes, NULL, 0);

	for (size_t i = 0; r >= 0 && i < state->prefix_count; i++)
		r = sd_json_variant_append_arrayb(&prefixes,
						  SD_JSON_BUILD_STRING(state->prefixes[i]));
	if (r >= 0)
		r = sd_json_buildo(&object, SD_JSON_BUILD_PAIR_UNSIGNED("v", STATE_VERSION),
				   SD_JSON_BUILD_PAIR_STRING("url", state->url),
				   SD_JSON_BUILD_PAIR_STRING("from", state->from),
				   SD_JSON_BUILD_PAIR_STRING("etag", state->etag),
				   SD_JSON_BUILD_PAIR_UNSIGNED("size", state->size),
				   SD_JSON_BUILD_PAIR_STRING("sha1", state->sha1),
				   SD_JSON_BUILD_PAIR_STRING("sha256", state->sha256),
				   SD_JSON_BUILD_PAIR_UNSIGNED("committed", state->committed),
				   SD_JSON_BUILD_PAIR_VARIANT("prefixes", prefixes));
	if (r >= 0)
		r = sd_json_variant_format(object, SD_JSON_FORMAT_NEWLINE, ret);
	return r < 0 ? -ENOMEM : 0;
}
