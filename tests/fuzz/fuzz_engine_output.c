/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the engine writes: any bytes become lines that can be told of, and a verdict. */
#include "worker/engine_output.h"
#include "worker/engine_verdict.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-json.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(void *context, const char *line)
{
	struct engine_seen *seen = context;
	struct engine_progress progress;
	struct engine_log log;
	sd_json_variant *text = NULL;

	if (line[0] == '\0' || strlen(line) >= ENGINE_TEXT_BYTES)
		abort();
	if (sd_json_variant_new_string(&text, line) < 0)
		abort(); /* no valid UTF-8 */
	sd_json_variant_unref(text);
	if (engine_progress_parse(line, &progress) &&
	    (progress.step > 99 || progress.permille > 1000))
		abort();
	engine_log_parse(line, &log);
	(void)engine_log_is_note(&log);
	(void)engine_text_touches(log.text);
	(void)engine_text_is_version(log.text);
	engine_seen_log(seen, line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct engine_lines lines = {};
	struct engine_seen seen = {};
	size_t half = size / 2;

	engine_lines_feed(&lines, (const char *)data, half, take, &seen);
	engine_lines_feed(&lines, (const char *)data + half, size - half, take, &seen);
	engine_lines_end(&lines, take, &seen);
	if (!engine_verdict(&seen, 0) && (!seen.finished || seen.failed))
		abort();
	if (!engine_verdict(&seen, 1))
		abort();
	return 0;
}
