/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "face/firmware_source.h"
#include "base/cleanup.h"
#include "face/output.h"
#include <stdio.h>
#include <string.h>

const char *firmware_source_text(const char *name)
{
	static const struct {
		const char *name, *id;
	} words[] = {
		{ "image", "source-image" },     { "refreshed", "source-refreshed" },
		{ "apple", "source-apple" },     { "ipsw.me", "source-ipsw-me" },
		{ "appledb", "source-appledb" }, { "gdmf", "source-gdmf" },
		{ "file", "source-file" },       { "mirror", "source-mirror" },
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(words[i].name, name) == 0)
			return output_text(words[i].id);
	return name;
}

char *firmware_sources_text(const char *names, bool confirmed)
{
	_cleanup_free_ char *parted = strdup(names), *list = NULL;
	char *rest = parted, *name;

	while ((name = strsep(&rest, " "))) {
		_cleanup_free_ char *before = TAKE(list);

		if (asprintf(&list, "%s%s%s", before ?: "", before ? ", " : "",
			     firmware_source_text(name)) < 0)
			return NULL;
	}
	if (!list || !*names)
		return NULL;
	return message_format(confirmed ? "plan-known-confirmed" : "plan-known", "names", list,
			      NULL);
}
