/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "doctor/explain.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "doctor/code_word.h"
#include <ctype.h>
#include <string.h>

enum { WORD_BYTES = CODE_WORD_BYTES };

/* What makes one meaning better than another: these add up, less is better. */
enum {
	RANK_CONFIDENCE = 1, /* times the confidence */
	RANK_OTHER = 8,      /* the text names another who counts, or nobody */
	RANK_NUMBER = 16,    /* only a number fits; a name or an id says more */
};

/* Words that tell whose number it is. */
static const struct {
	const char *word, *scheme;
} scheme_words[] = {
	{ "itunes", "itunes" },
	{ "finder", "itunes" },
	{ "restored", "itunes" },
	{ "configurator", "itunes" },
	{ "mobiledevice", "mobile-device" },
	{ "mobile-device", "mobile-device" },
	{ "lockdownd", "lockdownd" },
	{ "lockdown", "lockdownd" },
	{ "libimobiledevice", "libimobiledevice" },
	{ "idevice", "libimobiledevice" },
	{ "libirecovery", "libirecovery" },
	{ "irecovery", "libirecovery" },
	{ "tss", "tss" },
	{ "status", "tss" },
	{ "backup", "backup" },
	{ "mobilebackup2", "backup" },
	{ "idevicebackup2", "backup" },
};

/* The meanings found so far, best first. */
struct found {
	struct verdict *list;
	size_t count;
	const char *scheme; /* who counts, as the text says; NULL it does not say */
};

/* --- collecting -------------------------------------------------------------------------------
 */

static bool verdict_same(const struct verdict *a, const struct verdict *b)
{
	return a->code == b->code && a->rule == b->rule && a->message == b->message &&
	       (a->code || a->rule || a->message || a->finding == b->finding);
}

/* Puts the verdict behind those that are as good; the worst falls off a full list. */
static void found_add(struct found *found, const struct verdict *verdict)
{
	size_t at = 0;

	for (size_t i = 0; i < found->count; i++)
		if (verdict_same(&found->list[i], verdict))
			return;
	while (at < found->count && found->list[at].rank <= verdict->rank)
		at++;
	if (at == EXPLAIN_MAX)
		return;
	if (found->count < EXPLAIN_MAX)
		found->count++;
	memmove(&found->list[at + 1], &found->list[at], (found->count - 1 - at) * sizeof(*verdict));
	found->list[at] = *verdict;
}

/* --- words ------------------------------------------------------------------------------------
 */

static bool word_ends(char c)
{
	return c == '\0' || isspace((unsigned char)c) || strchr("()[]{}<>=:;'\"`", c) != NULL;
}

/* The next word of *text, without dots and commas behind it; false at the end of the text. */
static bool word_next(const char **text, char ret[static WORD_BYTES])
{
	const char *begin = *text, *end;
	size_t n;

	while (*begin != '\0' && word_ends(*begin))
		begin++;
	for (end = begin; !word_ends(*end);)
		end++;
	*text = end;
	while (end > begin && strchr(".,!?", end[-1]))
		end--;
	n = (size_t)(end - begin);
	if (n >= WORD_BYTES) /* no word of ours */
		n = 0;
	memcpy(ret, begin, n);
	ret[n] = '\0';
	return begin != *text;
}

/* --- findings ---------------------------------------------------------------------------------
 */

bool finding_has_code(const struct finding_fact *finding, const struct code_fact *code)
{
	const char *rest = finding->codes;
	char word[WORD_BYTES];
	int64_t number;

	while (word_next(&rest, word)) {
		if (strcmp(word, "-") == 0)
			continue;
		if (strcmp(word, code->name) == 0)
			return true;
		if (code_number_parse(word, &number) && code->value == number &&
		    code->last == number)
			return true;
	}
	return false;
}

static const struct finding_fact *finding_naming(const struct code_fact *code)
{
	size_t count;
	const struct finding_fact *findings = finding_all(&count);

	for (size_t i = 0; i < count; i++)
		if (finding_has_code(&findings[i], code))
			return &findings[i];
	return NULL;
}

const struct finding_fact *finding_of_code(const struct code_fact *code)
{
	const struct finding_fact *finding = finding_naming(code);
	size_t count;
	const struct code_fact *codes = code_all(&count);
	char wanted[WORD_BYTES], core[WORD_BYTES];

	if (finding || !code_name_core(code->name, wanted))
		return finding;
	for (size_t i = 0; !finding && i < count; i++)
		if (code_name_core(codes[i].name, core) && strcmp(core, wanted) == 0)
			finding = finding_naming(&codes[i]);
	return finding;
}

/* --- looking ----------------------------------------------------------------------------------
 */

static void code_add(struct found *found, const struct code_fact *code, int64_t number,
		     unsigned rank)
{
	rank += (unsigned)code->confidence * RANK_CONFIDENCE;
	rank += found->scheme && strcmp(found->scheme, code->scheme) == 0 ? 0 : RANK_OTHER;
	found_add(found, &(struct verdict){ .code = code,
					    .finding = finding_of_code(code),
					    .number = number,
					    .rank = rank });
}

/* True if a row of the same scheme is for this number alone: it says all that a range would. */
static bool has_own_row(const char *scheme, int64_t number)
{
	size_t count;
	const struct code_fact *codes = code_all(&count);

	for (size_t i = 0; i < count; i++)
		if (codes[i].value == number && codes[i].last == number &&
		    strcmp(codes[i].scheme, scheme) == 0)
			return true;
	return false;
}

static void number_look(struct found *found, int64_t number)
{
	size_t count;
	const struct code_fact *codes = code_all(&count);
	int64_t counted;

	for (size_t i = 0; i < count; i++) {
		if (!code_has_number(&codes[i], number, &counted))
			continue;
		if (codes[i].value != codes[i].last && has_own_row(codes[i].scheme, counted))
			continue;
		code_add(found, &codes[i], counted, RANK_NUMBER);
	}
}

/* Names that are the word as it stands, in any case. */
static void name_look(struct found *found, const char *word)
{
	size_t count;
	const struct code_fact *codes = code_all(&count);

	if (strcmp(word, "-") == 0)
		return;
	for (size_t i = 0; i < count; i++)
		if (text_equal_fold(codes[i].name, word))
			code_add(found, &codes[i], codes[i].value, 0);
}

/* Names that say the same as the whole text: "user denied pairing". */
static void core_look(struct found *found, const char *text)
{
	size_t count;
	const struct code_fact *codes = code_all(&count);
	char wanted[WORD_BYTES], core[WORD_BYTES];

	if (!code_name_core(text, wanted))
		return;
	for (size_t i = 0; i < count; i++)
		if (code_name_core(codes[i].name, core) && strcmp(core, wanted) == 0)
			code_add(found, &codes[i], codes[i].value, RANK_CONFIDENCE);
}

/* Who counts, by a word that names them or by the prefix of a name; NULL: the text does not say. */
static const char *scheme_named(const char *text)
{
	char word[WORD_BYTES], squeezed[WORD_BYTES];
	const char *owner = NULL;
	size_t bytes;

	while (!owner && word_next(&text, word)) {
		for (size_t i = 0; !owner && i < ARRAY_LEN(scheme_words); i++)
			if (text_equal_fold(scheme_words[i].word, word))
				owner = scheme_words[i].scheme;
		if (!owner && code_name_squeeze(word, squeezed))
			owner = code_name_owner(squeezed, &bytes);
	}
	return owner;
}

static void ids_look(struct found *found, const char *id)
{
	const struct finding_fact *finding = finding_find(id);
	const struct message *message = message_find(id);
	size_t count;
	const struct engine_rule *rules = engine_rule_all(&count);

	if (finding)
		found_add(found, &(struct verdict){ .finding = finding });
	for (size_t i = 0; i < count; i++)
		if (strcmp(rules[i].id, id) == 0)
			found_add(found, &(struct verdict){ .rule = &rules[i] });
	for (int kind = ERROR_NONE + 1; !message && kind < ERROR_KIND_MAX; kind++)
		if (strcmp(error_kind_name((enum error_kind)kind), id) == 0)
			message = message_for_error((enum error_kind)kind);
	if (message)
		found_add(found, &(struct verdict){ .message = message });
}

/* A line of the engine: the first rule that fits is the verdict, as in a job. */
static void line_look(struct found *found, const char *line)
{
	size_t count;
	const struct engine_rule *rules = engine_rule_all(&count);

	for (size_t i = 0; i < count; i++) {
		if (!strstr(line, rules[i].pattern))
			continue;
		found_add(found, &(struct verdict){ .rule = &rules[i] });
		return;
	}
}

/* Only its number fits, and the text does not name who counts so. */
static bool is_bare_number(const struct verdict *verdict)
{
	return verdict->code && (verdict->rank & RANK_NUMBER) && (verdict->rank & RANK_OTHER);
}

/* However well each of them defines its -5: which of them said it is not known. */
static void doubt_bare_numbers(struct found *found)
{
	for (size_t i = 0; i < found->count; i++) {
		struct verdict *one = &found->list[i];

		for (size_t j = 0; j < found->count && is_bare_number(one); j++) {
			const struct verdict *other = &found->list[j];

			if (other->code && other->number == one->number &&
			    strcmp(other->code->scheme, one->code->scheme) != 0 &&
			    strcmp(other->code->cause, one->code->cause) != 0)
				one->doubtful = true;
		}
	}
}

size_t explain(const char *text, struct verdict ret[static EXPLAIN_MAX])
{
	struct found found = { .list = ret };
	char line[EXPLAIN_TEXT_BYTES], word[WORD_BYTES];
	const char *rest = line;
	int64_t number;

	(void)text_copy(line, sizeof(line), text);
	found.scheme = scheme_named(line);
	ids_look(&found, line);
	line_look(&found, line);
	while (word_next(&rest, word)) {
		name_look(&found, word);
		if (code_number_parse(word, &number))
			number_look(&found, number);
	}
	core_look(&found, line);
	doubt_bare_numbers(&found);
	return found.count;
}
