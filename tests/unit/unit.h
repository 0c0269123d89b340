/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* cmocka.h needs these before it, in any order. */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
