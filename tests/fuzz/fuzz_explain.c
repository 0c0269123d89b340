/* SPDX-License-Identifier: GPL-3.0-or-later */
/* explain(): what a person pastes from anywhere. */
#include "doctor/explain.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

static void check_verdict(const struct verdict *verdict)
{
	char code[EXPLAIN_CODE_BYTES];

	verdict_code(verdict, code);
	check(strlen(code) < sizeof(code));
	check((verdict->code != NULL) == (*code != '\0'));
	check(*verdict_layer(verdict) && *verdict_scheme(verdict) && *verdict_cause(verdict));
	check(*verdict_source(verdict) && verdict_confidence(verdict) < CONFIDENCE_MAX);
	check(*code || verdict_name(verdict));
	if (verdict->code)
		check(verdict->code->value <= verdict->number &&
		      verdict->number <= verdict->code->last);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct verdict verdicts[EXPLAIN_MAX];
	/* of exactly its size, so that one byte too far is seen */
	char *text = malloc(size + 1);
	size_t count;

	check(text);
	memcpy(text, data, size);
	text[size] = '\0';
	count = explain(text, verdicts);
	check(count <= EXPLAIN_MAX);
	for (size_t i = 0; i < count; i++) {
		check_verdict(&verdicts[i]);
		check(i == 0 || verdicts[i - 1].rank <= verdicts[i].rank);
	}
	free(text);
	return 0;
}
