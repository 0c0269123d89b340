/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * BuildManifest.plist of a firmware (reference: firmware.md §3.2): for which products it is, and
 * how it can be installed on a board. Research identities do not exist for us; one whose behaviour
 * is missing, unknown or at odds with its name is refused, because what the engine would do with
 * the phone's data is then anybody's guess.
 */
#include "base/error.h"
#include "worker/property_list.h"
#include <stdbool.h>
#include <stddef.h>

enum {
	MANIFEST_BYTES_MAX = 16 * 1024 * 1024,
	MANIFEST_IDENTITIES_MAX = 1024,
	MANIFEST_VARIANTS_MAX = 16,
	MANIFEST_PRODUCTS_MAX = 64,
	MANIFEST_PATHS_MAX = 24,
	MANIFEST_NAME_BYTES = 128,
	MANIFEST_PATH_BYTES = 512,
};

struct manifest;

/* Parses n bytes with a NUL behind them. 0, or a negative errno with err set (ERROR_BAD_FILE). */
int manifest_parse(const char *bytes, size_t n, struct manifest **ret, struct error *err);
struct manifest *manifest_free(struct manifest *manifest); /* NULL is fine; returns NULL */
static inline void manifest_freep(struct manifest **p)
{
	manifest_free(*p);
}

/* "26.2.1", "23C71"; never NULL. Borrowed, as all texts here. */
const char *manifest_version(const struct manifest *manifest);
const char *manifest_build(const struct manifest *manifest);
/* The dictionaries of BuildIdentities, as they stand there. */
plist_t manifest_identities(const struct manifest *manifest);
/* At most max product types; returns how many: none in a list that does not tell them. */
size_t manifest_products(const struct manifest *manifest, const char **ret, size_t max);

struct manifest_variant {
	const char *name;    /* exact Info/Variant */
	bool erases;         /* Info/RestoreBehavior */
	const char *os_path; /* member that is the system image */
	/* all members without which the engine stops in the middle, os_path among them */
	const char *paths[MANIFEST_PATHS_MAX];
	size_t path_count;
};

/* Info/DeviceClass is this board ("d17ap", in any case). */
bool manifest_is_for_board(plist_t identity, const char *board);
/* Its variant is for Apple's own research phones. */
bool manifest_is_research(plist_t identity);

/*
 * The variants for a board ("d17ap", in any case). Returns how many, at most
 * MANIFEST_VARIANTS_MAX, or a negative errno with err set: no identity for this board, none that
 * can be used, two that contradict each other.
 */
int manifest_variants(const struct manifest *manifest, const char *board,
		      struct manifest_variant ret[static MANIFEST_VARIANTS_MAX], struct error *err);
