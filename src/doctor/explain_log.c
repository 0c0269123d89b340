/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Owns the line that is being read, the index of the rules and the hits: for each rule, and each
 * code that it found, how often, where first and last, and the last line itself.
 *
 *   bytes -> line (cleaned: no escapes, no NUL) -> log_index_fits() -> hits
 *   end: hits whose needs are met -> sorted -> verdicts
 *
 * Invariants: hits of one rule are chained from first_hit[rule]; no more than HITS_MAX are kept, a
 * later one is counted on the rule's last hit instead, so no log makes it grow.
 */
#include "doctor/explain_log.h"
#include "base/text.h"
#include "doctor/log_index.h"
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
	HITS_MAX = 512,
	NO_HIT = UINT16_MAX,
	NEED_DEPTH = 4, /* a need's rule may have needs itself, so deep */
	NEED_WORD_BYTES = 64,
};

struct hit {
	unsigned rule;
	const struct code_fact *code;
	int64_t number;
	size_t times, last_line;
	uint16_t next; /* of the same rule */
	char text[LOG_EVIDENCE_BYTES];
};

/* What an escape sequence of a terminal still needs to end. */
enum escape { ESCAPE_NONE, ESCAPE_BEGUN, ESCAPE_CSI, ESCAPE_OSC };

struct log_reader {
	struct log_index *index;
	const struct log_rule *rules;
	size_t rule_count; /* rules with a higher number are the engine's */
	size_t line_number, lines;
	char line[LOG_LINE_BYTES], small[LOG_LINE_BYTES]; /* small: in small letters */
	size_t line_bytes;
	bool after_cr;
	enum escape escape;
	struct hit hits[HITS_MAX];
	size_t hit_count;
	uint16_t *first_hit; /* by rule */
};

struct log_reader *log_reader_new(void)
{
	_cleanup_(log_reader_freep) struct log_reader *reader = calloc(1, sizeof(*reader));
	size_t engine;

	if (!reader)
		return NULL;
	reader->rules = log_rule_all(&reader->rule_count);
	(void)engine_rule_all(&engine);
	reader->index = log_index_new();
	reader->first_hit = malloc((reader->rule_count + engine) * sizeof(*reader->first_hit));
	if (!reader->index || !reader->first_hit)
		return NULL;
	for (size_t i = 0; i < reader->rule_count + engine; i++)
		reader->first_hit[i] = NO_HIT;
	return TAKE(reader);
}

void log_reader_free(struct log_reader *reader)
{
	if (!reader)
		return;
	log_index_free(reader->index);
	free(reader->first_hit);
	free(reader);
}

size_t log_reader_lines(const struct log_reader *reader)
{
	return reader->lines;
}

/* --- lines ------------------------------------------------------------------------------------
 */

/* The hit of this rule and code, a new one if there is room; NULL: there is none. */
static struct hit *hit_of(struct log_reader *reader, const struct log_fit *fit)
{
	struct hit *hit = NULL;

	for (uint16_t at = reader->first_hit[fit->rule]; at != NO_HIT; at = reader->hits[at].next) {
		hit = &reader->hits[at];
		if (hit->code == fit->found.code)
			return hit;
	}
	if (reader->hit_count == HITS_MAX)
		return hit;
	hit = &reader->hits[reader->hit_count];
	*hit = (struct hit){ .rule = fit->rule,
			     .code = fit->found.code,
			     .next = reader->first_hit[fit->rule] };
	reader->first_hit[fit->rule] = (uint16_t)reader->hit_count++;
	return hit;
}

static void line_end(struct log_reader *reader)
{
	struct log_fit fits[LOG_FITS_MAX];
	size_t count;

	reader->line_number++;
	if (reader->line_bytes == 0)
		return;
	reader->lines++;
	for (size_t i = 0; i < reader->line_bytes; i++)
		reader->small[i] = (char)tolower((unsigned char)reader->line[i]);
	count = log_index_fits(reader->index, reader->small, reader->line_bytes, fits);
	for (size_t i = 0; i < count; i++) {
		struct hit *hit = hit_of(reader, &fits[i]);

		if (!hit)
			continue;
		hit->times++;
		hit->last_line = reader->line_number;
		hit->number = fits[i].found.number;
		(void)text_to_utf8(hit->text, sizeof(hit->text), reader->line, reader->line_bytes);
	}
	reader->line_bytes = 0;
}

/* True if the byte belongs to an escape sequence of a terminal and is left out. */
static bool escape_takes(struct log_reader *reader, unsigned char c)
{
	enum escape was = reader->escape;

	switch (was) {
	case ESCAPE_NONE:
		reader->escape = c == 0x1b ? ESCAPE_BEGUN : ESCAPE_NONE;
		return c == 0x1b;
	case ESCAPE_BEGUN:
		reader->escape = c == '[' ? ESCAPE_CSI : c == ']' ? ESCAPE_OSC : ESCAPE_NONE;
		return true;
	case ESCAPE_CSI:
		if (c >= 0x40 && c <= 0x7e)
			reader->escape = ESCAPE_NONE;
		return true;
	case ESCAPE_OSC:
		if (c == 0x07 || c == 0x1b)
			reader->escape = c == 0x07 ? ESCAPE_NONE : ESCAPE_BEGUN;
		return true;
	}
	return false;
}

void log_reader_feed(struct log_reader *reader, const void *bytes, size_t n)
{
	const unsigned char *in = bytes;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = in[i];
		bool ends = c == '\n' || c == '\r';

		if (c == '\n' && reader->after_cr) {
			reader->after_cr = false;
			continue;
		}
		reader->after_cr = c == '\r';
		if (ends) {
			reader->escape = ESCAPE_NONE;
			line_end(reader);
		} else if (!escape_takes(reader, c) && reader->line_bytes < LOG_LINE_BYTES) {
			reader->line[reader->line_bytes++] = c < ' ' ? ' ' : (char)c;
		}
	}
}

/* --- needs ------------------------------------------------------------------------------------
 */

static bool rule_told(const struct log_reader *reader, unsigned rule, unsigned depth);

static bool rule_find(const struct log_reader *reader, const char *id, unsigned *ret)
{
	for (size_t i = 0; i < reader->rule_count; i++) {
		if (strcmp(reader->rules[i].id, id) != 0)
			continue;
		*ret = (unsigned)i;
		return true;
	}
	return false;
}

/* The rule's hit with the latest line; NULL if no line fitted it. */
static const struct hit *hit_last(const struct log_reader *reader, unsigned rule)
{
	const struct hit *last = NULL;

	for (uint16_t at = reader->first_hit[rule]; at != NO_HIT; at = reader->hits[at].next)
		if (!last || reader->hits[at].last_line > last->last_line)
			last = &reader->hits[at];
	return last;
}

/* The next "word:what" of needs; false at their end. */
static bool need_next(const char **needs, char word[static NEED_WORD_BYTES], const char **ret_what)
{
	size_t bytes;
	char *colon;

	*needs += strspn(*needs, " ");
	bytes = strcspn(*needs, " ");
	if (bytes == 0 || bytes >= NEED_WORD_BYTES)
		return false;
	memcpy(word, *needs, bytes);
	word[bytes] = '\0';
	*needs += bytes;
	colon = strchr(word, ':');
	if (!colon) /* "-" */
		return false;
	*colon = '\0';
	*ret_what = colon + 1;
	return true;
}

static bool need_met(const struct log_reader *reader, const struct hit *hit, const char *word,
		     const char *what, unsigned depth)
{
	const struct hit *other;
	unsigned rule;

	if (strcmp(word, "times") == 0)
		return hit->times >= strtoul(what, NULL, 10);
	if (!rule_find(reader, what, &rule)) /* compile.py lets none through */
		return false;
	if (strcmp(word, "with") == 0)
		return rule_told(reader, rule, depth);
	if (strcmp(word, "without") == 0)
		return !rule_told(reader, rule, depth);
	other = hit_last(reader, rule); /* unless-later */
	return !other || other->last_line < hit->last_line;
}

static bool hit_told(const struct log_reader *reader, const struct hit *hit, unsigned depth)
{
	const char *needs, *what;
	char word[NEED_WORD_BYTES];

	if (hit->rule >= reader->rule_count) /* the engine's have no needs */
		return true;
	needs = reader->rules[hit->rule].needs;
	while (need_next(&needs, word, &what))
		if (!need_met(reader, hit, word, what, depth))
			return false;
	return true;
}

/* True if a line fitted the rule and what it needs is there too. */
static bool rule_told(const struct log_reader *reader, unsigned rule, unsigned depth)
{
	if (depth == 0)
		return false;
	for (uint16_t at = reader->first_hit[rule]; at != NO_HIT; at = reader->hits[at].next)
		if (hit_told(reader, &reader->hits[at], depth - 1))
			return true;
	return false;
}

/* --- verdicts ---------------------------------------------------------------------------------
 */

static enum log_kind hit_kind(const struct log_reader *reader, const struct hit *hit)
{
	return hit->rule < reader->rule_count ? reader->rules[hit->rule].kind : LOG_SYMPTOM;
}

static struct verdict hit_verdict(const struct log_reader *reader, const struct hit *hit)
{
	size_t count;

	if (hit->rule >= reader->rule_count)
		return (struct verdict){ .rule = &engine_rule_all(
					     &count)[hit->rule - reader->rule_count] };
	return (struct verdict){ .log = &reader->rules[hit->rule],
				 .code = hit->code,
				 .number = hit->number,
				 .finding = hit->code ? finding_of_code(hit->code) : NULL };
}

/* True if a goes before b: what lies deeper, then what is surer, then what came later. */
static bool hit_before(const struct log_reader *reader, const struct hit *a, const struct hit *b)
{
	struct verdict one = hit_verdict(reader, a), other = hit_verdict(reader, b);
	enum log_kind kind = hit_kind(reader, a), other_kind = hit_kind(reader, b);

	if (kind != other_kind)
		return kind > other_kind;
	if (verdict_confidence(&one) != verdict_confidence(&other))
		return verdict_confidence(&one) < verdict_confidence(&other);
	if (a->last_line != b->last_line)
		return a->last_line > b->last_line;
	return a->rule < b->rule;
}

/* True if the list, which is sorted, says it already: the same in words, a symptom of a layer whose
 * cause is told, or anything where this is a mere hint. */
static bool hit_is_said(const struct log_reader *reader, const struct hit *hit,
			const struct hit *const *list, size_t count)
{
	struct verdict verdict = hit_verdict(reader, hit);
	bool symptom = hit_kind(reader, hit) == LOG_SYMPTOM;

	if (hit_kind(reader, hit) == LOG_HINT && count > 0 && hit_kind(reader, list[0]) > LOG_HINT)
		return true;
	for (size_t i = 0; i < count; i++) {
		struct verdict other = hit_verdict(reader, list[i]);

		if (strcmp(verdict_layer(&verdict), verdict_layer(&other)) != 0)
			continue;
		if (strcmp(verdict_cause(&verdict), verdict_cause(&other)) == 0 ||
		    (symptom && hit_kind(reader, list[i]) != LOG_SYMPTOM))
			return true;
	}
	return false;
}

/* Of the engine's rules only the first of the table counts, as in a job. */
static bool hit_is_second(const struct log_reader *reader, const struct hit *hit)
{
	for (size_t i = 0; hit->rule >= reader->rule_count && i < reader->hit_count; i++)
		if (reader->hits[i].rule >= reader->rule_count && reader->hits[i].rule < hit->rule)
			return true;
	return false;
}

/* All hits that are verdicts, best first; returns how many. */
static size_t hits_sort(const struct log_reader *reader, const struct hit *list[static HITS_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < reader->hit_count; i++) {
		const struct hit *hit = &reader->hits[i];
		size_t at = count;

		if (hit_kind(reader, hit) < LOG_HINT || hit_is_second(reader, hit) ||
		    !hit_told(reader, hit, NEED_DEPTH))
			continue;
		for (; at > 0 && hit_before(reader, hit, list[at - 1]); at--)
			list[at] = list[at - 1];
		list[at] = hit;
		count++;
	}
	return count;
}

static void line_add(struct log_verdict *verdict, const struct hit *hit)
{
	struct log_line *line = &verdict->lines[verdict->line_count];

	for (size_t i = 0; i < verdict->line_count; i++)
		if (verdict->lines[i].number == hit->last_line)
			return;
	if (verdict->line_count == LOG_EVIDENCE_LINES)
		return;
	verdict->line_count++;
	line->number = hit->last_line;
	memcpy(line->text, hit->text, sizeof(line->text));
}

static void verdict_fill(const struct log_reader *reader, const struct hit *hit,
			 struct log_verdict *ret)
{
	const char *needs = "-", *what;
	char word[NEED_WORD_BYTES];
	unsigned rule;

	*ret = (struct log_verdict){ .verdict = hit_verdict(reader, hit), .times = hit->times };
	line_add(ret, hit);
	if (hit->rule < reader->rule_count)
		needs = reader->rules[hit->rule].needs;
	while (need_next(&needs, word, &what))
		if (strcmp(word, "with") == 0 && rule_find(reader, what, &rule))
			line_add(ret, hit_last(reader, rule));
}

size_t log_reader_end(struct log_reader *reader, struct log_verdict ret[static LOG_VERDICTS_MAX])
{
	const struct hit *sorted[HITS_MAX], *told[LOG_VERDICTS_MAX];
	size_t sorted_count, count = 0;

	line_end(reader);
	sorted_count = hits_sort(reader, sorted);
	for (size_t i = 0; i < sorted_count && count < LOG_VERDICTS_MAX; i++)
		if (!hit_is_said(reader, sorted[i], told, count))
			told[count++] = sorted[i];
	for (size_t i = 0; i < count; i++) {
		verdict_fill(reader, told[i], &ret[i]);
		ret[i].verdict.rank = (unsigned)i;
	}
	return count;
}
