/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The cryptography of pairing: the phone's key, records that hosts send, a supervisor's answer. */
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <plist/plist.h>
#include <stddef.h>
#include <stdint.h>

/* The phone's private key. Caller frees. */
EVP_PKEY *pair_key(void);
/* Its public half as DevicePublicKey: a PEM of PKCS#1. Caller frees. */
plist_t pair_public_key(void);

/* A certificate (PEM in a data node) of @record, or NULL. Caller frees. */
X509 *pair_certificate(plist_t record, const char *key);

/*
 * NULL if @record can be remembered: HostID, SystemBUID and three certificates, the device's made
 * for this phone's key and signed by the root; else lockdown's word.
 */
const char *pair_record_check(plist_t record);

/* Whether @response is a CMS signature over @challenge. Whose it is cannot be known here. */
bool pair_challenge_answered(plist_t response, const uint8_t *challenge, size_t len);
