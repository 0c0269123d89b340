/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The test hooks of HTTP (README.md): where host names go, which certificates are believed. */
#include "base/error.h"
#include <curl/curl.h>

struct http_hooks {
	struct curl_slist *connect_to; /* for CURLOPT_CONNECT_TO; NULL: names go where DNS says */
	char *ca_path;                 /* believed instead of all others; NULL: none */
};

/* Reads idevicerescue.hosts and idevicerescue.ca from folder (NULL: no hooks). 0, or a negative
 * errno with err set: a hook that is there and cannot be read must not be passed over. */
int http_hooks_read(const char *folder, struct http_hooks *ret, struct error *err);
void http_hooks_done(struct http_hooks *hooks);

/* One line of the host map, "api.ipsw.me:443 10.0.2.2:8443", as curl wants it
 * ("api.ipsw.me:443:10.0.2.2:8443"), allocated. 0, -EINVAL or -ENOMEM; 1 and *ret untouched for an
 * empty line or a comment (#). */
int http_hooks_map_line(const char *line, char **ret);
