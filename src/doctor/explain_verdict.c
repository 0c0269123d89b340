/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a verdict of explain() says, wherever it comes from. */
#include "doctor/explain.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a table says where another row says it. */
static const char unsaid[] = "-";

/* True for a rule that does not leave it to the code in the line. */
static bool says_itself(const struct log_rule *rule)
{
	return rule && strcmp(rule->cause, unsaid) != 0;
}

/* The first code that the finding corresponds to; NULL: none. */
static const struct code_fact *code_of_finding(const struct finding_fact *finding)
{
	size_t count;
	const struct code_fact *codes = code_all(&count);

	for (size_t i = 0; i < count; i++)
		if (finding_has_code(finding, &codes[i]))
			return &codes[i];
	return NULL;
}

static const char *layer_of_error(enum error_kind kind)
{
	switch (kind) {
	case ERROR_NETWORK:
		return "network";
	case ERROR_NOT_SIGNED:
		return "tss";
	case ERROR_NO_SPACE:
		return "disk";
	case ERROR_BAD_FILE:
		return "ipsw";
	case ERROR_NO_PHONE:
	case ERROR_SILENT:
	case ERROR_BUSY:
	case ERROR_UNPLUGGED:
		return "usb";
	case ERROR_LOCKED:
		return "pairing";
	case ERROR_REFUSED:
	case ERROR_ENGINE:
		return "restore";
	case ERROR_NONE:
	case ERROR_USAGE:
	case ERROR_AMBIGUOUS:
	case ERROR_NO_CONSENT:
	case ERROR_NO_SERVICE:
	case ERROR_CANCELLED:
	case ERROR_UNSUPPORTED:
	case ERROR_PROTOCOL:
	case ERROR_BUG:
	case ERROR_KIND_MAX:
		break;
	}
	return "tool";
}

const char *verdict_layer(const struct verdict *verdict)
{
	const struct code_fact *code = verdict->code;
	static const char error[] = "error-";

	if (says_itself(verdict->log))
		return verdict->log->layer;
	if (verdict->rule)
		return verdict->rule->layer;
	if (verdict->message)
		return strncmp(verdict->message->id, error, strlen(error)) == 0
			   ? layer_of_error(
				 error_kind_from_name(verdict->message->id + strlen(error)))
			   : "tool";
	if (!code)
		code = code_of_finding(verdict->finding);
	return code ? code->layer : "tool";
}

enum confidence verdict_confidence(const struct verdict *verdict)
{
	if (verdict->log)
		return verdict->log->confidence;
	if (verdict->doubtful)
		return CONFIDENCE_POSSIBLE;
	if (verdict->code)
		return verdict->code->confidence;
	return verdict->rule ? CONFIDENCE_LIKELY : CONFIDENCE_CERTAIN;
}

const char *verdict_scheme(const struct verdict *verdict)
{
	if (verdict->code)
		return verdict->code->scheme;
	if (verdict->log)
		return "log";
	if (verdict->rule)
		return "engine";
	return verdict->message ? "message" : "finding";
}

const char *verdict_name(const struct verdict *verdict)
{
	if (verdict->code)
		return strcmp(verdict->code->name, "-") == 0 ? NULL : verdict->code->name;
	if (verdict->log)
		return verdict->log->id;
	if (verdict->rule)
		return verdict->rule->id;
	return verdict->message ? verdict->message->id : verdict->finding->id;
}

void verdict_code(const struct verdict *verdict, char ret[static EXPLAIN_CODE_BYTES])
{
	if (!verdict->code)
		ret[0] = '\0';
	else if (verdict->number > INT32_MAX)
		snprintf(ret, EXPLAIN_CODE_BYTES, "0x%08" PRIx64, (uint64_t)verdict->number);
	else
		snprintf(ret, EXPLAIN_CODE_BYTES, "%" PRId64, verdict->number);
}

const char *verdict_cause(const struct verdict *verdict)
{
	if (says_itself(verdict->log))
		return verdict->log->cause;
	if (verdict->code)
		return verdict->code->meaning;
	if (verdict->rule)
		return verdict->rule->text;
	return verdict->message ? verdict->message->text : verdict->finding->meaning;
}

const char *verdict_next(const struct verdict *verdict)
{
	if (says_itself(verdict->log))
		return verdict->log->next;
	if (verdict->code)
		return verdict->code->next;
	if (verdict->rule)
		return verdict->rule->next;
	return verdict->message ? NULL : verdict->finding->next;
}

const char *verdict_source(const struct verdict *verdict)
{
	if (says_itself(verdict->log))
		return verdict->log->source;
	if (verdict->code)
		return verdict->code->source;
	if (verdict->rule)
		return verdict->rule->source;
	return verdict->message ? verdict->message->source : verdict->finding->source;
}

/* --- the same in other worlds -----------------------------------------------------------------
 */

/* True if the row's list of twins names the other. */
static bool code_names(const struct code_fact *code, const struct code_fact *other)
{
	const char *rest = code->same;

	while (*rest != '\0') {
		size_t bytes = strcspn(rest, " "), scheme = strcspn(rest, ":");
		char number[EXPLAIN_CODE_BYTES];

		if (scheme < bytes && bytes - scheme - 1 < sizeof(number)) {
			memcpy(number, rest + scheme + 1, bytes - scheme - 1);
			number[bytes - scheme - 1] = '\0';
			if (strlen(other->scheme) == scheme &&
			    memcmp(other->scheme, rest, scheme) == 0 &&
			    strtoll(number, NULL, 0) == other->value && other->value == other->last)
				return true;
		}
		rest += bytes;
		rest += strspn(rest, " ");
	}
	return false;
}

size_t code_same(const struct code_fact *code, const struct code_fact *ret[static EXPLAIN_SAME_MAX])
{
	size_t total, count = 0;
	const struct code_fact *codes = code_all(&total);

	for (size_t i = 0; i < total && count < EXPLAIN_SAME_MAX; i++) {
		bool twin = code_names(code, &codes[i]) || code_names(&codes[i], code);

		/* one row for each: a code may have several meanings */
		for (size_t j = 0; twin && j < count; j++)
			twin = ret[j]->value != codes[i].value ||
			       strcmp(ret[j]->scheme, codes[i].scheme) != 0;
		if (twin)
			ret[count++] = &codes[i];
	}
	return count;
}

void code_title(const struct code_fact *code, char ret[static EXPLAIN_TITLE_BYTES])
{
	const struct verdict verdict = { .code = code, .number = code->value };
	bool named = strcmp(code->name, unsaid) != 0;
	char number[EXPLAIN_CODE_BYTES];

	verdict_code(&verdict, number);
	snprintf(ret, EXPLAIN_TITLE_BYTES, "%s %s%s%s", code->scheme, number, named ? " " : "",
		 named ? code->name : "");
}
