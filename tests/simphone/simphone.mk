# SPDX-License-Identifier: GPL-3.0-or-later
# The simulated phone, the stand-in for libusb, and their own tests. Included by the Makefile; works alone too:
#   scripts/in-root make -f tests/simphone/simphone.mk simphone simphone-test [SIMPHONE_TESTS=test_mux]
# Everything here runs inside the build root. simphone_out and simphone_programs may be set to build a second time
# elsewhere.

simphone_dir := tests/simphone
simphone_out ?= build/simphone.d
simphone_programs ?= build
simphone_packages := libusbredirparser-0.5 libplist-2.0 libcrypto libssl libzip
simphone_cflags := -std=gnu23 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Wno-unused-parameter -Werror -MMD -MP \
	-I$(simphone_dir) -DSIMPHONE_SCENARIOS='"$(abspath $(simphone_dir))/scenarios"' \
	-DSIMPHONE_RECORDED='"$(abspath tests/data/recorded)"' \
	-DSIMPHONE_TICKET_KEY='"$(abspath tests/net/keys/tss_signing_pub.pem)"' \
	$$(pkg-config --cflags $(simphone_packages))
simphone_libs := $$(pkg-config --libs $(simphone_packages))
simphone_sanitize := -fsanitize=address,undefined -fno-sanitize-recover=all

simphone_tests := $(sort $(wildcard $(simphone_dir)/test_*.c))
simphone_core := $(filter-out $(simphone_dir)/main.c $(simphone_tests),$(sort \
	$(wildcard $(addprefix $(simphone_dir)/,*.c services/*.c restore/*.c doors/*.c))))
simphone_core_objects := $(simphone_core:$(simphone_dir)/%.c=$(simphone_out)/plain/%.o)
simphone_core_asan := $(simphone_core:$(simphone_dir)/%.c=$(simphone_out)/asan/%.o)
SIMPHONE_TESTS ?= $(simphone_tests:$(simphone_dir)/%.c=%)
simphone_test_programs := $(SIMPHONE_TESTS:%=$(simphone_out)/%)
simphone_standin := $(simphone_programs)/standin/libusb-1.0.so.0

.PHONY: simphone simphone-test
simphone: $(simphone_programs)/simphone $(simphone_programs)/simphone-asan $(simphone_standin)

Q := $(if $(V),,@)

$(simphone_programs)/simphone: $(simphone_core_objects) $(simphone_out)/plain/main.o
	@echo "LD $@"
	$(Q)$(CC) -o $@ $^ $(simphone_libs)

$(simphone_programs)/simphone-asan: $(simphone_core_asan) $(simphone_out)/asan/main.o
	@echo "LD $@"
	$(Q)$(CC) $(simphone_sanitize) -o $@ $^ $(simphone_libs)

$(simphone_out)/plain/%.o: $(simphone_dir)/%.c
	@mkdir -p $(@D)
	@echo "CC $@"
	$(Q)$(CC) $(simphone_cflags) -c -o $@ $<

$(simphone_out)/asan/%.o: $(simphone_dir)/%.c
	@mkdir -p $(@D)
	@echo "CC $@"
	$(Q)$(CC) $(simphone_cflags) $(simphone_sanitize) -c -o $@ $<

# the stand-in shares nothing with the phone but the words of its socket (doors/libusb_wire.h)
simphone_standin_sources := $(sort $(wildcard $(simphone_dir)/standin/*.c))
$(simphone_standin): $(simphone_standin_sources) $(wildcard $(simphone_dir)/standin/*.[hm]*) \
		$(simphone_dir)/doors/libusb_wire.h
	@mkdir -p $(@D)
	@echo "LD $@"
	$(Q)$(CC) -std=gnu23 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Wno-unused-parameter -Werror -fPIC -shared -pthread \
		-I$(simphone_dir) -Wl,-soname,libusb-1.0.so.0 -Wl,--version-script,$(simphone_dir)/standin/libusb.map \
		-o $@ $(simphone_standin_sources)

# its test has the stand-in inside, under the sanitizers, too
$(simphone_out)/test_libusb_standin: $(simphone_standin_sources:$(simphone_dir)/%.c=$(simphone_out)/asan/%.o)

# tests run with the sanitizers on
$(simphone_out)/test_%: $(simphone_out)/asan/test_%.o $(simphone_core_asan)
	@echo "LD $@"
	$(Q)$(CC) $(simphone_sanitize) -o $@ $^ $(simphone_libs) $$(pkg-config --libs cmocka)

.SECONDARY: $(simphone_core_asan) $(simphone_tests:$(simphone_dir)/%.c=$(simphone_out)/asan/%.o)

simphone-test: $(simphone_test_programs) simphone
	tests/unit/run $(simphone_test_programs)

-include $(wildcard $(simphone_out)/*/*.d $(simphone_out)/*/*/*.d)
