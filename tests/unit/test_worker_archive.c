/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What stands under the worker `check`: the zip's directory, heads of IM4P, and the look at
 * property lists before they are parsed. Whole hostile files:
 * tests/story/test_native_worker_traps.py. */
#include "base/cleanup.h"
#include "unit.h"
#include "worker/archive_directory.h"
#include "worker/im4p.h"
#include "worker/manifest_digest.h"
#include "worker/property_list.h"
#include "worker/property_list_guard.h"
#include <stdio.h>
#include <string.h>

enum { ENTRY_BYTES = 46, NAME_BYTES = 16 };

struct entry {
	const char *name;
	uint32_t packed, bytes, offset;
	uint16_t method, flags;
};

static void put(uint8_t *to, uint64_t value, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = (uint8_t)(value >> 8 * i);
}

static size_t entry_put(uint8_t *to, const struct entry *entry)
{
	size_t n = strlen(entry->name);

	memset(to, 0, ENTRY_BYTES);
	memcpy(to, "PK\1\2", 4);
	put(to + 8, entry->flags, 2);
	put(to + 10, entry->method, 2);
	put(to + 20, entry->packed, 4);
	put(to + 24, entry->bytes, 4);
	put(to + 28, n, 2);
	put(to + 42, entry->offset, 4);
	memcpy(to + ENTRY_BYTES, entry->name, n);
	return ENTRY_BYTES + n;
}

/* A directory of these entries behind so many bytes. */
static int directory_of(const struct entry *entries, size_t count, uint64_t offset,
			struct archive_directory *ret, struct error *err)
{
	uint8_t *bytes = malloc(count * (ENTRY_BYTES + NAME_BYTES) + 1);
	struct archive_end end = { .members = count, .directory_offset = offset };

	assert_non_null(bytes);
	for (size_t i = 0; i < count; i++)
		end.directory_bytes += entry_put(bytes + end.directory_bytes, &entries[i]);
	return archive_directory_read((char *)bytes, &end, ret, err);
}

static void test_directory(void **state)
{
	static const struct entry entries[] = {
		{ .name = "b", .packed = 10, .bytes = 10, .offset = 100 },
		{ .name = "a/c", .packed = 5, .bytes = 500, .offset = 0, .method = 8 },
		{ .name = "a", .offset = 60 },
	};
	_cleanup_(archive_directory_done) struct archive_directory directory = {};
	struct error err = {};

	assert_int_equal(directory_of(entries, 3, 200, &directory, &err), 0);
	assert_int_equal(directory.count, 3);
	assert_int_equal(archive_directory_find(&directory, "a/c")->bytes, 500);
	assert_ptr_equal(archive_directory_find(&directory, "b"), &directory.entries[0]);
	assert_null(archive_directory_find(&directory, "a/"));
	assert_null(archive_directory_find(&directory, ""));
	assert_int_equal(directory.by_offset[0], 1);
	assert_int_equal(directory.by_offset[1], 2);
	assert_int_equal(directory.by_offset[2], 0);
}

static void test_members_that_touch(void **state)
{
	/* the first takes 30 bytes of header, one of name and ten of data */
	struct entry entries[] = { { .name = "a", .packed = 10, .bytes = 10 },
				   { .name = "b", .packed = 1, .bytes = 1, .offset = 41 } };
	_cleanup_(archive_directory_done) struct archive_directory directory = {};
	struct archive_directory other = {};
	struct error err = {};

	assert_int_equal(directory_of(entries, 2, 73, &directory, &err), 0);
	assert_true(directory_of(entries, 2, 72, &other, &err) < 0);
	assert_non_null(strstr(err.text, "outside of the file"));
	entries[1].offset = 40;
	assert_true(directory_of(entries, 2, 73, &other, &err) < 0);
	assert_non_null(strstr(err.text, "shares bytes"));
}

static void test_local_header(void **state)
{
	struct archive_entry entry = { .name = "ab", .packed = 7, .bytes = 7, .crc = 9 };
	uint8_t header[ARCHIVE_LOCAL_BYTES + 2] = "PK\3\4";
	struct error err = {};
	uint64_t n = 0;

	entry.room = sizeof(header) + entry.packed;
	put(header + 14, 9, 4);
	put(header + 18, 7, 4);
	put(header + 22, 7, 4);
	put(header + 26, 2, 2);
	memcpy(header + ARCHIVE_LOCAL_BYTES, "ab", 2);
	assert_int_equal(archive_local_check(&entry, header, sizeof(header), &n, &err), 0);
	assert_int_equal(n, sizeof(header));
	assert_true(archive_local_check(&entry, header, sizeof(header) - 1, &n, &err) < 0);
	put(header + 28, 1, 2); /* an extra field that is not there */
	assert_true(archive_local_check(&entry, header, sizeof(header), &n, &err) < 0);
	put(header + 28, 0, 2);
	for (size_t at = 0; at < sizeof(header); at++) {
		/* version, time and date are nobody's business */
		if ((at >= 4 && at < 6) || (at >= 10 && at < 14))
			continue;
		header[at] ^= 0x49; /* of the flags, those that matter */
		assert_true(archive_local_check(&entry, header, sizeof(header), &n, &err) < 0 ||
			    at == 7);
		header[at] ^= 0x49;
	}
	/* what the directory cannot see: an extra field that pushes the data into the next member
	 */
	entry.room--;
	assert_true(archive_local_check(&entry, header, sizeof(header), &n, &err) < 0);
	assert_non_null(strstr(err.text, "shares bytes"));
}

/* Behind the data of a member of more than 4 GB: both halves of its sizes, or the lower ones. */
static void test_trailer_of_a_large_member(void **state)
{
	const struct archive_entry entry = {
		.name = "os", .packed = (1ULL << 32) + 5, .bytes = (2ULL << 32) + 6, .crc = 9
	};
	uint8_t wide[20] = {}, low[12] = {};

	put(wide, 9, 4);
	put(wide + 4, entry.packed, 8);
	put(wide + 12, entry.bytes, 8);
	put(low, 9, 4);
	put(low + 4, 5, 4);
	put(low + 8, 6, 4);
	assert_true(archive_trailer_fits(&entry, wide, sizeof(wide)));
	assert_true(archive_trailer_fits(&entry, low, sizeof(low)));
	put(low + 8, 7, 4);
	assert_false(archive_trailer_fits(&entry, low, sizeof(low)));
	put(wide + 12, 6, 8);
	assert_false(archive_trailer_fits(&entry, wide, sizeof(wide)));
}

static void test_im4p(void **state)
{
	static const uint8_t small[] = "\x30\x10\x16\x04IM4P\x16\x04logo\x16\x00";
	static const uint8_t large[] = "\x30\x83\x01\x02\x03\x16\x04IM4P\x16\x04krnl";
	size_t at = 0;

	assert_true(im4p_find_type(small, sizeof(small) - 1, &at));
	assert_memory_equal(small + at, "logo", 4);
	assert_true(im4p_find_type(large, sizeof(large) - 1, &at));
	assert_memory_equal(large + at, "krnl", 4);
	for (size_t n = 0; n < sizeof(large) - 1; n++)
		assert_false(im4p_find_type(large, n, &at));
	assert_false(im4p_find_type((const uint8_t *)"\x30\x80\x16\x04IM4P\x16\x04krnl", 14, &at));
	assert_false(im4p_find_type((const uint8_t *)"3gmI\x10\x20\x30\x40IM4Pkrnl....", 20, &at));
}

/* depth arrays in each other, in XML. */
static char *nested(size_t depth)
{
	static const char begin[] = "<?xml version=\"1.0\"?><plist><dict><key>a</key>";
	size_t room = sizeof(begin) + depth * 15 + 32, n;
	char *text = malloc(room);

	assert_non_null(text);
	n = (size_t)snprintf(text, room, "%s", begin);
	for (size_t i = 0; i < depth; i++)
		n += (size_t)snprintf(text + n, room - n, "<array>");
	for (size_t i = 0; i < depth; i++)
		n += (size_t)snprintf(text + n, room - n, "</array>");
	snprintf(text + n, room - n, "</dict></plist>");
	return text;
}

static void test_lists_in_each_other(void **state)
{
	_cleanup_free_ char *fine = nested(PROPERTY_LIST_DEPTH_MAX - 2);
	_cleanup_free_ char *deep = nested(PROPERTY_LIST_DEPTH_MAX - 1);
	_cleanup_(plist_freep) plist_t list = property_list_parse(fine, strlen(fine));

	assert_non_null(list);
	assert_null(property_list_parse(deep, strlen(deep)));
}

static void test_words_of_its_own(void **state)
{
	static const char *const refused[] = {
		"<?xml?><!DOCTYPE plist [<!ENTITY a \"b\">]><plist><dict></dict></plist>",
		"<?xml?><!DOCTYPE plist [ ]><plist><dict></dict></plist>",
		"<?xml?><plist><dict a=\"<!--\"></dict></plist>",
		"<?xml?><plist><dict a='x'></dict></plist>",
	};
	static const char *const fine[] = {
		"<?xml version=\"1.0\"?><!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" "
		"\"http://www.apple.com/DTDs/PropertyList-1.0.dtd\"><plist version=\"1.0\">"
		"<dict><!-- <dict> --><key>a</key><true/></dict></plist>",
		"<plist><dict><key>a</key><string>&amp;<![CDATA[<dict>]]></string></dict></plist>",
	};

	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		assert_false(property_list_is_tame(refused[i], strlen(refused[i])));
	for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
		_cleanup_(plist_freep) plist_t list = property_list_parse(fine[i], strlen(fine[i]));

		assert_non_null(list);
	}
}

/* What the manifest vouches for if it names so many parts; or the negative errno. */
static int digests_of(unsigned parts, struct error *err)
{
	static const char part[] = "<key>%07u</key><dict><key>Info</key><dict><key>Path</key>"
				   "<string>a</string></dict></dict>";
	_cleanup_(manifest_freep) struct manifest *manifest = NULL;
	_cleanup_free_ struct manifest_digest *digests = NULL;
	size_t room = (sizeof(part) + 8) * parts + 1024, count = 0, n;
	_cleanup_free_ char *text = malloc(room);
	int r;

	assert_non_null(text);
	n = (size_t)snprintf(text, room,
			     "<?xml version=\"1.0\"?><plist><dict><key>ProductVersion</key>"
			     "<string>1</string><key>ProductBuildVersion</key><string>1A1</string>"
			     "<key>BuildIdentities</key><array><dict><key>Manifest</key><dict>");
	for (unsigned i = 0; i < parts; i++)
		n += (size_t)snprintf(text + n, room - n, part, i);
	n += (size_t)snprintf(text + n, room - n, "</dict></dict></array></dict></plist>");
	assert_int_equal(manifest_parse(text, n, &manifest, NULL), 0);
	r = manifest_digests(manifest, NULL, &digests, &count, err);
	return r < 0 ? r : (int)count;
}

static void test_more_parts_than_any_firmware(void **state)
{
	struct error err = {};

	assert_int_equal(digests_of(20000, &err), 1); /* all are the same file */
	assert_true(digests_of(20001, &err) < 0);
	assert_int_equal(err.kind, ERROR_BAD_FILE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_directory),
		cmocka_unit_test(test_members_that_touch),
		cmocka_unit_test(test_local_header),
		cmocka_unit_test(test_trailer_of_a_large_member),
		cmocka_unit_test(test_im4p),
		cmocka_unit_test(test_lists_in_each_other),
		cmocka_unit_test(test_words_of_its_own),
		cmocka_unit_test(test_more_parts_than_any_firmware),
	};

	return cmocka_run_group_tests_name("worker archive", tests, NULL, NULL);
}
