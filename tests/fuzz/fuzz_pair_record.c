/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A pairing record from any disk, and the clock beside it. */
#include "worker/pair_record.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pair_record record;

	pair_record_judge((const char *)data, size, &record);
	check(record.broken == (record.why[0] != '\0'));
	check(record.broken || record.host_id[0] != '\0');
	check(strnlen(record.host_id, sizeof(record.host_id)) < sizeof(record.host_id));
	(void)pair_record_clock(&record, 0);
	(void)pair_record_clock(&record, INT64_MAX / 2);
	return 0;
}
