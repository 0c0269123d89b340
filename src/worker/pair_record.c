/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/pair_record.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "worker/property_list.h"
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Made by the same clock a moment ago must never count; daylight and time zones do not matter to
 * UTC, but a computer's clock may be set a little after the record was made. */
static const int64_t clock_tolerance_s = 24 * 60 * 60;

DEFINE_CLEANUP(X509 *, X509_free)
DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)

const char *pair_record_data(plist_t record, const char *key, size_t *ret_n)
{
	plist_t node = plist_dict_get_item(record, key);
	uint64_t n = 0;
	const char *data;

	if (!node || plist_get_node_type(node) != PLIST_DATA)
		return NULL;
	data = plist_get_data_ptr(node, &n);
	if (!data || n == 0 || n > PAIR_RECORD_BYTES_MAX)
		return NULL;
	*ret_n = (size_t)n;
	return data;
}

static BIO *bio_of(plist_t record, const char *key)
{
	size_t n = 0;
	const char *data = pair_record_data(record, key, &n);

	return data ? BIO_new_mem_buf(data, (int)n) : NULL;
}

/* No passphrase is asked for: there is nobody at the terminal. */
static int no_passphrase(char *buffer, int size, int writing, void *user)
{
	return -1;
}

static X509 *certificate_read(plist_t record, const char *key)
{
	BIO *bio = bio_of(record, key);
	X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, no_passphrase, NULL) : NULL;

	BIO_free(bio);
	ERR_clear_error();
	return certificate;
}

/* Of these kinds and no other: of a DSA key OpenSSL works out the public half while it reads, which
 * takes hours for one as large as a record may hold. */
static EVP_PKEY *key_read(plist_t record, const char *key)
{
	static const char *const kinds[] = { "RSA", "EC" };
	EVP_PKEY *private = NULL;

	for (size_t i = 0; !private && i < ARRAY_LEN(kinds); i++) {
		BIO *bio = bio_of(record, key);
		OSSL_DECODER_CTX *decoder =
		    bio ? OSSL_DECODER_CTX_new_for_pkey(&private, "PEM", NULL, kinds[i],
							EVP_PKEY_KEYPAIR, NULL, NULL)
			: NULL;

		if (decoder &&
		    OSSL_DECODER_CTX_set_pem_password_cb(decoder, no_passphrase, NULL) == 1)
			(void)OSSL_DECODER_from_bio(decoder, bio);
		OSSL_DECODER_CTX_free(decoder);
		BIO_free(bio);
	}
	ERR_clear_error();
	return private;
}

static int64_t seconds_of(const ASN1_TIME *time)
{
	struct tm tm = {};

	if (!time || ASN1_TIME_to_tm(time, &tm) != 1)
		return 0;
	return timegm(&tm);
}

__attribute__((format(printf, 2, 3))) static void breaks(struct pair_record *ret,
							 const char *format, ...)
{
	va_list args;

	ret->broken = true;
	va_start(args, format);
	(void)vsnprintf(ret->why, sizeof(ret->why), format, args);
	va_end(args);
}

/* What a session is begun with: the root's certificate and key, which belong together. */
static void judge_root(plist_t record, struct pair_record *ret)
{
	_cleanup_(X509_freep) X509 *root = certificate_read(record, "RootCertificate");
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = key_read(record, "RootPrivateKey");

	if (!root) {
		breaks(ret, "it has no readable RootCertificate");
		return;
	}
	ret->not_before_s = seconds_of(X509_get0_notBefore(root));
	ret->not_after_s = seconds_of(X509_get0_notAfter(root));
	if (!key)
		breaks(ret, "it has no readable RootPrivateKey");
	else if (X509_check_private_key(root, key) != 1)
		breaks(ret, "its RootCertificate belongs to another key");
	ERR_clear_error();
}

/* What the phone is told when it is to forget this computer. */
static void judge_certificates(plist_t record, struct pair_record *ret)
{
	static const char *const keys[] = { "HostCertificate", "DeviceCertificate" };

	for (size_t i = 0; !ret->broken && i < ARRAY_LEN(keys); i++) {
		_cleanup_(X509_freep) X509 *certificate = certificate_read(record, keys[i]);

		if (!certificate)
			breaks(ret, "it has no readable %s", keys[i]);
	}
}

void pair_record_judge(const char *bytes, size_t n, struct pair_record *ret)
{
	_cleanup_(plist_freep) plist_t record = NULL;
	size_t escrow = 0;

	*ret = (struct pair_record){};
	if (bytes && n <= PAIR_RECORD_BYTES_MAX)
		record = property_list_parse(bytes, n);
	if (!record) {
		breaks(ret, "%s", n == 0 ? "it is empty" : "it is no property list");
		return;
	}
	text_copy(ret->host_id, sizeof(ret->host_id), property_list_text(record, "HostID"));
	text_copy(ret->system_buid, sizeof(ret->system_buid),
		  property_list_text(record, "SystemBUID"));
	ret->has_escrow_bag = pair_record_data(record, "EscrowBag", &escrow) != NULL;
	judge_root(record, ret);
	if (ret->host_id[0] == '\0')
		breaks(ret, "it has no HostID");
	judge_certificates(record, ret);
}

enum pair_record_clock pair_record_clock(const struct pair_record *record, int64_t now_s)
{
	if (record->not_before_s != 0 && now_s < record->not_before_s - clock_tolerance_s)
		return PAIR_RECORD_CLOCK_BEFORE;
	if (record->not_after_s != 0 && now_s > record->not_after_s + clock_tolerance_s)
		return PAIR_RECORD_CLOCK_AFTER;
	return PAIR_RECORD_CLOCK_FITS;
}
