/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The worker kind `fetch` (README.md): a firmware file, whole and right, in a folder. */
#include "worker/request.h"

int fetch_run(const struct request *request, sd_json_variant **ret_fields, struct error *err);
