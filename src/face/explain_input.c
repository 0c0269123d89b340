/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "face/explain_input.h"
#include "base/text.h"
#include "face/output.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	READ_BYTES = 64 << 10,
	/* A text of fewer words is a code with who counts so ("libirecovery -7"), no line. */
	LINE_WORDS = 3,
};

/* --- logs -------------------------------------------------------------------------------------
 */

static int read_failed(const struct explained *explained, int errno_value, struct error *err)
{
	return error_set_errno(err, ERROR_BAD_FILE, "kernel", errno_value, "'%s' cannot be read",
			       explained->text);
}

/* Reads fd until its end or the limit. */
static int log_read(int fd, struct log_reader *reader, struct explained *ret, struct error *err)
{
	char buffer[READ_BYTES];

	for (;;) {
		size_t room = LOG_READ_MAX - ret->bytes;
		ssize_t n = read(fd, buffer, room < sizeof(buffer) ? room : sizeof(buffer));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return read_failed(ret, errno, err);
		if (n == 0)
			return 0;
		log_reader_feed(reader, buffer, (size_t)n);
		ret->bytes += (size_t)n;
		if (ret->bytes < LOG_READ_MAX)
			continue;
		ret->cut |= read(fd, buffer, 1) > 0;
		return 0;
	}
}

/* Of a long file the end is read: there stands what failed. */
static int log_seek(int fd, struct explained *ret, struct error *err)
{
	struct stat seen;

	if (fstat(fd, &seen) < 0)
		return read_failed(ret, errno, err);
	if (S_ISDIR(seen.st_mode) || S_ISBLK(seen.st_mode))
		return read_failed(ret, S_ISDIR(seen.st_mode) ? EISDIR : EINVAL, err);
	if (!S_ISREG(seen.st_mode) || seen.st_size <= LOG_READ_MAX)
		return 0;
	ret->cut = true;
	return lseek(fd, seen.st_size - LOG_READ_MAX, SEEK_SET) < 0 ? read_failed(ret, errno, err)
								    : 0;
}

static int log_explain(int fd, struct explained *ret, struct error *err)
{
	_cleanup_(log_reader_freep) struct log_reader *reader = log_reader_new();
	int r;

	static_assert((int)LOG_VERDICTS_MAX <= (int)EXPLAINED_MAX);
	if (!reader)
		return error_set_errno(err, ERROR_BUG, "explain", ENOMEM, "no memory");
	r = log_read(fd, reader, ret, err);
	if (r < 0)
		return r;
	ret->count = log_reader_end(reader, ret->list);
	ret->lines = log_reader_lines(reader);
	return 0;
}

static int file_explain(const char *path, struct explained *ret, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int r = fd < 0 ? read_failed(ret, errno, err) : log_seek(fd, ret, err);

	return r < 0 ? r : log_explain(fd, ret, err);
}

/* --- codes and lines --------------------------------------------------------------------------
 */

static unsigned words_in(const char *text)
{
	unsigned words = 0;

	for (;; words++) {
		text += strspn(text, " ");
		if (*text == '\0')
			return words;
		text += strcspn(text, " ");
	}
}

/* True if the verdict is another meaning of a code that stands in the list. */
static bool is_other_meaning(const struct verdict *verdict, const struct explained *explained)
{
	bool other = false;

	for (size_t i = 0; verdict->code && i < explained->count; i++) {
		const struct code_fact *code = explained->list[i].verdict.code;

		if (code == verdict->code)
			return false;
		other |= code && code->value == verdict->code->value &&
			 strcmp(code->scheme, verdict->code->scheme) == 0;
	}
	return other;
}

/* The rules for logs on the one line; if they find a code in it, its other meanings follow. */
static int line_explain(const struct verdict *codes, size_t count, struct explained *ret,
			struct error *err)
{
	_cleanup_(log_reader_freep) struct log_reader *reader = log_reader_new();

	if (!reader)
		return error_set_errno(err, ERROR_BUG, "explain", ENOMEM, "no memory");
	log_reader_feed(reader, ret->text, strlen(ret->text));
	ret->count = log_reader_end(reader, ret->list);
	for (size_t i = 0; i < count && ret->count < EXPLAINED_MAX; i++)
		if (is_other_meaning(&codes[i], ret))
			ret->list[ret->count++] = (struct log_verdict){ .verdict = codes[i] };
	return 0;
}

static int text_explain(const struct verdict *codes, size_t count, struct explained *ret,
			struct error *err)
{
	ret->from = EXPLAIN_CODE;
	if (words_in(ret->text) >= LINE_WORDS) {
		int r = line_explain(codes, count, ret, err);

		if (r < 0)
			return r;
		ret->from = EXPLAIN_LINE;
		if (ret->count > 0)
			return 0;
	}
	for (; ret->count < count; ret->count++)
		ret->list[ret->count] = (struct log_verdict){ .verdict = codes[ret->count] };
	return 0;
}

/* --- choosing ---------------------------------------------------------------------------------
 */

/* The arguments with spaces between them, as valid UTF-8 without control characters: "error 9"
 * needs no quotes. What does not fit would not be read. */
static void arguments_join(int argc, char *const *argv, char ret[static EXPLAIN_TEXT_BYTES])
{
	size_t n = 0;

	ret[0] = '\0';
	for (int i = 0; i < argc; i++) {
		n += text_copy(ret + n, EXPLAIN_TEXT_BYTES - n, i > 0 ? " " : "");
		n += text_copy(ret + n, EXPLAIN_TEXT_BYTES - n, argv[i]);
	}
}

static bool file_is_here(const char *path)
{
	struct stat seen;

	return *path != '\0' && stat(path, &seen) == 0 && !S_ISDIR(seen.st_mode);
}

int explain_input(const struct command_call *call, struct explained *ret, struct error *err)
{
	const char *one = call->argc == 1 ? call->argv[0] : "";
	bool path = strchr(one, '/') && !strchr(one, ' '), here = file_is_here(one);
	struct verdict codes[EXPLAIN_MAX];
	size_t count;

	*ret = (struct explained){ .from = EXPLAIN_INPUT };
	arguments_join(call->argc, call->argv, ret->text);
	if (strcmp(one, "-") == 0)
		return log_explain(STDIN_FILENO, ret, err);
	count = explain(ret->text, codes);
	if (path || (here && count == 0)) {
		ret->from = EXPLAIN_FILE;
		return file_explain(one, ret, err);
	}
	ret->shadows = here;
	return text_explain(codes, count, ret, err);
}
