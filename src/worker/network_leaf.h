/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The certificate that somebody shows in place of a server: for which hosts it is, and who signed
 * it. Foreign bytes; nothing is believed of it. */
#include <stdbool.h>
#include <stddef.h>

/* Reads a certificate in PEM. Writes the name of who signed it (organisation, else common name; ""
 * unknown) as valid UTF-8, and whether it is for this host. False if it is no certificate. */
bool network_leaf_read(const char *pem, const char *host, char *ret_issuer, size_t issuer_bytes,
		       bool *ret_fits);
