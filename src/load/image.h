/* A guest image: what a file asks to be placed in guest memory, whatever the file's format.
 * Formats: ELF32/ELF64 (TIS ELF 1.2), Intel HEX (rev. A 1988), Motorola SREC, UF2 (Microsoft), raw binary.
 * What each format's reader accepts and refuses stands at the head of its file. */
#ifndef LOAD_IMAGE_H
#define LOAD_IMAGE_H

#include "base/alloc.h"
#include "base/err.h"

typedef struct ImageSegment {
    uint64_t addr; /* load (physical) address */
    uint64_t size; /* bytes in guest memory; bytes beyond `file_size` are zero */
    uint64_t file_size;
    const uint8_t *data; /* file_size bytes */
    uint64_t code_at, code_size; /* part that may hold code, from an offset on; formats that do not tell: all of it */
    bool code_told; /* the file tells: that part holds no data that are written */
} ImageSegment;

typedef enum ImageFormat { IMAGE_AUTO, IMAGE_ELF, IMAGE_IHEX, IMAGE_SREC, IMAGE_UF2, IMAGE_RAW } ImageFormat;

typedef struct ImageSymbol {
    uint64_t addr; /* running (virtual) address, Thumb bit cleared */
    uint64_t size; /* if the file gives none: up to the next symbol or its section's end; 0 for a linker constant */
    const char *name;
    bool is_function;
} ImageSymbol;

typedef struct Image {
    const char *path;
    const uint8_t *file; /* the file's own bytes, file_len of them */
    size_t file_len;
    ImageFormat format; /* never IMAGE_AUTO after a success */
    ImageSegment *segments; /* sorted by address, no two overlap */
    size_t n_segments;
    bool has_entry;
    uint64_t entry; /* as the file gives it: bit 0 is the Thumb bit on Arm */
    uint16_t machine; /* ELF e_machine, 0 if the format does not tell */
    bool big_endian, is_64bit; /* ELF only */
    ImageSymbol *symbols; /* functions and objects, sorted by (address, name) */
    size_t n_symbols;
} Image;

/** Reads an image; everything lives in `arena`. `raw_addr` is where a raw binary goes; with IMAGE_AUTO a file of no
 * known format is raw if `has_raw_addr`, else an error, and so is an address for a format that has its own. Errors name
 * the file, the offset (or line) and what was expected; no input can make it read out of bounds, loop for ever,
 * allocate more than 1 GiB beyond the file itself or claim more than 1 GiB of guest memory. On failure *image is all
 * zero. */
bool image_load(Image *image, Arena *arena, const char *path, ImageFormat format, bool has_raw_addr, uint64_t raw_addr,
                Err *err);

/** The same from memory: the fuzzers' entry. `bytes` must outlive the image. */
bool image_parse(Image *image, Arena *arena, const char *path, const uint8_t *bytes, size_t len, ImageFormat format,
                 bool has_raw_addr, uint64_t raw_addr, Err *err);

/** The symbol that covers addr: of several the one that starts nearest below, then a function, then the first by
 * name. NULL if none does. */
const ImageSymbol *image_symbol_at(const Image *image, uint64_t addr);
/** The symbol of that name (the lowest of several), or NULL. */
const ImageSymbol *image_symbol_named(const Image *image, const char *name);

/** The architecture an ELF e_machine stands for, as messages name it ("Arm", "RISC-V"); "an unknown machine" for a
 * number not in the list, "no machine" for 0. Never NULL. */
const char *image_machine_name(uint16_t machine);

/** Source line of an address, from DWARF (libdw), opened on first use. */
typedef struct ImageLines ImageLines;
/** NULL if the image has no line information, or the build has no libdw. The image must outlive it. */
ImageLines *image_lines_open(const Image *image);
/** False if the address (running address, Thumb bit cleared) has no line. *file lives as long as `lines`. */
bool image_lines_at(ImageLines *lines, uint64_t addr, const char **file, unsigned *line);
/** `lines` may be NULL. */
void image_lines_close(ImageLines *lines);

#endif
