/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The verdict over an image or a ticket: container, signature, phone, digest, IPSW; see firmware.h.
 */
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "phone.h"
#include "restore/firmware_parts.h"
#include "restore/img4.h"
#include "restore/ticket.h"
#include "text.h"

/* Types of what boot loaders take, for phones that were given no IPSW (whose digests would tell).
 */
static const struct {
	const char *component, *type;
} types[] = {
	{ "iBSS", "ibss" },
	{ "iBEC", "ibec" },
	{ "RestoreRamDisk", "rdsk" },
	{ "RestoreDeviceTree", "rdtr" },
	{ "RestoreSEP", "rsep" },
	{ "RestoreKernelCache", "rkrn" },
	{ "RestoreLogo", "rlgo" },
	{ "RestoreTrustCache", "rtsc" },
	{ "LLB", "illb" },
	{ "iBoot", "ibot" },
	{ "SEP", "sepi" },
	{ "KernelCache", "krnl" },
	{ "DeviceTree", "dtre" },
};

static bool type_contradicts(const char *component, const char *type)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (!strcmp(types[i].component, component))
			return strcmp(types[i].type, type) != 0;
	return false;
}

static bool entry_fits(plist_t entry, struct span im4p)
{
	plist_t node = entry && plist_get_node_type(entry) == PLIST_DICT
			   ? plist_dict_get_item(entry, "Digest")
			   : nullptr;
	const char *digest;
	uint64_t len;

	if (!node || plist_get_node_type(node) != PLIST_DATA)
		return false;
	digest = plist_get_data_ptr(node, &len);
	return digest_fits(im4p, (const uint8_t *)digest, len);
}

/*
 * Looks for @im4p in the identity for @kind: under @component, or under any name whose type in the
 * manifest does not contradict. The digest covers the type.
 */
static bool identity_holds(const struct firmware *f, enum install_kind kind, const char *component,
			   struct span im4p, char ret_component[64])
{
	plist_t identity = firmware_identity(f, kind);
	plist_dict_iter iter = nullptr;
	plist_t manifest, entry;
	bool found = false;
	char *key;

	if (component) {
		found = entry_fits(firmware_component(f, kind, component), im4p);
		if (found)
			text_copy(ret_component, 64, component);
		return found;
	}
	manifest = identity ? plist_dict_get_item(identity, "Manifest") : nullptr;
	if (!manifest)
		return false;
	plist_dict_new_iter(manifest, &iter);
	do {
		key = nullptr;
		plist_dict_next_item(manifest, iter, &key, &entry);
		found = key && entry_fits(entry, im4p);
		if (found)
			text_copy(ret_component, 64, key);
		plist_mem_free(key);
	} while (key && !found);
	plist_mem_free(iter);
	return found;
}

static void sha256_text(const uint8_t *bytes, size_t len, char to[65])
{
	uint8_t digest[SHA256_DIGEST_LENGTH];
	BUF_AUTO hex = {};

	SHA256(bytes, len, digest);
	buf_add_hex(&hex, digest, sizeof(digest));
	text_copy(to, 65, buf_text(&hex));
}

static const char *judge_ticket(const struct phone *p, const struct span *im4m,
				struct ticket *ret_ticket)
{
	const char *why = ticket_read(im4m->bytes, im4m->len, ret_ticket);

	if (!why && !ticket_is_signed(ret_ticket, p->scenario.ticket_key))
		why = "the ticket is not signed by the signing server";
	return why ? why : ticket_fits_phone(ret_ticket, &p->identity);
}

static const char *judge_image(const struct phone *p, const char *component, const uint8_t *bytes,
			       size_t len, struct image_verdict *v)
{
	struct ticket ticket;
	struct img4 image;
	const char *why = img4_read(bytes, len, &image);

	if (why)
		return why;
	text_copy(v->type, sizeof(v->type), image.type);
	if (image.im4m.len == 0)
		return "the container holds no ticket";
	why = judge_ticket(p, &image.im4m, &ticket);
	if (why)
		return why;
	if (!ticket_holds(&ticket, image.type, image.im4p))
		return "the ticket does not hold the image's digest";
	if (!strcmp(image.type, "rsep") && !ticket_fits_sep(&ticket, &p->identity))
		return "the ticket is for another nonce of the SEP";
	if (!p->firmware) {
		if (component && type_contradicts(component, image.type))
			return "the image is of another type";
		text_copy(v->component, sizeof(v->component), component ? component : "");
		return nullptr;
	}
	v->erase = identity_holds(p->firmware, INSTALL_ERASE, component, image.im4p, v->component);
	v->update =
	    identity_holds(p->firmware, INSTALL_UPDATE, component, image.im4p, v->component);
	return v->erase || v->update ? nullptr : "the IPSW has no such image for this board";
}

static void verdict_log(const struct phone *p, const char *component, size_t len,
			const struct image_verdict *v)
{
	EVLOG(&p->log, "image", LOG_TEXT("wanted", component ? component : "any"),
	      LOG_TEXT("component", v->component), LOG_TEXT("type", v->type), LOG_INT("bytes", len),
	      LOG_TEXT("sha256", v->sha256), LOG_TEXT("verdict", v->why ? "bad" : "good"),
	      LOG_TEXT("why", v->why ? v->why : ""), LOG_INT("erase", v->erase),
	      LOG_INT("update", v->update));
}

bool firmware_check_image(struct phone *p, const char *component, const uint8_t *bytes, size_t len,
			  struct image_verdict *ret_verdict)
{
	struct image_verdict v = {};

	sha256_text(bytes, len, v.sha256);
	v.why = judge_image(p, component, bytes, len, &v);
	verdict_log(p, component, len, &v);
	*ret_verdict = v;
	return !v.why;
}

bool firmware_check_ticket(struct phone *p, const uint8_t *bytes, size_t len,
			   struct image_verdict *ret_verdict)
{
	const struct span im4m = { bytes, len };
	struct image_verdict v = { .type = "IM4M" };
	struct ticket ticket;

	sha256_text(bytes, len, v.sha256);
	v.why = judge_ticket(p, &im4m, &ticket);
	verdict_log(p, "ticket", len, &v);
	*ret_verdict = v;
	return !v.why;
}
