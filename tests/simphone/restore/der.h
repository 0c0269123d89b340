/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * DER as Image4 uses it, read strictly: definite lengths in their shortest form, nothing beyond the
 * end of what encloses it. Nothing is copied: spans point into the bytes that were given.
 *
 * Besides the plain tags, Image4 names its members by private tags whose number is the name's four
 * characters (0xff and base 128): { private 'BNCH' { SEQUENCE { IA5 "BNCH", value } } }.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
	DER_BOOLEAN = 0x01,
	DER_INTEGER = 0x02,
	DER_OCTETS = 0x04,
	DER_IA5 = 0x16,
	DER_SEQUENCE = 0x30,
	DER_SET = 0x31,
	DER_CONTEXT_0 = 0xa0,
	DER_CONTEXT_1 = 0xa1,
	DER_PRIVATE = 0xff, /* class private, constructed, number behind it */
};

/* Borrowed bytes. */
struct span {
	const uint8_t *bytes;
	size_t len;
};

/* Reads from the front; what was read is gone. */
struct der {
	struct span rest;
};

struct der_item {
	uint8_t identifier;
	uint32_t number; /* of a private tag, else 0 */
	struct span content;
	struct span whole; /* with identifier and length */
};

/* False: there is no whole item; the reader stays where it is. */
bool der_next(struct der *from, struct der_item *ret_item);
/* The content of the next item, which must have @identifier. */
bool der_take(struct der *from, uint8_t identifier, struct span *ret_content);
/* The next item must be the IA5 string @text. */
bool der_take_text(struct der *from, const char *text);

/* A private member: its name and its value. False if tag and name differ, or bytes follow. */
bool der_take_member(struct der *from, char ret_name[5], struct der_item *ret_value);

/* Values. False: of another type, or too large. */
bool der_number(const struct der_item *item, uint64_t *ret_number);
bool der_truth(const struct der_item *item, bool *ret_truth);
bool der_octets(const struct der_item *item, struct span *ret_bytes);

bool span_is(struct span s, const void *bytes, size_t len);
