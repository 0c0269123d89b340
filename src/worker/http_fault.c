/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/http_fault.h"
#include <openssl/x509_vfy.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

enum { DAY_S = 24 * 3600, DAY_BYTES = 16 };

bool http_fault_is_of_dates(const struct http_fault *fault)
{
	return fault->code == CURLE_PEER_FAILED_VERIFICATION &&
	       (fault->verify == X509_V_ERR_CERT_NOT_YET_VALID ||
		fault->verify == X509_V_ERR_CERT_HAS_EXPIRED);
}

static void day_format(int64_t seconds, char ret[static DAY_BYTES])
{
	time_t t = (time_t)seconds;
	struct tm tm = {};

	if (!gmtime_r(&t, &tm) || strftime(ret, DAY_BYTES, "%Y-%m-%d", &tm) == 0)
		ret[0] = '\0';
}

static int clock_fault(struct error *err, const struct http_fault *fault)
{
	char ours[DAY_BYTES], theirs[DAY_BYTES];

	day_format(fault->now_s, ours);
	day_format(fault->server_now_s, theirs);
	return error_set(err, ERROR_NETWORK, "openssl", fault->verify,
			 "This computer's clock is wrong: it says %s, %s says %s. Set date and "
			 "time (in the firmware setup of the PC, or by network), then try again",
			 ours, fault->host, theirs);
}

static int dates_fault(struct error *err, const struct http_fault *fault)
{
	int64_t off = fault->server_now_s - fault->now_s;
	const char *what =
	    fault->verify == X509_V_ERR_CERT_HAS_EXPIRED ? "is out of date" : "is not valid yet";
	char ours[DAY_BYTES];

	if (fault->server_now_s > 0 && (off > DAY_S || off < -DAY_S))
		return clock_fault(err, fault);
	day_format(fault->now_s, ours);
	return error_set(err, ERROR_NETWORK, "openssl", fault->verify,
			 "The certificate of %s %s (today is %s on this computer). Something in "
			 "this network stands in between: use another network",
			 fault->host, what, ours);
}

/* What the person can do about it; %s is the host. */
static const struct {
	CURLcode code;
	const char *format;
} texts[] = {
	{ CURLE_COULDNT_RESOLVE_HOST, "%s cannot be found: this computer has no network or no name "
				      "server. Connect it to the internet, then try again" },
	{ CURLE_COULDNT_CONNECT, "%s cannot be reached: there is no way into the internet, or a "
				 "firewall forbids it. Check the network, then try again" },
	{ CURLE_OPERATION_TIMEDOUT,
	  "%s does not answer in time. Check the network, then try again" },
	{ CURLE_PEER_FAILED_VERIFICATION,
	  "Whoever answers as %s cannot prove it: a login page, a filter or an inspecting firewall "
	  "stands in between. Use another network" },
	{ CURLE_SSL_CONNECT_ERROR,
	  "No secure connection to %s came about. Use another network, then try again" },
	{ CURLE_GOT_NOTHING, "%s hung up without an answer. Try again" },
	{ CURLE_PARTIAL_FILE, "The connection to %s broke in the middle. Try again" },
	{ CURLE_RECV_ERROR, "The connection to %s broke. Try again" },
	{ CURLE_SEND_ERROR, "The connection to %s broke. Try again" },
	{ CURLE_SSL_CACERT_BADFILE, "The certificates that %s is checked with cannot be read" },
};

/* NOLINTNEXTLINE(clang-diagnostic-format-nonliteral): the formats are those above */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static int table_fault(struct error *err, const struct http_fault *fault, const char *format)
{
	return error_set(err, ERROR_NETWORK, "curl", fault->code, format, fault->host);
}
#pragma GCC diagnostic pop

int http_fault_set(struct error *err, const struct http_fault *fault)
{
	if (http_fault_is_of_dates(fault))
		return dates_fault(err, fault);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].code == fault->code)
			return table_fault(err, fault, texts[i].format);
	if (fault->code == CURLE_OUT_OF_MEMORY)
		return error_set(err, ERROR_BUG, "curl", fault->code, "Out of memory");
	return error_set(err, ERROR_NETWORK, "curl", fault->code,
			 "No understandable answer of %s (%s). Try again, or use another network",
			 fault->host, curl_easy_strerror(fault->code));
}
