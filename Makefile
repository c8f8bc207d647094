# SPDX-License-Identifier: MIT
# Builds, boots, tests and debugs Unimap. `make help` lists what there is to type.
#
# Everything built lies under build/: the kernel once per configuration (compiler, user access,
# debug), the programs once for all. stdout belongs to the command that was asked for: what the
# build has to say goes to stderr (V=1 says all of it).
MAKEFLAGS += --no-builtin-rules --no-builtin-variables --no-print-directory
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDEXPANSION:
.SILENT:
.DEFAULT_GOAL := help
SHELL := /bin/sh
.SHELLFLAGS := $(if $(V),-xc,-c)
comma := ,
say = $(if $(V),:,printf '  %-7s %s\n' $(1) $(or $(2),$@) >&2)

# ---- What may be set on the command line -------------------------------------------------------
CC := gcc
UACCESS := open
DEBUG := 0
SMP := 2
MEM := 256M
TIMEOUT := 1800
valid = $(if $(filter $($(1)),$(2)),,$(error $(1)=$($(1)): must be one of: $(2)))
$(call valid,CC,gcc clang)$(call valid,UACCESS,open guard)$(call valid,DEBUG,0 1)
# What the user wrote goes to the scripts as it stands: a $ in it is the guest shell's, not make's.
override CMD := $(value CMD)
override BOOTARGS := $(value BOOTARGS)
override QEMU_EXTRA := $(value QEMU_EXTRA)
override DEBUG_BATCH := $(value DEBUG_BATCH)
export CMD BOOTARGS QEMU_EXTRA DEBUG_BATCH

# ---- Tools and flags ---------------------------------------------------------------------------
CROSS := riscv64-linux-gnu-
SYSROOT := /usr/riscv64-linux-gnu
KDIRS := arch mm proc drivers fs lib
B := build/$(CC)-$(UACCESS)-$(DEBUG)
KCC := $(if $(filter clang,$(CC)),clang --target=riscv64-linux-gnu,$(CROSS)gcc)
# clang 14 takes csr and fence.i instructions as part of the base; gcc 12 wants them named. Assembly
# may use FP registers (it saves them), C never; clang 14 does not know `.option arch`.
CSR := $(if $(filter clang,$(CC)),,_zicsr_zifencei)
MARCH := rv64imac$(CSR)
ASFLAGS := -march=rv64imafdc$(CSR) $(if $(filter clang,$(CC)),-Wa$(comma)--no-warn)
WARN := -Wall -Wextra -Werror -Wmissing-prototypes -Wshadow -Wvla
# The only headers in sight are our own, the compiler's, and the kernel ABI's (build/uapi).
KINC = -I. -nostdinc -isystem $$($(KCC) -print-file-name=include) -isystem build/uapi
KFLAGS := -ffreestanding -mcmodel=medany -march=$(MARCH) -mabi=lp64 -mno-relax -fno-pic \
	-fno-common -fno-stack-protector -fno-omit-frame-pointer \
	-fno-asynchronous-unwind-tables -O2 -g \
	-DUACCESS_GUARD=$(if $(filter guard,$(UACCESS)),1,0) -DDEBUG=$(DEBUG) $(if $(filter 1,$(DEBUG)),-fno-optimize-sibling-calls)
KCFLAGS = -std=gnu11 $(WARN) $(KFLAGS)
LDFLAGS := -nostdlib -static -T linker.ld --no-relax --build-id=none -z max-page-size=4096 \
	--fatal-warnings
UFLAGS := -std=gnu11 -O2 -g $(WARN) -D_GNU_SOURCE -I.
HFLAGS := -std=gnu11 -O1 -g $(WARN) -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer -DHOST_TEST=1 -Itests/host -I.
export ASAN_OPTIONS ?= detect_leaks=0

KOBJ := $(patsubst %,$(B)/%.o,$(sort $(wildcard $(KDIRS:=/*.c) $(KDIRS:=/*.S))))
UOBJ := $(patsubst %,build/user/%.o,$(sort $(wildcard user/*.c)))
TSRC := $(filter-out tests/bench_%.c,$(sort $(wildcard tests/*.c)))
TOBJ := $(patsubst %,build/user/%.o,$(TSRC))
TESTBIN := $(if $(TSRC),build/tests/unit) $(patsubst tests/bench_%.c,build/tests/bench_%,$(wildcard tests/bench_*.c))
HBIN := $(patsubst tests/host/%.c,build/host/%,$(sort $(wildcard tests/host/*.c)))
HDRS := $(wildcard $(KDIRS:=/*.h) $(KDIRS:=/*.def) tests/host/*.h tests/host/*/*.h)

# ---- What to boot ------------------------------------------------------------------------------
KERNEL := $(B)/unimap.elf
$(if $(and $(DISK),$(OVERLAY)),$(error OVERLAY= is laid over the image that make builds, DISK= replaces it: give one))
disk = $(or $(DISK),$(if $(OVERLAY),build/$(1)-overlay.img,build/$(1).img))
BOOT = tests/boot --kernel $(KERNEL) --mem '$(MEM)' --timeout $(TIMEOUT)
smp_list := $(if $(filter command%,$(origin SMP)),$(SMP),1 2)
# RINGS=guest leaves the host ring out, T= all rings but the user's.
skip_host := $(or $(T),$(filter guest,$(RINGS)))

##@ Use
run: $(KERNEL) $$(call disk,root) ## boot to a shell; CMD='ls /' runs just that. SMP= MEM= OVERLAY=dir DISK=file
	$(BOOT) --smp $(SMP) --disk '$(call disk,root)' $(if $(CMD),$(if $(DISK),,--throw-away),--interactive)
debug: build/deps/debug $(KERNEL) $$(call disk,root) ## QEMU stopped at the first instruction, gdb attached
	tests/gdb/debug $(BOOT) --smp $(SMP) --disk '$(call disk,root)' $(if $(DISK),,--throw-away)

##@ Test
test: build/deps/test $(KERNEL) $$(call disk,test) $(if $(skip_host),,$(HBIN)) ## all tests at -smp 1 and 2; T=fork for one
	tests/suite --boot "$(BOOT) $(if $(DISK),,--throw-away)" --disk '$(call disk,test)' --smp '$(smp_list)' --pattern '$(T)' \
		--logs build/logs/$(CC)-$(UACCESS)-$(DEBUG) $(if $(skip_host),,--host '$(HBIN)')
host-test: build/deps/test $(HBIN) build/user/box ## the pure parts, natively, with sanitizers; shell and tools under qemu-user
	tests/suite --logs build/logs/host --host '$(HBIN)'
test-oracle: build/deps/test $(TESTBIN) build/user/box ## the user tests on Linux: qemu-riscv64, or LINUX=Image
	tests/suite --logs build/logs/oracle --oracle build/tests/unit --pattern '$(T)' $(if $(LINUX),--linux '$(LINUX)')
bench: build/deps/bench $(KERNEL) $$(call disk,test) ## instructions per operation, boot time, idle load; LINUX=Image beside it
	tests/bench --boot "$(BOOT)" --disk '$(call disk,test)'
check: build/deps/check build/uapi ## style, headers, include directions, linters
	KCHECK="$(KCC) $(KCFLAGS) $(KINC)" UCHECK="$(CROSS)gcc $(UFLAGS)" tests/check

##@ Look after
fmt: build/deps/check ## clang-format over all sources, in place
	clang-format -i $$(find $(KDIRS) user tests -name '*.[ch]')
size: ## lines by folder, and lines of code without blanks and comments
	tests/size $(KDIRS) user tests
clean: ## remove build/
	rm -rf build
help: ## this list
	awk -F':.*## ' '/^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile
	echo
	echo "Configuration: CC=gcc|clang UACCESS=open|guard DEBUG=0|1; BOOTARGS='…' QEMU_EXTRA='…' TIMEOUT=s; V=1; NO_INSTALL=1"
.PHONY: run debug test host-test test-oracle bench check fmt size clean help all FORCE
all: $(KERNEL) build/root.img build/test.img

# ---- Installed tools: one stamp per set, taken again when the list changes -----------------------
build/deps/%: tests/deps
	tests/deps $* && mkdir -p $(@D) && touch $@
DEPS := build/deps/run $(if $(filter clang,$(CC)),build/deps/clang)

# ---- Kernel ------------------------------------------------------------------------------------
# The flags are a file: objects are made again when it, or this file, changes.
$(B)/flags: FORCE
	mkdir -p $(@D); echo '$(KCC) $(KCFLAGS) $(ASFLAGS) $(LDFLAGS)' >$@.new
	if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
# gcc's own <limits.h> goes on to the C library's: an empty one takes its place.
build/uapi: Makefile | $(DEPS)
	rm -rf $@ && mkdir -p $@ && : >$@/limits.h && for d in asm asm-generic linux; do ln -s $(SYSROOT)/include/$$d $@/$$d; done
$(B)/%.c.o: %.c $(B)/flags Makefile | build/uapi $(DEPS)
	$(call say,CC); mkdir -p $(@D); $(KCC) $(KCFLAGS) $(KINC) -MMD -MP -c $< -o $@
$(B)/%.S.o: %.S $(B)/flags Makefile | build/uapi $(DEPS)
	$(call say,AS); mkdir -p $(@D); $(KCC) $(KFLAGS) $(ASFLAGS) $(KINC) -MMD -MP -c $< -o $@

# Between a program and each system call, and of no interest in a backtrace.
$(B)/proc/syscall.c.o: KFLAGS += -fomit-frame-pointer

# Linked twice: the first link says where the functions are, the second carries that table.
$(KERNEL): $(KOBJ) linker.ld tests/ksyms $(B)/flags
	$(call say,LD)
	for pass in 1 2; do \
		if [ $$pass = 1 ]; then : ; else $(CROSS)nm -n $@.1; fi | tests/ksyms >$(B)/ksyms.S && \
		$(KCC) $(KFLAGS) -c $(B)/ksyms.S -o $(B)/ksyms.o && \
		$(CROSS)ld $(LDFLAGS) $(KOBJ) $(B)/ksyms.o -o $@.$$pass || exit 1; \
	done; mv $@.2 $@

# ---- Programs (the toolchain's static glibc) and images ------------------------------------------
build/user/%.c.o: %.c Makefile | $(DEPS)
	$(call say,CC); mkdir -p $(@D); $(CROSS)gcc $(UFLAGS) -MMD -MP -c $< -o $@
build/user/box: $(UOBJ)
	$(call say,LD); $(CROSS)gcc -static $^ -o $@
build/tests/unit: $(TOBJ)
	$(call say,LD); mkdir -p $(@D); $(CROSS)gcc -static -pthread $^ -o $@
build/tests/bench_%: build/user/tests/bench_%.c.o
	$(call say,LD); mkdir -p $(@D); $(CROSS)gcc -static $^ -o $@

IMGDEPS := build/user/box tests/mkimage $(shell find user/etc -type f 2>/dev/null)
build/root.img: $(IMGDEPS)
	$(call say,IMAGE); tests/mkimage $@
build/test.img: $(IMGDEPS) $(TESTBIN)
	$(call say,IMAGE); tests/mkimage $@ $(addprefix --test ,$(TESTBIN))
build/root-overlay.img: $(IMGDEPS) FORCE
	$(call say,IMAGE); tests/mkimage $@ --overlay '$(OVERLAY)'
build/test-overlay.img: $(IMGDEPS) $(TESTBIN) FORCE
	$(call say,IMAGE); tests/mkimage $@ $(addprefix --test ,$(TESTBIN)) --overlay '$(OVERLAY)'

# ---- Host tests: a line `// with: lib/printf.c …` names the kernel sources each one is made of ---
with = $(shell sed -n 's,^// with:,,p' tests/host/$(1).c)
build/host/%: tests/host/%.c $$(call with,$$*) $(HDRS) Makefile | build/deps/test
	$(call say,HOSTCC); mkdir -p $(@D); gcc $(HFLAGS) $(filter %.c,$^) -o $@

-include $(KOBJ:.o=.d) $(UOBJ:.o=.d) $(wildcard build/user/tests/*.d)
