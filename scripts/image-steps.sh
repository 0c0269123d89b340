# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2154
# Sourced by scripts/image: how a step is run or skipped, and the steps that make the archives. They
# read its "programs" and "version".

product=idevicerescue-amd64
work=build/image
users=rootfs/files/usr/lib/sysusers.d/idevicerescue.conf
kernel_tree=$work/kernel/tree

# Every file of the base system and every module carries this time, whatever day they were packed:
# the same packages are the same archive at every commit. (2026-01-01; the overlay and the medium
# carry the commit's.)
system_date=1767225600

# inputs_hash INPUT…: one hash over files, over folders with their names, links and modes, and over
# words that begin with "=".
inputs_hash() {
	local input
	for input in "$@"; do
		case $input in
		=*) printf '%s\n' "$input" ;;
		*)
			[ -e "$input" ] || die "$input is missing: it is needed for the image"
			find "$input" -type f -printf '%p %m ' -exec sha256sum {} \; \
				-o -printf '%p %y %l\n' | LC_ALL=C sort
			;;
		esac
	done | sha256sum | cut -d' ' -f1
}

# step NAME TEXT OUTPUT INPUT… -- CMD…: runs CMD unless OUTPUT was already made from the same
# inputs. Its words go to a log; a step that fails leaves no stamp.
step() {
	local name=$1 text=$2 output=$3 inputs=() hash began=$SECONDS
	shift 3
	while [ "$1" != -- ]; do
		inputs+=("$1")
		shift
	done
	shift
	hash=$(inputs_hash "${inputs[@]}" "=$*") || exit 1
	[ -e "$output" ] && [ "$(cat "$work/$name.stamp" 2>/dev/null)" = "$hash" ] && return
	rm -f "$work/$name.stamp"
	# not "cmd || die": that would switch set -e off inside the step
	( set -e; "$@" ) >"$work/$name.log" 2>&1 &
	if ! wait $!; then
		tail -n 20 "$work/$name.log" >&2
		die "$text: failed; the whole log is in $work/$name.log"
	fi
	echo "$hash" >"$work/$name.stamp"
	say "$text: $((SECONDS - began)) s"
}

# The packages of the kernel that linux-image-amd64 names today, unpacked; and depmod's tables of
# all its modules. The packages split it: linux-binary has the kernel, linux-modules the modules,
# linux-base the lists of what is built in.
make_kernel() {
	local version deb
	rm -rf "$work/kernel"
	mkdir -p "$work/kernel/deb" "$kernel_tree"
	apt_get update
	version=$(scripts/in-root apt-cache depends linux-image-amd64 |
		sed -n 's/^ *Depends: linux-image-//p' | head -n 1)
	[ -n "$version" ] || die "the mirror's linux-image-amd64 names no kernel"
	(
		cd "$work/kernel/deb"
		apt_get download linux-{binary,modules,base}-"$version"
	)
	for deb in "$work"/kernel/deb/*.deb; do
		scripts/in-root dpkg-deb -x "$deb" "$kernel_tree"
	done
	# so that depmod, which knows only lib/modules below its base, finds it
	scripts/in-root depmod -b "$kernel_tree/usr" "$version"
	cp "$kernel_tree/usr/lib/modules/$version/vmlinuz" build/vmlinuz
	echo "$version" >"$work/kernel/VERSION"
}

# apt of the build root. It is root there, or a user who looks like it and cannot become anybody
# else.
tree=$PWD
apt_get() {
	"$tree/scripts/in-root" apt-get -qq -o APT::Sandbox::User=root "$@"
}

# The hooks are handed over as text, because an ordinary user's namespace may not be allowed to read
# his folders.
make_base() {
	local hooks=() hook aptopts
	mapfile -t aptopts < <(apt_options)
	for hook in rootfs/hooks/[0-9][0-9]-*; do
		hooks+=("--customize-hook=$(cat "$hook")")
	done
	rm -rf "$work/doc" "$work/base.tar"
	mkdir -p "$work/doc"
	SOURCE_DATE_EPOCH=$system_date mmdebstrap --variant=essential "${aptopts[@]}" \
		--skip=cleanup/apt \
		--include="$(package_list rootfs/packages)" \
		--customize-hook="upload $users /usr/lib/sysusers.d/idevicerescue.conf" \
		--customize-hook="sync-out /usr/share/doc $work/doc" \
		--customize-hook="download /var/lib/dpkg/status $work/base.status" \
		"${hooks[@]}" "$(suite)" "$work/base.tar"
}

make_base_cpio() {
	scripts/in-root scripts/archive.py --date "$system_date" --tar "$work/base.tar" \
		--without dev --without etc/apt --without etc/dpkg "$work/base.cpio"
}

make_modules() {
	rm -rf "$work/modules"
	scripts/in-root scripts/modules.py --list rootfs/modules --from "$kernel_tree" \
		--to "$work/modules" "$version"
	scripts/in-root scripts/archive.py --date "$system_date" --tree "$work/modules" \
		"$work/modules.cpio"
}

# The programs that boot come from the build root.
make_manifest() {
	local packages=(shim-signed grub-efi-amd64-signed grub-efi-ia32-bin grub-pc-bin)
	rm -rf "$work/licences"
	mkdir "$work/licences"
	scripts/in-root scripts/manifest.py --status "$work/base.status" --doc "$work/doc" \
		--debs "$work/kernel/deb" --doc "$kernel_tree/usr/share/doc" \
		--from-status /var/lib/dpkg/status "${packages[@]}" --doc /usr/share/doc \
		--texts "$work/licences" --out build/manifest.tsv
	# most copyright files refer to these
	scripts/in-root cp -rL /usr/share/common-licenses "$work/licences/common-licenses"
}

make_overlay() {
	local date
	date=$(source_date)
	# the clock starts no earlier than this build (systemd reads the file's time)
	: >"$work/clock-epoch"
	scripts/in-root scripts/archive.py --date "$date" --tree rootfs/files \
		--file "${programs[0]}=usr/bin/idevicerescue" \
		--file "${programs[1]}=usr/lib/idevicerescue/idevicerescue-worker" \
		--file "${programs[3]}=usr/lib/idevicerescue/idevicerescue-worker-heavy" \
		--file "${programs[2]}=usr/share/man/man1/idevicerescue.1" \
		--file build/manifest.tsv=usr/share/idevicerescue/manifest.tsv \
		--file "$work/clock-epoch=usr/lib/clock-epoch" \
		"$work/overlay.cpio"
}

# compress PART LEVEL. The number of threads must be given: without -T zstd writes other bytes.
compress() {
	scripts/in-root zstd -q -f -T0 "-$2" "$work/$1.cpio" -o "$work/$1.zst"
	truncate -s %4 "$work/$1.zst"
}

# The kernel unpacks concatenated archives one over the other, each compressed on its own and
# starting at a multiple of 4.
make_initrd() {
	cat "$work"/{base,modules,overlay}.zst >build/initrd.img.part
	mv build/initrd.img.part build/initrd.img
}

kilobytes() { echo $(($(cat "$@" | wc -c) / 1000)); }

print_sizes() {
	local name
	say "size by part, in kB (unpacked in RAM in brackets)"
	printf '  %-9s %8d\n' kernel "$(kilobytes build/vmlinuz)"
	for name in base modules overlay; do
		printf '  %-9s %8d  [%d]\n' "$name" "$(kilobytes "$work/$name.zst")" \
			"$(kilobytes "$work/$name.cpio")"
	done
	printf '  %-9s %8d  loaders for BIOS, UEFI, Secure Boot\n' boot \
		"$(kilobytes "$work"/medium/tree/EFI/BOOT/* "$work/medium/core.img")"
	printf '  %-9s %8d  texts, beside the system\n' licences \
		"$(kilobytes "$work/medium/tree/rescue/licences.tar.zst")"
	for name in img iso; do
		printf '  %-9s %8d  build/%s\n' ".$name" "$(kilobytes "build/$product.$name")" \
			"$product.$name"
	done
}
