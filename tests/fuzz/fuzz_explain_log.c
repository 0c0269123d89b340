/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The reader of logs from anywhere and the rules over their lines. The first byte says in what
 * pieces the rest is handed over: the verdicts must not depend on it. */
#include "base/cleanup.h"
#include "doctor/explain_log.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

static size_t read_log(const uint8_t *data, size_t size, size_t step,
		       struct log_verdict list[static LOG_VERDICTS_MAX])
{
	_cleanup_(log_reader_freep) struct log_reader *reader = log_reader_new();

	check(reader);
	for (size_t at = 0; at < size; at += step)
		log_reader_feed(reader, data + at, size - at < step ? size - at : step);
	return log_reader_end(reader, list);
}

static void check_verdict(const struct log_verdict *found, size_t rank)
{
	const struct verdict *verdict = &found->verdict;

	check(verdict->rank == rank && found->times > 0);
	check((verdict->log != NULL) != (verdict->rule != NULL));
	check(*verdict_layer(verdict) && *verdict_cause(verdict) && *verdict_next(verdict));
	check(strcmp(verdict_cause(verdict), "-") != 0);
	check(*verdict_source(verdict) && verdict_confidence(verdict) < CONFIDENCE_MAX);
	check(found->line_count >= 1 && found->line_count <= LOG_EVIDENCE_LINES);
	for (size_t i = 0; i < found->line_count; i++)
		check(found->lines[i].number > 0 &&
		      memchr(found->lines[i].text, '\0', LOG_EVIDENCE_BYTES));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct log_verdict whole[LOG_VERDICTS_MAX], pieces[LOG_VERDICTS_MAX];
	size_t count, step;

	if (size == 0)
		return 0;
	step = data[0] + 1U;
	count = read_log(data + 1, size - 1, SIZE_MAX / 2, whole);
	check(count <= LOG_VERDICTS_MAX);
	for (size_t i = 0; i < count; i++)
		check_verdict(&whole[i], i);
	if (data[0] % 4 != 0) /* most of the time goes into building the index */
		return 0;
	check(read_log(data + 1, size - 1, step, pieces) == count);
	for (size_t i = 0; i < count; i++)
		check(whole[i].verdict.log == pieces[i].verdict.log &&
		      whole[i].verdict.code == pieces[i].verdict.code &&
		      whole[i].lines[0].number == pieces[i].lines[0].number);
	return 0;
}
