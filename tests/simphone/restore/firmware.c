/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The IPSW as the truth: its manifest, and the two identities a restore of this board may use.
 * Owns the parsed manifest; members are opened by themselves (member.c) and may outlive it.
 */
#include "restore/firmware.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zip.h>

#include "buf.h"
#include "restore/firmware_parts.h"
#include "text.h"

enum { MANIFEST_CEILING = 16 * 1024 * 1024 };

struct firmware {
	char *path;
	plist_t manifest;
	plist_t identities[3]; /* by install_kind, borrowed from the manifest; NULL: none */
	char version[32], build[32];
};

/* ---- plist ---- */

bool manifest_text(plist_t dict, const char *key, char *to, size_t room)
{
	plist_t node = plist_dict_get_item(dict, key);
	const char *text = node && plist_get_node_type(node) == PLIST_STRING
			       ? plist_get_string_ptr(node, nullptr)
			       : nullptr;

	if (!text || strlen(text) >= room)
		return false;
	text_copy(to, room, text);
	return true;
}

/* An integer, or a string that spells one ("0x8110"). */
static bool manifest_number(plist_t dict, const char *key, uint64_t *ret_number)
{
	plist_t node = plist_dict_get_item(dict, key);
	char text[32];
	char *end;

	if (node && plist_get_node_type(node) == PLIST_INT) {
		plist_get_uint_val(node, ret_number);
		return true;
	}
	if (!manifest_text(dict, key, text, sizeof(text)) || !*text)
		return false;
	*ret_number = strtoull(text, &end, 0);
	return *end == '\0';
}

static plist_t dict_of(plist_t dict, const char *key)
{
	plist_t node = plist_dict_get_item(dict, key);

	return node && plist_get_node_type(node) == PLIST_DICT ? node : nullptr;
}

/* ---- the manifest ---- */

static plist_t manifest_read(const char *path, char *why, size_t why_bytes)
{
	struct zip *zip = zip_open(path, ZIP_RDONLY, nullptr);
	plist_t root = nullptr;
	zip_file_t *file;
	BUF_AUTO xml = {};
	uint8_t piece[65536];
	zip_int64_t got = 0;

	if (!zip) {
		snprintf(why, why_bytes, "%s: no zip file that can be read", path);
		return nullptr;
	}
	file = zip_fopen(zip, "BuildManifest.plist", 0);
	while (file && xml.len < MANIFEST_CEILING &&
	       (got = zip_fread(file, piece, sizeof(piece))) > 0)
		buf_add(&xml, piece, (size_t)got);
	if (file && got == 0)
		plist_from_memory((const char *)xml.bytes, (uint32_t)xml.len, &root, nullptr);
	if (file)
		zip_fclose(file);
	zip_discard(zip);
	if (root && plist_get_node_type(root) == PLIST_DICT)
		return root;
	plist_free(root);
	snprintf(why, why_bytes, "%s: no BuildManifest.plist that can be read", path);
	return nullptr;
}

/* Which install an identity of this board is for; never one for researchers. */
static enum install_kind identity_kind(plist_t identity, const struct model *model)
{
	plist_t info = dict_of(identity, "Info");
	char variant[128] = "", behaviour[32] = "", board[32] = "";
	uint64_t chip = 0, board_id = 0;
	bool erase, update;

	if (!info || !dict_of(identity, "Manifest") ||
	    !manifest_text(info, "DeviceClass", board, sizeof(board)) ||
	    strcasecmp(board, model->board) != 0)
		return INSTALL_NONE;
	if (!manifest_number(identity, "ApChipID", &chip) || chip != model->cpid ||
	    !manifest_number(identity, "ApBoardID", &board_id) || board_id != model->bdid)
		return INSTALL_NONE;
	manifest_text(info, "Variant", variant, sizeof(variant));
	manifest_text(info, "RestoreBehavior", behaviour, sizeof(behaviour));
	erase = strstr(variant, "Erase Install (IPSW)");
	update = strstr(variant, "Upgrade Install (IPSW)");
	if (strstr(variant, "Research") || erase == update)
		return INSTALL_NONE;
	if (*behaviour && strcmp(behaviour, erase ? "Erase" : "Update") != 0)
		return INSTALL_NONE;
	return erase ? INSTALL_ERASE : INSTALL_UPDATE;
}

static void identities_find(struct firmware *f, const struct model *model)
{
	plist_t all = plist_dict_get_item(f->manifest, "BuildIdentities");

	if (!all || plist_get_node_type(all) != PLIST_ARRAY)
		return;
	for (uint32_t i = 0; i < plist_array_get_size(all); i++) {
		plist_t identity = plist_array_get_item(all, i);
		enum install_kind kind = INSTALL_NONE;

		if (plist_get_node_type(identity) == PLIST_DICT)
			kind = identity_kind(identity, model);
		if (kind != INSTALL_NONE && !f->identities[kind])
			f->identities[kind] = identity;
	}
}

struct firmware *firmware_open(const char *path, const struct model *model, char *why,
			       size_t why_bytes)
{
	plist_t manifest = manifest_read(path, why, why_bytes);
	struct firmware *f;

	if (!manifest)
		return nullptr;
	f = calloc(1, sizeof(*f));
	if (!f)
		die("out of memory");
	*f = (struct firmware){ .path = strdup(path), .manifest = manifest };
	if (!f->path)
		die("out of memory");
	identities_find(f, model);
	if (!manifest_text(manifest, "ProductVersion", f->version, sizeof(f->version)) ||
	    !manifest_text(manifest, "ProductBuildVersion", f->build, sizeof(f->build)))
		snprintf(why, why_bytes, "%s: the manifest names no version", path);
	else if (!f->identities[INSTALL_ERASE] && !f->identities[INSTALL_UPDATE])
		snprintf(why, why_bytes, "%s: nothing in it is for the board %s", path,
			 model->board);
	else
		return f;
	return firmware_free(f);
}

struct firmware *firmware_free(struct firmware *f)
{
	if (!f)
		return nullptr;
	plist_free(f->manifest);
	free(f->path);
	free(f);
	return nullptr;
}

const char *install_name(enum install_kind kind)
{
	static const char *const names[] = { "none", "erase", "update" };

	return names[kind];
}

const char *firmware_path(const struct firmware *f)
{
	return f->path;
}

const char *firmware_version(const struct firmware *f)
{
	return f->version;
}

const char *firmware_build(const struct firmware *f)
{
	return f->build;
}

plist_t firmware_identity(const struct firmware *f, enum install_kind kind)
{
	return f->identities[kind];
}

plist_t firmware_component(const struct firmware *f, enum install_kind kind, const char *component)
{
	plist_t identity = firmware_identity(f, kind);
	plist_t manifest = identity ? dict_of(identity, "Manifest") : nullptr;

	return manifest ? dict_of(manifest, component) : nullptr;
}

struct member *firmware_member(const struct firmware *f, enum install_kind kind,
			       const char *component)
{
	plist_t entry = firmware_component(f, kind, component);
	plist_t info = entry ? dict_of(entry, "Info") : nullptr;
	char name[512];

	if (!info || !manifest_text(info, "Path", name, sizeof(name)))
		return nullptr;
	return member_open(f->path, name);
}
