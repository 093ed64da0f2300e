/* The LEON boards: a plug-and-play scan as the GRLIB manual describes it, against what the manuals of the chips list;
 * and the GRLIB devices that are registers and little else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "bus/amba.h"
#include "bus/device_types.h"
#include "leon_rig.h"
#include "sim/machine.h"

/* ---- A board without processors ---------------------------------------------------------------------------------- */

typedef struct BoardCpu {
    FakeLeon leon;
    const char *type;
    uint64_t hz;
    uint32_t id, reset_address;
} BoardCpu;

static void board_cpu_describe(const Device *dev, AmbaRecord *record);

static bool board_cpu_init(Device *dev, Err *err) {
    (void)err;
    BoardCpu *cpu = (BoardCpu *)dev;
    cpu->leon.port.set_level = fake_leon_level;
    cpu->leon.port.start = fake_leon_start;
    cpu->leon.port.set_entry = fake_leon_entry;
    cpu->leon.port.stopped = fake_leon_stopped;
    cpu->leon.port.hold = fake_leon_hold;
    cpu->leon.held = cpu->id != 0;
    return true;
}

static const Prop board_cpu_props[] = {
    PROP_STRING(BoardCpu, type, "cpuType", "model"),
    PROP_U64(BoardCpu, hz, "clockFrequency", 0, "Hz"),
    PROP_U32(BoardCpu, id, "cpuId", 0, "number"),
    PROP_U32(BoardCpu, reset_address, "resetAddress", 0, "first instruction"),
};
static const char *const board_cpu_names[] = {"CPU.LEON3", "CPU.LEON4", NULL};
static const AmbaCore board_cpu_amba = {.vendor = 1, .irq_output = 1, .describe = board_cpu_describe};
static const DeviceType board_cpu_type = {
    .name = "board-cpu",
    .repl_types = board_cpu_names,
    .struct_size = sizeof(BoardCpu),
    DEVICE_TABLE(props, board_cpu_props),
    .leon_irq_offset = offsetof(BoardCpu, leon.port),
    .n_inputs = 1,
    .init = board_cpu_init,
    .input = fake_leon_input,
    .amba = &board_cpu_amba,
};

static void board_cpu_describe(const Device *dev, AmbaRecord *record) {
    const char *type = ((const BoardCpu *)dev)->type;
    record->device = strcmp(type, "gr712rc") == 0 ? 0x053 : strcmp(type, "gr740") == 0 ? 0x048 : 0x003;
}

typedef struct Bench {
    FakeBoard fake;
    Machine machine;
    RigProbe *probe;
    Arena files;
} Bench;

static int setup(void **state) {
    Bench *bench = mem_alloc(sizeof *bench);
    *bench = (Bench){0};
    fake_board_init(&bench->fake);
    bench->probe = fake_device_new(&bench->fake, &rig_probe_type, "probe");
    *state = bench;
    return 0;
}

static int teardown(void **state) {
    Bench *bench = *state;
    mem_map_free(&bench->fake.board.map);
    bench->fake.board.map = (MemMap){0};
    machine_free(&bench->machine);
    fake_board_free(&bench->fake);
    arena_free(&bench->files);
    mem_free(bench);
    return 0;
}

static void board_new(Bench *bench, const char *name) {
    const DeviceType **types = mem_alloc((device_types_count + 1) * sizeof *types);
    memcpy(types, device_types, device_types_count * sizeof *types);
    types[device_types_count] = &board_cpu_type; /* instead of the real one */
    MachineOptions options = {.types = types, .n_types = device_types_count + 1};
    ReplSearch search = {.boards = orr_boards, .n_boards = orr_boards_count};
    Err err = {0};
    ReplFile *file = repl_load_board(&bench->files, name, &search, &err);
    if (!file || !machine_build(&bench->machine, &bench->fake.board, file, &options, &err)) {
        fail_msg("%s", err.text);
    }
    mem_free(types);
    machine_reset(&bench->machine, true);
}

static uint32_t load(Bench *bench, uint64_t addr) {
    uint64_t value = 0;
    if (!mem_read(&bench->fake.board.map, addr, 4, true, &value)) {
        fail_msg("bus error at 0x%08x", (unsigned)addr);
    }
    return (uint32_t)value;
}

/* ---- The scan ---------------------------------------------------------------------------------------------------- */

typedef enum Kind { MASTER = 1, SLAVE, APB } Kind;

typedef struct Found {
    Kind kind;
    uint32_t vendor, device, version, irq;
    struct {
        uint32_t address;
        uint64_t size;
    } areas[4];
    unsigned n_areas;
} Found;

typedef struct Scan {
    Bench *bench;
    Found found[128];
    unsigned n;
} Scan;

static Found *found_new(Scan *scan, Kind kind, uint32_t id) {
    Found *f = &scan->found[scan->n++];
    *f = (Found){.kind = kind, .vendor = id >> 24, .device = id >> 12 & 0xFFF, .version = id >> 5 & 0x1F,
                 .irq = id & 0x1F};
    return f;
}

static void bar_read(Found *f, uint32_t bar, uint32_t io_base) {
    uint32_t address = bar >> 20, mask = bar >> 4 & 0xFFF, type = bar & 0xF;
    if (type == 2) {
        f->areas[f->n_areas].address = address << 20;
        f->areas[f->n_areas++].size = (uint64_t)((~mask & 0xFFF) + 1) << 20;
    } else if (type == 1 || type == 3) {
        f->areas[f->n_areas].address = io_base | address << 8;
        f->areas[f->n_areas++].size = (uint64_t)((~mask & 0xFFF) + 1) << 8;
    }
}

static void scan_apb(Scan *scan, uint32_t base) {
    for (unsigned i = 0; i < 512; i++) {
        uint32_t id = load(scan->bench, base + 0xFF000 + 8 * i);
        if (id) {
            bar_read(found_new(scan, APB, id), load(scan->bench, base + 0xFF000 + 8 * i + 4), base);
        }
    }
}

static void scan_ahb(Scan *scan, uint32_t io_area) {
    for (unsigned i = 0; i < 126; i++) { /* the last two slots would hold the chip's identity */
        uint32_t at = io_area + 0xFF000 + 32 * i, id = load(scan->bench, at);
        if (!id) {
            continue;
        }
        unsigned own = scan->n;
        Found *f = found_new(scan, i < 64 ? MASTER : SLAVE, id);
        for (unsigned bar = 4; bar < 8; bar++) {
            bar_read(f, load(scan->bench, at + 4 * bar), io_area);
        }
        uint32_t remote = load(scan->bench, at + 8);
        if (i < 64) {
            continue;
        }
        if (f->vendor == 1 && f->device == 0x006) {
            scan_apb(scan, scan->found[own].areas[0].address);
        } else if (remote && (f->device == 0x020 || f->device == 0x04B)) {
            scan_ahb(scan, remote);
        }
    }
}

enum { ANY = 32 }; /* a version that no source tells */

typedef struct Expected {
    Kind kind;
    uint32_t vendor, device, version, irq;
    uint32_t address; /* of the first area */
    uint64_t size;
    unsigned count; /* alike */
} Expected;

static bool same(const Found *f, const Expected *e) {
    bool area = e->size ? f->n_areas && f->areas[0].address == e->address && f->areas[0].size == e->size : !f->n_areas;
    return f->kind == e->kind && f->vendor == e->vendor && f->device == e->device && f->irq == e->irq && area &&
           (e->version == ANY || f->version == e->version);
}

/* Every expected record is found as often as it is expected, and nothing else. */
static void assert_scan(Bench *bench, const Expected *expected, size_t n) {
    Scan scan = {.bench = bench};
    scan_ahb(&scan, 0xFFF00000);
    unsigned total = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned count = 0;
        for (unsigned k = 0; k < scan.n; k++) {
            count += same(&scan.found[k], &expected[i]);
        }
        if (count != (expected[i].count ? expected[i].count : 1)) {
            fail_msg("row %zu (device 0x%03x at 0x%08x): found %u times", i, expected[i].device, expected[i].address,
                     count);
        }
        total += count;
    }
    for (unsigned k = 0; k < scan.n; k++) {
        bool known = false;
        for (size_t i = 0; i < n; i++) {
            known |= same(&scan.found[k], &expected[i]);
        }
        if (!known) {
            fail_msg("not expected: kind %d device 0x%03x v%u irq %u at 0x%08x size 0x%llx", (int)scan.found[k].kind,
                     scan.found[k].device, scan.found[k].version, scan.found[k].irq, scan.found[k].areas[0].address,
                     (unsigned long long)scan.found[k].areas[0].size);
        }
    }
    assert_int_equal(total, scan.n);
}

/* An area of a slave behind its first one. */
typedef struct More {
    uint32_t device, address;
    uint64_t size;
} More;

static void assert_more_areas(Bench *bench, const More *more, size_t n) {
    Scan scan = {.bench = bench};
    size_t seen = 0;
    scan_ahb(&scan, 0xFFF00000);
    for (unsigned k = 0; k < scan.n; k++) {
        const Found *f = &scan.found[k];
        for (unsigned i = 1; i < f->n_areas; i++, seen++) {
            bool known = false;
            for (size_t m = 0; m < n; m++) {
                known |= more[m].device == f->device && more[m].address == f->areas[i].address &&
                         more[m].size == f->areas[i].size;
            }
            if (!known) {
                fail_msg("not expected: area 0x%08x of device 0x%03x, size 0x%llx", f->areas[i].address, f->device,
                         (unsigned long long)f->areas[i].size);
            }
        }
    }
    assert_int_equal(seen, n);
}

enum { MIB = 0x100000 };

/* As QEMU's leon3_generic (hw/sparc/leon3.c); the memory controller and DSU3 as in listings of GRMON. */
static void leon3_plug_and_play(void **state) {
    static const Expected expected[] = {
        {MASTER, 1, 0x003, 0, 0, 0, 0, 1},
        {SLAVE, 4, 0x00F, 1, 0, 0x00000000, 0x20000000, 1},
        {SLAVE, 1, 0x006, 0, 0, 0x80000000, MIB, 1},
        {SLAVE, 1, 0x004, 1, 0, 0x90000000, 0x10000000, 1},
        {APB, 4, 0x00F, 1, 0, 0x80000000, 0x100, 1},
        {APB, 1, 0x00C, 1, 3, 0x80000100, 0x100, 1},
        {APB, 1, 0x00D, 2, 0, 0x80000200, 0x100, 1},
        {APB, 1, 0x011, 0, 6, 0x80000300, 0x100, 1},
    };
    board_new(*state, "leon3");
    assert_scan(*state, expected, ARRAY_LEN(expected));
}

/* GR712RC User's Manual 2.9: cores with their identities, memory map, and table 40 (interrupts); versions, SATCAN and
 * the interrupts of masters by pnp.h of BCC 2 for this chip. */
static void gr712rc_plug_and_play(void **state) {
    static const Expected expected[] = {
        {MASTER, 1, 0x053, 0, 0, 0, 0, 2},
        {MASTER, 1, 0x01C, 0, 0, 0, 0, 1},
        {MASTER, 1, 0x01D, 0, 0, 0, 0, 1},
        {MASTER, 1, 0x080, 0, 0, 0, 0, 1},
        {MASTER, 1, 0x029, 0, 22, 0, 0, 1},
        {MASTER, 1, 0x029, 0, 23, 0, 0, 1},
        {MASTER, 1, 0x029, 0, 24, 0, 0, 1},
        {MASTER, 1, 0x029, 0, 25, 0, 0, 1},
        {MASTER, 1, 0x029, 0, 26, 0, 0, 1},
        {MASTER, 1, 0x029, 0, 27, 0, 0, 1},
        {MASTER, 1, 0x072, 0, 0, 0, 0, 1},
        {MASTER, 1, 0x031, 2, 0, 0, 0, 1},
        {MASTER, 1, 0x030, 0, 0, 0, 0, 1},
        {MASTER, 1, 0x02F, 1, 0, 0, 0, 1},
        {SLAVE, 1, 0x054, 1, 0, 0x00000000, 0x20000000, 1},
        {SLAVE, 1, 0x006, 0, 0, 0x80000000, MIB, 1},
        {SLAVE, 1, 0x004, 1, 0, 0x90000000, 0x10000000, 1},
        {SLAVE, 1, 0x006, 0, 0, 0x80100000, MIB, 1},
        {SLAVE, 1, 0x019, 1, 5, 0xFFF30000, 0x1000, 1},
        {SLAVE, 1, 0x050, 18, 0, 0xA0000000, MIB, 1},
        {SLAVE, 1, 0x080, 0, 14, 0xFFF20000, 0x100, 1},
        {SLAVE, 1, 0x072, 0, 14, 0xFFF00000, 0x1000, 1},
        {SLAVE, 1, 0x031, 2, 14, 0xFFF10000, 0x100, 1},
        {APB, 1, 0x054, 1, 0, 0x80000000, 0x100, 1},
        {APB, 1, 0x00C, 1, 2, 0x80000100, 0x100, 1},
        {APB, 1, 0x00D, 3, 0, 0x80000200, 0x100, 1},
        {APB, 1, 0x011, 0, 8, 0x80000300, 0x100, 1},
        {APB, 1, 0x02D, 2, 13, 0x80000400, 0x100, 1},
        {APB, 1, 0x081, 0, 0, 0x80000500, 0x100, 1},
        {APB, 1, 0x087, 0, 0, 0x80000600, 0x100, 1},
        {APB, 1, 0x043, 0, 16, 0x80000700, 0x100, 1},
        {APB, 1, 0x02F, 1, 13, 0x80000800, 0x100, 1},
        {APB, 1, 0x01A, 0, 0, 0x80000900, 0x100, 1},
        {APB, 1, 0x01A, 0, 0, 0x80000A00, 0x100, 1},
        {APB, 1, 0x030, 0, 29, 0x80000B00, 0x100, 1},
        {APB, 1, 0x028, 1, 28, 0x80000C00, 0x100, 1},
        {APB, 1, 0x02C, 0, 0, 0x80000D00, 0x100, 1},
        {APB, 1, 0x01D, 0, 14, 0x80000E00, 0x100, 1},
        {APB, 1, 0x052, 0, 1, 0x80000F00, 0x100, 1},
        {APB, 1, 0x050, 18, 0, 0x80100000, 0x100, 1},
        {APB, 1, 0x00C, 1, 17, 0x80100100, 0x100, 1},
        {APB, 1, 0x00C, 1, 18, 0x80100200, 0x100, 1},
        {APB, 1, 0x00C, 1, 19, 0x80100300, 0x100, 1},
        {APB, 1, 0x00C, 1, 20, 0x80100400, 0x100, 1},
        {APB, 1, 0x00C, 1, 21, 0x80100500, 0x100, 1},
        {APB, 1, 0x038, 1, 7, 0x80100600, 0x100, 1},
        {APB, 1, 0x029, 0, 22, 0x80100800, 0x100, 1},
        {APB, 1, 0x029, 0, 23, 0x80100900, 0x100, 1},
        {APB, 1, 0x029, 0, 24, 0x80100A00, 0x100, 1},
        {APB, 1, 0x029, 0, 25, 0x80100B00, 0x100, 1},
        {APB, 1, 0x029, 0, 26, 0x80100C00, 0x100, 1},
        {APB, 1, 0x029, 0, 27, 0x80100D00, 0x100, 1},
    };
    static const More more[] = {{0x054, 0x20000000, 0x20000000}, {0x054, 0x40000000, 0x40000000}};
    Bench *bench = *state;
    board_new(bench, "gr712rc");
    assert_scan(bench, expected, ARRAY_LEN(expected));
    assert_more_areas(bench, more, ARRAY_LEN(more));
    assert_int_equal(load(bench, 0xFFFFFFF0) >> 16, 0x712);
    /* FTMCTRL's three areas; words as the manual draws them: ADDR, prefetchable, cacheable, MASK, TYPE */
    assert_int_equal(load(bench, 0xFFFFF800), 0x01054020);
    assert_int_equal(load(bench, 0xFFFFF810), 0x0003E002);
    assert_int_equal(load(bench, 0xFFFFF814), 0x2000E002);
    assert_int_equal(load(bench, 0xFFFFF818), 0x4003C002);
    assert_int_equal(load(bench, 0x800FF008), 0x0100C022);
    assert_int_equal(load(bench, 0x800FF00C), 0x0010FFF1);
}

/* GR740 User's Manual 1.7: cores with their identities, memory map, interrupts. Versions are not in it. */
static void gr740_plug_and_play(void **state) {
    static const Expected expected[] = {
        {MASTER, 1, 0x048, ANY, 0, 0, 0, 4},
        {MASTER, 1, 0x04F, ANY, 0, 0, 0, 1},
        {MASTER, 1, 0x020, ANY, 0, 0, 0, 2}, /* from the debug bus, and on the slave I/O bus */
        {SLAVE, 1, 0x04B, ANY, 28, 0x00000000, 0x80000000, 1},
        {MASTER, 1, 0x04B, ANY, 0, 0, 0, 1}, /* on the memory bus */
        {MASTER, 1, 0x057, ANY, 0, 0, 0, 1},
        {SLAVE, 1, 0x05D, ANY, 0, 0x00000000, 0x80000000, 1},
        {SLAVE, 1, 0x057, ANY, 28, 0xFFE01000, 0x100, 1},
        {SLAVE, 1, 0x020, ANY, 0, 0x80000000, 0x40000000, 1},
        {SLAVE, 1, 0x006, ANY, 0, 0xFF900000, MIB, 1},
        {SLAVE, 1, 0x006, ANY, 0, 0xFFA00000, MIB, 1},
        {SLAVE, 1, 0x07C, ANY, 11, 0x80000000, 0x40000000, 1},
        {SLAVE, 1, 0x04F, ANY, 31, 0xFF840000, 0x8000, 1},
        {SLAVE, 1, 0x08B, ANY, 0, 0xFF880000, 0x2000, 1},
        {SLAVE, 1, 0x054, ANY, 0, 0xC0000000, 0x10000000, 1},
        {APB, 1, 0x00C, ANY, 29, 0xFF900000, 0x100, 1},
        {APB, 1, 0x00C, ANY, 30, 0xFF901000, 0x100, 1},
        {APB, 1, 0x01A, ANY, 16, 0xFF902000, 0x100, 1},
        {APB, 1, 0x054, ANY, 0, 0xFF903000, 0x100, 1},
        {APB, 1, 0x00D, ANY, 0, 0xFF904000, 0x4000, 1},
        {APB, 1, 0x011, ANY, 1, 0xFF908000, 0x100, 1},
        {APB, 1, 0x011, ANY, 6, 0xFF909000, 0x100, 1},
        {APB, 1, 0x011, ANY, 7, 0xFF90A000, 0x100, 1},
        {APB, 1, 0x011, ANY, 8, 0xFF90B000, 0x100, 1},
        {APB, 1, 0x011, ANY, 9, 0xFF90C000, 0x100, 1},
        {APB, 1, 0x08A, ANY, 20, 0xFF90D000, 0x1000, 1},
        {APB, 1, 0x08A, ANY, 21, 0xFF90E000, 0x1000, 1},
        {APB, 1, 0x08A, ANY, 22, 0xFF90F000, 0x1000, 1},
        {APB, 1, 0x08A, ANY, 23, 0xFF910000, 0x1000, 1},
        {APB, 1, 0x01D, ANY, 24, 0xFF940000, 0x40000, 1},
        {APB, 1, 0x01D, ANY, 25, 0xFF980000, 0x40000, 1},
        {APB, 1, 0x07C, ANY, 11, 0xFFA00000, 0x100, 1},
        {APB, 1, 0x03D, ANY, 16, 0xFFA01000, 0x400, 1},
        {APB, 1, 0x03D, ANY, 17, 0xFFA02000, 0x400, 1},
        {APB, 1, 0x02D, ANY, 19, 0xFFA03000, 0x100, 1},
        {APB, 1, 0x02C, ANY, 0, 0xFFA04000, 0x100, 1},
        {APB, 1, 0x04D, ANY, 26, 0xFFA05000, 0x100, 1},
        {APB, 1, 0x052, ANY, 27, 0xFFA06000, 0x100, 1},
        {APB, 1, 0x052, ANY, 27, 0xFFA07000, 0x100, 1},
        {APB, 1, 0x01A, ANY, 16, 0xFFA08000, 0x100, 1},
        {APB, 1, 0x087, ANY, 0, 0xFFA09000, 0x100, 1},
        {APB, 1, 0x099, ANY, 0, 0xFFA0A000, 0x100, 1},
        {APB, 1, 0x08F, ANY, 0, 0xFFA0B000, 0x100, 1},
        {APB, 1, 0x097, ANY, 18, 0xFFA0C000, 0x200, 1},
        {APB, 1, 0x047, ANY, 0, 0xFFA0D000, 0x400, 1},
    };
    /* the cache's registers and the I/O area behind it; registers of SDRAM and PCI; I/O beside the PROM; behind the
     * bridge: PROM and its I/O, APB bridges */
    static const More more[] = {{0x04B, 0xF0000000, 0x400000}, {0x04B, 0xFFE00000, MIB},
                                {0x05D, 0xFFE00000, 0x100},      {0x07C, 0xFF800000, 0x40000},
                                {0x054, 0xD0000000, 0x10000000},
                                {0x020, 0xC0000000, 0x20000000}, {0x020, 0xFF800000, 0x400000}};
    Bench *bench = *state;
    board_new(bench, "gr740");
    assert_scan(bench, expected, ARRAY_LEN(expected));
    assert_more_areas(bench, more, ARRAY_LEN(more));
    assert_int_equal(load(bench, 0xFFFFF814), 0xF000FFC2); /* the cache's registers are its second area */
    assert_int_equal(load(bench, 0xEFFFF800) >> 12, 0x01049);
}

/* ---- What is not there ------------------------------------------------------------------------------------------- */

static void stubs_and_holes(void **state) {
    Bench *bench = *state;
    board_new(bench, "gr712rc");
    assert_int_equal(load(bench, 0xFFF00004), 0);
    assert_int_equal(bench->fake.lines, 1);
    assert_non_null(strstr(bench->fake.last_line, "b1553brm"));
    assert_int_equal(load(bench, 0x80050000), 0); /* between APB slaves: no bus error */
    assert_int_equal(bench->fake.lines, 2);
    uint64_t value;
    assert_false(mem_read(&bench->fake.board.map, 0xB0000000, 4, true, &value));
    assert_true(mem_write(&bench->fake.board.map, 0x800FF000, 4, true, 0)); /* the table is read-only */
    assert_int_equal(load(bench, 0x800FF000), 0x01054020);
    /* narrow and double accesses as a big-endian bus does them */
    assert_true(mem_read(&bench->fake.board.map, 0xFFFFF800, 1, true, &value) && value == 0x01);
    assert_true(mem_read(&bench->fake.board.map, 0xFFFFF802, 2, true, &value) && value == 0x4020);
    assert_true(mem_read(&bench->fake.board.map, 0x800FF008, 8, true, &value));
    assert_true(value == UINT64_C(0x0100C0220010FFF1));
}

static void boot_loader_prepares(void **state) {
    Bench *bench = *state;
    board_new(bench, "gr712rc");
    Err err;
    Device *loader = machine_device(&bench->machine, "boot", &err);
    assert_int_equal(load(bench, 0x80000348), 9); /* the watchdog runs */
    loader->type->boot(loader);
    assert_int_equal(load(bench, 0x80000348), 0);
    assert_int_equal(load(bench, 0x80000304), 79); /* 80 MHz to 1 MHz */
    assert_int_equal(load(bench, 0x80000300), 79);
    assert_int_equal(load(bench, 0x80000108) & 3, 3);
    assert_int_equal(load(bench, 0x8000010C), 80000000 / (8 * 38400) - 1);
    assert_int_equal(load(bench, 0x80000004), 0x9AA05460);
}

static void all_released_through_mpstat(void **state) {
    Bench *bench = *state;
    board_new(bench, "gr740");
    assert_int_equal(load(bench, 0xFF904010), 3 << 28 | 3 << 26 | 10 << 16 | 0xE);
    assert_true(mem_write(&bench->fake.board.map, 0xFF904010, 4, true, 0xE));
    assert_int_equal(load(bench, 0xFF904010) & 0xF, 0);
}

/* Interrupts arrive through the or-gates that shared lines have. */
static void gpio_interrupts_reach_the_processor(void **state) {
    Bench *bench = *state;
    MemMap *map = &bench->fake.board.map;
    board_new(bench, "gr740");
    Err err;
    Device *gpio = machine_device(&bench->machine, "gpio1", &err), *cpu = machine_device(&bench->machine, "cpu0", &err);
    assert_true(mem_write(map, 0xFF904040, 4, true, 1 << 17));
    assert_true(mem_write(map, 0xFFA08020, 4, true, 0x00010000)); /* pin 1 to the second generator */
    assert_true(mem_write(map, 0xFFA08010, 4, true, 2));
    assert_true(mem_write(map, 0xFFA08014, 4, true, 2));
    assert_true(mem_write(map, 0xFFA0800C, 4, true, 2));
    gpio->type->input(gpio, 1, true);
    assert_int_equal(((BoardCpu *)cpu)->leon.level, 10);
    assert_int_equal(fake_leon_take(&((BoardCpu *)cpu)->leon), 10);
    assert_int_equal(load(bench, 0xFF9040C0), 17);
}

/* ---- Devices that are mostly registers --------------------------------------------------------------------------- */

extern const DeviceType gaisler_gpio_packed_type;
extern const DeviceType gaisler_grgpio_type, gaisler_grgpreg_type, gaisler_grgprbank_type, gaisler_clkgate_type,
    gaisler_ahbstat_type, gaisler_ftmctrl_type, gaisler_mmctrl_type, gaisler_memscrub_type, gaisler_l2cache_type,
    gaisler_dsu_type;

static Device *device_new(Bench *bench, const DeviceType *type, const char *name, uint64_t value) {
    Device *dev = fake_device_new(&bench->fake, type, "dut");
    assert_true(!name || rig_set(dev, name, value));
    assert_true(fake_device_start(dev));
    return dev;
}

static void grgpio_pins(void **state) {
    Bench *bench = *state;
    Device *g = device_new(bench, &gaisler_grgpio_type, NULL, 0);
    for (unsigned i = 0; i < 4; i++) {
        fake_wire(&bench->fake, rig_output(g, i), &bench->probe->dev, i);
        fake_wire(&bench->fake, rig_output(g, 32 + i), &bench->probe->dev, 8 + i);
    }
    assert_int_equal(rd(g, 0x1C), 31);
    wr(g, 0x04, 5);
    assert_int_equal(rd(g, 0x00), 0);
    wr(g, 0x08, 1);
    assert_int_equal(rd(g, 0x00), 1); /* what it drives itself */
    assert_true(bench->probe->level[0] && !bench->probe->level[2]);
    wr(g, 0x54, 2); /* or, and, xor views */
    wr(g, 0x58, 6);
    assert_int_equal(rd(g, 0x04), 7);
    assert_int_equal(rd(g, 0x08), 7);
    wr(g, 0x64, 3);
    wr(g, 0x74, 6);
    assert_int_equal(rd(g, 0x04), 5);
    wr(g, 0x08, 0);
    g->type->input(g, 3, true);
    assert_int_equal(rd(g, 0x00), 8);
    wr(g, 0x10, 2); /* pin 1: rising edge; 2: falling edge; 3: low level */
    wr(g, 0x14, 6);
    wr(g, 0x0C, UINT32_MAX);
    assert_int_equal(rd(g, 0x0C), 0xFFFE); /* pin 0 cannot interrupt */
    assert_false(bench->probe->level[11]);
    g->type->input(g, 3, false);
    assert_true(bench->probe->level[11]);
    g->type->input(g, 1, true);
    g->type->input(g, 2, true);
    assert_int_equal(bench->probe->rises[9], 1);
    assert_int_equal(bench->probe->rises[10], 0);
    g->type->input(g, 1, false);
    g->type->input(g, 2, false);
    assert_int_equal(bench->probe->rises[9], 1);
    assert_int_equal(bench->probe->rises[10], 1);
    assert_true(!bench->probe->level[9] && !bench->probe->level[10]);
}

/* Renode's numbers: with 16 pins interrupt 0, that of pin 1, is output 16. Pins 0 and 3 are inputs for ever. */
static void grgpio_packed(void **state) {
    Bench *bench = *state;
    Device *g = fake_device_new(&bench->fake, &gaisler_gpio_packed_type, "gpio");
    const char *pins = "0,3", *bad[] = {"16", "1,", "x", "1;2", "-1"};
    rig_set(g, "numberOfConnections", 16);
    rig_set(g, "numberOfInterrupts", 2);
    rig_set_text(g, "inputOnlyPins", pins);
    assert_true(fake_device_start(g));
    for (unsigned i = 0; i < 4; i++) {
        fake_wire(&bench->fake, rig_output(g, i), &bench->probe->dev, i);
        fake_wire(&bench->fake, rig_output(g, 16 + i), &bench->probe->dev, 8 + i);
    }
    wr(g, 0x04, 0xF);
    wr(g, 0x08, 0xF);
    assert_true(!bench->probe->level[0] && bench->probe->level[1] && bench->probe->level[2] && !bench->probe->level[3]);
    wr(g, 0x08, 0);
    wr(g, 0x10, UINT32_MAX); /* high levels */
    wr(g, 0x0C, UINT32_MAX);
    assert_int_equal(rd(g, 0x0C), 6);
    g->type->input(g, 1, true);
    assert_true(bench->probe->level[8] && !bench->probe->level[9]);
    g->type->input(g, 1, false);
    g->type->input(g, 2, true);
    assert_true(!bench->probe->level[8] && bench->probe->level[9]);
    Err err;
    assert_true(g->type->attach(g, &bench->probe->dev, 31, &err));
    assert_false(g->type->attach(g, &bench->probe->dev, 32, &err));
    assert_string_equal(err.text, "probe: pin 32 of gpio: expected 0 to 31");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        g = fake_device_new(&bench->fake, &gaisler_gpio_packed_type, "bad");
        rig_set_text(g, "inputOnlyPins", bad[i]);
        rig_set(g, "numberOfConnections", 16);
        assert_int_equal(fake_device_start(g), i == 1); /* a comma at the end is none the worse */
    }
    g = fake_device_new(&bench->fake, &gaisler_gpio_packed_type, "bad");
    rig_set(g, "numberOfInterrupts", 16);
    assert_false(fake_device_start(g));
}

static void grgpio_generators_and_flags(void **state) {
    Bench *bench = *state;
    Device *g = fake_device_new(&bench->fake, &gaisler_grgpio_type, "gpio");
    rig_set(g, "numberOfConnections", 16);
    rig_set(g, "interruptMask", 0xFFFF);
    rig_set(g, "interruptGenerators", 4);
    rig_set(g, "flagRegister", true);
    assert_true(fake_device_start(g));
    fake_wire(&bench->fake, rig_output(g, 32 + 3), &bench->probe->dev, 3);
    assert_int_equal(rd(g, 0x1C), 1 << 16 | 4 << 8 | 15);
    assert_int_equal(rd(g, 0x40), 0xFFFF);
    wr(g, 0x28, 0x03000000); /* pin 8 */
    assert_int_equal(rd(g, 0x28), 0x03000000);
    wr(g, 0x30, 0x03000000); /* pin 16 is not there */
    assert_int_equal(rd(g, 0x30), 0);
    wr(g, 0x10, 1 << 8);
    wr(g, 0x0C, 1 << 8);
    g->type->input(g, 8, true);
    assert_true(bench->probe->level[3]);
    wr(g, 0x44, 1 << 8);
    assert_int_equal(rd(g, 0x44), 1 << 8); /* the level is still there */
    g->type->input(g, 8, false);
    wr(g, 0x44, 1 << 8);
    assert_int_equal(rd(g, 0x44), 0);
    assert_false(bench->probe->level[3]);
}

static void registers_of_the_chip(void **state) {
    Bench *bench = *state;
    Device *g = device_new(bench, &gaisler_grgpreg_type, "resetValue", 0x1234);
    assert_int_equal(rd(g, 0), 0x1234);
    wr(g, 0, 5);
    wr(g, 4, 6);
    assert_int_equal(rd(g, 0), 5);
    assert_int_equal(rd(g, 4), 6);
    Device *b = device_new(bench, &gaisler_grgprbank_type, NULL, 0);
    wr(b, 0x04, 0xFF);
    wr(b, 0x0C, 0x123);
    wr(b, 0x14, 0x456); /* the configuration in use */
    assert_int_equal(rd(b, 0x14), 0);
    wr(b, 0x10, 1);
    assert_int_equal(rd(b, 0x14), 0x123);
    wr(b, 0x20, 0x00020001);
    wr(b, 0x00, 1);
    wr(b, 0x04, 1);
    assert_int_equal(rd(b, 0x00), 0);
    assert_int_equal(rd(b, 0x04), 0xFF);
    wr(b, 0x20, 0);
    wr(b, 0x00, 1);
    wr(b, 0x04, 1); /* locked for ever */
    assert_int_equal(rd(b, 0x00), 1);
    assert_int_equal(rd(b, 0x04), 0xFF);
    assert_int_equal(rd(b, 0x20), 0x00020000);
}

static void clkgate_unlocks(void **state) {
    Bench *bench = *state;
    Device *g = fake_device_new(&bench->fake, &gaisler_clkgate_type, "clkgate");
    rig_set(g, "cores", 12);
    rig_set(g, "processors", 2);
    rig_set(g, "enabled", 1);
    assert_true(fake_device_start(g));
    fake_wire(&bench->fake, rig_output(g, 3), &bench->probe->dev, 3);
    assert_int_equal(rd(g, 4), 1);
    assert_int_equal(rd(g, 8), 0xFFE);
    wr(g, 4, 8);
    assert_int_equal(rd(g, 4), 1); /* locked */
    assert_int_equal(bench->fake.lines, 1);
    wr(g, 0, UINT32_MAX);
    assert_int_equal(rd(g, 0), 0xFFF);
    wr(g, 0, 8);
    wr(g, 4, 9);
    assert_false(bench->probe->level[3]);
    wr(g, 8, 0xFF6);
    assert_true(bench->probe->level[3]);
    assert_int_equal(rd(g, 8), 0xFF6);
    wr(g, 0xC, UINT32_MAX);
    assert_int_equal(rd(g, 0xC), 0x00030003);
}

static void ahbstat_keeps_the_first(void **state) {
    Bench *bench = *state;
    Device *s = device_new(bench, &gaisler_ahbstat_type, NULL, 0);
    MemMap *map = &bench->fake.board.map;
    fake_wire(&bench->fake, rig_output(s, 0), &bench->probe->dev, 0);
    mem_tell_unmapped(map, 0xB0000004, 4, false, 0);
    assert_int_equal(rd(s, 0), 1 << 8 | 2);
    assert_int_equal(rd(s, 4), 0xB0000004);
    assert_int_equal(bench->probe->rises[0], 1);
    mem_tell_unmapped(map, 0xC0000000, 2, true, 0);
    assert_int_equal(rd(s, 4), 0xB0000004);
    assert_int_equal(bench->probe->rises[0], 1);
    wr(s, 0, 0);
    bench->fake.board.current_cpu = 1; /* who did it */
    mem_tell_unmapped(map, 0xC0000000, 2, true, 0);
    assert_int_equal(rd(s, 0), 1 << 8 | 1 << 7 | 1 << 3 | 1);
    assert_int_equal(rd(s, 4), 0xC0000000);
    assert_int_equal(bench->probe->rises[0], 2);
    assert_int_equal(rd(s, 8), 0);
}

static void ahbstat_second_set(void **state) {
    Bench *bench = *state;
    Device *s = device_new(bench, &gaisler_ahbstat_type, "version", 1);
    MemMap *map = &bench->fake.board.map;
    mem_tell_unmapped(map, 0x100, 4, false, 0);
    mem_tell_unmapped(map, 0x200, 4, false, 0);
    assert_int_equal(rd(s, 0x4), 0x100);
    assert_int_equal(rd(s, 0xC), 0x200);
    assert_int_equal(rd(s, 0x0), 1 << 13 | 1 << 8 | 2); /* more than one */
    wr(s, 0x0, 1 << 12 | 1 << 10); /* set 0 filters bus errors */
    wr(s, 0x8, 0);
    mem_tell_unmapped(map, 0x300, 4, false, 0);
    assert_int_equal(rd(s, 0x4), 0x100);
    assert_int_equal(rd(s, 0xC), 0x300);
}

static void memory_controllers(void **state) {
    Bench *bench = *state;
    Device *f = device_new(bench, &gaisler_ftmctrl_type, "romWidth", 2);
    assert_int_equal(rd(f, 0), 0x0003C2FF);
    assert_int_equal(rd(f, 4), 0x7C400000);
    wr(f, 0, UINT32_MAX);
    assert_int_equal(rd(f, 0), 0x7EFFFBFF);
    assert_int_equal(rd(f, 8), 0x08000000); /* it has EDAC */
    wr(f, 8, 0);
    assert_int_equal(rd(f, 8), 0x08000000);
    Device *m = device_new(bench, &gaisler_mmctrl_type, NULL, 0);
    wr(m, 0, 0xFFFFFFFF);
    assert_int_equal(rd(m, 0), 0xFFE2FFFF); /* the command is done; MS and 64 are constant */
    Device *l = device_new(bench, &gaisler_l2cache_type, NULL, 0);
    assert_int_equal(rd(l, 4), 0x00502803);
    wr(l, 0, UINT32_MAX);
    assert_int_equal(rd(l, 0), 0xF007FF3F);
    wr(l, 8, 0x00000005); /* flush all: done at once */
    assert_int_equal(rd(l, 8), 0);
    wr(l, 0x84, 0x12345678);
    assert_int_equal(rd(l, 0x84), 0x12345678);
}

static void memscrub_runs(void **state) {
    Bench *bench = *state;
    board_new(bench, "gr740");
    MemMap *map = &bench->fake.board.map;
    assert_true(mem_write(map, 0xFFE01018, 4, true, 0x00001000));
    assert_true(mem_write(map, 0xFFE0101C, 4, true, 0x0000103F));
    assert_int_equal(load(bench, 0xFFE0101C), 0x0000103F);
    assert_true(mem_write(map, 0xFFE01028, 4, true, 0xCAFE0000));
    assert_true(mem_write(map, 0xFFE01014, 4, true, 0x89)); /* initialise, interrupt when done */
    assert_int_equal(load(bench, 0x00000FFC), 0);
    assert_int_equal(load(bench, 0x00001000), 0xCAFE0000);
    assert_int_equal(load(bench, 0x0000103C), 0xCAFE0000);
    assert_int_equal(load(bench, 0x00001040), 0);
    assert_int_equal(load(bench, 0xFFE01010) & 0x2001, 0x2000);
    assert_int_equal(load(bench, 0xFFE01000), 0x2000);
    assert_true(mem_write(map, 0xFFE01010, 4, true, UINT32_MAX)); /* 0 clears DONE, 1 does not */
    assert_int_equal(load(bench, 0xFFE01010) & 0x2001, 0x2000);
    assert_true(mem_write(map, 0xFFE01010, 4, true, 0));
    assert_int_equal(load(bench, 0xFFE01010) & 0x2001, 0);
    assert_int_equal(load(bench, 0xFFE01000), 0);
    assert_int_equal(load(bench, 0xFF904004), 1 << 28);
}

static void dsu_time_tag(void **state) {
    Bench *bench = *state;
    FakeLeon *cpu = fake_leon_new(&bench->fake, true);
    Device *d = fake_device_new(&bench->fake, &gaisler_dsu_type, "dsu");
    rig_set(d, "frequency", RIG_HZ);
    rig_set_device(d, "cpu1", &cpu->dev);
    assert_true(fake_device_start(d));
    fake_run_to(&bench->fake, 1000 * RIG_NS);
    assert_int_equal(rd(d, 8), 1000);
    wr(d, 8, 0x3FFFFFFF);
    fake_run_to(&bench->fake, 1002 * RIG_NS);
    assert_int_equal(rd(d, 8), 1); /* 30 bits */
    assert_int_equal(rd(d, 0), 0);
    assert_int_equal(rd(d, 0x1000000), 1 << 11); /* powered down */
    cpu->held = false;
    assert_int_equal(rd(d, 0x1000000), 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(leon3_plug_and_play),
        TEST(gr712rc_plug_and_play),
        TEST(gr740_plug_and_play),
        TEST(stubs_and_holes),
        TEST(boot_loader_prepares),
        TEST(all_released_through_mpstat),
        TEST(gpio_interrupts_reach_the_processor),
        TEST(grgpio_pins),
        TEST(grgpio_packed),
        TEST(grgpio_generators_and_flags),
        TEST(registers_of_the_chip),
        TEST(clkgate_unlocks),
        TEST(ahbstat_keeps_the_first),
        TEST(ahbstat_second_set),
        TEST(memory_controllers),
        TEST(memscrub_runs),
        TEST(dsu_time_tag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
