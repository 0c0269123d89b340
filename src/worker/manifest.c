/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/manifest.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "worker/property_list.h"
#include <errno.h>
#include <string.h>
#include <strings.h>

struct manifest {
	plist_t root;
	const char *version, *build;  /* in root */
	plist_t products, identities; /* arrays in root; no products: NULL */
};

struct manifest *manifest_free(struct manifest *manifest)
{
	if (!manifest)
		return NULL;
	plist_free(manifest->root);
	free(manifest);
	return NULL;
}

int manifest_parse(const char *bytes, size_t n, struct manifest **ret, struct error *err)
{
	_cleanup_(manifest_freep) struct manifest *manifest = calloc(1, sizeof(*manifest));

	if (!manifest)
		return error_set_errno(err, ERROR_BUG, "worker", ENOMEM, "A manifest");
	if (n > MANIFEST_BYTES_MAX || !property_list_is_tame(bytes, n))
		return error_set(err, ERROR_BAD_FILE, "worker", 0,
				 "BuildManifest.plist in the firmware file is larger or deeper "
				 "than any real one, or defines words of its own. Do not use it");
	manifest->root = property_list_parse(bytes, n);
	if (!manifest->root)
		return error_set(err, ERROR_BAD_FILE, "libplist", 0,
				 "BuildManifest.plist in the firmware file is damaged. Download "
				 "it again");
	manifest->version = property_list_text(manifest->root, "ProductVersion");
	manifest->build = property_list_text(manifest->root, "ProductBuildVersion");
	manifest->products = property_list_array(manifest->root, "SupportedProductTypes");
	manifest->identities = property_list_array(manifest->root, "BuildIdentities");
	if (!manifest->version || !manifest->build || !manifest->identities)
		return error_set(err, ERROR_BAD_FILE, "worker", 0,
				 "BuildManifest.plist does not tell version, build or ways to "
				 "install: this is no firmware for restores");
	if (plist_array_get_size(manifest->identities) > MANIFEST_IDENTITIES_MAX)
		return error_set(err, ERROR_BAD_FILE, "worker", 0,
				 "BuildManifest.plist tells of more ways to install than any real "
				 "one. Download the firmware again");
	*ret = TAKE(manifest);
	return 0;
}

const char *manifest_version(const struct manifest *manifest)
{
	return manifest->version;
}

const char *manifest_build(const struct manifest *manifest)
{
	return manifest->build;
}

size_t manifest_products(const struct manifest *manifest, const char **ret, size_t max)
{
	uint32_t count = manifest->products ? plist_array_get_size(manifest->products) : 0;
	size_t found = 0;

	for (uint32_t i = 0; i < count && found < max; i++) {
		plist_t item = plist_array_get_item(manifest->products, i);

		if (item && plist_get_node_type(item) == PLIST_STRING)
			ret[found++] = plist_get_string_ptr(item, NULL);
	}
	return found;
}

/* --- identities */

plist_t manifest_identities(const struct manifest *manifest)
{
	return manifest->identities;
}

static bool contains(const char *text, const char *part)
{
	return strcasestr(text, part) != NULL;
}

/* What it does to the data; false if nobody can tell. */
static bool behaviour_read(plist_t info, const char *name, bool *ret_erases)
{
	const char *behaviour = property_list_text(info, "RestoreBehavior");

	if (!behaviour)
		return false;
	if (strcmp(behaviour, "Erase") == 0)
		*ret_erases = true;
	else if (strcmp(behaviour, "Update") == 0)
		*ret_erases = false;
	else
		return false;
	if (*ret_erases)
		return !contains(name, "upgrade") && !contains(name, "update");
	return !contains(name, "erase");
}

/* What the engine sends or reads in every restore, if the identity has it. */
static const char *const components[] = {
	"OS",
	"RestoreRamDisk",
	"RestoreDeviceTree",
	"RestoreKernelCache",
	"RestoreTrustCache",
	"RestoreSEP",
	"SEP",
	"iBSS",
	"iBEC",
	"LLB",
	"iBoot",
	"KernelCache",
	"DeviceTree",
};
static_assert(ARRAY_LEN(components) <= MANIFEST_PATHS_MAX);

static const char *component_path(plist_t identity, const char *component)
{
	plist_t entry = property_list_dict(property_list_dict(identity, "Manifest"), component);
	const char *path = property_list_text(property_list_dict(entry, "Info"), "Path");

	return path && path[0] && strlen(path) < MANIFEST_PATH_BYTES ? path : NULL;
}

bool manifest_is_research(plist_t identity)
{
	const char *name = property_list_text(property_list_dict(identity, "Info"), "Variant");

	return name && strncasecmp(name, "Research", sizeof("Research") - 1) == 0;
}

static bool variant_read(plist_t identity, struct manifest_variant *ret)
{
	plist_t info = property_list_dict(identity, "Info");
	struct manifest_variant variant = { .name = property_list_text(info, "Variant") };

	if (!variant.name || variant.name[0] == '\0' ||
	    strlen(variant.name) >= MANIFEST_NAME_BYTES || manifest_is_research(identity) ||
	    !behaviour_read(info, variant.name, &variant.erases))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(components); i++) {
		const char *path = component_path(identity, components[i]);

		if (path)
			variant.paths[variant.path_count++] = path;
	}
	variant.os_path = component_path(identity, "OS");
	*ret = variant;
	return variant.os_path != NULL;
}

bool manifest_is_for_board(plist_t identity, const char *board)
{
	const char *class = property_list_text(property_list_dict(identity, "Info"), "DeviceClass");

	return class && text_equal_fold(class, board);
}

/* A name that stands twice is fine if both do the same: the engine takes the first. */
static int variant_add(const struct manifest_variant *variant,
		       struct manifest_variant ret[static MANIFEST_VARIANTS_MAX], int count,
		       struct error *err)
{
	for (int i = 0; i < count; i++) {
		if (strcasecmp(ret[i].name, variant->name) != 0)
			continue;
		if (ret[i].erases != variant->erases)
			return error_set(err, ERROR_BAD_FILE, "worker", 0,
					 "The firmware file contradicts itself about whether %s "
					 "erases. Do not use it",
					 variant->name);
		return count;
	}
	if (count == MANIFEST_VARIANTS_MAX)
		return count;
	ret[count] = *variant;
	return count + 1;
}

int manifest_variants(const struct manifest *manifest, const char *board,
		      struct manifest_variant ret[static MANIFEST_VARIANTS_MAX], struct error *err)
{
	uint32_t identities = plist_array_get_size(manifest->identities);
	bool any = false;
	int count = 0;

	for (uint32_t i = 0; i < identities; i++) {
		plist_t identity = plist_array_get_item(manifest->identities, i);
		struct manifest_variant variant;

		if (plist_get_node_type(identity) != PLIST_DICT ||
		    !manifest_is_for_board(identity, board))
			continue;
		any = true;
		if (!variant_read(identity, &variant))
			continue;
		count = variant_add(&variant, ret, count, err);
		if (count < 0)
			return count;
	}
	if (!any)
		return error_set(err, ERROR_BAD_FILE, "worker", 0,
				 "This firmware (%s, build %s) is not for this phone: it has "
				 "nothing for board %s. Choose the one for it",
				 manifest->version, manifest->build, board);
	if (count == 0)
		return error_set(
		    err, ERROR_BAD_FILE, "worker", 0,
		    "This firmware (%s, build %s) does not say whether it erases board "
		    "%s, or has no system for it. Choose another one",
		    manifest->version, manifest->build, board);
	return count;
}
