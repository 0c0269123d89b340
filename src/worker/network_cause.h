/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Why a server cannot be used: by what was seen of it, of the network and of this computer. Pure,
 * so that each case is a row of a test.
 */
#include <curl/curl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The most telling first: of several the first one is the cause of the whole. */
enum network_cause {
	NETWORK_NO_NETWORK,     /* no cable, no Wi-Fi, no address */
	NETWORK_CLOCK,          /* certificates seem out of date because this clock is wrong */
	NETWORK_CAPTIVE_PORTAL, /* a login page stands in between */
	NETWORK_PROXY,          /* a proxy refuses, wants a password, or is not there */
	NETWORK_NO_ROUTE,       /* there is no way into the internet */
	NETWORK_DNS_FAILS,      /* the name is not found */
	NETWORK_TLS_INSPECTION, /* who answers has a certificate that is not the server's */
	NETWORK_DNS_LIE,        /* the name leads to another machine */
	NETWORK_REFUSED,        /* a firewall or the server hangs up or forbids it */
	NETWORK_SILENT,         /* no answer in time */
	NETWORK_DOWN,           /* it is the right server, and it is out of order */
	NETWORK_NONE,           /* nothing is wrong */
	NETWORK_CAUSE_MAX,
};

/* "captive-portal"; never NULL. */
const char *network_cause_name(enum network_cause cause);

enum { NETWORK_ISSUER_BYTES = 80, NETWORK_PLACE_BYTES = 80 };

/* What was seen of one server. */
struct network_seen {
	CURLcode code;         /* of the verified question */
	long verify;           /* OpenSSL's verify result, 0 (X509_V_OK) unless it refused */
	int os_errno;          /* of the last connection that failed, 0 none */
	unsigned status;       /* HTTP, 0 none */
	unsigned proxy_status; /* of a proxy's answer to CONNECT, 0 none */
	bool proxied;          /* a proxy is set */
	bool encrypted;        /* verified TLS came about */
	char address[INET6_ADDRSTRLEN]; /* the first that was tried; "" none */
	bool told;                      /* by the name server (a test's map leads elsewhere) */
	/* the second look, at who answers there: without belief, any version of TLS */
	bool looked;                       /* TLS came about, and these are known */
	bool name_fits;                    /* its certificate is for this host */
	char issuer[NETWORK_ISSUER_BYTES]; /* who signed it, for people; "" unknown */
	int64_t date_s;                    /* its clock, seconds since the epoch, 0 unknown */
};

/* What a page of known content, asked for without encryption, showed. */
struct network_page {
	enum { NETWORK_PAGE_UNKNOWN, NETWORK_PAGE_TRUE, NETWORK_PAGE_OTHER, NETWORK_PAGE_PROXY } is;
	char place[NETWORK_PLACE_BYTES]; /* the host that it leads to; "" unknown */
	int64_t date_s;                  /* the clock of who answered, 0 unknown */
};

/* This computer. */
struct network_here {
	bool has_address; /* one beyond loopback and link-local */
	bool has_route;   /* to an address in the internet */
	int64_t now_s;    /* its clock, seconds since the epoch */
};

enum network_cause network_cause_find(const struct network_seen *seen,
				      const struct network_page *page,
				      const struct network_here *here);

/* True if no public server can have this address: "192.168.1.1", "::1", "0.0.0.0". */
bool network_address_is_private(const char *address);

/* True if the refused certificate is one of wrong dates. */
bool network_seen_is_of_dates(const struct network_seen *seen);
/* The clock of another computer, if one is known: the page's, or the server's; 0 none. */
int64_t network_other_clock(const struct network_seen *seen, const struct network_page *page);
