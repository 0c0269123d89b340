/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The chips besides the main one: what each tells about itself so that the host can have its
 * firmware signed (keys as idevicerestore and libtatsu want them), and what must come back: a
 * ticket that repeats the chip's nonce, and the firmware of the IPSW.
 */
#include <stdlib.h>
#include <string.h>
#include <zip.h>

#include "phone.h"
#include "restore/requests.h"
#include "restore/run.h"

enum { SAVAGE_HEADER_BYTES = 16, CRYPTEX_NONCE_BYTES = 32 };

static void add_number(plist_t dict, const char *key, uint64_t number)
{
	plist_dict_set_item(dict, key, plist_new_uint(number));
}

static void add_flag(plist_t dict, const char *key, bool on)
{
	plist_dict_set_item(dict, key, plist_new_bool(on));
}

/* @len bytes that are always the same for this phone and @key. */
static void add_constant(const struct request *q, plist_t dict, const char *key, size_t len)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	BUF_AUTO text = {};

	buf_addf(&text, "%llx/%s", (unsigned long long)q->run->phone->identity.ecid, key);
	EVP_Digest(text.bytes, text.len, digest, nullptr, EVP_sha512(), nullptr);
	plist_dict_set_item(dict, key, plist_new_data((const char *)digest, len));
}

static void add_nonce(const struct request *q, plist_t dict, const char *key)
{
	plist_dict_set_item(dict, key, plist_new_data((const char *)q->nonce, sizeof(q->nonce)));
}

/* A number of the identity ("BbChipID", as integer or "0x…"), or @otherwise. */
static uint64_t identity_number(const struct request *q, const char *key, uint64_t otherwise)
{
	plist_t node =
	    request_identity(q) ? plist_dict_get_item(request_identity(q), key) : nullptr;
	uint64_t number = otherwise;

	if (node && plist_get_node_type(node) == PLIST_INT)
		plist_get_uint_val(node, &number);
	else if (node && plist_get_node_type(node) == PLIST_STRING)
		number = strtoull(plist_get_string_ptr(node, nullptr), nullptr, 0);
	return number;
}

static uint64_t small_ecid(const struct request *q)
{
	return q->run->phone->identity.ecid >> 8;
}

/* ---- what each chip tells ---- */

static void se_tell(struct request *q, plist_t info, plist_t request)
{
	add_number(info, "SE,ChipID", identity_number(q, "SE,ChipID", 0x2c));
	add_constant(q, info, "SE,ID", 24);
	add_nonce(q, info, "SE,Nonce");
	add_constant(q, info, "SE,RootKeyIdentifier", 32);
	add_flag(info, "SE,IsDev", false);
}

static void savage_tell(struct request *q, plist_t info, plist_t request)
{
	static const char revision[] = { 0x30 }; /* B2 */

	add_number(info, "Savage,ChipID", identity_number(q, "Savage,ChipID", 5));
	add_number(info, "Savage,PatchEpoch", identity_number(q, "Savage,PatchEpoch", 0));
	add_constant(q, info, "Savage,UID", 16);
	add_nonce(q, info, "Savage,Nonce");
	add_flag(info, "Savage,AllowOfflineBoot", false);
	add_flag(info, "Savage,ReadFWKey", false);
	add_flag(info, "Savage,ReadECKey", false);
	add_flag(info, "Savage,ProductionMode", true);
	plist_dict_set_item(info, "Savage,Revision", plist_new_data(revision, sizeof(revision)));
}

/* The revision of the first patch for production chips that the IPSW has. */
static uint64_t yonkers_revision(const struct request *q, char ret_name[32])
{
	plist_t manifest =
	    request_identity(q) ? plist_dict_get_item(request_identity(q), "Manifest") : nullptr;
	uint64_t revision = 0;
	uint8_t production;

	for (unsigned i = 0; manifest && i < 16; i++) {
		plist_t entry, node;

		snprintf(ret_name, 32, "Yonkers,SysTopPatch%X", i);
		entry = plist_dict_get_item(manifest, ret_name);
		node = entry ? plist_dict_get_item(entry, "EPRO") : nullptr;
		if (!node)
			continue;
		plist_get_bool_val(node, &production);
		node = plist_dict_get_item(entry, "FabRevision");
		if (!production || !node)
			continue;
		plist_get_uint_val(node, &revision);
		return revision;
	}
	return 0;
}

static void yonkers_tell(struct request *q, plist_t info, plist_t request)
{
	plist_t chip = plist_new_dict();
	char name[32];

	add_number(chip, "Yonkers,BoardID", identity_number(q, "Yonkers,BoardID", 1));
	add_number(chip, "Yonkers,ChipID", identity_number(q, "Yonkers,ChipID", 0x2009));
	add_number(chip, "Yonkers,ECID", small_ecid(q));
	add_number(chip, "Yonkers,PatchEpoch", identity_number(q, "Yonkers,PatchEpoch", 1));
	add_number(chip, "Yonkers,FabRevision", yonkers_revision(q, name));
	add_nonce(q, chip, "Yonkers,Nonce");
	add_flag(chip, "Yonkers,AllowOfflineBoot", false);
	add_flag(chip, "Yonkers,ReadFWKey", false);
	add_flag(chip, "Yonkers,ReadECKey", false);
	add_flag(chip, "Yonkers,ProductionMode", true);
	plist_dict_set_item(info, "YonkersDeviceInfo", chip);
}

static void rose_tell(struct request *q, plist_t info, plist_t request)
{
	add_number(info, "Rap,BoardID", identity_number(q, "Rap,BoardID", 0x1a));
	add_number(info, "Rap,ChipID", identity_number(q, "Rap,ChipID", 0x2000));
	add_number(info, "Rap,ECID", small_ecid(q));
	add_number(info, "Rap,SecurityDomain", identity_number(q, "Rap,SecurityDomain", 1));
	add_nonce(q, info, "Rap,Nonce");
	add_constant(q, info, "Rap,FdrRootCaDigest", 32);
	add_flag(info, "Rap,ProductionMode", true);
	add_flag(info, "Rap,SecurityMode", true);
}

static void veridian_tell(struct request *q, plist_t info, plist_t request)
{
	add_number(info, "BMU,BoardID", identity_number(q, "BMU,BoardID", 0x10));
	add_number(info, "ChipID", identity_number(q, "BMU,ChipID", 0x77));
	add_number(info, "UniqueID", small_ecid(q));
	add_nonce(q, info, "Nonce");
	add_flag(info, "ProductionMode", true);
}

/* The generic way: the chip writes the whole request to the signing server. */
static void vinyl_tell(struct request *q, plist_t info, plist_t request)
{
	add_flag(request, "@eUICC,Ticket", true);
	add_number(request, "eUICC,ChipID", identity_number(q, "eUICC,ChipID", 5));
	add_constant(q, request, "eUICC,EID", 16);
	add_constant(q, request, "eUICC,RootKeyIdentifier", 32);
	add_nonce(q, request, "eUICC,Gold.Nonce");
	add_nonce(q, request, "eUICC,Main.Nonce");
}

/* The entries of the manifest that belong to the cryptexes, without Info. */
static void cryptex_components(const struct request *q, plist_t request)
{
	plist_t manifest = plist_dict_get_item(request_identity(q), "Manifest");
	plist_dict_iter at = nullptr;
	plist_t entry;
	char *name;

	plist_dict_new_iter(manifest, &at);
	do {
		name = nullptr;
		plist_dict_next_item(manifest, at, &name, &entry);
		if (name && !strncmp(name, "Cryptex1,", 9)) {
			plist_t copy = plist_copy(entry);

			plist_dict_remove_item(copy, "Info");
			plist_dict_set_item(request, name, copy);
		}
		plist_mem_free(name);
	} while (name);
	plist_mem_free(at);
}

static void cryptex_tell(struct request *q, plist_t info, plist_t request)
{
	const struct phone *p = q->run->phone;

	add_number(request, "ApECID", p->identity.ecid);
	add_number(request, "ApChipID", p->identity.model->cpid);
	add_number(request, "ApBoardID", p->identity.model->bdid);
	add_nonce(q, request, "Cryptex1,Nonce");
	add_constant(q, request, "Cryptex1,UDID", CRYPTEX_NONCE_BYTES);
	if (request_identity(q))
		cryptex_components(q, request);
}

static const struct part {
	const char *about;      /* of the step */
	const char *updater;    /* MessageArgUpdaterName */
	const char *tickets[2]; /* one of these must come */
	void (*tell)(struct request *q, plist_t info, plist_t request);
	bool firmware; /* the firmware is wanted too */
} parts[] = {
	{ "SE", "SE", { "SE,Ticket", "SE2,Ticket" }, se_tell, true },
	{ "Savage", "Savage", { "Savage,Ticket" }, savage_tell, true },
	{ "Yonkers", "Savage", { "Yonkers,Ticket" }, yonkers_tell, true },
	{ "Rose", "Rose", { "Rap,Ticket" }, rose_tell, true },
	{ "T200", "T200", { "BMU,Ticket" }, veridian_tell, true },
	{ "Vinyl", "Vinyl", { "eUICC,Ticket" }, vinyl_tell, false },
	{ "Cryptex1", "Cryptex1", { "Cryptex1,Ticket" }, cryptex_tell, false },
};

static const struct part *part_of(const struct request *q)
{
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (!strcmp(parts[i].about, q->step->about))
			return &parts[i];
	return nullptr;
}

static plist_t tags_new(const struct part *part)
{
	static const char *const identity_tags[] = {
		"Cryptex1,ChipID",          "Cryptex1,Type",
		"Cryptex1,SubType",         "Cryptex1,ProductClass",
		"Cryptex1,UseProductClass", "Cryptex1,NonceDomain",
		"Cryptex1,Version"
	};
	plist_t tags = plist_new_dict(), response = plist_new_array(), build = plist_new_array();

	plist_array_append_item(response, plist_new_string(part->tickets[0]));
	if (part->firmware)
		plist_array_append_item(response, plist_new_string("FirmwareData"));
	if (!strcmp(part->about, "Cryptex1"))
		for (size_t i = 0; i < sizeof(identity_tags) / sizeof(identity_tags[0]); i++)
			plist_array_append_item(build, plist_new_string(identity_tags[i]));
	plist_dict_set_item(tags, "ResponseTags", response);
	plist_dict_set_item(tags, "BuildIdentityTags", build);
	return tags;
}

void updater_describe(struct request *q, plist_t arguments)
{
	const struct part *part = part_of(q);
	plist_t info = plist_new_dict(), request = plist_new_dict();

	fault_garbage(&q->run->phone->faults, q->nonce, sizeof(q->nonce));
	part->tell(q, info, request);
	plist_dict_set_item(arguments, "MessageArgType", plist_new_string("FirmwareResponseData"));
	plist_dict_set_item(arguments, "MessageArgUpdaterName", plist_new_string(part->updater));
	plist_dict_set_item(arguments, "MessageArgInfo", info);
	plist_dict_set_item(arguments, "DeviceGeneratedTags", tags_new(part));
	if (plist_dict_get_size(request))
		plist_dict_set_item(arguments, "DeviceGeneratedRequest", request);
	else
		plist_free(request);
}

/* ---- what comes back ---- */

static bool has_nonce(const struct request *q, const uint8_t *bytes, size_t len)
{
	return memmem(bytes, len, q->nonce, sizeof(q->nonce));
}

/* The digest that the manifest has for @component stands in @bytes. */
static bool has_digest(const struct request *q, const char *component, const uint8_t *bytes,
		       size_t len)
{
	plist_t digest = request_identity(q) ? plist_access_path(request_identity(q), 3, "Manifest",
								 component, "Digest")
					     : nullptr;
	uint64_t digest_len = 0;
	const char *data = digest ? plist_get_data_ptr(digest, &digest_len) : nullptr;

	return data && memmem(bytes, len, data, (size_t)digest_len);
}

static bool ticket_fits(struct request *q, const struct part *part, plist_t response)
{
	for (unsigned i = 0; i < 2 && part->tickets[i]; i++) {
		size_t len = 0;
		const uint8_t *bytes = answer_data(response, part->tickets[i], &len);

		if (!bytes || len == 0)
			continue;
		request_note(q, bytes, len);
		if (!strcmp(part->about, "Cryptex1"))
			return has_digest(q, "Cryptex1,SystemVolume", bytes, len);
		return has_nonce(q, bytes, len);
	}
	return false;
}

static bool savage_fits(struct request *q, const uint8_t *bytes, size_t len)
{
	return len > SAVAGE_HEADER_BYTES && get_le32(bytes + 4) == len - SAVAGE_HEADER_BYTES &&
	       request_is_member(q, "Savage,B2-Prod-Patch", bytes + SAVAGE_HEADER_BYTES,
				 len - SAVAGE_HEADER_BYTES);
}

static bool yonkers_fits(struct request *q, plist_t response)
{
	plist_t data = plist_dict_get_item(response, "FirmwareData");
	const uint8_t *bytes;
	size_t len = 0;
	char name[32];

	bytes = data ? answer_data(data, "YonkersFirmware", &len) : nullptr;
	if (!bytes)
		return false;
	request_note(q, bytes, len);
	return yonkers_revision(q, name) == 0 || request_is_member(q, name, bytes, len);
}

/* A map of firmware with the digest of the map that was signed. */
static bool veridian_fits(struct request *q, const uint8_t *bytes, size_t len)
{
	plist_t map = nullptr;
	size_t digest_len = 0;
	const uint8_t *digest;
	bool fits;

	plist_from_memory((const char *)bytes, (uint32_t)len, &map, nullptr);
	digest = map && plist_get_node_type(map) == PLIST_DICT
		     ? answer_data(map, "fw_map_digest", &digest_len)
		     : nullptr;
	fits = digest && has_digest(q, "BMU,FirmwareMap", digest, digest_len);
	plist_free(map);
	return fits;
}

static bool firmware_fits(struct request *q, const struct part *part, plist_t response)
{
	const uint8_t *bytes;
	size_t len = 0;

	if (!strcmp(part->about, "Yonkers"))
		return yonkers_fits(q, response);
	bytes = answer_data(response, "FirmwareData", &len);
	if (!bytes || len == 0)
		return false;
	request_note(q, bytes, len);
	if (!strcmp(part->about, "Savage"))
		return savage_fits(q, bytes, len);
	if (!strcmp(part->about, "T200"))
		return veridian_fits(q, bytes, len);
	if (!strcmp(part->about, "Rose"))
		return request_is_member(q, "Rap,RTKitOS", bytes, len);
	return request_is_member(q, q->step->needs, bytes, len);
}

enum judgement updater_judge(struct request *q, plist_t answer)
{
	const struct part *part = part_of(q);
	plist_t response = plist_dict_get_item(answer, "FirmwareResponseData");

	if (!response || plist_get_node_type(response) != PLIST_DICT)
		return request_bad(q, "there is no FirmwareResponseData in the answer");
	if (!ticket_fits(q, part, response))
		return request_bad(q, "the chip's ticket is missing or not for this chip");
	if (part->firmware && !firmware_fits(q, part, response))
		return request_bad(q, "the chip's firmware is not the one in the IPSW");
	return ANSWER_GOOD;
}

/* ---- baseband ---- */

/* The one for which the host had it signed before the restore, if it did. */
static void baseband_nonce(struct request *q)
{
	size_t len = 0;
	const uint8_t *told = answer_data(q->run->options, "BasebandNonce", &len);

	if (told && len == sizeof(q->nonce))
		memcpy(q->nonce, told, len);
	else
		fault_garbage(&q->run->phone->faults, q->nonce, sizeof(q->nonce));
}

void baseband_describe(struct request *q, plist_t arguments)
{
	add_number(arguments, "ChipID", identity_number(q, "BbChipID", 0x1440e1));
	add_number(arguments, "CertID", 0x2a3f8e11);
	add_constant(q, arguments, "ChipSerialNo", 4);
	if (!q->step->about)
		return;
	baseband_nonce(q);
	add_nonce(q, arguments, q->step->about);
}

/* Reads a member of the zip whole into @to. */
static bool zip_member(struct zip *zip, const char *name, struct buf *to)
{
	zip_file_t *file = zip_fopen(zip, name, 0);
	uint8_t piece[4096];
	zip_int64_t got;

	if (!file)
		return false;
	while ((got = zip_fread(file, piece, sizeof(piece))) > 0)
		buf_add(to, piece, (size_t)got);
	zip_fclose(file);
	return got == 0;
}

/* The ticket lies in the archive, or was sewn into a file of older modems. */
static const char *archive_judge(struct request *q, struct zip *zip)
{
	BUF_AUTO ticket = {};

	if (!zip_member(zip, "bbticket.der", &ticket) && !zip_member(zip, "ebl.fls", &ticket))
		return "the baseband's firmware has no ticket";
	if (q->step->about && !has_nonce(q, ticket.bytes, ticket.len))
		return "the baseband's ticket is not for its nonce";
	if (zip_get_num_entries(zip, 0) < 2)
		return "the baseband's firmware is missing";
	return nullptr;
}

enum judgement baseband_judge(struct request *q, plist_t answer)
{
	size_t len = 0;
	const uint8_t *bytes = answer_data(answer, q->kind->key, &len);
	zip_source_t *source;
	struct zip *zip;
	const char *why;

	if (!bytes || len == 0)
		return request_bad(q, "there is no baseband firmware in the answer");
	request_note(q, bytes, len);
	source = zip_source_buffer_create(bytes, len, 0, nullptr);
	zip = source ? zip_open_from_source(source, ZIP_RDONLY, nullptr) : nullptr;
	if (!zip) {
		zip_source_free(source);
		return request_bad(q, "the baseband's firmware is no archive");
	}
	why = archive_judge(q, zip);
	zip_discard(zip);
	return why ? request_bad(q, why) : ANSWER_GOOD;
}
