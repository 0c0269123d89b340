/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A firmware file that is not whole yet: HASH.ipsw.part, always a true prefix of it, and
 * HASH.ipsw.part.json (fetch_state.h), which tells how much of it is known to be on the disk and
 * what its hashes are. Locked as long as it is open.
 */
#include "worker/digest.h"
#include "worker/fetch_place.h"
#include "worker/http.h"
#include "worker/ipsw.h"

struct part;

/* What may be committed ends at a multiple of this, unless the part rests. */
static const uint64_t part_mark_bytes = 8ULL << 20;

/* Told while bytes that lie there are hashed. A negative return ends it and is passed on. */
typedef int (*part_progress_fn)(void *context, uint64_t done);

/*
 * Opens or makes the part of wanted (copied; name, size, url and a hash are set) in place
 * (borrowed). A part that has another name of the file is renamed first. ERROR_BUSY: another fetch
 * has it.
 */
int part_open(const struct fetch_place *place, const struct ipsw *wanted, struct part **ret,
	      struct error *err);
struct part *part_free(struct part *part); /* NULL is fine; what was not committed is lost */
static inline void part_freep(struct part **p)
{
	part_free(*p);
}

/* Hashes what lies there and keeps as much of it as is right and of the same file; may be nothing.
 * 0, or a negative errno with err set. */
int part_resume(struct part *part, part_progress_fn progress, void *context, struct error *err);

/* The file is whole by other means: removes the part and what was told of it. */
void part_drop(struct part *part);
/* As part_drop(), of one that nobody has open: a fetch that was killed at its very end left it. */
void part_clear(const struct fetch_place *place);

/* Bytes that are there and hashed, as of the last time that the part rested. */
uint64_t part_done(const struct part *part);
/* What the server at url calls this version of the file; "" unknown. Told by part_set_etag(), kept
 * across runs, of one server only. The thread that sets it may ask. */
const char *part_etag(const struct part *part, const char *url);
void part_set_etag(struct part *part, const char *url, const char *etag);

/* Forgets all bytes. As all of these: 0, or a negative errno with err set. */
int part_restart(struct part *part, struct error *err);

/*
 * For the threads that fill it (fetch_flow.h). One writes and makes the SHA-1, the other the
 * SHA-256, each in order from part_done() on; the second marks every multiple of part_mark_bytes
 * that it comes to, between two calls. part_commit(): bytes before `at` are written, and marked
 * there, or the part rests: both threads have come to `at`. Pieces of whole MiB at whole MiB, from
 * page-aligned memory, go past the kernel's cache where the disk can do that.
 */
int part_write(struct part *part, uint64_t at, const void *bytes, size_t n, struct error *err);
int part_hash(struct part *part, const void *bytes, size_t n, struct error *err);
int part_mark(struct part *part, uint64_t at, struct error *err);
int part_commit(struct part *part, uint64_t at, struct error *err);
/* Both threads have come to `at`, and it is committed. */
void part_rest(struct part *part, uint64_t at);

/*
 * All bytes are there. Returns 1 if the hashes are right (after a second look at the disk if they
 * were not at first): the file has its name then, and digest its hashes. Returns 0 if they are
 * wrong: the bytes are in HASH.ipsw.bad, and the part is of no more use. A negative errno with err
 * set. progress: of that second look, which reads the whole file.
 */
int part_finish(struct part *part, struct digest *digest, part_progress_fn progress, void *context,
		struct error *err);
