# SPDX-License-Identifier: GPL-3.0-or-later
# Unit tests, fuzzing. Runs inside the build root, from the top of the tree, on objects that src/build.mk made.
#   make -f tests/tests.mk unit [UNIT=test_foo]          cmocka programs, with the sanitizers for addresses and for
#                                                        undefined behaviour
#   make -f tests/tests.mk fuzz [FUZZ=fuzz_foo] [SECONDS_EACH=10]   our parsers, and the simulated phone's

B ?= build/asan
O ?= $(B)/obj
SANITIZE := 1
CFLAGS := -O1 -g
include src/build.mk
.DEFAULT_GOAL := unit

UNIT ?= $(patsubst tests/unit/%.c,%,$(sort $(wildcard tests/unit/test_*.c)))
UNIT_PROGRAMS := $(addprefix $(B)/unit/,$(UNIT))
.PHONY: unit unit-programs fuzz
unit-programs: $(UNIT_PROGRAMS)
unit: $(UNIT_PROGRAMS) $(B)/idevicerescue $(B)/idevicerescue-worker
	tests/unit/run $(UNIT_PROGRAMS)

# test_worker_* link with the worker's objects, all others with those of the main program
$(B)/unit/test_worker%: $(O)/tests/unit/test_worker%.o $(WORKER_O)
	@mkdir -p $(@D)
	$(call quiet,LD)$(CC) $(ALL_LDFLAGS) -o $@ $^ $$(pkg-config --libs $(LIBS_WORKER) cmocka)

$(B)/unit/%: $(O)/tests/unit/%.o $(RESCUE_O)
	@mkdir -p $(@D)
	$(call quiet,LD)$(CC) $(ALL_LDFLAGS) -o $@ $^ $$(pkg-config --libs $(LIBS_MAIN) cmocka)

# --- fuzzing: clang and libFuzzer, the layers below the faces compiled with coverage
SECONDS_EACH ?= 10
FUZZ ?= $(basename $(notdir $(sort $(wildcard tests/fuzz/fuzz_*.c)) $(sort $(wildcard tests/fuzz/simphone/fuzz_*.c))))
FUZZ_DIR := build/fuzz
# the simulated phone's have their own makefile, and a core that is compiled once for all of them
FUZZ_SIMPHONE := $(filter $(basename $(notdir $(wildcard tests/fuzz/simphone/fuzz_*.c))),$(FUZZ))
FUZZ_SIMPHONE_DIR := build/simphone-fuzz.d
FUZZ_PROGRAMS := $(addprefix $(FUZZ_DIR)/,$(filter-out $(FUZZ_SIMPHONE),$(FUZZ)))
# Compiled once for all of them; who includes a header of service or worker gets its objects, and its libraries, too.
FUZZ_O := $(FUZZ_DIR)/obj
fuzz_objects = $(patsubst %.c,$(FUZZ_O)/%.o,$(1))
FUZZ_LAYERS_O := $(call fuzz_objects,$(call sources,base facts bus phone doctor)) $(FUZZ_O)/gen/tables.o
FUZZ_WORKER_O := $(call fuzz_objects,$(filter-out $(WORKER_MAINS),$(call sources,worker)))
FUZZ_SERVICE_O := $(call fuzz_objects,$(call sources,service))
FUZZ_OF_SERVICE := $(patsubst tests/fuzz/%.c,$(FUZZ_DIR)/%,$(shell grep -l '"service/' tests/fuzz/fuzz_*.c))
FUZZ_OF_WORKER := $(patsubst tests/fuzz/%.c,$(FUZZ_DIR)/%,$(shell grep -l '"worker/' tests/fuzz/fuzz_*.c))
FUZZ_CFLAGS := -std=gnu23 -D_GNU_SOURCE -Isrc -I$(GEN) -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all -MMD -MP
FUZZ_SANITIZE := -fsanitize=address,undefined

$(FUZZ_O)/%.o: %.c tests/tests.mk | $(GEN)/version.h
	@mkdir -p $(@D)
	$(call quiet,CLANG)clang $(FUZZ_CFLAGS) $(FUZZ_SANITIZE),fuzzer-no-link $$(pkg-config --cflags $(LIBS_WORKER)) \
		-c -o $@ $<

$(FUZZ_O)/gen/tables.o: $(GEN)/tables.c tests/tests.mk
	@mkdir -p $(@D)
	$(call quiet,CLANG)clang $(FUZZ_CFLAGS) $(FUZZ_SANITIZE),fuzzer-no-link -c -o $@ $<

$(FUZZ_OF_SERVICE): $(FUZZ_SERVICE_O)
$(FUZZ_OF_WORKER): FUZZ_LIBS := $(LIBS_WORKER)
$(FUZZ_OF_WORKER): $(FUZZ_WORKER_O)
$(FUZZ_DIR)/%: $(FUZZ_O)/tests/fuzz/%.o $(FUZZ_LAYERS_O)
	@mkdir -p $(@D)
	$(call quiet,LD)clang $(FUZZ_SANITIZE),fuzzer -o $@ $^ $$(pkg-config --libs $(or $(FUZZ_LIBS),libsystemd))

-include $(shell find $(FUZZ_O) -name '*.d' 2>/dev/null)

.PHONY: fuzz-simphone
fuzz-simphone:
	$(if $(FUZZ_SIMPHONE),@$(MAKE) --no-print-directory -f tests/fuzz/simphone/simphone_fuzz.mk \
		SIMPHONE_FUZZ="$(FUZZ_SIMPHONE)" simphone_fuzz_out=$(FUZZ_SIMPHONE_DIR) simphone-fuzz-programs)

fuzz: $(FUZZ_PROGRAMS) fuzz-simphone
	tests/fuzz/run $(SECONDS_EACH) $(FUZZ_PROGRAMS) $(FUZZ_SIMPHONE:%=$(FUZZ_SIMPHONE_DIR)/%)
