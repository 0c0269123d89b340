/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Owns a list of ways (alternatives of patterns) and a table of buckets. Each way stands in one
 * bucket, by the hash of its anchor: four bytes of its text, chosen so that few ways share a
 * bucket. At every place of a line the four bytes there name the ways that may fit.
 *
 *   line  ...lockdown error -5...        heads[hash("kdow")] -> way 17 -> way 203 -> none
 *               ^^^^                                             log_way_fits()?
 */
#include "doctor/log_index.h"
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
	BUCKETS = 4096,
	BUCKET_BITS = 12,
	NO_WAY = UINT16_MAX,
	/* Places of a piece that are tried for its anchor: enough to find an empty bucket. */
	PLACES_TRIED = 6,
};

struct way {
	struct log_way way;
	unsigned rule;
	uint32_t anchor;
	uint16_t next;     /* in its bucket; NO_WAY the last */
	uint64_t line_was; /* the line in which it was tried last */
};

struct log_index {
	struct way *ways;
	size_t way_count;
	unsigned log_rules;  /* rules with smaller numbers are of log_rules.tsv */
	char **engine_texts; /* patterns of the engine in small letters; NULL: never in a log */
	size_t engine_count; /* of them */
	uint64_t line;       /* counts calls, for way.line_was */
	uint16_t heads[BUCKETS];
	uint16_t crowd[BUCKETS]; /* ways in the bucket, while it is built */
};

static uint32_t anchor_at(const char *text)
{
	uint32_t anchor;

	static_assert(sizeof(anchor) == LOG_ANCHOR_BYTES);
	memcpy(&anchor, text, sizeof(anchor));
	return anchor;
}

static unsigned bucket_of(uint32_t anchor)
{
	return (anchor * UINT32_C(2654435761)) >> (32 - BUCKET_BITS);
}

/* --- building ---------------------------------------------------------------------------------
 */

/* The way's four bytes whose bucket is emptiest; false if no piece has four. */
static bool anchor_choose(const struct log_index *index, const struct log_way *way, uint32_t *ret)
{
	size_t offset = 0, bytes;
	const char *piece;
	bool found = false;

	while (log_way_piece(way, &offset, &piece, &bytes)) {
		for (size_t i = 0; i < PLACES_TRIED && i + LOG_ANCHOR_BYTES <= bytes; i++) {
			uint32_t anchor = anchor_at(piece + i);

			if (found &&
			    index->crowd[bucket_of(anchor)] >= index->crowd[bucket_of(*ret)])
				continue;
			*ret = anchor;
			found = true;
		}
	}
	return found;
}

static void pattern_add(struct log_index *index, unsigned rule, const char *pattern)
{
	struct log_way way;

	while (log_way_next(&pattern, &way)) {
		uint32_t anchor;
		unsigned bucket;

		if (!anchor_choose(index, &way, &anchor)) /* compile.py lets none through */
			continue;
		bucket = bucket_of(anchor);
		index->ways[index->way_count] = (struct way){
			.way = way, .rule = rule, .anchor = anchor, .next = index->heads[bucket]
		};
		index->heads[bucket] = (uint16_t)index->way_count++;
		index->crowd[bucket]++;
	}
}

static size_t ways_in(const char *pattern)
{
	struct log_way way;
	size_t count = 0;

	while (log_way_next(&pattern, &way))
		count++;
	return count;
}

/* A pattern of the engine as a way: in small letters. Those that no line holds stay NULL. */
static int engine_text_make(const char *pattern, char **ret)
{
	static const char own[] = "idevicerescue:";
	char *text;

	if (strncmp(pattern, own, strlen(own)) == 0)
		return 0;
	text = strdup(pattern);
	if (!text)
		return -1;
	for (char *c = text; *c != '\0'; c++)
		*c = (char)tolower((unsigned char)*c);
	*ret = text;
	return 0;
}

static int index_fill(struct log_index *index)
{
	size_t log_count, total = 0;
	const struct log_rule *log_rules = log_rule_all(&log_count);
	const struct engine_rule *engine_rules = engine_rule_all(&index->engine_count);

	index->log_rules = (unsigned)log_count;
	index->engine_texts = calloc(index->engine_count, sizeof(*index->engine_texts));
	if (!index->engine_texts)
		return -1;
	for (size_t i = 0; i < log_count; i++)
		total += ways_in(log_rules[i].pattern);
	index->ways = calloc(total + index->engine_count, sizeof(*index->ways));
	if (!index->ways || total + index->engine_count >= NO_WAY)
		return -1;
	for (size_t i = 0; i < log_count; i++)
		pattern_add(index, (unsigned)i, log_rules[i].pattern);
	for (size_t i = 0; i < index->engine_count; i++) {
		if (engine_text_make(engine_rules[i].pattern, &index->engine_texts[i]) < 0)
			return -1;
		if (index->engine_texts[i])
			pattern_add(index, (unsigned)(log_count + i), index->engine_texts[i]);
	}
	return 0;
}

struct log_index *log_index_new(void)
{
	_cleanup_(log_index_freep) struct log_index *index = calloc(1, sizeof(*index));

	if (!index)
		return NULL;
	memset(index->heads, 0xff, sizeof(index->heads)); /* NO_WAY everywhere */
	return index_fill(index) < 0 ? NULL : TAKE(index);
}

void log_index_free(struct log_index *index)
{
	if (!index)
		return;
	for (size_t i = 0; index->engine_texts && i < index->engine_count; i++)
		free(index->engine_texts[i]);
	free(index->engine_texts);
	free(index->ways);
	free(index);
}

/* --- looking ----------------------------------------------------------------------------------
 */

/* Puts the rule at its place in the list, once. */
static size_t fit_add(struct log_fit *list, size_t count, const struct log_fit *fit)
{
	size_t at = 0;

	while (at < count && list[at].rule < fit->rule)
		at++;
	if ((at < count && list[at].rule == fit->rule) || at == LOG_FITS_MAX)
		return count;
	if (count < LOG_FITS_MAX)
		count++;
	memmove(&list[at + 1], &list[at], (count - 1 - at) * sizeof(*list));
	list[at] = *fit;
	return count;
}

static const struct log_rule *rule_of(const struct log_index *index, const struct log_fit *fit)
{
	size_t count;

	return fit->rule < index->log_rules ? &log_rule_all(&count)[fit->rule] : NULL;
}

/* True if the rule knows well what its line means, without a code. */
static bool rule_spells(const struct log_rule *rule)
{
	return rule->kind != LOG_SIGN && rule->confidence != CONFIDENCE_POSSIBLE;
}

/* Takes out what the others make needless: see log_index_fits(). */
static size_t fits_sift(const struct log_index *index, struct log_fit *list, size_t count)
{
	struct log_found coded = { 0 };
	bool spelled = false;
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		const struct log_rule *rule = rule_of(index, &list[i]);

		if (rule && rule->kind == LOG_NOISE)
			return 0;
		spelled |= rule && !list[i].found.code && rule_spells(rule);
		if (!coded.code)
			coded = list[i].found;
	}
	for (size_t i = 0; i < count; i++) {
		const struct log_rule *rule = rule_of(index, &list[i]);
		bool verdict = rule && rule->kind != LOG_SIGN;

		if (list[i].found.code ? spelled : coded.code && verdict && !rule_spells(rule))
			continue;
		if (verdict && !list[i].found.code)
			list[i].found = coded;
		list[kept++] = list[i];
	}
	return kept;
}

size_t log_index_fits(struct log_index *index, const char *line, size_t n,
		      struct log_fit ret[static LOG_FITS_MAX])
{
	size_t count = 0;

	index->line++;
	for (size_t i = 0; i + LOG_ANCHOR_BYTES <= n; i++) {
		uint32_t anchor = anchor_at(line + i);
		uint16_t at = index->heads[bucket_of(anchor)];

		for (; at != NO_WAY; at = index->ways[at].next) {
			struct way *way = &index->ways[at];
			struct log_fit fit = { .rule = way->rule };

			if (way->anchor != anchor || way->line_was == index->line)
				continue;
			way->line_was = index->line;
			if (log_way_fits(&way->way, line, n, &fit.found))
				count = fit_add(ret, count, &fit);
		}
	}
	return fits_sift(index, ret, count);
}
