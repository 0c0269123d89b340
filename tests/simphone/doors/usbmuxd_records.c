/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "doors/usbmuxd_records.h"

#include <ctype.h>
#include <errno.h>
#include <plist/plist.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "text.h"

enum { RECORD_BYTES_MIN = 8 };

static const char buid_file[] = "SystemConfiguration";
static const char buid_key[] = "SystemBUID";

/* Whether @id may become a file's name. */
static bool id_fits(const char *id)
{
	for (const unsigned char *c = (const unsigned char *)id; *c; c++)
		if (!isascii(*c) || (!isalnum(*c) && *c != '-'))
			return false;
	return true;
}

static const char *record_path(const char *folder, const char *id, struct buf *to)
{
	buf_addf(to, "%s/%s.plist", folder, id);
	return buf_text(to);
}

/* A random UUID in capitals. It belongs to the host, not to the phone: it does not come from the
 * phone's seed, or all hosts of a test would be one. */
static void buid_make(struct buf *to)
{
	uint8_t r[16];

	if (getrandom(r, sizeof(r), 0) != sizeof(r))
		die("getrandom: %s", strerror(errno));
	r[6] = (uint8_t)((r[6] & 0x0f) | 0x40);
	r[8] = (uint8_t)((r[8] & 0x3f) | 0x80);
	for (unsigned i = 0; i < sizeof(r); i++)
		buf_addf(to, "%s%02X", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", r[i]);
}

void records_buid(const char *folder, struct buf *to)
{
	plist_t config = nullptr, node;
	BUF_AUTO path = {};

	plist_read_from_file(record_path(folder, buid_file, &path), &config, nullptr);
	node = config ? plist_dict_get_item(config, buid_key) : nullptr;
	if (node && plist_get_node_type(node) == PLIST_STRING) {
		buf_add_text(to, plist_get_string_ptr(node, nullptr));
	} else {
		plist_free(config);
		config = plist_new_dict();
		buid_make(to);
		plist_dict_set_item(config, buid_key, plist_new_string(buf_text(to)));
		plist_write_to_file(config, buf_text(&path), PLIST_FORMAT_XML, 0);
	}
	plist_free(config);
}

int record_read(const char *folder, const char *id, struct buf *to)
{
	BUF_AUTO path = {};
	char bytes[4096];
	size_t got;
	FILE *in;

	if (!id_fits(id))
		return -ENOENT;
	in = fopen(record_path(folder, id, &path), "re");
	if (!in)
		return -ENOENT;
	while ((got = fread(bytes, 1, sizeof(bytes), in)) > 0 && to->len <= RECORD_BYTES_MAX)
		buf_add(to, bytes, got);
	fclose(in);
	return to->len > 0 && to->len <= RECORD_BYTES_MAX ? 0 : -ENOENT;
}

int record_save(const char *folder, const char *id, const void *bytes, size_t len)
{
	plist_t record = nullptr;
	BUF_AUTO path = {};
	int r = 0;

	if (!id_fits(id) || len < RECORD_BYTES_MIN || len > RECORD_BYTES_MAX)
		return -EINVAL;
	if (!memcmp(bytes, "bplist00", 8))
		plist_from_bin(bytes, (uint32_t)len, &record);
	else
		plist_from_xml(bytes, (uint32_t)len, &record);
	if (!record || plist_get_node_type(record) != PLIST_DICT)
		r = -EINVAL;
	else if (plist_write_to_file(record, record_path(folder, id, &path), PLIST_FORMAT_XML, 0) !=
		 PLIST_ERR_SUCCESS)
		r = -ENOENT;
	plist_free(record);
	return r;
}

int record_delete(const char *folder, const char *id)
{
	BUF_AUTO path = {};

	if (!id_fits(id))
		return -ENOENT;
	return remove(record_path(folder, id, &path)) < 0 ? -errno : 0;
}
