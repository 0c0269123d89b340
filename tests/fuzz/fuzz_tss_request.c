/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A build manifest that is asked about: what is sent is what was looked for, and can be read. */
#include "base/cleanup.h"
#include "worker/manifest.h"
#include "worker/manifest_identity.h"
#include "worker/tss_request.h"
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(plist_t identity, const struct model *model)
{
	static const struct tss_chance chance = { .uuid = "0" };
	_cleanup_(plist_freep) plist_t request = NULL;
	uint64_t value = 0;
	char *xml = NULL;
	uint32_t n = 0;

	if (tss_request_build(identity, 1, &chance, &xml, &n, NULL) < 0)
		return;
	request = property_list_parse(xml, n);
	plist_mem_free(xml);
	if (!request)
		abort();
	if (manifest_number(request, "ApChipID", &value) < 0 || value != model->cpid ||
	    manifest_number(request, "ApBoardID", &value) < 0 || value != model->bdid ||
	    manifest_number(request, "ApECID", &value) < 0 || value != 1)
		abort();
	if (plist_dict_get_item(request, "BasebandFirmware"))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct model *model = model_by_board("d17ap");
	_cleanup_free_ char *text = malloc(size + 1);
	_cleanup_(manifest_freep) struct manifest *manifest = NULL;
	plist_t identity;

	memcpy(text, data, size);
	text[size] = '\0';
	if (manifest_parse(text, size, &manifest, NULL) < 0)
		return 0;
	if (manifest_identity_find(manifest_identities(manifest), model,
				   "Customer Erase Install (IPSW)", &identity, NULL) == 0)
		check(identity, model);
	return 0;
}
