/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/manifest_identity.h"
#include "base/text.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Digits only: strtoull() would take a sign and spaces. */
static int text_number(const char *s, uint64_t *ret)
{
	enum { DECIMAL = 10 };
	char *end = NULL;
	uint64_t value;

	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
		return text_parse_hex(s + 2, strlen(s + 2), ret) < 0 ? -EINVAL : 0;
	if (s[0] < '0' || s[0] > '9')
		return -EINVAL;
	errno = 0;
	value = strtoull(s, &end, DECIMAL);
	if (errno != 0 || *end != '\0')
		return -EINVAL;
	*ret = value;
	return 0;
}

int manifest_number(plist_t dict, const char *key, uint64_t *ret)
{
	plist_t node = dict ? plist_dict_get_item(dict, key) : NULL;

	if (!node)
		return -ENOENT;
	if (plist_get_node_type(node) == PLIST_STRING)
		return text_number(plist_get_string_ptr(node, NULL), ret);
	if (plist_get_node_type(node) != PLIST_INT || plist_int_val_is_negative(node))
		return -EINVAL;
	plist_get_uint_val(node, ret);
	return 0;
}

static bool number_is(plist_t dict, const char *key, uint64_t wanted)
{
	uint64_t value;

	return manifest_number(dict, key, &value) == 0 && value == wanted;
}

static bool fits(plist_t identity, const struct model *model, const char *variant)
{
	plist_t info = property_list_dict(identity, "Info");
	const char *board = property_list_text(info, "DeviceClass");
	const char *name = property_list_text(info, "Variant");

	return board && name && text_equal_fold(board, model->board) &&
	       strcmp(name, variant) == 0 && number_is(identity, "ApChipID", model->cpid) &&
	       number_is(identity, "ApBoardID", model->bdid);
}

int manifest_identity_find(plist_t identities, const struct model *model, const char *variant,
			   plist_t *ret, struct error *err)
{
	uint32_t count = plist_array_get_size(identities);

	for (uint32_t i = 0; i < count; i++) {
		plist_t identity = plist_array_get_item(identities, i);

		if (plist_get_node_type(identity) != PLIST_DICT || !fits(identity, model, variant))
			continue;
		*ret = identity;
		return 0;
	}
	return error_set(err, ERROR_BAD_FILE, "worker", 0,
			 "This firmware has no \"%.60s\" for %s (board %s, chip 0x%x, board number "
			 "0x%x). Choose the one for it",
			 variant, model->name, model->board, model->cpid, model->bdid);
}
