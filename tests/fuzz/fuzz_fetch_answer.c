/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Heads of answers to a request for bytes 40 to 49 of 100: only one that is whole and right is
 * taken. Lines of the input: status, Content-Range, ETag, Content-Type, Content-Encoding, length.
 */
#include "base/text.h"
#include "worker/fetch_answer.h"
#include "worker/http_range.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The next line of *rest into ret, cut to its size. */
static void line_take(const char **rest, char *ret, size_t ret_bytes)
{
	size_t n = strcspn(*rest, "\n"), kept = n < ret_bytes - 1 ? n : ret_bytes - 1;

	memcpy(ret, *rest, kept);
	ret[kept] = '\0';
	*rest += n + ((*rest)[n] == '\n');
}

static void judge(const struct http_head *head, uint64_t at)
{
	struct fetch_asked asked = { at, 50, 100, "\"a\"" };
	uint64_t first = 0, last = 0, total = 0;
	const char *why = NULL;
	enum fetch_answer answer = fetch_answer_judge(head, &asked, &why);

	if ((why == NULL) != (answer == FETCH_TAKE))
		abort();
	if (answer == FETCH_REWIND && (head->status != 200 || at == 0))
		abort();
	if (answer != FETCH_TAKE)
		return;
	if (strcmp(head->type, "text/html") == 0 ||
	    (head->coding[0] && strcmp(head->coding, "identity") != 0))
		abort();
	if (head->status == 200 && at == 0) {
		if (head->has_length && head->length != 100)
			abort();
		return;
	}
	if (head->status != 206 || http_range_parse(head->range, &first, &last, &total) < 0 ||
	    first != at || last != 49 || total != 100)
		abort();
	if (head->has_length && head->length != 50 - at)
		abort();
	if (head->etag[0] && strcmp(head->etag, "\"a\"") != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), number[24];
	struct http_head head = { .host = "updates.cdn-apple.com" };
	const char *rest = text;

	memcpy(text, data, size);
	text[size] = '\0';
	line_take(&rest, number, sizeof(number));
	head.status = (unsigned)strtoul(number, NULL, 10);
	line_take(&rest, head.range, sizeof(head.range));
	line_take(&rest, head.etag, sizeof(head.etag));
	line_take(&rest, head.type, sizeof(head.type));
	line_take(&rest, head.coding, sizeof(head.coding));
	line_take(&rest, number, sizeof(number));
	head.has_length = number[0] != '\0';
	head.length = strtoull(number, NULL, 10);
	judge(&head, 0);
	judge(&head, 40);
	free(text);
	return 0;
}
