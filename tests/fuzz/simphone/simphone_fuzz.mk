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
simphone_fuzz_cflags = $(simphone_cflags) -w -O1 -DFUZZ_IPSW='"$(abspath $(simphone_fuzz_ipsw))"' \
	-DFUZZ_TICKET_KEY='"$(abspath tests/net/keys/tss_signing_key.pem)"'
# what fuzz_restore restores
simphone_fuzz_ipsw := $(simphone_fuzz_out)/test.ipsw
simphone_fuzz_headers := $(wildcard $(simphone_fuzz_dir)/*.h)

.PHONY: simphone-fuzz simphone-fuzz-programs
simphone-fuzz-programs: $(simphone_fuzz_programs)
simphone-fuzz: $(simphone_fuzz_programs)
	tests/fuzz/run $(SECONDS_EACH) $^

$(simphone_fuzz_out)/core/%.o: $(simphone_dir)/%.c
	@mkdir -p $(@D)
	@echo "CLANG $@"
	$(Q)clang $(simphone_fuzz_cflags) $(simphone_fuzz_sanitize) -fsanitize=fuzzer-no-link -c -o $@ $<

$(simphone_fuzz_ipsw): $(wildcard tests/ipsw/*.py)
	@mkdir -p $(@D)
	@echo "IPSW $@"
	$(Q)tests/ipsw/make_ipsw.py $@ --boards iPhone14,5 --variants erase upgrade --image-bytes 300000

$(simphone_fuzz_out)/fuzz_restore: $(simphone_fuzz_ipsw)

$(simphone_fuzz_out)/fuzz_%: $(simphone_fuzz_dir)/fuzz_%.c $(simphone_fuzz_headers) $(simphone_fuzz_core)
	@echo "CLANG $@"
	$(Q)clang $(simphone_fuzz_cflags) $(simphone_fuzz_sanitize) -fsanitize=fuzzer -o $@ $< $(simphone_fuzz_core) \
		$(simphone_libs) $$(pkg-config --libs cmocka)

.SECONDARY: $(simphone_fuzz_core)
-include $(wildcard $(simphone_fuzz_out)/*.d $(simphone_fuzz_out)/*/*.d $(simphone_fuzz_out)/*/*/*.d)
