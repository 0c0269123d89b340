/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/clock.h"
#include <time.h>

static uint64_t clock_read_ms(clockid_t clock)
{
	struct timespec now = { 0 };

	/* Cannot fail for these two clocks. */
	(void)clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t clock_now_ms(void)
{
	return clock_read_ms(CLOCK_BOOTTIME);
}

uint64_t clock_wall_ms(void)
{
	return clock_read_ms(CLOCK_REALTIME);
}
