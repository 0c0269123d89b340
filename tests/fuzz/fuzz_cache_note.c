/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The note of a firmware file, and behind a NUL the use.json of its folder, as anybody may have
 * written them to a stick: what is taken can be shown and stays within bounds, nothing but a proof
 * of our own is believed, and the note is mended by the next use.
 */
#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "service/cache_note.h"
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HASH "aaaaaaaa11111111aaaaaaaa11111111aaaaaaaa11111111aaaaaaaa11111111"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static const char *const names[] = { HASH ".ipsw", HASH ".ipsw.json", "use.json" };

static void must(bool is)
{
	if (!is)
		abort();
}

/* One folder a process. */
static void name_room(struct room *ret)
{
	snprintf(ret->folder, sizeof(ret->folder), "/tmp/idr-fuzz-cache-%d", (int)getpid());
	snprintf(ret->cache, sizeof(ret->cache), "/tmp/idr-fuzz-cache-%d", (int)getpid());
}

static void name_file(const char *name, char ret[static 256])
{
	struct room room = { 0 };

	name_room(&room);
	snprintf(ret, 256, "%.100s/%s", room.folder, name);
}

static void remove_folder(void)
{
	struct room room = { 0 };

	name_room(&room);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char path[256];

		name_file(names[i], path);
		(void)unlink(path);
	}
	(void)rmdir(room.folder);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct room room = { 0 };

	name_room(&room);
	must(mkdir(room.folder, 0700) == 0);
	log_init("fuzz_cache_note", -1);
	return atexit(remove_folder);
}

static void put(const char *name, const void *bytes, size_t n)
{
	char path[256];
	FILE *out;

	name_file(name, path);
	out = fopen(path, "we");
	must(out != NULL);
	fwrite(bytes, 1, n, out);
	must(fclose(out) == 0);
}

static bool is_clean(const char *text)
{
	char copy[FIRMWARE_PATH_BYTES + CACHE_PRODUCTS_BYTES];

	return text_copy(copy, sizeof(copy), text) == strlen(text) && strcmp(copy, text) == 0;
}

static void check_entry(const struct cache_entry *entry)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL, *products = NULL;
	struct firmware again;

	must(strcmp(entry->file, names[0]) == 0 && strcmp(entry->firmware.sha256, HASH) == 0);
	must(is_clean(entry->firmware.name) && is_clean(entry->firmware.version));
	must(entry->firmware.name[0] != '\0' && !strchr(entry->firmware.name, '/'));
	must(is_clean(entry->products) && entry->verified_level <= 3);
	must(entry->firmware.verified == !entry->stale);
	must(firmware_to_json(&entry->firmware, &object) >= 0 &&
	     firmware_from_json(object, &again) >= 0 &&
	     cache_products_build(entry->products, &products) >= 0);
}

/* Which is empty for a file that its note calls damaged. */
static void look(const struct room *room, bool used)
{
	_cleanup_free_ struct cache_entry *entries = NULL;
	struct plan_drop drops[PLAN_DROPS_MAX];
	struct firmware none = { 0 }, found;
	size_t count = 0;

	must(cache_list(room, &entries, &count) == 0 && count == 1);
	check_entry(&entries[0]);
	must(cache_may_go(room, &none, false, NULL, NULL, drops) == 1);
	must(is_clean(drops[0].label) && drops[0].bytes == 4);
	must((cache_find(room, &(struct cache_query){ .sha256 = HASH }, &found) == 0) ==
	     (entries[0].kind == CACHE_WHOLE));
	if (used && entries[0].kind == CACHE_WHOLE)
		must(cache_find(room, &(struct cache_query){ .product = "iPhone14,5" }, &found) ==
		     0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size > 0 ? memchr(data, '\0', size) : NULL;
	size_t n = nul ? (size_t)(nul - data) : size;
	struct firmware firmware = { .product = "iPhone14,5", .verified = true };
	struct room room = { 0 };

	name_room(&room);
	name_file(names[0], firmware.path);
	put(names[0], "ipsw", 4);
	put(names[1], data, n);
	put(names[2], nul ? nul + 1 : data, nul ? size - n - 1 : 0);
	look(&room, false);
	(void)cache_is_stale(&room, firmware.path);
	if (cache_note(&firmware, "iPhone14,4") >= 0)
		look(&room, true);
	cache_close(&room);
	look(&room, false);
	return 0;
}
