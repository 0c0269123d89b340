/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kinds of data requests: what goes into each, and what its answer has to be. */
#include "restore/requests.h"

#include <openssl/evp.h>
#include <string.h>

#include "phone.h"
#include "restore/run.h"
#include "text.h"

enum { NOR_DICT_IOS = 12 }; /* from here on NOR images are asked for by name */

/* ---- helpers of the kinds ---- */

const uint8_t *answer_data(plist_t answer, const char *key, size_t *ret_len)
{
	plist_t node = plist_dict_get_item(answer, key);
	uint64_t len = 0;
	const char *bytes;

	if (!node || plist_get_node_type(node) != PLIST_DATA)
		return nullptr;
	bytes = plist_get_data_ptr(node, &len);
	*ret_len = (size_t)len;
	return (const uint8_t *)bytes;
}

void request_note(struct request *q, const uint8_t *bytes, size_t len)
{
	EVP_DigestUpdate(q->hash, bytes, len);
	q->bytes += len;
}

enum judgement request_bad(struct request *q, const char *why)
{
	q->why = why;
	return ANSWER_BAD;
}

plist_t request_identity(const struct request *q)
{
	return q->run->choice.identity;
}

bool request_is_member(const struct request *q, const char *component, const uint8_t *bytes,
		       size_t len)
{
	const struct firmware *f = q->run->phone->firmware;
	struct member *m = f ? firmware_member(f, q->run->choice.kind, component) : nullptr;
	bool same;

	if (!f)
		return true;
	same = m && member_bytes(m) == len && member_follow(m, bytes, len);
	member_free(m);
	return same;
}

static bool of_kind(const struct request *q, const struct image_verdict *v)
{
	if (!q->run->phone->firmware)
		return true;
	return q->run->choice.kind == INSTALL_ERASE ? v->erase : v->update;
}

/* An image under a ticket; @component NULL: any. */
static enum judgement judge_image(struct request *q, const char *component, const uint8_t *bytes,
				  size_t len)
{
	struct image_verdict verdict;

	request_note(q, bytes, len);
	if (len == 0)
		return request_bad(q, "an image is empty");
	if (!firmware_check_image(q->run->phone, component, bytes, len, &verdict))
		return request_bad(q, verdict.why);
	if (!of_kind(q, &verdict))
		return request_bad(q, "an image is of the other kind of install");
	return ANSWER_GOOD;
}

static enum judgement judge_image_at(struct request *q, plist_t answer, const char *key,
				     const char *component)
{
	size_t len;
	const uint8_t *bytes = answer_data(answer, key, &len);

	return bytes ? judge_image(q, component, bytes, len)
		     : request_bad(q, "the answer lacks an image");
}

/* Whether two property lists say the same, whatever their order. */
static bool same_plist(struct request *q, plist_t got, plist_t wanted)
{
	char *texts[2] = {};
	uint32_t lens[2] = {};
	bool same;

	for (unsigned i = 0; i < 2; i++) {
		plist_t copy = plist_copy(i ? wanted : got);

		plist_sort(copy);
		plist_to_xml(copy, &texts[i], &lens[i]);
		plist_free(copy);
	}
	request_note(q, (const uint8_t *)texts[0], lens[0]);
	same = lens[0] == lens[1] && !memcmp(texts[0], texts[1], lens[0]);
	plist_mem_free(texts[0]);
	plist_mem_free(texts[1]);
	return same;
}

/* ---- the kinds ---- */

static enum judgement judge_ticket(struct request *q, plist_t answer)
{
	struct image_verdict verdict;
	size_t len;
	const uint8_t *bytes = answer_data(answer, q->kind->key, &len);

	if (!bytes || len == 0)
		return request_bad(q, "there is no ticket in the answer");
	request_note(q, bytes, len);
	if (!firmware_check_ticket(q->run->phone, bytes, len, &verdict))
		return request_bad(q, verdict.why);
	return ANSWER_GOOD;
}

static enum judgement judge_component(struct request *q, plist_t answer)
{
	const char *component = q->step->asked == ASKED_ROOT_HASH ? "SystemVolume"
				: q->step->asked == ASKED_METADATA
				    ? "Ap,SystemVolumeCanonicalMetadata"
				: q->step->asked == ASKED_KERNEL_CACHE ? "KernelCache"
								       : "DeviceTree";

	return judge_image_at(q, answer, q->kind->key, component);
}

/* The names of the identity's images for NOR besides LLB and RestoreSEP, which come apart. */
static bool is_nor_image(const char *name, plist_t entry)
{
	if (!strcmp(name, "LLB") || !strcmp(name, "RestoreSEP"))
		return false;
	return manifest_flag(entry, "IsFirmwarePayload") ||
	       (manifest_flag(entry, "IsSecondaryFirmwarePayload") &&
		manifest_flag(entry, "IsLoadedByiBoot"));
}

/* How many components of the identity @is picks. @image may name one that must be among them. */
static unsigned components_count(const struct request *q,
				 bool (*is)(const char *, plist_t, const char *), const char *word,
				 const char *image, bool *ret_found)
{
	plist_t manifest = plist_dict_get_item(request_identity(q), "Manifest");
	plist_dict_iter at = nullptr;
	unsigned count = 0;
	plist_t entry;
	char *name;

	plist_dict_new_iter(manifest, &at);
	do {
		name = nullptr;
		plist_dict_next_item(manifest, at, &name, &entry);
		if (name && is(name, entry, word)) {
			count++;
			if (image && !strcmp(image, name))
				*ret_found = true;
		}
		plist_mem_free(name);
	} while (name);
	plist_mem_free(at);
	return count;
}

static bool nor_picks(const char *name, plist_t entry, const char *word)
{
	return is_nor_image(name, entry);
}

static bool flag_picks(const char *name, plist_t entry, const char *word)
{
	return manifest_flag(entry, word);
}

static void nor_describe(struct request *q, plist_t arguments)
{
	if (q->run->choice.ios >= NOR_DICT_IOS)
		plist_dict_set_item(arguments, "FlashVersion1", plist_new_bool(1));
}

static enum judgement judge_nor_dict(struct request *q, plist_t images)
{
	enum judgement judgement = ANSWER_GOOD;
	plist_dict_iter at = nullptr;
	char *name;
	plist_t image;

	plist_dict_new_iter(images, &at);
	do {
		name = nullptr;
		plist_dict_next_item(images, at, &name, &image);
		if (name)
			judgement = judge_image_at(q, images, name, name);
		plist_mem_free(name);
	} while (name && judgement == ANSWER_GOOD);
	plist_mem_free(at);
	return judgement;
}

static enum judgement judge_nor_array(struct request *q, plist_t images)
{
	for (uint32_t i = 0; i < plist_array_get_size(images); i++) {
		plist_t image = plist_array_get_item(images, i);
		uint64_t len = 0;
		const char *bytes = plist_get_node_type(image) == PLIST_DATA
					? plist_get_data_ptr(image, &len)
					: nullptr;

		if (!bytes)
			return request_bad(q, "a NOR image is no data");
		if (judge_image(q, nullptr, (const uint8_t *)bytes, (size_t)len) != ANSWER_GOOD)
			return ANSWER_BAD;
	}
	return ANSWER_GOOD;
}

static enum judgement judge_sep(struct request *q, plist_t answer)
{
	static const struct {
		const char *key, *component;
	} seps[] = { { "RestoreSEPImageData", "RestoreSEP" }, { "SEPImageData", "SEP" } };

	for (unsigned i = 0; i < 2; i++) {
		if (q->run->phone->firmware &&
		    !firmware_component(q->run->phone->firmware, q->run->choice.kind,
					seps[i].component))
			continue;
		if (judge_image_at(q, answer, seps[i].key, seps[i].component) != ANSWER_GOOD)
			return ANSWER_BAD;
	}
	return ANSWER_GOOD;
}

static enum judgement judge_nor(struct request *q, plist_t answer)
{
	bool by_name = q->run->choice.ios >= NOR_DICT_IOS;
	plist_t images = plist_dict_get_item(answer, "NorImageData");
	uint32_t count;

	if (judge_image_at(q, answer, "LlbImageData", "LLB") != ANSWER_GOOD)
		return ANSWER_BAD;
	if (!images || plist_get_node_type(images) != (by_name ? PLIST_DICT : PLIST_ARRAY))
		return request_bad(q, "the NOR images have the wrong form");
	count = by_name ? plist_dict_get_size(images) : plist_array_get_size(images);
	if (request_identity(q) &&
	    count != components_count(q, nor_picks, nullptr, nullptr, nullptr))
		return request_bad(q, "NOR images are missing, or there are too many");
	if ((by_name ? judge_nor_dict : judge_nor_array)(q, images) != ANSWER_GOOD)
		return ANSWER_BAD;
	return judge_sep(q, answer);
}

/* A list of images, then each of them by name. */
static const char *list_key(const struct request *q)
{
	return q->step->asked == ASKED_FUD   ? "FUDImageList"
	       : q->step->asked == ASKED_EAN ? "EANImageList"
					     : "ImageList";
}

const char *request_image(const struct request *q)
{
	return plist_get_string_ptr(plist_array_get_item(q->names, q->name), nullptr);
}

static void images_describe(struct request *q, plist_t arguments)
{
	if (q->step->asked == ASKED_PERSONALIZED)
		plist_dict_set_item(arguments, "ImageType", plist_new_string(q->step->about));
	if (q->names)
		plist_dict_set_item(arguments, "ImageName", plist_new_string(request_image(q)));
	else
		plist_dict_set_item(arguments, list_key(q), plist_new_bool(1));
}

static enum judgement judge_list(struct request *q, plist_t answer)
{
	plist_t list = plist_dict_get_item(answer, list_key(q));
	uint32_t count;

	if (!list || plist_get_node_type(list) != PLIST_ARRAY)
		return request_bad(q, "there is no list of images in the answer");
	count = plist_array_get_size(list);
	for (uint32_t i = 0; i < count; i++) {
		const char *name = plist_get_string_ptr(plist_array_get_item(list, i), nullptr);
		bool known = !request_identity(q);

		if (name && !known)
			components_count(q, flag_picks, q->step->about, name, &known);
		if (!name || !known)
			return request_bad(q, "the list names an image that the IPSW has not");
	}
	if (request_identity(q) &&
	    count != components_count(q, flag_picks, q->step->about, nullptr, nullptr))
		return request_bad(q, "the list of images is not whole");
	q->names = plist_copy(list);
	q->name = 0;
	return count ? ANSWER_MORE : ANSWER_GOOD;
}

static enum judgement judge_images(struct request *q, plist_t answer)
{
	const char *name;

	if (!q->names)
		return judge_list(q, answer);
	name = plist_text(answer, "ImageName");
	if (!name || strcmp(name, request_image(q)) != 0)
		return request_bad(q, "another image was sent than was asked for");
	if (judge_image_at(q, answer, q->kind->key, name) != ANSWER_GOOD)
		return ANSWER_BAD;
	q->name++;
	if (q->name == plist_array_get_size(q->names))
		return ANSWER_GOOD;
	return ANSWER_MORE;
}

static void identity_describe(struct request *q, plist_t arguments)
{
	plist_dict_set_item(
	    arguments, "Variant",
	    plist_new_string(q->run->choice.kind == INSTALL_ERASE ? "Erase" : "Upgrade"));
}

static enum judgement judge_identity(struct request *q, plist_t answer)
{
	plist_t got = plist_dict_get_item(answer, "BuildIdentityDict");

	if (!got || !request_identity(q) || !same_plist(q, got, request_identity(q)))
		return request_bad(q, "the build identity is not the one of this install");
	return ANSWER_GOOD;
}

static enum judgement judge_receipt(struct request *q, plist_t answer)
{
	plist_t got = plist_dict_get_item(answer, "ReceiptManifest");
	plist_t identity = request_identity(q);

	if (!got || (identity && !same_plist(q, got, plist_dict_get_item(identity, "Manifest"))))
		return request_bad(q, "the manifest is not the one of this install");
	return ANSWER_GOOD;
}

/* SourceBootObjectV4: a file of the IPSW as it is; PersonalizedBootObjectV3: an image. */
static void object_describe(struct request *q, plist_t arguments)
{
	plist_dict_set_item(arguments, "ImageName", plist_new_string(q->step->about));
}

static enum judgement object_end(struct request *q)
{
	if (q->key == KEY_ASKED)
		return request_bad(q, "the image came without its key");
	if (q->step->asked == ASKED_SOURCE_OBJECT) {
		if (!q->member || !member_whole(q->member))
			return request_bad(q, "the file is not whole");
		return ANSWER_GOOD;
	}
	EVP_DigestInit_ex(q->hash, EVP_sha256(), nullptr);
	q->bytes = 0;
	return judge_image(q, q->step->about, q->pieces.bytes, q->pieces.len);
}

static enum judgement judge_object(struct request *q, plist_t answer)
{
	size_t len = 0;
	const uint8_t *bytes = answer_data(answer, "FileData", &len);

	if (!bytes)
		return plist_dict_get_item(answer, "FileDataDone")
			   ? object_end(q)
			   : request_bad(q, "a piece of the file has no data");
	request_note(q, bytes, len);
	if (q->step->asked == ASKED_BOOT_OBJECT)
		buf_add(&q->pieces, bytes, len);
	else if (!q->member || !member_follow(q->member, bytes, len))
		return request_bad(q, "the file differs from the one in the IPSW");
	return ANSWER_MORE;
}

void request_url(struct request *q, plist_t arguments)
{
	plist_dict_set_item(arguments, "RequestMethod", plist_new_string("GET"));
	plist_dict_set_item(arguments, "RequestURL",
			    plist_new_string(q->run->phone->scenario.restore.url_asset));
}

enum judgement request_url_judge(struct request *q, plist_t answer)
{
	plist_t status = plist_dict_get_item(answer, "ResponseStatus");
	uint64_t code = 0;
	size_t len = 0;
	const uint8_t *body = answer_data(answer, "ResponseBody", &len);

	if (status && plist_get_node_type(status) == PLIST_INT)
		plist_get_uint_val(status, &code);
	if (body)
		request_note(q, body, len);
	if (code != 200 || !body)
		return request_bad(q, "the host did not get what stands at the address");
	return ANSWER_GOOD;
}

static const struct request_kind kinds[] = {
	[ASKED_ROOT_TICKET] = { "RootTicket", "RootTicketData", .judge = judge_ticket },
	[ASKED_NOR] = { "NORData", .describe = nor_describe, .judge = judge_nor },
	[ASKED_KERNEL_CACHE] = { "KernelCache", "KernelCacheFile", .judge = judge_component },
	[ASKED_DEVICE_TREE] = { "DeviceTree", "DeviceTreeFile", .judge = judge_component },
	[ASKED_ROOT_HASH] = { "SystemImageRootHash", "SystemImageRootHashFile",
			      .judge = judge_component },
	[ASKED_METADATA] = { "SystemImageCanonicalMetadata", "SystemImageCanonicalMetadataFile",
			     .judge = judge_component },
	[ASKED_SYSTEM_IMAGE] = { "SystemImageData" },
	[ASKED_FDR_TRUST] = { "FDRTrustData" },
	[ASKED_PREFLIGHT] = { "FirmwareUpdaterPreflight" },
	[ASKED_FUD] = { "FUDData", "FUDImageData", images_describe, judge_images },
	[ASKED_EAN] = { "EANData", "EANData", images_describe, judge_images },
	[ASKED_PERSONALIZED] = { "PersonalizedData", "ImageData", images_describe, judge_images },
	[ASKED_IDENTITY] = { "BuildIdentityDict", .describe = identity_describe,
			     .judge = judge_identity },
	[ASKED_RECEIPT] = { "ReceiptManifest", .judge = judge_receipt },
	[ASKED_UPDATER] = { "FirmwareUpdaterData", .describe = updater_describe,
			    .judge = updater_judge },
	[ASKED_SOURCE_OBJECT] = { "SourceBootObjectV4", .describe = object_describe,
				  .judge = judge_object },
	[ASKED_BOOT_OBJECT] = { "PersonalizedBootObjectV3", .describe = object_describe,
				.judge = judge_object },
	[ASKED_BASEBAND] = { "BasebandData", "BasebandData", baseband_describe, baseband_judge },
	[ASKED_URL] = { "URLAsset", .describe = request_url, .judge = request_url_judge,
			.async = true },
	[ASKED_UNKNOWN] = { "HostSystemTime", .silent = true },
};

const struct request_kind *request_kind_of(enum asked asked)
{
	return &kinds[asked];
}
