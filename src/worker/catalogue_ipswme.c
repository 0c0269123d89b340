/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GET https://api.ipsw.me/v4/device/PRODUCT?type=ipsw (reference: firmware.md §1.1): a third
 * party's list of all firmwares of a product, in any order, with fields that may be empty or null.
 */
#include "base/cleanup.h"
#include "base/text.h"
#include "worker/catalogue_parse.h"
#include <errno.h>
#include <string.h>

static const char host[] = "api.ipsw.me";

static void said_signed(struct ipsw *ipsw, sd_json_variant *record)
{
	sd_json_variant *value = sd_json_variant_by_key(record, "signed");

	if (sd_json_variant_is_boolean(value))
		text_copy(ipsw->said_signed, sizeof(ipsw->said_signed),
			  sd_json_variant_boolean(value) ? "yes" : "no");
}

/* Fills what is right; what is not stays empty, so that the rules refuse the record. */
static struct ipsw record_read(sd_json_variant *record, const char *product)
{
	struct ipsw ipsw = { .size = catalogue_json_number(record, "filesize") };

	if (strcmp(catalogue_json_text(record, "identifier"), product) != 0 || !ipsw.size ||
	    !catalogue_copy(ipsw.product, sizeof(ipsw.product), product) ||
	    !catalogue_copy(ipsw.version, sizeof(ipsw.version),
			    catalogue_json_text(record, "version")) ||
	    !catalogue_copy(ipsw.build, sizeof(ipsw.build),
			    catalogue_json_text(record, "buildid")) ||
	    !catalogue_take_hash(&ipsw, catalogue_json_text(record, "sha1sum"),
				 IPSW_SHA1_BYTES - 1) ||
	    !catalogue_take_hash(&ipsw, catalogue_json_text(record, "sha256sum"),
				 IPSW_SHA256_BYTES - 1) ||
	    ipsw_set_url(&ipsw, catalogue_json_text(record, "url")) < 0)
		return (struct ipsw){};
	ipsw.released_ms = catalogue_time_ms(catalogue_json_text(record, "releasedate"));
	said_signed(&ipsw, record);
	return ipsw;
}

int catalogue_ipswme_parse(const char *text, size_t n, const char *product, bool is_test,
			   struct catalogue_list *ret, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *device = catalogue_json(text, n);
	_cleanup_(catalogue_list_done) struct catalogue_list list = {};
	sd_json_variant *firmwares;

	if (!device)
		return catalogue_no_answer(err, host, "sends no list of firmware");
	if (strcmp(catalogue_json_text(device, "identifier"), product) != 0)
		return catalogue_no_answer(err, host,
					   "answers for another model than was asked for");
	firmwares = sd_json_variant_by_key(device, "firmwares");
	if (!sd_json_variant_is_array(firmwares))
		return catalogue_no_answer(err, host, "sends a model without its firmware");
	for (size_t i = 0; i < sd_json_variant_elements(firmwares); i++) {
		sd_json_variant *record = sd_json_variant_by_index(firmwares, i);
		struct ipsw ipsw = {};

		if (sd_json_variant_is_object(record))
			ipsw = record_read(record, product);
		if (catalogue_list_add(&list, &ipsw, CATALOGUE_IPSWME, is_test) < 0)
			return -ENOMEM;
	}
	*ret = TAKE_STRUCT(list);
	return 0;
}
