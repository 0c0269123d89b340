/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Handsets are plugged, unplugged, booted, probed and awaited at random, some of their leavings are
 * lost; the fleet sees only sightings and answers. A model that knows which handset stands at which
 * port says after every step who must be listed, under which id, with which names: nobody doubled,
 * lost or left over.
 *
 * The model thinks in entities: what can be known to be one phone. A new handset is one (its UDID
 * carries the ECID), an old one is two (one by ECID, one by UDID) until both names were told
 * together, and a nameless device is one of its port.
 *
 * IDR_SEED=N repeats one sequence.
 */
#include "base/cleanup.h"
#include "base/log.h"
#include "fleet_bench.h"

enum { HANDSETS = 5, NEW_HANDSETS = 2, PORTS = 5, ENTITIES = 2 * HANDSETS + PORTS };
enum { SEQUENCES = 20000, STEPS = 60, NOWHERE = -1 };
enum { HAS_ECID = 1, HAS_UDID = 2 };

struct entity {
	unsigned id; /* 0: does not exist */
	int names;   /* HAS_… */
	int handset; /* whose it is in truth */
	int port;    /* where it is believed to be; NOWHERE off the bus */
	int last_port;
	enum mode mode;
	uint64_t settled_ms; /* on the bus: when it settles, 0 it has or it is awaited */
	uint64_t awaited_ms; /* limit of awaiting, 0 not awaited */
	int awaited_port;
	uint64_t forgotten_ms; /* gone: until when it is remembered */
};

/* How often the things happened that the test is about: it must not go blind. */
struct tally {
	unsigned appeared, returned, by_awaited_port, moved, lost, late, joined, awaited;
};

struct world {
	uint64_t random;
	struct tally *tally;
	struct bench *bench;
	int place[HANDSETS]; /* where they really are */
	bool linked[HANDSETS];
	unsigned ids;
	struct entity entities[ENTITIES];
};

static unsigned draw(struct world *world, unsigned below)
{
	uint64_t x = world->random += 0x9e3779b97f4a7c15; /* splitmix64 */

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return (unsigned)((x ^ x >> 31) >> 33) % below;
}

static const char *port_name(int port)
{
	static const char *const names[PORTS] = { "1-1", "1-2", "2-1", "2-1.1", "2-1.10" };

	return names[port];
}

static uint64_t handset_ecid(int handset)
{
	return 0x1000 + (uint64_t)handset;
}

static void handset_udid(int handset, char ret[UDID_BYTES])
{
	if (handset < NEW_HANDSETS)
		snprintf(ret, UDID_BYTES, "00008110-%016X", 0x1000 + handset);
	else
		snprintf(ret, UDID_BYTES, "%040x", 0xabc0 + handset);
}

/* --- the model --- */

static int by_ecid(const struct world *world, int handset)
{
	return 2 * handset;
}

static int by_udid(const struct world *world, int handset)
{
	return handset < NEW_HANDSETS || world->linked[handset] ? 2 * handset : 2 * handset + 1;
}

static int nameless(int port)
{
	return 2 * HANDSETS + port;
}

static bool is_awaited_off_bus(const struct entity *entity)
{
	return entity->id != 0 && entity->port == NOWHERE && entity->awaited_ms != 0;
}

static struct entity *awaited_at(struct world *world, int port)
{
	for (int i = 0; i < ENTITIES; i++)
		if (world->entities[i].id != 0 && world->entities[i].awaited_ms != 0 &&
		    world->entities[i].awaited_port == port)
			return &world->entities[i];
	return NULL;
}

static struct entity *at_port(struct world *world, int port)
{
	for (int i = 0; i < ENTITIES; i++)
		if (world->entities[i].id != 0 && world->entities[i].port == port)
			return &world->entities[i];
	return NULL;
}

static void model_leave(struct world *world, struct entity *entity)
{
	entity->port = NOWHERE;
	if (entity->awaited_ms > world->bench->now_ms)
		return;
	entity->awaited_ms = 0;
	entity->forgotten_ms = world->bench->now_ms + timing_ms(TIMING_FORGET);
}

/* What time alone does until now. */
static void model_pass(struct world *world)
{
	for (int i = 0; i < ENTITIES; i++) {
		struct entity *entity = &world->entities[i];
		uint64_t now_ms = world->bench->now_ms;

		if (entity->id == 0)
			continue;
		if (entity->port != NOWHERE) {
			bool settled = entity->settled_ms != 0 && entity->settled_ms <= now_ms;
			bool stayed = entity->settled_ms == 0 && entity->awaited_ms <= now_ms;

			if (settled || stayed)
				entity->settled_ms = entity->awaited_ms = 0;
			continue;
		}
		if (entity->awaited_ms != 0 && entity->awaited_ms <= now_ms) {
			entity->forgotten_ms = entity->awaited_ms + timing_ms(TIMING_FORGET);
			entity->awaited_ms = 0;
		}
		if (entity->awaited_ms == 0 && entity->forgotten_ms <= now_ms) {
			if (i < 2 * HANDSETS)
				world->linked[i / 2] = false;
			entity->id = 0;
		}
	}
}

/* `from` is found to be what stands at index `to`; the lower id stays, `from` is on the bus. */
static void model_join(struct world *world, struct entity *from, int to)
{
	struct entity *target = &world->entities[to];
	struct entity joined = *from;

	if (from == target)
		return;
	if (target->id != 0) {
		bool present = from->settled_ms == 0 && from->awaited_ms == 0;

		world->tally->joined++;
		joined.id = target->id < from->id ? target->id : from->id;
		joined.names |= target->names;
		if (target->awaited_ms > world->bench->now_ms && from->awaited_ms == 0 &&
		    !present) {
			joined.awaited_ms = target->awaited_ms;
			joined.awaited_port = target->awaited_port;
		}
	}
	from->id = 0;
	*target = joined;
}

/* The entity that is on the bus has been told these names of its handset. */
static void model_name(struct world *world, struct entity *entity, int names)
{
	int handset = entity->handset, all = entity->names | names;
	bool old = handset >= NEW_HANDSETS;
	int home;

	if (!old && all)
		all |= HAS_ECID;
	entity->names = all;
	if (all == 0)
		return;
	if (old && all == (HAS_ECID | HAS_UDID) && !world->linked[handset]) {
		struct entity *one = &world->entities[2 * handset];
		struct entity *other = &world->entities[2 * handset + 1];

		/* the two become one, in the place of the first */
		if (entity != one)
			model_join(world, entity, 2 * handset);
		if (one != other && other->id != 0)
			model_join(world, one, 2 * handset + 1), *one = *other, other->id = 0;
		world->linked[handset] = true;
		return;
	}
	home = all & HAS_ECID ? by_ecid(world, handset) : by_udid(world, handset);
	model_join(world, entity, home);
}

/* Which entity a sighting belongs to. */
static struct entity *model_match(struct world *world, int handset, int port, int names)
{
	struct entity *entity = NULL;
	int home = names & HAS_ECID ? by_ecid(world, handset) : by_udid(world, handset);

	if (names != 0 && world->entities[home].id != 0)
		return &world->entities[home];
	entity = awaited_at(world, port);
	/* the world puts only its own handset there, or one that shows that it is another */
	if (entity && is_awaited_off_bus(entity) && entity->handset == handset) {
		world->tally->by_awaited_port++;
		return entity;
	}
	if (names != 0) {
		entity = &world->entities[home];
		*entity = (struct entity){ .port = NOWHERE };
		return entity;
	}
	entity = &world->entities[nameless(port)];
	if (entity->id == 0)
		*entity = (struct entity){ .port = NOWHERE };
	return entity;
}

static void model_appear(struct world *world, int handset, int port, enum mode mode, int names)
{
	struct entity *entity = at_port(world, port);

	if (entity)
		model_leave(world, entity);
	entity = model_match(world, handset, port, names);
	world->tally->appeared++;
	world->tally->returned += entity->id != 0;
	world->tally->moved += entity->id != 0 && entity->port != NOWHERE;
	if (entity->id == 0)
		entity->id = ++world->ids;
	entity->handset = handset;
	entity->port = entity->last_port = port;
	entity->mode = mode;
	entity->settled_ms = world->bench->now_ms + timing_ms(TIMING_SETTLE);
	model_name(world, entity, names);
}

/* --- what the world does --- */

static void appear_at(struct world *world, int handset, int port)
{
	static const struct {
		uint16_t pid;
		enum mode mode;
		int names;
	} faces[] = {
		{ PID_NORMAL, MODE_NORMAL, HAS_UDID },
		{ PID_NORMAL, MODE_NORMAL, HAS_UDID },
		{ PID_RECOVERY, MODE_RECOVERY, HAS_ECID },
		{ PID_DFU, MODE_DFU, HAS_ECID },
		{ PID_DFU, MODE_DFU, 0 },
		{ PID_DEBUG_USB, MODE_DEBUG_USB, 0 },
		{ PID_PORT_DFU, MODE_PORT_DFU, 0 },
	};
	unsigned face = draw(world, ARRAY_LEN(faces));
	const struct entity *awaited = awaited_at(world, port);
	char serial[128] = "", udid[UDID_BYTES];
	bool certain;

	if (world->place[handset] != NOWHERE)
		return;
	for (int i = 0; i < HANDSETS; i++)
		if (world->place[i] == port)
			return;
	/* at an awaited port a stranger must be one for certain */
	certain = faces[face].names != 0 && handset < NEW_HANDSETS && awaited &&
		  awaited->handset < NEW_HANDSETS && awaited->names != 0;
	if (awaited && awaited->handset != handset && !certain)
		return;
	handset_udid(handset, udid);
	if (faces[face].names == HAS_UDID)
		snprintf(serial, sizeof(serial), "%s", udid);
	else if (faces[face].names == HAS_ECID)
		snprintf(serial, sizeof(serial), "CPID:8110 BDID:0A ECID:%016llX",
			 (unsigned long long)handset_ecid(handset));
	else if (faces[face].mode == MODE_PORT_DFU)
		snprintf(serial, sizeof(serial), PORT_DFU_A);
	world->place[handset] = port;
	model_appear(world, handset, port, faces[face].mode, faces[face].names);
	bench_see(world->bench, port_name(port), faces[face].pid, serial);
}

static void world_appear(struct world *world)
{
	appear_at(world, (int)draw(world, HANDSETS), (int)draw(world, PORTS));
}

static void leave_from(struct world *world, int handset)
{
	int port = world->place[handset];
	struct entity *entity;

	if (port == NOWHERE)
		return;
	world->place[handset] = NOWHERE;
	if (draw(world, 6) == 0) {
		world->tally->lost++; /* nobody saw it */
		return;
	}
	entity = at_port(world, port);
	if (entity)
		model_leave(world, entity);
	bench_gone(world->bench, port_name(port));
}

static void world_leave(struct world *world)
{
	leave_from(world, (int)draw(world, HANDSETS));
}

/* The word that somebody left comes late, or twice. */
static void world_late_gone(struct world *world)
{
	int port = (int)draw(world, PORTS);
	struct entity *entity = at_port(world, port);

	for (int i = 0; i < HANDSETS; i++)
		if (world->place[i] == port)
			return;
	world->tally->late += entity != NULL;
	if (entity)
		model_leave(world, entity);
	bench_gone(world->bench, port_name(port));
}

static void world_probe(struct world *world)
{
	int handset = (int)draw(world, HANDSETS), port = world->place[handset], names = HAS_ECID;
	struct entity *entity = port == NOWHERE ? NULL : at_port(world, port);
	char udid[UDID_BYTES] = "";
	unsigned id;

	if (!entity || entity->handset != handset || entity->mode == MODE_PORT_DFU)
		return;
	id = entity->id;
	if (entity->mode == MODE_NORMAL) {
		names |= HAS_UDID;
		handset_udid(handset, udid);
	}
	model_name(world, entity, names);
	bench_answer(world->bench, id, MODE_UNKNOWN, handset_ecid(handset), udid);
}

static void expect(struct world *world, struct entity *entity)
{
	unsigned limit_ms = 1 + draw(world, 20000);
	const struct entity *other;

	if (entity->id == 0)
		return;
	other = awaited_at(world, entity->last_port);
	if (other && other != entity)
		return;
	/* a job that awaits a phone at a port where somebody else stands has lost already */
	for (int i = 0; i < HANDSETS; i++)
		if (i != entity->handset && world->place[i] == entity->last_port)
			return;
	entity->awaited_port = entity->last_port;
	entity->awaited_ms = world->bench->now_ms + limit_ms;
	entity->settled_ms = 0;
	world->tally->awaited++;
	assert_int_equal(
	    fleet_expect(world->bench->fleet, entity->id, limit_ms, world->bench->now_ms), 0);
	bench_check(world->bench);
}

static void world_expect(struct world *world)
{
	expect(world, &world->entities[draw(world, ENTITIES)]);
}

static void world_wait(struct world *world)
{
	static const unsigned spans[] = { 1, 1000, 3000, 3000, 30000, 700000 };

	bench_wait(world->bench, draw(world, spans[draw(world, ARRAY_LEN(spans))]) + 1);
	fleet_tick(world->bench->fleet, world->bench->now_ms);
	model_pass(world);
}

/* A handset starts into another mode, mostly where it stands; a job may await it. */
static void world_restart(struct world *world)
{
	int handset = (int)draw(world, HANDSETS), port = world->place[handset];
	struct entity *entity = port == NOWHERE ? NULL : at_port(world, port);

	if (!entity)
		return;
	if (draw(world, 3) > 0)
		expect(world, entity);
	leave_from(world, handset);
	bench_wait(world->bench, draw(world, 3000));
	fleet_tick(world->bench->fleet, world->bench->now_ms);
	model_pass(world);
	appear_at(world, handset, draw(world, 8) > 0 ? port : (int)draw(world, PORTS));
}

/* --- the comparison --- */

static void compare_entity(const struct world *world, const struct entity *entity)
{
	const struct phone *phone = fleet_get(world->bench->fleet, entity->id);
	char udid[UDID_BYTES];

	assert_non_null(phone);
	assert_int_equal(phone->on_bus, entity->port != NOWHERE);
	assert_string_equal(phone->sighting.port, port_name(entity->last_port));
	assert_int_equal(phone->mode, entity->mode);
	handset_udid(entity->handset, udid);
	if (entity->names & HAS_ECID)
		assert_int_equal(phone->identity.ecid, handset_ecid(entity->handset));
	else
		assert_int_equal(phone->identity.ecid, 0);
	assert_string_equal(phone->identity.udid, entity->names & HAS_UDID ? udid : "");
	if (entity->port == NOWHERE)
		assert_int_equal(phone->presence,
				 entity->awaited_ms ? PRESENCE_AWAITED : PRESENCE_GONE);
	else if (entity->settled_ms != 0)
		assert_int_equal(phone->presence, PRESENCE_SETTLING);
	else
		assert_int_equal(phone->presence,
				 entity->awaited_ms ? PRESENCE_AWAITED : PRESENCE_PRESENT);
}

static void compare(const struct world *world)
{
	size_t visible = 0, known = 0, remembered = 0;

	for (int i = 0; i < ENTITIES; i++) {
		const struct entity *entity = &world->entities[i];

		if (entity->id == 0)
			continue;
		known++;
		visible += entity->port != NOWHERE || entity->awaited_ms != 0;
		compare_entity(world, entity);
	}
	for (unsigned id = 1; id <= world->ids; id++)
		remembered += fleet_get(world->bench->fleet, id) != NULL;
	assert_int_equal(fleet_count(world->bench->fleet), visible);
	assert_int_equal(remembered, known);
	assert_null(fleet_get(world->bench->fleet, world->ids + 1));
}

typedef void (*step_fn)(struct world *world);

static void play(uint64_t seed, struct tally *tally)
{
	static const step_fn steps[] = { world_appear,    world_appear,  world_leave, world_restart,
					 world_restart,   world_restart, world_probe, world_probe,
					 world_late_gone, world_expect,  world_wait };
	struct world world = { .random = seed << 32, .tally = tally, .bench = bench_new() };

	for (int i = 0; i < HANDSETS; i++)
		world.place[i] = NOWHERE;
	for (int i = 0; i < STEPS; i++) {
		steps[draw(&world, ARRAY_LEN(steps))](&world);
		compare(&world);
	}
	bench_free(world.bench);
}

static void test_random_sequences(void **state)
{
	const char *one = getenv("IDR_SEED");
	uint64_t first = one ? strtoull(one, NULL, 10) : 1;
	uint64_t count = one ? 1 : SEQUENCES;
	/* survives cmocka's jump out of a failing test, so that the seed can be told */
	uint64_t *seed = *state;
	struct tally tally = { 0 };

	for (uint64_t i = 0; i < count; i++) {
		*seed = first + i;
		play(*seed, &tally);
	}
	print_message("sequences %llu to %llu, %d steps each: %u appeared, %u returned, %u by the "
		      "awaited port, %u moved, %u lost, %u late, %u joined, %u awaited\n",
		      (unsigned long long)first, (unsigned long long)*seed, STEPS, tally.appeared,
		      tally.returned, tally.by_awaited_port, tally.moved, tally.lost, tally.late,
		      tally.joined, tally.awaited);
	if (!one) {
		assert_true(tally.returned > 50000 && tally.by_awaited_port > 20000);
		assert_true(tally.moved > 500 && tally.lost > 10000 && tally.late > 1000);
		assert_true(tally.joined > 2000 && tally.awaited > 50000);
	}
	*seed = 0;
}

static int seed_setup(void **state)
{
	*state = calloc(1, sizeof(uint64_t));
	/* lost and doubled sightings are what this is about */
	log_init("test", LOG_ERR);
	return *state ? 0 : -1;
}

static int seed_teardown(void **state)
{
	uint64_t *seed = *state;

	if (*seed != 0)
		print_error("it was IDR_SEED=%llu\n", (unsigned long long)*seed);
	free(seed);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_random_sequences, seed_setup, seed_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
