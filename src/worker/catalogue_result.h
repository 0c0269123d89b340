/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What the worker `catalogue` found, and how it tells it (README.md). */
#include "worker/catalogue_parse.h"

enum catalogue_state {
	CATALOGUE_NOT_ASKED,
	CATALOGUE_BUILT_IN, /* it came with the image */
	CATALOGUE_ANSWERED,
	CATALOGUE_NOTHING, /* it answered, and does not know the product */
	CATALOGUE_FAILED,  /* error says why */
};

struct catalogue_told {
	enum catalogue_state state;
	bool has_age; /* by a clock that is not behind */
	uint64_t age_s;
	struct error error;
};

struct catalogue_found {
	struct catalogue_list list; /* merged and finished */
	struct catalogue_told told[CATALOGUE_SOURCE_MAX];
	struct catalogue_offer offer; /* the newest that Apple's freshness list has */
	bool has_image;
};

/* The fields of the result: ipsw alone, or the whole list (ipsw NULL), the oldest left out where
 * the line would become too long. 0 or a negative errno with err set. */
int catalogue_result(const struct catalogue_found *found, const struct ipsw *ipsw,
		     sd_json_variant **ret, struct error *err);

/* Why there is nothing for this product, or not this build (NULL: none). Returns a negative errno.
 */
int catalogue_none_found(const struct catalogue_found *found, const char *product,
			 const char *build, struct error *err);

/* The test hook that stands for the image's catalogue; NULL: there is none. The caller frees it. */
char *catalogue_hook(const char *folder, size_t bytes_max, size_t *ret_bytes);
