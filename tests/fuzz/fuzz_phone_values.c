/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What lockdownd tells of a phone: any property list becomes an identity that a line can carry. */
#include "base/cleanup.h"
#include "worker/handset.h"
#include "worker/session_values.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LINE_BYTES_MAX = 64 * 1024 };

static void check(bool good)
{
	if (!good)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *identity = NULL, *again = NULL;
	_cleanup_(plist_freep) plist_t values = NULL;
	_cleanup_free_ char *text = NULL;

	if (size > UINT32_MAX)
		return 0;
	(void)plist_from_memory((const char *)data, (uint32_t)size, &values, NULL);
	if (value_is_dict(values))
		(void)handset_identity(values, "A-1", &identity, NULL);
	check(session_values_root(values, &identity) >= 0);
	for (size_t i = 0; i < SESSION_DOMAIN_MAX; i++)
		check(session_values_domain((enum session_domain)i, values, &identity) >= 0);
	if (!identity)
		return 0;
	check(sd_json_variant_format(identity, 0, &text) >= 0);
	check(strlen(text) < LINE_BYTES_MAX);
	check(sd_json_parse(text, 0, &again, NULL, NULL) >= 0);
	return 0;
}
