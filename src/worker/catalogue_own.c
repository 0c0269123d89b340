/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Our own form of a catalogue (reference: firmware.md §5.3), made by scripts/catalogue for the
 * image, and by catalogue_store.c on the data partition:
 *
 *   {"v": 1, "made_ms": …, "sources": [{"name", …}],
 *    "files": [{"products": […], "boards": […], "version", "build", "url", "size", "sha1",
 * "sha256", "sha1_from": ["apple", …], "sha256_from": […], "signed": [products], "unsigned":
 * [products], "released": "2026-08-17"}]}
 *
 * A field that is not known is left out. signed and unsigned: what a third party said then.
 */
#include "base/cleanup.h"
#include "base/object.h"
#include "base/text.h"
#include "worker/catalogue_parse.h"
#include <errno.h>
#include <string.h>
#include <time.h>

enum { OWN_VERSION = 1, FILES_MAX = 4096, PRODUCTS_MAX = 64, DATE_BYTES = 16, MS_PER_S = 1000 };

/* --- reading */

static int broken(struct error *err, const char *what)
{
	(void)error_set(err, ERROR_BAD_FILE, "worker", 0, "The catalogue is broken: %s", what);
	return -EBADMSG;
}

/* Names of sources as bits; false for one that is none. */
static bool sources_read(sd_json_variant *file, const char *key, unsigned *ret)
{
	sd_json_variant *array = sd_json_variant_by_key(file, key);
	unsigned bits = 0;

	if (array && !sd_json_variant_is_array(array))
		return false;
	for (size_t i = 0; array && i < sd_json_variant_elements(array); i++) {
		sd_json_variant *one = sd_json_variant_by_index(array, i);
		enum catalogue_source source =
		    sd_json_variant_is_string(one)
			? catalogue_source_from_name(sd_json_variant_string(one))
			: CATALOGUE_SOURCE_MAX;

		if (source == CATALOGUE_SOURCE_MAX)
			return false;
		bits |= 1U << source;
	}
	*ret = bits;
	return true;
}

/* All but the product. */
static bool file_read(sd_json_variant *file, struct catalogue_entry *ret)
{
	struct catalogue_entry entry = {};
	struct ipsw *ipsw = &entry.ipsw;

	ipsw->size = catalogue_json_number(file, "size");
	ipsw->released_ms = catalogue_time_ms(catalogue_json_text(file, "released"));
	if (!catalogue_copy(ipsw->version, sizeof(ipsw->version),
			    catalogue_json_text(file, "version")) ||
	    !catalogue_copy(ipsw->build, sizeof(ipsw->build), catalogue_json_text(file, "build")) ||
	    !catalogue_take_hash(ipsw, catalogue_json_text(file, "sha1"), IPSW_SHA1_BYTES - 1) ||
	    !catalogue_take_hash(ipsw, catalogue_json_text(file, "sha256"),
				 IPSW_SHA256_BYTES - 1) ||
	    ipsw_set_url(ipsw, catalogue_json_text(file, "url")) < 0 ||
	    !sources_read(file, "sha1_from", &entry.sha1_from) ||
	    !sources_read(file, "sha256_from", &entry.sha256_from))
		return false;
	/* voices for no hash would later confirm whatever hash comes */
	if ((entry.sha1_from && !ipsw->sha1[0]) || (entry.sha256_from && !ipsw->sha256[0]))
		return false;
	*ret = entry;
	return true;
}

static void said_signed(struct ipsw *ipsw, sd_json_variant *file)
{
	const char *said = catalogue_json_has(file, "signed", ipsw->product)     ? "yes"
			   : catalogue_json_has(file, "unsigned", ipsw->product) ? "no"
										 : "";

	text_copy(ipsw->said_signed, sizeof(ipsw->said_signed), said);
}

/* What one read is about. */
struct reading {
	const char *product; /* NULL: all */
	enum catalogue_source told;
	bool is_test;
	struct catalogue_list list;
	size_t entries;
};

/* 0, -EBADMSG for a product that is none, -ENOMEM. */
static int product_add(struct reading *reading, struct catalogue_entry *entry,
		       sd_json_variant *name, sd_json_variant *file)
{
	struct ipsw *ipsw = &entry->ipsw;

	if (!sd_json_variant_is_string(name) ||
	    !ipsw_product_is_plain(sd_json_variant_string(name)))
		return -EBADMSG;
	reading->entries++;
	text_copy(ipsw->product, sizeof(ipsw->product), sd_json_variant_string(name));
	if (reading->product && strcmp(reading->product, ipsw->product) != 0)
		return 0;
	said_signed(ipsw, file);
	entry->told = 1U << reading->told;
	return catalogue_list_add_entry(&reading->list, entry, reading->is_test);
}

static int file_add(struct reading *reading, sd_json_variant *file)
{
	sd_json_variant *products = sd_json_variant_by_key(file, "products");
	struct catalogue_entry entry;
	int r = 0;

	if (!sd_json_variant_is_object(file) || !sd_json_variant_is_array(products) ||
	    sd_json_variant_elements(products) == 0 ||
	    sd_json_variant_elements(products) > PRODUCTS_MAX || !file_read(file, &entry))
		return -EBADMSG;
	for (size_t i = 0; r == 0 && i < sd_json_variant_elements(products); i++)
		r = product_add(reading, &entry, sd_json_variant_by_index(products, i), file);
	return r == 0 && reading->list.refused > 0 ? -EBADMSG : r;
}

int catalogue_own_parse(const char *text, size_t n, const char *product, enum catalogue_source told,
			bool is_test, struct catalogue_list *ret, struct catalogue_own *ret_own,
			struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *root = catalogue_json(text, n);
	struct reading reading = { .product = product, .told = told, .is_test = is_test };
	sd_json_variant *files = sd_json_variant_by_key(root, "files");
	uint64_t made_ms = catalogue_json_number(root, "made_ms");
	int r = 0;

	if (!root || catalogue_json_number(root, "v") != OWN_VERSION || made_ms == 0)
		return broken(err, "it has no head");
	if (!sd_json_variant_is_array(files) || sd_json_variant_elements(files) > FILES_MAX)
		return broken(err, "it has no files");
	for (size_t i = 0; r == 0 && i < sd_json_variant_elements(files); i++)
		r = file_add(&reading, sd_json_variant_by_index(files, i));
	if (r < 0) {
		catalogue_list_done(&reading.list);
		return r == -EBADMSG ? broken(err, "a file in it breaks the rules") : r;
	}
	*ret = reading.list;
	*ret_own = (struct catalogue_own){ .made_ms = made_ms, .entries = reading.entries };
	return 0;
}

/* --- writing */

static void sources_write(struct object *object, const char *key, unsigned bits)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *array = NULL;
	int r = sd_json_variant_new_array(&array, NULL, 0);

	for (unsigned i = 0; r >= 0 && i < CATALOGUE_SOURCE_MAX; i++)
		if (bits & (1U << i))
			r = sd_json_variant_append_arrayb(
			    &array, SD_JSON_BUILD_STRING(catalogue_source_name(i)));
	if (object_check(object, r) >= 0 && bits)
		object_take(object, key, TAKE(array));
}

static void product_write(struct object *object, const char *key, const char *product)
{
	sd_json_variant *array = NULL;

	if (object_check(object, sd_json_build(&array, SD_JSON_BUILD_ARRAY(
							   SD_JSON_BUILD_STRING(product)))) >= 0)
		object_take(object, key, array);
}

static void released_write(struct object *object, uint64_t released_ms)
{
	time_t seconds = (time_t)(released_ms / MS_PER_S);
	char date[DATE_BYTES];
	struct tm tm;

	if (released_ms && gmtime_r(&seconds, &tm) &&
	    strftime(date, sizeof(date), "%Y-%m-%d", &tm) > 0)
		object_text(object, "released", date);
}

static int entry_write(const struct catalogue_entry *entry, sd_json_variant **ret)
{
	const struct ipsw *ipsw = &entry->ipsw;
	struct object object = {};

	product_write(&object, "products", ipsw->product);
	object_text(&object, "version", ipsw->version);
	object_text(&object, "build", ipsw->build);
	object_text(&object, "url", ipsw->url);
	if (ipsw->size)
		object_number(&object, "size", ipsw->size);
	object_text(&object, "sha1", ipsw->sha1);
	object_text(&object, "sha256", ipsw->sha256);
	sources_write(&object, "sha1_from", entry->sha1_from);
	sources_write(&object, "sha256_from", entry->sha256_from);
	if (ipsw->said_signed[0])
		product_write(&object, ipsw->said_signed[0] == 'y' ? "signed" : "unsigned",
			      ipsw->product);
	released_write(&object, ipsw->released_ms);
	return object_end(&object, ret);
}

int catalogue_own_format(const struct catalogue_list *list, uint64_t made_ms, char **ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *files = NULL, *root = NULL;
	int r = sd_json_variant_new_array(&files, NULL, 0);

	for (size_t i = 0; r >= 0 && i < list->count; i++) {
		_cleanup_(sd_json_variant_unrefp) sd_json_variant *file = NULL;

		r = entry_write(&list->entries[i], &file);
		if (r >= 0)
			r = sd_json_variant_append_array(&files, file);
	}
	if (r >= 0)
		r = sd_json_buildo(&root, SD_JSON_BUILD_PAIR_UNSIGNED("v", OWN_VERSION),
				   SD_JSON_BUILD_PAIR_UNSIGNED("made_ms", made_ms),
				   SD_JSON_BUILD_PAIR_VARIANT("files", files));
	if (r >= 0)
		r = sd_json_variant_format(root, SD_JSON_FORMAT_NEWLINE, ret);
	return r < 0 ? r : 0;
}
