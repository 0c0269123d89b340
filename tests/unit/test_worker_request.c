/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/line.h"
#include "unit.h"
#include "worker/request.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define HEAD(kind) "\"v\":1,\"type\":\"request\",\"kind\":\"" kind "\""
#define PROBE      "{" HEAD("probe") ","
#define UDID       "00008110-001C20223E29401E"

static int parse(const char *text, enum worker_kind kind, struct request *ret, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;

	assert_true(sd_json_parse(text, 0, &object, NULL, NULL) >= 0);
	return request_parse(object, kind, ret, err);
}

static void test_probe_by_udid(void **state)
{
	static const char *const modes[] = { "normal", "restore" };
	static const enum mode expected[] = { MODE_NORMAL, MODE_RESTORE };

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		char text[256];
		_cleanup_(request_done) struct request request = {};

		snprintf(text, sizeof(text), PROBE "\"mode\":\"%s\",\"udid\":\"" UDID "\"}",
			 modes[i]);
		assert_int_equal(parse(text, WORKER_PROBE, &request, NULL), 0);
		assert_int_equal(request.kind, WORKER_PROBE);
		assert_int_equal(request.mode, expected[i]);
		assert_string_equal(request.udid, UDID);
		assert_int_equal(request.bus, 0);
		assert_int_equal(request.ecid, 0);
		assert_false(request.trust);
	}
}

static void test_probe_by_place(void **state)
{
	static const char *const modes[] = { "recovery", "dfu", "wtf", "port-dfu", "debug-usb" };
	static const enum mode expected[] = { MODE_RECOVERY, MODE_DFU, MODE_WTF, MODE_PORT_DFU,
					      MODE_DEBUG_USB };

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		char text[256];
		_cleanup_(request_done) struct request request = {};

		snprintf(text, sizeof(text),
			 PROBE "\"mode\":\"%s\",\"bus\":255,\"address\":127,"
			       "\"ecid\":\"0x001c20223e29401e\"}",
			 modes[i]);
		assert_int_equal(parse(text, WORKER_PROBE, &request, NULL), 0);
		assert_int_equal(request.mode, expected[i]);
		assert_string_equal(request.udid, "");
		assert_int_equal(request.bus, 255);
		assert_int_equal(request.address, 127);
		assert_true(request.ecid == 0x001c20223e29401eULL);
	}
}

static void test_mux_watch(void **state)
{
	_cleanup_(request_done) struct request request = {};

	assert_int_equal(parse("{" HEAD("mux-watch") "}", WORKER_MUX_WATCH, &request, NULL), 0);
	assert_int_equal(request.kind, WORKER_MUX_WATCH);
}

/* Each is wrong in one thing only; `names` stands in the text of the error. */
static const struct {
	enum worker_kind kind;
	const char *text, *names;
} refused[] = {
	{ WORKER_PROBE, "{}", "missing" },
	{ WORKER_PROBE, "{\"type\":\"request\",\"kind\":\"probe\",\"mode\":\"dfu\"}", "\"v\"" },
	{ WORKER_PROBE, "{\"v\":2,\"type\":\"request\",\"kind\":\"probe\",\"mode\":\"dfu\"}",
	  "version" },
	{ WORKER_PROBE, "{\"v\":1,\"type\":\"event\",\"kind\":\"probe\",\"mode\":\"dfu\"}",
	  "no request" },
	{ WORKER_PROBE, "{" HEAD("mux-watch") ",\"mode\":\"normal\",\"udid\":\"a\"}",
	  "another kind" },
	{ WORKER_MUX_WATCH, "{" HEAD("probe") "}", "another kind" },
	{ WORKER_MUX_WATCH, "{" HEAD("mux-watch") ",\"udid\":\"a\"}", "Unknown field \"udid\"" },
	{ WORKER_PROBE, "{" HEAD("probe") "}", "\"mode\" is missing" },
	{ WORKER_PROBE, PROBE "\"mode\":\"dfu\",\"bus\":1,\"address\":1,\"x\":1}",
	  "Unknown field \"x\"" },
	{ WORKER_PROBE, PROBE "\"mode\":null,\"bus\":1,\"address\":1}", "\"mode\"" },
	{ WORKER_PROBE, PROBE "\"mode\":\"DFU\",\"bus\":1,\"address\":1}", "no mode" },
	{ WORKER_PROBE, PROBE "\"mode\":\"unknown\",\"bus\":1,\"address\":1}", "no mode" },
	{ WORKER_PROBE, PROBE "\"mode\":\"dfu\",\"bus\":\"1\",\"address\":1}", "\"bus\"" },
	{ WORKER_PROBE, PROBE "\"mode\":\"dfu\",\"bus\":\"0x1\",\"address\":1}", "\"bus\"" },
	{ WORKER_PROBE, PROBE "\"mode\":\"dfu\",\"bus\":null,\"address\":1}", "\"bus\"" },
	{ WORKER_PROBE, PROBE "\"mode\":\"dfu\",\"bus\":-1,\"address\":1}", "\"bus\"" },
	{ WORKER_PROBE, PROBE "\"mode\":\"dfu\",\"bus\":1.5,\"address\":1}", "\"bus\"" },
	{ WORKER_PROBE, PROBE "\"mode\":\"dfu\",\"bus\":0,\"address\":1}", "\"bus\"" },
	{ WORKER_PROBE, PROBE "\"mode\":\"dfu\",\"bus\":256,\"address\":1}", "\"bus\"" },
	{ WORKER_PROBE, PROBE "\"mode\":\"dfu\",\"bus\":4294967297,\"address\":1}", "\"bus\"" },
	{ WORKER_PROBE, PROBE "\"mode\":\"dfu\",\"address\":1}", "\"bus\"" },
	{ WORKER_PROBE, PROBE "\"mode\":\"dfu\",\"bus\":1}", "\"address\"" },
	{ WORKER_PROBE, PROBE "\"mode\":\"dfu\",\"bus\":1,\"address\":0}", "\"address\"" },
	{ WORKER_PROBE, PROBE "\"mode\":\"dfu\",\"bus\":1,\"address\":128}", "\"address\"" },
	{ WORKER_PROBE, PROBE "\"mode\":\"dfu\",\"bus\":1,\"bus\":1,\"address\":1}", "\"bus\"" },
	{ WORKER_PROBE, PROBE "\"mode\":\"dfu\",\"bus\":1,\"address\":1,\"udid\":\"a\"}", "udid" },
	{ WORKER_PROBE, PROBE "\"mode\":\"normal\",\"udid\":\"" UDID "\",\"trust\":1}",
	  "\"trust\"" },
	{ WORKER_PROBE, PROBE "\"mode\":\"restore\",\"udid\":\"" UDID "\",\"trust\":true}",
	  "normal mode" },
	{ WORKER_PROBE, PROBE "\"mode\":\"dfu\",\"bus\":1,\"address\":1,\"trust\":true}",
	  "normal mode" },
	{ WORKER_PROBE, PROBE "\"mode\":\"dfu\",\"bus\":1,\"address\":1,\"ecid\":1}", "\"ecid\"" },
	{ WORKER_PROBE, PROBE "\"mode\":\"dfu\",\"bus\":1,\"address\":1,\"ecid\":\"0x1\"}",
	  "\"ecid\"" },
	{ WORKER_PROBE,
	  PROBE "\"mode\":\"dfu\",\"bus\":1,\"address\":1,\"ecid\":\"0x001C20223E29401E\"}",
	  "\"ecid\"" },
	{ WORKER_PROBE, PROBE "\"mode\":\"normal\"}", "\"udid\" is missing" },
	{ WORKER_PROBE, PROBE "\"mode\":\"normal\",\"udid\":\"\"}", "no UDID" },
	{ WORKER_PROBE, PROBE "\"mode\":\"normal\",\"udid\":7}", "\"udid\"" },
	{ WORKER_PROBE, PROBE "\"mode\":\"normal\",\"udid\":\"../../etc\"}", "no UDID" },
	{ WORKER_PROBE,
	  PROBE "\"mode\":\"normal\",\"udid\":\"00000000000000000000000000000000000000000000\"}",
	  "no UDID" },
	{ WORKER_PROBE, PROBE "\"mode\":\"normal\",\"udid\":\"a\",\"bus\":0}", "by udid" },
	{ WORKER_PROBE, PROBE "\"mode\":\"restore\",\"udid\":\"a\",\"address\":1}", "by udid" },
};

static void test_refused(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		struct request request = { .kind = WORKER_KIND_MAX };
		struct error err = {};

		if (parse(refused[i].text, refused[i].kind, &request, &err) != -EINVAL)
			fail_msg("taken: %s", refused[i].text);
		assert_int_equal(err.kind, ERROR_USAGE);
		assert_int_equal(request.kind, WORKER_KIND_MAX); /* nothing was written */
		if (!strstr(err.text, refused[i].names))
			fail_msg("%s: \"%s\" does not name %s", refused[i].text, err.text,
				 refused[i].names);
	}
}

/* Sends the n bytes, closes if asked, and reads a request from the other end. */
static int read_bytes(const char *bytes, size_t n, bool then_close, int timeout_ms,
		      struct error *err)
{
	_cleanup_(request_done) struct request request = {};
	int pair[2], r;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(send(pair[0], bytes, n, MSG_NOSIGNAL), (ssize_t)n);
	if (then_close)
		close(pair[0]);
	r = request_read(pair[1], timeout_ms, WORKER_MUX_WATCH, &request, err);
	if (!then_close)
		close(pair[0]);
	close(pair[1]);
	return r;
}

static int read_text(const char *text, bool then_close, struct error *err)
{
	return read_bytes(text, strlen(text), then_close, 5000, err);
}

static const char good_line[] = "{" HEAD("mux-watch") "}\n";

static void test_read(void **state)
{
	struct error err = {};

	assert_int_equal(read_text(good_line, false, &err), 0);
	assert_int_equal(read_text("{}\n", false, &err), -EINVAL);
	assert_non_null(strstr(err.text, "missing"));
	assert_int_equal(read_text("[]\n", false, &err), -EINVAL);
	assert_non_null(strstr(err.text, "no JSON object"));
	assert_int_equal(read_text("\n", false, &err), -EINVAL);
	assert_non_null(strstr(err.text, "no JSON object"));
	assert_int_equal(read_bytes("{\"v\":\0}\n", 8, false, 5000, &err), -EINVAL);
	assert_non_null(strstr(err.text, "no JSON object"));
}

static void test_read_ends_early(void **state)
{
	struct error err = {};

	assert_int_equal(read_text("", true, &err), -EINVAL);
	assert_non_null(strstr(err.text, "ended before"));
	assert_int_equal(read_text("{\"v\":1", true, &err), -EINVAL);
	assert_non_null(strstr(err.text, "ended before"));
}

static void test_read_only_one_line(void **state)
{
	struct error err = {};
	char text[256];

	snprintf(text, sizeof(text), "%s%s", good_line, good_line);
	assert_int_equal(read_text(text, false, &err), -EINVAL);
	assert_non_null(strstr(err.text, "follows"));
	snprintf(text, sizeof(text), "%s ", good_line);
	assert_int_equal(read_text(text, false, &err), -EINVAL);
	assert_non_null(strstr(err.text, "follows"));
}

static void test_read_too_long(void **state)
{
	static char text[LINE_BYTES_MAX];
	struct error err = {};

	memset(text, ' ', sizeof(text));
	assert_int_equal(read_bytes(text, sizeof(text), false, 5000, &err), -EINVAL);
	assert_non_null(strstr(err.text, "longer than"));
}

static void test_read_limit(void **state)
{
	struct error err = {};
	uint64_t start_ms = clock_now_ms();

	assert_int_equal(read_bytes("{", 1, false, 50, &err), -EINVAL);
	assert_non_null(strstr(err.text, "in time"));
	assert_true(clock_now_ms() - start_ms >= 50);
}

static void test_kind_names(void **state)
{
	for (size_t i = 0; i < WORKER_KIND_MAX; i++)
		assert_int_equal(worker_kind_from_name(worker_kind_name((enum worker_kind)i)), i);
	assert_int_equal(worker_kind_from_name("Probe"), WORKER_KIND_MAX);
	assert_int_equal(worker_kind_from_name(""), WORKER_KIND_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_probe_by_udid),
		cmocka_unit_test(test_probe_by_place),
		cmocka_unit_test(test_mux_watch),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_read_ends_early),
		cmocka_unit_test(test_read_only_one_line),
		cmocka_unit_test(test_read_too_long),
		cmocka_unit_test(test_read_limit),
		cmocka_unit_test(test_kind_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
