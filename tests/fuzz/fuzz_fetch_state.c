/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The state of a download, as it lies on a stick: what is taken is within bounds and survives being
 * written and read again. */
#include "base/cleanup.h"
#include "worker/fetch_state.h"
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(fetch_state_done) struct fetch_state state = {}, again = {};
	_cleanup_free_ char *text = malloc(size + 1), *written = NULL;
	uint64_t segments;

	memcpy(text, data, size);
	text[size] = '\0';
	if (fetch_state_parse(text, size, &state) < 0)
		return 0;
	segments = (state.committed + state_segment_bytes - 1) / state_segment_bytes;
	if (state.committed > state.size || state.prefix_count != segments ||
	    strpbrk(state.etag, "\r\n"))
		abort();
	if (fetch_state_format(&state, &written) < 0 ||
	    fetch_state_parse(written, strlen(written), &again) < 0)
		abort();
	if (again.committed != state.committed || strcmp(again.etag, state.etag) != 0 ||
	    again.prefix_count != state.prefix_count)
		abort();
	return 0;
}
