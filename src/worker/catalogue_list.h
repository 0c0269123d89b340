/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Firmwares of one product as a source lists them, only those that the rules accept (reference:
 * firmware.md §5.2): final build, Apple's host, name, sane size, at least one hash.
 */
#include "worker/ipsw.h"
#include <stddef.h>

enum { CATALOGUE_ENTRIES_MAX = 1024, CATALOGUE_BYTES_MAX = 16 * 1024 * 1024 };

struct catalogue_list {
	struct ipsw *entries; /* owned, any order */
	size_t count;
	size_t refused; /* were there, and the rules did not take them */
};
void catalogue_list_done(struct catalogue_list *list);

/* Takes a record whose product, version, build, URL, hashes and size (0 unknown) are set, if the
 * rules take it; counts it as refused if not. 0 or -ENOMEM. */
int catalogue_list_add(struct catalogue_list *list, const struct ipsw *entry, bool is_test);

/*
 * The two sources' parsers. text has a NUL behind its n bytes. Return 0 (also for no entry at all:
 * the source does not know the product), -EBADMSG with ERROR_PROTOCOL for what is no answer to our
 * question, -ENOMEM. is_test: small files are fine.
 */
int catalogue_ipswme_parse(const char *text, size_t n, const char *product, bool is_test,
			   struct catalogue_list *ret, struct error *err);
int catalogue_itunes_parse(const char *text, size_t n, const char *product, bool is_test,
			   struct catalogue_list *ret, struct error *err);

/*
 * The newest of both lists, or the one with this build (NULL: the newest), with what both know of
 * it. Returns 1 and *ret, 0 if there is none, -EPROTO with err set if the two tell different hashes
 * or sizes of it.
 */
int catalogue_choose(const struct catalogue_list *a, const struct catalogue_list *b,
		     const char *build, struct ipsw *ret, struct error *err);
