/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a phone sends of itself over USB: the record of debug USB, and the nonce string in it. */
#include "worker/iboot_strings.h"
#include "worker/nonce.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void find(const char *nonces, const char *tag)
{
	char hex[NONCE_HEX_BYTES];
	size_t n;

	if (nonce_find(nonces, tag, hex) < 0)
		return;
	n = strlen(hex);
	if (n == 0 || n % 2 != 0 || n >= sizeof(hex) || strspn(hex, "0123456789abcdef") != n)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct iboot_strings strings;
	char *text = strndup((const char *)data, size);

	if (debug_usb_record_parse(data, size, &strings) == 0) {
		if (strings.serial[0] == '\0')
			abort();
		find(strings.nonces, "NONC");
		find(strings.nonces, "SNON");
	}
	find(text, "NONC");
	free(text);
	return 0;
}
