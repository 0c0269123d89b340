# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# Runs in the guest, as the unit that tests/story/guest_machine.py passes by SMBIOS. Takes commands from the virtio port
# and runs them one after the other:
#
#   host → guest   RUN ID SECONDS BASE64(COMMAND)
#   guest → host   HELLO 1                                        once
#                  DONE ID STATUS BASE64(STDOUT) BASE64(STDERR)   124: the time was up
#
# "-" stands for an empty field, so that a line always has all its words.
set -u
work=$(mktemp -d)
cd / || exit 1

# by the kernel's name: the driver is built in, so the port is there before udev has made its link
name=$(grep -lx org.idevicerescue.test /sys/class/virtio-ports/*/name) || exit 1
name=${name%/name}
exec 3<>"/dev/${name##*/}" || exit 1
echo "HELLO 1" >&3

field() {
	if [ -s "$1" ]; then base64 -w0 "$1"; else printf -- -; fi
}

while IFS=' ' read -r verb id seconds command <&3; do
	[ "$verb" = RUN ] || continue
	base64 -d <<<"$command" >"$work/command"
	timeout --kill-after=5 "$seconds" bash "$work/command" </dev/null >"$work/stdout" 2>"$work/stderr" 3>&-
	status=$?
	printf 'DONE %s %d %s %s\n' "$id" "$status" "$(field "$work/stdout")" "$(field "$work/stderr")" >&3
done
