/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lines of the kernel's log: whatever stands there, a port has the form of one and a text is text.
 */
#include "worker/kernel_line.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

static void check_port(const char *port)
{
	size_t n = strlen(port);

	check(n < KERNEL_PORT_BYTES && strspn(port, "0123456789-.") == n);
	if (n > 0)
		check(strchr(port, '-') != NULL && port[0] != '-' && port[n - 1] != '-' &&
		      port[n - 1] != '.');
}

static void check_line(const char *line, size_t n)
{
	struct kernel_head head;
	struct kernel_line found;

	kernel_head_parse(line, n, &head);
	check(head.text >= line && head.text + head.text_bytes <= line + n);
	check(memchr(head.text, '\n', head.text_bytes) == NULL);
	if (!kernel_line_parse(line, n, &found))
		return;
	check(head.kernel && found.trouble && strlen(found.trouble) > 0);
	check_port(found.port);
	for (const char *c = found.text; *c; c++)
		check(*c >= ' ' && *c <= '~');
	/* told again, it says the same */
	if (strlen(found.text) + 1 < KERNEL_TEXT_BYTES &&
	    (strncmp(found.text, "usb ", 4) == 0 || strncmp(found.text, "hub ", 4) == 0)) {
		struct kernel_line again;

		check(kernel_line_parse(found.text, strlen(found.text), &again));
		check(strcmp(again.port, found.port) == 0);
		check(strcmp(again.trouble, found.trouble) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *at = (const char *)data, *end = at + size;

	while (at && at < end) {
		const char *next = memchr(at, '\n', (size_t)(end - at));

		check_line(at, (size_t)(end - at));
		at = next ? next + 1 : NULL;
	}
	return 0;
}
