# lory: one binary, one library, no dependencies beyond libc and libm.
#
# Objects live in build/<variant>/; a variant is a set of flags (release, asan, ubsan, tsan,
# fuzz, coverage), so switching between them rebuilds nothing.

PREFIX  ?= /usr/local
DESTDIR ?=
CC      ?= cc
AR      ?= ar
OPENMP  ?= 0
VARIANT ?= release
EMULATOR ?=

VERSION := $(shell sed -n 's/^\#define LORY_VERSION "\(.*\)"/\1/p' include/lory.h)
MACHINE := $(shell $(CC) -dumpmachine)
BUILD   := build/$(VARIANT)

# ---- flags ---------------------------------------------------------------------------------
# -ffp-contract=off is part of the numeric contract: a fused multiply-add happens only where
# the source says fmaf().
WARN   := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror
BASE   := -std=c11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -ffp-contract=off -fno-math-errno -pthread -MMD -MP \
          -Iinclude -Isrc
MODEL_DIR := $(PREFIX)/share/lory
DEFS   := -DLORY_MODEL_DIR='"$(MODEL_DIR)"'
LIBS   := -lm -pthread

OPT_release  := -O2 -g
OPT_asan     := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
OPT_ubsan    := -O1 -g -fsanitize=undefined -fno-sanitize-recover=all
OPT_tsan     := -O1 -g -fsanitize=thread
OPT_fuzz     := -O1 -g -DLORY_FUZZ -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
OPT_coverage := -O0 -g --coverage

ifeq ($(OPENMP),1)
BUILD := $(BUILD)-openmp
OMP   := -fopenmp -DLORY_OPENMP
endif

CFLAGS  ?=
LDFLAGS ?=
ALL_CFLAGS  := $(BASE) $(WARN) $(OPT_$(VARIANT)) $(OMP) $(DEFS) $(CFLAGS)
ALL_LDFLAGS := $(filter -fsanitize=% --coverage,$(OPT_$(VARIANT))) $(OMP) $(LDFLAGS)

# One binary runs everywhere: only the file of an instruction set is compiled for it.
# gcc 12 miscompiles int8 sums under AVX-512 VNNI when it vectorises by itself.
FLAGS_avx2         := -mavx2 -mfma -mf16c
FLAGS_avx2_quant   := $(FLAGS_avx2)
FLAGS_avx512       := -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mavx2 -mfma -mf16c \
                      -fno-tree-vectorize
FLAGS_avx512_quant := $(FLAGS_avx512)

# ---- files ---------------------------------------------------------------------------------
X86  := $(wildcard src/kernels/avx*.c)
NEON := $(wildcard src/kernels/neon*.c)
SRC  := $(filter-out $(X86) $(NEON),$(wildcard src/*.c src/*/*.c))
ifneq ($(filter x86_64% amd64%,$(MACHINE)),)
SRC += $(X86)
else ifneq ($(filter aarch64% arm64%,$(MACHINE)),)
SRC += $(NEON)
endif
LIB_SRC  := $(filter-out src/cli/%,$(SRC))
CLI_SRC  := $(filter src/cli/%,$(SRC))
TEST_SRC := $(wildcard tests/*.c)
FUZZ_SRC := $(wildcard tests/fuzz/*.c)

obj = $(patsubst %.c,$(BUILD)/%.o,$(1))
LIB_OBJ  := $(call obj,$(LIB_SRC))
CLI_OBJ  := $(call obj,$(CLI_SRC))
TEST_OBJ := $(call obj,$(TEST_SRC) $(FUZZ_SRC)) $(filter-out $(BUILD)/src/cli/main.o,$(CLI_OBJ))

# ---- targets -------------------------------------------------------------------------------
.DEFAULT_GOAL := all
.PHONY: all lib test asan ubsan tsan fuzz coverage layers format install uninstall clean help

all: lory lib ## build ./lory and ./liblory.a

lib: liblory.a ## build the static library

lory: $(BUILD)/lory
	@cp -f $< $@

liblory.a: $(BUILD)/liblory.a
	@cp -f $< $@

$(BUILD)/lory: $(CLI_OBJ) $(BUILD)/liblory.a
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/liblory.a: $(LIB_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/lory-test: $(TEST_OBJ) $(BUILD)/liblory.a
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(FLAGS_$(*F)) -c -o $@ $<

test: $(BUILD)/lory $(BUILD)/lory-test ## run every test (T=name runs those whose name has it)
	$(EMULATOR) $(BUILD)/lory-test --lory $(BUILD)/lory $(T)

asan: ## tests under AddressSanitizer and UndefinedBehaviorSanitizer
	$(MAKE) VARIANT=asan test

ubsan: ## tests under UndefinedBehaviorSanitizer
	$(MAKE) VARIANT=ubsan test

tsan: ## tests under ThreadSanitizer
	$(MAKE) VARIANT=tsan test

coverage: ## tests with line coverage, summary on stdout
	$(MAKE) VARIANT=coverage test
	tools/coverage.sh build/coverage

# Each file of tests/fuzz/ is a libFuzzer target; FUZZ_SECONDS each, on a corpus of good inputs.
FUZZ_SECONDS ?= 10
FUZZERS := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
fuzz: ## run every fuzz entry with clang's libFuzzer, FUZZ_SECONDS=10 each
	$(MAKE) VARIANT=fuzz CC=clang $(addprefix build/fuzz/fuzz_,$(FUZZERS))
	tools/fuzz.sh $(FUZZ_SECONDS) $(addprefix build/fuzz/fuzz_,$(FUZZERS))

$(BUILD)/fuzz_%: $(BUILD)/tests/fuzz/fuzz_%.o $(BUILD)/liblory.a
	$(CC) -fsanitize=fuzzer,address,undefined -o $@ $^ $(LIBS)

layers: ## hold every #include against the floors of the house
	tools/layers.sh

format: ## clang-format the sources in place
	clang-format -i $$(git ls-files '*.c' '*.h' | grep -v _tab)

install: all ## install under DESTDIR/PREFIX
	PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) VERSION=$(VERSION) tools/install.sh

uninstall: ## remove what install put there
	PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) tools/install.sh --remove

clean: ## remove everything that was built
	rm -rf build lory liblory.a

help: ## this list
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  \1|\2/p' $(firstword $(MAKEFILE_LIST)) | column -t -s '|'

-include $(patsubst %.o,%.d,$(LIB_OBJ) $(CLI_OBJ) $(TEST_OBJ))
