/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/http_range.h"
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A number without sign, and the character behind it. */
static bool number_take(const char **text, char behind, uint64_t *ret)
{
	char *end = NULL;

	if (**text < '0' || **text > '9')
		return false;
	errno = 0;
	*ret = strtoull(*text, &end, 10);
	if (errno != 0 || *end != behind)
		return false;
	*text = end + (behind != '\0');
	return true;
}

int http_range_parse(const char *text, uint64_t *ret_first, uint64_t *ret_last, uint64_t *ret_total)
{
	static const char unit[] = "bytes ";
	uint64_t first = 0, last = 0, total = 0;

	if (strncmp(text, unit, sizeof(unit) - 1) != 0)
		return -EINVAL;
	text += sizeof(unit) - 1;
	if (!number_take(&text, '-', &first) || !number_take(&text, '/', &last) ||
	    !number_take(&text, '\0', &total))
		return -EINVAL;
	if (first > last || last >= total)
		return -EINVAL;
	*ret_first = first;
	*ret_last = last;
	*ret_total = total;
	return 0;
}
