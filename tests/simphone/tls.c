/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "pair_record.h"
#include "phone.h"
#include "text.h"

enum {
	RECORD_HEADER_BYTES = 5,
	RECORD_MAX_BYTES = RECORD_HEADER_BYTES + 16384 + 2048,
	PIECE_BYTES = 4096,
};

enum tls_state { TLS_SHAKING, TLS_OPEN, TLS_OVER, TLS_FAILED };

struct tls {
	struct phone *phone;
	struct stream outer;
	tls_take_fn take;
	void *user;

	enum tls_state state;
	enum tls_rule rule;
	SSL_CTX *context;
	SSL *ssl;
	BIO *from_host, *to_host; /* owned by ssl */
	X509 *root, *host;        /* whom the phone believes */
	struct buf in;            /* records that are not complete, or what came behind TLS */
	struct buf waiting;       /* plain text until the handshake is done */
};

/* ---- certificates ---- */

/* OpenSSL asks whether the host's certificate is good: by the pair record alone, never by dates. */
static int certificate_judge(X509_STORE_CTX *store, void *user)
{
	const struct tls *t = user;
	X509 *leaf = X509_STORE_CTX_get0_cert(store);
	bool good = leaf && t->rule != TLS_OTHER_CA &&
		    (X509_cmp(leaf, t->root) == 0 || (t->host && X509_cmp(leaf, t->host) == 0) ||
		     X509_verify(leaf, X509_get0_pubkey(t->root)) == 1);

	ERR_clear_error();
	X509_STORE_CTX_set_error(store, good ? X509_V_OK : X509_V_ERR_CERT_UNTRUSTED);
	return good;
}

/* An expired certificate of a key that was never the phone's. */
static void wrong_certificate_use(SSL_CTX *context)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();

	if (!key || !certificate)
		die("OpenSSL makes no key");
	X509_set_version(certificate, X509_VERSION_3);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -20L * 24 * 3600);
	X509_gmtime_adj(X509_getm_notAfter(certificate), -10L * 24 * 3600);
	X509_set_pubkey(certificate, key);
	X509_sign(certificate, key, EVP_sha256());
	SSL_CTX_use_certificate(context, certificate);
	SSL_CTX_use_PrivateKey(context, key);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

static void certificate_use(SSL_CTX *context, plist_t record)
{
	X509 *certificate = pair_certificate(record, "DeviceCertificate");
	EVP_PKEY *key = pair_key();

	if (SSL_CTX_use_certificate(context, certificate) != 1 ||
	    SSL_CTX_use_PrivateKey(context, key) != 1)
		die("the pair record's DeviceCertificate cannot be used");
	X509_free(certificate);
	EVP_PKEY_free(key);
}

/* ---- versions ---- */

/* iOS 9 spoke 1.0 to hosts; 1.2 came with 10. When 1.3 came was not found: 13 is a guess. */
static int version_max(const struct tls *t)
{
	unsigned major = phone_major(t->phone);

	if (t->rule == TLS_MAX_1_0 || major < 10)
		return TLS1_VERSION;
	return t->rule == TLS_MAX_1_2 || major < 13 ? TLS1_2_VERSION : TLS1_3_VERSION;
}

static SSL_CTX *context_new(struct tls *t, plist_t record)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	int max = version_max(t);

	if (!context)
		die("OpenSSL makes no context");
	SSL_CTX_set_security_level(context, 0); /* SHA-1 signatures of old hosts, TLS 1.0 */
	SSL_CTX_set_min_proto_version(context, max == TLS1_VERSION ? max : TLS1_2_VERSION);
	SSL_CTX_set_max_proto_version(context, max);
	SSL_CTX_set_num_tickets(context, 0);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
	SSL_CTX_set_cert_verify_callback(context, certificate_judge, t);
	if (t->rule == TLS_WRONG_CERT)
		wrong_certificate_use(context);
	else
		certificate_use(context, record);
	return context;
}

struct tls *tls_new(struct phone *phone, plist_t record, bool broken, const struct stream *outer,
		    tls_take_fn take, void *user)
{
	struct tls *t = calloc(1, sizeof(*t));

	if (!t)
		die("out of memory");
	*t = (struct tls){ .phone = phone,
			   .outer = *outer,
			   .take = take,
			   .user = user,
			   .rule = broken ? TLS_ALERT : phone->scenario.lockdown.tls };
	t->root = pair_certificate(record, "RootCertificate");
	t->host = pair_certificate(record, "HostCertificate");
	t->context = context_new(t, record);
	t->ssl = SSL_new(t->context);
	t->from_host = BIO_new(BIO_s_mem());
	t->to_host = BIO_new(BIO_s_mem());
	if (!t->ssl || !t->from_host || !t->to_host)
		die("out of memory");
	SSL_set_bio(t->ssl, t->from_host, t->to_host);
	SSL_set_accept_state(t->ssl);
	return t;
}

struct tls *tls_free(struct tls *t)
{
	if (!t)
		return nullptr;
	SSL_free(t->ssl);
	SSL_CTX_free(t->context);
	X509_free(t->root);
	X509_free(t->host);
	buf_done(&t->in);
	buf_done(&t->waiting);
	free(t);
	return nullptr;
}

/* ---- bytes ---- */

static void records_send(struct tls *t)
{
	char *bytes = nullptr;
	long len = BIO_get_mem_data(t->to_host, &bytes);
	BUF_AUTO copy = {};

	if (len <= 0)
		return;
	buf_add(&copy, bytes, (size_t)len);
	BIO_reset(t->to_host);
	t->outer.send(t->outer.user, copy.bytes, copy.len);
}

static void tls_fail(struct tls *t, const char *why)
{
	if (t->state == TLS_FAILED)
		return;
	t->state = TLS_FAILED;
	EVLOG(&t->phone->log, "tls-failed", LOG_TEXT("why", why));
	records_send(t); /* the alert */
	t->outer.close(t->outer.user);
}

static const char *openssl_word(void)
{
	const char *word = ERR_reason_error_string(ERR_peek_error());

	ERR_clear_error();
	return word ? word : "the connection broke";
}

static void opened_log(struct tls *t)
{
	X509 *host = SSL_get0_peer_certificate(t->ssl);
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	BUF_AUTO hex = {};

	if (host && X509_digest(host, EVP_sha256(), digest, &len) == 1)
		buf_add_hex(&hex, digest, len);
	EVLOG(&t->phone->log, "tls", LOG_TEXT("version", SSL_get_version(t->ssl)),
	      LOG_TEXT("cipher", SSL_get_cipher(t->ssl)), LOG_TEXT("client", buf_text(&hex)));
}

static void handshake_step(struct tls *t)
{
	int r = SSL_do_handshake(t->ssl);

	if (r != 1) {
		if (SSL_get_error(t->ssl, r) == SSL_ERROR_WANT_READ)
			records_send(t);
		else
			tls_fail(t, openssl_word());
		return;
	}
	t->state = TLS_OPEN;
	records_send(t);
	opened_log(t);
	if (t->waiting.len > 0) {
		struct buf waiting = t->waiting;

		t->waiting = (struct buf){};
		tls_send(t, waiting.bytes, waiting.len);
		buf_done(&waiting);
	}
}

static void text_take(struct tls *t)
{
	uint8_t piece[PIECE_BYTES];

	while (t->state == TLS_OPEN) {
		int got = SSL_read(t->ssl, piece, sizeof(piece));

		if (got > 0) {
			t->take(t->user, piece, (size_t)got);
			continue;
		}
		switch (SSL_get_error(t->ssl, got)) {
		case SSL_ERROR_WANT_READ:
			records_send(t);
			return;
		case SSL_ERROR_ZERO_RETURN:
			t->state = TLS_OVER;
			EVLOG(&t->phone->log, "tls-over");
			return;
		default:
			tls_fail(t, openssl_word());
			return;
		}
	}
}

/* One record at a time: what comes behind the host's close_notify is plain text again. */
static bool record_take(struct tls *t)
{
	size_t len;

	if (t->in.len < RECORD_HEADER_BYTES)
		return false;
	len = RECORD_HEADER_BYTES + (size_t)get_be16(t->in.bytes + 3);
	if (len > RECORD_MAX_BYTES) {
		tls_fail(t, "a record that is too long");
		return false;
	}
	if (t->in.len < len)
		return false;
	BIO_write(t->from_host, t->in.bytes, (int)len);
	buf_drop(&t->in, len);
	if (t->state == TLS_SHAKING)
		handshake_step(t);
	if (t->state == TLS_OPEN)
		text_take(t);
	return t->state == TLS_SHAKING || t->state == TLS_OPEN;
}

/* In place of a hello; the connection stays open. */
static void garbage_send(struct tls *t)
{
	uint8_t bytes[512];

	fault_garbage(&t->phone->faults, bytes, sizeof(bytes));
	t->outer.send(t->outer.user, bytes, sizeof(bytes));
}

void tls_feed(struct tls *t, const uint8_t *bytes, size_t len)
{
	static const uint8_t alert[] = { 0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28 };
	static const uint8_t too_old[] = { 0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x46 };

	if (t->state == TLS_FAILED || len == 0 || t->rule == TLS_NO_HANDSHAKE)
		return;
	if (t->rule == TLS_CLOSE) {
		tls_fail(t, "knob: close");
		return;
	}
	if (t->rule == TLS_ALERT) {
		t->outer.send(t->outer.user, alert, sizeof(alert));
		tls_fail(t, "knob: alert");
		return;
	}
	if (t->rule == TLS_NEWER) {
		t->outer.send(t->outer.user, too_old, sizeof(too_old));
		tls_fail(t, "knob: newer");
		return;
	}
	if (t->rule == TLS_GARBAGE) {
		garbage_send(t);
		return;
	}
	buf_add(&t->in, bytes, len);
	while (record_take(t))
		;
}

void tls_send(struct tls *t, const void *bytes, size_t len)
{
	if (t->state == TLS_SHAKING)
		buf_add(&t->waiting, bytes, len);
	if (t->state != TLS_OPEN || len == 0)
		return;
	if (SSL_write(t->ssl, bytes, (int)len) <= 0)
		tls_fail(t, openssl_word());
	else
		records_send(t);
}

void tls_close(struct tls *t)
{
	if (t->state == TLS_FAILED)
		return;
	if (t->state == TLS_OPEN) {
		SSL_shutdown(t->ssl);
		ERR_clear_error();
		records_send(t);
	}
	t->state = TLS_FAILED;
	t->outer.close(t->outer.user);
}

bool tls_over(const struct tls *t)
{
	return t->state == TLS_OVER;
}

const struct buf *tls_rest(const struct tls *t)
{
	return &t->in;
}

bool tls_between_records(const struct tls *t)
{
	return t->in.len == 0;
}
