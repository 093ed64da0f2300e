/* What the format readers of src/load share: the input, located errors, and the collector that turns the scattered
 * records of Intel HEX, SREC and UF2 into sorted segments. */
#ifndef LOAD_IMAGE_INTERNAL_H
#define LOAD_IMAGE_INTERNAL_H

#include "base/vec.h"
#include "load/image.h"

#define IMAGE_BYTES_MAX (UINT64_C(1) << 30) /* guest memory that one image may claim */

typedef struct ImageInput {
    const char *path;
    const uint8_t *bytes;
    size_t len;
    Arena *arena;
    Err *err;
} ImageInput;

/** Stores `path: offset 0x..: message`. Returns false. */
bool image_fail(const ImageInput *in, uint64_t offset, const char *fmt, ...) PRINTF_LIKE(3, 4);

/** Stable merge sort; `compare` as for qsort. */
void image_sort(void *items, size_t n, size_t size, int (*compare)(const void *, const void *));

/* The readers: each fills segments, entry and what else its format knows. */
bool image_elf_parse(Image *image, const ImageInput *in);
bool image_ihex_parse(Image *image, const ImageInput *in);
bool image_srec_parse(Image *image, const ImageInput *in);
bool image_uf2_parse(Image *image, const ImageInput *in);

/* records.c */

typedef struct RecordPiece {
    uint64_t addr;
    uint32_t size;
    uint32_t data; /* offset into the collector's bytes */
    uint32_t where; /* line of a text file, offset in a binary one */
} RecordPiece;

typedef struct Records {
    bool is_text;
    VEC(RecordPiece) pieces;
    VEC(uint8_t) bytes;
} Records;

/** Refuses a file too large for the collector, so that all its offsets fit 32 bits. */
bool records_check_size(const ImageInput *in);
/** Adds bytes at addr; `where` as in RecordPiece. */
bool records_add(Records *records, const ImageInput *in, uint64_t addr, const uint8_t *bytes, size_t size,
                 uint32_t where);
/** Sorts, refuses overlaps, merges what adjoins and stores the segments in image. */
bool records_finish(Records *records, Image *image, const ImageInput *in);
void records_free(Records *records);

/* Lines of a text format, trimmed; blank ones are skipped. */
typedef struct TextLine {
    const uint8_t *text;
    size_t len; /* > 0 */
    unsigned number; /* from 1 */
    unsigned col; /* column of text[0], from 1 */
} TextLine;

typedef struct TextReader {
    const ImageInput *in;
    size_t pos;
    unsigned lines; /* lines read so far */
} TextReader;

bool text_reader_next(TextReader *reader, TextLine *line);
/** Decodes pairs of hexadecimal digits from text[skip] to the line's end: at most `cap` bytes. */
bool text_line_hex(const ImageInput *in, const TextLine *line, size_t skip, uint8_t *out, size_t cap, size_t *n);
/** `path:line:col: message` where col belongs to text[at]. Returns false. */
bool text_line_fail(const ImageInput *in, const TextLine *line, size_t at, const char *fmt, ...) PRINTF_LIKE(4, 5);
/** Refuses anything but blank lines after the record that ends the file. */
bool text_reader_end(TextReader *reader, const char *last_record);

#endif
