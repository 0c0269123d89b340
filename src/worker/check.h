/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The worker kind `check` (README.md): what a firmware file is, and how it can be installed. */
#include "worker/request.h"

int check_run(const struct request *request, sd_json_variant **ret_fields, struct error *err);
