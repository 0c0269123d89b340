/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An answer of afc: its header, then its payload. */
#include "worker/afc_names.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int good)
{
	if (!good)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct afc_header header = {};
	char head[AFC_HEADER_BYTES], *payload;
	size_t n;

	if (size < sizeof(head))
		return 0;
	memcpy(head, data, sizeof(head));
	if (afc_header_parse(head, 1, &header) == 0)
		check(header.payload <= AFC_PAYLOAD_BYTES_MAX);
	n = size - sizeof(head);
	payload = malloc(n + 1); /* exactly as long, so that a byte too far is seen */
	check(payload != NULL);
	memcpy(payload, data + sizeof(head), n);
	payload = realloc(payload, n ? n : 1);
	check(payload != NULL);
	check(afc_count_names(payload, n) <= n);
	(void)afc_status(payload, n);
	free(payload);
	return 0;
}
