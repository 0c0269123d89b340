/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The directory of usbmuxd's socket, watched by inotify: tells when the socket may have appeared,
 * or may let others in now (a server binds, listens, and then changes the mode).
 */
#include "base/error.h"

struct mux_place {
	int inotify_fd;   /* to wait on for input; owned, -1 none */
	const char *name; /* last part of the socket's path; borrowed from it */
};

/* path must live as long as the place. Returns 0, or a negative errno with err set (then ret is
 * ended, too). */
int mux_place_watch(const char *path, struct mux_place *ret, struct error *err);
void mux_place_done(struct mux_place *place);

/* Takes what inotify has. Returns 1 if it was about the socket, 0 if not, or a negative errno with
 * err set when the directory is gone. */
int mux_place_read(struct mux_place *place, struct error *err);
