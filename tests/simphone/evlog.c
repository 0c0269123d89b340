/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "evlog.h"

#include <inttypes.h>

#include "buf.h"

void evlog_write(const struct evlog *log, const char *event, const struct log_field *fields)
{
	BUF_AUTO line = {};

	if (!log->out)
		return;
	buf_addf(&line, "{\"ms\":%" PRIu64 ",\"event\":", log->clock->now_ms);
	buf_add_json(&line, event);
	for (const struct log_field *f = fields; f->key; f++) {
		buf_add_text(&line, ",");
		buf_add_json(&line, f->key);
		buf_add_text(&line, ":");
		if (f->text)
			buf_add_json(&line, f->text);
		else
			buf_addf(&line, "%" PRId64, f->number);
	}
	buf_add_text(&line, "}\n");
	fwrite(line.bytes, 1, line.len, log->out);
	fflush(log->out);
}
