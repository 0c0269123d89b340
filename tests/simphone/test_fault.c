/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Faults of streams: every action at a message, a byte and a name, both ways, on a connection of
 * ports.c. The service takes lines and answers each with the line and an exclamation mark.
 */
#include <errno.h>

#include "bed.h"
#include "text.h"

enum { PROBE_PORT = 4242 };

/* ---- the service ---- */

struct probe {
	struct service service; /* first */
	struct buf in;
};

static void probe_say(struct probe *s, const char *name, const char *text)
{
	struct stream *stream = &s->service.stream;
	uint8_t copy[64];
	size_t len = strlen(text);

	memcpy(copy, text, len);
	switch (tap_message(stream->tap, FAULT_SENT, name)) {
	case TAP_PASS:
	case TAP_ERROR:
		stream->send(stream->user, copy, len);
		return;
	case TAP_DROP:
		return;
	case TAP_GARBAGE:
		fault_garbage(&stream->tap->phone->faults, copy, len);
		stream->send(stream->user, copy, len);
		return;
	case TAP_CUT:
		stream->send(stream->user, copy, len / 2);
		stream->close(stream->user);
		return;
	}
}

static void probe_take(struct probe *s, const char *line)
{
	char answer[64];

	switch (tap_message(s->service.stream.tap, FAULT_GOT, line)) {
	case TAP_PASS:
		snprintf(answer, sizeof(answer), "%.30s!\n", line);
		break;
	case TAP_ERROR:
		snprintf(answer, sizeof(answer), "error %.30s\n", tap_error(s->service.stream.tap));
		break;
	case TAP_CUT:
	case TAP_GARBAGE:
		s->service.stream.close(s->service.stream.user);
		return;
	case TAP_DROP:
		return;
	}
	probe_say(s, line, answer);
}

static void probe_feed(struct service *service, const uint8_t *bytes, size_t len)
{
	struct probe *s = (struct probe *)service;

	for (size_t i = 0; i < len; i++) {
		if (bytes[i] != '\n') {
			buf_add(&s->in, bytes + i, 1);
			continue;
		}
		probe_take(s, buf_text(&s->in));
		buf_clear(&s->in);
	}
}

static void probe_free(struct service *service)
{
	struct probe *s = (struct probe *)service;

	buf_done(&s->in);
	free(s);
}

static struct service *probe_open(struct phone *phone, void *user, const struct stream *stream)
{
	static const struct service_class class = { probe_feed, probe_free };
	struct probe *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->service = (struct service){ &class, *stream };
	return &s->service;
}

/* ---- the carrier ---- */

struct carrier {
	struct bed *bed;
	struct service *connection;
	struct buf got;
	unsigned closes;
};

static void carrier_send(void *user, const void *bytes, size_t len)
{
	struct carrier *c = user;

	assert_int_equal(c->closes, 0);
	buf_add(&c->got, bytes, len);
}

static void carrier_close(void *user)
{
	((struct carrier *)user)->closes++;
}

static void carrier_connect(struct carrier *c)
{
	const struct stream stream = { .send = carrier_send, .close = carrier_close, .user = c };

	c->connection = ports_open(&c->bed->phone.ports, PROBE_PORT, &stream);
	assert_non_null(c->connection);
}

static void carrier_begin(struct carrier *c, const char *rule, const char *more)
{
	char why[256];

	*c = (struct carrier){ .bed = BED("mode=normal", more ? more : "seed=7") };
	if (scenario_set(&c->bed->phone.scenario, "fault", rule, why, sizeof(why)) < 0)
		fail_msg("%s", why);
	ports_listen(&c->bed->phone.ports, PROBE_PORT, "probe", probe_open, nullptr);
	carrier_connect(c);
}

static void carrier_end(struct carrier *c)
{
	c->connection->class->free(c->connection);
	buf_done(&c->got);
	bed_free(c->bed);
}

/* In pieces of @piece bytes; 0: as one. */
static void carrier_feed(struct carrier *c, const char *text, size_t piece)
{
	size_t len = strlen(text);

	for (size_t at = 0; at < len;) {
		size_t n = piece && piece < len - at ? piece : len - at;

		c->connection->class->feed(c->connection, (const uint8_t *)text + at, n);
		at += n;
	}
}

/* ---- rules as text ---- */

static void test_parse(void **state)
{
	static const char *const good[] = {
		"lockdown got message 1 unplug",
		"asr sent byte 4096 unplug:500",
		"restored got QueryType/X 2 stall",
		"mux sent SYN-ACK reset",
		"dfu got GETSTATUS silence",
		"recovery got setenv 3 reboot",
		"lockdown got Pair error:Forbidden",
		"afc sent message 18446744073709551615 delay:1",
	};
	static const char *const bad[] = {
		"",
		"lockdown",
		"lockdown got",
		"lockdown got message",
		"lockdown got message 0 stall",
		"lockdown got message x stall",
		"lockdown got message 1",
		"lockdown took message 1 stall",
		"lockdown got message 1 explode",
		"lockdown got message 1 delay",
		"lockdown got message 1 delay:",
		"lockdown got message 1 delay:5x",
		"lockdown got message 1 error",
		"lockdown got message 1 error:",
		"lockdown got message 1 stall:5",
		"lockdown got message 1 stall now",
		"lockdown got byte -1 stall",
		/* a name longer than any message's */
		"lockdown got GetValue/0123456789012345678901234567890123456789012345678901234 "
		"stall",
	};
	struct fault_rules rules = {};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(fault_parse(&rules, good[i]), 0);
	assert_int_equal(rules.count, sizeof(good) / sizeof(good[0]));
	assert_int_equal(rules.rules[1].ms, 500);
	assert_int_equal(rules.rules[2].number, 2);
	assert_string_equal(rules.rules[2].name, "QueryType/X");
	assert_int_equal(rules.rules[3].number, 1);
	assert_string_equal(rules.rules[6].error, "Forbidden");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(fault_parse(&rules, bad[i]), -EINVAL);
	assert_int_equal(fault_parse(&rules, "lockdwon got message 1 stall"), -ENOENT);
	assert_int_equal(fault_parse(&rules, "lockdown, got message 1 stall"), -ENOENT);
	assert_int_equal(fault_parse(&rules, "lock got message 1 stall"), -ENOENT);
	while (rules.count < FAULTS_MAX)
		assert_int_equal(fault_parse(&rules, good[0]), 0);
	assert_int_equal(fault_parse(&rules, good[0]), -ENOSPC);
	assert_int_equal(fault_parse(&rules, "none"), 0);
	assert_int_equal(rules.count, 0);
}

/* ---- every action ---- */

/* What the host has after "one", "two" and "six", at once and a second later. */
enum ending {
	OPEN,
	CLOSED,
	GONE,          /* the phone, from the bus */
	OPEN_BY_LINES, /* what is lost depends on the pieces: only whole lines are tried */
};

struct stream_case {
	const char *rule;
	const char *at_once, *later;
	enum ending ending;
};

static const struct stream_case cases[] = {
	{ "data got message 1 stall", "one!\ntwo!\nsix!\n", "one!\ntwo!\nsix!\n", OPEN },
	{ "probe got message 9 stall", "one!\ntwo!\nsix!\n", "one!\ntwo!\nsix!\n", OPEN },
	/* messages from the host */
	{ "probe got message 2 drop", "one!\nsix!\n", "one!\nsix!\n", OPEN },
	{ "probe got message 2 stall", "one!\n", "one!\n", OPEN },
	{ "probe got message 2 reset", "one!\n", "one!\n", CLOSED },
	{ "probe got message 2 cut", "one!\n", "one!\n", CLOSED },
	{ "probe got message 2 garbage", "one!\n", "one!\n", CLOSED },
	{ "probe got message 2 delay:900", "one!\n", "one!\ntwo!\nsix!\n", OPEN },
	{ "probe got message 2 error:No", "one!\nerror No\nsix!\n", "one!\nerror No\nsix!\n",
	  OPEN },
	{ "probe got message 2 unplug", "one!\n", "one!\n", GONE },
	{ "probe got message 2 unplug:300", "one!\n", "one!\n", OPEN },
	{ "probe got message 2 reboot", "one!\n", "one!\n", GONE },
	{ "probe got message 2 silence", "one!\n", "one!\n", OPEN },
	/* messages of the phone */
	{ "probe sent message 2 drop", "one!\nsix!\n", "one!\nsix!\n", OPEN },
	{ "probe sent message 2 stall", "one!\n", "one!\n", OPEN },
	{ "probe sent message 2 reset", "one!\n", "one!\n", CLOSED },
	{ "probe sent message 2 cut", "one!\ntw", "one!\ntw", CLOSED },
	{ "probe sent message 2 delay:900", "one!\n", "one!\ntwo!\nsix!\n", OPEN },
	{ "probe sent message 2 unplug", "one!\n", "one!\n", GONE },
	{ "probe sent message 2 reboot", "one!\n", "one!\n", GONE },
	{ "probe sent message 2 silence", "one!\n", "one!\n", OPEN },
	/* bytes from the host: the sixth is the w of two */
	{ "probe got byte 6 drop", "one!\ntsix!\n", "one!\ntsix!\n", OPEN_BY_LINES },
	{ "probe got byte 6 stall", "one!\n", "one!\n", OPEN },
	{ "probe got byte 6 reset", "one!\n", "one!\n", CLOSED },
	{ "probe got byte 6 cut", "one!\n", "one!\n", CLOSED },
	{ "probe got byte 6 error:No", "one!\ntsix!\n", "one!\ntsix!\n", OPEN_BY_LINES },
	{ "probe got byte 6 delay:900", "one!\n", "one!\ntwo!\nsix!\n", OPEN },
	{ "probe got byte 6 unplug", "one!\n", "one!\n", GONE },
	{ "probe got byte 6 reboot", "one!\n", "one!\n", GONE },
	{ "probe got byte 6 silence", "one!\n", "one!\n", OPEN },
	{ "probe got byte 1 reset", "", "", CLOSED },
	{ "probe got byte 12 reset", "one!\ntwo!\n", "one!\ntwo!\n", CLOSED },
	{ "probe got byte 13 reset", "one!\ntwo!\nsix!\n", "one!\ntwo!\nsix!\n", OPEN },
	/* bytes of the phone: the seventh is the w of two! */
	{ "probe sent byte 7 drop", "one!\ntsix!\n", "one!\ntsix!\n", OPEN },
	{ "probe sent byte 7 stall", "one!\nt", "one!\nt", OPEN },
	{ "probe sent byte 7 reset", "one!\nt", "one!\nt", CLOSED },
	{ "probe sent byte 7 cut", "one!\nt", "one!\nt", CLOSED },
	{ "probe sent byte 7 delay:900", "one!\nt", "one!\ntwo!\nsix!\n", OPEN },
	{ "probe sent byte 7 unplug", "one!\nt", "one!\nt", GONE },
	{ "probe sent byte 7 reboot", "one!\nt", "one!\nt", GONE },
	{ "probe sent byte 7 silence", "one!\nt", "one!\nt", OPEN },
	/* names */
	{ "probe got two drop", "one!\nsix!\n", "one!\nsix!\n", OPEN },
	{ "probe got two 2 drop", "one!\ntwo!\nsix!\n", "one!\ntwo!\nsix!\n", OPEN },
	{ "probe sent six cut", "one!\ntwo!\nsi", "one!\ntwo!\nsi", CLOSED },
};

static void expect_got(const struct stream_case *k, struct carrier *c, const char *expected)
{
	if (strcmp(buf_text(&c->got), expected) != 0)
		fail_msg("%s: '%s', not '%s'", k->rule, buf_text(&c->got), expected);
}

static void case_run(const struct stream_case *k, size_t piece)
{
	struct carrier c;

	carrier_begin(&c, k->rule, nullptr);
	carrier_feed(&c, "one\n", piece);
	carrier_feed(&c, "two\n", piece);
	carrier_feed(&c, "six\n", piece);
	expect_got(k, &c, k->at_once);
	bed_wait(c.bed, 1000);
	expect_got(k, &c, k->later);
	if (c.closes != (k->ending == CLOSED) || !c.bed->phone.usb.shape != (k->ending == GONE))
		fail_msg("%s: closed %u times, phone %s", k->rule, c.closes,
			 c.bed->phone.usb.shape ? "there" : "gone");
	carrier_end(&c);
}

/* By line, and byte by byte. */
static void test_actions(void **state)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		case_run(&cases[i], 0);
		if (cases[i].ending != OPEN_BY_LINES)
			case_run(&cases[i], 1);
	}
}

/* All lines in one piece: the fault is in its middle. */
static void test_one_piece(void **state)
{
	struct carrier c;

	carrier_begin(&c, "probe got byte 6 delay:900", nullptr);
	carrier_feed(&c, "one\ntwo\nsix\n", 0);
	assert_string_equal(buf_text(&c.got), "one!\n");
	bed_wait(c.bed, 1000);
	assert_string_equal(buf_text(&c.got), "one!\ntwo!\nsix!\n");
	carrier_end(&c);
	/* nothing more is taken of a piece whose connection is gone */
	carrier_begin(&c, "probe got two reset", nullptr);
	carrier_feed(&c, "one\ntwo\nsix\n", 0);
	assert_string_equal(buf_text(&c.got), "one!\n");
	assert_int_equal(c.closes, 1);
	carrier_end(&c);
}

static void rule_add(struct carrier *c, const char *rule)
{
	char why[256];

	assert_int_equal(scenario_set(&c->bed->phone.scenario, "fault", rule, why, sizeof(why)), 0);
}

/* Two rules in one piece; two of one name; one that has fired is over. */
static void test_several(void **state)
{
	struct carrier c;

	carrier_begin(&c, "probe got byte 10 cut", nullptr);
	rule_add(&c, "probe got byte 6 delay:900");
	carrier_feed(&c, "one\ntwo\nsix\n", 0);
	assert_string_equal(buf_text(&c.got), "one!\n");
	assert_int_equal(c.closes, 0);
	bed_wait(c.bed, 1000);
	assert_string_equal(buf_text(&c.got), "one!\ntwo!\n"); /* held bytes first, then the end */
	assert_int_equal(c.closes, 1);
	carrier_end(&c);

	carrier_begin(&c, "probe got one 1 drop", nullptr);
	rule_add(&c, "probe got one 2 error:Second");
	carrier_feed(&c, "one\none\none\n", 0);
	assert_string_equal(buf_text(&c.got), "error Second\none!\n");
	carrier_end(&c);
}

/* What came before a stall, a cut or the host's end still arrives, however late. */
static void test_nothing_held_is_lost(void **state)
{
	static const size_t pieces[] = { 0, 1, 4 };
	struct carrier c;

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		carrier_begin(&c, "probe got byte 2 delay:900", nullptr);
		rule_add(&c, "probe got byte 9 stall");
		carrier_feed(&c, "one\ntwo\nsix\n", pieces[i]);
		assert_false(ports_taking(c.connection));
		bed_wait(c.bed, 1000);
		assert_string_equal(buf_text(&c.got), "one!\ntwo!\n");
		carrier_feed(&c, "ten\n", pieces[i]);
		assert_string_equal(buf_text(&c.got), "one!\ntwo!\n");
		assert_int_equal(c.closes, 0);
		carrier_end(&c);

		carrier_begin(&c, "probe got byte 2 delay:900", nullptr);
		rule_add(&c, "probe got byte 7 cut");
		carrier_feed(&c, "one\ntwo\nsix\n", pieces[i]);
		bed_wait(c.bed, 1000);
		assert_string_equal(buf_text(&c.got), "one!\n"); /* no line with a hole in it */
		assert_int_equal(c.closes, 1);
		carrier_end(&c);
	}
	carrier_begin(&c, "probe got byte 2 delay:900", nullptr);
	carrier_feed(&c, "one\n", 0);
	assert_true(ports_holding(c.connection));
	c.connection->class->free(c.connection);
	assert_false(bed_logged(c.bed, "\"name\":\"one\""));
	bed_wait(c.bed, 1000);
	assert_true(bed_logged(c.bed, "\"name\":\"one\""));
	carrier_connect(&c);
	carrier_end(&c);
	/* the phone's end frees what never arrived */
	carrier_begin(&c, "probe got byte 2 delay:900", nullptr);
	carrier_feed(&c, "one\n", 0);
	carrier_end(&c);
}

/* Counters belong to the conversation: the second connection goes on with them. */
static void test_counters(void **state)
{
	struct carrier c;

	carrier_begin(&c, "probe got message 3 reset", nullptr);
	carrier_feed(&c, "one\ntwo\n", 0);
	c.connection->class->free(c.connection);
	carrier_connect(&c);
	carrier_feed(&c, "six\n", 0);
	assert_string_equal(buf_text(&c.got), "one!\ntwo!\n");
	assert_int_equal(c.closes, 1);
	carrier_end(&c);
}

static void test_garbage(void **state)
{
	static const char *const seeds[] = { "seed=7", "seed=7", "seed=8" };
	static const char *const rules[] = { "probe sent message 2 garbage",
					     "probe sent byte 6 garbage" };
	struct carrier c;

	for (size_t r = 0; r < 2; r++) {
		uint8_t seen[3][5];

		for (size_t i = 0; i < 3; i++) {
			carrier_begin(&c, rules[r], seeds[i]);
			carrier_feed(&c, "one\ntwo\nsix\n", 0);
			assert_int_equal(c.got.len, 15);
			assert_memory_equal(c.got.bytes, "one!\n", 5);
			assert_memory_equal(c.got.bytes + 10, "six!\n", 5);
			memcpy(seen[i], c.got.bytes + 5, 5);
			assert_memory_not_equal(seen[i], "two!\n", 5);
			carrier_end(&c);
		}
		assert_memory_equal(seen[0], seen[1], 5);
		assert_memory_not_equal(seen[0], seen[2], 5);
	}
}

/* ---- the whole phone ---- */

static void test_unplug_and_back(void **state)
{
	struct carrier c;

	carrier_begin(&c, "probe got two unplug:300", nullptr);
	carrier_feed(&c, "two\n", 0);
	assert_non_null(c.bed->phone.usb.shape); /* the transfer under way ends first */
	bed_wait(c.bed, 1);
	assert_null(c.bed->phone.usb.shape);
	bed_wait(c.bed, 298);
	assert_null(c.bed->phone.usb.shape);
	bed_wait(c.bed, 2);
	assert_non_null(c.bed->phone.usb.shape);
	assert_int_equal(c.bed->phone.boots, 1);
	c.connection->class->free(c.connection);
	carrier_connect(&c); /* it is the same phone, awake */
	carrier_feed(&c, "six\n", 0);
	assert_string_equal(buf_text(&c.got), "six!\n");
	carrier_end(&c);
}

static void test_reboot(void **state)
{
	struct carrier c;

	carrier_begin(&c, "probe got two reboot", nullptr);
	carrier_feed(&c, "two\n", 0);
	bed_wait(c.bed, 1);
	assert_null(c.bed->phone.usb.shape);
	bed_wait(c.bed, 10000);
	assert_non_null(c.bed->phone.usb.shape);
	assert_int_equal(c.bed->phone.boots, 2);
	assert_int_equal(c.bed->phone.mode, MODE_NORMAL);
	assert_false(faults_mute(&c.bed->phone.faults));
	carrier_end(&c);
}

/* On the bus, but nothing is answered, chapter 9 included, until the next boot. */
static void test_silence(void **state)
{
	struct carrier c;
	BUF_AUTO in = {};

	carrier_begin(&c, "probe got two silence", nullptr);
	carrier_feed(&c, "two\n", 0);
	bed_wait(c.bed, 60000);
	assert_non_null(c.bed->phone.usb.shape);
	assert_int_equal(bed_control(c.bed, 0x8006, 0x0100, 0, nullptr, 18, &in), USB_SILENT);
	assert_int_equal(usbdev_set_config(&c.bed->phone.usb, 4), USB_SILENT);
	phone_unplug(&c.bed->phone);
	phone_plug(&c.bed->phone);
	assert_int_equal(bed_control(c.bed, 0x8006, 0x0100, 0, nullptr, 18, &in), USB_SILENT);
	phone_press(&c.bed->phone, "restart");
	bed_wait(c.bed, 10000);
	assert_int_equal(bed_control(c.bed, 0x8006, 0x0100, 0, nullptr, 18, &in), USB_OK);
	carrier_end(&c);
}

/* A connection that goes while it is held back leaves no timer behind (bed_free() looks). */
static void test_gone_while_held(void **state)
{
	struct carrier c;

	carrier_begin(&c, "probe got two delay:900", nullptr);
	carrier_feed(&c, "two\nsix\n", 0);
	carrier_end(&c);
}

static void taking_again(void *user)
{
	buf_add_text(&((struct carrier *)user)->got, "again");
}

/* A carrier that can wait is asked to and told when it is over; from the others only so much is
 * held. */
static void test_held_ceiling(void **state)
{
	static const uint8_t piece[64 * 1024];
	struct carrier c;

	for (unsigned waits = 0; waits < 2; waits++) {
		carrier_begin(&c, "probe got byte 1 delay:900", nullptr);
		ports_on_taking(c.connection, taking_again);
		for (unsigned i = 0; i < 512 && (!waits || ports_taking(c.connection)); i++)
			c.connection->class->feed(c.connection, piece, sizeof(piece));
		assert_int_equal(c.closes, !waits);
		assert_false(ports_taking(c.connection));
		bed_wait(c.bed, 1000);
		assert_int_equal(ports_taking(c.connection), waits);
		assert_string_equal(buf_text(&c.got), waits ? "again" : "");
		carrier_end(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_held_ceiling),    cmocka_unit_test(test_parse),
		cmocka_unit_test(test_actions),         cmocka_unit_test(test_one_piece),
		cmocka_unit_test(test_several),         cmocka_unit_test(test_nothing_held_is_lost),
		cmocka_unit_test(test_counters),        cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_unplug_and_back), cmocka_unit_test(test_reboot),
		cmocka_unit_test(test_silence),         cmocka_unit_test(test_gone_while_held),
	};

	return cmocka_run_group_tests(tests, nullptr, nullptr);
}
