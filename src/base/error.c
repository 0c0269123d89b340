/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/error.h"
#include "base/cleanup.h"
#include "base/text.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* One row a kind, in the order of the enum: name in JSON, errno of a failing call, exit status
 * (DESIGN §12). */
static const struct {
	const char *name;
	int errno_value;
	int exit_status;
} error_kinds[ERROR_KIND_MAX] = {
	[ERROR_NONE] = { "none", 0, 0 },
	[ERROR_USAGE] = { "usage", EINVAL, 2 },
	[ERROR_NO_PHONE] = { "no-phone", ENODEV, 3 },
	[ERROR_AMBIGUOUS] = { "ambiguous", ENOTUNIQ, 4 },
	[ERROR_REFUSED] = { "refused", EACCES, 5 },
	[ERROR_LOCKED] = { "locked", EACCES, 5 },
	[ERROR_SILENT] = { "silent", ETIMEDOUT, 5 },
	[ERROR_BUSY] = { "busy", EBUSY, 5 },
	[ERROR_UNPLUGGED] = { "unplugged", ENXIO, 11 },
	[ERROR_NO_CONSENT] = { "no-consent", EPERM, 6 },
	[ERROR_BAD_FILE] = { "bad-file", EBADMSG, 7 },
	[ERROR_NOT_SIGNED] = { "not-signed", EKEYREJECTED, 8 },
	[ERROR_NO_SPACE] = { "no-space", ENOSPC, 9 },
	[ERROR_NETWORK] = { "network", ENETUNREACH, 10 },
	[ERROR_NO_SERVICE] = { "no-service", ECONNREFUSED, 12 },
	[ERROR_ENGINE] = { "engine", EIO, 13 },
	[ERROR_CANCELLED] = { "cancelled", ECANCELED, 14 },
	[ERROR_UNSUPPORTED] = { "unsupported", EOPNOTSUPP, 5 },
	[ERROR_PROTOCOL] = { "protocol", EPROTO, 70 },
	[ERROR_BUG] = { "bug", ENOTRECOVERABLE, 70 },
};

/* Room for the line before it is cut: a character that printf tears stands beyond what is kept. */
enum { ERROR_FORMAT_BYTES = ERROR_TEXT_BYTES + 4 };

static void error_fill(struct error *err, enum error_kind kind, const char *origin, int64_t code,
		       const char *text)
{
	*err = (struct error){ .kind = kind, .code = code };
	text_copy(err->origin, sizeof(err->origin), origin);
	text_copy(err->text, sizeof(err->text), text);
}

int error_set(struct error *err, enum error_kind kind, const char *origin, int64_t code,
	      const char *format, ...)
{
	if (err) {
		char text[ERROR_FORMAT_BYTES];
		va_list args;

		va_start(args, format);
		vsnprintf(text, sizeof(text), format, args);
		va_end(args);
		error_fill(err, kind, origin, code, text);
	}
	return -error_kinds[kind].errno_value;
}

int error_set_errno(struct error *err, enum error_kind kind, const char *origin, int errno_value,
		    const char *format, ...)
{
	if (err) {
		char text[ERROR_FORMAT_BYTES];
		va_list args;
		int n;

		va_start(args, format);
		n = vsnprintf(text, sizeof(text), format, args);
		va_end(args);
		if (n >= 0 && (size_t)n < sizeof(text)) {
			size_t used = (size_t)n;

			snprintf(text + used, sizeof(text) - used, ": %s", strerror(errno_value));
		}
		error_fill(err, kind, origin, errno_value, text);
	}
	return -errno_value;
}

const char *error_kind_name(enum error_kind kind)
{
	return error_kinds[kind].name;
}

enum error_kind error_kind_from_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(error_kinds); i++)
		if (name && strcmp(error_kinds[i].name, name) == 0)
			return (enum error_kind)i;
	return ERROR_BUG;
}

int error_exit_status(enum error_kind kind)
{
	return error_kinds[kind].exit_status;
}
