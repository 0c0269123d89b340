/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/ipsw.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "worker/http.h"
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

/* --- JSON */

/* The object's fields; texts belong to it. */
struct fields {
	const char *product, *version, *build, *name, *url, *path, *sha1, *sha256;
	const char *sources, *said_signed;
	uint64_t size, released_ms;
	int verified, confirmed, conflict;
};

#define TEXT_FIELD(member)                                                                         \
	{ #member, SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,                          \
	  offsetof(struct fields, member), SD_JSON_REFUSE_NULL }

#define NUMBER_FIELD(member)                                                                       \
	{ #member, SD_JSON_VARIANT_UNSIGNED, sd_json_dispatch_uint64,                              \
	  offsetof(struct fields, member), SD_JSON_REFUSE_NULL }
#define FLAG_FIELD(member)                                                                         \
	{ #member, SD_JSON_VARIANT_BOOLEAN, sd_json_dispatch_tristate,                             \
	  offsetof(struct fields, member), SD_JSON_REFUSE_NULL }

static const sd_json_dispatch_field ipsw_fields[] = {
	TEXT_FIELD(product),  TEXT_FIELD(version),
	TEXT_FIELD(build),    TEXT_FIELD(name),
	TEXT_FIELD(url),      TEXT_FIELD(path),
	TEXT_FIELD(sha1),     TEXT_FIELD(sha256),
	TEXT_FIELD(sources),  TEXT_FIELD(said_signed),
	NUMBER_FIELD(size),   NUMBER_FIELD(released_ms),
	FLAG_FIELD(verified), FLAG_FIELD(confirmed),
	FLAG_FIELD(conflict), {},
};

/* True if the text (NULL: absent) fits. */
static bool take_text(char *dst, size_t dst_bytes, const char *src)
{
	if (!src)
		return true;
	text_copy(dst, dst_bytes, src);
	return strcmp(dst, src) == 0;
}

static bool take_hash(struct ipsw *ipsw, const char *hex)
{
	return !hex || hex[0] == '\0' || ipsw_set_hash(ipsw, hex) == 0;
}

/* The texts that have no rules of their own. */
static bool take_texts(struct ipsw *ipsw, const struct fields *fields)
{
	const char *said = fields->said_signed;

	if (said && said[0] && strcmp(said, "yes") != 0 && strcmp(said, "no") != 0)
		return false;
	return take_text(ipsw->product, sizeof(ipsw->product), fields->product) &&
	       take_text(ipsw->version, sizeof(ipsw->version), fields->version) &&
	       take_text(ipsw->build, sizeof(ipsw->build), fields->build) &&
	       take_text(ipsw->name, sizeof(ipsw->name), fields->name) &&
	       take_text(ipsw->url, sizeof(ipsw->url), fields->url) &&
	       take_text(ipsw->path, sizeof(ipsw->path), fields->path) &&
	       take_text(ipsw->sources, sizeof(ipsw->sources), fields->sources) &&
	       take_text(ipsw->said_signed, sizeof(ipsw->said_signed), said);
}

int ipsw_from_json(sd_json_variant *object, struct ipsw *ret, struct error *err)
{
	struct fields fields = {};
	struct ipsw ipsw = {};
	const char *bad = NULL;

	if (!sd_json_variant_is_object(object) ||
	    sd_json_dispatch_full(object, ipsw_fields, NULL, 0, &fields, &bad) < 0)
		return error_set(err, ERROR_USAGE, "worker", 0,
				 "Field \"%s\" of the firmware is unknown or wrong",
				 bad ? bad : "firmware");
	if (!take_texts(&ipsw, &fields))
		return error_set(err, ERROR_USAGE, "worker", 0,
				 "A text of the firmware is wrong or too long");
	if (!take_hash(&ipsw, fields.sha1) || !take_hash(&ipsw, fields.sha256))
		return error_set(err, ERROR_USAGE, "worker", 0, "A hash of the firmware is none");
	ipsw.size = fields.size;
	ipsw.released_ms = fields.released_ms;
	ipsw.verified = fields.verified > 0;
	ipsw.confirmed = fields.confirmed > 0;
	ipsw.conflict = fields.conflict > 0;
	*ret = ipsw;
	return 0;
}

static int set_text(sd_json_variant **object, const char *name, const char *text)
{
	return text[0] ? sd_json_variant_set_field_string(object, name, text) : 0;
}

int ipsw_to_json(const struct ipsw *ipsw, sd_json_variant **ret, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	const struct {
		const char *name, *text;
	} texts[] = {
		{ "product", ipsw->product }, { "version", ipsw->version },
		{ "build", ipsw->build },     { "name", ipsw->name },
		{ "url", ipsw->url },         { "path", ipsw->path },
		{ "sha1", ipsw->sha1 },       { "sha256", ipsw->sha256 },
		{ "sources", ipsw->sources }, { "said_signed", ipsw->said_signed },
	};
	int r = sd_json_buildo(&object, SD_JSON_BUILD_PAIR_BOOLEAN("verified", ipsw->verified));

	for (size_t i = 0; r >= 0 && i < ARRAY_LEN(texts); i++)
		r = set_text(&object, texts[i].name, texts[i].text);
	if (r >= 0 && ipsw->size)
		r = sd_json_variant_set_field_unsigned(&object, "size", ipsw->size);
	if (r >= 0 && ipsw->confirmed)
		r = sd_json_variant_set_field_boolean(&object, "confirmed", true);
	if (r >= 0 && ipsw->conflict)
		r = sd_json_variant_set_field_boolean(&object, "conflict", true);
	if (r >= 0 && ipsw->released_ms)
		r = sd_json_variant_set_field_unsigned(&object, "released_ms", ipsw->released_ms);
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot build the firmware");
	*ret = TAKE(object);
	return 0;
}

/* --- rules */

bool ipsw_host_is_allowed(const char *host)
{
	static const char *const hosts[] = {
		"updates.cdn-apple.com",
		"updates-http.cdn-apple.com",
		"secure-appldnld.apple.com",
		"appldnld.apple.com",
	};

	for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
		if (strcmp(hosts[i], host) == 0)
			return true;
	return false;
}

bool ipsw_name_is_plain(const char *name)
{
	static const char ending[] = ".ipsw";
	size_t n = strlen(name);

	if (n < sizeof(ending) || n >= IPSW_NAME_BYTES || name[0] == '.' || name[0] == '-')
		return false;
	for (const char *c = name; *c; c++)
		if (*c <= ' ' || *c > '~' || strchr("/\\:*?\"<>|%", *c))
			return false;
	return strcmp(name + n - (sizeof(ending) - 1), ending) == 0;
}

int ipsw_set_url(struct ipsw *ipsw, const char *url)
{
	static const char ending[] = "_Restore.ipsw", plain[] = "http://";
	char host[HTTP_HOST_BYTES], copy[IPSW_PATH_BYTES];
	const char *rest, *name;
	size_t n;

	if (http_url_host(url, true, host) < 0 || !ipsw_host_is_allowed(host))
		return -EINVAL;
	text_copy(copy, sizeof(copy), url); /* it may be the very text that is written */
	rest = copy + (strncasecmp(copy, plain, sizeof(plain) - 1) == 0 ? 4 : 5);
	name = strrchr(copy, '/');
	if (!name || strchr(url, '?') || strlen(rest) + sizeof("https") > sizeof(ipsw->url))
		return -EINVAL;
	name++;
	n = strlen(name);
	if (n < sizeof(ending) || strcmp(name + n - (sizeof(ending) - 1), ending) != 0 ||
	    !ipsw_name_is_plain(name))
		return -EINVAL;
	memcpy(ipsw->url, "https", sizeof("https") - 1);
	text_copy(ipsw->url + sizeof("https") - 1, sizeof(ipsw->url) - (sizeof("https") - 1), rest);
	text_copy(ipsw->name, sizeof(ipsw->name), name);
	return 0;
}

int ipsw_set_hash(struct ipsw *ipsw, const char *hex)
{
	size_t n = strlen(hex);
	char *to = n == IPSW_SHA1_BYTES - 1     ? ipsw->sha1
		   : n == IPSW_SHA256_BYTES - 1 ? ipsw->sha256
						: NULL;

	if (!to || strspn(hex, "0123456789abcdefABCDEF") != n)
		return -EINVAL;
	for (size_t i = 0; i <= n; i++)
		to[i] = (char)(hex[i] >= 'A' && hex[i] <= 'F' ? hex[i] - 'A' + 'a' : hex[i]);
	return 0;
}

bool ipsw_size_is_sane(uint64_t size, bool is_test)
{
	static const uint64_t smallest = 50ULL * 1000 * 1000, largest = 20ULL * 1000 * 1000 * 1000;

	return size > 0 && size <= largest && (is_test || size >= smallest);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool ipsw_product_is_plain(const char *product)
{
	const char *c = product;

	if (strlen(product) >= IPSW_TEXT_BYTES || !is_letter(*c))
		return false;
	while (is_letter(*c))
		c++;
	if (!is_digit(*c))
		return false;
	while (is_digit(*c))
		c++;
	if (c[0] != ',' || !is_digit(c[1]))
		return false;
	c++;
	while (is_digit(*c))
		c++;
	return *c == '\0';
}

/* --- builds */

struct build {
	unsigned major, minor; /* major 0: it is none */
	char letter, suffix;   /* suffix 0: none */
};

/* Reads at most five digits. */
static unsigned number_read(const char **c)
{
	enum { DIGITS_MAX = 5, TEN = 10 };
	unsigned value = 0;

	for (int i = 0; i < DIGITS_MAX && is_digit(**c); i++)
		value = value * TEN + (unsigned)(*(*c)++ - '0');
	return value;
}

static struct build build_read(const char *text)
{
	struct build build = { .major = number_read(&text) };

	if (build.major == 0 || *text < 'A' || *text > 'Z')
		return (struct build){};
	build.letter = *text++;
	if (!is_digit(*text))
		return (struct build){};
	build.minor = number_read(&text);
	if (*text >= 'a' && *text <= 'z')
		build.suffix = *text++;
	return *text ? (struct build){} : build;
}

int ipsw_build_compare(const char *a, const char *b)
{
	struct build x = build_read(a), y = build_read(b);

	if (x.major != y.major)
		return x.major < y.major ? -1 : 1;
	if (x.letter != y.letter)
		return x.letter < y.letter ? -1 : 1;
	if (x.minor != y.minor)
		return x.minor < y.minor ? -1 : 1;
	return (x.suffix > y.suffix) - (x.suffix < y.suffix);
}

bool ipsw_build_is_final(const char *build)
{
	enum { FIRST_BETA = 5000 };
	struct build read = build_read(build);

	return read.major > 0 && read.suffix == '\0' && read.minor < FIRST_BETA;
}
