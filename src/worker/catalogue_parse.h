/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What the sources send. text has a NUL behind its n bytes. All return 0 (also for no entry at all:
 * the source does not know the product), -EBADMSG with ERROR_NETWORK for what is no answer to our
 * question (something on the way answered instead, or the server is broken), -ENOMEM. is_test:
 * small files are fine.
 */
#include "worker/catalogue_list.h"

/* api.ipsw.me, /v4/device/PRODUCT. */
int catalogue_ipswme_parse(const char *text, size_t n, const char *product, bool is_test,
			   struct catalogue_list *ret, struct error *err);

/* Apple's version list. product NULL: of every product what a phone that cannot tell its build is
 * offered. */
int catalogue_itunes_parse(const char *text, size_t n, const char *product, bool is_test,
			   struct catalogue_list *ret, struct error *err);

/* api.appledb.dev, /ios/NAME.json, with NAME as catalogue_appledb_name() makes it. */
enum { APPLEDB_NAME_BYTES = 80 };
void catalogue_appledb_name(const char *product, const char *build,
			    char ret[static APPLEDB_NAME_BYTES]);
int catalogue_appledb_parse(const char *text, size_t n, const char *product, const char *build,
			    bool is_test, struct catalogue_list *ret, struct error *err);

/* Apple's freshness list: the newest version and build that it offers; "" none. Of builds that it
 * lists in pairs (23G83 and 23G6083) the IPSW is the short one. */
struct catalogue_offer {
	char version[IPSW_TEXT_BYTES], build[IPSW_TEXT_BYTES];
};
int catalogue_gdmf_parse(const char *text, size_t n, const char *product,
			 struct catalogue_offer *ret, struct error *err);

/*
 * Our own: src/facts/catalogue.json, and the copy on the data partition. product NULL: all. What
 * does not keep its form to the last field is -EBADMSG: it is ours, and broken. told: what its
 * entries are told by.
 */
struct catalogue_own {
	uint64_t made_ms; /* since the epoch */
	size_t entries;   /* pairs of product and file in the whole of it */
};
int catalogue_own_parse(const char *text, size_t n, const char *product, enum catalogue_source told,
			bool is_test, struct catalogue_list *ret, struct catalogue_own *ret_own,
			struct error *err);
/* The text of such a file with these entries; *ret is the caller's. 0 or a negative errno. */
int catalogue_own_format(const struct catalogue_list *list, uint64_t made_ms, char **ret);

/* What the image came with: src/facts/catalogue.json, with a NUL behind it. */
extern const char catalogue_image[];
extern const size_t catalogue_image_bytes;

/* --- for parsers of JSON */

/*
 * The whole text as an object; NULL if it is none, or if it could have more values than any real
 * answer: sd-json takes up to 180 bytes for each, and two of the text are enough to make one. Real
 * ones have some ten thousand (Apple's freshness list, AppleDB). The caller unrefs it.
 */
enum { CATALOGUE_JSON_VALUES_MAX = 200000 };
sd_json_variant *catalogue_json(const char *text, size_t n);
/* A member that is a text; "" for anything else. Borrowed. */
const char *catalogue_json_text(sd_json_variant *object, const char *key);
uint64_t catalogue_json_number(sd_json_variant *object, const char *key); /* 0: none */
bool catalogue_json_true(sd_json_variant *object, const char *key);
/* True if the member is an array that holds this text. */
bool catalogue_json_has(sd_json_variant *object, const char *key, const char *text);
/* True if the text fits whole. */
bool catalogue_copy(char *dst, size_t dst_bytes, const char *src);
/* True for "" and for a hash of so many digits, which is taken. */
bool catalogue_take_hash(struct ipsw *ipsw, const char *hex, size_t digits);
/* "2026-08-17T17:49:20Z" or "2026-08-17" in ms since the epoch; 0 for anything else. */
uint64_t catalogue_time_ms(const char *text);
/* -EBADMSG, ERROR_NETWORK: "HOST WHAT". */
int catalogue_no_answer(struct error *err, const char *host, const char *what);
