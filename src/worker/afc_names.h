/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * As much of afc as it takes to list a folder (device-protocols.md §4.9, backup-and-logs.md §2.1).
 * Our own, since libimobiledevice 1.4.0 writes past its buffer when a phone's header says more
 * bytes for this packet than for the whole (src/afc.c afc_receive_data()). Pure.
 */
#include <stddef.h>
#include <stdint.h>

enum {
	AFC_HEADER_BYTES = 40,
	AFC_PAYLOAD_BYTES_MAX = 4 * 1024 * 1024, /* a folder with 16000 names of 255 bytes */
	AFC_REQUEST_BYTES_MAX = 256,
};

enum afc_kind {
	AFC_STATUS, /* the payload is a number: 0 well, else why not */
	AFC_DATA,
	AFC_OTHER,
};

/* The packet that asks for the names in the folder. Returns its size, 0 for a path that is too
 * long. */
size_t afc_list_request(const char *path, uint64_t number, char to[static AFC_REQUEST_BYTES_MAX]);

struct afc_header {
	enum afc_kind kind;
	size_t payload; /* bytes that follow, at most AFC_PAYLOAD_BYTES_MAX */
};
/* Returns 0; -EBADMSG for bytes that are no header, another packet's answer, or more than a payload
 * may be. */
int afc_header_parse(const char bytes[static AFC_HEADER_BYTES], uint64_t number,
		     struct afc_header *ret);

/* The status of an AFC_STATUS payload; UINT64_MAX if it is too short. */
uint64_t afc_status(const char *payload, size_t n);

/* How many names stand in an AFC_DATA payload, without "." and "..". */
uint64_t afc_count_names(const char *payload, size_t n);
