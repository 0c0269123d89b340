/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Another disk for firmware: lists the volumes, mounts the one that a person named (README.md). */
#include "worker/request.h"

/* The only folder that is ever made or written on such a disk. */
#define DISK_FOLDER "idevicerescue-firmware"

/* Runs the kind disk. *ret_fields is what the result line carries. Returns 0, or a negative errno
 * with err set. */
int disk_run(const struct request *request, sd_json_variant **ret_fields, struct error *err);
