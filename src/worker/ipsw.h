/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A firmware file as catalogues tell of it and as we keep it: the object `firmware` of README.md.
 */
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-json.h>

enum {
	IPSW_TEXT_BYTES = 64,
	IPSW_NAME_BYTES = 240, /* with ".part.json" behind it, it fits what file systems take */
	IPSW_PATH_BYTES = 1024,
	IPSW_SHA1_BYTES = 41,
	IPSW_SHA256_BYTES = 65,
	IPSW_SOURCES_BYTES = 96,
	IPSW_SAID_BYTES = 4,
};

struct ipsw {
	char product[IPSW_TEXT_BYTES];
	char version[IPSW_TEXT_BYTES];
	char build[IPSW_TEXT_BYTES];
	char name[IPSW_NAME_BYTES]; /* the last part of the URL or path */
	char url[IPSW_PATH_BYTES];
	char path[IPSW_PATH_BYTES];
	uint64_t size;              /* bytes, 0 unknown */
	char sha1[IPSW_SHA1_BYTES]; /* lower-case hex, "" unknown */
	char sha256[IPSW_SHA256_BYTES];
	bool verified;
	/* what catalogues told; written only if set */
	char sources[IPSW_SOURCES_BYTES]; /* who knows it, words parted by a space: image refreshed
					     apple ipsw.me appledb file mirror */
	bool confirmed;                   /* two sources tell the same hash */
	bool conflict; /* two sources tell different hashes or sizes: never used by itself */
	char said_signed[IPSW_SAID_BYTES]; /* "yes", "no": what a third party says; "" nothing */
	uint64_t released_ms;              /* since the epoch, 0 unknown */
};

/* 0, or a negative errno with err set. */
int ipsw_to_json(const struct ipsw *ipsw, sd_json_variant **ret, struct error *err);
/* ERROR_USAGE for wrong types, unknown fields and over-long texts; absent fields are empty. */
int ipsw_from_json(sd_json_variant *object, struct ipsw *ret, struct error *err);

/*
 * Rules for what may be asked of whom (reference: firmware.md §5.2).
 * ipsw_host_is_allowed: Apple's hosts for firmware.
 * ipsw_set_url: takes a URL of a catalogue, http made https, and the name in it. -EINVAL if it is
 * no https URL of an allowed host that ends in "_Restore.ipsw". ipsw_name_is_plain: a file name
 * that is no hidden one and leads nowhere else. ipsw_set_hash: takes 40 or 64 hex digits in either
 * case; -EINVAL for others. ipsw_size_is_sane: 50 MB to 20 GB; tests have small files.
 */
bool ipsw_host_is_allowed(const char *host);
int ipsw_set_url(struct ipsw *ipsw, const char *url);
bool ipsw_name_is_plain(const char *name);
int ipsw_set_hash(struct ipsw *ipsw, const char *hex);
bool ipsw_size_is_sane(uint64_t size, bool is_test);

/* "iPhone14,5": letters, digits, a comma, digits. */
bool ipsw_product_is_plain(const char *product);

/*
 * Builds are a number, a letter, a number ("23G83"). Order: by these three, not as text. Returns
 * <0, 0, >0; what is no build comes before all that are.
 */
int ipsw_build_compare(const char *a, const char *b);
/* True for a build that is sold: betas end in a letter or have a number from 5000 on. */
bool ipsw_build_is_final(const char *build);
