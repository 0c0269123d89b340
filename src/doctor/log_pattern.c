/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "doctor/log_pattern.h"
#include "doctor/code_word.h"
#include <ctype.h>
#include <string.h>

enum {
	SCHEME_BYTES = 32,
	/* Words that are tried for {scheme}: the code stands near the words about it. */
	WORDS_TRIED = 12,
};

static const char way_border[] = " | ";

bool log_way_next(const char **pattern, struct log_way *ret)
{
	const char *begin = *pattern, *end, *brace;

	if (*begin == '\0')
		return false;
	end = strstr(begin, way_border);
	*pattern = end ? end + strlen(way_border) : begin + strlen(begin);
	if (!end)
		end = *pattern;
	*ret = (struct log_way){ .text = begin, .bytes = (size_t)(end - begin) };
	brace = memchr(begin, '{', ret->bytes);
	if (brace) {
		ret->bytes = (size_t)(brace - begin);
		ret->scheme = brace + 1;
		ret->scheme_bytes = (size_t)(end - brace) - 2;
	}
	return true;
}

bool log_way_piece(const struct log_way *way, size_t *offset, const char **ret_piece,
		   size_t *ret_bytes)
{
	const char *begin = way->text + *offset, *star;
	size_t left = way->bytes - *offset;

	if (left == 0)
		return false;
	star = memchr(begin, '*', left);
	*ret_piece = begin;
	*ret_bytes = star ? (size_t)(star - begin) : left;
	*offset += *ret_bytes + (star ? 1 : 0);
	return true;
}

/* --- text -------------------------------------------------------------------------------------
 */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* True if the piece found at `at` cuts no number of the line in two. open_end: the code of the way
 * stands there, which is looked at whole. */
static bool piece_is_whole(const char *line, size_t n, size_t at, const char *piece, size_t bytes,
			   bool open_end)
{
	if (bytes == 0)
		return true;
	if (at > 0 && is_digit(piece[0]) && is_digit(line[at - 1]))
		return false;
	return open_end || at + bytes == n || !is_digit(piece[bytes - 1]) ||
	       !is_digit(line[at + bytes]);
}

/* Where the piece stands at or behind `from`; n if nowhere. */
static size_t piece_find(const char *line, size_t n, size_t from, const char *piece, size_t bytes,
			 bool open_end)
{
	while (from + bytes <= n) {
		const char *found = memmem(line + from, n - from, piece, bytes);
		size_t at;

		if (!found)
			break;
		at = (size_t)(found - line);
		if (piece_is_whole(line, n, at, piece, bytes, open_end))
			return at;
		from = at + 1;
	}
	return n;
}

/* --- codes ------------------------------------------------------------------------------------
 */

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* Begin of the number or name around `at`: back over its letters and a sign before them. */
static size_t word_begin(const char *line, size_t at)
{
	while (at > 0 && is_word(line[at - 1]))
		at--;
	if (at > 0 && line[at - 1] == '-' && (at == 1 || !is_word(line[at - 2])))
		at--;
	return at;
}

/* The word that begins at `at`, with a sign; 0 bytes if none does. */
static size_t word_bytes(const char *line, size_t n, size_t at)
{
	size_t end = at < n && line[at] == '-' ? at + 1 : at;

	while (end < n && is_word(line[end]))
		end++;
	return end > at && is_word(line[end - 1]) ? end - at : 0;
}

/* The code of the scheme that n bytes of text mean. */
static bool code_look(const struct log_way *way, const char *text, size_t n, struct log_found *ret)
{
	char scheme[SCHEME_BYTES], word[CODE_WORD_BYTES];

	if (n == 0 || n >= sizeof(word) || way->scheme_bytes >= sizeof(scheme))
		return false;
	memcpy(scheme, way->scheme, way->scheme_bytes);
	scheme[way->scheme_bytes] = '\0';
	memcpy(word, text, n);
	word[n] = '\0';
	ret->code = code_in_scheme(scheme, word, &ret->number);
	return ret->code != NULL;
}

/* The bytes up to the next mark that ends a phrase: "Invalid HostID" of "Invalid HostID (-21)". */
static size_t phrase_bytes(const char *line, size_t n, size_t at)
{
	size_t end = at;

	while (end < n && (is_word(line[end]) || line[end] == ' '))
		end++;
	while (end > at && line[end - 1] == ' ')
		end--;
	return end - at;
}

/* A code at or behind `at`, where a word or a phrase begins; tries `words` words. */
static bool code_behind(const struct log_way *way, const char *line, size_t n, size_t at,
			unsigned words, struct log_found *ret)
{
	for (; words > 0; words--) {
		size_t bytes;

		while (at < n && word_bytes(line, n, at) == 0)
			at++;
		if (at >= n)
			return false;
		bytes = word_bytes(line, n, at);
		if (word_begin(line, at) == at && code_look(way, line + at, bytes, ret))
			return true;
		if (isalpha((unsigned char)line[at]) &&
		    code_look(way, line + at, phrase_bytes(line, n, at), ret))
			return true;
		at += bytes;
	}
	return false;
}

/* The code at the end of a way whose text ended at `end`; star: with '*' before {scheme}. */
static bool code_fits(const struct log_way *way, const char *line, size_t n, size_t end, bool star,
		      struct log_found *ret)
{
	if (star)
		return code_behind(way, line, n, end, WORDS_TRIED, ret);
	if (end > 0 && is_word(line[end - 1])) { /* the text is the word's own beginning */
		size_t begin = word_begin(line, end);

		return code_look(way, line + begin, word_bytes(line, n, begin), ret);
	}
	return code_behind(way, line, n, end, 1, ret);
}

bool log_way_fits(const struct log_way *way, const char *line, size_t n, struct log_found *ret)
{
	bool star = way->bytes > 0 && way->text[way->bytes - 1] == '*';
	struct log_found found = { 0 };
	size_t offset = 0, at = 0, bytes = 0, from = 0;
	const char *piece;

	while (log_way_piece(way, &offset, &piece, &bytes)) {
		bool last = offset == way->bytes;
		bool code_here = last && way->scheme && !star;

		at = piece_find(line, n, from, piece, bytes, code_here);
		for (unsigned tries = WORDS_TRIED; code_here && at < n; tries--) {
			if (tries == 0)
				return false;
			if (code_fits(way, line, n, at + bytes, false, &found))
				break;
			at = piece_find(line, n, at + 1, piece, bytes, true);
		}
		if (at + bytes > n || (at == n && bytes > 0))
			return false;
		from = at + bytes;
	}
	if (way->scheme && star && !code_fits(way, line, n, from, true, &found))
		return false;
	*ret = found;
	return true;
}
