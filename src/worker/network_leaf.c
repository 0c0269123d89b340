/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/network_leaf.h"
#include "base/cleanup.h"
#include "base/text.h"
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

DEFINE_CLEANUP(X509 *, X509_free)

static bool name_read(X509_NAME *name, int what, char *ret, size_t bytes)
{
	int at = X509_NAME_get_index_by_NID(name, what, -1);
	unsigned char *text = NULL;
	int n = at < 0 ? -1
		       : ASN1_STRING_to_UTF8(
			     &text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));

	if (n <= 0)
		return false;
	text_to_utf8(ret, bytes, (const char *)text, (size_t)n);
	OPENSSL_free(text);
	return ret[0] != '\0';
}

bool network_leaf_read(const char *pem, const char *host, char *ret_issuer, size_t issuer_bytes,
		       bool *ret_fits)
{
	_cleanup_(X509_freep) X509 *certificate = NULL;
	BIO *bio = BIO_new_mem_buf(pem, -1);

	if (!bio)
		return false;
	certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	BIO_free(bio);
	ERR_clear_error();
	if (!certificate)
		return false;
	ret_issuer[0] = '\0';
	if (!name_read(X509_get_issuer_name(certificate), NID_organizationName, ret_issuer,
		       issuer_bytes))
		(void)name_read(X509_get_issuer_name(certificate), NID_commonName, ret_issuer,
				issuer_bytes);
	*ret_fits = X509_check_host(certificate, host, strlen(host), 0, NULL) == 1;
	return true;
}
