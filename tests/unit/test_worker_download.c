/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rules of downloads: addresses, builds, answers, faults, room, hooks, ends of zips. */
#include "base/cleanup.h"
#include "base/text.h"
#include "unit.h"
#include "worker/archive_end.h"
#include "worker/digest.h"
#include "worker/fetch_answer.h"
#include "worker/fetch_space.h"
#include "worker/http_fault.h"
#include "worker/http_hooks.h"
#include "worker/http_range.h"
#include "worker/ipsw.h"
#include <errno.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>

#define CDN       "updates.cdn-apple.com"
#define FILE_NAME "iPhone10,3,iPhone10,6_16.7.16_20H392_Restore.ipsw"
#define GOOD      "https://" CDN "/2025FallFCS/fullrestores/122-77006/1158E502/" FILE_NAME

static void test_urls(void **state)
{
	static const struct {
		const char *url;
		bool fine;
	} rows[] = {
		{ GOOD, true },
		{ "http://" CDN "/a/x_Restore.ipsw", true },
		{ "HTTP://" CDN "/a/x_Restore.ipsw", true },
		{ "https://" CDN ":443/a/x_Restore.ipsw", true },
		{ "https://secure-appldnld.apple.com/x_Restore.ipsw", true },
		{ "https://APPLDNLD.apple.com/x_Restore.ipsw", true },
		{ "https://evil.example/x_Restore.ipsw", false },
		{ "https://" CDN ".evil.example/x_Restore.ipsw", false },
		{ "https://" CDN "@evil.example/x_Restore.ipsw", false },
		{ "https://evil.example\\@" CDN "/x_Restore.ipsw", false },
		{ "https://user@" CDN "/x_Restore.ipsw", false },
		{ "https://" CDN ":8443/x_Restore.ipsw", false },
		{ "http://" CDN ":80/x_Restore.ipsw", false },
		{ "ftp://" CDN "/x_Restore.ipsw", false },
		{ "protected://" CDN "/x_Restore.ipsw", false },
		{ "file:///etc/x_Restore.ipsw", false },
		{ "https://" CDN "/x/../../x_Restore.ipsw", false },
		{ "https://" CDN "/x/%2e%2E/x_Restore.ipsw", false },
		{ "https://" CDN "/x_Restore.ipsw?a=b", false },
		{ "https://" CDN "/x_Restore.ipsw#a", false },
		{ "https://" CDN "/x_Restore.zip", false },
		{ "https://" CDN "/_Restore.ipsw", false },
		{ "https://" CDN "/a b_Restore.ipsw", false },
		{ "https://" CDN "/a\r\nHost: x_Restore.ipsw", false },
		{ CDN "/x_Restore.ipsw", false },
		{ "", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ipsw ipsw = {};
		int r = ipsw_set_url(&ipsw, rows[i].url);

		if ((r == 0) != rows[i].fine)
			fail_msg("%s: %d", rows[i].url, r);
		if (r == 0)
			assert_int_equal(strncmp(ipsw.url, "https://", 8), 0);
		else
			assert_string_equal(ipsw.url, "");
	}
}

static void test_name_of_url(void **state)
{
	struct ipsw ipsw = {};

	assert_int_equal(ipsw_set_url(&ipsw, "http" /* made https */ "://" CDN "/a/" FILE_NAME), 0);
	assert_string_equal(ipsw.url, "https://" CDN "/a/" FILE_NAME);
	assert_string_equal(ipsw.name, FILE_NAME);
	/* of a request: the text stands where the address is to be written */
	text_copy(ipsw.url, sizeof(ipsw.url), "http" /* as it came */ "://" CDN "/a/" FILE_NAME);
	assert_int_equal(ipsw_set_url(&ipsw, ipsw.url), 0);
	assert_string_equal(ipsw.url, "https://" CDN "/a/" FILE_NAME);
	assert_string_equal(ipsw.name, FILE_NAME);
	assert_false(ipsw_name_is_plain(".hidden.ipsw"));
	assert_false(ipsw_name_is_plain("a/b.ipsw"));
	assert_false(ipsw_name_is_plain("-rf.ipsw"));
	assert_false(ipsw_name_is_plain(".ipsw"));
	assert_true(ipsw_name_is_plain("a.ipsw"));
}

static void test_hashes_and_sizes(void **state)
{
	struct ipsw ipsw = {};

	assert_int_equal(ipsw_set_hash(&ipsw, "B8D93AF9335B4182CF4ED5160CF4CA63E25D131A"), 0);
	assert_string_equal(ipsw.sha1, "b8d93af9335b4182cf4ed5160cf4ca63e25d131a");
	assert_int_equal(ipsw_set_hash(&ipsw, "B8D93AF9335B4182CF4ED5160CF4CA63E25D131"), -EINVAL);
	assert_int_equal(ipsw_set_hash(&ipsw, "G8D93AF9335B4182CF4ED5160CF4CA63E25D131A"), -EINVAL);
	assert_int_equal(ipsw_set_hash(&ipsw, ""), -EINVAL);
	assert_string_equal(ipsw.sha256, "");
	assert_true(ipsw_size_is_sane(11519036732, false)); /* the largest of August 2026 */
	assert_false(ipsw_size_is_sane(49999999, false));
	assert_true(ipsw_size_is_sane(49999999, true));
	assert_false(ipsw_size_is_sane(20000000001, true));
	assert_false(ipsw_size_is_sane(0, true));
}

static void test_builds(void **state)
{
	static const char *const rising[] = { "nonsense", "7E18",  "10B500", "19H422", "20H392",
					      "23C71",    "23G71", "23G83",  "23G83a", "23G6083" };

	for (size_t i = 0; i < ARRAY_LEN(rising); i++)
		for (size_t j = 0; j < ARRAY_LEN(rising); j++) {
			int order = ipsw_build_compare(rising[i], rising[j]);

			assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
		}
	assert_true(ipsw_build_is_final("23G83"));
	assert_true(ipsw_build_is_final("22A3354"));
	assert_false(ipsw_build_is_final("23G6083"));
	assert_false(ipsw_build_is_final("23A5260n"));
	assert_false(ipsw_build_is_final("23G83 "));
	assert_false(ipsw_build_is_final("G83"));
	assert_false(ipsw_build_is_final(""));
}

static void test_products(void **state)
{
	assert_true(ipsw_product_is_plain("iPhone14,5"));
	assert_false(ipsw_product_is_plain("iPhone14"));
	assert_false(ipsw_product_is_plain("iPhone14,5/../x"));
	assert_false(ipsw_product_is_plain("14,5"));
	assert_false(ipsw_product_is_plain(""));
}

static void test_json(void **state)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL, *foreign = NULL;
	struct ipsw ipsw = { .product = "iPhone14,5", .size = 7, .verified = true }, back;
	struct error err = {};

	assert_int_equal(ipsw_set_url(&ipsw, GOOD), 0);
	assert_int_equal(ipsw_to_json(&ipsw, &object, NULL), 0);
	assert_int_equal(ipsw_from_json(object, &back, NULL), 0);
	assert_memory_equal(&ipsw, &back, sizeof(ipsw));
	assert_true(sd_json_parse("{\"size\":7,\"colour\":\"red\"}", 0, &foreign, NULL, NULL) >= 0);
	assert_true(ipsw_from_json(foreign, &back, &err) < 0);
	assert_int_equal(err.kind, ERROR_USAGE);
}

static void test_ranges(void **state)
{
	static const char *const bad[] = {
		"",
		"bytes */10",
		"bytes 0-9",
		"bytes 5-4/10",
		"bytes 0-10/10",
		"bytes -1-9/10",
		"bytes 0-9/10 ",
		"bytes  0-9/10",
		"items 0-9/10",
		"bytes 0-9/*",
		"bytes +0-9/10",
		"0-9/10",
		"bytes 0-9/99999999999999999999999",
	};
	uint64_t first, last, total;

	assert_int_equal(http_range_parse("bytes 5-9/11519036732", &first, &last, &total), 0);
	assert_int_equal(first, 5);
	assert_int_equal(last, 9);
	assert_int_equal(total, 11519036732);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (http_range_parse(bad[i], &first, &last, &total) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
}

static void test_answers(void **state)
{
	/* of a file of 100 bytes with the ETag "a" */
	static const struct {
		struct http_head head;
		uint64_t at, end;
		enum fetch_answer answer;
	} rows[] = {
		{ { .status = 200, .has_length = true, .length = 100 }, 0, 50, FETCH_TAKE },
		{ { .status = 200 }, 0, 50, FETCH_TAKE },
		{ { .status = 200, .has_length = true, .length = 100 }, 40, 50, FETCH_REWIND },
		{ { .status = 200, .etag = "\"a\"" }, 40, 50, FETCH_REWIND },
		{ { .status = 200, .etag = "\"b\"" }, 40, 50, FETCH_CHANGED },
		{ { .status = 200, .has_length = true, .length = 99 }, 0, 50, FETCH_WRONG },
		{ { .status = 200, .has_length = true, .length = 99 }, 40, 50, FETCH_WRONG },
		{ { .status = 200, .type = "text/html" }, 0, 50, FETCH_WRONG },
		{ { .status = 206, .type = "text/html", .range = "bytes 0-49/100" },
		  0,
		  50,
		  FETCH_WRONG },
		{ { .status = 200, .coding = "gzip" }, 0, 50, FETCH_WRONG },
		{ { .status = 206, .range = "bytes 40-49/100", .etag = "\"a\"" },
		  40,
		  50,
		  FETCH_TAKE },
		{ { .status = 206, .range = "bytes 40-49/100" }, 40, 50, FETCH_TAKE },
		{ { .status = 206, .range = "bytes 40-49/100", .etag = "\"b\"" },
		  40,
		  50,
		  FETCH_CHANGED },
		{ { .status = 206, .range = "bytes 41-49/100" }, 40, 50, FETCH_WRONG },
		{ { .status = 206, .range = "bytes 40-48/100" }, 40, 50, FETCH_WRONG },
		{ { .status = 206, .range = "bytes 40-50/100" }, 40, 50, FETCH_WRONG },
		{ { .status = 206, .range = "bytes 40-99/100" }, 40, 50, FETCH_WRONG },
		{ { .status = 206, .range = "bytes 40-49/101" }, 40, 50, FETCH_WRONG },
		{ { .status = 206, .range = "bytes 40-49/100", .has_length = true, .length = 9 },
		  40,
		  50,
		  FETCH_WRONG },
		{ { .status = 206 }, 40, 50, FETCH_WRONG },
		{ { .status = 416 }, 40, 50, FETCH_CHANGED },
		{ { .status = 416 }, 0, 50, FETCH_WRONG },
		{ { .status = 412 }, 40, 50, FETCH_CHANGED },
		{ { .status = 429 }, 40, 50, FETCH_LATER },
		{ { .status = 503 }, 40, 50, FETCH_LATER },
		{ { .status = 500 }, 40, 50, FETCH_WRONG },
		{ { .status = 404 }, 40, 50, FETCH_GONE },
		{ { .status = 403 }, 0, 50, FETCH_GONE },
		{ { .status = 302 }, 0, 50, FETCH_WRONG },
		{ { .status = 204 }, 0, 50, FETCH_WRONG },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fetch_asked asked = { rows[i].at, rows[i].end, 100, "\"a\"" };
		const char *why = "unset";
		enum fetch_answer answer = fetch_answer_judge(&rows[i].head, &asked, &why);

		if (answer != rows[i].answer)
			fail_msg("row %zu: %d", i, (int)answer);
		assert_int_equal(why == NULL, answer == FETCH_TAKE);
	}
}

static const char *fault_text(CURLcode code, long verify, int64_t now_s, int64_t server_now_s,
			      struct error *err)
{
	struct http_fault fault = { code, verify, "api.ipsw.me", now_s, server_now_s };

	assert_true(http_fault_set(err, &fault) < 0);
	assert_int_equal(err->kind, ERROR_NETWORK);
	assert_non_null(strstr(err->text, "api.ipsw.me"));
	return err->text;
}

static void test_faults(void **state)
{
	static const int64_t today = 1787000000, long_ago = 946684800;
	const CURLcode bad = CURLE_PEER_FAILED_VERIFICATION;
	struct error err;

	assert_non_null(
	    strstr(fault_text(CURLE_COULDNT_RESOLVE_HOST, 0, 0, 0, &err), "no network"));
	assert_non_null(strstr(fault_text(CURLE_OPERATION_TIMEDOUT, 0, 0, 0, &err), "in time"));
	assert_non_null(strstr(fault_text(CURLE_TOO_MANY_REDIRECTS, 0, 0, 0, &err), "Try again"));
	/* an empty battery: the clock is years behind, and the server says so */
	assert_non_null(
	    strstr(fault_text(bad, X509_V_ERR_CERT_NOT_YET_VALID, long_ago, today, &err),
		   "clock is wrong: it says 2000-01-01"));
	assert_non_null(strstr(fault_text(bad, X509_V_ERR_CERT_HAS_EXPIRED, today * 2, today, &err),
			       "clock is wrong"));
	/* the server agrees with our clock: it is the certificate */
	assert_non_null(strstr(fault_text(bad, X509_V_ERR_CERT_HAS_EXPIRED, today, today + 5, &err),
			       "out of date"));
	assert_non_null(strstr(fault_text(bad, X509_V_ERR_CERT_NOT_YET_VALID, today, 0, &err),
			       "not valid yet"));
	assert_non_null(
	    strstr(fault_text(bad, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, long_ago, today, &err),
		   "cannot prove it"));
}

static void test_room(void **state)
{
	static const uint64_t gib = 1ULL << 30;
	const struct space disk = { .free_bytes = 10 * gib };
	const struct space ram = { .free_bytes = 10 * gib,
				   .is_ram = true,
				   .memory_bytes = 2 * gib };
	const struct space fat = { .free_bytes = 100 * gib, .is_fat = true };
	struct error err = {};

	assert_int_equal(space_check(&disk, 9 * gib, 9 * gib, "/f", &err), 0);
	assert_int_equal(space_check(&disk, 10 * gib, 11 * gib, "/f", &err), -ENOSPC);
	assert_int_equal(err.kind, ERROR_NO_SPACE);
	assert_non_null(strstr(err.text, "/f: the firmware needs 10.7 GB more, 10.7 GB are free"));
	assert_int_equal(space_check(&ram, gib, gib, "/f", &err), 0);
	assert_int_equal(space_check(&ram, 7 * (gib / 4), 2 * gib, "/f", &err), -ENOSPC);
	assert_non_null(strstr(err.text, "Not enough memory"));
	assert_int_equal(space_check(&fat, 4 * gib - 1, 4 * gib - 1, "/f", &err), 0);
	assert_int_equal(space_check(&fat, 1, 4 * gib, "/f", &err), -ENOSPC);
	assert_non_null(strstr(err.text, "FAT"));
	assert_int_equal(space_write_error(EROFS, "/f", &err), -ENOSPC);
	assert_non_null(strstr(err.text, "read-only"));
	assert_int_equal(space_write_error(ENOENT, "/f", &err), -ENOSPC);
	assert_non_null(strstr(err.text, "/f is gone"));
	assert_int_equal(space_write_error(EIO, "/f", &err), -ENOSPC);
	assert_non_null(strstr(err.text, "worn out"));
}

static void test_host_map(void **state)
{
	static const char *const bad[] = { "api.ipsw.me",           "api.ipsw.me:443",
					   "api.ipsw.me 1.2.3.4:5", "api.ipsw.me:443 1.2.3.4",
					   "a:1 b:2 c:3",           ":1 b:2" };
	_cleanup_free_ char *entry = NULL;

	assert_int_equal(http_hooks_map_line("api.ipsw.me:443 10.0.2.2:8443\n", &entry), 0);
	assert_string_equal(entry, "api.ipsw.me:443:10.0.2.2:8443");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char *other = NULL;

		if (http_hooks_map_line(bad[i], &other) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
	}
	assert_int_equal(http_hooks_map_line("# comment\n", &entry), 1);
	assert_int_equal(http_hooks_map_line("  \n", &entry), 1);
}

static void test_digest(void **state)
{
	_cleanup_(digest_freep) struct digest *digest = NULL;
	struct ipsw ipsw = {};

	assert_int_equal(digest_new(&digest), 0);
	assert_false(digest_fits(digest, &ipsw)); /* nothing known is no proof */
	assert_int_equal(digest_add(digest, "a", 1), 0);
	assert_int_equal(digest_add(digest, "bc", 2), 0);
	assert_int_equal(ipsw_set_hash(&ipsw, "a9993e364706816aba3e25717850c26c9cd0d89d"), 0);
	assert_true(digest_fits(digest, &ipsw));
	/* both are known, one is wrong */
	assert_int_equal(ipsw_set_hash(&ipsw, "ba7816bf8f01cfea414140de5dae2223"
					      "b00361a396177a9cb410ff61f20015ae"),
			 0);
	assert_false(digest_fits(digest, &ipsw));
}

/* --- ends of zips */

static size_t put(uint8_t *to, uint64_t value, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = (uint8_t)(value >> (8 * i));
	return n;
}

static void end_put(uint8_t to[static 22], uint16_t members, uint32_t bytes, uint32_t offset)
{
	memset(to, 0, 22);
	memcpy(to, "PK\5\6", 4);
	put(to + 8, members, 2);
	put(to + 10, members, 2);
	put(to + 12, bytes, 4);
	put(to + 16, offset, 4);
}

static void test_archive_ends(void **state)
{
	static const uint8_t head[] = { 'P', 'K', 3, 4 };
	static const uint8_t html[] = { '<', 'h', 't', 'm' };
	struct archive_end end = {};
	uint8_t tail[64] = {};

	end_put(tail + 42, 3, 42, 0);
	assert_int_equal(archive_end_read(head, tail, 64, 64, &end), ARCHIVE_WHOLE);
	assert_int_equal(end.members, 3);
	assert_int_equal(archive_end_read(html, tail, 64, 64, &end), ARCHIVE_NO_ZIP);
	/* one byte is missing; one too many; a directory that does not end there */
	assert_int_equal(archive_end_read(head, tail, 63, 63, &end), ARCHIVE_CUT);
	assert_int_equal(archive_end_read(head, tail, 64, 65, &end), ARCHIVE_CUT);
	end_put(tail + 42, 3, 41, 0);
	assert_int_equal(archive_end_read(head, tail, 64, 64, &end), ARCHIVE_CUT);
	assert_int_equal(archive_end_read(head, tail, 0, 0, &end), ARCHIVE_CUT);
	/* more directory than any firmware has */
	end_put(tail + 42, 3, 64U << 20, 0);
	assert_int_equal(archive_end_read(head, tail, 64, (64U << 20) + 22, &end), ARCHIVE_HOSTILE);
}

static void test_archive_ends_of_zip64(void **state)
{
	static const uint8_t head[] = { 'P', 'K', 3, 4 };
	static const uint64_t start = 11519036732; /* where the directory stands */
	struct archive_end end = {};
	uint8_t tail[30 + 56 + 20 + 22] = {};
	uint8_t *record = tail + 30, *locator = record + 56;

	memcpy(record, "PK\6\6", 4);
	put(record + 4, 44, 8);
	put(record + 32, 200000, 8);
	put(record + 40, 30, 8);
	put(record + 48, start, 8);
	memcpy(locator, "PK\6\7", 4);
	put(locator + 8, start + 30, 8);
	end_put(locator + 20, 0xffff, 0xffffffff, 0xffffffff);
	assert_int_equal(archive_end_read(head, tail, sizeof(tail), start + sizeof(tail), &end),
			 ARCHIVE_HOSTILE);
	put(record + 32, 2000, 8);
	assert_int_equal(archive_end_read(head, tail, sizeof(tail), start + sizeof(tail), &end),
			 ARCHIVE_WHOLE);
	assert_int_equal(end.directory_offset, start);
	assert_int_equal(end.members, 2000);
	put(locator + 8, start, 8);
	assert_int_equal(archive_end_read(head, tail, sizeof(tail), start + sizeof(tail), &end),
			 ARCHIVE_CUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_name_of_url),
		cmocka_unit_test(test_hashes_and_sizes),
		cmocka_unit_test(test_builds),
		cmocka_unit_test(test_products),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_host_map),
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_archive_ends),
		cmocka_unit_test(test_archive_ends_of_zip64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
