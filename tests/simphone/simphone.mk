# SPDX-License-Identifier: GPL-3.0-or-later
# The simulated phone and its own tests. Included by the Makefile; works alone too:
#   scripts/in-root make -f tests/simphone/simphone.mk simphone simphone-test
# Everything here runs inside the build root.

simphone_dir := tests/simphone
simphone_out := build/simphone.d
simphone_packages := libusbredirparser-0.5 libplist-2.0 libcrypto
simphone_cflags := -std=gnu23 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Wno-unused-parameter -Werror -MMD -MP \
	-DSIMPHONE_SCENARIOS='"$(abspath $(simphone_dir))/scenarios"' $$(pkg-config --cflags $(simphone_packages))
simphone_libs := $$(pkg-config --libs $(simphone_packages))
simphone_sanitize := -fsanitize=address,undefined -fno-sanitize-recover=all

simphone_tests := $(sort $(wildcard $(simphone_dir)/test_*.c))
simphone_core := $(filter-out %/main.c $(simphone_tests),$(sort $(wildcard $(simphone_dir)/*.c)))
simphone_core_objects := $(simphone_core:$(simphone_dir)/%.c=$(simphone_out)/plain/%.o)
simphone_core_asan := $(simphone_core:$(simphone_dir)/%.c=$(simphone_out)/asan/%.o)
simphone_test_programs := $(simphone_tests:$(simphone_dir)/%.c=$(simphone_out)/%)

.PHONY: simphone simphone-test
simphone: build/simphone build/simphone-asan

Q := $(if $(V),,@)

build/simphone: $(simphone_core_objects) $(simphone_out)/plain/main.o
	@echo "LD $@"
	$(Q)$(CC) -o $@ $^ $(simphone_libs)

build/simphone-asan: $(simphone_core_asan) $(simphone_out)/asan/main.o
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

# tests run with the sanitizers on
$(simphone_out)/test_%: $(simphone_out)/asan/test_%.o $(simphone_core_asan)
	@echo "LD $@"
	$(Q)$(CC) $(simphone_sanitize) -o $@ $^ $(simphone_libs) $$(pkg-config --libs cmocka)

.SECONDARY: $(simphone_core_asan) $(simphone_tests:$(simphone_dir)/%.c=$(simphone_out)/asan/%.o)

simphone-test: $(simphone_test_programs) simphone
	tests/unit/run $(simphone_test_programs)

-include $(wildcard $(simphone_out)/*/*.d)
