/* Images: format detection, raw binaries, symbol lookup. The formats proper live in elf.c, ihex.c, srec.c, uf2.c. */
#include "load/image_internal.h"

#include "base/text.h"

#include <ctype.h>
#include <elf.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Symbols looked at below an address: enough for a vector table's worth of aliases, few enough for hostile files. */
enum { SYMBOL_WALK_MAX = 1024 };

bool image_fail(const ImageInput *in, uint64_t offset, const char *fmt, ...) {
    char text[sizeof in->err->text];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return err_set(in->err, "%s: offset 0x%" PRIx64 ": %s", in->path, offset, text);
}

static bool is_sorted(const uint8_t *items, size_t n, size_t size, int (*compare)(const void *, const void *)) {
    for (size_t i = 1; i < n; i++) {
        if (compare(items + (i - 1) * size, items + i * size) > 0) {
            return false;
        }
    }
    return true;
}

/* Merges from[lo, mid) and from[mid, hi) into to[lo, hi). */
static void merge_runs(uint8_t *to, const uint8_t *from, size_t lo, size_t mid, size_t hi, size_t size,
                       int (*compare)(const void *, const void *)) {
    size_t left = lo, right = mid;
    for (size_t i = lo; i < hi; i++) {
        bool take_left = left < mid && (right >= hi || compare(from + left * size, from + right * size) <= 0);
        memcpy(to + i * size, from + (take_left ? left++ : right++) * size, size);
    }
}

void image_sort(void *items, size_t n, size_t size, int (*compare)(const void *, const void *)) {
    if (is_sorted(items, n, size, compare)) {
        return;
    }
    uint8_t *spare = mem_alloc(n * size), *from = items, *to = spare;
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t lo = 0; lo < n; lo += 2 * width) {
            size_t mid = lo + width < n ? lo + width : n, hi = lo + 2 * width < n ? lo + 2 * width : n;
            merge_runs(to, from, lo, mid, hi, size, compare);
        }
        uint8_t *done = to;
        to = from;
        from = done;
    }
    if (from == spare) {
        memcpy(items, spare, n * size);
    }
    mem_free(spare);
}

/* A raw binary may begin like a text format. The shortest record has this many digits behind its mark. */
static bool is_record(const ImageInput *in, size_t digits_at) {
    enum { DIGITS_MIN = 8 };
    for (size_t i = digits_at; i < digits_at + DIGITS_MIN; i++) {
        if (i >= in->len || !isxdigit(in->bytes[i])) {
            return false;
        }
    }
    return true;
}

/* What has a load address is a raw binary, if it does not look very much like something else. */
static ImageFormat format_detect(const ImageInput *in, bool has_raw_addr) {
    if (in->len >= SELFMAG && memcmp(in->bytes, ELFMAG, SELFMAG) == 0) {
        return IMAGE_ELF;
    }
    if (in->len >= 4 && memcmp(in->bytes, "UF2\n", 4) == 0) {
        return IMAGE_UF2;
    }
    size_t i = 0;
    while (i < in->len && in->bytes[i] && strchr(" \t\r\n", in->bytes[i])) {
        i++;
    }
    if (i < in->len && in->bytes[i] == ':' && (!has_raw_addr || is_record(in, i + 1))) {
        return IMAGE_IHEX;
    }
    if (in->len - i >= 2 && in->bytes[i] == 'S' && in->bytes[i + 1] >= '0' && in->bytes[i + 1] <= '9' &&
        (!has_raw_addr || is_record(in, i + 2))) {
        return IMAGE_SREC;
    }
    return IMAGE_RAW;
}

static bool raw_parse(Image *image, const ImageInput *in, bool has_raw_addr, uint64_t raw_addr) {
    if (!has_raw_addr) {
        return err_set(in->err, "%s: a raw binary needs a load address; expected one, found none", in->path);
    }
    if (in->len - 1 > UINT64_MAX - raw_addr) {
        return err_set(in->err, "%s: expected %zu bytes at 0x%" PRIx64 " to end below 2^64", in->path, in->len,
                       raw_addr);
    }
    image->segments = ARENA_NEW(in->arena, ImageSegment);
    image->segments[0] = (ImageSegment){raw_addr, in->len, in->len, in->bytes, 0, in->len, false};
    image->n_segments = 1;
    return true;
}

static bool format_parse(Image *image, const ImageInput *in, bool has_raw_addr, uint64_t raw_addr) {
    switch (image->format) {
    case IMAGE_ELF:
        return image_elf_parse(image, in);
    case IMAGE_IHEX:
        return image_ihex_parse(image, in);
    case IMAGE_SREC:
        return image_srec_parse(image, in);
    case IMAGE_UF2:
        return image_uf2_parse(image, in);
    case IMAGE_RAW:
        return raw_parse(image, in, has_raw_addr, raw_addr);
    case IMAGE_AUTO:
        break;
    }
    return err_set(in->err, "%s: no such image format: %d", in->path, (int)image->format);
}

bool image_parse(Image *image, Arena *arena, const char *path, const uint8_t *bytes, size_t len, ImageFormat format,
                 bool has_raw_addr, uint64_t raw_addr, Err *err) {
    ImageInput in = {arena_strdup(arena, path), bytes, len, arena, err};
    *image = (Image){0};
    if (len == 0) {
        return err_set(err, "%s: expected an image, found an empty file", path);
    }
    if (len > IMAGE_BYTES_MAX) {
        return err_set(err, "%s: expected an image of at most 1 GiB, found %zu bytes", path, len);
    }
    ImageFormat found = format == IMAGE_AUTO ? format_detect(&in, has_raw_addr) : format;
    if (format == IMAGE_AUTO && found == IMAGE_RAW && !has_raw_addr) {
        return image_fail(&in, 0,
                          "expected ELF (0x7f 'ELF'), Intel HEX (':'), SREC ('S0') or UF2 ('UF2'), or a load address "
                          "for a raw binary, found 0x%02x",
                          bytes[0]);
    }
    if (has_raw_addr && found < IMAGE_RAW) {
        static const char *const names[] = {
            [IMAGE_ELF] = "ELF", [IMAGE_IHEX] = "Intel HEX", [IMAGE_SREC] = "SREC", [IMAGE_UF2] = "UF2"};
        return err_set(err, "%s: expected no load address for an image in %s, which has its own, found 0x%" PRIx64,
                       path, names[found], raw_addr);
    }
    Image result = {.path = in.path, .file = bytes, .file_len = len, .format = found};
    if (!format_parse(&result, &in, has_raw_addr, raw_addr)) {
        return false;
    }
    *image = result;
    return true;
}

bool image_load(Image *image, Arena *arena, const char *path, ImageFormat format, bool has_raw_addr, uint64_t raw_addr,
                Err *err) {
    size_t len = 0;
    *image = (Image){0};
    const uint8_t *bytes = (const uint8_t *)file_read(arena, path, &len, err);
    return bytes && image_parse(image, arena, path, bytes, len, format, has_raw_addr, raw_addr, err);
}

/* Index of the first symbol above addr. */
static size_t symbols_above(const Image *image, uint64_t addr) {
    size_t lo = 0, hi = image->n_symbols;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (image->symbols[mid].addr <= addr) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static bool symbol_covers(const ImageSymbol *symbol, uint64_t addr) {
    return addr == symbol->addr || addr - symbol->addr < symbol->size;
}

/* Whether `symbol`, not above `best` and before it by name, names an address better. Linker constants (size 0) are
 * often small numbers and must not hide the code that happens to lie there. */
static bool symbol_better(const ImageSymbol *symbol, const ImageSymbol *best) {
    if (!best || !symbol->size || !best->size) {
        return !best || symbol->size || (!best->size && symbol->addr == best->addr);
    }
    return symbol->addr == best->addr && symbol->is_function >= best->is_function;
}

const ImageSymbol *image_symbol_at(const Image *image, uint64_t addr) {
    const ImageSymbol *best = NULL;
    size_t above = symbols_above(image, addr);
    for (size_t n = 0; n < above && n < SYMBOL_WALK_MAX; n++) {
        const ImageSymbol *symbol = &image->symbols[above - 1 - n];
        if (best && best->size && symbol->addr != best->addr) {
            break;
        }
        if (symbol_covers(symbol, addr) && symbol_better(symbol, best)) {
            best = symbol;
        }
    }
    return best;
}

const ImageSymbol *image_symbol_named(const Image *image, const char *name) {
    for (size_t i = 0; i < image->n_symbols; i++) {
        if (strcmp(image->symbols[i].name, name) == 0) {
            return &image->symbols[i];
        }
    }
    return NULL;
}

const char *image_machine_name(uint16_t machine) {
    static const struct {
        uint16_t machine;
        const char *name;
    } names[] = {
        {EM_NONE, "no machine"},
        {EM_ARM, "Arm"},
        {EM_AARCH64, "AArch64"},
        {EM_RISCV, "RISC-V"},
        {EM_SPARC, "SPARC"},
        {EM_SPARC32PLUS, "SPARC V8+"},
        {EM_SPARCV9, "SPARC V9"},
        {EM_PPC, "PowerPC"},
        {EM_PPC64, "PowerPC 64"},
        {EM_386, "x86"},
        {EM_X86_64, "x86-64"},
        {EM_MIPS, "MIPS"},
        {EM_68K, "68000"},
        {EM_COLDFIRE, "ColdFire"},
        {EM_XTENSA, "Xtensa"},
        {EM_AVR, "AVR"},
        {EM_MSP430, "MSP430"},
        {EM_SH, "SuperH"},
        {EM_RX, "Renesas RX"},
        {EM_V850, "V850"},
        {EM_TRICORE, "TriCore"},
        {EM_ARC_COMPACT, "ARC"},
        {EM_OPENRISC, "OpenRISC"},
        {EM_MICROBLAZE, "MicroBlaze"},
        {EM_ALTERA_NIOS2, "Nios II"},
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (names[i].machine == machine) {
            return names[i].name;
        }
    }
    return "an unknown machine";
}
