/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The message with this id (facts/messages.tsv); the id itself if it is missing, which lint finds.
 * Never NULL. */
const char *console_text(const char *id);
