/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdint.h>

/* "bytes FIRST-LAST/TOTAL" of a Content-Range. Returns 0, or -EINVAL if it is another thing or
 * FIRST <= LAST < TOTAL does not hold. */
int http_range_parse(const char *text, uint64_t *ret_first, uint64_t *ret_last,
		     uint64_t *ret_total);
