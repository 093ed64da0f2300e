/* Intel HEX (Hexadecimal Object File Format Specification, revision A, 1988): record types 00 to 05, checksums, 8-, 16-
 * and 32-bit addressing with their wrap rules (sections 4 to 6). Blank lines and blanks around a record are allowed.
 * Refused: a file without the end-of-file record, an address given twice, and the micro:bit universal hex, whose
 * types 0A to 0F pack the programs of several boards into one file.
 * The entry is that of the last record 05 (EIP) or 03 (CS * 16 + IP). */
#include "load/image_internal.h"

#include <string.h>

enum {
    TYPE_DATA = 0x00,
    TYPE_END = 0x01,
    TYPE_SEGMENT_BASE = 0x02,
    TYPE_SEGMENT_START = 0x03,
    TYPE_LINEAR_BASE = 0x04,
    TYPE_LINEAR_START = 0x05,
    TYPE_UNIVERSAL_FIRST = 0x0a,
    TYPE_UNIVERSAL_LAST = 0x0f,
    RECORD_HEAD = 4, /* length, address, type */
    RECORD_MAX = RECORD_HEAD + 255 + 1,
    DIGITS_LEN = 1, /* text offsets of the fields, after the colon */
    DIGITS_TYPE = 7,
    DIGITS_DATA = 9
};

typedef struct IhexState {
    const ImageInput *in;
    Image *image;
    Records records;
    bool segmented; /* the base came from a record 02: offsets wrap at 64 KiB */
    uint32_t base;
    bool ended;
} IhexState;

static uint32_t read_be(const uint8_t *p, unsigned n) {
    uint32_t value = 0;
    while (n--) {
        value = value << 8 | *p++;
    }
    return value;
}

static bool ihex_checksum(const ImageInput *in, const TextLine *line, const uint8_t *record, size_t n) {
    uint8_t sum = 0;
    for (size_t i = 0; i + 1 < n; i++) {
        sum = (uint8_t)(sum + record[i]);
    }
    uint8_t want = (uint8_t)-sum;
    if (record[n - 1] != want) {
        return text_line_fail(in, line, line->len - 2, "expected checksum %02X, found %02X", want, record[n - 1]);
    }
    return true;
}

/* Section 5: offsets wrap at 64 KiB inside a segment, linear addresses at 4 GiB. */
static bool ihex_data(IhexState *s, const TextLine *line, uint32_t offset, const uint8_t *data, uint32_t len) {
    uint64_t room = s->segmented ? 0x10000 - offset : (UINT64_C(1) << 32) - (uint32_t)(s->base + offset);
    uint32_t first = len < room ? len : (uint32_t)room;
    uint32_t wrapped = s->segmented ? s->base : 0;
    return records_add(&s->records, s->in, (uint32_t)(s->base + offset), data, first, line->number) &&
           records_add(&s->records, s->in, wrapped, data + first, len - first, line->number);
}

static bool ihex_want_len(const IhexState *s, const TextLine *line, const uint8_t *record, unsigned want) {
    if (record[0] != want) {
        return text_line_fail(s->in, line, DIGITS_LEN, "expected %u data bytes in a record of type %02X, found %u",
                              want, record[3], record[0]);
    }
    return true;
}

static void ihex_start(IhexState *s, const uint8_t *data, bool segmented) {
    s->image->has_entry = true;
    s->image->entry = segmented ? (read_be(data, 2) << 4) + read_be(data + 2, 2) : read_be(data, 4);
}

static bool ihex_record(IhexState *s, const TextLine *line, const uint8_t *record) {
    const uint8_t *data = record + RECORD_HEAD, type = record[3];
    switch (type) {
    case TYPE_DATA:
        return ihex_data(s, line, read_be(record + 1, 2), data, record[0]);
    case TYPE_END:
        s->ended = true;
        return ihex_want_len(s, line, record, 0);
    case TYPE_SEGMENT_BASE:
    case TYPE_LINEAR_BASE:
        if (!ihex_want_len(s, line, record, 2)) {
            return false;
        }
        s->segmented = type == TYPE_SEGMENT_BASE;
        s->base = read_be(data, 2) << (s->segmented ? 4 : 16);
        return true;
    case TYPE_SEGMENT_START:
    case TYPE_LINEAR_START:
        if (!ihex_want_len(s, line, record, 4)) {
            return false;
        }
        ihex_start(s, data, type == TYPE_SEGMENT_START);
        return true;
    default:
        break;
    }
    if (type >= TYPE_UNIVERSAL_FIRST && type <= TYPE_UNIVERSAL_LAST) {
        return text_line_fail(s->in, line, DIGITS_TYPE,
                              "expected the Intel HEX of one board, found a micro:bit universal hex (record type "
                              "%02X): split it and load the part of this board",
                              type);
    }
    return text_line_fail(s->in, line, DIGITS_TYPE, "expected record type 00 to 05, found %02X", type);
}

static bool ihex_line(IhexState *s, const TextLine *line) {
    uint8_t record[RECORD_MAX];
    size_t n = 0;
    if (line->text[0] != ':') {
        return text_line_fail(s->in, line, 0, "expected ':', found 0x%02x", line->text[0]);
    }
    if (!text_line_hex(s->in, line, 1, record, sizeof record, &n)) {
        return false;
    }
    if (n < RECORD_HEAD + 1) {
        return text_line_fail(s->in, line, line->len, "expected at least %d hexadecimal digits in a record, found %zu",
                              2 * (RECORD_HEAD + 1), 2 * n);
    }
    if (n != (size_t)record[0] + RECORD_HEAD + 1) {
        return text_line_fail(s->in, line, DIGITS_DATA, "expected %u data bytes and a checksum, found %zu bytes",
                              record[0], n - RECORD_HEAD);
    }
    return ihex_checksum(s->in, line, record, n) && ihex_record(s, line, record);
}

static bool ihex_lines(IhexState *s) {
    TextReader reader = {s->in, 0, 0};
    TextLine line;
    while (!s->ended) {
        if (!text_reader_next(&reader, &line)) {
            return err_at(s->in->err, s->in->path, reader.lines + 1, 1,
                          "expected an end-of-file record (:00000001FF), found the end of the file");
        }
        if (!ihex_line(s, &line)) {
            return false;
        }
    }
    return text_reader_end(&reader, "the end-of-file record");
}

bool image_ihex_parse(Image *image, const ImageInput *in) {
    IhexState s = {.in = in, .image = image, .records = {.is_text = true}};
    bool ok = records_check_size(in) && ihex_lines(&s) && records_finish(&s.records, image, in);
    records_free(&s.records);
    return ok;
}
