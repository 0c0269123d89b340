/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Tells what the kernel complains of at USB ports, since the machine was started and from now on
 * (README.md, "kernel-watch"). */
#include "base/error.h"

/* Runs the kind. Ends only by failing: returns a negative errno with err set. */
int kernel_watch_run(struct error *err);
