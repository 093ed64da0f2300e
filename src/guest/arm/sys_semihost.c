/* Arm semihosting ("Semihosting for AArch32 and AArch64", release 2.0): BKPT 0xAB with the operation in r0 and its
 * parameter, usually the address of a block of words, in r1; the result comes back in r0.
 *
 * The guest never reaches the host's files, clock or shell: the only file is ":tt", the console, which has no input;
 * time is virtual and starts at 0. Operations that need more fail with -1. */
#include "guest/arm/sys.h"

#include "bus/guest_log.h"

enum {
    SYS_OPEN = 0x01,
    SYS_CLOSE = 0x02,
    SYS_WRITEC = 0x03,
    SYS_WRITE0 = 0x04,
    SYS_WRITE = 0x05,
    SYS_READ = 0x06,
    SYS_READC = 0x07,
    SYS_ISERROR = 0x08,
    SYS_ISTTY = 0x09,
    SYS_SEEK = 0x0a,
    SYS_FLEN = 0x0c,
    SYS_TMPNAM = 0x0d,
    SYS_REMOVE = 0x0e,
    SYS_RENAME = 0x0f,
    SYS_CLOCK = 0x10,
    SYS_TIME = 0x11,
    SYS_SYSTEM = 0x12,
    SYS_ERRNO = 0x13,
    SYS_GET_CMDLINE = 0x15,
    SYS_HEAPINFO = 0x16,
    SYS_EXIT = 0x18,
    SYS_EXIT_EXTENDED = 0x20,
    SYS_ELAPSED = 0x30,
    SYS_TICKFREQ = 0x31,
};
enum { HANDLE_STDIN = 1, HANDLE_STDOUT, HANDLE_STDERR };
enum { ERRNO_NOENT = 2, ERRNO_BADF = 9, ERRNO_INVAL = 22, ERRNO_NOSYS = 88 }; /* numbers of newlib */
#define APPLICATION_EXIT UINT32_C(0x20026) /* ADP_Stopped_ApplicationExit */
#define FAILED UINT32_MAX
#define NS_PER_SECOND UINT64_C(1000000000)

static bool word_read(Cpu *cpu, uint32_t addr, uint32_t *value) {
    uint64_t word = 0;
    bool done = mem_read(cpu->map, addr, 4, false, &word);
    *value = (uint32_t)word;
    return done;
}

/* Word n of the parameter block; 0 where there is no memory. */
static uint32_t parameter(Cpu *cpu, unsigned n) {
    uint32_t value;
    return word_read(cpu, arm_state(cpu)->r[1] + 4 * n, &value) ? value : 0;
}

static uint32_t failed(Cpu *cpu, uint32_t number) {
    arm_state(cpu)->semihost_errno = number;
    return FAILED;
}

/* Sends len bytes, or up to a NUL; returns how many could not be read. */
static uint32_t console_write(Cpu *cpu, uint32_t addr, uint32_t len, bool until_nul) {
    uint8_t chunk[256];
    uint32_t used = 0;
    bool more = true;
    while (len && more) {
        uint64_t byte = 0;
        more = mem_read(cpu->map, addr, 1, false, &byte) && !(until_nul && byte == 0);
        if (more) {
            chunk[used++] = (uint8_t)byte;
            addr++;
            len--;
        }
        if (used && (used == sizeof chunk || !len || !more)) {
            cpu->board->console(cpu->board, chunk, used);
            used = 0;
        }
    }
    return len;
}

/* Block: name, mode (fopen modes numbered), length of the name. */
static uint32_t do_open(Cpu *cpu) {
    enum { MODE_WRITE = 4, MODE_APPEND = 8, MODES = 12 };
    uint32_t name = parameter(cpu, 0), mode = parameter(cpu, 1);
    const char console[] = ":tt";
    bool is_console = parameter(cpu, 2) == sizeof console - 1 && mode < MODES;
    for (uint32_t i = 0; is_console && i < sizeof console - 1; i++) {
        uint64_t byte = 0;
        is_console = mem_read(cpu->map, name + i, 1, false, &byte) && byte == (uint8_t)console[i];
    }
    if (!is_console) {
        return failed(cpu, ERRNO_NOENT);
    }
    return mode < MODE_WRITE ? HANDLE_STDIN : mode < MODE_APPEND ? HANDLE_STDOUT : HANDLE_STDERR;
}

static bool handle_known(uint32_t handle) {
    return handle >= HANDLE_STDIN && handle <= HANDLE_STDERR;
}

static uint32_t do_write(Cpu *cpu) {
    uint32_t handle = parameter(cpu, 0), len = parameter(cpu, 2);
    if (handle != HANDLE_STDOUT && handle != HANDLE_STDERR) {
        arm_state(cpu)->semihost_errno = ERRNO_BADF;
        return len;
    }
    return console_write(cpu, parameter(cpu, 1), len, false);
}

/* An empty command line; the block's length becomes that without the NUL. */
static uint32_t do_cmdline(Cpu *cpu) {
    uint32_t block = arm_state(cpu)->r[1];
    bool done = parameter(cpu, 1) > 0 && mem_write(cpu->map, parameter(cpu, 0), 1, false, 0) &&
                mem_write(cpu->map, block + 4, 4, false, 0);
    return done ? 0 : failed(cpu, ERRNO_INVAL);
}

/* Four zeros: nothing is known, the C library uses its own symbols. */
static uint32_t do_heapinfo(Cpu *cpu) {
    uint32_t block = parameter(cpu, 0);
    for (unsigned i = 0; i < 4; i++) {
        if (!mem_write(cpu->map, block + 4 * i, 4, false, 0)) {
            return failed(cpu, ERRNO_INVAL);
        }
    }
    return 0;
}

static uint32_t do_elapsed(Cpu *cpu, uint64_t now_ns) {
    uint32_t block = arm_state(cpu)->r[1];
    bool done = mem_write(cpu->map, block, 4, false, (uint32_t)now_ns) &&
                mem_write(cpu->map, block + 4, 4, false, now_ns >> 32);
    return done ? 0 : FAILED;
}

static void do_exit(Cpu *cpu, uint32_t reason, uint32_t code) {
    cpu->board->stop(cpu->board, STOP_EXIT, reason == APPLICATION_EXIT ? (int)code : 1);
}

static uint32_t do_file(Cpu *cpu, uint32_t operation) {
    uint32_t handle = parameter(cpu, 0);
    switch (operation) {
    case SYS_OPEN:
        return do_open(cpu);
    case SYS_WRITE:
        return do_write(cpu);
    case SYS_CLOSE:
        return handle_known(handle) ? 0 : failed(cpu, ERRNO_BADF);
    case SYS_READ:
        return parameter(cpu, 2); /* all of it not read: end of file */
    case SYS_ISTTY:
        return handle_known(handle) ? 1 : failed(cpu, ERRNO_BADF);
    default:
        return failed(cpu, ERRNO_INVAL); /* SEEK, FLEN of a console; no files to name */
    }
}

static uint32_t do_time(Cpu *cpu, uint32_t operation) {
    enum { CLOCK_HZ = 100 };
    uint64_t now_ns = cpu->board->now_ns(cpu->board);
    switch (operation) {
    case SYS_CLOCK:
        return (uint32_t)(now_ns / (NS_PER_SECOND / CLOCK_HZ));
    case SYS_TIME:
        return (uint32_t)(now_ns / NS_PER_SECOND);
    case SYS_TICKFREQ:
        return (uint32_t)NS_PER_SECOND;
    default:
        return do_elapsed(cpu, now_ns);
    }
}

static uint32_t do_other(Cpu *cpu, uint32_t operation) {
    ArmState *s = arm_state(cpu);
    switch (operation) {
    case SYS_WRITEC:
        console_write(cpu, s->r[1], 1, false);
        return s->r[0];
    case SYS_WRITE0:
        console_write(cpu, s->r[1], UINT32_MAX, true);
        return s->r[0];
    case SYS_READC:
        return FAILED;
    case SYS_ISERROR:
        return parameter(cpu, 0) >> 31;
    case SYS_ERRNO:
        return s->semihost_errno;
    case SYS_GET_CMDLINE:
        return do_cmdline(cpu);
    case SYS_HEAPINFO:
        return do_heapinfo(cpu);
    case SYS_EXIT:
        do_exit(cpu, s->r[1], 0);
        return s->r[0];
    case SYS_EXIT_EXTENDED:
        do_exit(cpu, parameter(cpu, 0), parameter(cpu, 1));
        return s->r[0];
    default:
        guest_log_add(cpu->board, GUEST_UNMODELLED, NULL, "semihosting", operation, "operation is not supported");
        return failed(cpu, ERRNO_NOSYS);
    }
}

void arm_semihost(Cpu *cpu) {
    ArmState *s = arm_state(cpu);
    uint32_t operation = s->r[0];
    switch (operation) {
    case SYS_OPEN:
    case SYS_CLOSE:
    case SYS_WRITE:
    case SYS_READ:
    case SYS_ISTTY:
    case SYS_SEEK:
    case SYS_FLEN:
    case SYS_TMPNAM:
    case SYS_REMOVE:
    case SYS_RENAME:
        s->r[0] = do_file(cpu, operation);
        break;
    case SYS_CLOCK:
    case SYS_TIME:
    case SYS_ELAPSED:
    case SYS_TICKFREQ:
        s->r[0] = do_time(cpu, operation);
        break;
    default:
        s->r[0] = do_other(cpu, operation);
        break;
    }
}
