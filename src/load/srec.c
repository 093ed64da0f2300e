/* Motorola S-records (M68000 Family Programmer's Reference Manual, M68000PM/AD, appendix C): S0 header, S1 to S3 data,
 * S5 and S6 counts, S7 to S9 end and entry; checksums. Data and end records of different widths may be mixed, as
 * objcopy and srec_cat do. A count may be that of the whole file or of the records since the last count: both are in
 * use. An entry of 0 means none.
 * Refused: S4 (reserved), a file without an end record (most likely cut), an address given twice. */
#include "load/image_internal.h"

enum {
    RECORD_MAX = 1 + 255,
    DIGITS_TYPE = 1, /* text offsets of the fields */
    DIGITS_COUNT = 2,
    DIGITS_ADDR = 4
};

typedef struct SrecState {
    const ImageInput *in;
    Image *image;
    Records records;
    uint32_t n_data; /* S1 to S3 records so far */
    uint32_t n_counted; /* of them, those before the last count record */
    bool ended;
} SrecState;

/* Bytes of address by record type; 0: no such record. */
static const uint8_t srec_addr_size[10] = {2, 2, 3, 4, 0, 2, 3, 4, 3, 2};

static bool srec_count(SrecState *s, const TextLine *line, uint32_t count) {
    if (count != s->n_data && count != s->n_data - s->n_counted) {
        return text_line_fail(s->in, line, DIGITS_ADDR, "expected a count of %u data records, found %u", s->n_data,
                              count);
    }
    s->n_counted = s->n_data;
    return true;
}

static bool srec_record(SrecState *s, const TextLine *line, unsigned type, const uint8_t *record) {
    unsigned addr_size = srec_addr_size[type], data_size = record[0] - addr_size - 1;
    uint32_t addr = 0;
    for (unsigned i = 0; i < addr_size; i++) {
        addr = addr << 8 | record[1 + i];
    }
    if (type == 0) {
        return true;
    }
    if (type <= 3) {
        s->n_data++;
        uint64_t end = (uint64_t)addr + data_size;
        if (end >> (8 * addr_size) && end != UINT64_C(1) << (8 * addr_size)) {
            return text_line_fail(s->in, line, DIGITS_ADDR, "expected data that end below 2^%u, found 0x%llx",
                                  8 * addr_size, (unsigned long long)end);
        }
        return records_add(&s->records, s->in, addr, record + 1 + addr_size, data_size, line->number);
    }
    if (data_size) {
        return text_line_fail(s->in, line, DIGITS_COUNT, "expected no data in a record S%u, found %u bytes", type,
                              data_size);
    }
    if (type <= 6) {
        return srec_count(s, line, addr);
    }
    s->ended = true;
    s->image->has_entry = addr != 0;
    s->image->entry = addr;
    return true;
}

static bool srec_checksum(const ImageInput *in, const TextLine *line, const uint8_t *record, size_t n) {
    uint8_t sum = 0;
    for (size_t i = 0; i + 1 < n; i++) {
        sum = (uint8_t)(sum + record[i]);
    }
    uint8_t want = (uint8_t)~sum;
    if (record[n - 1] != want) {
        return text_line_fail(in, line, line->len - 2, "expected checksum %02X, found %02X", want, record[n - 1]);
    }
    return true;
}

static bool srec_line(SrecState *s, const TextLine *line) {
    uint8_t record[RECORD_MAX];
    size_t n = 0;
    if (line->text[0] != 'S') {
        return text_line_fail(s->in, line, 0, "expected 'S', found 0x%02x", line->text[0]);
    }
    unsigned type = line->len > 1 ? line->text[1] - (unsigned)'0' : 10;
    if (type > 9 || srec_addr_size[type] == 0) {
        return text_line_fail(s->in, line, DIGITS_TYPE, "expected a record type 0 to 3 or 5 to 9, found %s",
                              type == 4 ? "4, which is reserved" : "none");
    }
    if (!text_line_hex(s->in, line, DIGITS_COUNT, record, sizeof record, &n)) {
        return false;
    }
    if (n == 0 || record[0] < srec_addr_size[type] + 1u) {
        return text_line_fail(s->in, line, DIGITS_COUNT, "expected a count of at least %d in a record S%u, found %d",
                              srec_addr_size[type] + 1, type, n ? record[0] : 0);
    }
    if (n != (size_t)record[0] + 1) {
        return text_line_fail(s->in, line, DIGITS_ADDR, "expected %u bytes after the count, found %zu", record[0],
                              n - 1);
    }
    return srec_checksum(s->in, line, record, n) && srec_record(s, line, type, record);
}

static bool srec_lines(SrecState *s) {
    TextReader reader = {s->in, 0, 0};
    TextLine line;
    while (!s->ended) {
        if (!text_reader_next(&reader, &line)) {
            return err_at(s->in->err, s->in->path, reader.lines + 1, 1,
                          "expected an end record S7, S8 or S9, found the end of the file");
        }
        if (!srec_line(s, &line)) {
            return false;
        }
    }
    return text_reader_end(&reader, "the end record");
}

bool image_srec_parse(Image *image, const ImageInput *in) {
    SrecState s = {.in = in, .image = image, .records = {.is_text = true}};
    bool ok = records_check_size(in) && srec_lines(&s) && records_finish(&s.records, image, in);
    records_free(&s.records);
    return ok;
}
