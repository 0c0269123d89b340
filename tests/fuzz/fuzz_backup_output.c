/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whatever idevicebackup2 says, and the phone through it. */
#include "worker/backup_output.h"
#include "worker/engine_output.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_line(void *context, const char *line)
{
	backup_output_line(context, line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct backup_output output = {};
	struct engine_lines lines = {};
	struct error err = {};

	if (size == 0)
		return 0;
	engine_lines_feed(&lines, (const char *)data + 1, size - 1, on_line, &output);
	engine_lines_end(&lines, on_line, &output);
	if (backup_output_failed(&output, data[0], &err) >= 0 || err.kind == ERROR_NONE ||
	    err.kind == ERROR_USAGE || err.text[0] == '\0' || err.origin[0] == '\0')
		abort();
	return 0;
}
