/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lists of firmware and build manifests: made ones, and real ones where they lie beside the tree.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "unit.h"
#include "worker/catalogue_parse.h"
#include "worker/manifest.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { DATA_BYTES_MAX = 32 * 1024 * 1024 };

#define SHA1_A    "94b8cfcd85de64dc6bb18287c340d5abe92109c3"
#define SHA1_B    "0000000000000000000000000000000000000001"
#define URL(name) "https://updates.cdn-apple.com/x/" name "_Restore.ipsw"
#define RECORD(build, sha1, size, url)                                                             \
	"{\"identifier\":\"iPhone12,1\",\"version\":\"26\",\"buildid\":\"" build                   \
	"\",\"sha1sum\":\"" sha1 "\",\"sha256sum\":\"\",\"md5sum\":null,\"filesize\":" size        \
	",\"url\":\"" url "\",\"signed\":false}"
#define DEVICE(records) "{\"identifier\":\"iPhone12,1\",\"firmwares\":[" records "]}"

/* The whole file of real data with a NUL behind it; skips the test if it is not there. */
static char *data_load(const char *name, size_t *ret_bytes)
{
	const char *folder = getenv("IDR_DATA");
	_cleanup_close_ int fd = -1;
	char path[512], *text = NULL;

	snprintf(path, sizeof(path), "%s/%s", folder ? folder : "../shared/data", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		print_message("no real data at %s: skipped\n", path);
		skip();
	}
	assert_int_equal(file_read_whole(fd, DATA_BYTES_MAX, &text, ret_bytes), 0);
	return text;
}

static int ipswme(const char *text, struct catalogue_list *list, struct error *err)
{
	return catalogue_ipswme_parse(text, strlen(text), "iPhone12,1", false, list, err);
}

static void test_rules(void **state)
{
	static const char *const refused[] = {
		RECORD("23G83", SHA1_A, "9817608274", "https://evil.example/x_Restore.ipsw"),
		RECORD("23G83", "94b8", "9817608274", URL("x")),
		RECORD("23G83", "", "9817608274", URL("x")),
		RECORD("23G83", SHA1_A, "-5", URL("x")),
		RECORD("23G83", SHA1_A, "5", URL("x")),
		RECORD("23G83", SHA1_A, "4611686018427387904", URL("x")),
		RECORD("23G83", SHA1_A, "\"9817608274\"", URL("x")),
		RECORD("23A5260n", SHA1_A, "9817608274", URL("x")),
		RECORD("23G6083", SHA1_A, "9817608274", URL("x")),
		"null",
		"[]",
		"7",
	};

	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		_cleanup_(catalogue_list_done) struct catalogue_list list = {};
		char text[1024];

		snprintf(text, sizeof(text), "{\"identifier\":\"iPhone12,1\",\"firmwares\":[%s]}",
			 refused[i]);
		assert_int_equal(ipswme(text, &list, NULL), 0);
		if (list.count != 0 || list.refused != 1)
			fail_msg("taken: %s", refused[i]);
	}
}

static void test_no_answers(void **state)
{
	static const char *const texts[] = {
		"",
		"null",
		"[]",
		"<html></html>",
		"{\"identifier\":\"iPhone12,3\",\"firmwares\":[]}",
		"{\"identifier\":\"iPhone12,1\"}",
		"{\"identifier\":\"iPhone12,1\",\"firmwares\":{}}",
		"{\"identifier\":\"iPhone12,1\",\"firmwares\":[",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		_cleanup_(catalogue_list_done) struct catalogue_list list = {};
		struct error err = {};

		assert_int_equal(ipswme(texts[i], &list, &err), -EBADMSG);
		assert_int_equal(err.kind, ERROR_NETWORK);
		assert_int_equal(catalogue_itunes_parse(texts[i], strlen(texts[i]), "iPhone12,1",
							false, &list, &err),
				 -EBADMSG);
		assert_int_equal(err.kind, ERROR_NETWORK);
	}
}

/* The newest of both, merged; NULL: none. */
static const struct ipsw *newest_of(struct catalogue_list *merged, const struct catalogue_list *a,
				    const struct catalogue_list *b, const char *build)
{
	const struct catalogue_entry *entry;

	catalogue_list_done(merged);
	assert_int_equal(catalogue_list_merge(merged, a), 0);
	assert_int_equal(catalogue_list_merge(merged, b), 0);
	catalogue_list_finish(merged);
	entry = catalogue_list_find(merged, build);
	return entry ? &entry->ipsw : NULL;
}

static void test_choice(void **state)
{
	_cleanup_(catalogue_list_done) struct catalogue_list one = {}, other = {}, none = {};
	_cleanup_(catalogue_list_done) struct catalogue_list liar = {}, merged = {};
	const struct ipsw *ipsw;

	assert_int_equal(ipswme(DEVICE(RECORD("23G71", SHA1_B, "60000000", URL("a")) "," RECORD(
				    "23G83", SHA1_A, "60000000",
				    URL("b")) "," RECORD("9B206", SHA1_B, "60000000", URL("c"))),
				&one, NULL),
			 0);
	assert_int_equal(
	    ipswme(DEVICE(RECORD("23G83", SHA1_A, "60000000", URL("d"))), &other, NULL), 0);
	assert_int_equal(ipswme(DEVICE(RECORD("23G83", SHA1_B, "60000000", URL("b"))), &liar, NULL),
			 0);
	assert_int_equal(one.count, 3);
	assert_string_equal(newest_of(&merged, &one, &none, NULL)->build, "23G83");
	assert_non_null(newest_of(&merged, &one, &other, NULL));
	ipsw = newest_of(&merged, &one, &other, "23G71");
	assert_string_equal(ipsw->sha1, SHA1_B);
	assert_null(newest_of(&merged, &one, &other, "23G72"));
	assert_null(newest_of(&merged, &none, &none, NULL));
	assert_true(newest_of(&merged, &one, &liar, NULL)->conflict);
	/* what is not asked for may differ */
	assert_false(newest_of(&merged, &one, &liar, "23G71")->conflict);
}

/* --- the object */

static void test_ipsw_round_trip(void **state)
{
	struct ipsw ipsw = { .product = "iPhone14,5",
			     .build = "23G83",
			     .sources = "image appledb",
			     .said_signed = "no",
			     .released_ms = 1755450000000,
			     .confirmed = true,
			     .conflict = true },
		    empty = {}, back;
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL, *none = NULL;

	assert_int_equal(ipsw_to_json(&ipsw, &object, NULL), 0);
	assert_int_equal(ipsw_from_json(object, &back, NULL), 0);
	assert_memory_equal(&back, &ipsw, sizeof(ipsw));
	assert_int_equal(ipsw_to_json(&empty, &none, NULL), 0);
	assert_int_equal(sd_json_variant_elements(none), 2); /* verified and its value */
}

static void test_ipsw_refused(void **state)
{
	static const char *const texts[] = {
		"{\"said_signed\":\"maybe\"}", "{\"confirmed\":\"yes\"}", "{\"conflict\":null}",
		"{\"released_ms\":-1}",        "{\"sources\":7}",         "{\"source\":\"image\"}",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
		struct error err = {};
		struct ipsw ipsw;

		assert_int_equal(sd_json_parse(texts[i], 0, &object, NULL, NULL), 0);
		assert_true(ipsw_from_json(object, &ipsw, &err) < 0);
		assert_int_equal(err.kind, ERROR_USAGE);
	}
}

/* --- manifests */

#define TEXT(key, value) "<key>" key "</key><string>" value "</string>"
#define IDENTITY(board, variant, more)                                                             \
	"<dict><key>Info</key><dict>" TEXT("DeviceClass", board) TEXT("Variant", variant) more     \
	    "</dict><key>Manifest</key><dict><key>OS</key><dict><key>Info</key><dict>" TEXT(       \
		"Path", "os.dmg") "</dict></dict></dict></dict>"
#define MANIFEST(identities)                                                                       \
	"<?xml version=\"1.0\"?><plist version=\"1.0\"><dict>" TEXT("ProductVersion", "26.2.1")    \
	    TEXT("ProductBuildVersion",                                                            \
		 "23C71") "<key>SupportedProductTypes</key><array>"                                \
			  "<string>iPhone14,5</string></array><key>BuildIdentities</"              \
			  "key><array>" identities "</array></dict></plist>"
#define ERASES TEXT("RestoreBehavior", "Erase")
#define KEEPS  TEXT("RestoreBehavior", "Update")

static int variants_of(const char *text, const char *board, struct manifest_variant *ret_first,
		       struct error *err)
{
	_cleanup_(manifest_freep) struct manifest *manifest = NULL;
	struct manifest_variant variants[MANIFEST_VARIANTS_MAX];
	int r = manifest_parse(text, strlen(text), &manifest, err);

	if (r == 0)
		r = manifest_variants(manifest, board, variants, err);
	if (r > 0 && ret_first) {
		*ret_first = variants[0];
		ret_first->name = ret_first->os_path = NULL; /* end with the manifest */
	}
	return r;
}

static void test_variants(void **state)
{
	struct manifest_variant first;
	struct error err = {};

	assert_int_equal(
	    variants_of(MANIFEST(IDENTITY("D17AP", "Customer Erase Install (IPSW)", ERASES)
				     IDENTITY("d17ap", "Customer Upgrade Install (IPSW)", KEEPS)),
			"d17ap", &first, NULL),
	    2);
	assert_true(first.erases);
	assert_int_equal(variants_of(MANIFEST(IDENTITY("d17ap", "Research Customer Erase", ERASES)
						  IDENTITY("d17ap", "Customer Upgrade", KEEPS)),
				     "d17ap", &first, NULL),
			 1);
	assert_false(first.erases);
	assert_true(variants_of(MANIFEST(IDENTITY("d16ap", "Customer Erase", ERASES)), "d17ap",
				NULL, &err) < 0);
	assert_int_equal(err.kind, ERROR_BAD_FILE);
	assert_non_null(strstr(err.text, "nothing for board d17ap"));
}

/* What the engine would do with the data is unknown, so it does not exist. */
static void test_variants_in_doubt(void **state)
{
	static const char *const texts[] = {
		MANIFEST(IDENTITY("d17ap", "Customer Upgrade", "")),
		MANIFEST(IDENTITY("d17ap", "Customer Upgrade", TEXT("RestoreBehavior", "update"))),
		MANIFEST(IDENTITY("d17ap", "Customer Upgrade", TEXT("RestoreBehavior", "Wipe"))),
		MANIFEST(IDENTITY("d17ap", "Customer Upgrade Install (IPSW)", ERASES)),
		MANIFEST(IDENTITY("d17ap", "Customer Software Update", ERASES)),
		MANIFEST(IDENTITY("d17ap", "Customer Erase Install (IPSW)", KEEPS)),
		MANIFEST(IDENTITY("d17ap", "", ERASES)),
		MANIFEST(IDENTITY("d17ap", "x", ERASES) IDENTITY("d17ap", "X", KEEPS)),
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct error err = {};

		if (variants_of(texts[i], "d17ap", NULL, &err) >= 0)
			fail_msg("taken: %s", texts[i]);
		assert_int_equal(err.kind, ERROR_BAD_FILE);
	}
}

static void test_no_manifests(void **state)
{
	static const char *const texts[] = {
		"",
		"{}",
		"bplist00",
		"<?xml",
		"<?xml version=\"1.0\"?><plist><array/></plist>",
		"<?xml version=\"1.0\"?><plist><dict/></plist>",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct error err = {};

		assert_true(variants_of(texts[i], "d17ap", NULL, &err) < 0);
		assert_int_equal(err.kind, ERROR_BAD_FILE);
	}
}

static void test_real_manifests(void **state)
{
	static const struct {
		const char *name, *build, *board;
		int variants; /* negative: none that can be used */
	} rows[] = {
		{ "iPhone10,3_iPhone10,6_11.2_15C114", "15C114", "d22ap", 2 },
		{ "iPhone10,3_iPhone10,6_11.2_15C114", "15C114", "D221AP", 2 },
		{ "iPhone13,2_iPhone13,3_26.2.1_23C71", "23C71", "d53gap", 2 },
		{ "iPhone13,2_iPhone13,3_26.2.1_23C71", "23C71", "d53pap", 2 },
		{ "iPhone13,2_iPhone13,3_26.2.1_23C71", "23C71", "d52gap", -1 },
		{ "iPhone7,2_8.4.1_12H321", "12H321", "n61ap", 2 },
		{ "iPhone9,x_iPhone10,x_13.5.1_17F80", "17F80", "d10ap", 2 },
		{ "iPhone9,x_iPhone10,x_15.4_19E241", "19E241", "d201ap", 2 },
		/* called an update, erases */
		{ "OTA_iPhone6,1_10.3.3", "14G60", "n51ap", -1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(manifest_freep) struct manifest *manifest = NULL;
		struct manifest_variant variants[MANIFEST_VARIANTS_MAX];
		_cleanup_free_ char *text = NULL;
		char name[128];
		size_t n;
		int count;

		snprintf(name, sizeof(name), "buildmanifest/%s.plist", rows[i].name);
		text = data_load(name, &n);
		assert_int_equal(manifest_parse(text, n, &manifest, NULL), 0);
		assert_string_equal(manifest_build(manifest), rows[i].build);
		count = manifest_variants(manifest, rows[i].board, variants, NULL);
		assert_int_equal(count < 0 ? -1 : count, rows[i].variants);
		for (int j = 0; j < count; j++) {
			assert_int_equal(
			    variants[j].erases,
			    strcmp(variants[j].name, "Customer Erase Install (IPSW)") == 0);
			assert_non_null(strstr(variants[j].os_path, ".dmg"));
			assert_true(variants[j].path_count >= 8);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_no_answers),
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_ipsw_round_trip),
		cmocka_unit_test(test_ipsw_refused),
		cmocka_unit_test(test_variants),
		cmocka_unit_test(test_variants_in_doubt),
		cmocka_unit_test(test_no_manifests),
		cmocka_unit_test(test_real_manifests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
