/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* An asker with a fleet and a fake worker. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "service/ask.h"
#include "unit.h"
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>

#define FAKE_WORKER "tests/unit/fake_worker"

enum { LOOP_LIMIT_MS = 20000, PID_RECOVERY = 0x1281, PID_DEBUG_USB = 0x1881, PID_NORMAL = 0x12a8 };

struct bench {
	char folder[32];
	sd_event *event;
	struct fleet *fleet;
	struct worker_pool *pool;
	struct asker *asker;
	bool touched;
	unsigned answers; /* calls of on_answer */
	char answered_key[PHONE_KEY_BYTES];
	struct error err; /* of the latest answer */
};

static inline void file_write(const struct bench *bench, const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", bench->folder, name);
	file = fopen(path, "we");
	assert_non_null(file);
	fprintf(file, "%s\n", text);
	assert_int_equal(fclose(file), 0);
}

/* Probes that were started so far; *last (at least 1 KiB, may be NULL) gets the latest request. */
static inline unsigned requests(const struct bench *bench, char *last)
{
	char path[128], line[1024];
	unsigned count = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/requests", bench->folder);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		count++;
		if (last)
			snprintf(last, sizeof(line), "%s", line);
	}
	if (file)
		fclose(file);
	return count;
}

static inline void on_fleet_event(enum fleet_event event, const struct phone *phone, void *user)
{
	((struct bench *)user)->touched = true;
}

static inline void on_touched(void *user)
{
	((struct bench *)user)->touched = true;
}

static inline void on_answer(const struct phone *phone, const struct error *err, void *user)
{
	struct bench *bench = user;

	bench->answers++;
	bench->err = err ? *err : (struct error){ 0 };
	bench->answered_key[0] = '\0';
	if (phone)
		phone_key(phone, bench->answered_key);
}

/* What the service does around its loop. */
static inline void turn(struct bench *bench)
{
	while (bench->touched) {
		bench->touched = false;
		asker_review(bench->asker);
	}
	assert_true(sd_event_run(bench->event, 20 * 1000) >= 0);
}

static inline void turn_until_answers(struct bench *bench, unsigned wanted)
{
	uint64_t end_ms = clock_now_ms() + LOOP_LIMIT_MS;

	while (bench->answers < wanted && clock_now_ms() < end_ms)
		turn(bench);
	assert_int_equal(bench->answers, wanted);
}

static inline void turn_until_requests(struct bench *bench, unsigned wanted)
{
	uint64_t end_ms = clock_now_ms() + LOOP_LIMIT_MS;

	while (requests(bench, NULL) < wanted && clock_now_ms() < end_ms)
		turn(bench);
	for (int i = 0; i < 10; i++) /* no more of them come */
		turn(bench);
	assert_int_equal(requests(bench, NULL), wanted);
}

static inline int bench_start(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	snprintf(bench->folder, sizeof(bench->folder), "/tmp/idr-ask-XXXXXX");
	assert_non_null(mkdtemp(bench->folder));
	assert_int_equal(setenv("FAKE_DIR", bench->folder, 1), 0);
	assert_int_equal(sd_event_new(&bench->event), 0);
	assert_int_equal(fleet_new(on_fleet_event, bench, &bench->fleet), 0);
	assert_int_equal(worker_pool_new(bench->event, FAKE_WORKER, NULL, &bench->pool), 0);
	assert_int_equal(asker_new(bench->fleet, bench->pool, on_touched, bench, &bench->asker), 0);
	*state = bench;
	return 0;
}

static inline int bench_end(void **state)
{
	struct bench *bench = *state;
	siginfo_t info;
	char command[64];

	asker_free(bench->asker);
	fleet_free(bench->fleet);
	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
		assert_true(sd_event_run(bench->event, 50 * 1000) >= 0);
	worker_pool_free(bench->pool);
	sd_event_unref(bench->event);
	for (int i = 0; i < 10; i++) {
		static const char *const names[] = {
			"requests", "probe",   "probe-1", "probe-2",        "probe-3",
			"probe-4",  "probe-5", "probe-6", "requests-trust", "trust-check",
		};

		snprintf(command, sizeof(command), "%s/%s", bench->folder, names[i]);
		unlink(command);
	}
	assert_int_equal(rmdir(bench->folder), 0);
	free(bench);
	return 0;
}

static inline void sighting_at(struct bench *bench, enum sighting_change change, unsigned place,
			       uint16_t pid)
{
	struct sighting sighting = {
		.bus = 1,
		.address = place,
		.vid = USB_VENDOR_APPLE,
		.pid = pid,
		.speed_mbps = 480,
		.configuration = 1,
	};

	snprintf(sighting.syspath, sizeof(sighting.syspath), "/sys/devices/usb1/1-%u", place);
	snprintf(sighting.port, sizeof(sighting.port), "1-%u", place);
	fleet_sighting(bench->fleet, change, &sighting, clock_now_ms());
	bench->touched = true;
}

static inline void answer_is(const struct bench *bench, const char *name, unsigned ecid)
{
	char line[256];

	snprintf(line, sizeof(line),
		 "{\"v\":1,\"type\":\"result\",\"ok\":true,\"mode\":\"debug-usb\",\"identity\":{"
		 "\"serial_string\":\"CPID:8110 BDID:0A ECID:%016X\"}}",
		 ecid);
	file_write(bench, name, line);
}
