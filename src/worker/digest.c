/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/digest.h"
#include "base/cleanup.h"
#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

struct digest {
	EVP_MD_CTX *sha1, *sha256;
};

int digest_new(struct digest **ret)
{
	_cleanup_(digest_freep) struct digest *digest = calloc(1, sizeof(*digest));

	if (!digest)
		return -ENOMEM;
	digest->sha1 = EVP_MD_CTX_new();
	digest->sha256 = EVP_MD_CTX_new();
	if (!digest->sha1 || !digest->sha256 || digest_reset(digest) < 0)
		return -ENOMEM;
	*ret = TAKE(digest);
	return 0;
}

struct digest *digest_free(struct digest *digest)
{
	if (!digest)
		return NULL;
	EVP_MD_CTX_free(digest->sha1);
	EVP_MD_CTX_free(digest->sha256);
	free(digest);
	return NULL;
}

int digest_reset(struct digest *digest)
{
	bool fine = EVP_DigestInit_ex(digest->sha1, EVP_sha1(), NULL) == 1 &&
		    EVP_DigestInit_ex(digest->sha256, EVP_sha256(), NULL) == 1;

	return fine ? 0 : -ENOMEM;
}

int digest_add_sha1(struct digest *digest, const void *bytes, size_t n)
{
	return EVP_DigestUpdate(digest->sha1, bytes, n) == 1 ? 0 : -ENOMEM;
}

int digest_add_sha256(struct digest *digest, const void *bytes, size_t n)
{
	return EVP_DigestUpdate(digest->sha256, bytes, n) == 1 ? 0 : -ENOMEM;
}

int digest_add(struct digest *digest, const void *bytes, size_t n)
{
	int r = digest_add_sha1(digest, bytes, n);

	return r < 0 ? r : digest_add_sha256(digest, bytes, n);
}

int digest_copy(struct digest *dst, const struct digest *src)
{
	bool fine = EVP_MD_CTX_copy_ex(dst->sha1, src->sha1) == 1 &&
		    EVP_MD_CTX_copy_ex(dst->sha256, src->sha256) == 1;

	return fine ? 0 : -ENOMEM;
}

/* The hash so far in hex; ret has room for it. */
static int hex_of(const EVP_MD_CTX *context, char *ret)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *copy = EVP_MD_CTX_new();
	unsigned n = 0;
	bool fine = copy && EVP_MD_CTX_copy_ex(copy, context) == 1 &&
		    EVP_DigestFinal_ex(copy, bytes, &n) == 1;

	EVP_MD_CTX_free(copy);
	if (!fine)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++) {
		ret[(size_t)i * 2] = digits[bytes[i] >> 4];
		ret[(size_t)i * 2 + 1] = digits[bytes[i] & 0xf];
	}
	ret[(size_t)n * 2] = '\0';
	return 0;
}

int digest_sha1(const struct digest *digest, char ret[static IPSW_SHA1_BYTES])
{
	return hex_of(digest->sha1, ret);
}

int digest_sha256(const struct digest *digest, char ret[static IPSW_SHA256_BYTES])
{
	return hex_of(digest->sha256, ret);
}

bool digest_fits(const struct digest *digest, const struct ipsw *ipsw)
{
	char sha1[IPSW_SHA1_BYTES], sha256[IPSW_SHA256_BYTES];

	if (digest_sha1(digest, sha1) < 0 || digest_sha256(digest, sha256) < 0)
		return false;
	if (!ipsw->sha1[0] && !ipsw->sha256[0])
		return false;
	return (!ipsw->sha1[0] || strcmp(ipsw->sha1, sha1) == 0) &&
	       (!ipsw->sha256[0] || strcmp(ipsw->sha256, sha256) == 0);
}
