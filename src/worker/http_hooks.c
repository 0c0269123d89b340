/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/http_hooks.h"
#include "base/cleanup.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { LINE_BYTES = 512 };

/* "NAME:PORT" of n bytes: a port at the end, and something in front of it. */
static bool is_place(const char *s, size_t n)
{
	size_t digits = 0;

	while (digits < n && s[n - 1 - digits] >= '0' && s[n - 1 - digits] <= '9')
		digits++;
	return digits > 0 && n > digits + 1 && s[n - 1 - digits] == ':';
}

int http_hooks_map_line(const char *line, char **ret)
{
	static const char blank[] = " \t\r\n";
	const char *from = line + strspn(line, blank);
	size_t from_bytes = strcspn(from, blank);
	const char *to = from + from_bytes + strspn(from + from_bytes, blank);
	size_t to_bytes = strcspn(to, blank);

	if (from_bytes == 0 || from[0] == '#')
		return 1;
	if (!is_place(from, from_bytes) || !is_place(to, to_bytes))
		return -EINVAL;
	if (to[to_bytes + strspn(to + to_bytes, blank)] != '\0')
		return -EINVAL;
	return asprintf(ret, "%.*s:%.*s", (int)from_bytes, from, (int)to_bytes, to) < 0 ? -ENOMEM
											: 0;
}

static int map_add(struct curl_slist **map, const char *line)
{
	_cleanup_free_ char *entry = NULL;
	struct curl_slist *longer;
	int r = http_hooks_map_line(line, &entry);

	if (r != 0)
		return r < 0 ? r : 0;
	longer = curl_slist_append(*map, entry);
	if (!longer)
		return -ENOMEM;
	*map = longer;
	return 0;
}

static int map_read(const char *path, struct curl_slist **map, struct error *err)
{
	FILE *file = fopen(path, "re");
	char line[LINE_BYTES];
	int r = 0;

	if (!file && errno == ENOENT)
		return 0;
	if (!file)
		return error_set_errno(err, ERROR_BUG, "kernel", errno, "Cannot read the host map");
	while (r == 0 && fgets(line, sizeof(line), file))
		r = map_add(map, line);
	(void)fclose(file);
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "worker", -r,
				       "A line of the host map is wrong");
	return 0;
}

int http_hooks_read(const char *folder, struct http_hooks *ret, struct error *err)
{
	_cleanup_(http_hooks_done) struct http_hooks hooks = {};
	_cleanup_free_ char *hosts = NULL;
	int r;

	*ret = (struct http_hooks){};
	if (!folder)
		return 0;
	if (asprintf(&hosts, "%s/idevicerescue.hosts", folder) < 0 ||
	    asprintf(&hooks.ca_path, "%s/idevicerescue.ca", folder) < 0)
		return error_set_errno(err, ERROR_BUG, "worker", ENOMEM, "Cannot read the hooks");
	r = map_read(hosts, &hooks.connect_to, err);
	if (r < 0)
		return r;
	if (access(hooks.ca_path, F_OK) < 0) {
		free(hooks.ca_path);
		hooks.ca_path = NULL;
	}
	ret->connect_to = TAKE(hooks.connect_to);
	ret->ca_path = TAKE(hooks.ca_path);
	return 0;
}

void http_hooks_done(struct http_hooks *hooks)
{
	curl_slist_free_all(hooks->connect_to);
	free(hooks->ca_path);
}
