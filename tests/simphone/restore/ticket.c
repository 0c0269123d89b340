/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "restore/ticket.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

#include "text.h"

/* A SET of members in the order of their tags, none twice; each value is again a SET if @deep. */
static bool members_are_whole(struct span set, bool deep)
{
	struct der reader = { set };
	uint32_t last = 0;

	while (reader.rest.len > 0) {
		struct der peek = reader;
		struct der_item item, value;
		char name[5];

		if (!der_next(&peek, &item) || item.number <= last ||
		    !der_take_member(&reader, name, &value))
			return false;
		if (deep &&
		    (value.identifier != DER_SET || !members_are_whole(value.content, false)))
			return false;
		last = item.number;
	}
	return true;
}

static bool member_find(struct span set, const char *wanted, struct der_item *ret_value)
{
	struct der reader = { set };
	struct der_item value;
	char name[5];

	while (der_take_member(&reader, name, &value)) {
		if (strcmp(name, wanted) != 0)
			continue;
		*ret_value = value;
		return true;
	}
	return false;
}

const char *ticket_read(const uint8_t *bytes, size_t len, struct ticket *ret_ticket)
{
	struct der reader = { { bytes, len } };
	struct der_item set, manb, manp;
	struct ticket t = {};
	struct span content;
	uint64_t version;

	if (!der_take(&reader, DER_SEQUENCE, &content) || reader.rest.len != 0)
		return "no whole ticket";
	reader.rest = content;
	if (!der_take_text(&reader, "IM4M"))
		return "no IM4M ticket";
	if (!der_next(&reader, &set) || !der_number(&set, &version) || version != 0)
		return "a ticket of another version";
	if (!der_next(&reader, &set) || set.identifier != DER_SET)
		return "the ticket has no body";
	if (!der_take(&reader, DER_OCTETS, &t.signature) ||
	    !der_take(&reader, DER_SEQUENCE, &content) || reader.rest.len != 0)
		return "the ticket has no signature and certificates";
	if (!members_are_whole(set.content, false) || !member_find(set.content, "MANB", &manb) ||
	    manb.identifier != DER_SET || !members_are_whole(manb.content, true))
		return "the ticket's body is damaged";
	if (!member_find(manb.content, "MANP", &manp))
		return "the ticket names no phone";
	t.signed_part = set.whole;
	t.objects = manb.content;
	*ret_ticket = t;
	return nullptr;
}

bool ticket_find(const struct ticket *t, const char *object, const char *property,
		 struct der_item *ret_value)
{
	struct der_item entry;

	return member_find(t->objects, object, &entry) &&
	       member_find(entry.content, property, ret_value);
}

static EVP_PKEY *key_read(const char *path)
{
	FILE *file = fopen(path, "re");
	EVP_PKEY *key = file ? PEM_read_PUBKEY(file, nullptr, nullptr, nullptr) : nullptr;

	if (file)
		fclose(file);
	if (!key)
		die("%s: no public key of tickets", path);
	return key;
}

bool ticket_is_signed(const struct ticket *t, const char *key_path)
{
	EVP_PKEY *key = key_read(key_path);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool fits;

	if (!ctx)
		die("out of memory");
	fits = EVP_DigestVerifyInit(ctx, nullptr, EVP_sha384(), nullptr, key) == 1 &&
	       EVP_DigestVerify(ctx, t->signature.bytes, t->signature.len, t->signed_part.bytes,
				t->signed_part.len) == 1;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return fits;
}

static bool number_is(const struct ticket *t, const char *property, uint64_t wanted)
{
	struct der_item value;
	uint64_t number;

	return ticket_find(t, "MANP", property, &value) && der_number(&value, &number) &&
	       number == wanted;
}

static bool octets_are(const struct ticket *t, const char *property, const uint8_t *wanted,
		       size_t len)
{
	struct der_item value;
	struct span bytes;

	return ticket_find(t, "MANP", property, &value) && der_octets(&value, &bytes) &&
	       span_is(bytes, wanted, len);
}

static bool truth_is(const struct ticket *t, const char *property)
{
	struct der_item value;
	bool truth;

	return ticket_find(t, "MANP", property, &value) && der_truth(&value, &truth) && truth;
}

const char *ticket_fits_phone(const struct ticket *t, const struct identity *id)
{
	struct der_item value;
	uint64_t number;

	if (!number_is(t, "CHIP", id->model->cpid))
		return "the ticket is for another chip";
	if (!number_is(t, "BORD", id->model->bdid))
		return "the ticket is for another board";
	if (!number_is(t, "ECID", id->ecid))
		return "the ticket is for another ECID";
	if (!octets_are(t, "BNCH", id->ap_nonce, identity_nonce_bytes(id)))
		return "the ticket is for another nonce";
	/* every simulated phone is CPFM 03 (production, secure) in domain 1, epoch 1 */
	if (!truth_is(t, "CPRO") || !truth_is(t, "CSEC"))
		return "the ticket is not for a production phone";
	if (ticket_find(t, "MANP", "SDOM", &value) && (!der_number(&value, &number) || number != 1))
		return "the ticket is for another security domain";
	if (ticket_find(t, "MANP", "CEPO", &value) && (!der_number(&value, &number) || number < 1))
		return "the ticket is for an older security epoch";
	return nullptr;
}

bool ticket_fits_sep(const struct ticket *t, const struct identity *id)
{
	return octets_are(t, "snon", id->sep_nonce, sizeof(id->sep_nonce));
}

bool digest_fits(struct span bytes, const uint8_t *digest, size_t digest_len)
{
	const EVP_MD *hash = digest_len == 20   ? EVP_sha1()
			     : digest_len == 32 ? EVP_sha256()
			     : digest_len == 48 ? EVP_sha384()
						: nullptr;
	uint8_t found[EVP_MAX_MD_SIZE];

	if (!hash)
		return false;
	if (EVP_Digest(bytes.bytes, bytes.len, found, nullptr, hash, nullptr) != 1)
		die("a hash function failed");
	return memcmp(found, digest, digest_len) == 0;
}

bool ticket_holds(const struct ticket *t, const char *type, struct span bytes)
{
	struct der_item value;
	struct span digest;

	return ticket_find(t, type, "DGST", &value) && der_octets(&value, &digest) &&
	       digest_fits(bytes, digest.bytes, digest.len);
}
