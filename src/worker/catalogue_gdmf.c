/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * GET https://gdmf.apple.com/v2/pmv (reference: firmware.md §1.3): what Apple offers which product,
 * without files. It tells that a catalogue is out of date, nothing else.
 *
 *   PublicAssetSets, AssetSets ─ iOS[] ─ ProductVersion, Build, SupportedDevices[]
 */
#include "base/cleanup.h"
#include "worker/catalogue_parse.h"
#include <errno.h>
#include <string.h>

static const char host[] = "gdmf.apple.com";

static void asset_look(sd_json_variant *asset, const char *product, struct catalogue_offer *best)
{
	const char *build = catalogue_json_text(asset, "Build");
	struct catalogue_offer offer = {};

	if (!ipsw_build_is_final(build) || !catalogue_json_has(asset, "SupportedDevices", product))
		return;
	if (best->build[0] && ipsw_build_compare(build, best->build) <= 0)
		return;
	if (catalogue_copy(offer.build, sizeof(offer.build), build) &&
	    catalogue_copy(offer.version, sizeof(offer.version),
			   catalogue_json_text(asset, "ProductVersion")))
		*best = offer;
}

int catalogue_gdmf_parse(const char *text, size_t n, const char *product,
			 struct catalogue_offer *ret, struct error *err)
{
	static const char *const sets[] = { "PublicAssetSets", "AssetSets" };
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *root = catalogue_json(text, n);
	struct catalogue_offer best = {};
	size_t found = 0;

	for (size_t i = 0; root && i < ARRAY_LEN(sets); i++) {
		sd_json_variant *set = sd_json_variant_by_key(root, sets[i]);
		sd_json_variant *assets = sd_json_variant_by_key(set, "iOS");

		if (!sd_json_variant_is_array(assets))
			continue;
		found++;
		for (size_t j = 0; j < sd_json_variant_elements(assets); j++)
			asset_look(sd_json_variant_by_index(assets, j), product, &best);
	}
	if (found == 0)
		return catalogue_no_answer(err, host, "sends no list of what Apple offers");
	*ret = best;
	return 0;
}
