/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus/serial.h"
#include "base/cleanup.h"
#include "base/text.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>

/* A field is a number of so many bits, or a text in brackets (bits == 0). */
struct field {
	char key[5];
	unsigned bits;
	unsigned flag; /* IBOOT_HAS_…, 0 for texts */
	size_t offset; /* in struct iboot_serial */
};

#define NUMBER(name, member, width)                                                                \
	{ #name, width, IBOOT_HAS_##name, offsetof(struct iboot_serial, member) }
#define TEXT(name, member) { #name, 0, 0, offsetof(struct iboot_serial, member) }

/*
 * Widths are those that were ever seen (device-protocols.md §2.6), IBFL has room to grow. A chip id
 * of FFFFFFFF is noise, not a chip.
 */
static const struct field iboot_fields[] = {
	NUMBER(SDOM, sdom, 8),  NUMBER(CPID, cpid, 16), NUMBER(CPRV, cprv, 8),
	NUMBER(CPFM, cpfm, 8),  NUMBER(SCEP, scep, 8),  NUMBER(BDID, bdid, 8),
	NUMBER(ECID, ecid, 64), NUMBER(IBFL, ibfl, 32), NUMBER(SIKA, sika, 8),
	TEXT(SRTG, srtg),       TEXT(SRNM, srnm),       TEXT(IMEI, imei),
	TEXT(PWND, pwnd),
};

enum { KEY_CHARS = 4, HEX_DIGITS_MAX = 16, UDID_CHARS_OLD = 40, UDID_CHIP_CHARS = 8 };

/* One "KEY:value" of the string; value is what follows the colon, without brackets. */
struct word {
	const char *key, *value;
	size_t key_chars, value_chars;
	bool bracketed;
};

/*
 * Length of the text up to the bracket that closes it: the first one that ends the string or has a
 * space behind it. Returns false if there is none, or if another bracket opens before.
 */
static bool find_bracket(const char *text, size_t n, size_t *ret)
{
	for (size_t i = 0; i < n && text[i] != '['; i++)
		if (text[i] == ']' && (i + 1 == n || text[i + 1] == ' ')) {
			*ret = i;
			return true;
		}
	return false;
}

/* Takes the next word of [*at, end). Returns false at the end. Words without a colon and texts
 * without their closing bracket come out with an empty value. */
static bool next_word(const char **at, const char *end, struct word *ret)
{
	const char *s = *at, *colon, *stop;
	size_t chars;

	while (s < end && *s == ' ')
		s++;
	if (s == end)
		return false;
	stop = memchr(s, ' ', (size_t)(end - s));
	stop = stop ? stop : end;
	colon = memchr(s, ':', (size_t)(stop - s));
	*ret = (struct word){ .key = s, .key_chars = (size_t)((colon ? colon : stop) - s) };
	if (colon && colon + 1 < end && colon[1] == '[') {
		ret->bracketed = true;
		if (find_bracket(colon + 2, (size_t)(end - colon - 2), &chars)) {
			ret->value = colon + 2;
			ret->value_chars = chars;
			stop = colon + 2 + chars + 1;
		}
	} else if (colon) {
		ret->value = colon + 1;
		ret->value_chars = (size_t)(stop - colon) - 1;
	}
	*at = stop;
	return true;
}

static const struct field *find_field(const char *key, size_t key_chars)
{
	for (size_t i = 0; i < ARRAY_LEN(iboot_fields); i++)
		if (key_chars == KEY_CHARS && memcmp(iboot_fields[i].key, key, KEY_CHARS) == 0)
			return &iboot_fields[i];
	return NULL;
}

static bool set_number(const struct field *field, uint64_t value, struct iboot_serial *out)
{
	char *place = (char *)out + field->offset;

	if (field->bits < 64 && value >> field->bits)
		return false;
	out->has |= field->flag;
	if (field->bits == 64)
		*(uint64_t *)place = value;
	else
		*(uint32_t *)place = (uint32_t)value;
	return true;
}

/* Printable ASCII that fits. */
static bool set_text(const struct field *field, const char *text, size_t n,
		     struct iboot_serial *out)
{
	char *place = (char *)out + field->offset;

	if (n == 0 || n >= IBOOT_TEXT_BYTES)
		return false;
	for (size_t i = 0; i < n; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			return false;
	memset(place, 0, IBOOT_TEXT_BYTES);
	memcpy(place, text, n);
	return true;
}

static bool read_number(const struct word *word, uint64_t *ret)
{
	return !word->bracketed && word->value_chars <= HEX_DIGITS_MAX &&
	       text_parse_hex(word->value, word->value_chars, ret) == 0;
}

/* Writes the word's value into its field. Returns false if the value is not of the field's form. */
static bool read_field(const struct field *field, const struct word *word, struct iboot_serial *out)
{
	uint64_t value;

	if (field->bits == 0)
		return word->bracketed && set_text(field, word->value, word->value_chars, out);
	return read_number(word, &value) && set_number(field, value, out);
}

static size_t field_bytes(const struct field *field)
{
	if (field->bits == 0)
		return IBOOT_TEXT_BYTES;
	return field->bits == 64 ? sizeof(uint64_t) : sizeof(uint32_t);
}

static bool has_field(const struct field *field, const struct iboot_serial *serial)
{
	if (field->bits == 0)
		return *((const char *)serial + field->offset) != '\0';
	return (serial->has & field->flag) != 0;
}

static void clear_field(const struct field *field, struct iboot_serial *out)
{
	out->has &= ~field->flag;
	memset((char *)out + field->offset, 0, field_bytes(field));
}

int iboot_serial_parse(const char *s, size_t n, struct iboot_serial *ret)
{
	struct iboot_serial out = { 0 };
	const char *end = s + strnlen(s, n);
	bool seen[ARRAY_LEN(iboot_fields)] = { false };
	bool any = false;
	struct word word;

	while (next_word(&s, end, &word)) {
		const struct field *field = find_field(word.key, word.key_chars);

		if (!field)
			continue;
		if (seen[field - iboot_fields])
			clear_field(field, &out); /* which of the two is true cannot be known */
		else
			(void)read_field(field, &word, &out);
		seen[field - iboot_fields] = true;
	}
	for (size_t i = 0; i < ARRAY_LEN(iboot_fields); i++)
		any |= has_field(&iboot_fields[i], &out);
	if (!any)
		return -EBADMSG;
	*ret = out;
	return 0;
}

bool iboot_serial_learn(struct iboot_serial *known, const struct iboot_serial *news)
{
	bool changed = false;

	for (size_t i = 0; i < ARRAY_LEN(iboot_fields); i++) {
		const struct field *field = &iboot_fields[i];
		char *to = (char *)known + field->offset;
		const char *from = (const char *)news + field->offset;

		if (!has_field(field, news) ||
		    (has_field(field, known) && memcmp(to, from, field_bytes(field)) == 0))
			continue;
		memcpy(to, from, field_bytes(field));
		known->has |= field->flag;
		changed = true;
	}
	return changed;
}

void port_dfu_ids(uint64_t wide_bdid, uint32_t *ret_cpid, uint32_t *ret_bdid)
{
	*ret_cpid = (uint32_t)(wide_bdid >> 8) & 0xffff;
	*ret_bdid = (uint32_t)(wide_bdid >> 24) & 0xff;
}

int port_dfu_serial_parse(const char *s, size_t n, struct iboot_serial *ret)
{
	const char *end = s + strnlen(s, n);
	unsigned found = 0;
	uint64_t wide = 0;
	struct word word;

	while (next_word(&s, end, &word)) {
		if (word.key_chars != KEY_CHARS || memcmp(word.key, "BDID", KEY_CHARS) != 0)
			continue;
		if (!read_number(&word, &wide))
			return -EBADMSG;
		found++;
	}
	if (found != 1)
		return -EBADMSG;
	*ret = (struct iboot_serial){ .has = IBOOT_HAS_CPID | IBOOT_HAS_BDID };
	port_dfu_ids(wide, &ret->cpid, &ret->bdid);
	return 0;
}

int udid_from_serial(const char *s, char *ret)
{
	char out[UDID_BYTES];
	size_t n = strnlen(s, UDID_BYTES);
	bool hyphen = n == UDID_CHIP_CHARS + 1 + HEX_DIGITS_MAX && s[UDID_CHIP_CHARS] == '-';
	bool modern = hyphen || n == UDID_CHIP_CHARS + HEX_DIGITS_MAX;
	size_t used = 0;

	if (!modern && n != UDID_CHARS_OLD)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		if (modern && i == UDID_CHIP_CHARS) {
			out[used++] = '-';
			if (hyphen)
				continue;
		}
		if (!isxdigit((unsigned char)s[i]))
			return -EINVAL;
		/* Apple writes the new form in capitals, the old one (a SHA-1) small. */
		out[used++] =
		    (char)(modern ? toupper((unsigned char)s[i]) : tolower((unsigned char)s[i]));
	}
	out[used] = '\0';
	memcpy(ret, out, used + 1);
	return 0;
}

int udid_ecid(const char *udid, uint64_t *ret)
{
	const char *digits = udid + UDID_CHIP_CHARS + 1;
	uint64_t ecid;

	if (strlen(udid) != UDID_CHIP_CHARS + 1 + HEX_DIGITS_MAX || udid[UDID_CHIP_CHARS] != '-' ||
	    text_parse_hex(digits, HEX_DIGITS_MAX, &ecid) < 0 || ecid == 0)
		return -ENODATA;
	*ret = ecid;
	return 0;
}
