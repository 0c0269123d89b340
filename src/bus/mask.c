/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus/mask.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "bus/serial.h"
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
	ECID_DIGITS = 16,
	UDID_CHIP_DIGITS = 8,
	IDENTIFIER_CHARS_MIN = 8,
	IDENTIFIER_CHARS_MAX = 512
};

static uint64_t rotate(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static void sip_round(uint64_t v[static 4])
{
	v[0] += v[1], v[1] = rotate(v[1], 13) ^ v[0], v[0] = rotate(v[0], 32);
	v[2] += v[3], v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3], v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1], v[1] = rotate(v[1], 17) ^ v[2], v[2] = rotate(v[2], 32);
}

/* SipHash-2-4 (Aumasson, Bernstein 2012): nobody without the key finds the input again. */
static uint64_t sip_hash(const struct mask_key *key, const char *text, size_t n)
{
	uint64_t v[4] = { key->k0 ^ 0x736f6d6570736575, key->k1 ^ 0x646f72616e646f6d,
			  key->k0 ^ 0x6c7967656e657261, key->k1 ^ 0x7465646279746573 };
	uint64_t block = 0;

	for (size_t i = 0; i <= n; i++) {
		bool last = i == n;

		if (last)
			block |= (uint64_t)n << 56;
		else
			block |= (uint64_t)(unsigned char)text[i] << (8 * (i % 8));
		if (!last && i % 8 != 7)
			continue;
		v[3] ^= block;
		sip_round(v), sip_round(v);
		v[0] ^= block;
		block = 0;
	}
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* The i-th pseudo-random number that belongs to an identifier. */
static unsigned draw(const struct mask_key *key, const char *text, size_t n, size_t i)
{
	struct mask_key derived = { sip_hash(key, text, n), key->k1 ^ i };

	return (unsigned)(sip_hash(&derived, text, n) >> 33);
}

/* A hexadecimal number of at most 64 bits, the same replacement in every spelling of it. */
static void mask_number(const struct mask_key *key, char *digits, size_t n)
{
	static const char upper[] = "0123456789ABCDEF", lower[] = "0123456789abcdef";
	char canonical[ECID_DIGITS + 1];
	uint64_t value;
	bool leading = true, small = false;

	if (text_parse_hex(digits, n, &value) < 0)
		return;
	snprintf(canonical, sizeof(canonical), "%016llx", (unsigned long long)value);
	for (size_t i = 0; i < n; i++)
		small |= islower((unsigned char)digits[i]) != 0;
	for (size_t i = 0; i < n; i++) {
		/* counted from the right, so that more or fewer leading zeros change nothing */
		unsigned drawn = draw(key, canonical, ECID_DIGITS, n - i);

		if (leading && digits[i] == '0')
			continue;
		digits[i] = (small ? lower : upper)[leading ? 1 + drawn % 15 : drawn % 16];
		leading = false;
	}
}

static void mask_hex(const struct mask_key *key, char *digits, size_t n)
{
	char original[UDID_BYTES];

	text_to_utf8(original, sizeof(original), digits, n);
	for (size_t i = 0; i < n; i++)
		digits[i] = "0123456789abcdef"[draw(key, original, strlen(original), i) % 16];
}

/* Letters and digits, each kept of its kind. */
static void mask_word(const struct mask_key *key, char *word, size_t n)
{
	char original[IDENTIFIER_CHARS_MAX];

	text_to_utf8(original, sizeof(original), word, n);
	for (size_t i = 0; i < n; i++) {
		unsigned drawn = draw(key, original, strlen(original), i);

		if (isdigit((unsigned char)word[i]))
			word[i] = (char)('0' + drawn % 10);
		else if (isupper((unsigned char)word[i]))
			word[i] = (char)('A' + drawn % 26);
		else
			word[i] = (char)('a' + drawn % 26);
	}
}

static bool mask_udid(const struct mask_key *key, char *text)
{
	size_t n = strlen(text);
	char udid[UDID_BYTES];

	if (udid_from_serial(text, udid) < 0)
		return false;
	if (n == UDID_BYTES - 1) {
		for (size_t i = 0; i < n; i++)
			text[i] = (char)tolower((unsigned char)text[i]);
		mask_hex(key, text, n);
	} else
		mask_number(key, text + n - ECID_DIGITS, ECID_DIGITS);
	return true;
}

static bool looks_like_identifier(const char *word, size_t n)
{
	bool digit = false;

	for (size_t i = 0; i < n; i++)
		digit |= isdigit((unsigned char)word[i]) != 0;
	return digit && n >= IDENTIFIER_CHARS_MIN;
}

static bool follows(const char *text, const char *at, const char *label)
{
	size_t n = strlen(label);

	return (size_t)(at - text) >= n && memcmp(at - n, label, n) == 0;
}

/* What the words from here on are: changes at "SRNM:[" and the like, ends at "]". */
enum zone { ZONE_OPEN, ZONE_PERSONAL, ZONE_PUBLIC };

static enum zone zone_at_bracket(const char *text, const char *inside)
{
	if (follows(text, inside, "SRTG:[") || follows(text, inside, "PWND:["))
		return ZONE_PUBLIC;
	return ZONE_PERSONAL; /* SRNM, IMEI, and what we do not know */
}

static void mask_in_zone(const struct mask_key *key, enum zone zone, bool is_ecid, char *word,
			 size_t n)
{
	uint64_t value;

	if (is_ecid && text_parse_hex(word, n, &value) == 0)
		mask_number(key, word, n);
	else if (zone == ZONE_PERSONAL || is_ecid ||
		 (zone == ZONE_OPEN && looks_like_identifier(word, n)))
		mask_word(key, word, n);
}

void mask_serial(const struct mask_key *key, char *text)
{
	enum zone zone = ZONE_OPEN;
	char *s = text;

	if (mask_udid(key, text))
		return;
	while (*s != '\0') {
		size_t n = 0;

		while (isalnum((unsigned char)s[n]))
			n++;
		if (n > 0) {
			mask_in_zone(key, zone, follows(text, s, "ECID:"), s, n);
			s += n;
			continue;
		}
		if (*s == '[')
			zone = zone_at_bracket(text, s + 1);
		else if (*s == ']')
			zone = ZONE_OPEN;
		s++;
	}
}
