/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "doctor/signing.h"
#include "base/cleanup.h"
#include "base/object.h"
#include "base/text.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[SIGN_VERDICT_MAX] = {
	[SIGN_NOT_ASKED] = "not-asked",
	[SIGN_SIGNED] = "signed",
	[SIGN_NOT_SIGNED] = "not-signed",
	[SIGN_UNKNOWN] = "unknown",
};

const char *sign_verdict_name(enum sign_verdict verdict)
{
	return names[verdict];
}

enum sign_verdict sign_verdict_from_name(const char *name)
{
	for (size_t i = 0; name && i < SIGN_VERDICT_MAX; i++)
		if (strcmp(name, names[i]) == 0)
			return (enum sign_verdict)i;
	return SIGN_VERDICT_MAX;
}

int signing_to_json(const struct signing *signing, sd_json_variant **ret)
{
	struct object object = { 0 };

	object_text(&object, "verdict", sign_verdict_name(signing->verdict));
	object_text(&object, "text", signing->text);
	object_number(&object, "at_ms", signing->at_ms);
	object_text(&object, "manifest_sha256", signing->manifest_sha256);
	return object_end(&object, ret);
}

static bool is_sha256(const char *text)
{
	return strlen(text) == SHA256_HEX_BYTES - 1 &&
	       strspn(text, "0123456789abcdef") == SHA256_HEX_BYTES - 1;
}

int signing_from_json(sd_json_variant *object, struct signing *ret)
{
	struct signing out = { 0 };

	if (!sd_json_variant_is_object(object))
		return -EBADMSG;
	out.verdict = sign_verdict_from_name(object_peek_text(object, "verdict"));
	if (out.verdict == SIGN_VERDICT_MAX ||
	    object_read_text(object, "text", out.text, sizeof(out.text)) < 0 ||
	    object_read_number(object, "at_ms", &out.at_ms) < 0 ||
	    object_read_text(object, "manifest_sha256", out.manifest_sha256,
			     sizeof(out.manifest_sha256)) < 0 ||
	    (out.manifest_sha256[0] != '\0' && !is_sha256(out.manifest_sha256)))
		return -EBADMSG;
	*ret = out;
	return 0;
}

static void take_reason(sd_json_variant *result, struct signing *ret)
{
	sd_json_variant *reason = sd_json_variant_by_key(result, "reason");
	const char *text = object_peek_text(reason, "text");

	text_copy(ret->text, sizeof(ret->text),
		  text && *text ? text : "the signing server gave no reason");
}

void signing_take(sd_json_variant *result, const struct error *err, uint64_t now_ms,
		  struct signing *ret)
{
	struct signing out = { .verdict = SIGN_UNKNOWN, .at_ms = now_ms };
	const char *hash;

	if (err) {
		text_copy(out.text, sizeof(out.text), err->text);
		*ret = out;
		return;
	}
	out.verdict = sign_verdict_from_name(object_peek_text(result, "verdict"));
	hash = object_peek_text(result, "manifest_sha256");
	if (out.verdict == SIGN_VERDICT_MAX || out.verdict == SIGN_NOT_ASKED ||
	    (hash && !is_sha256(hash)) || (out.verdict == SIGN_SIGNED && !hash)) {
		out.verdict = SIGN_UNKNOWN;
		text_copy(out.text, sizeof(out.text),
			  "worker sign answered with something that is not allowed");
		*ret = out;
		return;
	}
	text_copy(out.manifest_sha256, sizeof(out.manifest_sha256), hash);
	if (out.verdict != SIGN_SIGNED)
		take_reason(result, &out);
	*ret = out;
}

bool firmware_has_source(const struct firmware *firmware, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = firmware->sources; *at != '\0'; at += strcspn(at, " ")) {
		at += strspn(at, " ");
		if (strcspn(at, " ") == n && strncmp(at, word, n) == 0)
			return true;
	}
	return false;
}

bool firmware_is_called_current(const struct firmware *firmware)
{
	return firmware_has_source(firmware, "apple") &&
	       (firmware_has_source(firmware, "ipsw.me") ||
		firmware_has_source(firmware, "appledb")) &&
	       strcmp(firmware->said_signed, "yes") == 0;
}

/* --- order ----------------------------------------------------------------------------------- */

/* Betas ("23A5260n") and twins of one release ("23G6083") count in a way of their own. */
enum { FOUR_DIGITS = 1000 };

struct build {
	unsigned long major, minor;
	char train; /* "G" of 23G83 */
	const char *rest;
};

static bool build_read(const char *text, struct build *ret)
{
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return false;
	ret->major = strtoul(text, &end, 10);
	if (!isalpha((unsigned char)*end))
		return false;
	ret->train = (char)toupper((unsigned char)*end++);
	if (!isdigit((unsigned char)*end))
		return false;
	ret->minor = strtoul(end, &end, 10);
	ret->rest = end;
	return true;
}

int build_compare(const char *a, const char *b)
{
	struct build left, right;

	if (!build_read(a, &left) || !build_read(b, &right))
		return 0;
	if (left.major != right.major)
		return left.major < right.major ? -1 : 1;
	if (left.train != right.train)
		return left.train < right.train ? -1 : 1;
	if (left.minor >= FOUR_DIGITS || right.minor >= FOUR_DIGITS)
		return 0;
	if (left.minor != right.minor)
		return left.minor < right.minor ? -1 : 1;
	return strcasecmp(left.rest, right.rest);
}

int version_compare(const char *a, const char *b)
{
	while (*a != '\0' || *b != '\0') {
		char *a_end, *b_end;
		unsigned long a_part = strtoul(a, &a_end, 10);
		unsigned long b_part = strtoul(b, &b_end, 10);

		if (a_part != b_part)
			return a_part < b_part ? -1 : 1;
		if ((a_end == a && *a != '\0') || (b_end == b && *b != '\0'))
			return 0; /* no number: cannot be told */
		a = *a_end == '.' ? a_end + 1 : a_end;
		b = *b_end == '.' ? b_end + 1 : b_end;
	}
	return 0;
}
