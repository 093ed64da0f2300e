# The one entry for people and CI; meson does the work. Packages: tools/install-deps.

BUILD ?= build
ASAN ?= build-asan
FUZZ ?= build-fuzz
TSAN ?= build-tsan
UNCOUNTED ?= build-uncounted
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
COUNT ?= 100000
SEED ?= 1
ENGINE ?= interp
SANITIZE = -Db_sanitize=address,undefined -Db_lundef=false -Dc_args=-fno-sanitize-recover=all

.PHONY: build run test test-tsan bench bench-counting bench-world
.PHONY: soak-town soak-smp asan fuzz fuzz-arm fuzz-sparc fuzz-engines tidy format install clean

build:
	@tools/install-deps build
	@test -f $(BUILD)/build.ninja || meson setup --prefix=$(PREFIX) $(BUILD)
	@ninja -C $(BUILD)

run: build
	@tools/install-deps run
	@if test -x tools/demo; then tools/demo; else $(BUILD)/orrery --version; fi

# Compiles both builds itself, so that a compile error is a failure in the total, too.
test:
	@tools/install-deps build run test
	@test -f $(BUILD)/build.ninja || meson setup --prefix=$(PREFIX) -Dtests=enabled $(BUILD)
	@meson configure $(BUILD) -Dtests=enabled
	@test -f $(ASAN)/build.ninja || meson setup $(SANITIZE) -Dtests=enabled $(ASAN)
	@tools/run-tests $(BUILD) $(ASAN)

bench: build
	@tools/install-deps run test
	@tools/bench

# What exact counting costs, against a build without it.
bench-counting: build
	@tools/install-deps run test
	@test -f $(UNCOUNTED)/build.ninja || meson setup -Duncounted=true -Dtests=disabled $(UNCOUNTED)
	@ninja -C $(UNCOUNTED) orrery
	@tools/bench-counting $(BUILD) $(UNCOUNTED)

# 10,000 nodes in one process: what each costs, and how fast they run.
bench-world:
	@tools/install-deps build test
	@test -f $(BUILD)/build.ninja || meson setup --prefix=$(PREFIX) -Dtests=enabled $(BUILD)
	@ninja -C $(BUILD) tests/crowd firmware
	@tools/bench-world $(BUILD)

# A town of 60 boards in all ways, REPEAT times.
soak-town: REPEAT = 20
soak-town:
	@tools/install-deps build test
	@test -f $(BUILD)/build.ninja || meson setup --prefix=$(PREFIX) -Dtests=enabled $(BUILD)
	@ninja -C $(BUILD) orrery firmware
	@tests/e2e/town.py --orrery $(BUILD)/orrery --firmware $(BUILD)/tests/firmware --repeat $(REPEAT)

# 10^9 instructions of spin lock, token rings and interrupts on two and four cores: REPEAT times with each engine.
soak-smp: REPEAT = 2
soak-smp:
	@tools/install-deps build test
	@test -f $(BUILD)/build.ninja || meson setup --prefix=$(PREFIX) -Dtests=enabled $(BUILD)
	@ninja -C $(BUILD) orrery firmware
	@tests/e2e/soak_smp.py --orrery $(BUILD)/orrery --firmware $(BUILD)/tests/firmware --repeat $(REPEAT)

# Worlds on several threads, with each engine, under ThreadSanitizer.
test-tsan:
	@tools/install-deps build test
	@test -f $(TSAN)/build.ninja || meson setup -Db_sanitize=thread -Db_lundef=false -Dtests=enabled $(TSAN)
	@ninja -C $(TSAN) orrery tests/test_worlds tests/test_share tests/test_links firmware
	@TSAN_OPTIONS=halt_on_error=1 meson test -C $(TSAN) --no-rebuild --print-errorlogs -t 20 \
		test_worlds test_share test_world test_links
	@TSAN_OPTIONS=halt_on_error=1 tests/e2e/town.py --orrery $(TSAN)/orrery --firmware $(TSAN)/tests/firmware \
		--repeat 1 --threads 2,8

asan:
	@tools/install-deps build test
	@test -f $(ASAN)/build.ninja || meson setup $(SANITIZE) -Dtests=enabled $(ASAN)
	@ninja -C $(ASAN)

fuzz:
	@tools/install-deps build test
	@test -f $(FUZZ)/build.ninja || CC=clang meson setup $(SANITIZE) -Dtests=enabled -Dfuzz=true $(FUZZ)
	@meson configure $(FUZZ) -Dfuzz_seconds=$(FUZZ_SECONDS)
	@meson test -C $(FUZZ) --suite fuzz --print-errorlogs

# Differential test against QEMU: COUNT sequences; SHOW=v7m:INDEX prints and minimises one.
fuzz-arm:
	@tools/install-deps build test
	@test -f $(BUILD)/build.ninja || meson setup --prefix=$(PREFIX) $(BUILD)
	@ninja -C $(BUILD) liborrery.a
	@tests/fuzz/arm_diff.py $(BUILD) --count $(COUNT) --seed $(SEED) --engine $(ENGINE) $(if $(SHOW),--show $(SHOW))

# The same against qemu-system-sparc; SHOW=INDEX.
fuzz-sparc:
	@tools/install-deps build test
	@test -f $(BUILD)/build.ninja || meson setup --prefix=$(PREFIX) $(BUILD)
	@ninja -C $(BUILD) liborrery.a
	@tests/fuzz/sparc_diff.py $(BUILD) --count $(COUNT) --seed $(SEED) --engine $(ENGINE) $(if $(SHOW),--show $(SHOW))

# Generated programs in lockstep on every engine: COUNT programs of each instruction set; SHOW=v7m:INDEX minimises one.
fuzz-engines: COUNT = 1000
fuzz-engines:
	@tools/install-deps build test
	@test -f $(BUILD)/build.ninja || meson setup --prefix=$(PREFIX) -Dtests=enabled $(BUILD)
	@ninja -C $(BUILD) tests/progs
	@$(BUILD)/tests/progs --count $(COUNT) --seed $(SEED) $(if $(SHOW),--show $(SHOW))

tidy:
	@tools/tidy

format:
	@tools/install-deps format
	@find src include tests -name '*.[ch]' -exec clang-format -i {} +

install: build
	@meson install -C $(BUILD) --no-rebuild

clean:
	@rm -rf $(BUILD) $(ASAN) $(FUZZ) $(TSAN) $(UNCOUNTED)
