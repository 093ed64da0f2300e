/* bus/mem: mapping, accesses against a byte model, aliases, read-only memory, translated code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "bus/mem.h"

enum { RAM_BYTES = 1024, ROM_BYTES = 300 };

typedef struct Bench {
    MemMap map;
    Memory ram, rom;
    uint8_t ram_bytes[RAM_BYTES], rom_bytes[ROM_BYTES];
    uint64_t reads, writes, last_offset, last_value;
    unsigned last_size;
    bool device_fails, hook_takes;
    unsigned changes, marks;
    uint64_t changed_offset, changed_size;
    Memory *changed;
} Bench;

static uint64_t window_read(struct Device *device, uint64_t offset, unsigned size) {
    Bench *bench = (Bench *)(void *)device;
    bench->reads++;
    bench->last_offset = offset;
    bench->last_size = size;
    bench->map.fault = bench->device_fails;
    return 0x1122334455667788;
}

static void window_write(struct Device *device, uint64_t offset, unsigned size, uint64_t value) {
    Bench *bench = (Bench *)(void *)device;
    bench->writes++;
    bench->last_offset = offset;
    bench->last_size = size;
    bench->last_value = value;
    bench->map.fault = bench->device_fails;
}

static bool rom_store(struct Device *owner, uint64_t offset, unsigned size, uint64_t value) {
    Bench *bench = (Bench *)(void *)owner;
    bench->last_offset = offset;
    bench->last_size = size;
    bench->last_value = value;
    return bench->hook_takes;
}

static void code_changed(MemMap *map, Memory *memory, uint64_t offset, uint64_t size) {
    Bench *bench = CONTAINER_OF(map, Bench, map);
    bench->changes++;
    bench->changed = memory;
    bench->changed_offset = offset;
    bench->changed_size = size;
}

/* RAM at 0x2000 and, the second half of it, at 0x2400 right behind; ROM at 0; a device at 0x4000. */
static int setup(void **state) {
    Bench *bench = mem_alloc(sizeof *bench);
    bench->map.code_changed = code_changed;
    bench->ram = (Memory){.name = "ram", .host = bench->ram_bytes, .size = RAM_BYTES};
    bench->rom = (Memory){.name = "rom", .host = bench->rom_bytes, .size = ROM_BYTES, .read_only = true};
    const MemRegion regions[] = {
        {.base = 0x4000, .size = 0x100, .name = "device", .offset = 0x1000,
         .read = window_read, .write = window_write},
        {.base = 0x2000, .size = RAM_BYTES, .name = "ram"},
        {.base = 0x2000 + RAM_BYTES, .size = RAM_BYTES / 2, .name = "alias", .offset = RAM_BYTES / 2},
        {.base = 0, .size = ROM_BYTES, .name = "rom"},
    };
    Memory *memories[] = {NULL, &bench->ram, &bench->ram, &bench->rom};
    for (size_t i = 0; i < ARRAY_LEN(regions); i++) {
        assert_true(mem_map_add(&bench->map, &regions[i], memories[i], (struct Device *)(void *)bench, NULL));
    }
    *state = bench;
    return 0;
}

static int teardown(void **state) {
    Bench *bench = *state;
    mem_map_free(&bench->map);
    assert_null(bench->ram.code);
    mem_free(bench);
    return 0;
}

static void regions_are_found(void **state) {
    Bench *bench = *state;
    assert_int_equal(bench->map.n_regions, 4);
    for (uint32_t i = 1; i < 4; i++) {
        assert_true(bench->map.regions[i - 1].base < bench->map.regions[i].base);
    }
    assert_string_equal(mem_region_at(&bench->map, 0)->name, "rom");
    assert_string_equal(mem_region_at(&bench->map, ROM_BYTES - 1)->name, "rom");
    assert_null(mem_region_at(&bench->map, ROM_BYTES));
    assert_null(mem_region_at(&bench->map, 0x1fff));
    assert_string_equal(mem_region_at(&bench->map, 0x2400)->name, "alias");
    assert_string_equal(mem_region_at(&bench->map, 0x40ff)->name, "device");
    assert_null(mem_region_at(&bench->map, UINT64_MAX));
    MemMap empty = {0};
    assert_null(mem_region_at(&empty, 0));
}

static void bad_regions_are_refused(void **state) {
    Bench *bench = *state;
    static const struct {
        uint64_t base, size;
        const char *expected; /* NULL: fits */
    } rows[] = {
        {0x3ff0, 0x11, "overlaps device at 0x4000..0x40ff"},
        {0x40ff, 1, "overlaps device"},
        {0x4000, 0x100, "overlaps device"},
        {0x4010, 4, "overlaps device"},
        {0, UINT64_MAX, "overlaps rom at 0x0..0x12b"},
        {0x3000, 0, "is empty"},
        {UINT64_MAX - 3, 5, "exceeds 64 bits"},
        {UINT64_MAX - 3, 4, NULL},
        {0x3ff0, 0x10, NULL},
        {0x4100, 0x10, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        Err err = {0};
        MemRegion region = {.base = rows[i].base, .size = rows[i].size, .name = "new"};
        assert_int_equal(mem_map_add(&bench->map, &region, &bench->ram, NULL, &err), rows[i].expected == NULL);
        if (rows[i].expected && (!strstr(err.text, rows[i].expected) || strncmp(err.text, "new at ", 7) != 0)) {
            fail_msg("\"%s\" does not contain \"%s\"", err.text, rows[i].expected);
        }
    }
    uint64_t value;
    assert_true(mem_read(&bench->map, UINT64_MAX, 1, false, &value));
    assert_false(mem_read(&bench->map, UINT64_MAX, 2, false, &value));
}

/* Where an address of RAM lies in the model, or -1. */
static int ram_index(uint64_t addr) {
    if (addr >= 0x2000 && addr < 0x2000 + RAM_BYTES) {
        return (int)(addr - 0x2000);
    }
    return addr >= 0x2400 && addr < 0x2400 + RAM_BYTES / 2 ? (int)(addr - 0x2400 + RAM_BYTES / 2) : -1;
}

static void accesses_agree_with_bytes(void **state) {
    Bench *bench = *state;
    uint8_t model[RAM_BYTES] = {0};
    Rng rng;
    rng_seed(&rng, 4);
    for (int step = 0; step < 300000; step++) {
        uint64_t addr = 0x1ff0 + rng_below(&rng, RAM_BYTES * 3 / 2 + 0x20), value = rng_next(&rng);
        unsigned size = 1u << rng_below(&rng, 4);
        bool big = rng_below(&rng, 2), store = rng_below(&rng, 2);
        int first = ram_index(addr), last = ram_index(addr + size - 1);
        bool whole = first >= 0 && last >= 0 && (addr < 0x2400) == (addr + size - 1 < 0x2400);
        if (store) {
            assert_int_equal(mem_write(&bench->map, addr, size, big, value), whole);
            for (unsigned i = 0; whole && i < size; i++) {
                model[first + (int)i] = (uint8_t)(value >> (8 * (big ? size - 1 - i : i)));
            }
            continue;
        }
        uint64_t got = 0, expected = 0;
        assert_int_equal(mem_read(&bench->map, addr, size, big, &got), whole);
        for (unsigned i = 0; whole && i < size; i++) {
            expected |= (uint64_t)model[first + (int)i] << (8 * (big ? size - 1 - i : i));
        }
        assert_true(got == expected);
    }
    assert_memory_equal(model, bench->ram_bytes, RAM_BYTES);
}

static void device_windows(void **state) {
    Bench *bench = *state;
    uint64_t value = 0;
    assert_true(mem_read(&bench->map, 0x4010, 2, true, &value));
    assert_true(value == 0x1122334455667788);
    assert_true(bench->last_offset == 0x1012); /* the upper half of the register */
    assert_int_equal(bench->last_size, 2);
    assert_true(mem_read(&bench->map, 0x4013, 1, true, &value));
    assert_true(bench->last_offset == 0x1010);
    assert_true(mem_read(&bench->map, 0x4013, 1, false, &value));
    assert_true(bench->last_offset == 0x1013);
    assert_true(mem_read(&bench->map, 0x4010, 8, true, &value));
    assert_true(value == 0x5566778811223344 && bench->last_offset == 0x1010); /* two registers */
    assert_true(mem_read(&bench->map, 0x4010, 8, false, &value));
    assert_true(value == 0x1122334455667788);
    assert_true(mem_write(&bench->map, 0x4020, 4, true, 0xabcd));
    assert_true(bench->last_value == 0xabcd); /* numbers have no byte order */
    bench->device_fails = true;
    assert_false(mem_read(&bench->map, 0x4000, 4, false, &value));
    assert_false(mem_write(&bench->map, 0x4000, 4, false, 1));
    bench->device_fails = false;
    assert_true(mem_read(&bench->map, 0x4000, 4, false, &value)); /* the fault is of one access */
    uint64_t reads = bench->reads;
    assert_false(mem_read(&bench->map, 0x40fe, 4, false, &value));
    assert_true(bench->reads == reads);
    assert_null(mem_code(&bench->map, 0x4000, &(size_t){0}));
}

static void read_only_memory(void **state) {
    Bench *bench = *state;
    assert_false(mem_write(&bench->map, 0x10, 4, false, 1));
    bench->rom.store_hook = rom_store;
    bench->rom.owner = (struct Device *)(void *)bench;
    assert_false(mem_write(&bench->map, 0x10, 4, false, 1));
    bench->hook_takes = true;
    assert_true(mem_write(&bench->map, 0x12, 2, true, 0x1234));
    assert_true(bench->last_offset == 0x12);
    assert_true(bench->last_value == 0x3412);
    assert_int_equal(bench->rom_bytes[0x12], 0); /* only the hook changes it */
    uint32_t word = 0xdeadbeef;
    assert_true(mem_poke(&bench->map, 0x20, &word, 4));
    assert_memory_equal(bench->rom_bytes + 0x20, &word, 4);
    mem_code_mark(&bench->map, 0x10, 4);
    assert_true(mem_write(&bench->map, 0x12, 2, false, 1));
    assert_int_equal(bench->changes, 1);
}

static void stores_to_code_are_told(void **state) {
    Bench *bench = *state;
    size_t avail = 0;
    assert_ptr_equal(mem_code(&bench->map, 0x2010, &avail), bench->ram_bytes + 0x10);
    assert_int_equal(avail, RAM_BYTES - 0x10);
    mem_code_mark(&bench->map, 0x2070, 0x20); /* granules 1 and 2 */
    assert_true(mem_write(&bench->map, 0x203c, 4, false, 1));
    assert_true(mem_write(&bench->map, 0x20c0, 4, false, 1));
    assert_int_equal(bench->changes, 0);
    assert_true(mem_write(&bench->map, 0x203e, 4, false, 1)); /* two bytes in granule 0, two in 1 */
    assert_int_equal(bench->changes, 1);
    assert_ptr_equal(bench->changed, &bench->ram);
    assert_true(bench->changed_offset == 0 && bench->changed_size == 128);
    assert_true(mem_write(&bench->map, 0x2040, 4, false, 1)); /* told already */
    assert_int_equal(bench->changes, 1);
    assert_true(mem_write(&bench->map, 0x2080, 1, false, 1));
    assert_int_equal(bench->changes, 2);
    assert_true(bench->changed_offset == 128 && bench->changed_size == 64);

    /* Through another alias, by the loader, by a device. */
    mem_code_mark(&bench->map, 0x2400, 1);
    assert_true(mem_write(&bench->map, 0x2000 + RAM_BYTES / 2, 8, false, 1));
    assert_int_equal(bench->changes, 3);
    mem_code_mark(&bench->map, 0x2000, RAM_BYTES);
    assert_true(mem_poke(&bench->map, 0x2000, &(uint8_t){1}, 1));
    assert_int_equal(bench->changes, 4);
    mem_changed(&bench->map, &bench->ram, 0, RAM_BYTES);
    assert_int_equal(bench->changes, 5);
    assert_true(bench->changed_offset == 0 && bench->changed_size == RAM_BYTES);
    mem_changed(&bench->map, &bench->ram, 0, RAM_BYTES);
    assert_int_equal(bench->changes, 5);

    /* The last granule of a memory whose size is no multiple of one. */
    mem_code_mark(&bench->map, ROM_BYTES - 1, 1);
    assert_true(mem_poke(&bench->map, ROM_BYTES - 1, "x", 1));
    assert_true(bench->changed_offset == 256 && bench->changed_size == ROM_BYTES - 256);
}

/* Where memory stands is remembered, but not when that is true no more. */
static void near_memory_is_forgotten(void **state) {
    Bench *bench = *state;
    uint64_t value;
    assert_true(mem_write(&bench->map, 0x2000 + RAM_BYTES - 4, 4, false, 0x01020304)); /* RAM */
    assert_true(mem_read(&bench->map, 0x2000 + RAM_BYTES - 4, 4, true, &value) && value == 0x04030201);
    assert_true(mem_read(&bench->map, ROM_BYTES - 1, 1, false, &value)); /* ROM */
    assert_false(mem_read(&bench->map, ROM_BYTES - 1, 2, false, &value)); /* beyond its end */
    assert_false(mem_write(&bench->map, 0x10, 4, false, 1));
    mem_code_mark(&bench->map, 0x2000, 4);
    assert_true(mem_write(&bench->map, 0x2000, 4, false, 1));
    assert_int_equal(bench->changes, 1);
    static uint8_t elsewhere[ROM_BYTES] = {[8] = 0x77};
    bench->rom.host = elsewhere;
    memory_moved(&bench->map, &bench->rom);
    assert_true(mem_read(&bench->map, 8, 1, false, &value) && value == 0x77);
    bench->rom.host = bench->rom_bytes;
}

/* RAM that holds code is near for loads, but each store is looked at. */
static void memory_with_code_is_near_for_loads(void **state) {
    Bench *bench = *state;
    uint64_t value;
    mem_code_mark(&bench->map, 0x2000, 4);
    for (unsigned i = 1; i <= 3; i++) {
        assert_true(mem_write(&bench->map, 0x2000, 4, false, i));
        assert_true(mem_read(&bench->map, 0x2000, 4, false, &value) && value == i);
        assert_int_equal(bench->changes, i);
        mem_code_mark(&bench->map, 0x2000, 4);
        assert_true(mem_read(&bench->map, 0x2000, 4, false, &value) && value == i);
    }
    assert_ptr_equal(bench->map.rom.host, bench->ram_bytes);
    assert_null(bench->map.ram.host);
    assert_true(mem_read(&bench->map, ROM_BYTES - 1, 1, false, &value)); /* ROM takes its place */
    assert_ptr_equal(bench->map.rom.host, bench->rom_bytes);
    assert_false(mem_write(&bench->map, 0x10, 4, false, 1));
}

/* Straight access to bytes is given where it cannot be told from a load or store. */
static void plain_memory(void **state) {
    Bench *bench = *state;
    assert_ptr_equal(mem_plain(&bench->map, 0x2000, 32), bench->ram_bytes);
    assert_ptr_equal(mem_plain(&bench->map, 0x2404, 32), bench->ram_bytes + RAM_BYTES / 2 + 4);
    assert_non_null(mem_plain(&bench->map, 0x23e0, 32));
    assert_null(mem_plain(&bench->map, 0x23e1, 32)); /* into the next region */
    assert_null(mem_plain(&bench->map, 0, 4)); /* ROM */
    assert_null(mem_plain(&bench->map, 0x4000, 4)); /* a device */
    assert_null(mem_plain(&bench->map, 0x3000, 4)); /* nothing */
    mem_code_mark(&bench->map, 0x2040, 1); /* granule 0x2040..0x207f */
    assert_non_null(mem_plain(&bench->map, 0x2020, 32));
    assert_null(mem_plain(&bench->map, 0x2021, 32));
    assert_null(mem_plain(&bench->map, 0x2050, 4));
    assert_null(mem_plain(&bench->map, 0x2030, 128));
    assert_non_null(mem_plain(&bench->map, 0x2080, 32));
}

/* Regions that are added while others are remembered. */
static void remembered_regions(void **state) {
    Bench *bench = *state;
    for (uint64_t base = 0x100000; base < 0x140000; base += 0x1000) {
        MemRegion region = {.base = base, .size = 0x800, .name = "more"};
        assert_true(mem_map_add(&bench->map, &region, &bench->ram, NULL, NULL));
        for (uint64_t at = 0x100000; at <= base; at += 0x1000) {
            const MemRegion *r = mem_region_at(&bench->map, at + 0x7ff);
            assert_true(r && r->base == at && r >= bench->map.regions);
            assert_true(r < bench->map.regions + bench->map.n_regions);
            assert_null(mem_region_at(&bench->map, at + 0x800));
        }
    }
    assert_string_equal(mem_region_at(&bench->map, 0x4000)->name, "device");
}

static void debug_access(void **state) {
    Bench *bench = *state;
    uint8_t bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8}, back[8];
    assert_true(mem_poke(&bench->map, 0x23fc, bytes, 8)); /* across ram and alias */
    assert_memory_equal(bench->ram_bytes + 0x3fc, bytes, 4);
    assert_memory_equal(bench->ram_bytes + RAM_BYTES / 2, bytes + 4, 4);
    assert_true(mem_peek(&bench->map, 0x23fc, back, 8));
    assert_memory_equal(back, bytes, 8);
    uint64_t end = 0x2400 + RAM_BYTES / 2;
    memset(bench->ram_bytes + RAM_BYTES - 4, 0, 4);
    assert_false(mem_poke(&bench->map, end - 4, bytes, 8)); /* nothing is written */
    assert_int_equal(bench->ram_bytes[RAM_BYTES - 1], 0);
    assert_false(mem_peek(&bench->map, end - 4, back, 8));
    assert_false(mem_peek(&bench->map, 0x4000, back, 1));
    assert_true(bench->reads == 0);
    assert_true(mem_peek(&bench->map, 0x9999999, back, 0));
}

#define BENCH_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* ---- Pools ---- */

/* Ranges do not overlap, come back as zeros, and what was given back is used again. */
static void give_and_take(bool files) {
    enum { RANGES = 40, ROUNDS = 400 };
    MemPool *pool = pool_new(files);
    PoolRange ranges[RANGES] = {{0}}, all;
    Rng rng;
    rng_seed(&rng, 3);
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned i = (unsigned)rng_below(&rng, RANGES);
        if (ranges[i].host) {
            for (uint64_t at = 0; at < ranges[i].size; at += 4096) {
                assert_int_equal(ranges[i].host[at], i + 1);
            }
            pool_give(pool, &ranges[i]);
            ranges[i].host = NULL;
            continue;
        }
        uint64_t size = 1 + rng_below(&rng, 100000);
        assert_true(pool_take(pool, size, &ranges[i]));
        assert_true(ranges[i].size >= size && ranges[i].size % 4096 == 0);
        for (uint64_t at = 0; at < ranges[i].size; at += 4096) {
            assert_int_equal(ranges[i].host[at], 0);
            ranges[i].host[at] = (uint8_t)(i + 1);
        }
    }
    int fd = -1;
    for (unsigned i = 0; i < RANGES; i++) {
        if (ranges[i].host) {
            fd = ranges[i].fd;
            assert_true((fd >= 0) == files);
            pool_give(pool, &ranges[i]);
        }
    }
    assert_true(pool_take(pool, 256 << 20, &all)); /* large: in a file, and if all are there, one piece again */
    assert_true(all.fd >= 0);
    assert_true(!files || all.fd == fd);
    assert_int_equal(all.offset, 0);
    pool_give(pool, &all);
    pool_free(pool);
}

static void pools_give_and_take(void **state) {
    (void)state;
    give_and_take(true);
    give_and_take(false);
}

/* ---- Marks that memories of several nodes share ---- */

static void shared_marks_say_what_is_pristine(void **state) {
    Bench *bench = *state;
    uint8_t marks[RAM_BYTES >> MEM_GRANULE_SHIFT] = {MEM_PRISTINE, MEM_PRISTINE, MEM_PRISTINE, MEM_PLAIN};
    mem_marks_share(&bench->map, &bench->ram, marks, 0, 192);
    mem_code_mark(&bench->map, 0x2000, 70);
    assert_false(bench->map.code_refused);
    assert_int_equal(marks[0], MEM_CODE);
    assert_int_equal(marks[1], MEM_CODE);
    assert_int_equal(marks[2], MEM_PRISTINE);
    /* A store to what nobody has translated takes it out, in silence. */
    assert_true(mem_write(&bench->map, 0x2080, 4, false, 1));
    assert_int_equal(marks[2], MEM_PLAIN);
    assert_int_equal(bench->changes, 0);
    mem_code_mark(&bench->map, 0x2080, 4);
    assert_true(bench->map.code_refused);
    /* One to code is told, and the others keep theirs. */
    assert_true(mem_write(&bench->map, 0x2040, 4, false, 1));
    assert_int_equal(bench->changes, 1);
    assert_int_equal(marks[1], MEM_CODE);
    bench->map.code_refused = false;
    mem_code_mark(&bench->map, 0x20c0, 4);
    assert_true(bench->map.code_refused);
    mem_marks_own(&bench->map);
    assert_null(bench->ram.code);
}

/* ---- Translation tables ---- */

static void marked(MemMap *map, const Memory *memory, uint64_t offset, uint64_t size) {
    Bench *bench = CONTAINER_OF(map, Bench, map);
    bench->marks++;
    bench->changed_offset = offset;
    bench->changed_size = size;
    assert_ptr_equal(memory, &bench->ram);
}

static void stores_to_tables_are_told(void **state) {
    Bench *bench = *state;
    MemMap *map = &bench->map;
    uint64_t value;
    map->marked = marked;
    assert_true(mem_write(map, 0x2100, 4, true, 0x11223344));
    assert_true(mem_table_read(map, 0x2100, 4, true, &value));
    assert_int_equal(value, 0x11223344);
    assert_int_equal(bench->marks, 1);
    assert_int_equal(bench->changed_offset, 0x100);
    assert_true(mem_table_read(map, 0x2104, 4, true, &value)); /* the same granule */
    assert_int_equal(bench->marks, 1);
    /* Marking an entry as referenced is no change. */
    mem_table_write(map, 0x2100, 4, true, 0x11223364);
    assert_int_equal(bench->changes, 0);
    assert_true(mem_read(map, 0x2100, 4, true, &value));
    assert_int_equal(value, 0x11223364);
    /* A store is, and only the first one. */
    assert_true(mem_write(map, 0x213c, 4, true, 1));
    assert_true(mem_write(map, 0x213c, 4, true, 2));
    assert_int_equal(bench->changes, 1);
    assert_int_equal(bench->changed_offset, 0x100);
    assert_int_equal(bench->changed_size, 64);
    /* Where code was translated from, that is told, and the table is watched on. */
    mem_code_mark(map, 0x2100, 4);
    mem_table_write(map, 0x2100, 4, true, 5);
    assert_int_equal(bench->changes, 2);
    assert_true(mem_write(map, 0x2100, 4, true, 6));
    assert_int_equal(bench->changes, 3);
    /* Tables are in memory. What cannot be written stays as it is. */
    assert_false(mem_table_read(map, 0x4000, 4, true, &value));
    assert_false(mem_table_read(map, 0x9000, 4, true, &value));
    assert_int_equal(bench->reads, 0);
    map->marked = NULL;
    assert_true(mem_table_read(map, 0x10, 4, true, &value));
    mem_table_write(map, 0x10, 4, true, 7);
    assert_int_equal(bench->rom_bytes[0x13], 0);
}

static void pages_are_plain_or_not(void **state) {
    enum { PAGE = 4096 };
    static uint8_t bytes[3 * PAGE];
    (void)state;
    MemMap map = {0};
    Memory ram = {.name = "ram", .host = bytes, .size = sizeof bytes};
    const MemRegion regions[] = {{.base = 0x10000, .size = sizeof bytes - 16, .name = "ram"},
                                 {.base = 0x20800, .size = 2 * PAGE, .name = "askew"}};
    uint64_t value;
    bool store;
    assert_true(mem_map_add(&map, &regions[0], &ram, NULL, NULL));
    assert_true(mem_map_add(&map, &regions[1], &ram, NULL, NULL));
    assert_ptr_equal(mem_page(&map, 0x10123, &store), bytes);
    assert_true(store);
    assert_true(mem_table_read(&map, 0x10ffc, 4, true, &value));
    assert_ptr_equal(mem_page(&map, 0x10123, &store), bytes);
    assert_false(store);
    assert_ptr_equal(mem_page(&map, 0x11fff, &store), bytes + PAGE);
    assert_true(store);
    assert_null(mem_page(&map, 0x12000, &store)); /* not all of it is there */
    assert_false(store);
    assert_ptr_equal(mem_page(&map, 0x21000, &store), bytes + 0x800);
    assert_false(store);
    ram.read_only = true;
    assert_ptr_equal(mem_page(&map, 0x11000, &store), bytes + PAGE);
    assert_false(store);
    mem_map_free(&map);
}

/* The host says so when a system call is to store there. */
static bool can_store(uint8_t *at) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], at, 1), 1);
    ssize_t n = read(ends[0], at, 1);
    close(ends[0]);
    close(ends[1]);
    return n == 1;
}

static void text_is_protected_at_once(void **state) {
    (void)state;
    enum { PAGE = 1 << MEM_PAGE_SHIFT, PAGES = 16 };
    MemMap map = {0};
    Memory memory = {0};
    memory_alloc(&memory, PAGES * PAGE);
    const MemRegion twice[] = {{.base = 0x10000, .size = PAGES * PAGE, .name = "text"},
                               {.base = 0x40000, .size = PAGES * PAGE, .name = "again"}};
    assert_true(mem_map_add(&map, &twice[0], &memory, NULL, NULL));
    assert_true(mem_map_add(&map, &twice[1], &memory, NULL, NULL));
    assert_true(mem_fast_enable(&map));
    mem_code_expect(&map, 0x10000 + PAGE / 2, 5 * PAGE, true); /* pages 1 to 4 are whole */
    mem_code_expect(&map, 0x10000 + 8 * PAGE, 2 * PAGE, true); /* less */
    mem_code_expect(&map, 0x10000 + 8 * PAGE, 8 * PAGE, false); /* or data */
    for (unsigned page = 0; page < PAGES; page++) {
        assert_true(can_store(map.fast + 0x10000 + page * PAGE));
    }
    mem_code_mark(&map, 0x12000, 4);
    mem_code_mark(&map, 0x19ffe, 4); /* pages 9 and 10 */
    for (unsigned page = 0; page < PAGES; page++) {
        bool taken = (page >= 1 && page <= 4) || page == 9 || page == 10;
        assert_int_equal(can_store(map.fast + 0x10000 + page * PAGE), !taken);
        assert_int_equal(can_store(map.fast + 0x40000 + page * PAGE), !taken);
    }
    assert_true(mem_write(&map, 0x13000, 4, false, 5)); /* as before */
    mem_code_mark(&map, 0x13000, 4);
    assert_false(can_store(map.fast + 0x13000));
    mem_map_free(&map);
    memory_free(&memory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BENCH_TEST(regions_are_found),
        BENCH_TEST(bad_regions_are_refused),
        BENCH_TEST(accesses_agree_with_bytes),
        BENCH_TEST(device_windows),
        BENCH_TEST(read_only_memory),
        BENCH_TEST(stores_to_code_are_told),
        BENCH_TEST(near_memory_is_forgotten),
        BENCH_TEST(memory_with_code_is_near_for_loads),
        BENCH_TEST(plain_memory),
        BENCH_TEST(remembered_regions),
        BENCH_TEST(debug_access),
        BENCH_TEST(pools_give_and_take),
        BENCH_TEST(shared_marks_say_what_is_pristine),
        BENCH_TEST(stores_to_tables_are_told),
        cmocka_unit_test(pages_are_plain_or_not),
        cmocka_unit_test(text_is_protected_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
