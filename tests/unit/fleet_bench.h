/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A fleet on a bench, with a clock of its own and a face that believes only reports. After every
 * step the fleet's invariants are checked, and that the face lists what the fleet lists.
 */
#include "phone/fleet.h"
#include "sightings.h"
#include "unit.h"
#include <stdlib.h>
#include <string.h>

enum { BENCH_IDS_MAX = 4096, BENCH_START_MS = 1000000 };

struct bench {
	struct fleet *fleet;
	uint64_t now_ms;
	unsigned address; /* the next one that the kernel gives */
	unsigned last_id;
	size_t added, changed, removed;
	size_t listed_count;
	bool listed[BENCH_IDS_MAX]; /* what a face shows */
};

static inline void bench_on_event(enum fleet_event event, const struct phone *phone, void *user)
{
	struct bench *bench = user;
	bool *listed = &bench->listed[phone->id];

	assert_true(phone->id < BENCH_IDS_MAX);
	bench->last_id = phone->id > bench->last_id ? phone->id : bench->last_id;
	switch (event) {
	case FLEET_ADDED:
		assert_false(*listed);
		*listed = true;
		bench->listed_count++;
		bench->added++;
		break;
	case FLEET_CHANGED:
		assert_true(*listed);
		bench->changed++;
		break;
	case FLEET_REMOVED:
		assert_true(*listed);
		assert_int_equal(phone->presence, PRESENCE_GONE);
		*listed = false;
		bench->listed_count--;
		bench->removed++;
		break;
	case FLEET_EVENT_MAX:
		fail();
	}
}

static inline struct bench *bench_new(void)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	assert_non_null(bench);
	bench->now_ms = BENCH_START_MS;
	assert_int_equal(fleet_new(bench_on_event, bench, &bench->fleet), 0);
	return bench;
}

static inline struct bench *bench_free(struct bench *bench)
{
	fleet_free(bench->fleet);
	free(bench);
	return NULL;
}
DEFINE_CLEANUP(struct bench *, bench_free)

static inline void bench_check_phone(const struct bench *bench, const struct phone *phone)
{
	assert_true(bench->listed[phone->id]);
	assert_ptr_equal(fleet_get(bench->fleet, phone->id), phone);
	assert_int_not_equal(phone->presence, PRESENCE_GONE);
	assert_int_equal(phone->deadline_ms == 0, phone->presence == PRESENCE_PRESENT);
	assert_true(phone->deadline_ms == 0 || phone->deadline_ms > bench->now_ms);
	assert_true(phone->on_bus || phone->presence == PRESENCE_AWAITED);
	assert_true(phone->on_bus || !phone->in_mux);
	assert_true(phone->enumerations > 0);
	assert_true(phone->since_ms <= bench->now_ms);
	assert_int_equal(phone->awaited_port[0] != '\0', phone->awaited_until_ms != 0);
}

static inline void bench_check(const struct bench *bench)
{
	size_t count = fleet_count(bench->fleet);
	const struct phone *phones[FLEET_PHONES_MAX];

	assert_int_equal(count, bench->listed_count);
	assert_null(fleet_at(bench->fleet, count));
	for (size_t i = 0; i < count; i++) {
		const struct phone *a = phones[i] = fleet_at(bench->fleet, i);

		bench_check_phone(bench, a);
		for (size_t j = 0; j < i; j++) {
			const struct phone *b = phones[j];

			assert_true(strverscmp(b->sighting.port, a->sighting.port) <= 0);
			assert_true(a->identity.ecid == 0 || a->identity.ecid != b->identity.ecid);
			assert_true(a->identity.udid[0] == '\0' ||
				    strcmp(a->identity.udid, b->identity.udid) != 0);
			assert_true(!a->on_bus || !b->on_bus ||
				    strcmp(a->sighting.port, b->sighting.port) != 0);
		}
	}
}

static inline struct sighting bench_see(struct bench *bench, const char *port, uint16_t pid,
					const char *serial)
{
	struct sighting sighting = sighting_make(port, 1 + bench->address++ % 127, pid, serial);

	fleet_sighting(bench->fleet, SIGHTING_APPEARED, &sighting, bench->now_ms);
	bench_check(bench);
	return sighting;
}

static inline void bench_gone(struct bench *bench, const char *port)
{
	struct sighting sighting = sighting_make(port, 0, 0, "");

	fleet_sighting(bench->fleet, SIGHTING_GONE, &sighting, bench->now_ms);
	bench_check(bench);
}

/* Time passes as in the service: a tick at every deadline. */
static inline void bench_wait(struct bench *bench, uint64_t ms)
{
	uint64_t end_ms = bench->now_ms + ms, deadline_ms;

	while ((deadline_ms = fleet_deadline(bench->fleet)) <= end_ms) {
		assert_true(deadline_ms >= bench->now_ms);
		bench->now_ms = deadline_ms;
		fleet_tick(bench->fleet, bench->now_ms);
		bench_check(bench);
		assert_true(fleet_deadline(bench->fleet) > deadline_ms);
	}
	bench->now_ms = end_ms;
}

/* A worker's answer about the present enumeration. */
static inline void bench_answer(struct bench *bench, unsigned id, enum mode mode, uint64_t ecid,
				const char *udid)
{
	const struct phone *phone = fleet_get(bench->fleet, id);
	struct identity identity = { .ecid = ecid };
	char syspath[SIGHTING_PATH_BYTES];

	assert_non_null(phone);
	snprintf(identity.udid, sizeof(identity.udid), "%s", udid);
	snprintf(syspath, sizeof(syspath), "%s", phone->sighting.syspath);
	fleet_mark_asked(bench->fleet, id);
	fleet_identity(bench->fleet, id, syspath, mode, &identity, bench->now_ms);
	bench_check(bench);
}

static inline void bench_mux(struct bench *bench, const char *udid, unsigned location, bool listed)
{
	fleet_mux(bench->fleet, udid, location, listed, bench->now_ms);
	bench_check(bench);
}

/* The only phone that is listed. */
static inline const struct phone *bench_only(const struct bench *bench)
{
	assert_int_equal(fleet_count(bench->fleet), 1);
	return fleet_at(bench->fleet, 0);
}
