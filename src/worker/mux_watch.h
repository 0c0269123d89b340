/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Tells which phones usbmuxd has, and whether there is a usbmuxd, as events (README.md). */
#include "base/error.h"

/* Runs the kind. Returns only on failure: a negative errno with err set. */
int mux_watch_run(struct error *err);
