/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parts of the worker kind `restore` that need no engine: request, silence, file, relay. */
#include "base/cleanup.h"
#include "unit.h"
#include "worker/apple_root.h"
#include "worker/relay.h"
#include "worker/restore.h"
#include "worker/restore_file.h"
#include "worker/restore_link.h"
#include "worker/silence.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* --- the request */

#define HEAD "{\"v\":1,\"type\":\"request\",\"kind\":\"restore\","
#define MOST                                                                                       \
	"\"folder\":\"/jobs/1\",\"attempt\":1,\"ecid\":\"0x001c20223e29401e\","                    \
	"\"path\":\"/x.ipsw\",\"os_bytes\":7,"

static int parse(const char *text, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	_cleanup_(request_done) struct request request = {};
	struct restore_request restore = {};
	int r;

	assert_true(sd_json_parse(text, 0, &object, NULL, NULL) >= 0);
	assert_int_equal(request_parse(object, WORKER_RESTORE, &request, err), 0);
	r = restore_request_parse(&request, &restore, err);
	if (r < 0)
		return r;
	assert_string_equal(restore.folder, "/jobs/1");
	assert_string_equal(restore.variant, "V");
	assert_true(restore.ecid == 0x001c20223e29401eULL);
	assert_int_equal(restore.os_bytes, 7);
	return restore.erase ? 1 : 0;
}

static void test_request(void **state)
{
	struct error err = {};

	assert_int_equal(parse(HEAD MOST "\"variant\":\"V\",\"erase\":false}", NULL), 0);
	assert_int_equal(
	    parse(HEAD MOST "\"variant\":\"V\",\"erase\":true,\"consent\":\"a1B2\"}", NULL), 1);
	assert_true(parse(HEAD MOST "\"variant\":\"V\",\"erase\":true}", &err) < 0);
	assert_int_equal(err.kind, ERROR_NO_CONSENT);
	assert_true(parse(HEAD MOST "\"variant\":\"V\",\"erase\":true,\"consent\":\"\"}", &err) <
		    0);
	assert_int_equal(err.kind, ERROR_NO_CONSENT);
	assert_true(
	    parse(HEAD MOST "\"variant\":\"V\",\"erase\":true,\"consent\":\"12 4\"}", &err) < 0);
	assert_int_equal(err.kind, ERROR_USAGE);
	assert_true(
	    parse(HEAD MOST "\"variant\":\"V\",\"erase\":false,\"consent\":\"1234\"}", &err) < 0);
	assert_int_equal(err.kind, ERROR_USAGE);
	assert_true(parse(HEAD MOST "\"variant\":\"V\",\"erase\":1}", &err) < 0);
	assert_int_equal(err.kind, ERROR_USAGE);
	assert_true(parse(HEAD MOST "\"variant\":\"V\",\"erase\":false,\"limit\":1}", &err) < 0);
	assert_int_equal(err.kind, ERROR_USAGE);
}

/* --- silence: limits in seconds, times made up */

/* The name of the firmware that the engine sees is a file's name and nothing else. */
static void test_name(void **state)
{
	static const char *const bad[] = { "", ".", "..", "a/b", "../a", "/a" };
	char text[512], name[RESTORE_NAME_BYTES + 1];
	struct error err;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(text, sizeof(text),
			 HEAD MOST "\"name\":\"%s\",\"variant\":\"V\",\"erase\":false}", bad[i]);
		assert_true(parse(text, &err) < 0);
		assert_int_equal(err.kind, ERROR_USAGE);
	}
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	snprintf(text, sizeof(text), HEAD MOST "\"name\":\"%s\",\"variant\":\"V\",\"erase\":false}",
		 name);
	assert_true(parse(text, &err) < 0);
	assert_int_equal(parse(HEAD MOST "\"name\":\"iPhone_18.2_Restore.ipsw\",\"variant\":\"V\","
					 "\"erase\":false}",
			       NULL),
			 0);
}

/* Somebody makes room with the file: the engine is not to begin with it. */
static void test_link_of_a_file_that_is_being_removed(void **state)
{
	char path[] = "/tmp/restore.XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);
	struct restore_link link;
	struct error err = {};

	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(restore_link_make(path, "x.ipsw", &link, &err), -EBUSY);
	assert_int_equal(err.kind, ERROR_BUSY);
	assert_int_equal(flock(fd, LOCK_UN), 0);
	assert_int_equal(restore_link_make(path, "x.ipsw", &link, &err), 0);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
	restore_link_remove(&link);
	assert_int_equal(unlink(path), 0);
	close(fd);
}

static void test_link(void **state)
{
	struct restore_link link;
	char to[64] = "", folder[sizeof(link.folder)];

	assert_int_equal(
	    restore_link_make("/data/firmware/abcd.ipsw", "iPhone_Restore.ipsw", &link, NULL), 0);
	assert_string_equal(strrchr(link.path, '/'), "/iPhone_Restore.ipsw");
	assert_int_equal(readlink(link.path, to, sizeof(to) - 1),
			 strlen("/data/firmware/abcd.ipsw"));
	assert_string_equal(to, "/data/firmware/abcd.ipsw");
	strcpy(folder, link.folder);
	restore_link_remove(&link);
	assert_int_equal(access(folder, F_OK), -1);
	restore_link_remove(&link); /* again: nothing */
	/* nothing to rename, or nobody who says how */
	assert_int_equal(restore_link_make("/media/x.ipsw", "x.ipsw", &link, NULL), 0);
	assert_string_equal(link.path, "/media/x.ipsw");
	assert_string_equal(link.folder, "");
	assert_int_equal(restore_link_make("/media/x.ipsw", NULL, &link, NULL), 0);
	assert_string_equal(link.path, "/media/x.ipsw");
}

static void test_silence(void **state)
{
	struct silence silence;

	silence_begin(&silence, 100, 1000, 5000);
	assert_int_equal(silence_due_ms(&silence), 55000);
	assert_int_equal(silence_next(&silence, 54999), SILENCE_WAIT);
	assert_int_equal(silence_next(&silence, 55000), SILENCE_STALLED);
	assert_int_equal(silence_next(&silence, 55001), SILENCE_WAIT);
	assert_int_equal(silence_due_ms(&silence), 105000);
	silence_news(&silence, 60000);
	assert_int_equal(silence_next(&silence, 105000), SILENCE_WAIT);
	assert_int_equal(silence_next(&silence, 110000), SILENCE_STALLED);
	assert_int_equal(silence_next(&silence, 160000), SILENCE_END);
	assert_int_equal(silence_due_ms(&silence), 160000 + 75000);
	/* what it still says does not save it: it was told to end */
	silence_news(&silence, 161000);
	assert_int_equal(silence_next(&silence, 234999), SILENCE_WAIT);
	assert_int_equal(silence_next(&silence, 235000), SILENCE_KILL);
	assert_int_equal(silence_next(&silence, 999999), SILENCE_WAIT);
	assert_true(silence_due_ms(&silence) == UINT64_MAX);
}

static void test_silence_in_all(void **state)
{
	struct silence silence;

	silence_begin(&silence, 100, 150, 0);
	silence_news(&silence, 90000);
	silence_news(&silence, 149000);
	assert_int_equal(silence_due_ms(&silence), 150000);
	assert_int_equal(silence_next(&silence, 149999), SILENCE_WAIT);
	assert_int_equal(silence_next(&silence, 150000), SILENCE_OVER);
	silence_begin(&silence, 0, 0, 0);
	assert_true(silence_due_ms(&silence) == UINT64_MAX);
	assert_int_equal(silence_next(&silence, UINT32_MAX), SILENCE_WAIT);
}

static void test_silence_ended_by_the_caller(void **state)
{
	struct silence silence;

	silence_begin(&silence, 100, 1000, 0);
	silence_end(&silence, 5000, 20000);
	silence_end(&silence, 99000, 21000);
	assert_int_equal(silence_due_ms(&silence), 25000);
	assert_int_equal(silence_next(&silence, 24999), SILENCE_WAIT);
	assert_int_equal(silence_next(&silence, 25000), SILENCE_KILL);
}

/* --- the file */

static int folder_make(char path[static 32])
{
	snprintf(path, 32, "/tmp/test-restore-XXXXXX");
	assert_non_null(mkdtemp(path));
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void test_file(void **state)
{
	_cleanup_(restore_file_done) struct restore_file file = { .fd = -1 };
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *line = NULL;
	_cleanup_close_ int other = -1;
	_cleanup_close_ int folder = -1;
	struct restore_file second;
	struct error err = {};
	char path[32], text[512] = {};

	folder = folder_make(path);
	assert_int_equal(restore_file_create(folder, 3, &file, &err), 0);
	assert_string_equal(file.name, "engine-3.jsonl");
	assert_true(restore_file_create(folder, 3, &second, &err) < 0);
	assert_int_equal(err.kind, ERROR_BUSY);
	other = openat(folder, file.name, O_RDONLY | O_CLOEXEC);
	assert_int_equal(flock(other, LOCK_SH | LOCK_NB), -1);
	assert_int_equal(fcntl(file.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(restore_file_event(&file, "touched", NULL), 0);
	assert_true(sd_json_parse("{\"type\":\"result\"}", 0, &line, NULL, NULL) >= 0);
	assert_int_equal(restore_file_end(&file, line), 0);
	assert_true(read(other, text, sizeof(text) - 1) > 0);
	assert_non_null(strstr(text, "\"event\":\"touched\",\"time_ms\":"));
	assert_non_null(strstr(text, "}\n{\"type\":\"result\"}\n"));
	restore_file_done(&file);
	assert_int_equal(flock(other, LOCK_SH | LOCK_NB), 0);
	assert_int_equal(unlinkat(folder, "engine-3.jsonl", 0), 0);
	assert_int_equal(unlinkat(AT_FDCWD, path, AT_REMOVEDIR), 0);
}

static void touch_at(int folder, const char *name)
{
	_cleanup_close_ int fd = openat(folder, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
}

/* Everything in it, nothing that a link leads to. */
static void test_folder_remove(void **state)
{
	_cleanup_close_ int folder = -1;
	char path[32];

	folder = folder_make(path);
	assert_int_equal(restore_folder_remove(folder, "tmp"), 0);
	assert_int_equal(mkdirat(folder, "kept", 0700), 0);
	touch_at(folder, "kept/file");
	assert_int_equal(mkdirat(folder, "tmp", 0700), 0);
	assert_int_equal(mkdirat(folder, "tmp/a", 0700), 0);
	touch_at(folder, "tmp/a/b");
	assert_int_equal(symlinkat("../../kept", folder, "tmp/a/link"), 0);
	assert_int_equal(restore_folder_remove(folder, "tmp"), 0);
	assert_int_equal(faccessat(folder, "tmp", F_OK, 0), -1);
	assert_int_equal(faccessat(folder, "kept/file", F_OK, 0), 0);
	assert_int_equal(symlinkat("kept", folder, "tmp"), 0);
	assert_true(restore_folder_remove(folder, "tmp") < 0);
	assert_int_equal(faccessat(folder, "kept/file", F_OK, 0), 0);
	assert_int_equal(unlinkat(folder, "tmp", 0), 0);
	assert_int_equal(restore_folder_remove(folder, "kept"), 0);
	assert_int_equal(unlinkat(AT_FDCWD, path, AT_REMOVEDIR), 0);
}

/* --- the relay */

/* The bytes are Apple's root, by the fingerprint that Apple publishes. */
static void test_root_is_apples(void **state)
{
	static const unsigned char expected[] = {
		0xb0, 0xb1, 0x73, 0x0e, 0xcb, 0xc7, 0xff, 0x45, 0x05, 0x14, 0x2c,
		0x49, 0xf1, 0x29, 0x5e, 0x6e, 0xda, 0x6b, 0xca, 0xed, 0x7e, 0x2c,
		0x68, 0xc5, 0xbe, 0x91, 0xb5, 0xa1, 0x10, 0x01, 0xf0, 0x24,
	};
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned digest_bytes = 0;
	BIO *bio = BIO_new_mem_buf(apple_root_pem, -1);
	X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	assert_non_null(certificate);
	assert_int_equal(X509_digest(certificate, EVP_sha256(), digest, &digest_bytes), 1);
	assert_int_equal(digest_bytes, sizeof(expected));
	assert_memory_equal(digest, expected, sizeof(expected));
	X509_free(certificate);
	BIO_free(bio);
}

/* One HTTP conversation on 127.0.0.1; the answer's first bytes. */
static void converse(uint16_t port, const char *head, size_t body_bytes, char ret[static 64])
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	_cleanup_free_ char *body = calloc(1, body_bytes + 1);
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	size_t done = 0;
	ssize_t n;

	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_true(send(fd, head, strlen(head), MSG_NOSIGNAL) > 0);
	/* it may answer and hang up before it has all of a body that is too long */
	while (done < body_bytes &&
	       (n = send(fd, body + done, body_bytes - done, MSG_NOSIGNAL)) > 0)
		done += (size_t)n;
	memset(ret, 0, 64);
	(void)!recv(fd, ret, 63, MSG_WAITALL);
}

static void test_relay_takes_only_requests(void **state)
{
	_cleanup_(relay_freep) struct relay *relay = NULL;
	struct relay_outcome outcome;
	char answer[64];

	assert_int_equal(relay_new(&relay, NULL), 0);
	assert_true(relay_port(relay) > 0);
	converse(relay_port(relay), "GET /TSS/controller?action=2 HTTP/1.1\r\nHost: x\r\n\r\n", 0,
		 answer);
	assert_non_null(strstr(answer, " 405 "));
	converse(relay_port(relay),
		 "POST /TSS/controller?action=2 HTTP/1.1\r\nHost: x\r\n"
		 "Content-Length: 2000000\r\n\r\n",
		 2000000, answer);
	assert_non_null(strstr(answer, " 413 "));
	assert_int_equal(relay_take(relay, &outcome), -EAGAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_silence_in_all),
		cmocka_unit_test(test_silence_ended_by_the_caller),
		cmocka_unit_test(test_name),
		cmocka_unit_test(test_link),
		cmocka_unit_test(test_link_of_a_file_that_is_being_removed),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_folder_remove),
		cmocka_unit_test(test_root_is_apples),
		cmocka_unit_test(test_relay_takes_only_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
