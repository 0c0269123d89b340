/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What each source of firmware sends, what becomes of it when they are merged, and what is kept:
 * made answers, and the real ones where they lie beside the tree (else skipped, with the path).
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "facts/facts.h"
#include "unit.h"
#include "worker/catalogue_store.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { DATA_BYTES_MAX = 32 * 1024 * 1024, IMAGE_PRODUCTS = 175 };

#define SHA1_A    "94b8cfcd85de64dc6bb18287c340d5abe92109c3"
#define SHA1_B    "0000000000000000000000000000000000000001"
#define SHA256_A  "3758abf5269498b9f1caeb5d4fa62d5f6f3c1adfc4907c75a2917dbb446de0bd"
#define URL(name) "https://updates.cdn-apple.com/x/" name "_Restore.ipsw"

static const char *data_folder(void)
{
	const char *folder = getenv("IDR_DATA");

	return folder ? folder : "../shared/data";
}

/* The whole file of real data with a NUL behind it; skips the test if it is not there. */
static char *data_load(const char *name, size_t *ret_bytes)
{
	_cleanup_close_ int fd = -1;
	char path[512], *text = NULL;

	snprintf(path, sizeof(path), "%s/%s", data_folder(), name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		print_message("no real data at %s: skipped\n", path);
		skip();
	}
	assert_int_equal(file_read_whole(fd, DATA_BYTES_MAX, &text, ret_bytes), 0);
	return text;
}

static const struct ipsw *found(struct catalogue_list *list, const char *build)
{
	const struct catalogue_entry *entry;

	catalogue_list_finish(list);
	entry = catalogue_list_find(list, build);
	if (!entry)
		fail_msg("no %s", build ? build : "entry");
	return &entry->ipsw;
}

/* --- real answers */

static void test_real_ipswme(void **state)
{
	char folder[512];
	DIR *answers;
	size_t products = 0;

	snprintf(folder, sizeof(folder), "%s/ipswme/assembled_v4_device", data_folder());
	answers = opendir(folder);
	if (!answers) {
		print_message("no real data at %s: skipped\n", folder);
		skip();
	}
	for (const struct dirent *file; (file = readdir(answers));) {
		_cleanup_(catalogue_list_done) struct catalogue_list list = {};
		_cleanup_free_ char *text = NULL;
		char name[512], product[64] = "";
		size_t n;

		if (sscanf(file->d_name, "%63[^.].json", product) != 1)
			continue;
		snprintf(name, sizeof(name), "ipswme/assembled_v4_device/%s", file->d_name);
		text = data_load(name, &n);
		if (catalogue_ipswme_parse(text, n, product, false, &list, NULL) != 0)
			fail_msg("%s is not taken", name);
		assert_int_equal(list.refused, 0);
		assert_string_equal(found(&list, NULL)->product, product);
		assert_int_not_equal(found(&list, NULL)->said_signed[0], '\0');
		products++;
	}
	closedir(answers);
	assert_int_equal(products, 19);
}

/* A third party's word on signing is wrong at times: it is told, and nothing is left out for it. */
static void test_said_signed(void **state)
{
	_cleanup_(catalogue_list_done) struct catalogue_list list = {};
	_cleanup_free_ char *text = NULL;
	size_t n;

	text = data_load("ipswme/assembled_v4_device/iPhone11,4.json", &n);
	assert_int_equal(catalogue_ipswme_parse(text, n, "iPhone11,4", false, &list, NULL), 0);
	assert_string_equal(found(&list, NULL)->build, "22H374");
	assert_string_equal(found(&list, NULL)->said_signed, "no");
	assert_int_equal(found(&list, NULL)->released_ms, 1786988960000); /* 2026-08-17T17:49:20Z */
}

static void test_bad_ipswme(void **state)
{
	static const char *const names[] = { "cloudflare_challenge.html", "empty.json",
					     "truncated.json", "wrong_identifier.json",
					     "hostile_url.json" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		_cleanup_(catalogue_list_done) struct catalogue_list list = {};
		_cleanup_free_ char *text = NULL;
		char name[128];
		size_t n;
		int r;

		snprintf(name, sizeof(name), "ipswme/bad/%s", names[i]);
		text = data_load(name, &n);
		r = catalogue_ipswme_parse(text, n, "iPhone12,1", false, &list, NULL);
		assert_int_equal(list.count, 0);
		assert_true(r == -EBADMSG || list.refused == 2);
	}
}

static void test_real_itunes(void **state)
{
	static const struct {
		const char *product, *build;
	} rows[] = { { "iPhone8,1", "19H422" },
		     { "iPad16,3", "23G83" },
		     { "iPhone12,1", "23G83" } };
	_cleanup_(catalogue_list_done) struct catalogue_list all = {}, none = {};
	_cleanup_free_ char *text = NULL;
	size_t n;

	text = data_load("itunes_version/SYNTHETIC_version.plist", &n);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(catalogue_list_done) struct catalogue_list list = {};

		assert_int_equal(
		    catalogue_itunes_parse(text, n, rows[i].product, false, &list, NULL), 0);
		assert_int_equal(list.refused, 0);
		assert_string_equal(found(&list, NULL)->build, rows[i].build);
		assert_int_equal(found(&list, NULL)->size, 0);
		assert_int_equal(strncmp(found(&list, NULL)->url, "https://", 8), 0);
	}
	assert_int_equal(catalogue_itunes_parse(text, n, "iPhone99,9", false, &none, NULL), 0);
	assert_int_equal(none.count, 0);
	assert_int_equal(catalogue_itunes_parse(text, n, NULL, false, &all, NULL), 0);
	assert_true(all.count >= ARRAY_LEN(rows));
	assert_int_equal(all.refused, 0); /* what must be paid for is passed over */
}

static void test_real_appledb(void **state)
{
	static const struct {
		const char *name, *product, *build, *said;
		size_t count;
		bool sha1, sha256;
	} rows[] = {
		{ "23G83_trimmed", "iPhone12,1", "23G83", "yes", 1, true, true },
		{ "23G83_trimmed", "iPhone14,5", "23G83", "", 0, false, false }, /* trimmed away */
		{ "20H392_trimmed", "iPhone10,1", "20H392", "yes", 1, true, true },
		{ "14G61_trimmed", "iPad3,5", "14G61", "", 1, false, true },
		{ "23A330", "iPhone18,1", "23A330", "", 0, false, false }, /* preinstalled */
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(catalogue_list_done) struct catalogue_list list = {}, other = {};
		_cleanup_free_ char *text = NULL;
		const struct ipsw *ipsw;
		char name[128];
		size_t n;

		snprintf(name, sizeof(name), "appledb/ios_iOS;%s.json", rows[i].name);
		text = data_load(name, &n);
		assert_int_equal(catalogue_appledb_parse(text, n, rows[i].product, rows[i].build,
							 false, &list, NULL),
				 0);
		assert_int_equal(list.count, rows[i].count);
		assert_int_equal(list.refused, 0);
		assert_int_equal(
		    catalogue_appledb_parse(text, n, rows[i].product, "23G84", false, &other, NULL),
		    -EBADMSG);
		if (rows[i].count == 0)
			continue;
		ipsw = found(&list, rows[i].build);
		assert_int_equal(ipsw->sha1[0] != '\0', rows[i].sha1);
		assert_int_equal(ipsw->sha256[0] != '\0', rows[i].sha256);
		assert_string_equal(ipsw->said_signed, rows[i].said);
		assert_true(ipsw->size > 0 && ipsw->released_ms > 0);
	}
}

static void test_real_gdmf(void **state)
{
	static const struct {
		const char *name, *product, *build;
	} rows[] = {
		{ "pmv_body_2026-08-22", "iPhone12,1", "23G83" }, /* and 23G6083 */
		{ "pmv_body_2026-08-22", "iPhone10,3", "20H392" },
		{ "pmv_body_2026-08-22", "iPad7,5", "21H461" },
		{ "pmv_body_2026-08-22", "iPhone1,1", "" },
		{ "sofa_gdmf_history_2026-04-12", "iPhone10,3", NULL },
		/* not what the server sends: wrapped, and a log */
		{ "sofa_gdmf_cached_2026-08-22", "iPhone12,1", "bad" },
		{ "sofa_gdmf_log", "iPhone12,1", "bad" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_free_ char *text = NULL;
		struct catalogue_offer offer = {};
		char name[128];
		size_t n;
		int r;

		snprintf(name, sizeof(name), "gdmf/%s.json", rows[i].name);
		text = data_load(name, &n);
		r = catalogue_gdmf_parse(text, n, rows[i].product, &offer, NULL);
		if (rows[i].build && strcmp(rows[i].build, "bad") == 0) {
			assert_int_equal(r, -EBADMSG);
			continue;
		}
		assert_int_equal(r, 0);
		if (rows[i].build)
			assert_string_equal(offer.build, rows[i].build);
		else
			assert_true(ipsw_build_is_final(offer.build));
		assert_int_equal(offer.version[0] == '\0', offer.build[0] == '\0');
	}
}

/* Each list that is no answer of this source: of another one, or nothing at all. */
static void test_answers_of_others(void **state)
{
	static const char *const texts[] = {
		"",
		"null",
		"[]",
		"7",
		"<html></html>",
		"{}",
		"{\"files\":[]}",
		"{\"v\":1,\"made_ms\":1}",
		"{\"build\":\"23G84\",\"sources\":[]}",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		_cleanup_(catalogue_list_done) struct catalogue_list list = {};
		struct catalogue_offer offer = {};
		struct catalogue_own own = {};
		struct error err = {};
		size_t n = strlen(texts[i]);

		assert_int_equal(
		    catalogue_appledb_parse(texts[i], n, "iPhone12,1", "23G83", false, &list, &err),
		    -EBADMSG);
		assert_int_equal(err.kind, ERROR_NETWORK);
		assert_int_equal(catalogue_gdmf_parse(texts[i], n, "iPhone12,1", &offer, &err),
				 -EBADMSG);
		assert_int_equal(err.kind, ERROR_NETWORK);
		assert_int_equal(catalogue_own_parse(texts[i], n, NULL, CATALOGUE_IMAGE, false,
						     &list, &own, &err),
				 -EBADMSG);
		assert_int_equal(err.kind, ERROR_BAD_FILE);
	}
}

/* --- AppleDB's rules */

#define LINK(url, more) "{\"url\":\"" url "\"" more "}"
#define ACTIVE          ",\"active\":true"
#define BUILD(more, type, map, links)                                                              \
	"{\"version\":\"26.6.1\",\"build\":\"23G83\"," more                                        \
	"\"released\":\"2026-08-17\",\"sources\":[{\"type\":\"" type "\",\"deviceMap\":[\"" map    \
	"\"],\"links\":[" links "],\"hashes\":{\"sha1\":\"" SHA1_A "\",\"sha2-256\":\"" SHA256_A   \
	"\"},\"size\":9817608274}]}"

static void test_appledb_rules(void **state)
{
	static const struct {
		const char *text, *url, *said; /* url NULL: nothing is taken */
	} rows[] = {
		{ BUILD("", "ipsw", "iPhone12,1", LINK(URL("a"), ACTIVE)), URL("a"), "" },
		{ BUILD("\"signed\":true,", "ipsw", "iPhone12,1", LINK(URL("a"), ACTIVE)), URL("a"),
		  "yes" },
		{ BUILD("\"signed\":[\"iPhone12,1\"],", "ipsw", "iPhone12,1",
			LINK(URL("a"), ACTIVE)),
		  URL("a"), "yes" },
		{ BUILD("\"signed\":[\"iPhone12,3\"],", "ipsw", "iPhone12,1",
			LINK(URL("a"), ACTIVE)),
		  URL("a"), "no" },
		{ BUILD("\"signed\":\"x\",", "ipsw", "iPhone12,1", LINK(URL("a"), ACTIVE)),
		  URL("a"), "" },
		{ BUILD("", "ipsw", "iPhone12,1",
			LINK(URL("a"), ACTIVE) "," LINK(URL("b"), ACTIVE ",\"preferred\":true")),
		  URL("b"), "" },
		{ BUILD("", "ipsw", "iPhone12,1",
			LINK(URL("a"), ",\"active\":false") "," LINK(URL("b"), ACTIVE)),
		  URL("b"), "" },
		{ BUILD("", "ipsw", "iPhone12,1",
			LINK("https://evil.example/a_Restore.ipsw",
			     ACTIVE ",\"preferred\":true") "," LINK(URL("b"), ACTIVE)),
		  URL("b"), "" },
		{ BUILD("", "ipsw", "iPhone12,1", LINK(URL("a"), "")), NULL, "" },
		{ BUILD("", "ipsw", "iPhone12,1", ""), NULL, "" },
		{ BUILD("", "ota", "iPhone12,1", LINK(URL("a"), ACTIVE)), NULL, "" },
		{ BUILD("", "ipsw", "iPhone12,3", LINK(URL("a"), ACTIVE)), NULL, "" },
		{ BUILD("\"beta\":true,", "ipsw", "iPhone12,1", LINK(URL("a"), ACTIVE)), NULL, "" },
		{ BUILD("\"rc\":true,", "ipsw", "iPhone12,1", LINK(URL("a"), ACTIVE)), NULL, "" },
		{ BUILD("\"internal\":true,", "ipsw", "iPhone12,1", LINK(URL("a"), ACTIVE)), NULL,
		  "" },
		{ BUILD("\"beta\":false,\"rc\":null,", "ipsw", "iPhone12,1",
			LINK(URL("a"), ACTIVE)),
		  URL("a"), "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(catalogue_list_done) struct catalogue_list list = {};
		const char *text = rows[i].text;

		assert_int_equal(catalogue_appledb_parse(text, strlen(text), "iPhone12,1", "23G83",
							 false, &list, NULL),
				 0);
		if (list.count != (rows[i].url ? 1 : 0))
			fail_msg("%zu of %s", list.count, text);
		if (!rows[i].url)
			continue;
		assert_string_equal(list.entries[0].ipsw.url, rows[i].url);
		assert_string_equal(list.entries[0].ipsw.said_signed, rows[i].said);
	}
}

static void test_appledb_names(void **state)
{
	static const struct {
		const char *product, *build, *name;
	} rows[] = {
		{ "iPhone12,1", "23G83", "iOS;23G83" },   { "iPad7,5", "21H461", "iPadOS;21H461" },
		{ "iPad7,5", "17A577", "iPadOS;17A577" }, { "iPad4,1", "16H88", "iOS;16H88" },
		{ "iPad3,5", "14G61", "iOS;14G61" },      { "iPod9,1", "19H422", "iOS;19H422" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char name[APPLEDB_NAME_BYTES];

		catalogue_appledb_name(rows[i].product, rows[i].build, name);
		assert_string_equal(name, rows[i].name);
	}
}

/* --- Apple's version list */

#define KEY(key, value) "<key>" key "</key>" value
#define DICT(items)     "<dict>" items "</dict>"
#define STRING(text)    "<string>" text "</string>"
#define OFFER(url)                                                                                 \
	KEY("Restore",                                                                             \
	    DICT(KEY("BuildVersion", STRING("23G83")) KEY("ProductVersion", STRING("26.6.1"))      \
		     KEY("FirmwareURL", STRING(url))                                               \
			 KEY("FirmwareSHA1", STRING("94B8CFCD85DE64DC6BB18287C340D5ABE92109C3"))))
#define VERSIONS(builds)                                                                           \
	"<?xml version=\"1.0\"?><plist version=\"1.0\">" DICT(                                     \
	    KEY("MobileDeviceSoftwareVersionsByVersion",                                           \
		DICT(KEY("17", DICT(KEY("MobileDeviceSoftwareVersions",                            \
					DICT(KEY("iPhone12,1", DICT(builds))))))))) "</plist>"

static void test_itunes_rules(void **state)
{
	static const struct {
		const char *text;
		size_t count, refused;
	} rows[] = {
		{ VERSIONS(KEY("Unknown", DICT(KEY("Universal", DICT(OFFER("http://updates.cdn-"
									   "apple.com/x/"
									   "a_Restore.ipsw")))))),
		  1, 0 },
		/* a build that is the same as another, once; loops and what leads nowhere give none
		 */
		{ VERSIONS(KEY("23G83", DICT(OFFER(URL("a"))))
			       KEY("23G71", DICT(KEY("SameAs", STRING("23G83"))))),
		  2, 0 },
		{ VERSIONS(KEY("23G71", DICT(KEY("SameAs", STRING("23G71"))))), 0, 0 },
		{ VERSIONS(KEY("23G71", DICT(KEY("SameAs", STRING("23G72"))))
			       KEY("23G72", DICT(KEY("SameAs", STRING("23G71"))))),
		  0, 0 },
		{ VERSIONS(KEY("23G71", DICT(KEY("SameAs", STRING("23G99"))))), 0, 0 },
		{ VERSIONS(KEY("23G83", DICT(OFFER("protected://some.paid/firmware.ipsw")))), 0,
		  0 },
		{ VERSIONS(KEY("23G83", DICT(OFFER("https://evil.example/a_Restore.ipsw")))), 0,
		  1 },
		{ VERSIONS(KEY("23G83", STRING("x"))), 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(catalogue_list_done) struct catalogue_list list = {};
		const char *text = rows[i].text;

		assert_int_equal(
		    catalogue_itunes_parse(text, strlen(text), "iPhone12,1", false, &list, NULL),
		    0);
		if (list.count != rows[i].count || list.refused != rows[i].refused)
			fail_msg("row %zu: %zu, %zu refused", i, list.count, list.refused);
	}
}

/* --- merging */

static struct ipsw ipsw_of(const char *build, const char *sha1, const char *sha256, uint64_t size)
{
	struct ipsw ipsw = { .product = "iPhone12,1", .version = "26.6", .size = size };

	assert_int_equal(ipsw_set_url(&ipsw, URL("a")), 0);
	snprintf(ipsw.build, sizeof(ipsw.build), "%s", build);
	snprintf(ipsw.sha1, sizeof(ipsw.sha1), "%s", sha1);
	snprintf(ipsw.sha256, sizeof(ipsw.sha256), "%s", sha256);
	return ipsw;
}

static void tell(struct catalogue_list *merged, enum catalogue_source source, struct ipsw ipsw)
{
	_cleanup_(catalogue_list_done) struct catalogue_list list = {};

	assert_int_equal(catalogue_list_add(&list, &ipsw, source, false), 0);
	assert_int_equal(list.count, 1);
	assert_int_equal(catalogue_list_merge(merged, &list), 0);
}

static void test_confirmed(void **state)
{
	_cleanup_(catalogue_list_done) struct catalogue_list list = {};
	const struct ipsw *ipsw;

	tell(&list, CATALOGUE_APPLE, ipsw_of("23G83", SHA1_A, "", 0));
	assert_false(found(&list, NULL)->confirmed);
	assert_string_equal(found(&list, NULL)->sources, "apple");
	/* another hash is no second voice for the first */
	tell(&list, CATALOGUE_APPLEDB, ipsw_of("23G83", "", SHA256_A, 0));
	assert_false(found(&list, NULL)->confirmed);
	tell(&list, CATALOGUE_IPSWME, ipsw_of("23G83", SHA1_A, "", 60000000));
	ipsw = found(&list, NULL);
	assert_true(ipsw->confirmed && !ipsw->conflict);
	assert_int_equal(ipsw->size, 60000000);
	assert_string_equal(ipsw->sha256, SHA256_A);
	assert_string_equal(ipsw->sources, "apple ipsw.me appledb");
}

/* A copy of what one source said is no second source. */
static void test_copies_vouch_for_nothing(void **state)
{
	_cleanup_(catalogue_list_done) struct catalogue_list list = {}, copy = {};
	struct catalogue_entry entry = { .ipsw = ipsw_of("23G83", SHA1_A, "", 60000000),
					 .told = 1U << CATALOGUE_IMAGE,
					 .sha1_from = 1U << CATALOGUE_IPSWME };

	tell(&list, CATALOGUE_IPSWME, entry.ipsw);
	assert_int_equal(catalogue_list_add_entry(&copy, &entry, false), 0);
	assert_int_equal(catalogue_list_merge(&list, &copy), 0);
	assert_string_equal(found(&list, NULL)->sources, "image ipsw.me");
	assert_false(found(&list, NULL)->confirmed);
	tell(&list, CATALOGUE_APPLE, ipsw_of("23G83", SHA1_A, "", 0));
	assert_true(found(&list, NULL)->confirmed);
}

static void test_conflicts(void **state)
{
	static const struct {
		const char *sha1, *sha256;
		uint64_t size;
	} liars[] = {
		{ SHA1_B, SHA256_A, 60000000 },
		{ SHA1_B, "", 0 },
		{ "", "0000000000000000000000000000000000000000000000000000000000000001",
		  60000000 },
		{ SHA1_A, SHA256_A, 60000001 },
	};

	for (size_t i = 0; i < ARRAY_LEN(liars); i++) {
		_cleanup_(catalogue_list_done) struct catalogue_list list = {};

		tell(&list, CATALOGUE_IPSWME, ipsw_of("23G83", SHA1_A, SHA256_A, 60000000));
		tell(&list, CATALOGUE_APPLEDB,
		     ipsw_of("23G83", liars[i].sha1, liars[i].sha256, liars[i].size));
		/* a third that agrees with the first heals nothing */
		tell(&list, CATALOGUE_APPLE, ipsw_of("23G83", SHA1_A, "", 0));
		tell(&list, CATALOGUE_APPLE, ipsw_of("23G71", SHA1_B, "", 0));
		assert_true(found(&list, "23G83")->conflict);
		assert_false(found(&list, "23G83")->confirmed);
		assert_false(found(&list, "23G71")->conflict);
	}
}

static void test_order(void **state)
{
	static const char *const builds[] = { "9B206", "23G83", "20H392", "23A330", "23G9" };
	static const char *const sorted[] = { "23G83", "23G9", "23A330", "20H392", "9B206" };
	_cleanup_(catalogue_list_done) struct catalogue_list list = {};

	for (size_t i = 0; i < ARRAY_LEN(builds); i++)
		tell(&list, CATALOGUE_IPSWME, ipsw_of(builds[i], SHA1_A, "", 0));
	catalogue_list_finish(&list);
	for (size_t i = 0; i < ARRAY_LEN(sorted); i++)
		assert_string_equal(list.entries[i].ipsw.build, sorted[i]);
}

/* --- the image's */

static void image_parse(const char *product, struct catalogue_list *list, struct catalogue_own *own)
{
	assert_int_equal(strlen(catalogue_image), catalogue_image_bytes);
	assert_int_equal(catalogue_own_parse(catalogue_image, catalogue_image_bytes, product,
					     CATALOGUE_IMAGE, false, list, own, NULL),
			 0);
}

static void test_image(void **state)
{
	_cleanup_(catalogue_list_done) struct catalogue_list all = {}, one = {}, none = {};
	struct catalogue_own own;

	image_parse(NULL, &all, &own);
	assert_int_equal(all.count, IMAGE_PRODUCTS);
	assert_int_equal(own.entries, IMAGE_PRODUCTS);
	for (size_t i = 0; i < all.count; i++)
		if (!model_by_product(all.entries[i].ipsw.product))
			fail_msg("no model %s", all.entries[i].ipsw.product);
	image_parse("iPhone12,1", &one, &own);
	assert_int_equal(one.count, 1);
	assert_int_equal(own.entries, IMAGE_PRODUCTS);
	assert_string_equal(found(&one, NULL)->sources, "image");
	image_parse("iPhone99,9", &none, &own);
	assert_int_equal(none.count, 0);
}

/* Every product of the harvest stands in it, as it was told. */
static void test_image_is_the_harvest(void **state)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *harvest = NULL;
	_cleanup_(catalogue_list_done) struct catalogue_list all = {};
	struct catalogue_own own;
	_cleanup_free_ char *text = NULL;
	size_t n, compared = 0;

	text = data_load("ipswme/latest_per_device_2026-08-22.json", &n);
	assert_int_equal(sd_json_parse(text, 0, &harvest, NULL, NULL), 0);
	image_parse(NULL, &all, &own);
	for (size_t i = 0; i < sd_json_variant_elements(harvest); i++) {
		sd_json_variant *record = sd_json_variant_by_index(harvest, i);
		const char *product = catalogue_json_text(record, "identifier");

		for (size_t j = 0; j < all.count; j++) {
			const struct ipsw *ipsw = &all.entries[j].ipsw;

			if (strcmp(ipsw->product, product) != 0)
				continue;
			assert_string_equal(ipsw->build, catalogue_json_text(record, "buildid"));
			assert_string_equal(ipsw->sha1, catalogue_json_text(record, "sha1sum"));
			assert_int_equal(ipsw->size, catalogue_json_number(record, "filesize"));
			compared++;
		}
	}
	assert_int_equal(compared, IMAGE_PRODUCTS);
}

#define FILE_OF(more)                                                                              \
	"{\"products\":[\"iPhone12,1\"],\"version\":\"26\",\"build\":\"23G83\",\"size\":60000000," \
	"\"sha1\":\"" SHA1_A "\"," more "}"
#define OWN(files) "{\"v\":1,\"made_ms\":1000,\"files\":[" files "]}"

static void test_own_is_strict(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} rows[] = {
		{ OWN(FILE_OF("\"url\":\"" URL("a") "\"")), true },
		{ OWN(""), true },
		{ OWN(FILE_OF("\"url\":\"https://evil.example/a_Restore.ipsw\"")), false },
		{ OWN(FILE_OF("\"url\":\"" URL("a") "\",\"sha1_from\":[\"me\"]")), false },
		{ OWN(FILE_OF("\"url\":\"" URL("a") "\",\"sha256\":\"94b8\"")), false },
		{ OWN(FILE_OF("\"url\":\"" URL("a") "\",\"sha1_from\":[\"apple\"]")), true },
		/* two voices for a hash that is not there */
		{ OWN(FILE_OF("\"url\":\"" URL("a") "\",\"sha256_from\":[\"apple\",\"appledb\"]")),
		  false },
		{ OWN("{\"products\":[]}"), false },
		{ OWN("7"), false },
		{ "{\"v\":2,\"made_ms\":1000,\"files\":[]}", false },
		{ "{\"v\":1,\"made_ms\":-1,\"files\":[]}", false },
		{ "{\"v\":1,\"made_ms\":1000,\"files\":{}}", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(catalogue_list_done) struct catalogue_list list = {};
		struct catalogue_own own;
		int r = catalogue_own_parse(rows[i].text, strlen(rows[i].text), NULL,
					    CATALOGUE_REFRESHED, false, &list, &own, NULL);

		if (r != (rows[i].good ? 0 : -EBADMSG))
			fail_msg("%d for %s", r, rows[i].text);
	}
}

/* An answer of some megabytes that would need all of the worker's memory, and end it. */
static void test_bombs_of_values(void **state)
{
	static const char head[] = "{\"identifier\":\"iPhone12,1\",\"firmwares\":[0";
	static const struct {
		size_t values;
		int result;
	} rows[] = { { CATALOGUE_JSON_VALUES_MAX / 2, 0 },
		     { CATALOGUE_JSON_VALUES_MAX, -EBADMSG } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(catalogue_list_done) struct catalogue_list list = {};
		size_t room = sizeof(head) + 2 * rows[i].values + 2, n = sizeof(head) - 1;
		_cleanup_free_ char *text = malloc(room);
		struct error err = {};

		assert_non_null(text);
		memcpy(text, head, n);
		for (size_t value = 0; value < rows[i].values; value++, n += 2)
			memcpy(text + n, ",0", 2);
		memcpy(text + n, "]}", 3);
		assert_int_equal(
		    catalogue_ipswme_parse(text, n + 2, "iPhone12,1", false, &list, &err),
		    rows[i].result);
		assert_int_equal(err.kind, rows[i].result ? ERROR_NETWORK : ERROR_NONE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real_ipswme),
		cmocka_unit_test(test_said_signed),
		cmocka_unit_test(test_bad_ipswme),
		cmocka_unit_test(test_real_itunes),
		cmocka_unit_test(test_real_appledb),
		cmocka_unit_test(test_real_gdmf),
		cmocka_unit_test(test_answers_of_others),
		cmocka_unit_test(test_appledb_rules),
		cmocka_unit_test(test_appledb_names),
		cmocka_unit_test(test_itunes_rules),
		cmocka_unit_test(test_confirmed),
		cmocka_unit_test(test_copies_vouch_for_nothing),
		cmocka_unit_test(test_conflicts),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_image),
		cmocka_unit_test(test_image_is_the_harvest),
		cmocka_unit_test(test_own_is_strict),
		cmocka_unit_test(test_bombs_of_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
