/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Why a server cannot be used: one row of evidence a case. */
#include "base/cleanup.h"
#include "unit.h"
#include "worker/apple_root.h"
#include "worker/network_cause.h"
#include "worker/network_leaf.h"
#include <errno.h>
#include <openssl/x509_vfy.h>
#include <string.h>

enum { NOW_S = 1800000000, DAY_S = 24 * 3600, YEAR_S = 365 * DAY_S };

#define HERE    { .has_address = true, .has_route = true, .now_s = NOW_S }
#define FREE    { .is = NETWORK_PAGE_TRUE, .date_s = NOW_S + 2 }
#define REFUSED .code = CURLE_PEER_FAILED_VERIFICATION
#define UNKNOWN REFUSED, .verify = X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
#define EXPIRED REFUSED, .verify = X509_V_ERR_CERT_HAS_EXPIRED
#define EARLY   REFUSED, .verify = X509_V_ERR_CERT_NOT_YET_VALID
#define CONNECT .code = CURLE_COULDNT_CONNECT
#define PUBLIC  .told = true, .address = "17.1.2.3"
#define PRIVATE .told = true, .address = "192.168.1.1"
#define MINE    .looked = true, .name_fits = true
#define FOREIGN .looked = true, .name_fits = false

static const struct row {
	const char *name;
	struct network_seen seen;
	struct network_page page;
	struct network_here here;
	enum network_cause cause;
} rows[] = {
	{ "works", { .status = 200 }, FREE, HERE, NETWORK_NONE },
	{ "not for us", { .status = 404 }, FREE, HERE, NETWORK_NONE },
	{ "too often", { .status = 429 }, FREE, HERE, NETWORK_NONE },
	{ "TLS alone", { .status = 0 }, FREE, HERE, NETWORK_NONE },
	{ "verified in spite of it all",
	  { .status = 200, PRIVATE },
	  { .is = NETWORK_PAGE_OTHER },
	  {},
	  NETWORK_NONE },
	{ "busy", { .status = 503, .encrypted = true }, FREE, HERE, NETWORK_DOWN },
	{ "bad gateway", { .status = 502, .encrypted = true }, FREE, HERE, NETWORK_DOWN },
	{ "hangs up after TLS",
	  { .code = CURLE_GOT_NOTHING, .encrypted = true },
	  FREE,
	  HERE,
	  NETWORK_DOWN },
	{ "silent after TLS",
	  { .code = CURLE_OPERATION_TIMEDOUT, .encrypted = true },
	  FREE,
	  HERE,
	  NETWORK_DOWN },
	{ "no cable",
	  { .code = CURLE_COULDNT_RESOLVE_HOST },
	  {},
	  { .has_route = true },
	  NETWORK_NO_NETWORK },
	{ "no cable, numbers known",
	  { CONNECT, .os_errno = ENETUNREACH },
	  {},
	  {},
	  NETWORK_NO_NETWORK },
	{ "address, no router",
	  { .code = CURLE_COULDNT_RESOLVE_HOST },
	  {},
	  { .has_address = true },
	  NETWORK_NO_ROUTE },
	{ "router, no line",
	  { CONNECT, PUBLIC, .os_errno = EHOSTUNREACH },
	  {},
	  HERE,
	  NETWORK_NO_ROUTE },
	{ "no way", { CONNECT, PUBLIC, .os_errno = ENETUNREACH }, {}, HERE, NETWORK_NO_ROUTE },
	{ "no such name", { .code = CURLE_COULDNT_RESOLVE_HOST }, FREE, HERE, NETWORK_DNS_FAILS },
	{ "our clock is behind",
	  { EARLY, MINE, .date_s = NOW_S + YEAR_S },
	  {},
	  HERE,
	  NETWORK_CLOCK },
	{ "our clock is ahead",
	  { EXPIRED, MINE, .date_s = NOW_S - YEAR_S },
	  {},
	  HERE,
	  NETWORK_CLOCK },
	{ "the page knows the time",
	  { EXPIRED, MINE, .date_s = NOW_S },
	  { .is = NETWORK_PAGE_TRUE, .date_s = NOW_S - YEAR_S },
	  HERE,
	  NETWORK_CLOCK },
	{ "nobody knows the time", { EARLY, MINE }, {}, HERE, NETWORK_CLOCK },
	{ "a login page knows the time",
	  { EARLY, MINE },
	  { .is = NETWORK_PAGE_OTHER, .date_s = NOW_S + YEAR_S },
	  HERE,
	  NETWORK_CLOCK },
	{ "the clocks agree",
	  { EXPIRED, MINE, .date_s = NOW_S },
	  FREE,
	  HERE,
	  NETWORK_TLS_INSPECTION },
	{ "an old certificate of a login page",
	  { EXPIRED, FOREIGN, .date_s = NOW_S },
	  { .is = NETWORK_PAGE_OTHER, .date_s = NOW_S },
	  HERE,
	  NETWORK_CAPTIVE_PORTAL },
	{ "a login page",
	  { UNKNOWN, FOREIGN, PUBLIC },
	  { .is = NETWORK_PAGE_OTHER },
	  HERE,
	  NETWORK_CAPTIVE_PORTAL },
	{ "a login page that drops the rest",
	  { .code = CURLE_OPERATION_TIMEDOUT, PUBLIC },
	  { .is = NETWORK_PAGE_OTHER },
	  HERE,
	  NETWORK_CAPTIVE_PORTAL },
	{ "a login page beside a server that is down",
	  { .code = CURLE_GOT_NOTHING, .encrypted = true },
	  { .is = NETWORK_PAGE_OTHER },
	  HERE,
	  NETWORK_DOWN },
	{ "another authority, the right name",
	  { UNKNOWN, MINE, PUBLIC },
	  FREE,
	  HERE,
	  NETWORK_TLS_INSPECTION },
	{ "another authority, seen once", { UNKNOWN, PUBLIC }, FREE, HERE, NETWORK_TLS_INSPECTION },
	{ "another authority, another name",
	  { UNKNOWN, FOREIGN, PUBLIC },
	  FREE,
	  HERE,
	  NETWORK_DNS_LIE },
	{ "a good certificate of another",
	  { REFUSED, FOREIGN, PUBLIC },
	  FREE,
	  HERE,
	  NETWORK_DNS_LIE },
	{ "a good certificate of another, seen once",
	  { REFUSED, PUBLIC },
	  FREE,
	  HERE,
	  NETWORK_DNS_LIE },
	{ "a private address", { UNKNOWN, MINE, PRIVATE }, FREE, HERE, NETWORK_DNS_LIE },
	{ "a private address, refused",
	  { CONNECT, PRIVATE, .os_errno = ECONNREFUSED },
	  FREE,
	  HERE,
	  NETWORK_DNS_LIE },
	{ "a private address, silent",
	  { .code = CURLE_OPERATION_TIMEDOUT, PRIVATE },
	  FREE,
	  HERE,
	  NETWORK_DNS_LIE },
	{ "a test's address is no lie",
	  { CONNECT, .address = "127.0.0.1", .os_errno = ECONNREFUSED },
	  FREE,
	  HERE,
	  NETWORK_REFUSED },
	{ "refused", { CONNECT, PUBLIC, .os_errno = ECONNREFUSED }, FREE, HERE, NETWORK_REFUSED },
	{ "forbidden here", { CONNECT, PUBLIC, .os_errno = EACCES }, FREE, HERE, NETWORK_REFUSED },
	{ "hangs up at the name",
	  { .code = CURLE_SSL_CONNECT_ERROR, PUBLIC },
	  FREE,
	  HERE,
	  NETWORK_REFUSED },
	{ "hangs up at the name, another way",
	  { .code = CURLE_RECV_ERROR, PUBLIC },
	  FREE,
	  HERE,
	  NETWORK_REFUSED },
	{ "old TLS",
	  { .code = CURLE_SSL_CONNECT_ERROR, PUBLIC, MINE },
	  FREE,
	  HERE,
	  NETWORK_TLS_INSPECTION },
	{ "silent", { .code = CURLE_OPERATION_TIMEDOUT, PUBLIC }, FREE, HERE, NETWORK_SILENT },
	{ "silent to the kernel",
	  { CONNECT, PUBLIC, .os_errno = ETIMEDOUT },
	  FREE,
	  HERE,
	  NETWORK_SILENT },
	{ "a proxy wants a password",
	  { .code = CURLE_RECV_ERROR, .proxy_status = 407 },
	  {},
	  HERE,
	  NETWORK_PROXY },
	{ "a proxy forbids",
	  { .code = CURLE_RECV_ERROR, .proxy_status = 403 },
	  {},
	  HERE,
	  NETWORK_PROXY },
	{ "a proxy is gone",
	  { CONNECT, .proxied = true, .os_errno = ECONNREFUSED },
	  {},
	  HERE,
	  NETWORK_PROXY },
	{ "a proxy without a name",
	  { .code = CURLE_COULDNT_RESOLVE_PROXY },
	  {},
	  HERE,
	  NETWORK_PROXY },
	{ "a proxy that nobody set",
	  { UNKNOWN, MINE, PUBLIC },
	  { .is = NETWORK_PAGE_PROXY },
	  HERE,
	  NETWORK_PROXY },
	{ "a proxy lets through, and the certificate is bad",
	  { UNKNOWN, MINE, .proxied = true, .proxy_status = 200 },
	  FREE,
	  HERE,
	  NETWORK_TLS_INSPECTION },
};

static void test_causes(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum network_cause cause =
		    network_cause_find(&rows[i].seen, &rows[i].page, &rows[i].here);

		if (cause != rows[i].cause)
			fail_msg("%s: %s, not %s", rows[i].name, network_cause_name(cause),
				 network_cause_name(rows[i].cause));
	}
}

static void test_every_cause_has_a_row_and_a_name(void **state)
{
	for (size_t cause = 0; cause < NETWORK_CAUSE_MAX; cause++) {
		bool found = false;

		assert_non_null(network_cause_name((enum network_cause)cause));
		for (size_t i = 0; i < ARRAY_LEN(rows); i++)
			found |= rows[i].cause == cause;
		if (!found)
			fail_msg("%s", network_cause_name((enum network_cause)cause));
	}
}

static void test_addresses(void **state)
{
	static const char *const private[] = {
		"0.0.0.0",     "10.0.0.1",   "100.64.0.1", "127.0.0.1",       "127.255.0.9",
		"169.254.1.1", "172.16.0.1", "172.31.9.9", "192.168.255.255", "::",
		"::1",         "fe80::1",    "fc00::1",    "fdab::1",         "::ffff:10.1.1.1",
	};
	static const char *const public[] = {
		"17.253.144.10",
		"9.255.255.255",
		"11.0.0.0",
		"100.63.0.1",
		"100.128.0.1",
		"172.15.0.1",
		"172.32.0.1",
		"2620:149::1",
		"::ffff:17.1.1.1",
		"",
		"x",
		"192.167.0.1",
		"169.253.0.1",
	};

	for (size_t i = 0; i < ARRAY_LEN(private); i++)
		if (!network_address_is_private(private[i]))
			fail_msg("%s is not private", private[i]);
	for (size_t i = 0; i < ARRAY_LEN(public); i++)
		if (network_address_is_private(public[i]))
			fail_msg("%s is private", public[i]);
}

static void test_leaf(void **state)
{
	char issuer[NETWORK_ISSUER_BYTES] = "before";
	bool fits = true;

	assert_true(
	    network_leaf_read(apple_root_pem, "gs.apple.com", issuer, sizeof(issuer), &fits));
	assert_string_equal(issuer, "Apple Inc.");
	assert_false(fits);
	assert_false(network_leaf_read("", "gs.apple.com", issuer, sizeof(issuer), &fits));
	assert_false(network_leaf_read("-----BEGIN CERTIFICATE-----\nAAAA\n"
				       "-----END CERTIFICATE-----\n",
				       "gs.apple.com", issuer, sizeof(issuer), &fits));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_causes),
		cmocka_unit_test(test_every_cause_has_a_row_and_a_name),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_leaf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
