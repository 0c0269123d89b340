/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "facts/facts.h"
#include "base/cleanup.h"
#include "facts/tables.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* --- models: an index holds positions in tables_models, sorted by one key */

/* The comparisons of bsearch(): key first, then an element of the index. */
static int compare_chip(const void *key, const void *element)
{
	const struct model *wanted = key;
	const struct model *model = &tables_models[*(const uint16_t *)element];

	if (wanted->cpid != model->cpid)
		return wanted->cpid < model->cpid ? -1 : 1;
	if (wanted->bdid != model->bdid)
		return wanted->bdid < model->bdid ? -1 : 1;
	return 0;
}

static int compare_product(const void *key, const void *element)
{
	return strcmp(key, tables_models[*(const uint16_t *)element].product);
}

/* Boards are in small letters, so their order is the same in any case. */
static int compare_board(const void *key, const void *element)
{
	return strcasecmp(key, tables_models[*(const uint16_t *)element].board);
}

static const uint16_t *index_find(const uint16_t *index, const void *key,
				  int (*compare)(const void *key, const void *element))
{
	return bsearch(key, index, tables_models_count, sizeof(*index), compare);
}

const struct model *model_by_chip(uint32_t cpid, uint32_t bdid)
{
	const struct model wanted = { .cpid = cpid, .bdid = bdid };
	const uint16_t *at = index_find(tables_models_by_chip, &wanted, compare_chip);

	return at ? &tables_models[*at] : NULL;
}

const struct model *model_by_product(const char *product)
{
	const uint16_t *at = index_find(tables_models_by_product, product, compare_product);

	if (!at)
		return NULL;
	/* several boards share a product: back to the first of them */
	while (at > tables_models_by_product && compare_product(product, at - 1) == 0)
		at--;
	return &tables_models[*at];
}

const struct model *model_by_board(const char *board)
{
	const uint16_t *at = index_find(tables_models_by_board, board, compare_board);

	return at ? &tables_models[*at] : NULL;
}

const struct model *model_all(size_t *ret_count)
{
	*ret_count = tables_models_count;
	return tables_models;
}

/* --- USB ids */

static int compare_usb_id(const void *key, const void *element)
{
	const struct usb_id *wanted = key;
	const struct usb_id *id = element;

	if (wanted->vid != id->vid)
		return wanted->vid < id->vid ? -1 : 1;
	if (wanted->pid != id->pid)
		return wanted->pid < id->pid ? -1 : 1;
	return 0;
}

const struct usb_id *usb_id_find(uint16_t vid, uint16_t pid)
{
	const struct usb_id wanted = { .vid = vid, .pid = pid };

	return bsearch(&wanted, tables_usb_ids, tables_usb_ids_count, sizeof(wanted),
		       compare_usb_id);
}

/* --- rows of enums */

const struct mode_fact *mode_fact(enum mode mode)
{
	return &tables_mode_facts[mode];
}

const char *mode_name(enum mode mode)
{
	return tables_mode_facts[mode].id;
}

enum mode mode_from_name(const char *name)
{
	for (size_t i = 0; i < MODE_MAX; i++)
		if (name && strcmp(tables_mode_facts[i].id, name) == 0)
			return tables_mode_facts[i].mode;
	return MODE_UNKNOWN;
}

const struct iboot_flag *iboot_flag_all(size_t *ret_count)
{
	*ret_count = tables_iboot_flags_count;
	return tables_iboot_flags;
}

const struct button_fact *button_fact(enum buttons buttons)
{
	return &tables_button_facts[buttons];
}

const struct threshold_fact *threshold_fact(enum threshold threshold)
{
	return &tables_threshold_facts[threshold];
}

unsigned timing_ms(enum timing timing)
{
	return tables_timings_ms[timing];
}

const char *family_name(enum family family)
{
	return tables_family_names[family];
}

const char *buttons_name(enum buttons buttons)
{
	return tables_button_facts[buttons].id;
}

const char *tried_name(enum tried tried)
{
	return tables_tried_names[tried];
}

/* --- texts */

static int compare_message(const void *key, const void *element)
{
	return strcmp(key, ((const struct message *)element)->id);
}

const struct message *message_find(const char *id)
{
	return bsearch(id, tables_messages, tables_messages_count, sizeof(struct message),
		       compare_message);
}

const struct message *message_all(size_t *ret_count)
{
	*ret_count = tables_messages_count;
	return tables_messages;
}

const struct message *message_for_error(enum error_kind kind)
{
	char id[ERROR_ORIGIN_BYTES + sizeof("error-")];

	snprintf(id, sizeof(id), "error-%s", error_kind_name(kind));
	return message_find(id);
}

/* The value of the place whose name is the n bytes at `name`; NULL if it was not given. */
static const char *place_value(const char *name, size_t n, va_list keys_values)
{
	const char *found = NULL;
	va_list list;

	va_copy(list, keys_values);
	for (;;) {
		const char *key = va_arg(list, const char *);
		const char *value = key ? va_arg(list, const char *) : NULL;

		if (!key || !value)
			break;
		if (strlen(key) == n && memcmp(key, name, n) == 0) {
			found = value;
			break;
		}
	}
	va_end(list);
	return found;
}

/* Writes `text` with its places filled to `out`. */
static void message_fill(FILE *out, const char *text, va_list keys_values)
{
	while (*text != '\0') {
		size_t plain = strcspn(text, "{");
		size_t name;
		const char *value;

		fwrite(text, 1, plain, out);
		text += plain;
		if (*text == '\0')
			return;
		name = strcspn(text + 1, "}");
		value = text[1 + name] == '}' ? place_value(text + 1, name, keys_values) : NULL;
		if (value) {
			fputs(value, out);
			text += name + 2;
		} else {
			fputc(*text++, out);
		}
	}
}

char *message_format(const char *id, ...)
{
	const struct message *message = message_find(id);
	_cleanup_free_ char *result = NULL;
	size_t size = 0;
	va_list keys_values;
	FILE *out;
	bool failed;

	out = open_memstream(&result, &size);
	if (!out)
		return NULL;
	va_start(keys_values, id);
	/* A missing row is a bug: its id is the most useful text that can be shown. */
	message_fill(out, message ? message->text : id, keys_values);
	va_end(keys_values);
	failed = ferror(out) != 0;
	if (fclose(out) != 0 || failed)
		return NULL;
	return TAKE(result);
}
