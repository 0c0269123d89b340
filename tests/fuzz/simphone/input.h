/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bytes taken off the fuzzer's input; beyond its end there are zeros. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct input {
	const uint8_t *at, *end;
};

static inline uint8_t take8(struct input *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

static inline uint16_t take16(struct input *in)
{
	uint8_t low = take8(in);

	return (uint16_t)(low | take8(in) << 8);
}

/* Up to @len bytes; returns how many there were. */
static inline size_t take(struct input *in, const uint8_t **ret_bytes, size_t len)
{
	if (len > (size_t)(in->end - in->at))
		len = (size_t)(in->end - in->at);
	*ret_bytes = in->at;
	in->at += len;
	return len;
}

static inline uint32_t take32(struct input *in)
{
	uint32_t low = take16(in);

	return low | (uint32_t)take16(in) << 16;
}
