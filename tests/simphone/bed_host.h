/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A computer beside the test bed: its keys and certificates, connections to the phone's ports, and
 * the client's end of TLS. Included by test programs, after bed.h.
 */
#pragma once

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <plist/plist.h>

#include "lockdown.h"

/* ---- who the computer is ---- */

struct computer {
	char id[40], buid[40];
	EVP_PKEY *root_key, *host_key;
	X509 *root, *host, *device; /* device: for the key that the phone told */
	uint8_t escrow_bag[32];
};

static inline X509 *certificate_new(EVP_PKEY *subject, X509 *issuer, EVP_PKEY *issuer_key)
{
	X509 *x = X509_new();

	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 0);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, subject);
	assert_true(X509_sign(x, issuer_key, EVP_sha256()) > 0);
	return x;
}

/* EC keys: hosts use RSA, the phone does not care, and tests are quick. */
static inline struct computer *computer_new(const char *id, const char *buid)
{
	struct computer *c = calloc(1, sizeof(*c));

	snprintf(c->id, sizeof(c->id), "%s", id);
	snprintf(c->buid, sizeof(c->buid), "%s", buid);
	c->root_key = EVP_EC_gen("P-256");
	c->host_key = EVP_EC_gen("P-256");
	c->root = certificate_new(c->root_key, nullptr, c->root_key);
	c->host = certificate_new(c->host_key, c->root, c->root_key);
	return c;
}

static inline void computer_free(struct computer *c)
{
	EVP_PKEY_free(c->root_key);
	EVP_PKEY_free(c->host_key);
	X509_free(c->root);
	X509_free(c->host);
	X509_free(c->device);
	free(c);
}

static inline void dict_pem(plist_t dict, const char *key, X509 *x)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *bytes;
	long len;

	PEM_write_bio_X509(bio, x);
	len = BIO_get_mem_data(bio, &bytes);
	plist_dict_set_item(dict, key, plist_new_data(bytes, (uint64_t)len));
	BIO_free(bio);
}

static inline plist_t computer_record(struct computer *c)
{
	plist_t record = plist_new_dict();

	dict_pem(record, "DeviceCertificate", c->device);
	dict_pem(record, "HostCertificate", c->host);
	dict_pem(record, "RootCertificate", c->root);
	plist_dict_set_item(record, "HostID", plist_new_string(c->id));
	plist_dict_set_item(record, "SystemBUID", plist_new_string(c->buid));
	return record;
}

/* ---- one connection ---- */

struct link {
	struct bed *bed;
	struct service *service;
	struct buf raw;  /* from the phone, as it came */
	struct buf text; /* and in the clear */
	bool closed;
	SSL *ssl;
	SSL_CTX *context;
};

static inline void link_on_bytes(void *user, const void *bytes, size_t len)
{
	buf_add(&((struct link *)user)->raw, bytes, len);
}

static inline void link_on_close(void *user)
{
	((struct link *)user)->closed = true;
}

static inline struct link *link_new(struct bed *b, uint16_t port)
{
	struct link *l = calloc(1, sizeof(*l));

	l->bed = b;
	l->service = ports_open(&b->phone.ports, port,
				&(struct stream){ link_on_bytes, link_on_close, l, nullptr });
	assert_non_null(l->service);
	return l;
}

static inline void link_free(struct link *l)
{
	l->service->class->free(l->service);
	SSL_free(l->ssl);
	SSL_CTX_free(l->context);
	buf_done(&l->raw);
	buf_done(&l->text);
	free(l);
}

/* Carries records both ways until nothing moves. */
static inline void link_pump(struct link *l)
{
	uint8_t bytes[8192];
	int got;

	for (bool moved = true; moved;) {
		moved = false;
		if (!l->ssl) {
			buf_add(&l->text, l->raw.bytes, l->raw.len);
			buf_clear(&l->raw);
			return;
		}
		if (l->raw.len > 0) {
			BIO_write(SSL_get_rbio(l->ssl), l->raw.bytes, (int)l->raw.len);
			buf_clear(&l->raw);
			moved = true;
		}
		if (!SSL_is_init_finished(l->ssl))
			SSL_do_handshake(l->ssl);
		while ((got = SSL_read(l->ssl, bytes, sizeof(bytes))) > 0)
			buf_add(&l->text, bytes, (size_t)got);
		while (!l->closed &&
		       (got = BIO_read(SSL_get_wbio(l->ssl), bytes, sizeof(bytes))) > 0) {
			l->service->class->feed(l->service, bytes, (size_t)got);
			moved = true;
		}
	}
}

/* The client's end of TLS, with the root's or the host's certificate; @version: the highest, or 0.
 * Says nothing yet. */
static inline void link_make_tls(struct link *l, X509 *mine, EVP_PKEY *key, int version)
{
	l->context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_security_level(l->context, 0);
	SSL_CTX_set_min_proto_version(l->context, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(l->context, version);
	if (mine) {
		SSL_CTX_use_certificate(l->context, mine);
		SSL_CTX_use_PrivateKey(l->context, key);
	}
	l->ssl = SSL_new(l->context);
	SSL_set_bio(l->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(l->ssl);
}

/* The same, and the handshake. Returns whether it was done and the phone still listens. */
static inline bool link_start_tls(struct link *l, X509 *mine, EVP_PKEY *key, int version)
{
	link_make_tls(l, mine, key, version);
	link_pump(l);
	ERR_clear_error();
	return SSL_is_init_finished(l->ssl) && !l->closed;
}

static inline void link_stop_tls(struct link *l)
{
	SSL_shutdown(l->ssl);
	link_pump(l);
	SSL_free(l->ssl);
	SSL_CTX_free(l->context);
	l->ssl = nullptr;
	l->context = nullptr;
}

static inline void link_send(struct link *l, const void *bytes, size_t len)
{
	if (l->ssl)
		assert_int_equal(SSL_write(l->ssl, bytes, (int)len), len);
	else
		l->service->class->feed(l->service, bytes, len);
	link_pump(l);
}

/* @request (freed) behind its length. */
static inline void message_add(struct buf *to, plist_t request)
{
	uint8_t prefix[4];
	char *xml = nullptr;
	uint32_t len = 0;

	plist_to_xml(request, &xml, &len);
	plist_free(request);
	put_be32(prefix, len);
	buf_add(to, prefix, 4);
	buf_add(to, xml, len);
	plist_mem_free(xml);
}

/* Sends @request (freed) and returns the reply, or NULL if there is none. */
static inline plist_t link_ask(struct link *l, plist_t request)
{
	plist_t reply = nullptr;
	BUF_AUTO message = {};
	uint32_t len;

	message_add(&message, request);
	link_send(l, message.bytes, message.len);
	if (l->text.len < 4)
		return nullptr;
	len = get_be32(l->text.bytes);
	assert_true(l->text.len >= 4 + (size_t)len);
	plist_from_memory((const char *)l->text.bytes + 4, len, &reply, nullptr);
	assert_non_null(reply);
	buf_drop(&l->text, 4 + (size_t)len);
	return reply;
}

/* "Request", then key and text in pairs, NULL-ended */
static inline plist_t request_of(const char *name, ...)
{
	plist_t request = plist_new_dict();
	const char *key;
	va_list args;

	plist_dict_set_item(request, "Request", plist_new_string(name));
	plist_dict_set_item(request, "Label", plist_new_string("test"));
	va_start(args, name);
	while ((key = va_arg(args, const char *)))
		plist_dict_set_item(request, key, plist_new_string(va_arg(args, const char *)));
	va_end(args);
	return request;
}

#define REQUEST(...) request_of(__VA_ARGS__, nullptr)

/* The Error of a reply (freed), "" for none; valid until the next call. */
static inline const char *error_of(plist_t reply)
{
	static char text[64];
	plist_t node = plist_dict_get_item(reply, "Error");

	assert_non_null(reply);
	snprintf(text, sizeof(text), "%s", node ? plist_get_string_ptr(node, nullptr) : "");
	plist_free(reply);
	return text;
}

static inline const char *link_error(struct link *l, plist_t request)
{
	return error_of(link_ask(l, request));
}

/* ---- pairing and sessions ---- */

/* Makes the device's certificate as hosts do: for the key that the phone tells. */
static inline void computer_meet(struct computer *c, struct link *l)
{
	plist_t reply = link_ask(l, REQUEST("GetValue", "Key", "DevicePublicKey"));
	plist_t value = plist_dict_get_item(reply, "Value");
	EVP_PKEY *key;
	uint64_t len;
	BIO *pem;

	assert_non_null(value);
	pem = BIO_new_mem_buf(plist_get_data_ptr(value, &len), -1);
	key = PEM_read_bio_PUBKEY(pem, nullptr, nullptr, nullptr);
	assert_non_null(key);
	X509_free(c->device);
	c->device = certificate_new(key, c->root, c->root_key);
	EVP_PKEY_free(key);
	BIO_free(pem);
	plist_free(reply);
}

static inline const char *computer_pair_with(struct computer *c, struct link *l, plist_t options)
{
	plist_t request = REQUEST("Pair", "ProtocolVersion", "2"), reply, bag;

	if (!c->device)
		computer_meet(c, l);
	plist_dict_set_item(request, "PairRecord", computer_record(c));
	if (options)
		plist_dict_set_item(request, "PairingOptions", options);
	reply = link_ask(l, request);
	bag = plist_dict_get_item(reply, "EscrowBag");
	if (bag) {
		uint64_t len = 0;
		const char *bytes = plist_get_data_ptr(bag, &len);

		assert_int_equal(len, sizeof(c->escrow_bag));
		memcpy(c->escrow_bag, bytes, len);
	}
	return error_of(reply);
}

static inline const char *computer_pair(struct computer *c, struct link *l)
{
	return computer_pair_with(c, l, nullptr);
}

/* Pair in Setup Assistant, or by the hand: the shortest way to a trusted computer. */
static inline struct computer *computer_trusted(struct bed *b, const char *id)
{
	struct computer *c = computer_new(id, "BUID-OF-TESTS");
	struct link *l = link_new(b, LOCKDOWN_PORT);
	const char *why;

	if (*computer_pair(c, l)) {
		assert_int_equal(trust_tap(&b->phone.trust, true, &why), 0);
		if (b->phone.trust.dialog == DIALOG_PASSCODE)
			assert_int_equal(trust_type(&b->phone.trust, &why), 0);
		assert_string_equal(computer_pair(c, l), "");
	}
	link_free(l);
	return c;
}

/* StartSession; returns its error, or "" and then @session_id (37 bytes) is filled. */
static inline const char *session_ask(struct computer *c, struct link *l, char *session_id)
{
	plist_t reply =
	    link_ask(l, REQUEST("StartSession", "HostID", c->id, "SystemBUID", c->buid));
	plist_t id = plist_dict_get_item(reply, "SessionID");

	if (id)
		snprintf(session_id, 37, "%s", plist_get_string_ptr(id, nullptr));
	return error_of(reply);
}

/* A connection with a session in it. */
static inline struct link *session_new(struct bed *b, struct computer *c, char *session_id)
{
	struct link *l = link_new(b, LOCKDOWN_PORT);
	char id[37];

	assert_string_equal(session_ask(c, l, session_id ? session_id : id), "");
	assert_true(link_start_tls(l, c->root, c->root_key, 0));
	return l;
}
