/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The catalogue that comes with the image. scripts/catalogue makes it, scripts/lint checks it. */
#include "worker/catalogue_parse.h"

const char catalogue_image[] = {
#embed "../facts/catalogue.json" suffix(, '\0')
};

const size_t catalogue_image_bytes = sizeof(catalogue_image) - 1;
