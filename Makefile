# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# One non-recursive makefile; everything it makes is in build/ (build-arm64/ when cross-compiling). `make help` lists
# the targets and knobs.

MAKEFLAGS += --no-builtin-rules --no-builtin-variables
.DELETE_ON_ERROR:
.SUFFIXES:
SHELL := /bin/bash
.DEFAULT_GOAL := all

# ---- knobs ----------------------------------------------------------------------------------------------------------
V ?=
SAN ?=
HOST_ARCH := $(shell uname -m | sed 's/aarch64/arm64/')
ARCH ?= $(HOST_ARCH)
CROSS_COMPILE ?=
CC := $(if $(filter-out default undefined,$(origin CC)),$(CC),$(CROSS_COMPILE)gcc)
AR := $(CROSS_COMPILE)ar
CLANG ?= clang
CLANG_FORMAT ?= clang-format
CLANG_TIDY ?= clang-tidy
CPPCHECK ?= cppcheck
PKG_CONFIG ?= pkg-config
BPFTOOL ?= $(or $(shell command -v bpftool 2>/dev/null),$(wildcard /usr/sbin/bpftool),bpftool)
PREFIX ?= /usr/local
SYSCONFDIR ?= $(if $(filter /usr /usr/local,$(PREFIX)),/etc,$(PREFIX)/etc)
DESTDIR ?=
FUZZ_SECONDS ?= 30

ifeq ($(filter $(ARCH),x86_64 arm64),)
$(error ARCH is '$(ARCH)': x86_64 and arm64 are supported)
endif

BUILD := $(if $(filter $(ARCH),$(HOST_ARCH)),build,build-$(ARCH))
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-8s %s\n' '$(1)' '$(2)';)

# $(call need,TOOL,DEBIAN PACKAGE): used inside recipes, so that only what a goal really uses is asked for.
need = $(if $(shell command -v $(1) 2>/dev/null),,$(error $(1) is missing: apt-get install $(2), or run scripts/install-deps))

# ---- libraries: pkg-config name and Debian package; asked once, and only when something is compiled ------------------
LIBS := libbpf:libbpf-dev libelf:libelf-dev zlib:zlib1g-dev capstone:libcapstone-dev libseccomp:libseccomp-dev \
	yaml-0.1:libyaml-dev libmicrohttpd:libmicrohttpd-dev
lib_name = $(firstword $(subst :, ,$(1)))
lib_package = $(lastword $(subst :, ,$(1)))
need_libs = $(foreach lib,$(1),$(if $(shell $(PKG_CONFIG) --exists $(call lib_name,$(lib)) && echo yes),,\
	$(error library $(call lib_name,$(lib)) is missing: apt-get install $(call lib_package,$(lib)), or run scripts/install-deps)))
once = $(eval $(1) := $(2))$($(1))
LIB_CFLAGS = $(call need,$(PKG_CONFIG),pkg-config)$(call need_libs,$(LIBS))$(call once,LIB_CFLAGS,$(shell \
	$(PKG_CONFIG) --cflags $(foreach lib,$(LIBS),$(call lib_name,$(lib)))))
LIB_LDLIBS = $(call once,LIB_LDLIBS,$(shell $(PKG_CONFIG) --libs $(foreach lib,$(LIBS),$(call lib_name,$(lib)))) -lm)
CMOCKA := cmocka:libcmocka-dev
CMOCKA_LDLIBS = $(call need_libs,$(CMOCKA))$(call once,CMOCKA_LDLIBS,$(shell $(PKG_CONFIG) --cflags --libs cmocka))

# ---- flags ----------------------------------------------------------------------------------------------------------
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wvla -Wformat=2 -Wmissing-prototypes -Werror
TEST_WARNINGS := -Wall -Wextra -Wshadow -Wvla -Wformat=2 -Werror
INCLUDES := -Iuser -I. -isystem $(BUILD)/gen
BASE_CFLAGS := -std=gnu11 -D_GNU_SOURCE -g -fno-strict-aliasing -fno-common -pthread $(INCLUDES)
OPT_CFLAGS ?= -O2 -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
# gcc says itself that the sanitizers make its -Wmaybe-uninitialized see what is not there; the plain build keeps it.
SAN_CFLAGS := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
DEP_CFLAGS = -MMD -MP -MF $(@:.o=.d)
# The libraries' headers are the host's when cross-compiling; -idirafter keeps them behind the other libc's own.
CROSS_CFLAGS := $(if $(CROSS_COMPILE),-idirafter /usr/include -idirafter /usr/include/$(shell uname -m)-linux-gnu)
LINK_FLAGS := -pthread -pie -Wl,-z,relro,-z,now -Wl,--as-needed

# ---- sources, layer by layer: each may include only layers above it in this list (scripts/check-layers) --------------
LAYERS := base binary go reader model target collect observe analysis output cmd
USER_SRCS := $(foreach layer,$(LAYERS),$(sort $(wildcard user/$(layer)/*.c)))
USER_HDRS := $(foreach layer,$(LAYERS),$(sort $(wildcard user/$(layer)/*.h)))
MAIN_SRC := $(wildcard user/cmd/main.c)
LIB_SRCS := $(filter-out user/cmd/main.c,$(USER_SRCS))
BPF_SRCS := $(sort $(wildcard bpf/*.bpf.c))
BPF_HDRS := $(sort $(wildcard bpf/*.h))
SUPPORT_SRCS := $(sort $(wildcard tests/support/*.c))
UNIT_SRCS := $(sort $(foreach layer,$(LAYERS),$(wildcard tests/unit/$(layer)/test_*.c)))
UNIT_BPF_SRCS := $(sort $(wildcard tests/unit/bpf/test_*.c))
BENCH_SRCS := $(sort $(wildcard tests/bench/bench_*.c))
FUZZ_SRCS := $(sort $(wildcard tests/fuzz/fuzz_*.c))

OBJ := $(BUILD)/$(if $(SAN),san,obj)
LIB := $(if $(SAN),$(BUILD)/san/libparkwatch.a,$(BUILD)/libparkwatch.a)
BIN := $(if $(SAN),$(BUILD)/san/parkwatch,$(BUILD)/parkwatch)
SAN_LIB := $(BUILD)/san/libparkwatch.a
objs = $(patsubst %.c,$(1)/%.o,$(2))
UNIT_BINS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(UNIT_SRCS))
UNIT_BPF_BINS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(UNIT_BPF_SRCS))
BENCH_BINS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(BENCH_SRCS))
FUZZ_BINS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(FUZZ_SRCS))

all: $(LIB) $(if $(MAIN_SRC),$(BIN))

# ---- generated headers ----------------------------------------------------------------------------------------------
VERSION_H := $(BUILD)/gen/version.h
SKEL_H := $(if $(BPF_SRCS),$(BUILD)/gen/parkwatch.skel.h)
GENERATED := $(VERSION_H) $(SKEL_H)

# Rewritten only when the version changes, so that a commit alone does not rebuild what includes it.
$(VERSION_H): FORCE
	@mkdir -p $(@D)
	@version=$$(git describe --tags --always --dirty 2>/dev/null || echo 0.1.0-unknown); \
	case $$version in v[0-9]*) version=$${version#v};; 0.1.0*) ;; *) version=0.1.0-$$version;; esac; \
	printf '#define PW_VERSION "%s"\n' "$$version" | cmp -s - $@ || printf '#define PW_VERSION "%s"\n' "$$version" >$@

# ---- BPF ------------------------------------------------------------------------------------------------------------
BPF_TARGET_ARCH := $(if $(filter $(ARCH),x86_64),x86,arm64)
BPF_SYS_DIRS = $(call once,BPF_SYS_DIRS,$(if $(filter $(ARCH),$(HOST_ARCH)),,-idirafter /usr/aarch64-linux-gnu/include) \
	$(shell $(CLANG) -v -E - </dev/null 2>&1 | sed -n '/<...> search starts here:/,/End of search list/s| \(/.*\)|-idirafter \1|p'))
BPF_CFLAGS = -target bpf -g -O2 -mcpu=v2 -std=gnu11 -Wall -Wextra -Werror -D__TARGET_ARCH_$(BPF_TARGET_ARCH) -Ibpf -I. \
	$(BPF_SYS_DIRS)

$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c Makefile
	$(call need,$(CLANG),clang)@mkdir -p $(@D)
	$(call say,BPF,$<)$(CLANG) $(BPF_CFLAGS) $(DEP_CFLAGS) -c $< -o $@

$(BUILD)/bpf/parkwatch.o: $(patsubst bpf/%.c,$(BUILD)/bpf/%.o,$(BPF_SRCS))
	$(call need,$(BPFTOOL),bpftool)
	$(call say,BPFLINK,$@)$(BPFTOOL) gen object $@ $^

$(BUILD)/gen/parkwatch.skel.h: $(BUILD)/bpf/parkwatch.o
	@mkdir -p $(@D)
	$(call say,SKEL,$@)$(BPFTOOL) gen skeleton $< name pw_bpf >$@

# ---- user code ------------------------------------------------------------------------------------------------------
COMPILE = $(CC) $(BASE_CFLAGS) $(LIB_CFLAGS) $(CROSS_CFLAGS) $(CFLAGS) $(DEP_CFLAGS)

$(BUILD)/obj/%.o: %.c Makefile | $(GENERATED)
	$(call need,$(CC),gcc)@mkdir -p $(@D)
	$(call say,CC,$<)$(COMPILE) $(OPT_CFLAGS) $(WARNINGS) -c $< -o $@

$(BUILD)/san/user/%.o: user/%.c Makefile | $(GENERATED)
	@mkdir -p $(@D)
	$(call say,CC san,$<)$(COMPILE) $(SAN_CFLAGS) $(WARNINGS) -Wno-maybe-uninitialized -c $< -o $@

$(BUILD)/san/tests/%.o: tests/%.c Makefile | $(GENERATED)
	@mkdir -p $(@D)
	$(call say,CC san,$<)$(COMPILE) $(SAN_CFLAGS) $(TEST_WARNINGS) -Wno-maybe-uninitialized -Itests -c $< -o $@

# -MMD leaves out headers that come by -isystem, so what includes a generated one is found by its text.
uses = $(addsuffix .o,$(basename $(shell grep -ls '$(1)' $(USER_SRCS) /dev/null)))
$(foreach dir,obj san,$(addprefix $(BUILD)/$(dir)/,$(call uses,parkwatch.skel.h))): $(SKEL_H)
$(foreach dir,obj san,$(addprefix $(BUILD)/$(dir)/,$(call uses,version.h))): $(VERSION_H)

# The archive is made anew whenever the list of sources changes, too: members of deleted files must not stay.
$(BUILD)/sources.list: FORCE
	@mkdir -p $(@D)
	@echo '$(LIB_SRCS)' | cmp -s - $@ || echo '$(LIB_SRCS)' >$@

$(BUILD)/libparkwatch.a: $(call objs,$(BUILD)/obj,$(LIB_SRCS)) $(BUILD)/sources.list
	$(call say,AR,$@)rm -f $@; $(AR) rcs $@ $(filter %.o,$^)

$(BUILD)/san/libparkwatch.a: $(call objs,$(BUILD)/san,$(LIB_SRCS)) $(BUILD)/sources.list
	$(call say,AR,$@)rm -f $@; $(AR) rcs $@ $(filter %.o,$^)

$(BUILD)/parkwatch: $(BUILD)/obj/user/cmd/main.o $(BUILD)/libparkwatch.a
	$(call say,LINK,$@)$(CC) $(LINK_FLAGS) $(LDFLAGS) -o $@ $^ $(LIB_LDLIBS)

$(BUILD)/san/parkwatch: $(BUILD)/san/user/cmd/main.o $(BUILD)/san/libparkwatch.a
	$(call say,LINK,$@)$(CC) $(SAN_CFLAGS) $(LINK_FLAGS) $(LDFLAGS) -o $@ $^ $(LIB_LDLIBS)

# ---- tests ----------------------------------------------------------------------------------------------------------
SUPPORT_OBJS := $(call objs,$(BUILD)/san,$(SUPPORT_SRCS))

$(UNIT_BINS): $(BUILD)/tests/%: $(BUILD)/san/tests/%.o $(SUPPORT_OBJS) $(SAN_LIB)
	@mkdir -p $(@D)
	$(call say,LINK san,$@)$(CC) $(SAN_CFLAGS) -pthread $(LDFLAGS) -o $@ $^ $(CMOCKA_LDLIBS) $(LIB_LDLIBS)

# BPF programs on the host: the shim headers stand in front of the kernel's and libbpf's.
$(UNIT_BPF_BINS): $(BUILD)/tests/%: tests/%.c Makefile $(wildcard tests/support/bpf_host/* tests/support/bpf_host/*/*)
	@mkdir -p $(@D)
	$(call say,CC bpf,$<)$(CC) -std=gnu11 -D_GNU_SOURCE -g $(SAN_CFLAGS) $(TEST_WARNINGS) \
		-D__TARGET_ARCH_$(BPF_TARGET_ARCH) -Itests/support/bpf_host -Ibpf -I. -Iuser -Itests -MMD -MP -MF $@.d \
		-o $@ $< $(CMOCKA_LDLIBS)

$(BENCH_BINS): $(BUILD)/tests/%: $(BUILD)/obj/tests/%.o $(BUILD)/libparkwatch.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(LINK_FLAGS) -o $@ $^ $(LIB_LDLIBS)
$(BUILD)/obj/tests/%.o: CFLAGS += -Itests -Wno-conversion

unit-bins: $(UNIT_BINS) $(UNIT_BPF_BINS)

test-unit: unit-bins
	@scripts/run-tests --build $(BUILD) unit

test-integration: all
	@scripts/run-tests --build $(BUILD) integration

# What is missing is installed before a second make looks for it; the runner's last line is the summary.
test:
	@scripts/install-deps build test
	@+$(MAKE) --no-print-directory all unit-bins
	$(call say,TARGETS,Go programs and servers that the tests observe: minutes when the cache is empty)scripts/targets --default >/dev/null
	$(Q)scripts/servers >/dev/null
	@scripts/run-tests --build $(BUILD) unit integration

FUZZ_CFLAGS := -std=gnu11 -D_GNU_SOURCE -g -O1 -fno-strict-aliasing -fno-omit-frame-pointer $(INCLUDES) -Itests \
	-fsanitize=address,undefined -fno-sanitize-recover=undefined -Wno-unknown-warning-option
$(BUILD)/fuzz/obj/%.o: %.c Makefile | $(GENERATED)
	$(call need,$(CLANG),clang)@mkdir -p $(@D)
	$(call say,CC fuzz,$<)$(CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link $(LIB_CFLAGS) $(DEP_CFLAGS) -c $< -o $@
# An archive, so that a fuzzer takes only what it uses: the command table is in main.c, test helpers want cmocka.
FUZZ_LIB := $(BUILD)/fuzz/libparkwatch.a
$(FUZZ_LIB): $(call objs,$(BUILD)/fuzz/obj,$(SUPPORT_SRCS) $(LIB_SRCS)) $(BUILD)/sources.list
	$(call say,AR,$@)rm -f $@; $(AR) rcs $@ $(filter %.o,$^)
$(FUZZ_BINS): $(BUILD)/fuzz/%: $(BUILD)/fuzz/obj/tests/fuzz/%.o $(FUZZ_LIB)
	$(call say,LINK,$@)$(CLANG) -fsanitize=fuzzer,address,undefined -o $@ $^ -pthread $(LIB_LDLIBS)

fuzz: $(FUZZ_BINS)
	@scripts/run-tests --build $(BUILD) --fuzz-seconds $(FUZZ_SECONDS) fuzz

bench: all $(BENCH_BINS)
	$(Q)scripts/bench

demo:
	@scripts/install-deps build demo
	@scripts/targets leak_chan 1.19 stripped >/dev/null
	@+$(MAKE) --no-print-directory all
	$(Q)scripts/demo

# ---- checks ---------------------------------------------------------------------------------------------------------
FORMAT_FILES := $(filter-out bpf/vmlinux.h,$(USER_SRCS) $(USER_HDRS) $(BPF_SRCS) $(BPF_HDRS) \
	$(sort $(wildcard tests/support/*.[ch] tests/support/*/*.h tests/unit/*/*.c tests/fuzz/*.[ch] tests/bench/*.[ch])))
FORMAT_FILES := $(filter-out $(shell grep -ls 'Generated by scripts/' $(FORMAT_FILES) /dev/null),$(FORMAT_FILES))

format:
	$(call need,$(CLANG_FORMAT),clang-format)$(Q)$(CLANG_FORMAT) -i $(FORMAT_FILES)

check-format:
	$(call need,$(CLANG_FORMAT),clang-format)$(Q)$(CLANG_FORMAT) --dry-run -Werror $(FORMAT_FILES)

# Compiled with every include twice: a header must stand alone and bear being included again.
HEADER_CHECKS := $(patsubst user/%.h,$(BUILD)/check/headers/%.ok,$(USER_HDRS))
check-headers: $(HEADER_CHECKS)
$(BUILD)/check/headers/%.ok: user/%.h Makefile | $(GENERATED)
	@mkdir -p $(@D)
	$(Q)printf '#include "%s.h"\n#include "%s.h"\n' $* $* | \
		$(CC) $(BASE_CFLAGS) $(LIB_CFLAGS) $(WARNINGS) -MMD -MP -MF $(@:.ok=.d) -MT $@ -x c -c - -o /dev/null
	@touch $@

# One stamp per file, made anew when its object is: so a second run looks only at what changed.
TIDY_CHECKS := $(patsubst %.c,$(BUILD)/check/tidy/%.ok,$(filter-out $(shell grep -ls 'Generated by scripts/' $(USER_SRCS) \
	/dev/null),$(USER_SRCS)))
check-tidy: $(TIDY_CHECKS)
$(BUILD)/check/tidy/%.ok: %.c $(BUILD)/obj/%.o .clang-tidy
	$(call need,$(CLANG_TIDY),clang-tidy)@mkdir -p $(@D)
	$(call say,TIDY,$<)$(CLANG_TIDY) --quiet --warnings-as-errors='*' $< -- $(BASE_CFLAGS) $(LIB_CFLAGS) 2>$@.log || \
		{ cat $@.log; exit 1; }
	@rm -f $@.log; touch $@

check-cppcheck:
	$(call need,$(CPPCHECK),cppcheck)@mkdir -p $(BUILD)/check/cppcheck
	$(Q)$(CPPCHECK) --quiet --error-exitcode=1 --std=c11 --inline-suppr --enable=warning,portability \
		--cppcheck-build-dir=$(BUILD)/check/cppcheck --suppressions-list=scripts/cppcheck.suppress \
		-D_GNU_SOURCE -D__x86_64__ -D__cppcheck__ \
		'-DLIBBPF_OPTS(TYPE,NAME,...)=struct TYPE NAME = {__VA_ARGS__}' -Iuser -I. $(LIB_SRCS) $(MAIN_SRC)

check-layers:
	$(Q)scripts/check-layers
check-size:
	$(Q)scripts/check-size
check-banned:
	$(Q)scripts/check-banned

check: check-format check-layers check-size check-banned check-headers check-cppcheck check-tidy

# ---- arm64: what can be compiled for the other architecture without its libraries ------------------------------------
ARM64_SRCS := $(foreach layer,base binary go model,$(wildcard user/$(layer)/*.c))
arm64-objects: $(call objs,$(BUILD)/obj,$(ARM64_SRCS)) $(patsubst bpf/%.c,$(BUILD)/bpf/%.o,$(BPF_SRCS)) $(SKEL_H)
compile-arm64:
	$(call need,aarch64-linux-gnu-gcc,gcc-aarch64-linux-gnu)@+$(MAKE) --no-print-directory ARCH=arm64 \
		CROSS_COMPILE=aarch64-linux-gnu- arm64-objects

# ---- install --------------------------------------------------------------------------------------------------------
# $(call put,MODE,FILES,DIRECTORY)
put = $(if $(wildcard $(2)),install -d '$(DESTDIR)$(3)' && install -m $(1) $(wildcard $(2)) '$(DESTDIR)$(3)/')
UNIT_DIR := $(PREFIX)/lib/systemd/system
CONFIG_DIR := $(SYSCONFDIR)/parkwatch

install: $(BUILD)/parkwatch
	$(call put,0755,$(BUILD)/parkwatch,$(PREFIX)/bin)
	$(call put,0644,scripts/dist/*.service,$(UNIT_DIR))
	sed -i 's|/usr/local/bin/|$(PREFIX)/bin/|' $(patsubst scripts/dist/%,'$(DESTDIR)$(UNIT_DIR)/%',$(wildcard scripts/dist/*.service))
	$(foreach section,1 5 8,$(or $(call put,0644,scripts/dist/*.$(section),$(PREFIX)/share/man/man$(section)),:) &&) :
	$(call put,0644,scripts/dist/*.rules.yml scripts/dist/*.json scripts/dist/*.conf,$(PREFIX)/share/parkwatch)
	$(foreach file,$(notdir $(wildcard scripts/dist/parkwatch.yaml)),install -d '$(DESTDIR)$(CONFIG_DIR)'; \
		[ -e '$(DESTDIR)$(CONFIG_DIR)/$(file)' ] || install -m 0640 scripts/dist/$(file) '$(DESTDIR)$(CONFIG_DIR)/$(file)')

# Configuration and recordings stay: they are the user's.
uninstall:
	rm -f '$(DESTDIR)$(PREFIX)/bin/parkwatch'
	rm -f $(foreach file,$(notdir $(wildcard scripts/dist/*.service)),'$(DESTDIR)$(UNIT_DIR)/$(file)')
	rm -f $(foreach file,$(notdir $(wildcard scripts/dist/*.[158])),'$(DESTDIR)$(PREFIX)/share/man/man$(subst .,,$(suffix $(file)))/$(file)')
	rm -rf '$(DESTDIR)$(PREFIX)/share/parkwatch'

clean:
	$(Q)rm -rf build build-arm64

help:
	@printf '%s\n' \
		'Targets:' \
		'  all               build/parkwatch and build/libparkwatch.a' \
		'  test              install what is missing, build, unit and integration tests' \
		'  test-unit         unit tests under the address and undefined-behaviour sanitizers' \
		'  test-integration  tests against running Go programs (root)' \
		'  fuzz              every fuzzer for FUZZ_SECONDS=$(FUZZ_SECONDS) from its corpus' \
		'  bench             measure costs' \
		'  demo              a leak, found' \
		'  check             format, layers, sizes, banned calls, headers, cppcheck, clang-tidy' \
		'  format            clang-format -i' \
		'  compile-arm64     compile what needs no arm64 libraries' \
		'  install           into DESTDIR=$(DESTDIR) PREFIX=$(PREFIX); uninstall takes it away, not the configuration' \
		'  clean             remove build/ and build-arm64/' \
		'Knobs: V=1 (show commands) SAN=1 (sanitizers; build/san/parkwatch) ARCH=x86_64|arm64 CROSS_COMPILE= CC= CLANG=' \
		'       BPFTOOL= CFLAGS= LDFLAGS= PREFIX= DESTDIR='

FORCE:
.PHONY: all FORCE unit-bins test test-unit test-integration fuzz bench demo format check check-format check-headers \
	check-tidy check-cppcheck check-layers check-size check-banned arm64-objects compile-arm64 install uninstall clean help
.SECONDARY:

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
