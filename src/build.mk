# SPDX-License-Identifier: GPL-3.0-or-later
# Compiles the programs. Runs inside the build root (scripts/in-root make -f src/build.mk), from the top of the
# tree.
#   O=DIR       where objects go (default build/obj), B=DIR where programs go (default build)
#   SANITIZE=1  AddressSanitizer and UndefinedBehaviorSanitizer
#   CC=clang    the other compiler
#   V=1         whole command lines

B ?= build
O ?= $(B)/obj
CC := $(if $(filter default,$(origin CC)),gcc,$(CC))
GEN := build/gen
quiet = $(if $(V),,@printf '  %-5s %s\n' $(1) $@; )

LIBS_MAIN := libsystemd ncursesw
LIBS_PHONE := libsystemd libimobiledevice-1.0 libusbmuxd-2.0 libirecovery-1.0 libplist-2.0 libusb-1.0 libssl libcrypto
# these bring some forty more along: only idevicerescue-worker-heavy links them
LIBS_HEAVY := libcurl libzip libmicrohttpd blkid
LIBS_WORKER := $(LIBS_PHONE) $(LIBS_HEAVY)

WARNINGS := -Wall -Wextra -Wno-unused-parameter -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings \
	-Wformat=2 -Wundef -Wvla -Wimplicit-fallthrough -Wswitch-enum -Werror
CFLAGS ?= -O2 -g
ALL_CFLAGS := -std=gnu23 -D_GNU_SOURCE $(WARNINGS) -Isrc -I$(GEN) -fno-strict-aliasing -fstack-protector-strong \
	-ffile-prefix-map=$(CURDIR)/= -MMD -MP $(CFLAGS)
# what `version` tells; the image ships the library that we build with
ALL_CFLAGS += -DLIBSYSTEMD_VERSION='"$(shell pkg-config --modversion libsystemd)"'
ALL_LDFLAGS := -Wl,-z,relro,-z,now -Wl,--as-needed $(LDFLAGS)
ifneq ($(SANITIZE),)
ALL_CFLAGS += -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
ALL_LDFLAGS += -fsanitize=address,undefined
else
ALL_CFLAGS += $(if $(findstring -O0,$(CFLAGS)),,-D_FORTIFY_SOURCE=3)
endif

# The layers, lowest first (DESIGN §4). main.c stays out of what tests link.
SHARED := base facts
LAYERS := bus phone doctor service face
sources = $(sort $(foreach d,$(1),$(wildcard src/$(d)/*.c)))
objects = $(patsubst %.c,$(O)/%.o,$(1))
FACTS_O := $(O)/gen/tables.o
SHARED_O := $(call objects,$(call sources,$(SHARED))) $(FACTS_O)
RESCUE_O := $(SHARED_O) $(call objects,$(call sources,$(LAYERS)))
# of the workers' two programs, without their main()s
WORKER_MAINS := src/worker/main.c src/worker/main_heavy.c
WORKER_O := $(SHARED_O) $(call objects,$(filter-out $(WORKER_MAINS),$(call sources,worker)))

.PHONY: programs
programs: $(B)/idevicerescue $(B)/idevicerescue-worker

$(B)/idevicerescue: $(O)/src/main.o $(RESCUE_O)
	$(call quiet,LD)$(CC) $(ALL_LDFLAGS) -o $@ $^ $$(pkg-config --libs $(LIBS_MAIN))

# An archive: of it, each program takes what its main() leads to. "undefined reference to curl_…" in the first one says
# that main.c has a kind that belongs into main_heavy.c.
$(O)/worker.a: $(WORKER_O)
	$(call quiet,AR)rm -f $@ && $(AR) rcs $@ $^

$(B)/idevicerescue-worker: $(O)/src/worker/main.o $(O)/worker.a | $(B)/idevicerescue-worker-heavy
	$(call quiet,LD)$(CC) $(ALL_LDFLAGS) -o $@ $^ $$(pkg-config --libs $(LIBS_PHONE))

$(B)/idevicerescue-worker-heavy: $(O)/src/worker/main_heavy.o $(O)/worker.a
	$(call quiet,LD)$(CC) $(ALL_LDFLAGS) -o $@ $^ $$(pkg-config --libs $(LIBS_WORKER))

libs_of = $(if $(findstring src/worker/,$<)$(findstring test_worker_,$<),$(LIBS_WORKER),$(LIBS_MAIN))
$(O)/%.o: %.c src/build.mk | $(GEN)/version.h
	@mkdir -p $(@D)
	$(call quiet,CC)$(CC) $(ALL_CFLAGS) $$(pkg-config --cflags $(libs_of)) -c -o $@ $<

$(FACTS_O): $(GEN)/tables.c src/build.mk
	@mkdir -p $(@D)
	$(call quiet,CC)$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(GEN)/tables.c: src/facts/compile.py $(wildcard src/facts/*.py src/facts/*.tsv)
	@mkdir -p $(@D)
	$(call quiet,GEN)python3 src/facts/compile.py --output $@

# Written by the host, where git is; without it the tree has no commit to name.
$(GEN)/version.h:
	@mkdir -p $(@D)
	echo '#define IDR_VERSION "unknown"' >$@

-include $(shell find $(O) -name '*.d' 2>/dev/null)
