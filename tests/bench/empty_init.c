/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The rival of `make bench`: the least that a kernel can start. Says so on the first serial line
 * (the kernel's own console is the screen) and waits for ever, so that the time from QEMU's start
 * to this line is that of the kernel alone.
 */
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

int main(void)
{
	static const char line[] = "EMPTY-INIT\n";
	int fd;

	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	fd = open("/dev/ttyS0", O_WRONLY | O_NOCTTY);
	if (fd >= 0)
		(void)!write(fd, line, sizeof(line) - 1);
	for (;;)
		pause();
}
