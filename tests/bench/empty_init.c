/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The rival of `make bench`: the least that a kernel can start. Says so on the console and waits
 * for ever, so that the time from QEMU's start to this line is that of the kernel alone.
 */
#include <unistd.h>

int main(void)
{
	static const char line[] = "EMPTY-INIT\n";

	(void)!write(STDOUT_FILENO, line, sizeof(line) - 1);
	for (;;)
		pause();
}
