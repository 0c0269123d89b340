/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A build manifest: what is told of it keeps its promises, above all whether it erases. */
#include "base/cleanup.h"
#include "worker/manifest.h"
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
	return 0;
}
