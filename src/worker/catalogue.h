/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The worker kind `catalogue` (README.md): which firmware there is for a product. */
#include "worker/request.h"

int catalogue_run(const struct request *request, sd_json_variant **ret_fields, struct error *err);
