/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Which of the kernel's messages complain of a USB port, and of which. The texts are those of
 * Linux' drivers/usb/core/hub.c, config.c, message.c, generic.c and drivers/usb/host, of 2.6 to 7;
 * tests/unit/test_worker_kernel.c has them as people saw them.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	KERNEL_RECORD_BYTES = 8192, /* no record of /dev/kmsg is longer */
	KERNEL_PORT_BYTES = 32,
	KERNEL_TEXT_BYTES = 256,
};

/* Where a line stands in the log. */
struct kernel_head {
	bool record;       /* as in /dev/kmsg, "6,1234,567890,-;text": number and time are there */
	uint64_t number;   /* of the record, from 0 at the start of the machine */
	bool timed;        /* time_us is there */
	uint64_t time_us;  /* since the start of the machine */
	bool kernel;       /* false: a program wrote it into the kernel's log */
	const char *text;  /* behind the head; borrowed from the line */
	size_t text_bytes; /* up to the end of the line */
};

struct kernel_line {
	struct kernel_head head;
	const char *trouble;          /* static: "over-current", "no-descriptor", … */
	char port[KERNEL_PORT_BYTES]; /* "1-2.3"; "" the controller, or it is not told */
	char text[KERNEL_TEXT_BYTES]; /* the message, printable ASCII, cut if it is longer */
};

/*
 * Reads the head of n bytes: a record of /dev/kmsg (its first line; " KEY=value" lines that follow
 * are no text), a line of dmesg ("[   12.345678] usb 1-2: …", also with a date or a time
 * difference in the brackets), of a system log ("… kernel: usb 1-2: …"), or the bare message.
 */
void kernel_head_parse(const char *line, size_t n, struct kernel_head *ret);

/* The same with what it says of a port; false: nothing (ret is not written then). */
bool kernel_line_parse(const char *line, size_t n, struct kernel_line *ret);
