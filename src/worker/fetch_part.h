/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A firmware file that is not whole yet: NAME.part, always a true prefix of it, and NAME.part.json,
 * which tells how much of it is known to be on the disk and what its hashes are. Locked as long as
 * it is open.
 */
#include "worker/digest.h"
#include "worker/http.h"
#include "worker/ipsw.h"

struct part;

/* Told while bytes that lie there are hashed. A negative return ends it and is passed on. */
typedef int (*part_progress_fn)(void *context, uint64_t done);

/*
 * Opens or makes the part of wanted (copied; name, size, url and a hash are set) in folder_fd
 * (borrowed). folder: its path, for texts; borrowed. ERROR_BUSY: another fetch has it.
 */
int part_open(int folder_fd, const char *folder, const struct ipsw *wanted, struct part **ret,
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

/* Bytes that are there and hashed. */
uint64_t part_done(const struct part *part);
/* What the server calls this version of the file; "" unknown. Told by part_set_etag(), kept across
 * runs. */
const char *part_etag(const struct part *part);
void part_set_etag(struct part *part, const char *etag);

/* Forgets all bytes. As all of these: 0, or a negative errno with err set. */
int part_restart(struct part *part, struct error *err);
/* Appends; commits by itself from time to time. */
int part_append(struct part *part, const void *bytes, size_t n, struct error *err);
/* Makes sure that what is done survives. */
int part_commit(struct part *part, struct error *err);

/*
 * All bytes are there. Returns 1 if the hashes are right (after a second look at the disk if they
 * were not at first): the file has its name then, and digest its hashes. Returns 0 if they are
 * wrong: the bytes are in NAME.bad, and the part is of no more use.
 */
int part_finish(struct part *part, struct digest *digest, struct error *err);
