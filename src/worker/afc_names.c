/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/afc_names.h"
#include <endian.h>
#include <errno.h>
#include <string.h>

static const char magic[] = "CFA6LPAA";
enum { OPERATION_STATUS = 1, OPERATION_DATA = 2, OPERATION_LIST = 3 };

struct packet {
	char magic[8];
	uint64_t whole, this, number, operation; /* little endian */
};
static_assert(sizeof(struct packet) == AFC_HEADER_BYTES);

size_t afc_list_request(const char *path, uint64_t number, char to[static AFC_REQUEST_BYTES_MAX])
{
	size_t path_bytes = strlen(path) + 1, n = AFC_HEADER_BYTES + path_bytes;
	struct packet packet = {
		.whole = htole64(n),
		.this = htole64(n),
		.number = htole64(number),
		.operation = htole64(OPERATION_LIST),
	};

	if (n > AFC_REQUEST_BYTES_MAX)
		return 0;
	memcpy(packet.magic, magic, sizeof(packet.magic));
	memcpy(to, &packet, sizeof(packet));
	memcpy(to + sizeof(packet), path, path_bytes);
	return n;
}

int afc_header_parse(const char bytes[static AFC_HEADER_BYTES], uint64_t number,
		     struct afc_header *ret)
{
	struct packet packet;
	uint64_t whole, operation;

	memcpy(&packet, bytes, sizeof(packet));
	whole = le64toh(packet.whole);
	operation = le64toh(packet.operation);
	if (memcmp(packet.magic, magic, sizeof(packet.magic)) != 0 ||
	    le64toh(packet.number) != number || whole < AFC_HEADER_BYTES ||
	    whole - AFC_HEADER_BYTES > AFC_PAYLOAD_BYTES_MAX ||
	    le64toh(packet.this) < AFC_HEADER_BYTES || le64toh(packet.this) > whole)
		return -EBADMSG;
	*ret = (struct afc_header){
		.kind = operation == OPERATION_STATUS ? AFC_STATUS
			: operation == OPERATION_DATA ? AFC_DATA
						      : AFC_OTHER,
		.payload = (size_t)(whole - AFC_HEADER_BYTES),
	};
	return 0;
}

uint64_t afc_status(const char *payload, size_t n)
{
	uint64_t status;

	if (n < sizeof(status))
		return UINT64_MAX;
	memcpy(&status, payload, sizeof(status));
	return le64toh(status);
}

uint64_t afc_count_names(const char *payload, size_t n)
{
	uint64_t count = 0;

	while (n > 0) {
		size_t name = strnlen(payload, n), step = name < n ? name + 1 : name;

		count += name > 0 && !(name == 1 && payload[0] == '.') &&
			 !(name == 2 && payload[0] == '.' && payload[1] == '.');
		payload += step;
		n -= step;
	}
	return count;
}
