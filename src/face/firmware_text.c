/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "face/firmware_text.h"
#include "base/cleanup.h"
#include "doctor/firmware.h"
#include "doctor/plan_room.h"
#include "face/amount_text.h"
#include "face/output.h"
#include "facts/facts.h"
#include "service/fields.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LABEL_COLUMNS = 16, NUMBER_BYTES = 24, NAMES_BYTES = 160 };

static void row_add(struct screen_prose *prose, const char *label, const char *text)
{
	screen_prose_add_labelled(prose, LABEL_COLUMNS, *label ? output_text(label) : "",
				  text ? text : "");
}

/* --- sizes ----------------------------------------------------------------------------------- */

/* The first variant that any board has: they differ in what they do, not in their system. */
static sd_json_variant *some_variant(const struct firmware_file *file)
{
	for (size_t i = 0; i < sd_json_variant_elements(file->boards); i++) {
		sd_json_variant *variants =
		    field_array(sd_json_variant_by_index(file->boards, i), "variants");

		if (sd_json_variant_elements(variants) > 0)
			return sd_json_variant_by_index(variants, 0);
	}
	return NULL;
}

/* Room for the file and for an installation from it; 0 if its lists do not tell. */
static uint64_t room_bytes(const struct firmware_file *file)
{
	sd_json_variant *found = some_variant(file);
	struct firmware firmware;
	struct variant variant;
	uint64_t here, all;

	if (!found || variant_from_json(found, &variant) < 0 ||
	    firmware_from_json(field_object(file->result, "firmware"), &firmware) < 0)
		return 0;
	here = plan_need_here(&firmware, &variant);
	return __builtin_add_overflow(here, firmware.size, &all) ? 0 : all;
}

static void amount_add(struct screen_prose *prose, const char *label, const char *id,
		       uint64_t bytes)
{
	_cleanup_free_ char *line = NULL;
	char amount[AMOUNT_BYTES];

	amount_text_bytes(bytes, amount);
	line = message_format(id, "size", amount, NULL);
	row_add(prose, label, line);
}

static void sizes_add(const struct firmware_file *file, struct screen_prose *prose)
{
	sd_json_variant *variant = some_variant(file);
	uint64_t room = room_bytes(file);
	bool packed = field_true(variant, "os_packed");

	amount_add(prose, "firmware-size",
		   file->is_remote ? "firmware-size-download" : "firmware-size-file",
		   field_unsigned(field_object(file->result, "firmware"), "size", 0));
	if (variant)
		amount_add(prose, "",
			   packed ? "firmware-size-system-packed" : "firmware-size-system",
			   field_unsigned(variant, "os_bytes", 0));
	if (room > 0)
		amount_add(prose, "", "firmware-size-room", room);
}

/* --- boards ---------------------------------------------------------------------------------- */

static void variant_add(sd_json_variant *variant, struct screen_prose *prose)
{
	const char *name = field_string(variant, "name");
	bool erases = field_true(variant, "erases");
	_cleanup_free_ char *line = NULL;

	line = message_format(erases ? "firmware-erases" : "firmware-keeps", "variant",
			      name ? name : "", NULL);
	row_add(prose, "", line);
}

static void board_add(sd_json_variant *board, struct screen_prose *prose)
{
	sd_json_variant *variants = field_array(board, "variants");
	const char *problem = field_string(board, "problem");
	_cleanup_free_ char *line = NULL;

	line = message_format("firmware-board", "board", field_string(board, "board"), "model",
			      field_string(board, "model"), "product",
			      field_string(board, "product"), NULL);
	row_add(prose, "firmware-for", line);
	for (size_t i = 0; i < sd_json_variant_elements(variants); i++)
		variant_add(sd_json_variant_by_index(variants, i), prose);
	if (problem)
		row_add(prose, "", problem);
}

static void unknown_products_add(const struct firmware_file *file, struct screen_prose *prose)
{
	sd_json_variant *products = field_array(file->result, "products");

	for (size_t i = 0; i < sd_json_variant_elements(products); i++) {
		sd_json_variant *one = sd_json_variant_by_index(products, i);

		if (sd_json_variant_is_string(one) &&
		    !model_by_product(sd_json_variant_string(one)))
			row_add(prose, "firmware-for", sd_json_variant_string(one));
	}
}

/* --- what was proven, and what not ----------------------------------------------------------- */

static void counted_add(struct screen_prose *prose, const char *label, const char *id,
			uint64_t count, const char *names)
{
	_cleanup_free_ char *line = NULL;
	char number[NUMBER_BYTES];

	snprintf(number, sizeof(number), "%" PRIu64, count);
	line = message_format(id, "count", number, "names", names, NULL);
	row_add(prose, label, line);
}

/* "OS, BasebandFirmware …", as many as fit. */
static void names_write(sd_json_variant *names, char ret[static NAMES_BYTES])
{
	static const char more[] = " …";
	size_t n = 0, count = sd_json_variant_elements(names);

	ret[0] = '\0';
	for (size_t i = 0; i < count; i++) {
		sd_json_variant *name = sd_json_variant_by_index(names, i);
		const char *text =
		    sd_json_variant_is_string(name) ? sd_json_variant_string(name) : "";

		if (n + strlen(text) + sizeof(", ") + sizeof(more) > NAMES_BYTES) {
			snprintf(ret + n, NAMES_BYTES - n, "%s", more);
			return;
		}
		n += (size_t)snprintf(ret + n, NAMES_BYTES - n, "%s%s", n ? ", " : "", text);
	}
}

static void unproven_add(sd_json_variant *proof, struct screen_prose *prose)
{
	sd_json_variant *digests = field_object(proof, "digests");
	uint64_t skipped = field_unsigned(digests, "skipped", 0);
	const char *label = "firmware-unproven";
	char names[NAMES_BYTES];

	if (!field_true(proof, "hash")) {
		row_add(prose, label, output_text("firmware-unproven-hash"));
		label = "";
	}
	if (skipped > 0) {
		names_write(field_array(digests, "skipped_names"), names);
		counted_add(prose, label, "firmware-unproven-digests", skipped, names);
		label = "";
	}
	row_add(prose, label, output_text("firmware-unproven-signed"));
}

static void proof_add(const struct firmware_file *file, struct screen_prose *prose)
{
	sd_json_variant *proof = field_object(file->proof, "proof");
	uint64_t matched = field_unsigned(field_object(proof, "digests"), "matched", 0);

	counted_add(prose, "firmware-proven", "firmware-proven-structure",
		    field_unsigned(proof, "members", 0), "");
	if (field_true(proof, "hash"))
		row_add(prose, "", output_text("firmware-proven-hash"));
	counted_add(prose, "", "firmware-proven-checksums", field_unsigned(proof, "crc", 0), "");
	if (matched > 0)
		counted_add(prose, "", "firmware-proven-digests", matched, "");
	unproven_add(proof, prose);
}

/* --- all of it ------------------------------------------------------------------------------- */

int firmware_text_write(const struct firmware_file *file, const char *verdict)
{
	_cleanup_(screen_prose_freep) struct screen_prose *prose = NULL;
	sd_json_variant *firmware = field_object(file->result, "firmware");
	const char *version = field_string(firmware, "version");
	const char *build = field_string(firmware, "build");
	_cleanup_free_ char *system = NULL;
	int r = output_prose_new(&prose);

	if (r < 0)
		return r;
	system = message_format("plan-firmware-line", "version", version ? version : "", "build",
				build ? build : "", NULL);
	row_add(prose, "plan-fact-firmware", system);
	row_add(prose, "plan-fact-file", file->path);
	sizes_add(file, prose);
	for (size_t i = 0; i < sd_json_variant_elements(file->boards); i++)
		board_add(sd_json_variant_by_index(file->boards, i), prose);
	unknown_products_add(file, prose);
	if (file->proof)
		proof_add(file, prose);
	if (verdict)
		screen_prose_add(prose, SCREEN_ROLE_STRONG, verdict);
	return output_prose(prose);
}

int firmware_text_json(const struct firmware_file *file, sd_json_variant **ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	/* after a check with what was compared */
	sd_json_variant *from = file->proof ? file->proof : file->result;
	sd_json_variant *firmware = field_object(from, "firmware");
	sd_json_variant *products = field_array(from, "products");
	sd_json_variant *proof = field_object(file->proof, "proof");
	const char *manifest = field_string(from, "manifest_sha256");
	uint64_t room = room_bytes(file);
	int r;

	if (!firmware || !products)
		return -EBADMSG;
	r = sd_json_buildo(
	    &fields, SD_JSON_BUILD_PAIR_VARIANT("firmware", firmware),
	    SD_JSON_BUILD_PAIR_VARIANT("products", products),
	    SD_JSON_BUILD_PAIR_UNSIGNED("members", field_unsigned(from, "members", 0)),
	    SD_JSON_BUILD_PAIR_VARIANT("boards", file->boards),
	    SD_JSON_BUILD_PAIR_CONDITION(room > 0, "room_bytes", SD_JSON_BUILD_UNSIGNED(room)),
	    SD_JSON_BUILD_PAIR_CONDITION(manifest != NULL, "manifest_sha256",
					 SD_JSON_BUILD_STRING(manifest)),
	    SD_JSON_BUILD_PAIR_CONDITION(proof != NULL, "proof", SD_JSON_BUILD_VARIANT(proof)));
	if (r >= 0)
		*ret = TAKE(fields);
	return r;
}
