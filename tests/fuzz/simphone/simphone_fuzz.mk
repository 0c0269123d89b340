# SPDX-License-Identifier: GPL-3.0-or-later
# The doors of the simulated phone against a garbage host: clang and libFuzzer. In the build root:
#   make -f tests/fuzz/simphone/simphone_fuzz.mk simphone-fuzz [SECONDS_EACH=5] [SIMPHONE_FUZZ=fuzz_usbredir]

include tests/simphone/simphone.mk

simphone_fuzz_dir := tests/fuzz/simphone
simphone_fuzz_out ?= build/simphone-fuzz.d
SECONDS_EACH ?= 5
SIMPHONE_FUZZ ?= $(patsubst $(simphone_fuzz_dir)/%.c,%,$(sort $(wildcard $(simphone_fuzz_dir)/fuzz_*.c)))
simphone_fuzz_programs := $(SIMPHONE_FUZZ:%=$(simphone_fuzz_out)/%)
simphone_fuzz_core := $(simphone_core:$(simphone_dir)/%.c=$(simphone_fuzz_out)/core/%.o)
simphone_fuzz_sanitize := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
# warnings are gcc's to judge, in the ordinary build
simphone_fuzz_cflags = $(simphone_cflags) -w -O1

.PHONY: simphone-fuzz
simphone-fuzz: $(simphone_fuzz_programs)
	tests/fuzz/run $(SECONDS_EACH) $^

$(simphone_fuzz_out)/core/%.o: $(simphone_dir)/%.c
	@mkdir -p $(@D)
	@echo "CLANG $@"
	$(Q)clang $(simphone_fuzz_cflags) $(simphone_fuzz_sanitize) -fsanitize=fuzzer-no-link -c -o $@ $<

$(simphone_fuzz_out)/fuzz_%: $(simphone_fuzz_dir)/fuzz_%.c $(simphone_fuzz_dir)/rig.h $(simphone_fuzz_core)
	@echo "CLANG $@"
	$(Q)clang $(simphone_fuzz_cflags) $(simphone_fuzz_sanitize) -fsanitize=fuzzer -o $@ $< $(simphone_fuzz_core) \
		$(simphone_libs)

.SECONDARY: $(simphone_fuzz_core)
-include $(wildcard $(simphone_fuzz_out)/*.d $(simphone_fuzz_out)/*/*.d $(simphone_fuzz_out)/*/*/*.d)
