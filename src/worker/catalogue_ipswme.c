/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GET https://api.ipsw.me/v4/device/PRODUCT?type=ipsw (reference: firmware.md §1.1): a third
 * party's list of all firmwares of a product, in any order, with fields that may be empty or null.
 */
#include "base/cleanup.h"
#include "base/text.h"
#include "worker/catalogue_list.h"
#include <errno.h>
#include <string.h>

static int no_answer(struct error *err, const char *what)
{
	(void)error_set(err, ERROR_PROTOCOL, "api.ipsw.me", 0, "api.ipsw.me %s", what);
	return -EBADMSG;
}

/* A member that is a text; "" for anything else. Borrowed. */
static const char *text_of(sd_json_variant *object, const char *key)
{
	sd_json_variant *member = sd_json_variant_by_key(object, key);

	return sd_json_variant_is_string(member) ? sd_json_variant_string(member) : "";
}

/* True if the text fits whole. */
static bool copy_whole(char *dst, size_t dst_bytes, const char *src)
{
	text_copy(dst, dst_bytes, src);
	return strcmp(dst, src) == 0;
}

static bool hash_is_fine(struct ipsw *entry, const char *hex, size_t digits)
{
	return hex[0] == '\0' || (strlen(hex) == digits && ipsw_set_hash(entry, hex) == 0);
}

/* Fills what is right; what is not stays empty, so that the rules refuse the record. */
static struct ipsw record_read(sd_json_variant *record, const char *product)
{
	sd_json_variant *size = sd_json_variant_by_key(record, "filesize");
	struct ipsw entry = {};

	if (strcmp(text_of(record, "identifier"), product) != 0 ||
	    !sd_json_variant_is_unsigned(size) || sd_json_variant_unsigned(size) == 0)
		return entry;
	entry.size = sd_json_variant_unsigned(size);
	text_copy(entry.product, sizeof(entry.product), product);
	if (!copy_whole(entry.version, sizeof(entry.version), text_of(record, "version")) ||
	    !copy_whole(entry.build, sizeof(entry.build), text_of(record, "buildid")) ||
	    !hash_is_fine(&entry, text_of(record, "sha1sum"), IPSW_SHA1_BYTES - 1) ||
	    !hash_is_fine(&entry, text_of(record, "sha256sum"), IPSW_SHA256_BYTES - 1) ||
	    ipsw_set_url(&entry, text_of(record, "url")) < 0)
		return (struct ipsw){};
	return entry;
}

int catalogue_ipswme_parse(const char *text, size_t n, const char *product, bool is_test,
			   struct catalogue_list *ret, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *device = NULL;
	_cleanup_(catalogue_list_done) struct catalogue_list list = {};
	sd_json_variant *firmwares;

	if (memchr(text, '\0', n) ||
	    sd_json_parse(text, SD_JSON_PARSE_MUST_BE_OBJECT, &device, NULL, NULL) < 0)
		return no_answer(err, "sends no list of firmware");
	if (strcmp(text_of(device, "identifier"), product) != 0)
		return no_answer(err, "answers for another model than was asked for");
	firmwares = sd_json_variant_by_key(device, "firmwares");
	if (!sd_json_variant_is_array(firmwares))
		return no_answer(err, "sends a model without its firmware");
	for (size_t i = 0; i < sd_json_variant_elements(firmwares); i++) {
		sd_json_variant *record = sd_json_variant_by_index(firmwares, i);
		struct ipsw entry = {};

		if (sd_json_variant_is_object(record))
			entry = record_read(record, product);
		if (catalogue_list_add(&list, &entry, is_test) < 0)
			return -ENOMEM;
	}
	*ret = TAKE_STRUCT(list);
	return 0;
}
