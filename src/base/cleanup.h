/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Release at the end of a scope: `_cleanup_(x_freep) struct x *x = NULL;`. A type's header offers
 * x_freep next to x_free by DEFINE_CLEANUP(struct x *, x_free).
 */
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

/* NOLINTBEGIN(bugprone-macro-parentheses): a type and a name take none */
#define DEFINE_CLEANUP(type, f)                                                                    \
	static inline void f##p(type *p)                                                           \
	{                                                                                          \
		if (*p)                                                                            \
			f(*p);                                                                     \
	}
/* NOLINTEND(bugprone-macro-parentheses) */

static inline void freep(void *p)
{
	free(*(void **)p);
}
#define _cleanup_free_ _cleanup_(freep)

static inline void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
#define _cleanup_close_ _cleanup_(closep)

/* Hands an owned pointer on: the variable gives up its claim. */
#define TAKE(p)                                                                                    \
	({                                                                                         \
		typeof(p) _taken = (p);                                                            \
		(p) = NULL;                                                                        \
		_taken;                                                                            \
	})

#define TAKE_FD(fd)                                                                                \
	({                                                                                         \
		int _taken = (fd);                                                                 \
		(fd) = -1;                                                                         \
		_taken;                                                                            \
	})

/* The same for a struct that lies in the variable and whose x_done() takes an empty one. By its
 * address: to analysers that know no cleanup attribute the emptying would be a dead store. */
#define TAKE_STRUCT(s)                                                                             \
	({                                                                                         \
		typeof(s) *_from = &(s);                                                           \
		typeof(s) _taken = *_from;                                                         \
		*_from = (typeof(s)){};                                                            \
		_taken;                                                                            \
	})

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
