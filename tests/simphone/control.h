/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The user's hand and the test's: a unix socket that takes one command a line and answers one JSON
 * object a line.
 *
 *   mode MODE · set KEY VALUE · state · quit · and the gestures of hand.h
 */
#pragma once

#include "loop.h"
#include "phone.h"

struct control;

/* Listens on @path (an old socket there is removed). Ends the program if it cannot. */
struct control *control_new(struct loop *loop, struct phone *phone, const char *path);
struct control *control_free(struct control *c);

/* Runs one line and appends the answer with its newline; "quit" sets loop->quit. Public for tests.
 */
void control_run(struct loop *loop, struct phone *phone, char *line, struct buf *answer);
