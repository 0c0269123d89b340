/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The worker kind `network` (README.md): can the servers of a restore be used, and if not, why? */
#include "worker/request.h"

int network_run(const struct request *request, sd_json_variant **ret_fields, struct error *err);
