/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/network_here.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

static bool is_public_enough(const struct ifaddrs *one)
{
	enum { LINK_LOCAL = 0xa9fe };
	const struct sockaddr_in *four = (const void *)one->ifa_addr;
	const struct sockaddr_in6 *six = (const void *)one->ifa_addr;
	const unsigned up = IFF_UP | IFF_RUNNING;

	if (!one->ifa_addr || (one->ifa_flags & IFF_LOOPBACK) || (one->ifa_flags & up) != up)
		return false;
	if (one->ifa_addr->sa_family == AF_INET)
		return ntohl(four->sin_addr.s_addr) >> 16 != LINK_LOCAL;
	return one->ifa_addr->sa_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&six->sin6_addr);
}

static bool address_is_there(void)
{
	struct ifaddrs *all = NULL;
	bool found = false;

	if (getifaddrs(&all) < 0)
		return true; /* not known: the servers tell */
	for (const struct ifaddrs *one = all; one && !found; one = one->ifa_next)
		found = is_public_enough(one);
	freeifaddrs(all);
	return found;
}

/* Connecting a datagram socket sends nothing: the kernel only looks for the way. */
static bool route_is_there(void)
{
	enum { PORT = 443 };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
	_cleanup_close_ int fd4 = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	_cleanup_close_ int fd6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	/* Apple's own nets */
	(void)inet_pton(AF_INET, "17.253.144.10", &four.sin_addr);
	(void)inet_pton(AF_INET6, "2620:149:af0::10", &six.sin6_addr);
	if (fd4 < 0 && fd6 < 0)
		return true; /* not known: the servers tell */
	return (fd4 >= 0 && connect(fd4, (void *)&four, sizeof(four)) == 0) ||
	       (fd6 >= 0 && connect(fd6, (void *)&six, sizeof(six)) == 0);
}

struct network_here network_here_look(bool is_test)
{
	enum { MS_PER_S = 1000 };

	return (struct network_here){
		.has_address = is_test || address_is_there(),
		.has_route = is_test || route_is_there(),
		.now_s = (int64_t)(clock_wall_ms() / MS_PER_S),
	};
}
