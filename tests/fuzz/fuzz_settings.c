/* SPDX-License-Identifier: GPL-3.0-or-later */
/* FOLDER/settings.json as anybody may have written it to a stick: it chooses a folder and a mirror
 * within bounds or nothing, and the person's next choice replaces it. */
#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "service/cache.h"
#include "service/storage.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static void must(bool is)
{
	if (!is)
		abort();
}

/* One folder a process. */
static void name_path(const char *name, char ret[static 96])
{
	snprintf(ret, 96, "/tmp/idr-fuzz-settings-%d%s", (int)getpid(), name);
}

static void remove_folder(void)
{
	static const char *const folders[] = { "/jobs", "/firmware", "" };
	char path[96];

	name_path("/settings.json", path);
	(void)unlink(path);
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		name_path(folders[i], path);
		(void)rmdir(path);
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char folder[96];

	name_path("", folder);
	must(mkdir(folder, 0700) == 0);
	log_init("fuzz_settings", -1);
	return atexit(remove_folder);
}

static void check_mirror(const char *mirror)
{
	char copy[STORAGE_URL_BYTES];
	size_t n = strlen(mirror);

	must(strncasecmp(mirror, "http", 4) == 0 && !strpbrk(mirror, " \"<>\\^`{|}?#@"));
	must(n < STORAGE_URL_BYTES && mirror[n - 1] != '/');
	must(text_copy(copy, sizeof(copy), mirror) == n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(storage_freep) struct storage *storage = NULL;
	char folder[96], path[96], mirror[STORAGE_URL_BYTES];
	struct room room = { 0 };
	struct error err;
	FILE *out;

	name_path("", folder);
	name_path("/settings.json", path);
	out = fopen(path, "we");
	must(out != NULL);
	fwrite(data, 1, size, out);
	must(fclose(out) == 0);
	must(storage_new(&(struct storage_options){ .folder = folder }, &storage) == 0);
	if (storage_mirror(storage, mirror))
		check_mirror(mirror);
	must(storage_room(storage, &room, &err) == 0);
	if (storage_add_cache(storage, &room, &err) >= 0 && room.cache[0] != '\0')
		must(room.cache[0] == '/' &&
		     strlen(room.cache) + 1 + CACHE_FILE_BYTES < PLAN_ROOM_BYTES);
	must(storage_choose(storage, "http://shop/ipsw", &err) == 0);
	must(storage_mirror(storage, mirror) && strcmp(mirror, "http://shop/ipsw") == 0);
	must(storage_choose(storage, "off", &err) == 0 && !storage_mirror(storage, mirror));
	must(storage_room(storage, &room, &err) == 0);
	must(storage_add_cache(storage, &room, &err) == 0 && room.cache[0] == '\0');
	return 0;
}
