/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/tss_request.h"
#include "base/cleanup.h"
#include "worker/manifest_identity.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

/* --- chips and chance */

bool tss_chip_is_img3(uint64_t chip_id)
{
	/* S5L87xx, S5L89xx up to 8955; the A7 is 8960 */
	return chip_id >= 0x8700 && chip_id < 0x8960;
}

size_t tss_chip_nonce_bytes(uint64_t chip_id)
{
	enum { OLD = 20, NEW = TSS_NONCE_BYTES };

	if (tss_chip_is_img3(chip_id) || (chip_id >= 0x8960 && chip_id < 0x8970))
		return OLD; /* up to the A7 */
	/* A8, A8X, A9, A9X; the A10 is 8010 */
	return chip_id >= 0x7000 && chip_id < 0x8010 ? OLD : NEW;
}

int tss_chance_make(struct tss_chance *ret)
{
	enum { GROUPS = 5 };
	static const int groups[GROUPS] = { 8, 4, 4, 4, 12 };
	static const char digits[] = "0123456789ABCDEF";
	uint8_t random[TSS_UUID_BYTES];
	struct tss_chance chance;
	size_t at = 0;

	if (getrandom(&chance, sizeof(chance), 0) != (ssize_t)sizeof(chance) ||
	    getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return -EIO;
	for (int group = 0; group < GROUPS; group++) {
		if (group > 0)
			chance.uuid[at++] = '-';
		for (int i = 0; i < groups[group]; i++, at++)
			chance.uuid[at] = digits[random[at] % (sizeof(digits) - 1)];
	}
	chance.uuid[at] = '\0';
	*ret = chance;
	return 0;
}

/* --- rules of an entry */

static bool flag(plist_t dict, const char *key)
{
	plist_t node = dict ? plist_dict_get_item(dict, key) : NULL;
	uint8_t value = 0;

	if (node && plist_get_node_type(node) == PLIST_BOOLEAN)
		plist_get_bool_val(node, &value);
	return value != 0;
}

static void flag_set(plist_t dict, const char *key, bool value)
{
	plist_dict_set_item(dict, key, plist_new_bool(value));
}

/* Calls fn for each member until it returns false. */
static void each(plist_t dict, bool (*fn)(const char *key, plist_t value, void *context),
		 void *context)
{
	_cleanup_free_ plist_dict_iter iter = NULL;
	bool again = true;

	plist_dict_new_iter(dict, &iter);
	while (iter && again) {
		char *key = NULL;
		plist_t value = NULL;

		plist_dict_next_item(dict, iter, &key, &value);
		again = key && fn(key, value, context);
		plist_mem_free(key);
	}
}

static plist_t node_copy(plist_t node);

static bool member_copy(const char *key, plist_t value, void *context)
{
	plist_dict_set_item(context, key, node_copy(value));
	return true;
}

/*
 * Not plist_copy() for everything: libplist 2.7 copies a text up to a NUL in it, but remembers the
 * length that it had, and reads behind its end when it is written. Lists are shallow when they come
 * here (property_list_is_tame()).
 */
static plist_t node_copy(plist_t node)
{
	plist_t copy;

	if (plist_get_node_type(node) == PLIST_STRING)
		return plist_new_string(plist_get_string_ptr(node, NULL));
	if (plist_get_node_type(node) == PLIST_DICT) {
		copy = plist_new_dict();
		each(node, member_copy, copy);
		return copy;
	}
	if (plist_get_node_type(node) != PLIST_ARRAY)
		return plist_copy(node);
	copy = plist_new_array();
	for (uint32_t i = 0; i < plist_array_get_size(node); i++)
		plist_array_append_item(copy, node_copy(plist_array_get_item(node, i)));
	return copy;
}

/* One request while it is made. */
struct making {
	plist_t request;
	bool img3;
};

/* How this phone is, for conditions; it is a production one and demotes nothing. */
struct conditions {
	bool img3, hold;
};

static bool condition_look(const char *key, plist_t value, void *context)
{
	static const char *const yes[] = { "ApRawProductionMode", "ApCurrentProductionMode",
					   "ApRawSecurityMode" };
	struct conditions *conditions = context;
	uint8_t wanted = 0;
	int is = -1; /* not known: no condition about it holds */

	for (size_t i = 0; i < ARRAY_LEN(yes); i++)
		if (strcmp(key, yes[i]) == 0)
			is = 1;
	if (strcmp(key, "ApRequiresImage4") == 0)
		is = !conditions->img3;
	if (plist_get_node_type(value) != PLIST_BOOLEAN) {
		is = -1; /* ApDemotionPolicyOverride and the like */
	} else {
		plist_get_bool_val(value, &wanted);
	}
	conditions->hold = is >= 0 && is == (wanted != 0);
	return conditions->hold;
}

static bool action_take(const char *key, plist_t value, void *context)
{
	if (plist_get_node_type(value) == PLIST_BOOLEAN)
		plist_dict_set_item(context, key, plist_copy(value));
	return true;
}

static void rules_apply(plist_t entry, plist_t rules, bool img3)
{
	uint32_t count = plist_array_get_size(rules);

	for (uint32_t i = 0; i < count; i++) {
		plist_t rule = plist_array_get_item(rules, i);
		struct conditions conditions = { .img3 = img3, .hold = true };
		plist_t when, then;

		if (plist_get_node_type(rule) != PLIST_DICT)
			continue;
		when = property_list_dict(rule, "Conditions");
		then = property_list_dict(rule, "Actions");
		if (!when || !then)
			continue;
		each(when, condition_look, &conditions);
		if (conditions.hold)
			each(then, action_take, entry);
	}
}

/* --- entries */

/* Parts of other chips ("SE,…", "Savage,…", "Cryptex1,…") have tickets of their own. */
static bool is_of_other_chip(const char *name)
{
	return strchr(name, ',') && strncmp(name, "Ap,", 3) != 0;
}

static bool is_asked_for(const char *name, plist_t entry, plist_t info, bool img3)
{
	static const char *const never[] = { "BasebandFirmware", "BaseSystem", "Diags" };

	for (size_t i = 0; i < ARRAY_LEN(never); i++)
		if (strcmp(name, never[i]) == 0)
			return false;
	if (is_of_other_chip(name) || flag(info, "IsFTAB"))
		return false;
	return img3 || flag(entry, "Trusted") || property_list_array(info, "RestoreRequestRules");
}

static bool entry_add(const char *name, plist_t entry, void *context)
{
	struct making *making = context;
	plist_t info, rules, asked;

	if (plist_get_node_type(entry) != PLIST_DICT)
		return true;
	info = property_list_dict(entry, "Info");
	if (!info || !is_asked_for(name, entry, info, making->img3))
		return true;
	rules = property_list_array(info, "RestoreRequestRules");
	asked = node_copy(entry);
	plist_dict_remove_item(asked, "Info");
	if (rules) {
		rules_apply(asked, rules, making->img3);
	} else if (!making->img3) {
		flag_set(asked, "EPRO", true);
		flag_set(asked, "ESEC", true);
	}
	/* what is trusted has a digest, and be it an empty one */
	if (flag(entry, "Trusted") && !plist_dict_get_item(asked, "Digest"))
		plist_dict_set_item(asked, "Digest", plist_new_data("", 0));
	if (plist_dict_get_size(asked) > 0)
		plist_dict_set_item(making->request, name, asked);
	else
		plist_free(asked);
	return true;
}

/* --- the request */

static bool own_key_add(const char *key, plist_t value, void *context)
{
	struct making *making = context;

	if (strncmp(key, "Ap,", 3) == 0 && plist_get_node_type(value) != PLIST_DICT &&
	    plist_get_node_type(value) != PLIST_ARRAY)
		plist_dict_set_item(making->request, key, node_copy(value));
	return true;
}

static void data_copy(plist_t to, plist_t from, const char *key)
{
	plist_t node = plist_dict_get_item(from, key);

	if (node && plist_get_node_type(node) == PLIST_DATA)
		plist_dict_set_item(to, key, plist_copy(node));
}

static void bytes_set(plist_t to, const char *key, const uint8_t *bytes, size_t n)
{
	plist_dict_set_item(to, key, plist_new_data((const char *)bytes, n));
}

static void head_add(plist_t request, uint64_t ecid, const struct tss_chance *chance, bool img3)
{
	plist_dict_set_item(request, "@HostPlatformInfo", plist_new_string("mac"));
	plist_dict_set_item(request, "@VersionInfo", plist_new_string("libauthinstall-1104.0.9"));
	plist_dict_set_item(request, "@UUID", plist_new_string(chance->uuid));
	flag_set(request, img3 ? "@APTicket" : "@ApImg4Ticket", true);
	plist_dict_set_item(request, "ApECID", plist_new_uint(ecid));
	flag_set(request, "ApProductionMode", true);
}

static void image4_add(plist_t request, plist_t identity, const struct tss_chance *chance)
{
	plist_t info = property_list_dict(identity, "Info");
	uint64_t epoch;

	flag_set(request, "ApSecurityMode", true);
	flag_set(request, "ApSupportsImg4", true);
	bytes_set(request, "SepNonce", chance->sep_nonce, sizeof(chance->sep_nonce));
	data_copy(request, identity, "PearlCertificationRootPub");
	if (manifest_number(identity, "NeRDEpoch", &epoch) == 0)
		plist_dict_set_item(request, "NeRDEpoch", plist_new_uint(epoch));
	if (flag(info, "RequiresUIDMode")) { /* as libtatsu sends it with the restore */
		flag_set(request, "UID_MODE", false);
		plist_dict_set_item(request, "Ap,SikaFuse", plist_new_uint(0));
	}
}

static int numbers_add(plist_t request, plist_t identity, uint64_t *ret_chip, struct error *err)
{
	static const char *const keys[] = { "ApChipID", "ApBoardID", "ApSecurityDomain" };
	uint64_t value;

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (manifest_number(identity, keys[i], &value) < 0)
			return error_set(err, ERROR_BAD_FILE, "worker", 0,
					 "BuildManifest.plist does not tell %s for this phone. "
					 "Download the firmware again",
					 keys[i]);
		plist_dict_set_item(request, keys[i], plist_new_uint(value));
		if (i == 0)
			*ret_chip = value;
	}
	return 0;
}

static int request_fill(struct making *making, plist_t identity, uint64_t ecid,
			const struct tss_chance *chance, struct error *err)
{
	plist_t parts = property_list_dict(identity, "Manifest");
	plist_t id = plist_dict_get_item(identity, "UniqueBuildID");
	uint64_t chip = 0;
	int r = numbers_add(making->request, identity, &chip, err);

	if (r < 0)
		return r;
	if (!parts || !id || plist_get_node_type(id) != PLIST_DATA)
		return error_set(err, ERROR_BAD_FILE, "worker", 0,
				 "BuildManifest.plist lacks the list of parts for this phone. "
				 "Download the firmware again");
	making->img3 = tss_chip_is_img3(chip);
	head_add(making->request, ecid, chance, making->img3);
	bytes_set(making->request, "ApNonce", chance->nonce, tss_chip_nonce_bytes(chip));
	data_copy(making->request, identity, "UniqueBuildID");
	if (!making->img3) {
		each(identity, own_key_add, making);
		image4_add(making->request, identity, chance);
	}
	each(parts, entry_add, making);
	return 0;
}

int tss_request_build(plist_t identity, uint64_t ecid, const struct tss_chance *chance, char **ret,
		      uint32_t *ret_bytes, struct error *err)
{
	_cleanup_(plist_freep) plist_t request = plist_new_dict();
	struct making making = { .request = request };
	char *xml = NULL;
	uint32_t n = 0;
	int r = request_fill(&making, identity, ecid, chance, err);

	if (r < 0)
		return r;
	if (plist_to_xml(request, &xml, &n) != PLIST_ERR_SUCCESS)
		return error_set(err, ERROR_BUG, "libplist", 0, "Cannot write the request");
	*ret = xml;
	*ret_bytes = n;
	return 0;
}
