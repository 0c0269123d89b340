/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The varlink side of the service over a real socket: replies fit the interface, events are
 * numbered. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "idl_check.h"
#include "service/fields.h"
#include "service/interface.h"
#include "service/server.h"
#include "service/socket.h"
#include "unit.h"
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <systemd/sd-varlink.h>

#define FAKE_WORKER "tests/unit/fake_worker"

enum { LOOP_LIMIT_MS = 20000, EVENTS_MAX = 64 };

struct bench {
	char folder[32];
	char path[64];
	sd_event *event;
	struct fleet *fleet;
	struct worker_pool *pool;
	struct asker *asker;
	struct storage *storage;
	struct planner *planner;
	struct consents *consents;
	struct jobs *jobs;
	struct server *server;
	/* what a link was answered */
	unsigned replies;
	sd_json_variant *got[EVENTS_MAX]; /* owned */
	char error_id[96];                /* of the latest, "" if it was none */
};

static void on_fleet_event(enum fleet_event event, const struct phone *phone, void *user)
{
	struct bench *bench = user;

	if (bench->server)
		server_fleet_event(bench->server, event, phone);
}

static void on_touched(void *user)
{
}

static void on_job(sd_json_variant *job, void *user)
{
	struct bench *bench = user;

	if (bench->server)
		server_job(bench->server, job);
}

static void bench_start_jobs(struct bench *bench)
{
	struct storage_options storage = { .folder = bench->folder };
	struct jobs_options jobs = {
		.fleet = bench->fleet,
		.pool = bench->pool,
		.event = bench->event,
		.changed_fn = on_job,
		.touched_fn = on_touched,
		.user = bench,
	};
	struct planner_options planner = {
		.fleet = bench->fleet,
		.asker = bench->asker,
		.pool = bench->pool,
		.touched_fn = on_touched,
		.touched_user = bench,
	};

	assert_int_equal(storage_new(&storage, &bench->storage), 0);
	jobs.storage = bench->storage;
	assert_int_equal(consents_new(&bench->consents), 0);
	planner.storage = bench->storage;
	assert_int_equal(planner_new(&planner, &bench->planner), 0);
	assert_int_equal(jobs_new(&jobs, &bench->jobs), 0);
}

static int bench_start(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	struct server_options options;
	struct error err;

	snprintf(bench->folder, sizeof(bench->folder), "/tmp/idr-server-XXXXXX");
	assert_non_null(mkdtemp(bench->folder));
	snprintf(bench->path, sizeof(bench->path), "%s/socket", bench->folder);
	assert_int_equal(setenv("FAKE_DIR", bench->folder, 1), 0);
	assert_int_equal(sd_event_new(&bench->event), 0);
	assert_int_equal(fleet_new(on_fleet_event, bench, &bench->fleet), 0);
	assert_int_equal(worker_pool_new(bench->event, FAKE_WORKER, NULL, &bench->pool), 0);
	assert_int_equal(asker_new(bench->fleet, bench->pool, on_touched, bench, &bench->asker), 0);
	bench_start_jobs(bench);
	options = (struct server_options){
		.event = bench->event,
		.path = bench->path,
		.fleet = bench->fleet,
		.asker = bench->asker,
		.planner = bench->planner,
		.jobs = bench->jobs,
		.consents = bench->consents,
		.test = true,
	};
	assert_int_equal(server_new(&options, &bench->server, &err), 0);
	*state = bench;
	return 0;
}

static void got_clear(struct bench *bench)
{
	for (unsigned i = 0; i < bench->replies; i++)
		sd_json_variant_unref(bench->got[i]);
	bench->replies = 0;
}

static int remove_one(const char *path, const struct stat *file, int type, struct FTW *at)
{
	return remove(path);
}

static void folder_remove(const struct bench *bench, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", bench->folder, name);
	(void)nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static int bench_end(void **state)
{
	static const char *const names[] = {
		"requests",       "probe", "requests-catalogue", "requests-check", "catalogue",
		"requests-trust", "check", "requests-sign",      "sign",
	};
	struct bench *bench = *state;
	char path[128];

	bench->server = server_free(bench->server);
	jobs_free(bench->jobs);
	planner_free(bench->planner);
	consents_free(bench->consents);
	storage_free(bench->storage);
	asker_free(bench->asker);
	fleet_free(bench->fleet);
	worker_pool_free(bench->pool);
	sd_event_unref(bench->event);
	got_clear(bench);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", bench->folder, names[i]);
		unlink(path);
	}
	folder_remove(bench, "jobs");
	folder_remove(bench, "firmware");
	assert_int_equal(rmdir(bench->folder), 0); /* also proves that the socket was removed */
	free(bench);
	return 0;
}

static void sighting_at(struct bench *bench, enum sighting_change change, unsigned place)
{
	struct sighting sighting = {
		.bus = 1,
		.address = place,
		.vid = USB_VENDOR_APPLE,
		.pid = 0x1281,
		.speed_mbps = 480,
	};

	snprintf(sighting.syspath, sizeof(sighting.syspath), "/sys/devices/usb1/1-%u", place);
	snprintf(sighting.port, sizeof(sighting.port), "1-%u", place);
	snprintf(sighting.serial, sizeof(sighting.serial),
		 "CPID:8110 CPRV:11 CPFM:03 SCEP:01 BDID:0A ECID:%016X IBFL:3D "
		 "SRNM:[F2LX1234567%u]",
		 place, place);
	fleet_sighting(bench->fleet, change, &sighting, clock_now_ms());
}

/* --- the other side -------------------------------------------------------------------------- */

static int on_reply(sd_varlink *link, sd_json_variant *parameters, const char *error_id,
		    sd_varlink_reply_flags_t flags, void *user)
{
	struct bench *bench = user;

	assert_true(bench->replies < EVENTS_MAX);
	bench->got[bench->replies++] = sd_json_variant_ref(parameters);
	snprintf(bench->error_id, sizeof(bench->error_id), "%s", error_id ? error_id : "");
	return 0;
}

static void turn_until(struct bench *bench, unsigned replies)
{
	uint64_t end_ms = clock_now_ms() + LOOP_LIMIT_MS;

	while (bench->replies < replies && clock_now_ms() < end_ms)
		assert_true(sd_event_run(bench->event, 20 * 1000) >= 0);
	assert_int_equal(bench->replies, replies);
}

static sd_varlink *connect_to(struct bench *bench)
{
	sd_varlink *link = NULL;

	assert_true(sd_varlink_connect_address(&link, bench->path) >= 0);
	(void)sd_varlink_set_userdata(link, bench);
	assert_true(sd_varlink_bind_reply(link, on_reply) >= 0);
	assert_true(sd_varlink_attach_event(link, bench->event, 0) >= 0);
	return link;
}

/* The reply's parameters, borrowed until got_clear(). */
static sd_json_variant *call(struct bench *bench, const char *method, sd_json_variant *parameters)
{
	_cleanup_(sd_varlink_close_unrefp) sd_varlink *link = connect_to(bench);

	got_clear(bench);
	assert_true(sd_varlink_invoke(link, method, parameters) >= 0);
	turn_until(bench, 1);
	return bench->got[0];
}

static sd_json_variant *show(struct bench *bench, const char *phone, bool ask)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *parameters = NULL;

	assert_true(sd_json_buildo(&parameters, SD_JSON_BUILD_PAIR_STRING("phone", phone),
				   SD_JSON_BUILD_PAIR_BOOLEAN("ask", ask)) >= 0);
	return call(bench, INTERFACE_METHOD_SHOW, parameters);
}

static void fits_method(const char *method, sd_json_variant *reply)
{
	const sd_varlink_symbol *symbol =
	    idl_find(&vl_interface_org_idevicerescue, SD_VARLINK_METHOD, method);

	assert_non_null(symbol);
	assert_true(idl_check(symbol, SD_VARLINK_OUTPUT, reply));
}

static void fits_error(const struct bench *bench, const char *name, sd_json_variant *reply)
{
	const sd_varlink_symbol *symbol =
	    idl_find(&vl_interface_org_idevicerescue, SD_VARLINK_ERROR, name);

	assert_string_equal(strrchr(bench->error_id, '.') + 1, name);
	assert_non_null(symbol);
	assert_true(idl_check(symbol, SD_VARLINK_REGULAR, reply));
}

/* --- tests ----------------------------------------------------------------------------------- */

static void test_list(void **state)
{
	struct bench *bench = *state;
	sd_json_variant *reply = call(bench, INTERFACE_METHOD_LIST, NULL), *snapshot;

	fits_method("List", reply);
	assert_int_equal(
	    sd_json_variant_elements(field_array(field_object(reply, "snapshot"), "phones")), 0);
	for (unsigned place = 1; place <= 12; place++)
		sighting_at(bench, SIGHTING_APPEARED, place);
	reply = call(bench, INTERFACE_METHOD_LIST, NULL);
	fits_method("List", reply);
	snapshot = field_object(reply, "snapshot");
	assert_int_equal(sd_json_variant_elements(field_array(snapshot, "phones")), 12);
	assert_int_equal(field_unsigned(snapshot, "seq", 0), 12);
	assert_true(field_true(snapshot, "test"));
}

static void test_every_method_of_the_interface_is_bound(void **state)
{
	struct bench *bench = *state;

	for (size_t i = 0; vl_interface_org_idevicerescue.symbols[i]; i++) {
		const sd_varlink_symbol *symbol = vl_interface_org_idevicerescue.symbols[i];
		char name[64];

		if (symbol->symbol_type != SD_VARLINK_METHOD)
			continue;
		snprintf(name, sizeof(name), "%s.%s", INTERFACE_NAME, symbol->name);
		(void)call(bench, name, NULL);
		assert_string_not_equal(bench->error_id, SD_VARLINK_ERROR_METHOD_NOT_FOUND);
		assert_string_not_equal(bench->error_id, SD_VARLINK_ERROR_METHOD_NOT_IMPLEMENTED);
	}
	(void)call(bench, INTERFACE_NAME ".Erase", NULL);
	assert_string_equal(bench->error_id, SD_VARLINK_ERROR_METHOD_NOT_FOUND);
}

static void test_show(void **state)
{
	struct bench *bench = *state;

	sighting_at(bench, SIGHTING_APPEARED, 1);
	sighting_at(bench, SIGHTING_APPEARED, 2);
	fits_method("Show", show(bench, "port:1-1", false));
	assert_true(field_is(field_object(bench->got[0], "phone"), "ecid", "0x0000000000000001"));
	fits_method("Show", show(bench, "ecid:0x2", false));
	assert_true(field_is(field_object(bench->got[0], "phone"), "port", "1-2"));
	fits_error(bench, "NoSuchPhone", show(bench, "ecid:0x3", false));
	fits_error(bench, "NoSuchPhone", show(bench, "a\033[31mb", false));
	fits_error(bench, "AmbiguousPhone", show(bench, "iphone 13", false));
	assert_int_equal(sd_json_variant_elements(field_array(bench->got[0], "matches")), 2);
}

static void test_show_refuses_what_no_phone_can_be(void **state)
{
	struct bench *bench = *state;
	char text[1000];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	(void)show(bench, text, false);
	assert_string_equal(bench->error_id, SD_VARLINK_ERROR_INVALID_PARAMETER);
	(void)show(bench, "", false);
	assert_string_equal(bench->error_id, SD_VARLINK_ERROR_INVALID_PARAMETER);
	(void)call(bench, INTERFACE_METHOD_SHOW, NULL);
	assert_string_equal(bench->error_id, SD_VARLINK_ERROR_INVALID_PARAMETER);
	(void)call(bench, INTERFACE_METHOD_WATCH, NULL); /* without "more" */
	assert_string_equal(bench->error_id, SD_VARLINK_ERROR_EXPECTED_MORE);
}

static void answer_write(const struct bench *bench, const char *line)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/probe", bench->folder);
	file = fopen(path, "we");
	assert_non_null(file);
	fprintf(file, "%s\n", line);
	assert_int_equal(fclose(file), 0);
}

/* Like the service: reviews, then lets the loop run until the reply is here. */
static void show_asking(struct bench *bench, unsigned replies)
{
	uint64_t end_ms = clock_now_ms() + LOOP_LIMIT_MS;

	while (bench->replies < replies && clock_now_ms() < end_ms) {
		asker_review(bench->asker);
		assert_true(sd_event_run(bench->event, 20 * 1000) >= 0);
	}
	assert_int_equal(bench->replies, replies);
}

static void test_show_asks(void **state)
{
	struct bench *bench = *state;
	_cleanup_(sd_varlink_close_unrefp) sd_varlink *link = connect_to(bench);

	answer_write(bench,
		     "{\"v\":1,\"type\":\"result\",\"ok\":true,\"mode\":\"recovery\","
		     "\"identity\":{\"ecid\":\"0x0000000000000001\",\"ap_nonce\":\"00ff\"}}");
	sighting_at(bench, SIGHTING_APPEARED, 1);
	assert_true(sd_varlink_invokebo(link, INTERFACE_METHOD_SHOW,
					SD_JSON_BUILD_PAIR_STRING("phone", "1-1"),
					SD_JSON_BUILD_PAIR_BOOLEAN("ask", true)) >= 0);
	show_asking(bench, 1);
	fits_method("Show", bench->got[0]);
	assert_true(field_is(field_object(bench->got[0], "phone"), "ap_nonce", "00ff"));
}

static void test_show_tells_why_it_was_not_answered(void **state)
{
	struct bench *bench = *state;
	_cleanup_(sd_varlink_close_unrefp) sd_varlink *link = connect_to(bench);
	sd_json_variant *reply;

	answer_write(bench, "{\"v\":1,\"type\":\"result\",\"ok\":false,\"error\":{\"kind\":"
			    "\"busy\",\"origin\":\"kernel\",\"code\":16,\"text\":\"taken\"}}");
	sighting_at(bench, SIGHTING_APPEARED, 1);
	assert_true(sd_varlink_invokebo(link, INTERFACE_METHOD_SHOW,
					SD_JSON_BUILD_PAIR_STRING("phone", "1-1"),
					SD_JSON_BUILD_PAIR_BOOLEAN("ask", true)) >= 0);
	show_asking(bench, 1);
	fits_error(bench, "NotAnswered", bench->got[0]);
	assert_true(field_is(bench->got[0], "kind", "busy"));
	reply = show(bench, "1-1", false);
	fits_method("Show", reply);
	assert_true(field_is(field_object(reply, "problem"), "text", "taken"));
}

static void test_who_asked_may_leave(void **state)
{
	struct bench *bench = *state;
	sd_varlink *link = connect_to(bench);

	answer_write(bench, "hang");
	sighting_at(bench, SIGHTING_APPEARED, 1);
	assert_true(sd_varlink_invokebo(link, INTERFACE_METHOD_SHOW,
					SD_JSON_BUILD_PAIR_STRING("phone", "1-1"),
					SD_JSON_BUILD_PAIR_BOOLEAN("ask", true)) >= 0);
	for (int i = 0; i < 20; i++)
		assert_true(sd_event_run(bench->event, 10 * 1000) >= 0);
	sd_varlink_close_unref(link);
	for (int i = 0; i < 20; i++)
		assert_true(sd_event_run(bench->event, 10 * 1000) >= 0);
	sighting_at(bench, SIGHTING_GONE, 1); /* its answer now finds nobody */
	asker_review(bench->asker);
	fits_method("List", call(bench, INTERFACE_METHOD_LIST, NULL));
}

static void test_watch(void **state)
{
	static const char *const kinds[] = { "snapshot", "added",   "added",
					     "mux-up",   "removed", "mux-down" };
	struct bench *bench = *state;
	_cleanup_(sd_varlink_close_unrefp) sd_varlink *link = connect_to(bench);

	assert_true(sd_varlink_observe(link, INTERFACE_METHOD_WATCH, NULL) >= 0);
	turn_until(bench, 1);
	sighting_at(bench, SIGHTING_APPEARED, 1);
	sighting_at(bench, SIGHTING_APPEARED, 2);
	server_mux(bench->server, true, NULL);
	sighting_at(bench, SIGHTING_GONE, 1);
	server_mux(bench->server, false, NULL);
	turn_until(bench, ARRAY_LEN(kinds));
	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
		sd_json_variant *event = field_object(bench->got[i], "event");

		fits_method("Watch", bench->got[i]);
		assert_true(field_is(event, "kind", kinds[i]));
		assert_int_equal(field_unsigned(event, "seq", 99), i);
	}
	assert_true(field_is(field_object(field_object(bench->got[4], "event"), "phone"),
			     "presence", "gone"));
}

static void test_socket_is_for_owner_and_group(void **state)
{
	struct bench *bench = *state;
	struct stat file;

	assert_int_equal(stat(bench->path, &file), 0);
	assert_int_equal(file.st_mode & 0777, 0660);
}

/* --- who has the socket ---------------------------------------------------------------------- */

static void test_claim(void **state)
{
	char folder[] = "/tmp/idr-claim-XXXXXX", path[64], lock[80];
	_cleanup_close_ int first = -1;
	int second = -1;
	struct error err;
	FILE *file;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/socket", folder);
	snprintf(lock, sizeof(lock), "%s.lock", path);
	assert_int_equal(socket_claim(path, &first, &err), 0);
	assert_int_equal(socket_claim(path, &second, &err), -EBUSY);
	assert_int_equal(err.kind, ERROR_BUSY);
	assert_non_null(strstr(err.text, "another service"));
	close(first);
	first = -1;
	/* what is no socket is not removed */
	file = fopen(path, "we");
	assert_non_null(file);
	fclose(file);
	assert_int_equal(socket_claim(path, &first, &err), -EEXIST);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(unlink(lock), 0);
	assert_int_equal(rmdir(folder), 0);
}

static void path_is(const char *wanted, const char *expected)
{
	_cleanup_free_ char *path = NULL;
	struct error err;

	assert_int_equal(socket_path(wanted, &path, &err), 0);
	assert_string_equal(path, expected);
}

static void test_path(void **state)
{
	_cleanup_free_ char *here = getcwd(NULL, 0), *relative = NULL;

	assert_true(asprintf(&relative, "%s/x/y", here) > 0);
	unsetenv(INTERFACE_SOCKET_ENV);
	path_is(NULL, INTERFACE_SOCKET_DEFAULT);
	path_is("/a/b", "/a/b");
	path_is("x/y", relative);
	setenv(INTERFACE_SOCKET_ENV, "/e", 1);
	path_is(NULL, "/e");
	path_is("/a/b", "/a/b");
	setenv(INTERFACE_SOCKET_ENV, "", 1);
	path_is(NULL, INTERFACE_SOCKET_DEFAULT);
	unsetenv(INTERFACE_SOCKET_ENV);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, bench_start, bench_end)

/* --- jobs ------------------------------------------------------------------------------------ */

static void file_write(const struct bench *bench, const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", bench->folder, name);
	file = fopen(path, "we");
	assert_non_null(file);
	fprintf(file, "%s\n", text);
	assert_int_equal(fclose(file), 0);
}

static void firmware_is_there(const struct bench *bench)
{
	file_write(
	    bench, "catalogue",
	    "{\"v\":1,\"type\":\"result\",\"ok\":true,\"firmwares\":[{\"product\":\"iPhone14,5\","
	    "\"version\":\"17.5.1\",\"build\":\"21F90\",\"name\":\"a.ipsw\","
	    "\"url\":\"https://x/a.ipsw\",\"size\":6,\"sources\":\"apple ipsw.me\","
	    "\"confirmed\":true,\"said_signed\":\"yes\",\"released_ms\":5}]}");
	file_write(bench, "sign",
		   "{\"v\":1,\"type\":\"result\",\"ok\":true,\"verdict\":\"unknown\","
		   "\"reason\":{\"kind\":\"network\",\"text\":\"nobody answers\"}}");
	file_write(
	    bench, "check",
	    "{\"v\":1,\"type\":\"result\",\"ok\":true,\"firmware\":{\"version\":\"17.5.1\","
	    "\"build\":\"21F90\",\"size\":6,\"name\":\"a.ipsw\"},\"members\":3,"
	    "\"products\":[\"iPhone14,5\"],\"variants\":["
	    "{\"name\":\"Customer Erase Install (IPSW)\",\"erases\":true,\"os_bytes\":9},"
	    "{\"name\":\"Customer Upgrade Install (IPSW)\",\"erases\":false,\"os_bytes\":9}]}");
}

/* parameters: text of the object. */
static sd_json_variant *call_text(struct bench *bench, const char *method, const char *parameters)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;

	assert_true(sd_json_parse(parameters, 0, &object, NULL, NULL) >= 0);
	return call(bench, method, object);
}

static void test_diagnose(void **state)
{
	struct bench *bench = *state;
	sd_json_variant *reply = call_text(bench, INTERFACE_METHOD_DIAGNOSE, "{}");

	fits_method("Diagnose", reply);
	assert_int_equal(sd_json_variant_elements(field_array(reply, "diagnoses")), 1);
	sighting_at(bench, SIGHTING_APPEARED, 1);
	sighting_at(bench, SIGHTING_APPEARED, 2);
	reply = call_text(bench, INTERFACE_METHOD_DIAGNOSE, "{}");
	fits_method("Diagnose", reply);
	assert_int_equal(sd_json_variant_elements(field_array(reply, "diagnoses")), 2);
	reply = call_text(bench, INTERFACE_METHOD_DIAGNOSE, "{\"phone\":\"1-2\"}");
	fits_method("Diagnose", reply);
	assert_int_equal(sd_json_variant_elements(field_array(reply, "diagnoses")), 1);
	fits_error(bench, "NoSuchPhone",
		   call_text(bench, INTERFACE_METHOD_DIAGNOSE, "{\"phone\":\"9-9\"}"));
}

static void test_plan_of_an_erase_has_a_token(void **state)
{
	struct bench *bench = *state;
	sd_json_variant *reply;

	firmware_is_there(bench);
	sighting_at(bench, SIGHTING_APPEARED, 1);
	reply = call_text(bench, INTERFACE_METHOD_PLAN, "{\"phone\":\"1-1\",\"goal\":\"erase\"}");
	fits_method("Plan", reply);
	assert_non_null(field_string(field_object(reply, "plan"), "token"));
	assert_string_equal(
	    field_string(field_object(field_object(reply, "plan"), "signed"), "verdict"),
	    "unknown");
	reply = call_text(bench, INTERFACE_METHOD_PLAN, "{\"phone\":\"1-1\",\"goal\":\"update\"}");
	fits_method("Plan", reply);
	assert_null(field_string(field_object(reply, "plan"), "token"));
}

static void test_job_from_start_to_report(void **state)
{
	struct bench *bench = *state;
	_cleanup_free_ char *named = NULL;
	sd_json_variant *reply;

	sighting_at(bench, SIGHTING_APPEARED, 1);
	reply = call_text(bench, INTERFACE_METHOD_START,
			  "{\"phone\":\"1-1\",\"goal\":\"exit-recovery\"}");
	fits_method("Start", reply);
	assert_true(asprintf(&named, "{\"id\":\"%s\"}",
			     field_string(field_object(reply, "job"), "id")) > 0);
	fits_method("Jobs", call_text(bench, INTERFACE_METHOD_JOBS, "{}"));
	fits_method("Job", call_text(bench, INTERFACE_METHOD_JOB, named));
	fits_method("Report", call_text(bench, INTERFACE_METHOD_REPORT, named));
	reply = call_text(bench, INTERFACE_METHOD_START,
			  "{\"phone\":\"1-1\",\"goal\":\"exit-recovery\"}");
	fits_error(bench, "Refused", reply);
	assert_string_equal(field_string(reply, "kind"), "busy");
	fits_error(bench, "Refused", call_text(bench, INTERFACE_METHOD_PAUSE, named));
	fits_error(bench, "Refused", call_text(bench, INTERFACE_METHOD_RESUME, named));
	reply = call_text(bench, INTERFACE_METHOD_CANCEL, named);
	fits_method("Cancel", reply);
	assert_string_equal(field_string(field_object(reply, "job"), "state"), "cancelled");
	jobs_review(bench->jobs);
	fits_method("Job", call_text(bench, INTERFACE_METHOD_JOB, named)); /* from its folder now */
	fits_method("List", call(bench, INTERFACE_METHOD_LIST, NULL));
	assert_string_equal(fleet_at(bench->fleet, 0)->job, "");
}

static void test_errors_of_jobs(void **state)
{
	static const char *const methods[] = { INTERFACE_METHOD_JOB, INTERFACE_METHOD_CANCEL,
					       INTERFACE_METHOD_PAUSE, INTERFACE_METHOD_RESUME,
					       INTERFACE_METHOD_REPORT };
	struct bench *bench = *state;

	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		fits_error(bench, "NoSuchJob", call_text(bench, methods[i], "{\"id\":\"x\"}"));
	fits_error(bench, "NoSuchJob",
		   call_text(bench, INTERFACE_METHOD_ANSWER, "{\"id\":\"x\",\"yes\":true}"));
	sighting_at(bench, SIGHTING_APPEARED, 1);
	fits_error(bench, "NotAnswered",
		   call_text(bench, INTERFACE_METHOD_CHECK_TRUST, "{\"phone\":\"1-1\"}"));
	fits_error(bench, "Refused",
		   call_text(bench, INTERFACE_METHOD_PLAN,
			     "{\"phone\":\"1-1\",\"goal\":\"update\",\"file\":\"/nowhere\"}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_list),
		TEST(test_every_method_of_the_interface_is_bound),
		TEST(test_show),
		TEST(test_show_refuses_what_no_phone_can_be),
		TEST(test_show_asks),
		TEST(test_show_tells_why_it_was_not_answered),
		TEST(test_who_asked_may_leave),
		TEST(test_watch),
		TEST(test_socket_is_for_owner_and_group),
		cmocka_unit_test(test_claim),
		cmocka_unit_test(test_path),
		TEST(test_diagnose),
		TEST(test_plan_of_an_erase_has_a_token),
		TEST(test_job_from_start_to_report),
		TEST(test_errors_of_jobs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
