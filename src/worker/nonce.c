/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/nonce.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>

int nonce_find(const char *nonces, const char *tag, char *ret)
{
	size_t tag_length = strlen(tag);

	for (const char *word = nonces; *word != '\0';) {
		size_t length = strcspn(word, " ");

		if (length > tag_length && strncmp(word, tag, tag_length) == 0 &&
		    word[tag_length] == ':') {
			const char *hex = word + tag_length + 1;
			size_t digits = length - tag_length - 1;

			if (digits == 0 || digits % 2 != 0 || digits >= NONCE_HEX_BYTES ||
			    strspn(hex, "0123456789abcdefABCDEF") < digits)
				return -EBADMSG;
			for (size_t i = 0; i < digits; i++)
				ret[i] = (char)tolower((unsigned char)hex[i]);
			ret[digits] = '\0';
			return 0;
		}
		word += length;
		word += strspn(word, " ");
	}
	return -ENODATA;
}
