/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/line.h"
#include "unit.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A reader and both ends of a socket: what is put into `in` is read from `out`. */
struct stream {
	struct line_reader *reader;
	int in, out;
};

static int stream_setup(void **state)
{
	struct stream *stream = calloc(1, sizeof(*stream));
	const int room = 4 * LINE_BYTES_MAX;
	int pair[2];

	assert_non_null(stream);
	assert_int_equal(line_reader_new(&stream->reader), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)), 0);
	stream->in = pair[0];
	stream->out = pair[1];
	*state = stream;
	return 0;
}

static int stream_teardown(void **state)
{
	struct stream *stream = *state;

	if (stream->in >= 0)
		close(stream->in);
	close(stream->out);
	assert_null(line_reader_free(stream->reader));
	free(stream);
	return 0;
}

static void stream_put(struct stream *stream, const char *bytes, size_t n)
{
	assert_int_equal(send(stream->in, bytes, n, MSG_NOSIGNAL), n);
}

static void stream_puts(struct stream *stream, const char *text)
{
	stream_put(stream, text, strlen(text));
}

static void stream_end(struct stream *stream)
{
	close(stream->in);
	stream->in = -1;
}

static int stream_fill(struct stream *stream)
{
	return line_reader_fill(stream->reader, stream->out);
}

/* The next line must be {"n":expected}. */
static void assert_next_is(struct stream *stream, int64_t expected)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;

	assert_int_equal(line_reader_next(stream->reader, &object), 1);
	assert_int_equal(sd_json_variant_integer(sd_json_variant_by_key(object, "n")), expected);
}

static void assert_next_fails(struct stream *stream, int expected)
{
	sd_json_variant *object = (sd_json_variant *)&object; /* must stay as it is */

	assert_int_equal(line_reader_next(stream->reader, &object), expected);
	assert_ptr_equal(object, &object);
}

static void nothing_is_there_at_first(void **state)
{
	struct stream *stream = *state;

	assert_next_fails(stream, 0);
	assert_false(line_reader_has_rest(stream->reader));
	assert_int_equal(stream_fill(stream), -EAGAIN);
	stream_end(stream);
	assert_int_equal(stream_fill(stream), 0);
	assert_false(line_reader_has_rest(stream->reader));
}

static void a_line_may_be_torn_at_every_byte(void **state)
{
	static const char line[] = "{\"n\":1,\"t\":\"a\\n\xf0\x9f\x93\xb1\"}\n";
	const size_t size = sizeof(line) - 1;
	struct stream *stream = *state;

	for (size_t at = 1; at < size; at++) {
		stream_put(stream, line, at);
		assert_int_equal(stream_fill(stream), at);
		assert_next_fails(stream, 0);
		assert_true(line_reader_has_rest(stream->reader));
		stream_put(stream, line + at, size - at);
		assert_int_equal(stream_fill(stream), size - at);
		assert_next_is(stream, 1);
		assert_next_fails(stream, 0);
		assert_false(line_reader_has_rest(stream->reader));
	}
}

static void a_line_may_come_byte_by_byte(void **state)
{
	struct stream *stream = *state;

	for (const char *c = "{\"n\":7}"; *c; c++) {
		stream_put(stream, c, 1);
		assert_int_equal(stream_fill(stream), 1);
		assert_next_fails(stream, 0);
	}
	stream_puts(stream, "\n");
	assert_int_equal(stream_fill(stream), 1);
	assert_next_is(stream, 7);
}

static void one_read_may_hold_several_lines(void **state)
{
	struct stream *stream = *state;

	stream_puts(stream, "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n{\"n\"");
	assert_true(stream_fill(stream) > 0);
	assert_next_is(stream, 1);
	assert_next_is(stream, 2);
	assert_next_is(stream, 3);
	assert_next_fails(stream, 0);
	stream_puts(stream, ":4}\n");
	assert_true(stream_fill(stream) > 0);
	assert_next_is(stream, 4);
}

static void a_rest_at_the_end_is_told(void **state)
{
	struct stream *stream = *state;

	stream_puts(stream, "{\"n\":1}\n{\"n\":2}");
	stream_end(stream);
	assert_true(stream_fill(stream) > 0);
	assert_next_is(stream, 1);
	assert_next_fails(stream, 0);
	assert_int_equal(stream_fill(stream), 0);
	assert_true(line_reader_has_rest(stream->reader));
}

static void a_line_that_is_no_object_is_dropped(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"x",
		"1",
		"null",
		"\"{}\"",
		"[{}]",
		"{",
		"{}}",
		"{} {}",
		"{\"n\":}",
		"{\"n\":1,}",
		"{n:1}",
		"{\"a\" 1}",
		"{'a':1}",
		"{\"a\":\"\xff\"}",
		"{\"a\":\"\x01\"}",
	};
	struct stream *stream = *state;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		stream_puts(stream, bad[i]);
		stream_puts(stream, "\n{\"n\":5}\n");
		assert_true(stream_fill(stream) > 0);
		assert_next_fails(stream, -EBADMSG);
		assert_next_is(stream, 5);
	}
}

static void a_nul_inside_drops_the_line(void **state)
{
	static const char lines[] = "{\"n\":1}\0{\"n\":2}\n\0{\"n\":3}\n{\"n\":4}\n";
	struct stream *stream = *state;

	stream_put(stream, lines, sizeof(lines) - 1);
	assert_true(stream_fill(stream) > 0);
	assert_next_fails(stream, -EBADMSG);
	assert_next_fails(stream, -EBADMSG);
	assert_next_is(stream, 4);
}

/* {"n":N,"t":"xxx…"} and a newline, size bytes in all, in line[]. */
static void make_line(char *line, size_t size, int n)
{
	int head = sprintf(line, "{\"n\":%d,\"t\":\"", n);

	assert_true(size > (size_t)head + 3);
	memset(line + head, 'x', size - (size_t)head);
	memcpy(line + size - 3, "\"}\n", 3);
}

static void read_all(struct stream *stream, size_t size)
{
	while (size > 0) {
		int n = stream_fill(stream);

		assert_true(n > 0);
		size -= (size_t)n;
	}
}

static void a_line_of_the_ceiling_is_taken(void **state)
{
	struct stream *stream = *state;
	_cleanup_free_ char *line = malloc(LINE_BYTES_MAX);

	assert_non_null(line);
	for (int i = 1; i <= 3; i++) {
		make_line(line, LINE_BYTES_MAX, i);
		stream_put(stream, line, LINE_BYTES_MAX);
		read_all(stream, LINE_BYTES_MAX);
		assert_int_equal(stream_fill(stream), -ENOBUFS); /* take it first */
		assert_next_is(stream, i);
		assert_next_fails(stream, 0);
		assert_false(line_reader_has_rest(stream->reader));
	}
}

static void the_newline_of_such_a_line_may_come_later(void **state)
{
	struct stream *stream = *state;
	_cleanup_free_ char *line = malloc(LINE_BYTES_MAX);

	assert_non_null(line);
	make_line(line, LINE_BYTES_MAX, 6);
	stream_put(stream, line, LINE_BYTES_MAX - 1);
	read_all(stream, LINE_BYTES_MAX - 1);
	assert_next_fails(stream, 0);
	stream_puts(stream, "\n");
	assert_int_equal(stream_fill(stream), 1);
	assert_next_is(stream, 6);
}

/* Lines over the ceiling by 1 byte, by one whole buffer and between: told once, then skipped. */
static void a_longer_line_is_dropped_once(void **state)
{
	static const size_t sizes[] = {
		LINE_BYTES_MAX + 1,     LINE_BYTES_MAX + 2, 100000,
		2 * LINE_BYTES_MAX - 1, 2 * LINE_BYTES_MAX, 2 * LINE_BYTES_MAX + 1
	};
	struct stream *stream = *state;

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		_cleanup_free_ char *line = malloc(sizes[i]);
		unsigned too_long = 0;
		size_t got = 0;

		assert_non_null(line);
		make_line(line, sizes[i], 8);
		stream_put(stream, line, sizes[i]);
		while (got < sizes[i]) {
			sd_json_variant *object = NULL;
			int n = stream_fill(stream), r;

			assert_true(n > 0);
			got += (size_t)n;
			while ((r = line_reader_next(stream->reader, &object)) != 0) {
				assert_int_equal(r, -EMSGSIZE);
				too_long++;
			}
			assert_int_equal(line_reader_has_rest(stream->reader), got < sizes[i]);
		}
		assert_int_equal(too_long, 1);
		stream_puts(stream, "{\"n\":9}\n");
		assert_true(stream_fill(stream) > 0);
		assert_next_is(stream, 9);
	}
}

static void a_cut_off_long_line_is_a_rest(void **state)
{
	struct stream *stream = *state;
	_cleanup_free_ char *line = malloc(LINE_BYTES_MAX + 1);

	assert_non_null(line);
	make_line(line, LINE_BYTES_MAX + 1, 1);
	stream_put(stream, line, LINE_BYTES_MAX);
	read_all(stream, LINE_BYTES_MAX);
	assert_next_fails(stream, -EMSGSIZE);
	stream_end(stream);
	assert_int_equal(stream_fill(stream), 0);
	assert_true(line_reader_has_rest(stream->reader));
}

static void free_takes_null(void **state)
{
	assert_null(line_reader_free(NULL));
}

/* --- writing */

static void text_object(sd_json_variant **ret, size_t text_bytes)
{
	_cleanup_free_ char *text = calloc(1, text_bytes + 1);

	assert_non_null(text);
	memset(text, 'x', text_bytes);
	assert_true(sd_json_buildo(ret, SD_JSON_BUILD_PAIR_STRING("t", text)) >= 0);
}

/* {"t":"…"} and a newline around the text */
enum { WRAP_BYTES = 9 };

static void what_was_written_can_be_read(void **state)
{
	static const size_t sizes[] = { 0, 1, 5000, LINE_BYTES_MAX - WRAP_BYTES };
	struct stream *stream = *state;

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL, *back = NULL;

		text_object(&object, sizes[i]);
		assert_int_equal(line_write(stream->in, object, 1000), 0);
		read_all(stream, sizes[i] + WRAP_BYTES);
		assert_int_equal(line_reader_next(stream->reader, &back), 1);
		assert_true(sd_json_variant_equal(object, back));
	}
}

static void an_object_over_the_ceiling_is_not_written(void **state)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	struct stream *stream = *state;

	text_object(&object, LINE_BYTES_MAX - WRAP_BYTES + 1);
	assert_int_equal(line_write(stream->in, object, 1000), -EMSGSIZE);
	assert_int_equal(stream_fill(stream), -EAGAIN);
}

/* Fills until nothing fits; the reader never comes. */
static void assert_times_out(int fd)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	uint64_t start_ms;
	int r;

	text_object(&object, 20000);
	do {
		start_ms = clock_now_ms();
		r = line_write(fd, object, 60);
	} while (r == 0);
	assert_int_equal(r, -ETIMEDOUT);
	assert_uint_in_range(clock_now_ms() - start_ms, 60, 20000);
}

static void a_slow_reader_ends_the_wait(void **state)
{
	struct stream *stream = *state;

	assert_times_out(stream->in);
}

/* Workers write to a standard output that blocks. */
static void a_slow_reader_ends_the_wait_in_blocking_mode(void **state)
{
	struct stream *stream = *state;

	assert_int_equal(fcntl(stream->in, F_SETFL, 0), 0);
	assert_times_out(stream->in);
}

static void a_slow_reader_of_a_pipe_ends_the_wait(void **state)
{
	for (int flags = 0; flags <= O_NONBLOCK; flags += O_NONBLOCK) {
		int ends[2];

		assert_int_equal(pipe2(ends, O_CLOEXEC | flags), 0);
		assert_times_out(ends[1]);
		close(ends[0]);
		close(ends[1]);
	}
}

static void files_are_written_too(void **state)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	FILE *file = tmpfile();

	assert_non_null(file);
	text_object(&object, 30000);
	assert_int_equal(line_write(fileno(file), object, 1000), 0);
	assert_int_equal(lseek(fileno(file), 0, SEEK_END), 30000 + WRAP_BYTES);
	fclose(file);
}

/* The wait ends early when the reader comes back to work. */
static void a_reader_that_comes_back_is_served(void **state)
{
	struct stream *stream = *state;
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	char sink[8192];
	size_t got = 0, lines = 0;
	int r;

	text_object(&object, 20000);
	while ((r = line_write(stream->in, object, 0)) == 0)
		lines++;
	assert_int_equal(r, -ETIMEDOUT);
	assert_true(lines > 0);
	for (;;) {
		ssize_t n = read(stream->out, sink, sizeof(sink));

		if (n < 0)
			break;
		got += (size_t)n;
	}
	assert_true(got >= lines * (20000 + WRAP_BYTES));
	assert_int_equal(line_write(stream->in, object, 0), 0);
}

static void nobody_reads(void **state)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	struct stream *stream = *state;

	text_object(&object, 10);
	shutdown(stream->out, SHUT_RD);
	assert_int_equal(line_write(stream->in, object, 1000), -EPIPE); /* and no SIGPIPE */
	assert_int_equal(line_write(-1, object, 1000), -EBADF);
}

#define stream_test(f) cmocka_unit_test_setup_teardown(f, stream_setup, stream_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		stream_test(nothing_is_there_at_first),
		stream_test(a_line_may_be_torn_at_every_byte),
		stream_test(a_line_may_come_byte_by_byte),
		stream_test(one_read_may_hold_several_lines),
		stream_test(a_rest_at_the_end_is_told),
		stream_test(a_line_that_is_no_object_is_dropped),
		stream_test(a_nul_inside_drops_the_line),
		stream_test(a_line_of_the_ceiling_is_taken),
		stream_test(the_newline_of_such_a_line_may_come_later),
		stream_test(a_longer_line_is_dropped_once),
		stream_test(a_cut_off_long_line_is_a_rest),
		cmocka_unit_test(free_takes_null),
		stream_test(what_was_written_can_be_read),
		stream_test(an_object_over_the_ceiling_is_not_written),
		stream_test(a_slow_reader_ends_the_wait),
		stream_test(a_slow_reader_ends_the_wait_in_blocking_mode),
		cmocka_unit_test(a_slow_reader_of_a_pipe_ends_the_wait),
		cmocka_unit_test(files_are_written_too),
		stream_test(a_reader_that_comes_back_is_served),
		stream_test(nobody_reads),
	};

	return cmocka_run_group_tests_name("line", tests, NULL, NULL);
}
