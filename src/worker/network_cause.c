/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/network_cause.h"
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/x509_vfy.h>
#include <string.h>

enum { DAY_S = 24 * 3600, STATUS_PROXY_LOGIN = 407 };

const char *network_cause_name(enum network_cause cause)
{
	static const char *const names[NETWORK_CAUSE_MAX] = {
		[NETWORK_NO_NETWORK] = "no-network",
		[NETWORK_CLOCK] = "clock",
		[NETWORK_CAPTIVE_PORTAL] = "captive-portal",
		[NETWORK_PROXY] = "proxy",
		[NETWORK_NO_ROUTE] = "no-route",
		[NETWORK_DNS_FAILS] = "dns-fails",
		[NETWORK_TLS_INSPECTION] = "tls-inspection",
		[NETWORK_DNS_LIE] = "dns-lie",
		[NETWORK_REFUSED] = "refused",
		[NETWORK_SILENT] = "silent",
		[NETWORK_DOWN] = "down",
		[NETWORK_NONE] = "none",
	};

	return names[cause];
}

/* --- addresses */

static bool is_private4(uint32_t address)
{
	static const struct {
		uint32_t net, mask;
	} nets[] = {
		{ 0x00000000, 0xff000000 }, /* 0/8 */
		{ 0x0a000000, 0xff000000 }, /* 10/8 */
		{ 0x64400000, 0xffc00000 }, /* 100.64/10 */
		{ 0x7f000000, 0xff000000 }, /* 127/8 */
		{ 0xa9fe0000, 0xffff0000 }, /* 169.254/16 */
		{ 0xac100000, 0xfff00000 }, /* 172.16/12 */
		{ 0xc0a80000, 0xffff0000 }, /* 192.168/16 */
	};

	for (size_t i = 0; i < sizeof(nets) / sizeof(nets[0]); i++)
		if ((address & nets[i].mask) == nets[i].net)
			return true;
	return false;
}

static bool is_private6(const struct in6_addr *address)
{
	enum { LAST = 12, UNIQUE_LOCAL = 0xfc, UNIQUE_LOCAL_MASK = 0xfe };
	uint32_t last;

	memcpy(&last, address->s6_addr + LAST, sizeof(last));
	if (IN6_IS_ADDR_V4MAPPED(address))
		return is_private4(ntohl(last));
	return IN6_IS_ADDR_UNSPECIFIED(address) || IN6_IS_ADDR_LOOPBACK(address) ||
	       IN6_IS_ADDR_LINKLOCAL(address) ||
	       (address->s6_addr[0] & UNIQUE_LOCAL_MASK) == UNIQUE_LOCAL;
}

bool network_address_is_private(const char *address)
{
	struct in6_addr six;
	struct in_addr four;

	if (inet_pton(AF_INET, address, &four) == 1)
		return is_private4(ntohl(four.s_addr));
	return inet_pton(AF_INET6, address, &six) == 1 && is_private6(&six);
}

/* --- clocks */

bool network_seen_is_of_dates(const struct network_seen *seen)
{
	return seen->code == CURLE_PEER_FAILED_VERIFICATION &&
	       (seen->verify == X509_V_ERR_CERT_NOT_YET_VALID ||
		seen->verify == X509_V_ERR_CERT_HAS_EXPIRED);
}

int64_t network_other_clock(const struct network_seen *seen, const struct network_page *page)
{
	return page->date_s ? page->date_s : seen->date_s;
}

/* Somebody's clock is wrong: ours, unless another computer agrees with it. */
static enum network_cause dates_cause(const struct network_seen *seen,
				      const struct network_page *page,
				      const struct network_here *here)
{
	int64_t other = network_other_clock(seen, page);
	int64_t off = other - here->now_s;

	return other != 0 && off < DAY_S && off > -DAY_S ? NETWORK_TLS_INSPECTION : NETWORK_CLOCK;
}

/* --- causes */

static bool is_lie(const struct network_seen *seen)
{
	return seen->told && network_address_is_private(seen->address);
}

static enum network_cause certificate_cause(const struct network_seen *seen)
{
	/* the chain is good, or nothing was found wrong with it but the name */
	if (seen->verify == X509_V_OK || (seen->looked && !seen->name_fits))
		return NETWORK_DNS_LIE;
	return NETWORK_TLS_INSPECTION;
}

static enum network_cause connect_cause(const struct network_seen *seen)
{
	switch (seen->os_errno) {
	case ECONNREFUSED:
	case EACCES:
	case EPERM:
	case ECONNRESET:
		return NETWORK_REFUSED;
	case ETIMEDOUT:
	case 0:
		return NETWORK_SILENT;
	default:
		return NETWORK_NO_ROUTE;
	}
}

/* What the end of a question says by itself. */
static enum network_cause code_cause(const struct network_seen *seen)
{
	if (seen->encrypted)
		return NETWORK_DOWN; /* it had proven who it is before it failed */
	if (seen->code == CURLE_PEER_FAILED_VERIFICATION)
		return certificate_cause(seen);
	if (seen->code == CURLE_COULDNT_CONNECT)
		return connect_cause(seen);
	if (seen->code == CURLE_OPERATION_TIMEDOUT)
		return NETWORK_SILENT;
	/* no TLS as we want it; one that is older than ours is no server of today */
	return seen->looked ? NETWORK_TLS_INSPECTION : NETWORK_REFUSED;
}

/* A verified answer of HTTP. */
static enum network_cause status_cause(unsigned status)
{
	enum { BAD_GATEWAY = 502, UNAVAILABLE = 503, GATEWAY_TIMEOUT = 504 };

	switch (status) {
	case BAD_GATEWAY:
	case UNAVAILABLE:
	case GATEWAY_TIMEOUT:
		return NETWORK_DOWN;
	default:
		return NETWORK_NONE; /* whatever it is: the way to it is open */
	}
}

static bool is_of_proxy(const struct network_seen *seen, const struct network_page *page)
{
	enum { STATUS_OK = 200 };

	if (seen->proxy_status != 0 && seen->proxy_status != STATUS_OK)
		return true;
	if (seen->code == CURLE_COULDNT_RESOLVE_PROXY || seen->code == CURLE_PROXY)
		return true;
	if (seen->proxied && seen->code == CURLE_COULDNT_CONNECT)
		return true;
	return page->is == NETWORK_PAGE_PROXY || seen->status == STATUS_PROXY_LOGIN;
}

enum network_cause network_cause_find(const struct network_seen *seen,
				      const struct network_page *page,
				      const struct network_here *here)
{
	if (seen->code == CURLE_OK && seen->status != STATUS_PROXY_LOGIN)
		return status_cause(seen->status);
	if (!here->has_address)
		return NETWORK_NO_NETWORK;
	if (network_seen_is_of_dates(seen) && dates_cause(seen, page, here) == NETWORK_CLOCK)
		return NETWORK_CLOCK;
	if (!seen->encrypted && page->is == NETWORK_PAGE_OTHER)
		return NETWORK_CAPTIVE_PORTAL;
	if (is_of_proxy(seen, page))
		return NETWORK_PROXY;
	if (!here->has_route)
		return NETWORK_NO_ROUTE;
	if (seen->code == CURLE_COULDNT_RESOLVE_HOST)
		return NETWORK_DNS_FAILS;
	if (!seen->encrypted && is_lie(seen))
		return NETWORK_DNS_LIE;
	return code_cause(seen);
}
