/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What a library's error code means for a person: the code becomes error.code, the library its
 * origin. Codes that are not known become ERROR_PROTOCOL. Returns the negative errno of
 * error_set().
 */
#include "base/error.h"

/* A lockdownd_error_t other than success. */
int lockdownd_error_set(struct error *err, int code);

/* A negative enum libusb_error. */
int libusb_error_set(struct error *err, int code);
