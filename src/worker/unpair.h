/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Ends the trust on both sides (README.md, "trust"). */
#include "worker/inquiry.h"

/*
 * Has the phone forget this computer, sees that it does, and deletes the record here. Returns 0, or
 * a negative errno with err set; without a session nothing is done.
 */
int unpair_run(const char *udid, struct inquiry *inquiry, struct error *err);
