# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# Sourced by the scripts of this folder: words to the user and what they all know about the host. Functions only.

say() { printf '%s\n' "idevicerescue: $*"; }
die() { printf '%s\n' "idevicerescue: $*" >&2; exit 1; }

# The one Debian release that everything is built, tested and shipped from.
suite() { echo forky; }

# Seconds since the epoch that every time stamp in the image is clamped to: the last commit, or the newest tracked
# file's day for a tree without git.
source_date() {
	if [ -n "${SOURCE_DATE_EPOCH:-}" ]; then
		echo "$SOURCE_DATE_EPOCH"
	else
		git log -1 --format=%ct 2>/dev/null || stat -c %Y README.md
	fi
}

# package_list FILE: its first words, comments dropped, joined by commas.
package_list() {
	sed 's/#.*//' "$1" | awk 'NF { printf "%s%s", sep, $1; sep = "," }'
}

# How the host's apt reaches its mirrors (proxy, trust in old Release files) must also hold inside the roots; one
# --aptopt= a line. Only settings of transport and dates: the rest of the host's configuration is its own affair.
apt_options() {
	apt-config dump 2>/dev/null |
		grep -E '^Acquire::(Check-(Valid-Until|Date)|Max-FutureTime|Retries|https?::(Proxy|Timeout)) ' |
		sed 's/;$//; s/^/--aptopt=/'
}

# An ordinary user needs user namespaces with subordinate ids; say so before minutes of work.
need_namespaces() {
	[ "$(id -u)" = 0 ] && return
	unshare --user --map-root-user true 2>/dev/null ||
		die "this machine forbids user namespaces to ordinary users (sysctl kernel.unprivileged_userns_clone," \
			"kernel.apparmor_restrict_unprivileged_userns): run make as root, or allow them"
	grep -q "^$(id -un):" /etc/subuid 2>/dev/null ||
		die "user $(id -un) has no subordinate ids: " \
			"sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $(id -un)"
}
