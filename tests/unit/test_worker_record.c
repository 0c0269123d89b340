/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pairing records, afc's answers, what only a trusted computer is told. */
#include "base/cleanup.h"
#include "unit.h"
#include "worker/afc_names.h"
#include "worker/pair_record.h"
#include "worker/property_list.h"
#include "worker/session_values.h"
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

enum { DAY_S = 24 * 60 * 60, PEM_BYTES = 4096 };

struct pems {
	char certificate[PEM_BYTES], key[PEM_BYTES];
	int64_t made_s;
};

static void bio_take(BIO *bio, char to[static PEM_BYTES])
{
	int n = BIO_read(bio, to, PEM_BYTES - 1);

	assert_true(n > 0);
	to[n] = '\0';
	BIO_free(bio);
}

static void pems_make(struct pems *pems, int64_t made_s)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();
	BIO *bio = BIO_new(BIO_s_mem());

	assert_non_null(key);
	assert_non_null(ASN1_TIME_set(X509_getm_notBefore(certificate), made_s));
	assert_non_null(ASN1_TIME_set(X509_getm_notAfter(certificate), made_s + 3650L * DAY_S));
	X509_set_pubkey(certificate, key);
	assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_bio_X509(bio, certificate), 1);
	bio_take(bio, pems->certificate);
	bio = BIO_new(BIO_s_mem());
	assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
	bio_take(bio, pems->key);
	pems->made_s = made_s;
	X509_free(certificate);
	EVP_PKEY_free(key);
}

static plist_t record_make(const struct pems *pems)
{
	static const char *const certificates[] = { "RootCertificate", "HostCertificate",
						    "DeviceCertificate" };
	plist_t record = plist_new_dict();

	plist_dict_set_item(record, "HostID", plist_new_string("AAAA-1"));
	plist_dict_set_item(record, "SystemBUID", plist_new_string("BBBB-2"));
	for (size_t i = 0; i < ARRAY_LEN(certificates); i++)
		plist_dict_set_item(record, certificates[i],
				    plist_new_data(pems->certificate, strlen(pems->certificate)));
	plist_dict_set_item(record, "RootPrivateKey", plist_new_data(pems->key, strlen(pems->key)));
	return record;
}

/* Consumes the plist. */
static void judge(plist_t record, struct pair_record *ret)
{
	_cleanup_free_ char *xml = NULL;
	uint32_t n = 0;

	plist_to_xml(record, &xml, &n);
	assert_non_null(xml);
	pair_record_judge(xml, n, ret);
	plist_free(record);
}

static void test_whole_record(void **state)
{
	struct pair_record record;
	struct pems pems;
	plist_t list;

	pems_make(&pems, 1700000000);
	list = record_make(&pems);
	plist_dict_set_item(list, "EscrowBag", plist_new_data("0123", 4));
	judge(list, &record);
	assert_false(record.broken);
	assert_string_equal(record.why, "");
	assert_string_equal(record.host_id, "AAAA-1");
	assert_string_equal(record.system_buid, "BBBB-2");
	assert_true(record.has_escrow_bag);
	assert_int_equal(record.not_before_s, 1700000000);
	judge(record_make(&pems), &record);
	assert_false(record.broken);
	assert_false(record.has_escrow_bag);
}

static void test_broken_records(void **state)
{
	static const char *const needed[] = { "HostID", "RootCertificate", "RootPrivateKey",
					      "HostCertificate", "DeviceCertificate" };
	struct pair_record record;
	struct pems pems, other;
	plist_t list;

	pems_make(&pems, 1700000000);
	pems_make(&other, 1700000000);
	for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
		list = record_make(&pems);
		plist_dict_remove_item(list, needed[i]);
		judge(list, &record);
		assert_true(record.broken);
		assert_non_null(strstr(record.why, needed[i]));
		list = record_make(&pems);
		plist_dict_set_item(list, needed[i], plist_new_uint(7));
		judge(list, &record);
		assert_true(record.broken);
	}
	list = record_make(&pems);
	plist_dict_set_item(list, "RootPrivateKey", plist_new_data(other.key, strlen(other.key)));
	judge(list, &record);
	assert_true(record.broken);
	assert_non_null(strstr(record.why, "another key"));
	pair_record_judge(NULL, 0, &record);
	assert_true(record.broken);
	pair_record_judge("<?xml", 5, &record);
	assert_true(record.broken);
	/* what usbmuxd hands over has no NUL behind it */
	for (size_t n = 0; n <= sizeof("<?xml><plist><") - 1; n++) {
		_cleanup_free_ char *exact = malloc(n ? n : 1);

		memcpy(exact, "<?xml><plist><", n);
		pair_record_judge(exact, n, &record);
		assert_true(record.broken);
	}
	pair_record_judge(memset((char[1]){ 0 }, '<', 1), 1, &record);
	assert_true(record.broken);
}

/* One element behind those that are there. */
static void der_add(unsigned char *to, size_t *used, unsigned tag, const unsigned char *body,
		    size_t n)
{
	const unsigned char head[] = { (unsigned char)tag, 0x82, (unsigned char)(n >> 8),
				       (unsigned char)n };

	memcpy(to + *used, head, sizeof(head));
	memcpy(to + *used + sizeof(head), body, n);
	*used += sizeof(head) + n;
}

/* A DSA key as large as a record may hold: its public half is not worked out, which takes hours. */
static void test_key_that_takes_hours(void **state)
{
	enum { NUMBER_BYTES = 6000, DER_BYTES = 4 * NUMBER_BYTES };
	static const unsigned char dsa[] = { 0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01 };
	static unsigned char number[NUMBER_BYTES], a[DER_BYTES], b[DER_BYTES], c[DER_BYTES];
	BIO *bio = BIO_new(BIO_s_mem());
	size_t a_n = 0, b_n = 0, c_n = 0;
	struct pair_record record;
	struct pems pems;
	plist_t list;
	char *text;
	long n;

	memset(number + 1, 0xff, sizeof(number) - 1);
	for (int i = 0; i < 2; i++) /* p and q */
		der_add(a, &a_n, 0x02, number, sizeof(number));
	der_add(a, &a_n, 0x02, (const unsigned char *)"\x07", 1); /* g */
	der_add(b, &b_n, 0x06, dsa, sizeof(dsa));
	der_add(b, &b_n, 0x30, a, a_n);
	der_add(c, &c_n, 0x02, (const unsigned char *)"", 1);
	der_add(c, &c_n, 0x30, b, b_n);
	a_n = b_n = 0;
	der_add(a, &a_n, 0x02, number, sizeof(number)); /* x */
	der_add(c, &c_n, 0x04, a, a_n);
	der_add(b, &b_n, 0x30, c, c_n);
	assert_true(PEM_write_bio(bio, "PRIVATE KEY", "", b, (long)b_n) > 0);
	n = BIO_get_mem_data(bio, &text);
	pems_make(&pems, 1700000000);
	list = record_make(&pems);
	plist_dict_set_item(list, "RootPrivateKey", plist_new_data(text, (uint64_t)n));
	alarm(5); /* as good as for ever */
	judge(list, &record);
	alarm(0);
	assert_true(record.broken);
	assert_non_null(strstr(record.why, "RootPrivateKey"));
	BIO_free(bio);
}

static void test_clock(void **state)
{
	const struct pair_record record = { .not_before_s = 1000L * DAY_S,
					    .not_after_s = 2000L * DAY_S };
	const struct pair_record unknown = {};

	assert_int_equal(pair_record_clock(&record, 0), PAIR_RECORD_CLOCK_BEFORE);
	assert_int_equal(pair_record_clock(&record, 998L * DAY_S), PAIR_RECORD_CLOCK_BEFORE);
	/* made a moment ago by a clock that was set since */
	assert_int_equal(pair_record_clock(&record, 1000L * DAY_S - 60), PAIR_RECORD_CLOCK_FITS);
	assert_int_equal(pair_record_clock(&record, 1500L * DAY_S), PAIR_RECORD_CLOCK_FITS);
	assert_int_equal(pair_record_clock(&record, 2002L * DAY_S), PAIR_RECORD_CLOCK_AFTER);
	assert_int_equal(pair_record_clock(&unknown, 0), PAIR_RECORD_CLOCK_FITS);
}

/* --- afc */

static void header_make(char to[static AFC_HEADER_BYTES], uint64_t whole, uint64_t this,
			uint64_t number, uint64_t operation)
{
	const uint64_t numbers[] = { whole, this, number, operation };

	memcpy(to, "CFA6LPAA", 8);
	memcpy(to + 8, numbers, sizeof(numbers)); /* the test runs on little-endian machines */
}

static void test_afc_headers(void **state)
{
	static const struct {
		uint64_t whole, this, number;
		int result;
	} cases[] = {
		{ 40, 40, 1, 0 },
		{ 48, 48, 1, 0 },
		{ 48, 40, 1, 0 },
		{ 40 + AFC_PAYLOAD_BYTES_MAX, 40, 1, 0 },
		{ 41 + AFC_PAYLOAD_BYTES_MAX, 40, 1, -EBADMSG },
		{ 39, 39, 1, -EBADMSG },
		{ 0, 0, 1, -EBADMSG },
		{ 48, 49, 1, -EBADMSG }, /* libimobiledevice 1.4.0 writes past its buffer */
		{ 48, UINT64_MAX, 1, -EBADMSG },
		{ UINT64_MAX, 48, 1, -EBADMSG },
		{ 48, 48, 2, -EBADMSG },
		{ 48, 39, 1, -EBADMSG },
	};
	char bytes[AFC_HEADER_BYTES];
	struct afc_header header;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		header_make(bytes, cases[i].whole, cases[i].this, cases[i].number, 2);
		if (afc_header_parse(bytes, 1, &header) != cases[i].result)
			fail_msg("case %zu", i);
	}
	header_make(bytes, 48, 48, 1, 1);
	assert_int_equal(afc_header_parse(bytes, 1, &header), 0);
	assert_int_equal(header.kind, AFC_STATUS);
	assert_int_equal(header.payload, 8);
	bytes[0] = 'X';
	assert_int_equal(afc_header_parse(bytes, 1, &header), -EBADMSG);
}

static void test_afc_names(void **state)
{
	static const char names[] = ".\0..\0DCIM\0.hidden\0...\0Books"; /* the last without a NUL */
	char request[AFC_REQUEST_BYTES_MAX], path[AFC_REQUEST_BYTES_MAX];

	assert_int_equal(afc_count_names(names, sizeof(names) - 1), 4);
	assert_int_equal(afc_count_names("", 0), 0);
	assert_int_equal(afc_count_names("\0\0\0", 3), 0);
	assert_int_equal(afc_status("\n\0\0\0\0\0\0\0", 8), 10);
	assert_int_equal(afc_status("\n\0\0", 3), UINT64_MAX);
	assert_int_equal(afc_list_request("/", 1, request), AFC_HEADER_BYTES + 2);
	assert_memory_equal(request, "CFA6LPAA", 8);
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(afc_list_request(path, 1, request), 0);
}

/* --- values */

static char *values_read(const char *xml)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *identity = NULL;
	_cleanup_(plist_freep) plist_t values = property_list_parse(xml, strlen(xml));
	char *text = NULL;

	assert_non_null(values);
	assert_true(session_values_root(values, &identity) >= 0);
	for (size_t i = 0; i < SESSION_DOMAIN_MAX; i++)
		assert_true(session_values_domain((enum session_domain)i, values, &identity) >= 0);
	if (identity)
		assert_true(sd_json_variant_format(identity, 0, &text) >= 0);
	return text;
}

static void test_values(void **state)
{
	_cleanup_free_ char *all = values_read(
	    "<plist><dict><key>ActivationState</key><string>Unactivated</string>"
	    "<key>PasswordProtected</key><true/><key>TotalDiskCapacity</key><integer>64</integer>"
	    "<key>AmountDataAvailable</key><integer>0</integer>"
	    "<key>TotalDataAvailable</key><integer>9</integer>"
	    "<key>BatteryCurrentCapacity</key><integer>100</integer>"
	    "<key>SetupDone</key><false/><key>DeviceIsChaperoned</key><true/></dict></plist>");
	_cleanup_free_ char *wrong =
	    values_read("<plist><dict><key>ActivationState</key><integer>1</integer>"
			"<key>PasswordProtected</key><string>yes</string>"
			"<key>TotalDiskCapacity</key><integer>-1</integer>"
			"<key>AmountDataAvailable</key><string>12</string>"
			"<key>BatteryCurrentCapacity</key><integer>101</integer>"
			"<key>SetupDone</key><integer>1</integer></dict></plist>");

	assert_string_equal(all, "{\"activation\":\"Unactivated\",\"passcode_set\":true,"
				 "\"capacity_bytes\":64,\"free_bytes\":0,\"battery_percent\":100,"
				 "\"setup_done\":false,\"supervised\":true}");
	assert_null(wrong);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_record),
		cmocka_unit_test(test_broken_records),
		cmocka_unit_test(test_key_that_takes_hours),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_afc_headers),
		cmocka_unit_test(test_afc_names),
		cmocka_unit_test(test_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
