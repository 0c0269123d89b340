/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/tls_look.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "worker/handset.h"
#include "worker/pair_record.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum {
	LOOK_MS = 4000, /* each of the two: the question before, the handshake */
	ANSWER_BYTES_MAX = 64 * 1024,
	ALERT_MASK = 0xff,
	MODERN_MAJOR = 10, /* older systems are held to TLS 1.0, as libimobiledevice does */
	LOCKDOWN_PORT = 62078,
};

DEFINE_CLEANUP(SSL_CTX *, SSL_CTX_free)
DEFINE_CLEANUP(SSL *, SSL_free)

struct line {
	idevice_connection_t connection; /* owned */
	int fd;                          /* the connection's, non-blocking */
	uint64_t end_ms;
};

static void line_done(struct line *line)
{
	if (line->connection)
		idevice_disconnect(line->connection);
}

/* False when the time is over. */
static bool line_wait(const struct line *line, short events)
{
	struct pollfd poll_fd = { .fd = line->fd, .events = events };
	uint64_t now = clock_now_ms();

	while (now < line->end_ms) {
		int r = poll(&poll_fd, 1, (int)(line->end_ms - now));

		if (r > 0)
			return true;
		if (r < 0 && errno != EINTR)
			return false;
		now = clock_now_ms();
	}
	return false;
}

static bool line_open(idevice_t device, struct line *ret)
{
	int flags;

	if (idevice_connect(device, LOCKDOWN_PORT, &ret->connection) != IDEVICE_E_SUCCESS ||
	    idevice_connection_get_fd(ret->connection, &ret->fd) != IDEVICE_E_SUCCESS)
		return false;
	flags = fcntl(ret->fd, F_GETFL);
	ret->end_ms = clock_now_ms() + LOOK_MS;
	return flags >= 0 && fcntl(ret->fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

/* Exactly n bytes, or false. */
static bool line_read(const struct line *line, void *to, size_t n)
{
	char *at = to;

	while (n > 0) {
		ssize_t got = read(line->fd, at, n);

		if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
			return false;
		if (got < 0 && !line_wait(line, POLLIN))
			return false;
		at += got > 0 ? got : 0;
		n -= got > 0 ? (size_t)got : 0;
	}
	return true;
}

static bool line_write(const struct line *line, const void *from, size_t n)
{
	const char *at = from;

	while (n > 0) {
		ssize_t put = write(line->fd, at, n);

		if (put < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		if (put < 0 && !line_wait(line, POLLOUT))
			return false;
		at += put > 0 ? put : 0;
		n -= put > 0 ? (size_t)put : 0;
	}
	return true;
}

/* A question as lockdownd takes it: length and XML. Allocated; NULL without memory. */
static char *question(const char *request, const struct pair_record *names, size_t *ret_n)
{
	_cleanup_(plist_freep) plist_t dict = plist_new_dict();
	_cleanup_free_ char *xml = NULL;
	uint32_t n = 0, prefix;
	char *bytes;

	plist_dict_set_item(dict, "Label", plist_new_string(HANDSET_LABEL));
	plist_dict_set_item(dict, "Request", plist_new_string(request));
	if (names) {
		plist_dict_set_item(dict, "HostID", plist_new_string(names->host_id));
		plist_dict_set_item(dict, "SystemBUID", plist_new_string(names->system_buid));
	}
	plist_to_xml(dict, &xml, &n);
	bytes = xml ? malloc(sizeof(prefix) + n) : NULL;
	if (!bytes)
		return NULL;
	prefix = htonl(n);
	memcpy(bytes, &prefix, sizeof(prefix));
	memcpy(bytes + sizeof(prefix), xml, n);
	*ret_n = sizeof(prefix) + n;
	return bytes;
}

/* StartSession in the clear; true when the phone wants TLS now. */
static bool session_begin(const struct line *line, const struct pair_record *names)
{
	_cleanup_(plist_freep) plist_t answer = NULL;
	_cleanup_free_ char *bytes = NULL, *reply = NULL;
	uint32_t prefix;
	size_t n = 0;
	bool wanted = false;

	bytes = question("StartSession", names, &n);
	if (!bytes || !line_write(line, bytes, n) || !line_read(line, &prefix, sizeof(prefix)))
		return false;
	n = ntohl(prefix);
	reply = n > 0 && n <= ANSWER_BYTES_MAX ? malloc(n) : NULL;
	if (!reply || !line_read(line, reply, n))
		return false;
	(void)plist_from_memory(reply, (uint32_t)n, &answer, NULL);
	return value_is_dict(answer) && value_bool(answer, "EnableSessionSSL", &wanted) && wanted;
}

static void on_alert(const SSL *ssl, int where, int code)
{
	struct tls_look *look = SSL_get_app_data(ssl);

	if (where != SSL_CB_READ_ALERT || (code & ALERT_MASK) == SSL3_AD_CLOSE_NOTIFY)
		return;
	look->end = TLS_END_ALERT;
	look->alert = (unsigned)code & ALERT_MASK;
}

static int no_passphrase(char *buffer, int size, int writing, void *user)
{
	return -1;
}

/* The root's certificate and key, as libimobiledevice shows them. */
static void identity_use(SSL_CTX *context, plist_t record)
{
	size_t n = 0;
	const char *pem = pair_record_data(record, "RootCertificate", &n);
	BIO *bio = pem ? BIO_new_mem_buf(pem, (int)n) : NULL;
	X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, no_passphrase, NULL) : NULL;
	EVP_PKEY *key;

	BIO_free(bio);
	pem = pair_record_data(record, "RootPrivateKey", &n);
	bio = pem ? BIO_new_mem_buf(pem, (int)n) : NULL;
	key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
	BIO_free(bio);
	if (certificate)
		(void)SSL_CTX_use_certificate(context, certificate);
	if (key)
		(void)SSL_CTX_use_PrivateKey(context, key);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

static SSL_CTX *context_new(plist_t record, bool modern)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	if (!context)
		return NULL;
	SSL_CTX_set_security_level(context, 0);
	SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
	if (!modern)
		SSL_CTX_set_max_proto_version(context, TLS1_VERSION);
	SSL_CTX_set_options(context, SSL_OP_LEGACY_SERVER_CONNECT | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_info_callback(context, on_alert);
	identity_use(context, record);
	return context;
}

/* After a call of OpenSSL that gave r: true to call it again, false with look->end set. */
static bool again(SSL *ssl, int r, const struct line *line, struct tls_look *look)
{
	int error = SSL_get_error(ssl, r);

	if (look->end == TLS_END_ALERT)
		return false;
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
		if (line_wait(line, error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT))
			return true;
		look->end = TLS_END_SILENT;
	} else if (error == SSL_ERROR_SSL) {
		int why = ERR_GET_REASON(ERR_peek_error());

		look->end =
		    why == SSL_R_UNEXPECTED_EOF_WHILE_READING ? TLS_END_CLOSED : TLS_END_FOREIGN;
	} else {
		look->end = TLS_END_CLOSED;
	}
	return false;
}

/* Under TLS 1.3 the phone judges our certificate after our side is done: only an answer shows it.
 */
static void value_read(SSL *ssl, const struct line *line, struct tls_look *look)
{
	_cleanup_free_ char *bytes = NULL;
	uint32_t prefix;
	size_t n = 0, done = 0;

	bytes = question("GetValue", NULL, &n);
	if (!bytes)
		return;
	while (SSL_write_ex(ssl, bytes, n, &done) != 1)
		if (!again(ssl, 0, line, look))
			return;
	while (SSL_read_ex(ssl, &prefix, sizeof(prefix), &done) != 1)
		if (!again(ssl, 0, line, look))
			return;
	look->end = TLS_END_FINE;
}

static void handshake(const struct line *line, SSL_CTX *context, struct tls_look *look)
{
	_cleanup_(SSL_freep) SSL *ssl = SSL_new(context);
	int r;

	if (!ssl || SSL_set_fd(ssl, line->fd) != 1)
		return;
	SSL_set_app_data(ssl, look);
	SSL_set_connect_state(ssl);
	ERR_clear_error();
	while ((r = SSL_do_handshake(ssl)) != 1)
		if (!again(ssl, r, line, look))
			break;
	look->established = r == 1;
	/* before the phone has chosen, it is only our own wish */
	if (look->established || SSL_get_pending_cipher(ssl))
		text_copy(look->version, sizeof(look->version), SSL_get_version(ssl));
	if (look->established)
		value_read(ssl, line, look);
	ERR_clear_error();
}

static bool is_modern(lockdownd_client_t client)
{
	_cleanup_(plist_freep) plist_t version = NULL;
	const char *text = NULL;

	if (lockdownd_get_value(client, NULL, "ProductVersion", &version) == LOCKDOWN_E_SUCCESS &&
	    version && plist_get_node_type(version) == PLIST_STRING)
		text = plist_get_string_ptr(version, NULL);
	return !text || strtol(text, NULL, 10) >= MODERN_MAJOR;
}

void tls_look(const char *udid, const char *bytes, size_t n, struct tls_look *ret)
{
	_cleanup_(handset_done) struct handset handset = {};
	_cleanup_(SSL_CTX_freep) SSL_CTX *context = NULL;
	_cleanup_(line_done) struct line line = { .fd = -1 };
	_cleanup_(plist_freep) plist_t record = NULL;
	struct pair_record names;

	*ret = (struct tls_look){};
	pair_record_judge(bytes, n, &names);
	if (names.broken || handset_open(udid, NULL, &handset, NULL) < 0)
		return;
	(void)plist_from_memory(bytes, (uint32_t)n, &record, NULL);
	if (value_is_dict(record))
		context = context_new(record, is_modern(handset.client));
	if (!context || !line_open(handset.device, &line) || !session_begin(&line, &names))
		return;
	line.end_ms = clock_now_ms() + LOOK_MS;
	handshake(&line, context, ret);
}

const char *tls_look_detail(const struct tls_look *look)
{
	switch (look->end) {
	case TLS_END_UNKNOWN:
	case TLS_END_FINE:
		return NULL;
	case TLS_END_SILENT:
		return "no-handshake";
	case TLS_END_CLOSED:
		return "tls-refused";
	case TLS_END_FOREIGN:
		return "tls-protocol";
	case TLS_END_ALERT:
		break;
	}
	return look->alert == SSL_AD_PROTOCOL_VERSION ||
		       look->alert == SSL_AD_INSUFFICIENT_SECURITY ||
		       look->alert == SSL_AD_INAPPROPRIATE_FALLBACK
		   ? "tls-protocol"
		   : "tls-refused";
}

void tls_look_text(const struct tls_look *look, char *text, size_t text_bytes)
{
	switch (look->end) {
	case TLS_END_UNKNOWN:
	case TLS_END_FINE:
		snprintf(text, text_bytes, "The encrypted connection to the phone fails");
		break;
	case TLS_END_SILENT:
		snprintf(text, text_bytes, "The phone does not answer the encrypted connection");
		break;
	case TLS_END_CLOSED:
		snprintf(
		    text, text_bytes,
		    "The phone hangs up %s the encrypted connection opened and does not say why",
		    look->established ? "after" : "before");
		break;
	case TLS_END_FOREIGN:
		snprintf(text, text_bytes,
			 "The phone's answer is no encrypted connection that this computer speaks");
		break;
	case TLS_END_ALERT:
		snprintf(text, text_bytes,
			 "The phone ends the encrypted connection%s%s: TLS alert %u, %s",
			 look->version[0] ? ", " : "", look->version, look->alert,
			 SSL_alert_desc_string_long((int)look->alert));
		break;
	}
}
