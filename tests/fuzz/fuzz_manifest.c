/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A build manifest: what is told of it keeps its promises, above all whether it erases, and what it
 * vouches for. */
#include "base/cleanup.h"
#include "worker/manifest_digest.h"
#include <stdint.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct manifest_variant *variant)
{
	if (!variant->os_path || !variant->name || variant->path_count > MANIFEST_PATHS_MAX ||
	    strlen(variant->name) >= MANIFEST_NAME_BYTES)
		abort();
	if (!variant->erases && strcasestr(variant->name, "erase"))
		abort();
	if (strncasecmp(variant->name, "Research", 8) == 0)
		abort();
}

static void check_digests(const struct manifest *manifest, const char *board)
{
	_cleanup_free_ struct manifest_digest *digests = NULL;
	size_t count = 0;

	if (manifest_digests(manifest, board, &digests, &count, NULL) < 0)
		return;
	for (size_t i = 0; i < count; i++) {
		if (!digests[i].path || strlen(digests[i].path) >= MANIFEST_PATH_BYTES ||
		    digests[i].bytes > MANIFEST_DIGEST_BYTES_MAX ||
		    !digests[i].digest != !digests[i].bytes)
			abort();
		if (digests[i].type && strlen(digests[i].type) != 4)
			abort();
		if (i > 0 && strcmp(digests[i - 1].path, digests[i].path) > 0)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = malloc(size + 1);
	_cleanup_(manifest_freep) struct manifest *manifest = NULL;
	struct manifest_variant variants[MANIFEST_VARIANTS_MAX];
	const char *products[MANIFEST_PRODUCTS_MAX];
	int count;

	memcpy(text, data, size);
	text[size] = '\0';
	if (manifest_parse(text, size, &manifest, NULL) < 0)
		return 0;
	if (manifest_products(manifest, products, MANIFEST_PRODUCTS_MAX) > MANIFEST_PRODUCTS_MAX)
		abort();
	count = manifest_variants(manifest, "d17ap", variants, NULL);
	for (int i = 0; i < count; i++)
		check(&variants[i]);
	check_digests(manifest, "d17ap");
	check_digests(manifest, NULL);
	return 0;
}
