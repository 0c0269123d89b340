/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "services/backup_db.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

enum {
	PAGE = 65536,
	FILE_HEADER = 100,
	LEAF = 0x0d,
	INTERIOR = 0x05,
	LEAF_HEADER = 8,
	INTERIOR_HEADER = 12,
	PAGE_OF_FILES = 2,
	PAGE_OF_PROPERTIES = 3,
	FIRST_LEAF = 4,
	DEPTH_MAX = 4,
	COLUMNS = 5,
};

/* ---- records ---- */

static void varint_add(struct buf *to, uint64_t v)
{
	uint8_t bytes[9];
	unsigned at = sizeof(bytes);

	bytes[--at] = v & 0x7f;
	while (v >>= 7)
		bytes[--at] = (v & 0x7f) | 0x80;
	buf_add(to, bytes + at, sizeof(bytes) - at);
}

/* One column: a text, a blob, or a number of one or four bytes. */
struct column {
	const char *text;
	const uint8_t *blob;
	size_t len;
	uint32_t number;
};

/* A leaf's cell: payload length, rowid, record. */
static void cell_add(struct buf *to, uint64_t rowid, const struct column *columns, unsigned count)
{
	BUF_AUTO types = {};
	BUF_AUTO body = {};

	for (unsigned i = 0; i < count; i++) {
		const struct column *c = &columns[i];
		uint8_t number[4];

		if (c->text) {
			varint_add(&types, 13 + 2 * strlen(c->text));
			buf_add_text(&body, c->text);
		} else if (c->blob) {
			varint_add(&types, 12 + 2 * c->len);
			buf_add(&body, c->blob, c->len);
		} else {
			varint_add(&types, 4);
			put_be32(number, c->number);
			buf_add(&body, number, sizeof(number));
		}
	}
	/* the header counts its own length byte: it is short here */
	varint_add(to, 1 + types.len + body.len);
	varint_add(to, rowid);
	varint_add(to, 1 + types.len);
	buf_add(to, types.bytes, types.len);
	buf_add(to, body.bytes, body.len);
}

/* ---- writing ---- */

bool backup_db_add(struct backup_db *db, const struct backup_row *row)
{
	const struct column columns[COLUMNS] = {
		{ .text = row->id },
		{ .text = row->domain },
		{ .text = row->path },
		{ .number = row->flags },
		{ .blob = row->blob, .len = row->blob_len },
	};
	uint8_t length[4];
	BUF_AUTO cell = {};

	cell_add(&cell, db->count + 1, columns, COLUMNS);
	if (cell.len > BACKUP_ROW_BYTES_MAX)
		return false;
	put_be32(length, (uint32_t)cell.len);
	buf_add(&db->cells, length, sizeof(length));
	buf_add(&db->cells, cell.bytes, cell.len);
	db->count++;
	return true;
}

void backup_db_done(struct backup_db *db)
{
	buf_done(&db->cells);
	db->count = 0;
}

/* One page being filled: pointers from the front, cells from the back. */
struct page {
	uint8_t bytes[PAGE];
	size_t header; /* where the b-tree's header begins: 100 on the first page */
	size_t front, back;
	unsigned cells;
};

static void page_begin(struct page *p, size_t header, uint8_t type)
{
	memset(p, 0, sizeof(*p));
	p->header = header;
	p->bytes[header] = type;
	p->front = header + (type == LEAF ? LEAF_HEADER : INTERIOR_HEADER);
	p->back = PAGE;
}

static bool page_add(struct page *p, const uint8_t *cell, size_t len)
{
	if (p->front + 2 + len > p->back)
		return false;
	p->back -= len;
	memcpy(p->bytes + p->back, cell, len);
	put_be16(p->bytes + p->front, (uint16_t)p->back);
	p->front += 2;
	p->cells++;
	put_be16(p->bytes + p->header + 3, (uint16_t)p->cells);
	put_be16(p->bytes + p->header + 5, (uint16_t)p->back);
	return true;
}

/* All leaves of Files; fills @ends with the last rowid of each. Returns how many. */
static unsigned leaves_write(const struct backup_db *db, struct buf *to, struct buf *ends,
			     struct page *page)
{
	unsigned count = 1, rowid = 0;
	uint8_t end[4];

	page_begin(page, 0, LEAF);
	for (size_t at = 0; at < db->cells.len;) {
		uint32_t len = get_be32(db->cells.bytes + at);

		if (!page_add(page, db->cells.bytes + at + 4, len)) {
			put_be32(end, rowid);
			buf_add(ends, end, sizeof(end));
			buf_add(to, page->bytes, PAGE);
			page_begin(page, 0, LEAF);
			count++;
			continue;
		}
		rowid++;
		at += 4 + len;
	}
	buf_add(to, page->bytes, PAGE);
	return count;
}

static void root_write(struct buf *to, const struct buf *ends, struct page *page)
{
	unsigned leaf = FIRST_LEAF;

	page_begin(page, 0, INTERIOR);
	for (size_t at = 0; at < ends->len; at += 4, leaf++) {
		uint8_t child[4];
		BUF_AUTO cell = {};

		put_be32(child, leaf);
		buf_add(&cell, child, sizeof(child));
		varint_add(&cell, get_be32(ends->bytes + at));
		if (!page_add(page, cell.bytes, cell.len))
			die("a manifest of too many pages");
	}
	put_be32(page->bytes + 8, leaf);
	buf_add(to, page->bytes, PAGE);
}

static void schema_write(struct buf *to, uint32_t pages, struct page *page)
{
	static const struct {
		const char *name, *sql;
		uint32_t root;
	} tables[] = {
		{ "Files",
		  "CREATE TABLE Files (fileID TEXT, domain TEXT, relativePath TEXT, flags INTEGER, "
		  "file BLOB)",
		  PAGE_OF_FILES },
		{ "Properties", "CREATE TABLE Properties (key TEXT, value BLOB)",
		  PAGE_OF_PROPERTIES },
	};
	uint8_t *h = page->bytes;

	page_begin(page, FILE_HEADER, LEAF);
	for (unsigned i = 0; i < 2; i++) {
		const struct column columns[] = { { .text = "table" },
						  { .text = tables[i].name },
						  { .text = tables[i].name },
						  { .number = tables[i].root },
						  { .text = tables[i].sql } };
		BUF_AUTO cell = {};

		cell_add(&cell, i + 1, columns, COLUMNS);
		page_add(page, cell.bytes, cell.len);
	}
	memcpy(h, "SQLite format 3", 16);
	put_be16(h + 16, 1); /* 65536 */
	h[18] = h[19] = 1;
	h[21] = 64;
	h[22] = h[23] = 32;
	put_be32(h + 24, 1); /* changes */
	put_be32(h + 28, pages);
	put_be32(h + 40, 1); /* schema's cookie */
	put_be32(h + 44, 4); /* schema's format */
	put_be32(h + 56, 1); /* UTF-8 */
	put_be32(h + 92, 1); /* the change that the next number is of */
	put_be32(h + 96, 3040000);
	buf_add(to, page->bytes, PAGE);
}

void backup_db_write(const struct backup_db *db, struct buf *to)
{
	struct page *page = malloc(sizeof(*page));
	BUF_AUTO leaves = {};
	BUF_AUTO ends = {};
	unsigned count;

	if (!page)
		die("out of memory");
	count = leaves_write(db, &leaves, &ends, page);
	/* a single leaf is the root itself */
	schema_write(to, count == 1 ? FIRST_LEAF - 1 : FIRST_LEAF - 1 + count, page);
	if (count == 1)
		buf_add(to, leaves.bytes, leaves.len);
	else
		root_write(to, &ends, page);
	page_begin(page, 0, LEAF);
	buf_add(to, page->bytes, PAGE);
	if (count > 1)
		buf_add(to, leaves.bytes, leaves.len);
	free(page);
}

/* ---- reading ---- */

struct reader {
	const uint8_t *bytes;
	size_t len, page;
	unsigned pages_left; /* none is visited twice on the way through a tree */
	bool (*take)(void *user, const struct column *columns);
	void *user;
};

static bool varint_take(const uint8_t **at, const uint8_t *end, uint64_t *ret_v)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 9 && *at < end; i++) {
		uint8_t byte = *(*at)++;

		v = i == 8 ? v << 8 | byte : v << 7 | (byte & 0x7f);
		if (i == 8 || !(byte & 0x80)) {
			*ret_v = v;
			return true;
		}
	}
	return false;
}

/* One value of serial type @type at *@at. */
static bool value_take(const uint8_t **at, const uint8_t *end, uint64_t type, struct column *to)
{
	static const uint8_t sizes[] = { 0, 1, 2, 3, 4, 6, 8, 8, 0, 0 };
	uint64_t len = type < 10 ? sizes[type] : (type - 12) / 2;

	if (type == 10 || type == 11 || len > (uint64_t)(end - *at))
		return false;
	*to = (struct column){ .blob = *at, .len = (size_t)len };
	if (type >= 13 && type % 2 == 1)
		to->text = (const char *)*at; /* without a NUL: `len` counts */
	for (unsigned i = 0; type < 7 && i < len; i++)
		to->number = to->number << 8 | (*at)[i];
	if (type == 9)
		to->number = 1;
	*at += len;
	return true;
}

static int record_take(struct reader *r, const uint8_t *record, size_t len)
{
	const uint8_t *types = record, *end = record + len, *body;
	struct column columns[COLUMNS] = {};
	uint64_t header, type;

	if (!varint_take(&types, end, &header) || header > len)
		return -EINVAL;
	body = record + header;
	for (unsigned i = 0; i < COLUMNS && types < record + header; i++)
		if (!varint_take(&types, record + header, &type) ||
		    !value_take(&body, end, type, &columns[i]))
			return -EINVAL;
	return r->take(r->user, columns) ? 0 : -EINVAL;
}

static int tree_read(struct reader *r, uint64_t number, unsigned depth);

static int leaf_cell(struct reader *r, const uint8_t *at, const uint8_t *end)
{
	uint64_t payload, rowid;

	if (!varint_take(&at, end, &payload) || !varint_take(&at, end, &rowid) ||
	    payload > (uint64_t)(end - at) || payload > r->page - 35)
		return -EINVAL;
	return record_take(r, at, (size_t)payload);
}

static int tree_read(struct reader *r, uint64_t number, unsigned depth)
{
	size_t start = number == 1 ? FILE_HEADER : 0, header;
	const uint8_t *page, *end;
	unsigned cells;
	int error = 0;

	if (depth > DEPTH_MAX || number < 1 || number > r->len / r->page || r->pages_left == 0)
		return -EINVAL;
	r->pages_left--;
	page = r->bytes + (number - 1) * r->page;
	end = page + r->page;
	if (page[start] != LEAF && page[start] != INTERIOR)
		return -EINVAL;
	header = start + (page[start] == LEAF ? LEAF_HEADER : INTERIOR_HEADER);
	cells = get_be16(page + start + 3);
	if (header + 2 * (size_t)cells > r->page)
		return -EINVAL;
	for (unsigned i = 0; i < cells && error == 0; i++) {
		size_t at = get_be16(page + header + 2 * (size_t)i);

		if (at + 4 > r->page)
			error = -EINVAL;
		else if (page[start] == LEAF)
			error = leaf_cell(r, page + at, end);
		else
			error = tree_read(r, get_be32(page + at), depth + 1);
	}
	if (error == 0 && page[start] == INTERIOR)
		error = tree_read(r, get_be32(page + start + 8), depth + 1);
	return error;
}

/* Looks for the root page of Files in the schema. */
static bool schema_row(void *user, const struct column *columns)
{
	uint32_t *root = user;

	if (columns[1].text && columns[1].len == 5 && !memcmp(columns[1].text, "Files", 5))
		*root = columns[3].number;
	return true;
}

struct row_taker {
	bool (*take)(void *user, const struct backup_row *row);
	void *user;
};

/* A text of the file gets its NUL. A NUL inside it ends it early. */
static char *text_of(const struct column *c)
{
	char *text = c->text ? strndup(c->text, c->len) : strdup("");

	if (!text)
		die("out of memory");
	return text;
}

static bool files_row(void *user, const struct column *columns)
{
	const struct row_taker *t = user;
	struct backup_row row = { .flags = columns[3].number };
	char *domain, *path;
	bool goes_on;

	if (!columns[0].text || columns[0].len != BACKUP_ID_CHARS)
		return false;
	memcpy(row.id, columns[0].text, BACKUP_ID_CHARS);
	row.domain = domain = text_of(&columns[1]);
	row.path = path = text_of(&columns[2]);
	if (!columns[4].text && columns[4].blob) {
		row.blob = columns[4].blob;
		row.blob_len = columns[4].len;
	}
	goes_on = t->take(t->user, &row);
	free(domain);
	free(path);
	return goes_on;
}

int backup_db_read(const uint8_t *bytes, size_t len,
		   bool (*take)(void *user, const struct backup_row *row), void *user)
{
	struct row_taker taker = { take, user };
	uint32_t root = 0;
	struct reader r = { .bytes = bytes, .len = len, .take = schema_row, .user = &root };
	int error;

	if (len < 512 || memcmp(bytes, "SQLite format 3", 16) != 0)
		return -EINVAL;
	r.page = get_be16(bytes + 16) == 1 ? PAGE : get_be16(bytes + 16);
	if (r.page < 512 || (r.page & (r.page - 1)) || len < r.page)
		return -EINVAL;
	r.pages_left = (unsigned)(len / r.page);
	error = tree_read(&r, 1, 0);
	if (error < 0)
		return error;
	r.take = files_row;
	r.user = &taker;
	r.pages_left = (unsigned)(len / r.page);
	return tree_read(&r, root, 0);
}
