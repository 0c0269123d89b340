# SPDX-License-Identifier: GPL-3.0-or-later
# Every command a person needs. `make help` prints them from the comments behind "##".
# The host needs little: what it lacks is installed by scripts/host-packages (apt; sudo unless root). Everything else
# happens in the build root, a Debian forky in build/root.

SHELL := /bin/bash
ROOT := build/root
IN_ROOT := scripts/in-root
# a make of its own inside, with its own jobs
INNER_MAKE := $(IN_ROOT) make --no-print-directory -j$(shell nproc) $(if $(V),V=$(V))
SCENARIO ?= iphone13-recovery
SCREEN ?= terminal
SECONDS_EACH ?= 60

.PHONY: all help run programs image release root host simphone test unit story bench lint fuzz drift catalogue clean \
	FORCE

all: programs ## build the programs (in the build root, made if need be)

help: ## print this
	@awk -F':[^#]*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: image simphone ## boot the image with a simulated iPhone (SCENARIO=name SCREEN=gtk FIRMWARE=bios|uefi)
	scripts/run --phone $(SCENARIO) --screen $(SCREEN) $(if $(FIRMWARE),--firmware $(FIRMWARE))

programs: root version
	@$(INNER_MAKE) -f src/build.mk programs

image: programs ## build/idevicerescue-amd64.img (and .iso), compressed quickly
	scripts/image

release: programs ## the same, compressed for release
	scripts/image --level 19

simphone: root
	@$(INNER_MAKE) -f tests/simphone/simphone.mk simphone

test: host ## run all tests and count them at the end (boots the image; about an hour on two cores)
	scripts/test

unit: root version ## unit tests with sanitizers (UNIT=test_fleet for one)
	@$(INNER_MAKE) -f tests/tests.mk unit $(if $(UNIT),UNIT="$(UNIT)")

story: image simphone ## whole runs: the image in QEMU with simulated phones (STORY=expression for some)
	@$(INNER_MAKE) -f tests/tests.mk $(addprefix build/asan/,idevicerescue idevicerescue-worker)
	scripts/story $(if $(STORY),-k "$(STORY)")

bench: image simphone ## compare with named rivals: boot, memory, idle CPU, size, identifying, restoring
	tests/bench/run

lint: root version ## layers, tables, formatting, warnings as errors, static analysis
	$(IN_ROOT) scripts/lint

fuzz: root version ## fuzz each parser and the simulated iPhone, each SECONDS_EACH=60 seconds (FUZZ=fuzz_serial)
	@$(INNER_MAKE) -f tests/tests.mk fuzz SECONDS_EACH=$(SECONDS_EACH) $(if $(FUZZ),FUZZ="$(FUZZ)")

drift: root ## what the mirror has moved since the packages in rootfs/packages.lock
	scripts/drift

# on the host: the build root has no public certificates
catalogue: host ## the firmware catalogue of the image anew, from its sources in the network (or FROM=folder)
	scripts/catalogue $(if $(FROM),--from "$(FROM)")

clean: ## remove everything that was built, the build root too
	rm -rf build

host:
	@scripts/host-packages

# The build root is made anew when its list of packages or its recipe changes.
root: host $(ROOT)/.complete
$(ROOT)/.complete: tests/packages scripts/build-root
	scripts/build-root $(ROOT)
	touch $@

version: FORCE
	@scripts/version build/gen/version.h
FORCE:
