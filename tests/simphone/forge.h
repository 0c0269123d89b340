/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * For tests: makes what Apple and the host would: DER, signed tickets, containers, a small IPSW.
 * Written apart from what reads them (restore/). Included behind bed.h.
 */
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <plist/plist.h>
#include <stdio.h>
#include <unistd.h>
#include <zip.h>

/* ---- DER ---- */

static inline void forge_tlv(struct buf *to, uint8_t tag, const void *content, size_t len)
{
	buf_add(to, &tag, 1);
	if (len < 0x80)
		buf_add(to, &(uint8_t){ (uint8_t)len }, 1);
	else if (len < 0x100)
		buf_add(to, (uint8_t[]){ 0x81, (uint8_t)len }, 2);
	else if (len < 0x10000)
		buf_add(to, (uint8_t[]){ 0x82, (uint8_t)(len >> 8), (uint8_t)len }, 3);
	else
		buf_add(
		    to,
		    (uint8_t[]){ 0x83, (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len },
		    4);
	buf_add(to, content, len);
}

static inline void forge_text(struct buf *to, const char *text)
{
	forge_tlv(to, 0x16, text, strlen(text));
}

static inline void forge_number(struct buf *to, uint64_t number)
{
	uint8_t bytes[9];
	size_t at = 9;

	do {
		bytes[--at] = (uint8_t)number;
		number >>= 8;
	} while (number);
	if (bytes[at] & 0x80)
		bytes[--at] = 0;
	forge_tlv(to, 0x02, bytes + at, 9 - at);
}

/* { private @name { SEQUENCE { IA5 @name, @value } } }; @value is DER. */
static inline void forge_member(struct buf *to, const char *name, const struct buf *value)
{
	uint32_t number = get_be32((const uint8_t *)name);
	uint8_t id[6] = { 0xff };
	unsigned digits = 5;
	BUF_AUTO inner = {};
	BUF_AUTO sequence = {};
	BUF_AUTO whole = {};

	while (digits > 1 && number >> 7 * (digits - 1) == 0)
		digits--;
	for (unsigned i = 0; i < digits; i++)
		id[1 + i] = (uint8_t)((number >> 7 * (digits - 1 - i) & 0x7f) |
				      (i + 1 < digits ? 0x80 : 0));
	forge_text(&inner, name);
	buf_add(&inner, value->bytes, value->len);
	forge_tlv(&sequence, 0x30, inner.bytes, inner.len);
	forge_tlv(&whole, 0, sequence.bytes, sequence.len);
	buf_add(to, id, 1 + digits);
	buf_add(to, whole.bytes + 1, whole.len - 1);
}

static inline void forge_member_number(struct buf *to, const char *name, uint64_t number)
{
	BUF_AUTO value = {};

	forge_number(&value, number);
	forge_member(to, name, &value);
}

static inline void forge_member_octets(struct buf *to, const char *name, const void *bytes,
				       size_t len)
{
	BUF_AUTO value = {};

	forge_tlv(&value, 0x04, bytes, len);
	forge_member(to, name, &value);
}

static inline void forge_member_true(struct buf *to, const char *name)
{
	BUF_AUTO value = {};

	forge_tlv(&value, 0x01, "\xff", 1);
	forge_member(to, name, &value);
}

static inline void forge_member_set(struct buf *to, const char *name, const struct buf *members)
{
	BUF_AUTO value = {};

	forge_tlv(&value, 0x31, members->bytes, members->len);
	forge_member(to, name, &value);
}

/* ---- firmware ---- */

struct forge_part {
	const char *component, *path, *type, *restore_type; /* restore_type NULL: the same */
	const char *payload;
};

static const struct forge_part forge_parts[] = {
	{ "iBEC", "Firmware/dfu/iBEC.im4p", "ibec", nullptr, "second stage" },
	{ "iBSS", "Firmware/dfu/iBSS.im4p", "ibss", nullptr, "first stage" },
	{ "RestoreRamDisk", "erase.dmg", "rdsk", nullptr, "ramdisk that erases" },
	{ "RestoreDeviceTree", "DeviceTree.im4p", "dtre", "rdtr", "device tree" },
	{ "RestoreKernelCache", "kernelcache", "krnl", "rkrn", "kernel" },
	{ "RestoreLogo", "logo.im4p", "logo", "rlgo", "picture" },
	{ "RestoreSEP", "sep.im4p", "sepi", "rsep", "SEP" },
	{ "RestoreTrustCache", "trust.im4p", "trst", "rtsc", "trust cache" },
};
enum { FORGE_PARTS = sizeof(forge_parts) / sizeof(forge_parts[0]), FORGE_OS_BYTES = 300000 };

/* What replaces "erase.dmg" in the update identity, and in the one for researchers. */
static const struct forge_part forge_update_ramdisk = { "RestoreRamDisk", "update.dmg", "rdsk",
							nullptr, "ramdisk that updates" };
static const struct forge_part forge_research_ramdisk = { "RestoreRamDisk", "research.dmg", "rdsk",
							  nullptr, "ramdisk for researchers" };

static const struct forge_part forge_update_trust = { "RestoreTrustCache", "update.tc", "trst",
						      "rtsc", "trust cache that updates" };

static inline void forge_im4p(struct buf *to, const char *type, const char *payload)
{
	BUF_AUTO inner = {};

	forge_text(&inner, "IM4P");
	forge_text(&inner, type);
	forge_text(&inner, "test");
	forge_tlv(&inner, 0x04, payload, strlen(payload));
	forge_tlv(to, 0x30, inner.bytes, inner.len);
}

/* What stands in the place of @part beside @ramdisk: an update has its own trust cache. */
static inline const struct forge_part *forge_part_with(const struct forge_part *part,
						       const struct forge_part *ramdisk)
{
	if (!strcmp(part->component, "RestoreRamDisk"))
		return ramdisk;
	if (!strcmp(part->component, "RestoreTrustCache") && ramdisk == &forge_update_ramdisk)
		return &forge_update_trust;
	return part;
}

/* The digest that manifest and ticket hold of @part: 20 (SHA-1) or 48 bytes (SHA-384). */
static inline unsigned forge_digest(const struct forge_part *part, bool sha1, uint8_t digest[48])
{
	BUF_AUTO im4p = {};
	unsigned len;

	forge_im4p(&im4p, part->restore_type ? part->restore_type : part->type, part->payload);
	EVP_Digest(im4p.bytes, im4p.len, digest, &len, sha1 ? EVP_sha1() : EVP_sha384(), nullptr);
	return len;
}

/* The system image of every forged IPSW. */
static inline uint8_t forge_os_byte(size_t at)
{
	return (uint8_t)(at * 7 + at / 251);
}

/* ---- a folder with a key and an IPSW ---- */

struct forge {
	char folder[64], key_path[96], ipsw_path[96];
	char key_setting[128], ipsw_setting[128]; /* for BED() */
	EVP_PKEY *key;
	bool sha1;
};

static inline void forge_add_file(zip_t *zip, const char *name, const void *bytes, size_t len,
				  bool stored)
{
	void *copy = malloc(len);
	zip_source_t *source;
	zip_int64_t index;

	memcpy(copy, bytes, len);
	source = zip_source_buffer(zip, copy, len, 1);
	index = zip_file_add(zip, name, source, ZIP_FL_OVERWRITE);
	assert_true(index >= 0);
	zip_set_file_compression(zip, (zip_uint64_t)index, stored ? ZIP_CM_STORE : ZIP_CM_DEFLATE,
				 0);
}

static inline void forge_add_part(zip_t *zip, plist_t manifest, const struct forge_part *part,
				  bool sha1)
{
	plist_t entry = plist_new_dict(), info = plist_new_dict();
	uint8_t digest[48];
	unsigned len = forge_digest(part, sha1, digest);
	BUF_AUTO im4p = {};

	forge_im4p(&im4p, part->type, part->payload);
	forge_add_file(zip, part->path, im4p.bytes, im4p.len, false);
	plist_dict_set_item(info, "Path", plist_new_string(part->path));
	plist_dict_set_item(entry, "Info", info);
	plist_dict_set_item(entry, "Digest", plist_new_data((const char *)digest, len));
	plist_dict_set_item(entry, "Trusted", plist_new_bool(1));
	plist_dict_set_item(manifest, part->component, entry);
}

static inline plist_t forge_identity(zip_t *zip, const struct model *m, const char *variant,
				     const struct forge_part *ramdisk, bool sha1)
{
	plist_t identity = plist_new_dict(), info = plist_new_dict(), manifest = plist_new_dict();
	plist_t os = plist_new_dict(), os_info = plist_new_dict();
	char chip[16];

	snprintf(chip, sizeof(chip), "0x%04X", m->cpid);
	plist_dict_set_item(identity, "ApChipID", plist_new_string(chip));
	plist_dict_set_item(identity, "ApBoardID", plist_new_uint(m->bdid));
	plist_dict_set_item(info, "DeviceClass", plist_new_string(m->board));
	plist_dict_set_item(info, "Variant", plist_new_string(variant));
	plist_dict_set_item(info, "RestoreBehavior",
			    plist_new_string(strstr(variant, "Erase") ? "Erase" : "Update"));
	plist_dict_set_item(identity, "Info", info);
	for (unsigned i = 0; i < FORGE_PARTS; i++)
		forge_add_part(zip, manifest, forge_part_with(&forge_parts[i], ramdisk), sha1);
	plist_dict_set_item(os_info, "Path", plist_new_string("os.dmg"));
	plist_dict_set_item(os, "Info", os_info);
	plist_dict_set_item(manifest, "OS", os);
	plist_dict_set_item(identity, "Manifest", manifest);
	return identity;
}

/* @update: with the identity for updates. */
static inline void forge_ipsw(const struct forge *f, const struct model *m, bool update,
			      bool os_stored)
{
	zip_t *zip = zip_open(f->ipsw_path, ZIP_CREATE | ZIP_TRUNCATE, nullptr);
	plist_t root = plist_new_dict(), identities = plist_new_array();
	uint8_t *os = malloc(FORGE_OS_BYTES);
	char *xml = nullptr;
	uint32_t len = 0;

	assert_non_null(zip);
	plist_dict_set_item(root, "ProductVersion", plist_new_string("17.6.1"));
	plist_dict_set_item(root, "ProductBuildVersion", plist_new_string("21G93"));
	plist_array_append_item(identities,
				forge_identity(zip, m, "Research Customer Erase Install (IPSW)",
					       &forge_research_ramdisk, f->sha1));
	plist_array_append_item(identities, forge_identity(zip, m, "Customer Erase Install (IPSW)",
							   &forge_parts[2], f->sha1));
	if (update)
		plist_array_append_item(identities,
					forge_identity(zip, m, "Customer Upgrade Install (IPSW)",
						       &forge_update_ramdisk, f->sha1));
	plist_dict_set_item(root, "BuildIdentities", identities);
	plist_to_xml(root, &xml, &len);
	forge_add_file(zip, "BuildManifest.plist", xml, len, false);
	for (size_t i = 0; i < FORGE_OS_BYTES; i++)
		os[i] = forge_os_byte(i);
	forge_add_file(zip, "os.dmg", os, FORGE_OS_BYTES, os_stored);
	assert_int_equal(zip_close(zip), 0);
	free(os);
	plist_mem_free(xml);
	plist_free(root);
}

static inline struct forge *forge_new(bool sha1)
{
	struct forge *f = calloc(1, sizeof(*f));
	FILE *file;

	snprintf(f->folder, sizeof(f->folder), "build/simphone-forge-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->key_path, sizeof(f->key_path), "%s/key.pem", f->folder);
	snprintf(f->ipsw_path, sizeof(f->ipsw_path), "%s/test.ipsw", f->folder);
	snprintf(f->key_setting, sizeof(f->key_setting), "ticket_key=%s", f->key_path);
	snprintf(f->ipsw_setting, sizeof(f->ipsw_setting), "ipsw=%s", f->ipsw_path);
	f->key = EVP_EC_gen("P-384");
	f->sha1 = sha1;
	file = fopen(f->key_path, "we");
	assert_non_null(file);
	assert_int_equal(PEM_write_PUBKEY(file, f->key), 1);
	fclose(file);
	return f;
}

static inline void forge_free(struct forge *f)
{
	unlink(f->key_path);
	unlink(f->ipsw_path);
	rmdir(f->folder);
	EVP_PKEY_free(f->key);
	free(f);
}

/* ---- tickets and containers ---- */

/* Spoils one thing of a ticket. */
enum forge_flaw {
	FORGE_GOOD,
	FORGE_OTHER_ECID,
	FORGE_OTHER_CHIP,
	FORGE_OTHER_BOARD,
	FORGE_OTHER_NONCE,
	FORGE_SHORT_NONCE,
	FORGE_OTHER_SEP_NONCE,
	FORGE_BAD_SIGNATURE,
	FORGE_NOT_PRODUCTION,
};

static inline void forge_manp(struct buf *to, const struct identity *id, enum forge_flaw flaw)
{
	uint8_t nonce[AP_NONCE_MAX], sep[SEP_NONCE_BYTES];
	unsigned bytes = id->nonce_bytes - (flaw == FORGE_SHORT_NONCE);

	memcpy(nonce, id->ap_nonce, sizeof(nonce));
	memcpy(sep, id->sep_nonce, sizeof(sep));
	nonce[3] ^= flaw == FORGE_OTHER_NONCE;
	sep[3] ^= flaw == FORGE_OTHER_SEP_NONCE;
	forge_member_octets(to, "BNCH", nonce, bytes);
	forge_member_number(to, "BORD", id->model->bdid + (flaw == FORGE_OTHER_BOARD));
	forge_member_number(to, "CEPO", 1);
	forge_member_number(to, "CHIP", id->model->cpid + (flaw == FORGE_OTHER_CHIP));
	if (flaw != FORGE_NOT_PRODUCTION)
		forge_member_true(to, "CPRO");
	forge_member_true(to, "CSEC");
	forge_member_number(to, "ECID", id->ecid + (flaw == FORGE_OTHER_ECID));
	forge_member_number(to, "SDOM", 1);
	forge_member_octets(to, "snon", sep, sizeof(sep));
}

static inline void forge_entry(struct buf *to, const struct forge_part *part, bool sha1)
{
	uint8_t digest[48];
	unsigned len = forge_digest(part, sha1, digest);
	BUF_AUTO members = {};

	forge_member_octets(&members, "DGST", digest, len);
	forge_member_set(to, part->restore_type ? part->restore_type : part->type, &members);
}

static inline void forge_sign(EVP_PKEY *key, const struct buf *bytes, struct buf *to)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t signature[256];
	size_t len = sizeof(signature);

	assert_int_equal(EVP_DigestSignInit(ctx, nullptr, EVP_sha384(), nullptr, key), 1);
	assert_int_equal(EVP_DigestSign(ctx, signature, &len, bytes->bytes, bytes->len), 1);
	EVP_MD_CTX_free(ctx);
	buf_add(to, signature, len);
}

/* A ticket with @ramdisk and all other parts. */
static inline void forge_ticket(const struct forge *f, const struct identity *id,
				enum forge_flaw flaw, const struct forge_part *ramdisk,
				struct buf *to)
{
	static const char *const order[] = { "ibec", "ibss", "rdsk", "rdtr",
					     "rkrn", "rlgo", "rsep", "rtsc" };
	BUF_AUTO manp = {};
	BUF_AUTO objects = {};
	BUF_AUTO manb = {};
	BUF_AUTO set = {};
	BUF_AUTO signature = {};
	BUF_AUTO inner = {};

	forge_manp(&manp, id, flaw);
	forge_member_set(&objects, "MANP", &manp);
	for (unsigned i = 0; i < FORGE_PARTS; i++) {
		const struct forge_part *part = forge_part_with(&forge_parts[i], ramdisk);

		assert_string_equal(order[i], part->restore_type ? part->restore_type : part->type);
		forge_entry(&objects, part, f->sha1);
	}
	forge_member_set(&manb, "MANB", &objects);
	forge_tlv(&set, 0x31, manb.bytes, manb.len);
	forge_sign(f->key, &set, &signature);
	signature.bytes[signature.len - 1] ^= flaw == FORGE_BAD_SIGNATURE;
	forge_text(&inner, "IM4M");
	forge_number(&inner, 0);
	buf_add(&inner, set.bytes, set.len);
	forge_tlv(&inner, 0x04, signature.bytes, signature.len);
	forge_tlv(&inner, 0x30, "", 0);
	forge_tlv(to, 0x30, inner.bytes, inner.len);
}

/* The container as idevicerestore sends it. @im4m may be NULL. */
static inline void forge_img4(const struct forge_part *part, const struct buf *im4m, struct buf *to)
{
	BUF_AUTO inner = {};

	forge_text(&inner, "IMG4");
	forge_im4p(&inner, part->restore_type ? part->restore_type : part->type, part->payload);
	if (im4m)
		forge_tlv(&inner, 0xa0, im4m->bytes, im4m->len);
	forge_tlv(to, 0x30, inner.bytes, inner.len);
}

static inline const struct forge_part *forge_part(const char *component)
{
	for (unsigned i = 0; i < FORGE_PARTS; i++)
		if (!strcmp(forge_parts[i].component, component))
			return &forge_parts[i];
	fail_msg("no part %s", component);
	return nullptr;
}
