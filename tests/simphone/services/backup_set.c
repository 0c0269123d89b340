/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "services/backup_set.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "lockdown_verbs.h"
#include "text.h"

/* What belongs to a sync under way, not to the user. */
static const char *const left_out[] = { "com.apple.itunes.lock_sync", "iTunesRestore" };

/* Domains by the beginning of a path; the first that fits. */
static const struct {
	const char *folder, *domain;
} domains[] = {
	{ "DCIM", "CameraRollDomain" },
	{ "PhotoData", "CameraRollDomain" },
	{ "Books", "BooksDomain" },
	{ "", "MediaDomain" },
};

static const char media[] = "Media/";

/* ---- digests ---- */

static void digest_by(const EVP_MD *kind, const void *bytes, size_t len, uint8_t *ret_digest)
{
	if (EVP_Digest(bytes, len, ret_digest, nullptr, kind, nullptr) != 1)
		die("a digest is missing");
}

void backup_digest(const void *bytes, size_t len, uint8_t ret_digest[BACKUP_DIGEST_BYTES])
{
	digest_by(EVP_sha1(), bytes, len, ret_digest);
}

static void id_make(const char *domain, const char *path, char ret_id[BACKUP_ID_CHARS + 1])
{
	uint8_t digest[BACKUP_DIGEST_BYTES];
	BUF_AUTO text = {};
	BUF_AUTO hex = {};

	buf_addf(&text, "%s-%s", domain, path);
	backup_digest(text.bytes, text.len, digest);
	buf_add_hex(&hex, digest, sizeof(digest));
	text_copy(ret_id, BACKUP_ID_CHARS + 1, buf_text(&hex));
}

/* ---- the set ---- */

static bool in_folder(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	return len == 0 || (!strncmp(path, folder, len) && (!path[len] || path[len] == '/'));
}

static const char *domain_of(const char *path)
{
	size_t i = 0;

	while (!in_folder(path, domains[i].folder))
		i++;
	return domains[i].domain;
}

static bool is_left_out(const char *path)
{
	for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
		if (in_folder(path, left_out[i]))
			return true;
	return false;
}

static void entry_add(struct backup_set *set, struct file *file, const char *path)
{
	struct backup_entry *e;
	BUF_AUTO inside = {};

	set->entries = realloc(set->entries, (set->count + 1) * sizeof(*set->entries));
	if (!set->entries)
		die("out of memory");
	e = &set->entries[set->count++];
	*e = (struct backup_entry){ .domain = domain_of(path), .is_new = true };
	e->flags = file->kind == FILE_FOLDER ? BACKUP_FOLDER
		   : file->kind == FILE_LINK ? BACKUP_LINK
					     : BACKUP_FILE;
	buf_addf(&inside, "%s%s", media, path);
	e->path = strdup(buf_text(&inside));
	if (!e->path)
		die("out of memory");
	id_make(e->domain, e->path, e->id);
	if (file->kind == FILE_REGULAR) {
		const struct buf *content = file_content(file);

		e->bytes = content->len;
		backup_digest(content->bytes, content->len, e->digest);
	}
}

static void tree_add(struct backup_set *set, struct file *folder, const char *prefix)
{
	for (struct file *c = folder->children; c; c = c->next) {
		BUF_AUTO path = {};

		buf_addf(&path, "%s%s", prefix, c->name);
		if (is_left_out(buf_text(&path)))
			continue;
		entry_add(set, c, buf_text(&path));
		if (c->kind == FILE_FOLDER) {
			buf_add_text(&path, "/");
			tree_add(set, c, buf_text(&path));
		}
	}
}

void backup_set_make(struct backup_set *set, struct phone *phone)
{
	*set = (struct backup_set){};
	tree_add(set, phone->files.root, "");
}

void backup_set_done(struct backup_set *set)
{
	for (unsigned i = 0; i < set->count; i++)
		free(set->entries[i].path);
	free(set->entries);
	*set = (struct backup_set){};
}

const char *backup_files_path(const char *domain, const char *path)
{
	const char *inside;

	if (strncmp(path, media, sizeof(media) - 1) != 0)
		return nullptr;
	inside = path + sizeof(media) - 1;
	return *inside && !strcmp(domain, domain_of(inside)) && !is_left_out(inside) ? inside
										     : nullptr;
}

/* ---- MBFile ---- */

static plist_t archive_class(void)
{
	plist_t class = plist_new_dict(), classes = plist_new_array();

	plist_array_append_item(classes, plist_new_string("MBFile"));
	plist_array_append_item(classes, plist_new_string("NSObject"));
	plist_dict_set_item(class, "$classes", classes);
	dict_text(class, "$classname", "MBFile");
	return class;
}

/* The archived object of one row: keys as real backups have them; Digest is SHA-1 here. */
static plist_t archive_make(const struct backup_entry *e, struct file *file)
{
	static const uint64_t second_ns = 1000000000;
	plist_t archive = plist_new_dict(), top = plist_new_dict(), objects = plist_new_array();
	plist_t object = plist_new_dict();

	dict_number(object, "Size", e->bytes);
	dict_number(object, "Mode", e->flags == BACKUP_FOLDER ? 040755 : 0100644);
	dict_number(object, "LastModified", file ? file->changed_ns / second_ns : 0);
	dict_number(object, "Birth", file ? file->born_ns / second_ns : 0);
	dict_number(object, "UserID", 501);
	dict_number(object, "GroupID", 501);
	dict_number(object, "ProtectionClass", 3);
	plist_dict_set_item(object, "RelativePath", plist_new_uid(2));
	plist_dict_set_item(object, "$class", plist_new_uid(3));
	if (e->flags == BACKUP_FILE)
		dict_data(object, "Digest", e->digest, sizeof(e->digest));
	if (e->flags == BACKUP_LINK && file)
		dict_data(object, "Target", file_content(file)->bytes, file_content(file)->len);
	plist_array_append_item(objects, plist_new_string("$null"));
	plist_array_append_item(objects, object);
	plist_array_append_item(objects, plist_new_string(e->path));
	plist_array_append_item(objects, archive_class());
	plist_dict_set_item(top, "root", plist_new_uid(1));
	dict_text(archive, "$archiver", "NSKeyedArchiver");
	plist_dict_set_item(archive, "$objects", objects);
	plist_dict_set_item(archive, "$top", top);
	dict_number(archive, "$version", 100000);
	return archive;
}

/* The object of a row's archive, borrowed from @archive; NULL: it is none. */
static plist_t archive_object(plist_t archive)
{
	plist_t objects = archive && plist_get_node_type(archive) == PLIST_DICT
			      ? plist_dict_get_item(archive, "$objects")
			      : nullptr;
	plist_t object = objects && plist_get_node_type(objects) == PLIST_ARRAY
			     ? plist_array_get_item(objects, 1)
			     : nullptr;

	return object && plist_get_node_type(object) == PLIST_DICT ? object : nullptr;
}

bool backup_row_content(const struct backup_row *row, uint64_t *ret_bytes,
			uint8_t ret_digest[BACKUP_DIGEST_BYTES])
{
	plist_t archive = nullptr, object, size, digest;
	const char *bytes = nullptr;
	uint64_t len = 0;

	if (row->blob_len == 0)
		return false;
	plist_from_memory((const char *)row->blob, (uint32_t)row->blob_len, &archive, nullptr);
	object = archive_object(archive);
	size = object ? plist_dict_get_item(object, "Size") : nullptr;
	digest = object ? plist_dict_get_item(object, "Digest") : nullptr;
	if (digest && plist_get_node_type(digest) == PLIST_DATA)
		bytes = plist_get_data_ptr(digest, &len);
	if (size && plist_get_node_type(size) == PLIST_INT && bytes && len == BACKUP_DIGEST_BYTES) {
		plist_get_uint_val(size, ret_bytes);
		memcpy(ret_digest, bytes, len);
	} else {
		len = 0;
	}
	plist_free(archive);
	return len == BACKUP_DIGEST_BYTES;
}

void backup_row_target(const struct backup_row *row, struct buf *to)
{
	plist_t archive = nullptr, object, target;
	const char *bytes = nullptr;
	uint64_t len = 0;

	plist_from_memory((const char *)row->blob, (uint32_t)row->blob_len, &archive, nullptr);
	object = archive_object(archive);
	target = object ? plist_dict_get_item(object, "Target") : nullptr;
	if (target && plist_get_node_type(target) == PLIST_DATA)
		bytes = plist_get_data_ptr(target, &len);
	if (bytes)
		buf_add(to, bytes, len);
	plist_free(archive);
}

void backup_database(const struct backup_set *set, struct phone *phone, struct buf *to)
{
	struct backup_db db = {};

	for (unsigned i = 0; i < set->count; i++) {
		const struct backup_entry *e = &set->entries[i];
		struct backup_row row = { .domain = e->domain, .path = e->path, .flags = e->flags };
		plist_t archive;
		char *bytes = nullptr;
		uint32_t len = 0;

		if (e->gone)
			continue;
		archive = archive_make(
		    e, files_find(&phone->files, backup_files_path(e->domain, e->path)));
		plist_to_bin(archive, &bytes, &len);
		memcpy(row.id, e->id, sizeof(row.id));
		row.blob = (const uint8_t *)bytes;
		row.blob_len = len;
		if (!backup_db_add(&db, &row))
			EVLOG(&phone->log, "backup-left-out", LOG_TEXT("path", e->path));
		plist_mem_free(bytes);
		plist_free(archive);
	}
	backup_db_write(&db, to);
	backup_db_done(&db);
}

/* ---- property lists ---- */

/* Frees @list. */
static void list_write(plist_t list, struct buf *to)
{
	char *bytes = nullptr;
	uint32_t len = 0;

	plist_to_bin(list, &bytes, &len);
	buf_add(to, bytes, len);
	plist_mem_free(bytes);
	plist_free(list);
}

plist_t backup_list_read(const struct buf *bytes)
{
	plist_t list = nullptr;

	if (bytes->len > 0)
		plist_from_memory((const char *)bytes->bytes, (uint32_t)bytes->len, &list, nullptr);
	if (list && plist_get_node_type(list) == PLIST_DICT)
		return list;
	plist_free(list);
	return nullptr;
}

static plist_t date_now(const struct phone *phone)
{
	return plist_new_unix_date((int64_t)settings_now(&phone->settings));
}

void backup_status(struct phone *phone, const char *state, bool full, struct buf *to)
{
	plist_t status = plist_new_dict();
	char uuid[37];

	trust_uuid(&phone->trust, uuid);
	dict_text(status, "BackupState", full ? "new" : "empty");
	plist_dict_set_item(status, "Date", date_now(phone));
	dict_bool(status, "IsFullBackup", full);
	dict_text(status, "SnapshotState", state);
	dict_text(status, "UUID", uuid);
	dict_text(status, "Version", "3.3");
	list_write(status, to);
}

/* In place of real keys: proves that the password is the one that the backup was made with. */
static void password_proof(const char *password, uint8_t ret_proof[32])
{
	BUF_AUTO text = {};

	buf_addf(&text, "simphone backup %s", password);
	digest_by(EVP_sha256(), text.bytes, text.len, ret_proof);
}

static plist_t lockdown_part(struct phone *phone)
{
	static const char *const keys[] = { "BuildVersion",   "DeviceName",   "ProductType",
					    "ProductVersion", "SerialNumber", "UniqueDeviceID" };
	plist_t values = root_trusted_values(phone), part = plist_new_dict();

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (plist_dict_get_item(values, keys[i]))
			plist_dict_set_item(part, keys[i],
					    plist_copy(plist_dict_get_item(values, keys[i])));
	plist_free(values);
	return part;
}

void backup_manifest(struct phone *phone, struct buf *to)
{
	const char *password = phone->backup.password;
	plist_t manifest = plist_new_dict();
	uint8_t bytes[32] = {};

	plist_dict_set_item(manifest, "Applications", plist_new_dict());
	dict_data(manifest, "BackupKeyBag", bytes, sizeof(bytes));
	plist_dict_set_item(manifest, "Date", date_now(phone));
	dict_bool(manifest, "IsEncrypted", *password);
	plist_dict_set_item(manifest, "Lockdown", lockdown_part(phone));
	if (*password) {
		password_proof(password, bytes);
		dict_data(manifest, "ManifestKey", bytes, sizeof(bytes));
	}
	dict_text(manifest, "SystemDomainsVersion", "24.0");
	dict_text(manifest, "Version", "10.0");
	dict_bool(manifest, "WasPasscodeSet", phone->trust.passcode);
	list_write(manifest, to);
}

bool backup_opens(plist_t manifest, const char *password)
{
	plist_t encrypted = plist_dict_get_item(manifest, "IsEncrypted");
	plist_t key = plist_dict_get_item(manifest, "ManifestKey");
	const char *bytes = nullptr;
	uint8_t proof[32];
	uint64_t len = 0;

	if (!encrypted || plist_get_node_type(encrypted) != PLIST_BOOLEAN ||
	    !plist_bool_val_is_true(encrypted))
		return true;
	if (!password || !key || plist_get_node_type(key) != PLIST_DATA)
		return false;
	bytes = plist_get_data_ptr(key, &len);
	password_proof(password, proof);
	return bytes && len == sizeof(proof) && !memcmp(bytes, proof, len);
}
