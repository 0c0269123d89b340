/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "pair_record.h"

#include <openssl/cms.h>
#include <openssl/encoder.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#include "plist_stream.h"
#include "text.h"
#include "trust.h"

static const char private_key[] =
#include "device_key.inc"
    ;

EVP_PKEY *pair_key(void)
{
	BIO *pem = BIO_new_mem_buf(private_key, -1);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(pem, nullptr, nullptr, nullptr);

	BIO_free(pem);
	if (!key)
		die("the phone's own key cannot be read");
	return key;
}

plist_t pair_public_key(void)
{
	EVP_PKEY *key = pair_key();
	OSSL_ENCODER_CTX *encoder = OSSL_ENCODER_CTX_new_for_pkey(
	    key, OSSL_KEYMGMT_SELECT_PUBLIC_KEY, "PEM", "pkcs1", nullptr);
	unsigned char *pem = nullptr;
	size_t len = 0;
	plist_t data;

	if (!encoder || !OSSL_ENCODER_to_data(encoder, &pem, &len))
		die("the phone's own key cannot be written");
	data = plist_new_data((const char *)pem, len);
	OPENSSL_free(pem);
	OSSL_ENCODER_CTX_free(encoder);
	EVP_PKEY_free(key);
	return data;
}

X509 *pair_certificate(plist_t record, const char *key)
{
	plist_t node = plist_dict_get_item(record, key);
	uint64_t len = 0;
	const char *bytes;
	X509 *certificate;
	BIO *pem;

	if (!node || plist_get_node_type(node) != PLIST_DATA)
		return nullptr;
	bytes = plist_get_data_ptr(node, &len);
	if (!bytes || len > 64 * 1024)
		return nullptr;
	pem = BIO_new_mem_buf(bytes, (int)len);
	certificate = PEM_read_bio_X509(pem, nullptr, nullptr, nullptr);
	BIO_free(pem);
	ERR_clear_error();
	return certificate;
}

/* The device's certificate is for our key, and the root has signed it. */
static bool certificates_fit(plist_t record)
{
	X509 *device = pair_certificate(record, "DeviceCertificate");
	X509 *root = pair_certificate(record, "RootCertificate");
	X509 *host = pair_certificate(record, "HostCertificate");
	EVP_PKEY *key = pair_key();
	bool fit = device && root && host && EVP_PKEY_eq(X509_get0_pubkey(device), key) == 1 &&
		   X509_verify(device, X509_get0_pubkey(root)) == 1;

	EVP_PKEY_free(key);
	X509_free(device);
	X509_free(root);
	X509_free(host);
	ERR_clear_error();
	return fit;
}

const char *pair_record_check(plist_t record)
{
	if (!record || plist_get_node_type(record) != PLIST_DICT)
		return "MissingPairRecord";
	if (!plist_text(record, "HostID"))
		return "MissingHostID";
	if (!plist_text(record, "SystemBUID") ||
	    strlen(plist_text(record, "HostID")) >= TRUST_ID_MAX ||
	    strlen(plist_text(record, "SystemBUID")) >= TRUST_ID_MAX || !certificates_fit(record))
		return "InvalidPairRecord";
	return nullptr;
}

bool pair_challenge_answered(plist_t response, const uint8_t *challenge, size_t len)
{
	const unsigned char *der;
	uint64_t der_len = 0;
	BIO *content = BIO_new(BIO_s_mem());
	CMS_ContentInfo *cms = nullptr;
	char *signed_bytes = nullptr;
	bool answered = false;

	if (response && plist_get_node_type(response) == PLIST_DATA) {
		der = (const unsigned char *)plist_get_data_ptr(response, &der_len);
		cms = d2i_CMS_ContentInfo(nullptr, &der, (long)der_len);
	}
	if (cms && CMS_verify(cms, nullptr, nullptr, nullptr, content,
			      CMS_NO_SIGNER_CERT_VERIFY | CMS_BINARY) == 1)
		answered = BIO_get_mem_data(content, &signed_bytes) == (long)len &&
			   !memcmp(signed_bytes, challenge, len);
	CMS_ContentInfo_free(cms);
	BIO_free(content);
	ERR_clear_error();
	return answered;
}
