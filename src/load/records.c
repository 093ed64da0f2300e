/* Shared by the record formats: lines of hexadecimal digits, and the collector of scattered records. */
#include "load/image_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Together they keep the collector, its sort and its result below 1 GiB of host memory. */
enum { RECORD_FILE_MAX = 256 << 20, RECORD_COUNT_MAX = 4 << 20 };

bool records_check_size(const ImageInput *in) {
    if (in->len > RECORD_FILE_MAX) {
        return err_set(in->err, "%s: expected a HEX, SREC or UF2 file of at most %d MiB, found %zu bytes", in->path,
                       RECORD_FILE_MAX >> 20, in->len);
    }
    return true;
}

/* A failure that belongs to the record at `where`. */
static bool record_fail(const Records *records, const ImageInput *in, uint32_t where, const char *text) {
    if (records->is_text) {
        return err_at(in->err, in->path, where, 1, "%s", text);
    }
    return image_fail(in, where, "%s", text);
}

bool records_add(Records *records, const ImageInput *in, uint64_t addr, const uint8_t *bytes, size_t size,
                 uint32_t where) {
    if (size == 0) {
        return true;
    }
    if (records->pieces.len == RECORD_COUNT_MAX) {
        char text[80];
        snprintf(text, sizeof text, "expected at most %d data records, found more", RECORD_COUNT_MAX);
        return record_fail(records, in, where, text);
    }
    RecordPiece piece = {addr, (uint32_t)size, (uint32_t)records->bytes.len, where};
    vec_push(&records->pieces, piece);
    vec_reserve(&records->bytes, records->bytes.len + size);
    memcpy(records->bytes.data + records->bytes.len, bytes, size);
    records->bytes.len += size;
    return true;
}

static int piece_compare(const void *a, const void *b) {
    uint64_t x = ((const RecordPiece *)a)->addr, y = ((const RecordPiece *)b)->addr;
    return (x > y) - (x < y);
}

/* Both pieces claim b's first byte; the one that comes later in the file is at fault. */
static bool overlap_fail(const Records *records, const ImageInput *in, const RecordPiece *a, const RecordPiece *b) {
    const RecordPiece *late = a->where > b->where ? a : b, *early = late == a ? b : a;
    char text[160];
    const char *fmt = records->is_text
                          ? "expected each address once, found 0x%" PRIx64 " again, already given on line %" PRIu32
                          : "expected each address once, found 0x%" PRIx64 " again, already given at offset 0x%" PRIx32;
    snprintf(text, sizeof text, fmt, b->addr, early->where);
    return record_fail(records, in, late->where, text);
}

static size_t segments_count(const Records *records) {
    const RecordPiece *p = records->pieces.data;
    size_t n = 1;
    for (size_t i = 1; i < records->pieces.len; i++) {
        n += p[i].addr != p[i - 1].addr + p[i - 1].size;
    }
    return n;
}

static void segments_build(const Records *records, Image *image, Arena *arena) {
    uint8_t *out = arena_alloc(arena, records->bytes.len);
    image->segments = ARENA_ARRAY(arena, ImageSegment, segments_count(records));
    ImageSegment *segment = NULL;
    for (size_t i = 0; i < records->pieces.len; i++) {
        const RecordPiece *piece = &records->pieces.data[i];
        if (!segment || piece->addr != segment->addr + segment->size) {
            segment = &image->segments[image->n_segments++];
            *segment = (ImageSegment){.addr = piece->addr, .data = out};
        }
        memcpy(out, records->bytes.data + piece->data, piece->size);
        out += piece->size;
        segment->size += piece->size;
        segment->file_size += piece->size;
        segment->code_size += piece->size;
    }
}

bool records_finish(Records *records, Image *image, const ImageInput *in) {
    size_t n = records->pieces.len;
    if (n == 0) {
        return err_set(in->err, "%s: expected data records, found none", in->path);
    }
    image_sort(records->pieces.data, n, sizeof(RecordPiece), piece_compare);
    for (size_t i = 1; i < n; i++) {
        const RecordPiece *a = &records->pieces.data[i - 1], *b = &records->pieces.data[i];
        if (b->addr - a->addr < a->size) {
            return overlap_fail(records, in, a, b);
        }
    }
    segments_build(records, image, in->arena);
    return true;
}

void records_free(Records *records) {
    vec_free(&records->pieces);
    vec_free(&records->bytes);
}

/* 0x1a (Ctrl-Z) ended text files under CP/M and DOS, where both formats come from. */
static bool is_blank(uint8_t c) {
    return c == ' ' || c == '\t' || c == '\r' || c == 0x1a;
}

bool text_reader_next(TextReader *reader, TextLine *line) {
    const ImageInput *in = reader->in;
    while (reader->pos < in->len) {
        const uint8_t *start = in->bytes + reader->pos, *end = memchr(start, '\n', in->len - reader->pos);
        size_t len = end ? (size_t)(end - start) : in->len - reader->pos;
        reader->pos += len + (end != NULL);
        reader->lines++;
        size_t from = 0;
        while (from < len && is_blank(start[from])) {
            from++;
        }
        while (len > from && is_blank(start[len - 1])) {
            len--;
        }
        if (len > from) {
            *line = (TextLine){start + from, len - from, reader->lines, (unsigned)from + 1};
            return true;
        }
    }
    return false;
}

bool text_line_fail(const ImageInput *in, const TextLine *line, size_t at, const char *fmt, ...) {
    char text[sizeof in->err->text];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return err_at(in->err, in->path, line->number, line->col + (unsigned)at, "%s", text);
}

static int hex_digit(uint8_t c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

bool text_line_hex(const ImageInput *in, const TextLine *line, size_t skip, uint8_t *out, size_t cap, size_t *n) {
    *n = 0;
    for (size_t i = skip; i < line->len; i += 2) {
        for (size_t j = i; j < i + 2; j++) {
            if (j == line->len) {
                return text_line_fail(in, line, j, "expected a hexadecimal digit, found the end of the line");
            }
            uint8_t c = line->text[j];
            if (hex_digit(c) < 0) {
                return text_line_fail(in, line, j,
                                      c > ' ' && c < 0x7f ? "expected a hexadecimal digit, found '%c'"
                                                          : "expected a hexadecimal digit, found 0x%02x",
                                      c);
            }
        }
        if (*n == cap) {
            return text_line_fail(in, line, i, "expected at most %zu bytes in a record, found more", cap);
        }
        out[(*n)++] = (uint8_t)(hex_digit(line->text[i]) * 16 + hex_digit(line->text[i + 1]));
    }
    return true;
}

bool text_reader_end(TextReader *reader, const char *last_record) {
    TextLine line;
    if (text_reader_next(reader, &line)) {
        return text_line_fail(reader->in, &line, 0, "expected nothing after %s, found more text", last_record);
    }
    return true;
}
