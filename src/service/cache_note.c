/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Whether a file's proof still counts:
 *
 *   verified_ms, machine, order in the note ── all fit ──▶ size and time are enough (worker fetch)
 *       │ a week ago, another computer, or the folder was found open since
 *       ▼
 *   cache_is_stale() ──▶ worker fetch is asked to hash the file ──▶ cache_note() signs for it
 */
#include "service/cache_note.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/object.h"
#include "base/text.h"
#include "service/storage.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-id128.h>

enum { NOTE_BYTES_MAX = 64 * 1024, USE_VERSION = 1, DMI_BYTES = 256 };

static const uint64_t proof_ms = UINT64_C(7) * 24 * 3600 * 1000;
/* A clock that was set since explains so much, and no more. */
static const uint64_t ahead_ms = UINT64_C(24) * 3600 * 1000;
static const char use_name[] = "use.json";

/* --- words ----------------------------------------------------------------------------------- */

bool words_have(const char *list, const char *word, size_t n)
{
	for (const char *at = list; *at != '\0';) {
		size_t length = strcspn(at, " ");

		if (length == n && strncmp(at, word, n) == 0)
			return true;
		at += length;
		at += strspn(at, " ");
	}
	return false;
}

bool words_add(char *list, size_t bytes, const char *more)
{
	bool changed = false;

	for (const char *at = more; *at != '\0';) {
		size_t length = strcspn(at, " "), used = strlen(list);

		if (length > 0 && !words_have(list, at, length) && used + 1 + length < bytes) {
			snprintf(list + used, bytes - used, "%s%.*s", used > 0 ? " " : "",
				 (int)length, at);
			changed = true;
		}
		at += length;
		at += strspn(at, " ");
	}
	return changed;
}

/* --- files ----------------------------------------------------------------------------------- */

static sd_json_variant *object_read(int folder_fd, const char *name)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	_cleanup_close_ int fd =
	    openat(folder_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	_cleanup_free_ char *text = NULL;
	size_t n;

	if (fd < 0 || file_read_whole(fd, NOTE_BYTES_MAX, &text, &n) < 0 || memchr(text, '\0', n))
		return NULL;
	if (sd_json_parse(text, SD_JSON_PARSE_MUST_BE_OBJECT, &object, NULL, NULL) < 0)
		return NULL;
	return TAKE(object);
}

static int object_write(int folder_fd, const char *name, sd_json_variant *object)
{
	_cleanup_free_ char *text = NULL;
	int r = sd_json_variant_format(object, SD_JSON_FORMAT_NEWLINE, &text);

	return r < 0 ? r : file_write_whole(folder_fd, name, text, strlen(text));
}

static bool note_name(const char *file, char *ret, size_t bytes)
{
	int n = snprintf(ret, bytes, "%s.json", file);

	return n > 0 && (size_t)n < bytes;
}

sd_json_variant *cache_note_read(int folder_fd, const char *file)
{
	char name[CACHE_FILE_BYTES + sizeof(".json")];

	return note_name(file, name, sizeof(name)) ? object_read(folder_fd, name) : NULL;
}

static int note_write(int folder_fd, const char *file, sd_json_variant *note)
{
	char name[CACHE_FILE_BYTES + sizeof(".json")];

	return note_name(file, name, sizeof(name)) ? object_write(folder_fd, name, note)
						   : -ENAMETOOLONG;
}

/* --- which computer, which order ------------------------------------------------------------- */

/* What the maker wrote into the firmware of this computer. Not its serial number: only root may
 * read that, and nobody needs it on a stick. */
static void machine_name(char ret[static CACHE_MACHINE_BYTES])
{
	static const char *const names[] = { "sys_vendor", "product_name", "product_version",
					     "board_name", "bios_version" };
	const uint64_t prime = UINT64_C(0x100000001b3); /* FNV-1a */
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char path[64], text[DMI_BYTES] = "";
		FILE *file;

		snprintf(path, sizeof(path), "/sys/class/dmi/id/%s", names[i]);
		file = fopen(path, "re");
		if (file && !fgets(text, sizeof(text), file))
			text[0] = '\0';
		if (file)
			(void)fclose(file);
		for (const char *c = text; *c != '\0'; c++)
			hash = (hash ^ (unsigned char)*c) * prime;
	}
	snprintf(ret, CACHE_MACHINE_BYTES, "%016" PRIx64, hash);
}

/* What use.json says, to this start of this computer. */
struct use {
	bool known; /* it can be read; else nobody knows what became of the folder */
	bool closed, ours;
	uint64_t order; /* as it will be once we have the folder open */
};

static int boot_name(char ret[static SD_ID128_STRING_MAX])
{
	sd_id128_t id;
	int r = sd_id128_get_boot(&id);

	if (r >= 0)
		(void)sd_id128_to_string(id, ret);
	return r;
}

static void use_read(int folder_fd, struct use *ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object =
	    object_read(folder_fd, use_name);
	const char *found = object ? object_peek_text(object, "boot") : NULL;
	char boot[SD_ID128_STRING_MAX];
	struct use use = { .known = true };

	*ret = (struct use){ 0 };
	if (!found || !sd_json_variant_by_key(object, "order") ||
	    object_read_number(object, "order", &use.order) < 0)
		return;
	use.closed = found[0] == '\0';
	use.ours = boot_name(boot) >= 0 && strcmp(found, boot) == 0;
	/* nobody closed it: what was written last may not be what lies there */
	if (!use.closed && !use.ours)
		use.order++;
	*ret = use;
}

void cache_place_read(int folder_fd, struct cache_place *ret)
{
	struct use use;

	use_read(folder_fd, &use);
	*ret = (struct cache_place){
		.ordered = use.known,
		.order = use.order,
		.now_ms = clock_wall_ms(),
	};
	machine_name(ret->machine);
}

static int use_write(int folder_fd, const char *boot, uint64_t order)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *use = NULL;
	int r = sd_json_buildo(&use, SD_JSON_BUILD_PAIR_UNSIGNED("v", USE_VERSION),
			       SD_JSON_BUILD_PAIR_STRING("boot", boot),
			       SD_JSON_BUILD_PAIR_UNSIGNED("order", order));

	return r < 0 ? r : object_write(folder_fd, use_name, use);
}

static int use_open(int folder_fd)
{
	char boot[SD_ID128_STRING_MAX];
	struct use use;
	sd_id128_t id;
	int r = boot_name(boot);

	if (r < 0)
		return r;
	use_read(folder_fd, &use);
	if (use.ours)
		return 0;
	if (!use.known) { /* lost, maybe by a power cut: a number that stands in no note */
		r = sd_id128_randomize(&id);
		if (r < 0)
			return r;
		use.order = id.qwords[0] >> 32;
	}
	return use_write(folder_fd, boot, use.order);
}

bool cache_holds(const struct room *room, const char *path)
{
	char folder[PLAN_ROOM_BYTES];
	size_t n;

	room_firmware_folder(room, folder);
	n = strlen(folder);
	return n > 0 && strncmp(path, folder, n) == 0 && path[n] == '/' &&
	       !strchr(path + n + 1, '/');
}

static int folder_open(const struct room *room)
{
	char folder[PLAN_ROOM_BYTES];
	int fd;

	room_firmware_folder(room, folder);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

void cache_close(const struct room *room)
{
	_cleanup_close_ int fd = folder_open(room);
	struct use use;

	if (fd < 0)
		return;
	use_read(fd, &use);
	if (use.known && !use.closed)
		(void)use_write(fd, "", use.order);
}

/* --- notes ----------------------------------------------------------------------------------- */

static void products_read(sd_json_variant *note, struct cache_entry *entry)
{
	sd_json_variant *array = sd_json_variant_by_key(note, "products");

	words_add(entry->products, sizeof(entry->products), entry->firmware.product);
	if (!sd_json_variant_is_array(array))
		return;
	for (size_t i = 0; i < sd_json_variant_elements(array); i++) {
		sd_json_variant *one = sd_json_variant_by_index(array, i);
		char clean[FIRMWARE_TEXT_BYTES];

		if (!sd_json_variant_is_string(one))
			continue;
		text_copy(clean, sizeof(clean), sd_json_variant_string(one));
		if (!strchr(clean, ' '))
			words_add(entry->products, sizeof(entry->products), clean);
	}
}

static bool proof_counts(sd_json_variant *note, const struct cache_place *place,
			 uint64_t verified_ms)
{
	const char *machine = object_peek_text(note, "machine");
	uint64_t order = 0;

	return place->ordered && verified_ms > 0 && verified_ms + proof_ms > place->now_ms &&
	       verified_ms < place->now_ms + ahead_ms && machine &&
	       strcmp(machine, place->machine) == 0 && sd_json_variant_by_key(note, "order") &&
	       object_read_number(note, "order", &order) >= 0 && order == place->order;
}

void cache_note_take(sd_json_variant *note, const struct cache_place *place,
		     struct cache_entry *entry)
{
	uint64_t level = 0;

	if (firmware_from_json(note, &entry->firmware) < 0)
		entry->firmware = (struct firmware){ 0 };
	if (object_read_number(note, "used_ms", &entry->used_ms) < 0)
		entry->used_ms = 0;
	if (object_read_number(note, "verified_ms", &entry->verified_ms) < 0)
		entry->verified_ms = 0;
	if (object_read_number(note, "verified_level", &level) >= 0 && level <= 3)
		entry->verified_level = (unsigned)level;
	entry->stale = !proof_counts(note, place, entry->verified_ms);
	entry->firmware.verified = !entry->stale;
	/* of another day, and written by whoever had the disk: it vouches for nothing now */
	entry->firmware.confirmed = false;
	entry->firmware.sources[0] = entry->firmware.said_signed[0] = '\0';
	products_read(note, entry);
}

int cache_products_build(const char *words, sd_json_variant **ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *array = NULL;
	int r = sd_json_variant_new_array(&array, NULL, 0);

	for (const char *at = words; *at != '\0' && r >= 0;) {
		_cleanup_(sd_json_variant_unrefp) sd_json_variant *text = NULL;
		size_t n = strcspn(at, " ");

		r = sd_json_variant_new_stringn(&text, at, n);
		if (r >= 0)
			r = sd_json_variant_append_array(&array, text);
		at += n;
		at += strspn(at, " ");
	}
	if (r >= 0)
		*ret = TAKE(array);
	return r;
}

static int products_set(sd_json_variant **note, const char *products)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *array = NULL;
	int r = cache_products_build(products, &array);

	return r < 0 ? r : sd_json_variant_set_field(note, "products", array);
}

/* What the note lacks, from what is known now; its own fields stay: hashes in it were computed. */
static int note_complete(sd_json_variant **note, const struct firmware *firmware)
{
	char path[] = "path", verified[] = "verified"; /* sd-json takes no constant ones */
	char *ours[] = { path, verified, NULL };
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *known = NULL;
	int r = firmware_to_json(firmware, &known);

	if (r >= 0)
		r = sd_json_variant_filter(&known, ours);
	if (r >= 0)
		r = sd_json_variant_merge_object(&known, *note);
	if (r < 0)
		return r;
	sd_json_variant_unref(*note);
	*note = TAKE(known);
	return 0;
}

static int proof_sign(sd_json_variant **note, const struct cache_place *place)
{
	int r = 0;

	if (!sd_json_variant_by_key(*note, "verified_ms"))
		r = sd_json_variant_set_field_unsigned(note, "verified_ms", place->now_ms);
	if (r >= 0)
		r = sd_json_variant_set_field_string(note, "machine", place->machine);
	return r < 0 ? r : sd_json_variant_set_field_unsigned(note, "order", place->order);
}

static int folder_of(const char *path, const char **ret_file)
{
	_cleanup_free_ char *folder = NULL;
	const char *slash = strrchr(path, '/');
	int fd;

	if (!slash || slash == path || slash[1] == '\0')
		return -EINVAL;
	folder = strndup(path, (size_t)(slash - path));
	if (!folder)
		return -ENOMEM;
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_file = slash + 1;
	return fd;
}

int cache_note(const struct firmware *firmware, const char *products)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *note = NULL;
	struct cache_entry *entry;
	struct cache_place place;
	const char *file = NULL;
	_cleanup_close_ int fd = folder_of(firmware->path, &file);
	_cleanup_free_ struct cache_entry *freed = entry = calloc(1, sizeof(*entry));
	int r = fd;

	if (!entry)
		return -ENOMEM;
	if (fd >= 0)
		r = use_open(fd);
	if (r < 0)
		return r;
	cache_place_read(fd, &place);
	note = cache_note_read(fd, file);
	if (!note)
		r = sd_json_variant_new_object(&note, NULL, 0);
	else
		cache_note_take(note, &place, entry);
	words_add(entry->products, sizeof(entry->products), firmware->product);
	words_add(entry->products, sizeof(entry->products), products ?: "");
	if (r >= 0)
		r = note_complete(&note, firmware);
	if (r >= 0)
		r = products_set(&note, entry->products);
	if (r >= 0)
		r = sd_json_variant_set_field_unsigned(&note, "used_ms", place.now_ms);
	if (r >= 0 && firmware->verified)
		r = proof_sign(&note, &place);
	return r < 0 ? r : note_write(fd, file, note);
}

bool cache_is_stale(const struct room *room, const char *path)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *note = NULL;
	_cleanup_close_ int fd = folder_open(room);
	struct cache_place place;
	uint64_t verified_ms = 0;

	if (fd < 0 || !cache_holds(room, path) || use_open(fd) < 0)
		return true;
	note = cache_note_read(fd, strrchr(path, '/') + 1);
	cache_place_read(fd, &place);
	return !note || object_read_number(note, "verified_ms", &verified_ms) < 0 ||
	       !proof_counts(note, &place, verified_ms);
}
