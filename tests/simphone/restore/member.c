/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One member of the IPSW, read along with what the host sends: however large, only one piece is
 * in memory. Owns its own handle of the zip file.
 *
 * Invariant: `at` bytes were followed and all fitted, or `differs`.
 */
#include <stdlib.h>
#include <string.h>
#include <zip.h>

#include "restore/firmware_parts.h"
#include "text.h"

enum { PIECE_BYTES = 65536 };

struct member {
	struct zip *zip;
	zip_file_t *file;
	uint64_t bytes, at;
	bool differs;
	uint8_t piece[PIECE_BYTES];
};

struct member *member_open(const char *path, const char *name)
{
	struct member *m = calloc(1, sizeof(*m));
	zip_stat_t stat;

	if (!m)
		die("out of memory");
	m->zip = zip_open(path, ZIP_RDONLY, nullptr);
	if (!m->zip || zip_stat(m->zip, name, 0, &stat) < 0 || !(stat.valid & ZIP_STAT_SIZE))
		return member_free(m);
	m->bytes = stat.size;
	m->file = zip_fopen(m->zip, name, 0);
	return m->file ? m : member_free(m);
}

uint64_t member_bytes(const struct member *m)
{
	return m->bytes;
}

/* Reads exactly @len bytes. */
static bool piece_read(struct member *m, size_t len)
{
	for (size_t have = 0; have < len;) {
		zip_int64_t got = zip_fread(m->file, m->piece + have, len - have);

		if (got <= 0)
			return false;
		have += (size_t)got;
	}
	return true;
}

bool member_follow(struct member *m, const uint8_t *bytes, size_t len)
{
	if (len > m->bytes - m->at)
		m->differs = true;
	while (!m->differs && len > 0) {
		size_t piece = len < PIECE_BYTES ? len : PIECE_BYTES;

		m->differs = !piece_read(m, piece) || memcmp(m->piece, bytes, piece) != 0;
		m->at += m->differs ? 0 : piece;
		bytes += piece;
		len -= piece;
	}
	return !m->differs;
}

bool member_whole(const struct member *m)
{
	return !m->differs && m->at == m->bytes;
}

struct member *member_free(struct member *m)
{
	if (!m)
		return nullptr;
	if (m->file)
		zip_fclose(m->file);
	if (m->zip)
		zip_discard(m->zip);
	free(m);
	return nullptr;
}
