/* SPDX-License-Identifier: GPL-3.0-or-later */
/* usbmuxd's folder of records and the copy that a person keeps, as files. */
#include "base/cleanup.h"
#include "unit.h"
#include "worker/record_store.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <plist/plist.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { PEM_BYTES = 4096, PATH_BYTES = 256, RECORDS_MAX = 8 };

#define UDID_A "00008110-001C20223E29401E"
#define UDID_B "00008101-000A1B2C3D000726"

struct bench {
	char base[32], store[64], copy[64];
	char *record; /* one that a session can be tried with */
	size_t record_n;
};

static void put_pem(plist_t record, const char *key, BIO *bio)
{
	char text[PEM_BYTES];
	int n = BIO_read(bio, text, sizeof(text));

	assert_true(n > 0);
	plist_dict_set_item(record, key, plist_new_data(text, (uint64_t)n));
	BIO_free(bio);
}

static void put_certificate(plist_t record, const char *key, X509 *certificate)
{
	BIO *bio = BIO_new(BIO_s_mem());

	assert_int_equal(PEM_write_bio_X509(bio, certificate), 1);
	put_pem(record, key, bio);
}

static void record_make(struct bench *bench)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();
	plist_t record = plist_new_dict();
	BIO *bio = BIO_new(BIO_s_mem());
	uint32_t n = 0;

	assert_non_null(ASN1_TIME_set(X509_getm_notBefore(certificate), 1700000000));
	assert_non_null(ASN1_TIME_set(X509_getm_notAfter(certificate), 2000000000));
	X509_set_pubkey(certificate, key);
	assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
	plist_dict_set_item(record, "HostID", plist_new_string("AAAA-1"));
	put_certificate(record, "RootCertificate", certificate);
	put_certificate(record, "HostCertificate", certificate);
	put_certificate(record, "DeviceCertificate", certificate);
	assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
	put_pem(record, "RootPrivateKey", bio);
	plist_to_xml(record, &bench->record, &n);
	bench->record_n = n;
	plist_free(record);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

/* Writes folder/name; n 0: the whole of text. */
static void put(const char *folder, const char *name, const char *text, size_t n)
{
	char path[PATH_BYTES];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "we");
	assert_non_null(file);
	n = n > 0 ? n : strlen(text);
	assert_int_equal(fwrite(text, 1, n, file), n);
	assert_int_equal(fclose(file), 0);
}

static bool is_there(const char *folder, const char *name)
{
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return access(path, F_OK) == 0;
}

static void take_away(const char *folder, const char *name)
{
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	assert_int_equal(remove(path), 0);
}

static int bench_start(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	snprintf(bench->base, sizeof(bench->base), "/tmp/idr-store-XXXXXX");
	assert_non_null(mkdtemp(bench->base));
	snprintf(bench->store, sizeof(bench->store), "%s/lockdown", bench->base);
	snprintf(bench->copy, sizeof(bench->copy), "%s/pairings", bench->base);
	assert_int_equal(mkdir(bench->store, 0700), 0);
	record_make(bench);
	put(bench->store, UDID_A ".plist", bench->record, bench->record_n);
	put(bench->store, "SystemConfiguration.plist",
	    "<?xml version=\"1.0\"?><plist version=\"1.0\"><dict><key>SystemBUID</key>"
	    "<string>B-1</string></dict></plist>",
	    0);
	*state = bench;
	return 0;
}

static int bench_end(void **state)
{
	struct bench *bench = *state;
	size_t gone;

	assert_int_equal(record_store_remove(bench->store, NULL, &gone), 0);
	assert_int_equal(rmdir(bench->store), 0);
	assert_int_equal(record_copy_unkeep(bench->copy, &gone), 0);
	/* what a test puts there besides, it takes away */
	assert_int_equal(rmdir(bench->base), 0);
	plist_mem_free(bench->record);
	free(bench);
	return 0;
}

static void test_names(void **state)
{
	assert_true(record_file_name(UDID_A ".plist"));
	assert_false(record_file_name("SystemConfiguration.plist"));
	assert_false(record_file_name(UDID_A ".plist.part"));
	assert_false(record_file_name(".plist"));
	assert_false(record_file_name("../x.plist"));
	assert_false(record_file_name("kept.json"));
	assert_false(
	    record_file_name("0123456789012345678901234567890123456789012345678901234567890"
			     "123.plist.plist"));
}

static void test_there_and_back(void **state)
{
	const struct bench *bench = *state;
	struct record_entry entries[RECORDS_MAX];
	size_t n;

	assert_false(record_copy_is_kept(bench->copy));
	assert_int_equal(record_copy_load(bench->copy, bench->store, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(record_copy_keep(bench->store, bench->copy, &n), 0);
	assert_int_equal(n, 2);
	assert_true(record_copy_is_kept(bench->copy));
	assert_int_equal(record_copy_keep(bench->store, bench->copy, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(record_copy_load(bench->copy, bench->store, &n), 0);
	assert_int_equal(n, 0); /* the store has records of its own */
	assert_int_equal(record_store_remove(bench->store, NULL, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(record_copy_load(bench->copy, bench->store, &n), 0);
	assert_int_equal(n, 1);
	assert_true(is_there(bench->store, "SystemConfiguration.plist"));
	assert_int_equal(record_store_list(bench->store, entries, RECORDS_MAX, &n), 0);
	assert_int_equal(n, 1);
	assert_string_equal(entries[0].udid, UDID_A);
	assert_false(entries[0].broken);
	assert_int_equal(record_copy_unkeep(bench->copy, &n), 0);
	assert_int_equal(n, 1);
	assert_false(is_there(bench->base, "pairings"));
}

/* The power failed at any moment: a part of a file, a copy without its end. */
static void test_half_copies(void **state)
{
	const struct bench *bench = *state;
	size_t n;

	assert_int_equal(mkdir(bench->copy, 0700), 0);
	put(bench->copy, UDID_A ".plist.part", bench->record, 100);
	put(bench->copy, UDID_B ".plist", bench->record, bench->record_n);
	assert_int_equal(record_store_remove(bench->store, NULL, &n), 0);
	assert_int_equal(record_copy_load(bench->copy, bench->store, &n), 0);
	assert_int_equal(n, 0);
	/* with its end it is one; the part is none */
	put(bench->copy, "kept.json", "{\"v\":1}\n", 0);
	assert_int_equal(record_copy_load(bench->copy, bench->store, &n), 0);
	assert_int_equal(n, 1);
	assert_true(is_there(bench->store, UDID_B ".plist"));
	/* the next copy of that record takes the part's place */
	put(bench->store, UDID_A ".plist", bench->record, bench->record_n);
	assert_int_equal(record_copy_keep(bench->store, bench->copy, &n), 0);
	assert_int_equal(n, 1);
	assert_false(is_there(bench->copy, UDID_A ".plist.part"));
}

/* A part that a power failure left holds keys, too. */
static void test_parts_go_with_the_rest(void **state)
{
	const struct bench *bench = *state;
	size_t n;

	assert_int_equal(record_copy_keep(bench->store, bench->copy, &n), 0);
	put(bench->copy, UDID_A ".plist.part", bench->record, 100);
	put(bench->copy, UDID_B ".plist.part", bench->record, bench->record_n);
	put(bench->copy, "SystemConfiguration.plist.part", "half", 0);
	assert_int_equal(record_store_remove(bench->copy, UDID_A, &n), 0);
	assert_int_equal(n, 1);
	assert_false(is_there(bench->copy, UDID_A ".plist.part"));
	assert_true(is_there(bench->copy, UDID_B ".plist.part"));
	put(bench->copy, "mine.txt.part", "stays", 0);
	assert_int_equal(record_copy_unkeep(bench->copy, &n), 0);
	assert_int_equal(n, 0);
	assert_false(is_there(bench->copy, UDID_B ".plist.part"));
	take_away(bench->copy, "mine.txt.part");
	assert_int_equal(rmdir(bench->copy), 0);
}

static void test_broken_records(void **state)
{
	const struct bench *bench = *state;
	struct record_entry entries[RECORDS_MAX];
	size_t n;

	assert_int_equal(record_copy_keep(bench->store, bench->copy, &n), 0);
	put(bench->store, UDID_A ".plist", bench->record, bench->record_n / 2);
	put(bench->store, UDID_B ".plist", "", 0);
	assert_int_equal(record_store_list(bench->store, entries, RECORDS_MAX, &n), 0);
	assert_int_equal(n, 2);
	assert_string_equal(entries[0].udid, UDID_B);
	assert_true(entries[0].broken && entries[1].broken);
	assert_int_equal(record_store_list(bench->store, entries, 1, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(record_copy_keep(bench->store, bench->copy, &n), 0);
	assert_int_equal(n, 0);
	assert_false(is_there(bench->copy, UDID_B ".plist"));
	/* nor does an identity that is none replace the good one */
	put(bench->store, "SystemConfiguration.plist", "half", 0);
	assert_int_equal(record_copy_keep(bench->store, bench->copy, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(record_store_remove(bench->store, NULL, &n), 0);
	put(bench->copy, "SystemConfiguration.plist", "half", 0);
	assert_int_equal(record_copy_load(bench->copy, bench->store, &n), 0);
	assert_int_equal(n, 1); /* the good one came back, the identity that is none did not */
	assert_false(is_there(bench->store, "SystemConfiguration.plist"));
}

static void test_foreign_files(void **state)
{
	const struct bench *bench = *state;
	char link[PATH_BYTES], other[PATH_BYTES];
	size_t n;

	snprintf(link, sizeof(link), "%s/" UDID_B ".plist", bench->copy);
	snprintf(other, sizeof(other), "%s/other", bench->base);
	put(bench->base, "other", bench->record, bench->record_n);
	assert_int_equal(mkdir(bench->copy, 0700), 0);
	assert_int_equal(symlink(other, link), 0);
	put(bench->copy, "notes.txt", "mine", 0);
	assert_int_equal(record_copy_keep(bench->store, bench->copy, &n), 0);
	assert_int_equal(record_store_remove(bench->store, NULL, &n), 0);
	assert_int_equal(record_copy_load(bench->copy, bench->store, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(record_copy_unkeep(bench->copy, &n), 0);
	assert_int_equal(n, 1);
	assert_true(is_there(bench->copy, "notes.txt") && is_there(bench->base, "other"));
	assert_false(record_copy_is_kept(bench->copy));
	take_away(bench->copy, "notes.txt");
	take_away(bench->copy, UDID_B ".plist");
	take_away(bench->base, "other");
}

static void test_one_is_forgotten(void **state)
{
	const struct bench *bench = *state;
	size_t n;

	put(bench->store, UDID_B ".plist", bench->record, bench->record_n);
	assert_int_equal(record_copy_keep(bench->store, bench->copy, &n), 0);
	assert_int_equal(record_store_remove(bench->copy, UDID_A, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(record_store_remove(bench->copy, UDID_A, &n), 0);
	assert_int_equal(n, 0);
	assert_true(record_copy_is_kept(bench->copy) && is_there(bench->copy, UDID_B ".plist"));
	assert_int_equal(record_store_remove(bench->copy, "../lockdown/" UDID_B, &n), -EINVAL);
	assert_int_equal(record_store_remove(bench->copy, "SystemConfiguration", &n), -EINVAL);
	assert_true(is_there(bench->store, UDID_B ".plist"));
}

static void test_places_that_are_none(void **state)
{
	const struct bench *bench = *state;
	char nowhere[PATH_BYTES];
	size_t n;

	snprintf(nowhere, sizeof(nowhere), "%s/no/where", bench->base);
	assert_int_equal(record_copy_keep(bench->store, nowhere, &n), -ENOENT);
	assert_int_equal(record_copy_unkeep(nowhere, &n), 0);
	/* a store that usbmuxd has not made yet has none to keep */
	assert_int_equal(record_copy_keep(nowhere, bench->copy, &n), 0);
	assert_int_equal(n, 0);
	assert_true(record_copy_is_kept(bench->copy));
	/* a link in the place of the copy is not followed */
	assert_int_equal(record_copy_unkeep(bench->copy, &n), 0);
	assert_int_equal(symlink(bench->store, bench->copy), 0);
	assert_true(record_copy_keep(bench->store, bench->copy, &n) < 0);
	assert_true(record_copy_unkeep(bench->copy, &n) < 0);
	assert_true(is_there(bench->store, UDID_A ".plist"));
	take_away(bench->base, "pairings");
}

#define BENCH_TEST(test) cmocka_unit_test_setup_teardown(test, bench_start, bench_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),          BENCH_TEST(test_there_and_back),
		BENCH_TEST(test_half_copies),          BENCH_TEST(test_broken_records),
		BENCH_TEST(test_foreign_files),        BENCH_TEST(test_one_is_forgotten),
		BENCH_TEST(test_places_that_are_none), BENCH_TEST(test_parts_go_with_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
