/* Image loaders: each format read as it should be, each way a file can be wrong refused with the right message. */
#include "load/image.h"

#include <elf.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MICROBIT_HEX "/usr/share/firmware-microbit-micropython/firmware.hex"

static bool parse_as(Image *image, Arena *arena, const void *bytes, size_t len, ImageFormat format, Err *err) {
    return image_parse(image, arena, "f", bytes, len, format, false, 0, err);
}

static void assert_segment(const Image *image, size_t i, uint64_t addr, uint64_t size, const void *data,
                           size_t file_size) {
    assert_true(i < image->n_segments);
    assert_int_equal(image->segments[i].addr, addr);
    assert_int_equal(image->segments[i].size, size);
    assert_int_equal(image->segments[i].file_size, file_size);
    assert_memory_equal(image->segments[i].data, data, file_size);
}

static void assert_refused(const void *bytes, size_t len, ImageFormat format, const char *want) {
    Arena arena = {0};
    Err err = {0};
    Image image;
    memset(&image, 0xff, sizeof image);
    bool ok = parse_as(&image, &arena, bytes, len, format, &err);
    if (ok || !strstr(err.text, want)) {
        print_error("wanted \"%s\", got %s \"%s\"\n", want, ok ? "success" : "error", err.text);
    }
    assert_false(ok);
    assert_non_null(strstr(err.text, want));
    assert_null(image.segments);
    assert_int_equal(image.n_segments, 0);
    arena_free(&arena);
}

typedef struct BadText {
    const char *text, *want;
} BadText;

static void assert_texts_refused(const BadText *bad, size_t n, ImageFormat format) {
    for (size_t i = 0; i < n; i++) {
        assert_refused(bad[i].text, strlen(bad[i].text), format, bad[i].want);
        assert_refused(bad[i].text, strlen(bad[i].text), IMAGE_AUTO, bad[i].want);
    }
}

/* ---- Intel HEX ---- */

#define HEX_END ":00000001FF\n"

static void ihex_merges_adjoining_records(void **state) {
    (void)state;
    /* Out of order, lower case, DOS line ends, blanks; 0x10000 adjoins across the change of base. */
    static const char text[] = "\r\n:020000040001F9\r\n:0200000005 \r\n";
    static const char good[] = "\r\n  :020000040001F9\r\n:020000000506f3 \r\n:020000040000FA\n\n:02FFFE000304FA\n"
                               ":01010000AA54\n:0400000500000101F5\n:00000001FF\r\n\x1a";
    Arena arena = {0};
    Err err = {0};
    Image image;
    assert_false(parse_as(&image, &arena, text, strlen(text), IMAGE_AUTO, &err));
    assert_true(parse_as(&image, &arena, good, strlen(good), IMAGE_AUTO, &err));
    assert_int_equal(image.format, IMAGE_IHEX);
    assert_int_equal(image.n_segments, 2);
    assert_segment(&image, 0, 0x100, 1, "\xaa", 1);
    assert_segment(&image, 1, 0xfffe, 4, "\3\4\5\6", 4);
    assert_true(image.has_entry);
    assert_int_equal(image.entry, 0x101);
    assert_int_equal(image.machine, 0);
    arena_free(&arena);
}

static void ihex_wraps_as_specified(void **state) {
    (void)state;
    /* Base 0x1000 (paragraphs), offset 0xffff: the second byte wraps to the segment's start. Linear: at 4 GiB. */
    static const char segmented[] = ":020000021000EC\n:02FFFF000102FD\n:0400000312345678E5\n" HEX_END;
    static const char linear[] = ":02000004FFFFFC\n:02FFFF000102FD\n" HEX_END;
    static const char across[] = ":020000040001F9\n:02FFFF000102FD\n" HEX_END;
    Arena arena = {0};
    Err err = {0};
    Image image;
    assert_true(parse_as(&image, &arena, segmented, strlen(segmented), IMAGE_IHEX, &err));
    assert_int_equal(image.n_segments, 2);
    assert_segment(&image, 0, 0x10000, 1, "\2", 1);
    assert_segment(&image, 1, 0x1ffff, 1, "\1", 1);
    assert_int_equal(image.entry, 0x12340 + 0x5678);
    assert_true(parse_as(&image, &arena, linear, strlen(linear), IMAGE_IHEX, &err));
    assert_int_equal(image.n_segments, 2);
    assert_segment(&image, 0, 0, 1, "\2", 1);
    assert_segment(&image, 1, 0xffffffff, 1, "\1", 1);
    assert_false(image.has_entry);
    assert_true(parse_as(&image, &arena, across, strlen(across), IMAGE_IHEX, &err));
    assert_int_equal(image.n_segments, 1);
    assert_segment(&image, 0, 0x1ffff, 2, "\1\2", 2);
    arena_free(&arena);
}

static void ihex_refuses(void **state) {
    (void)state;
    static const BadText bad[] = {
        {":0100000001FE\n", "f:2:1: expected an end-of-file record (:00000001FF), found the end of the file"},
        {":0100000001FF\n" HEX_END, "f:1:12: expected checksum FE, found FF"},
        {":01000000z1FE\n" HEX_END, "f:1:10: expected a hexadecimal digit, found 'z'"},
        {":01000000\xff"
         "1FE\n" HEX_END,
         "f:1:10: expected a hexadecimal digit, found 0xff"},
        {":0100000001F\n" HEX_END, "f:1:13: expected a hexadecimal digit, found the end of the line"},
        {":010000\n" HEX_END, "f:1:8: expected at least 10 hexadecimal digits in a record, found 6"},
        {":0200000001FD\n" HEX_END, "f:1:10: expected 2 data bytes and a checksum, found 2 bytes"},
        {":00000006FA\n" HEX_END, "f:1:8: expected record type 00 to 05, found 06"},
        {":0400000A9900C0DEBB\n" HEX_END, "f:1:8: expected the Intel HEX of one board, found a micro:bit universal"},
        {":0100000400FB\n" HEX_END, "f:1:2: expected 2 data bytes in a record of type 04, found 1"},
        {":0100000200FD\n" HEX_END, "f:1:2: expected 2 data bytes in a record of type 02, found 1"},
        {":0100000300FC\n" HEX_END, "f:1:2: expected 4 data bytes in a record of type 03, found 1"},
        {":0100000500FA\n" HEX_END, "f:1:2: expected 4 data bytes in a record of type 05, found 1"},
        {":0100000100FE\n", "f:1:2: expected 0 data bytes in a record of type 01, found 1"},
        {":0100000001FE\nxyz\n" HEX_END, "f:2:1: expected ':', found 0x78"},
        {":0100000001FE\n" HEX_END "\n :0100000001FE\n", "f:4:2: expected nothing after the end-of-file record"},
        {":020000000102FB\n\n:0100010005F9\n" HEX_END,
         "f:3:1: expected each address once, found 0x1 again, already given on line 1"},
        {":0100010005F9\n:020000000102FB\n" HEX_END,
         "f:2:1: expected each address once, found 0x1 again, already given on line 1"},
        {HEX_END, "f: expected data records, found none"},
    };
    assert_texts_refused(bad, ARRAY_LEN(bad), IMAGE_IHEX);
    char text[600] = ":";
    memset(text + 1, '0', 540);
    assert_refused(text, strlen(text), IMAGE_IHEX, "f:1:522: expected at most 260 bytes in a record, found more");
}

static void ihex_reads_the_microbit_firmware(void **state) {
    (void)state;
    Arena arena = {0};
    Err err = {0};
    Image image;
    if (!image_load(&image, &arena, MICROBIT_HEX, IMAGE_AUTO, false, 0, &err)) {
        assert_non_null(strstr(err.text, "No such file"));
        arena_free(&arena);
        skip();
    }
    assert_int_equal(image.n_segments, 2);
    assert_int_equal(image.segments[0].addr, 0);
    assert_memory_equal(image.segments[0].data, "\x00\x40\x00\x20\xd9\xcc\x01\x00", 8);
    assert_int_equal(image.segments[1].addr, 0x100010c0);
    assert_int_equal(image.segments[1].size, 28);
    assert_int_equal(image.entry, 0x1ccd9);
    arena_free(&arena);
}

/* ---- SREC ---- */

#define SREC_END "S9030000FC\n"

static void srec_reads_all_widths(void **state) {
    (void)state;
    static const char text[] = "S0060000484452"
                               "1B\nS1050100AABB94\nS20512345601"
                               "5D\nS306FFFFFFFF07F6\nS104010205F3\n"
                               "S5030004F8\nS604000004F7\nS70500000101F8\n";
    Arena arena = {0};
    Err err = {0};
    Image image;
    if (!parse_as(&image, &arena, text, strlen(text), IMAGE_AUTO, &err)) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(image.format, IMAGE_SREC);
    assert_int_equal(image.n_segments, 3);
    assert_segment(&image, 0, 0x100, 3, "\xaa\xbb\5", 3);
    assert_segment(&image, 1, 0x123456, 1, "\1", 1);
    assert_segment(&image, 2, 0xffffffff, 1, "\7", 1);
    assert_true(image.has_entry);
    assert_int_equal(image.entry, 0x101);
    arena_free(&arena);
}

static void srec_entry_zero_is_none(void **state) {
    (void)state;
    static const char text[] = "S1040100AA50\nS5030001FB\nS1040101AA4F\nS5030001FB\nS9030000FC\n";
    Arena arena = {0};
    Err err = {0};
    Image image;
    assert_true(parse_as(&image, &arena, text, strlen(text), IMAGE_SREC, &err));
    assert_false(image.has_entry);
    assert_int_equal(image.n_segments, 1);
    arena_free(&arena);
}

static void srec_refuses(void **state) {
    (void)state;
    static const BadText bad[] = {
        {"S1040100AA50\n", "f:2:1: expected an end record S7, S8 or S9, found the end of the file"},
        {"S1040100AA51\n" SREC_END, "f:1:11: expected checksum 50, found 51"},
        {"S1040100AAg0\n" SREC_END, "f:1:11: expected a hexadecimal digit, found 'g'"},
        {"S1040100AA5\n" SREC_END, "f:1:12: expected a hexadecimal digit, found the end of the line"},
        {"S1050100AA50\n" SREC_END, "f:1:5: expected 5 bytes after the count, found 4"},
        {"S1020100AA50\n" SREC_END, "f:1:3: expected a count of at least 3 in a record S1, found 2"},
        {"S1\n" SREC_END, "f:1:3: expected a count of at least 3 in a record S1, found 0"},
        {"S40500000000FA\n" SREC_END, "f:1:2: expected a record type 0 to 3 or 5 to 9, found 4, which is reserved"},
        {"S1040100AA50\nSx\n", "f:2:2: expected a record type 0 to 3 or 5 to 9, found none"},
        {"S1040100AA50\nS\n", "f:2:2: expected a record type 0 to 3 or 5 to 9, found none"},
        {"S1040100AA50\n:00000001FF\n", "f:2:1: expected 'S', found 0x3a"},
        {"S1040100AA50\nS5030002FA\n" SREC_END, "f:2:5: expected a count of 1 data records, found 2"},
        {"S1040100AA50\nS604000002F9\n" SREC_END, "f:2:5: expected a count of 1 data records, found 2"},
        {"S104010000FA\nS504000000FB\n" SREC_END, "f:2:3: expected no data in a record S5, found 1 bytes"},
        {"S105FFFFAA0151\n" SREC_END, "f:1:5: expected data that end below 2^16, found 0x10001"},
        {"S1040100AA50\nS1040100AA50\n" SREC_END,
         "f:2:1: expected each address once, found 0x100 again, already given on line 1"},
        {"S1040100AA50\n" SREC_END "S1040100AA50\n", "f:3:1: expected nothing after the end record, found more text"},
        {SREC_END, "f: expected data records, found none"},
    };
    assert_texts_refused(bad, ARRAY_LEN(bad), IMAGE_SREC);
}

/* ---- binary formats: a file that is right, and patches that make it wrong ---- */

typedef struct Blob {
    uint8_t bytes[4096];
    size_t len;
    bool big_endian;
    unsigned word; /* bytes of an address: 4 or 8 */
} Blob;

static void blob_poke(Blob *blob, size_t at, unsigned size, uint64_t value) {
    for (unsigned i = 0; i < size; i++) {
        unsigned shift = 8 * (blob->big_endian ? size - 1 - i : i);
        blob->bytes[at + i] = (uint8_t)(value >> shift);
    }
}

static void blob_put(Blob *blob, unsigned size, uint64_t value) {
    assert_true(blob->len + size <= sizeof blob->bytes);
    blob_poke(blob, blob->len, size, value);
    blob->len += size;
}

static void blob_words(Blob *blob, unsigned size, const uint64_t *values, size_t n) {
    for (size_t i = 0; i < n; i++) {
        blob_put(blob, size, values[i]);
    }
}

#define BLOB_WORDS(blob, size, ...)                                                                                    \
    blob_words((blob), (size), (const uint64_t[]){__VA_ARGS__}, ARRAY_LEN(((const uint64_t[]){__VA_ARGS__})))

typedef struct Patch {
    size_t at;
    unsigned size;
    uint64_t value;
    const char *want;
} Patch;

static void assert_patches_refused(const Blob *good, const Patch *patches, size_t n, ImageFormat format) {
    for (size_t i = 0; i < n; i++) {
        Blob bad = *good;
        blob_poke(&bad, patches[i].at, patches[i].size, patches[i].value);
        assert_refused(bad.bytes, bad.len, format, patches[i].want);
    }
}

/* Every prefix of a good file is refused, and none is read beyond its end (the sanitizers watch: exact copies). */
static void assert_prefixes_refused(const Blob *good, ImageFormat format, const char *want) {
    for (size_t len = 1; len < good->len; len++) {
        uint8_t *cut = mem_alloc(len);
        memcpy(cut, good->bytes, len);
        assert_refused(cut, len, format, want);
        mem_free(cut);
    }
}

/* ---- UF2 ---- */

enum { UF2_FAMILY_FLAG = 0x2000, UF2_MD5_FLAG = 0x4000, UF2_TAGS_FLAG = 0x8000 };

static void uf2_block(Blob *blob, uint32_t flags, uint32_t addr, uint32_t size, uint32_t number, uint32_t total,
                      uint8_t fill) {
    size_t at = blob->len;
    BLOB_WORDS(blob, 4, 0x0a324655, 0x9e5d5157, flags, addr, size, number, total, 0xe48bff56);
    memset(blob->bytes + blob->len, fill, size);
    blob->len = at + 508;
    blob_put(blob, 4, 0x0ab16f30);
}

static void uf2_reads_blocks(void **state) {
    (void)state;
    Blob blob = {.len = 0};
    uf2_block(&blob, UF2_FAMILY_FLAG | UF2_TAGS_FLAG, 0x10000100, 4, 0, 3, 2);
    memcpy(blob.bytes + 36,
           "\x09\xbc\xc7\x9f"
           "0.1.2\0\0\0\xff\xff\xff\xff",
           16);
    uf2_block(&blob, UF2_FAMILY_FLAG | 1, 0x10000100, 4, 1, 3, 9);
    uf2_block(&blob, UF2_FAMILY_FLAG | UF2_MD5_FLAG, 0x100000fe, 2, 2, 3, 1);
    uf2_block(&blob, UF2_FAMILY_FLAG, 0xfffffffe, 2, 0, 1, 3);
    Arena arena = {0};
    Err err = {0};
    Image image;
    assert_true(parse_as(&image, &arena, blob.bytes, blob.len, IMAGE_AUTO, &err));
    assert_int_equal(image.format, IMAGE_UF2);
    assert_int_equal(image.n_segments, 2);
    assert_segment(&image, 0, 0x100000fe, 6, "\1\1\2\2\2\2", 6);
    assert_segment(&image, 1, 0xfffffffe, 2, "\3\3", 2);
    assert_false(image.has_entry);
    arena_free(&arena);
}

/* The block of RP2350 erratum E10, with its tag and without, in front of a file of another family. */
static void uf2_skips_the_rp2350_e10_block(void **state) {
    (void)state;
    for (int tagged = 0; tagged < 2; tagged++) {
        Blob blob = {.len = 0};
        uf2_block(&blob, UF2_FAMILY_FLAG | (tagged ? UF2_TAGS_FLAG : 0), 0x10ffff00, 256, 0, 2, tagged ? 0xaa : 0xef);
        blob_poke(&blob, 28, 4, 0xe48bff57);
        blob_poke(&blob, 32 + 256, 4, tagged ? 0x9957e304 : 0);
        uf2_block(&blob, UF2_FAMILY_FLAG, 0x10000000, 4, 0, 1, 7);
        Arena arena = {0};
        Err err = {0};
        Image image;
        assert_true(parse_as(&image, &arena, blob.bytes, blob.len, IMAGE_UF2, &err));
        assert_int_equal(image.n_segments, 1);
        assert_segment(&image, 0, 0x10000000, 4, "\7\7\7\7", 4);
        arena_free(&arena);
    }
}

static void uf2_refuses(void **state) {
    (void)state;
    Blob good = {.len = 0};
    uf2_block(&good, UF2_FAMILY_FLAG, 0x1000, 256, 0, 2, 1);
    uf2_block(&good, UF2_FAMILY_FLAG, 0x1100, 256, 1, 2, 2);
    static const Patch patches[] = {
        {0x200, 4, 1, "f: offset 0x200: expected the first magic number 0x0a324655, found 0x00000001"},
        {0x204, 4, 1, "f: offset 0x204: expected the second magic number"},
        {0x3fc, 4, 1, "f: offset 0x3fc: expected the final magic number 0x0ab16f30, found 0x00000001"},
        {0x208, 4, 0x3000, "f: offset 0x208: expected blocks for memory, found a file container (flags 0x00003000)"},
        {0x208, 4, 0, "f: offset 0x208: expected all blocks with a family or all without, found one without"},
        {0x21c, 4, 5, "f: offset 0x21c: expected blocks of family 0xe48bff56 only, found 0x00000005"},
        {0x210, 4, 477, "f: offset 0x210: expected at most 476 bytes of data in a block, found 477"},
        {0x20c, 4, 0xffffff01, "f: offset 0x20c: expected 256 bytes that end below 2^32, found them at 0xffffff01"},
        {0x214, 4, 0, "f: offset 0x214: expected block number 1 of 2, found 0"},
        {0x218, 4, 3, "f: offset 0x218: expected 2 blocks as the first block says, found 3"},
        {0x018, 4, 0, "f: offset 0x18: expected a number of blocks, found 0"},
        {0x018, 4, 1, "f: offset 0x214: expected block number 0 of 2, found 1"},
        {0x20c, 4, 0x10ff,
         "f: offset 0x200: expected each address once, found 0x10ff again, already given at offset 0x0"},
        {0x20c, 4, 0x0fff,
         "f: offset 0x200: expected each address once, found 0x1000 again, already given at offset 0x0"},
    };
    assert_patches_refused(&good, patches, ARRAY_LEN(patches), IMAGE_UF2);
    assert_prefixes_refused(&good, IMAGE_UF2, "expected");
    assert_refused(good.bytes, 512, IMAGE_AUTO, "f: offset 0x200: expected block 1 of 2, found the end of the file");
    assert_refused(good.bytes, 1000, IMAGE_AUTO, "f: offset 0x200: expected a block of 512 bytes, found 488 bytes");
    Blob only_notes = {.len = 0};
    uf2_block(&only_notes, 1, 0x1000, 256, 0, 1, 1);
    assert_refused(only_notes.bytes, only_notes.len, IMAGE_UF2, "f: expected data records, found none");
}

static void uf2_checks_flags_that_shorten_data(void **state) {
    (void)state;
    Blob tags = {.len = 0}, md5 = {.len = 0};
    uf2_block(&tags, UF2_TAGS_FLAG, 0x1000, 470, 0, 1, 1);
    blob_poke(&tags, 504, 4, 0x12345605);
    assert_refused(tags.bytes, tags.len, IMAGE_UF2,
                   "f: offset 0x1f8: expected an extension tag of 4 to 4 bytes, found 5");
    blob_poke(&tags, 504, 4, 0x12345603);
    assert_refused(tags.bytes, tags.len, IMAGE_UF2, "found 3");
    uf2_block(&md5, UF2_MD5_FLAG, 0x1000, 453, 0, 1, 1);
    assert_refused(md5.bytes, md5.len, IMAGE_UF2,
                   "f: offset 0x10: expected at most 452 bytes of data in a block, found 453");
}

/* ---- raw and detection ---- */

/* Detected or said: a format with addresses of its own takes none. */
static void address_for_a_format_with_its_own(void **state) {
    (void)state;
    static const struct {
        const char *bytes, *name;
        ImageFormat format;
    } cases[] = {{"\x7f" "ELF", "ELF", IMAGE_ELF}, {":00000001FF\n", "Intel HEX", IMAGE_IHEX},
                 {"S9030000FC\n", "SREC", IMAGE_SREC}, {"UF2\n", "UF2", IMAGE_UF2}};
    for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
        const char *bytes = cases[i / 2].bytes;
        ImageFormat format = i % 2 ? cases[i / 2].format : IMAGE_AUTO;
        Arena arena = {0};
        Err err = {0};
        Image image;
        char expected[128];
        snprintf(expected, sizeof expected, "f: expected no load address for an image in %s, which has its own, found "
                 "0x8000", cases[i / 2].name);
        assert_false(image_parse(&image, &arena, "f", (const uint8_t *)bytes, strlen(bytes), format, true, 0x8000,
                                 &err));
        assert_string_equal(err.text, expected);
        arena_free(&arena);
    }
}

static void raw_goes_where_told(void **state) {
    (void)state;
    Arena arena = {0};
    Err err = {0};
    Image image;
    assert_true(image_parse(&image, &arena, "f", (const uint8_t *)"abc", 3, IMAGE_AUTO, true, 0x8000, &err));
    assert_int_equal(image.format, IMAGE_RAW);
    assert_segment(&image, 0, 0x8000, 3, "abc", 3);
    static const char *const marks[] = {":\0\0\0", ":123", "S123", "S2\1\2"}; /* the number 58, and others */
    for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
        assert_true(image_parse(&image, &arena, "f", (const uint8_t *)marks[i], 4, IMAGE_AUTO, true, 0x8000, &err));
        assert_int_equal(image.format, IMAGE_RAW);
    }
    assert_true(image_parse(&image, &arena, "f", (const uint8_t *)":bc", 3, IMAGE_RAW, true, UINT64_MAX - 2, &err));
    assert_segment(&image, 0, UINT64_MAX - 2, 3, ":bc", 3);
    assert_false(image_parse(&image, &arena, "f", (const uint8_t *)"abc", 3, IMAGE_RAW, true, UINT64_MAX - 1, &err));
    assert_non_null(strstr(err.text, "f: expected 3 bytes at 0xfffffffffffffffe to end below 2^64"));
    arena_free(&arena);
    assert_refused("abc", 3, IMAGE_RAW, "f: a raw binary needs a load address");
    assert_refused("abc", 3, IMAGE_AUTO, "f: offset 0x0: expected ELF (0x7f 'ELF'), Intel HEX (':')");
    assert_refused("", 0, IMAGE_AUTO, "f: expected an image, found an empty file");
    assert_refused("abc", 3, (ImageFormat)99, "f: no such image format: 99");
}

static void load_reports_missing_files(void **state) {
    (void)state;
    Arena arena = {0};
    Err err = {0};
    Image image;
    assert_false(image_load(&image, &arena, "/nonexistent/a.elf", IMAGE_AUTO, false, 0, &err));
    assert_non_null(strstr(err.text, "/nonexistent/a.elf: "));
    assert_int_equal(image.n_segments, 0);
    assert_false(image_load(&image, &arena, "/nonexistent/a.elf", IMAGE_AUTO, false, 0, NULL));
    assert_false(image_parse(&image, &arena, "f", (const uint8_t *)":", 1, IMAGE_AUTO, false, 0, NULL));
    arena_free(&arena);
}

/* ---- ELF ---- */

enum { ELF_SECTIONS = 8, ELF_TEXT = 1, ELF_SYMTAB = 2, ELF_STRTAB = 3 };

/* Where the parts of a built file start. */
typedef struct ElfPlan {
    size_t segments, sections, symbols, strings, text;
} ElfPlan;

static const char elf_names[] = "\0main\0$t\0_label\0table\0_limit\0missing\0loop\0abc\0.symtab\0.text";
enum {
    NAME_MAIN = 1,
    NAME_T = 6,
    NAME_LABEL = 9,
    NAME_TABLE = 16,
    NAME_LIMIT = 22,
    NAME_MISSING = 29,
    NAME_LOOP = 37,
    NAME_ABC = 42
};
static const char elf_section_names[] = "\0.debug_info\0.debug_abbrev\0.debug_line\0.shstrtab";
enum { NAME_INFO = 1, NAME_ABBREV = 13, NAME_LINE = 27, NAME_SHSTRTAB = 39 };

static void elf_put_segment(Blob *b, uint32_t type, uint64_t at, uint64_t vaddr, uint64_t paddr, uint64_t filesz,
                            uint64_t memsz, uint32_t flags) {
    blob_put(b, 4, type);
    if (b->word == 8) {
        blob_put(b, 4, flags);
        BLOB_WORDS(b, 8, at, vaddr, paddr, filesz, memsz, 4);
    } else {
        BLOB_WORDS(b, 4, at, vaddr, paddr, filesz, memsz, flags, 4);
    }
}

static void elf_put_symbol(Blob *b, uint32_t name, uint64_t value, uint64_t size, unsigned bind, unsigned type,
                           uint16_t section) {
    blob_put(b, 4, name);
    if (b->word == 4) {
        BLOB_WORDS(b, 4, value, size);
    }
    BLOB_WORDS(b, 1, bind << 4 | type, 0);
    blob_put(b, 2, section);
    if (b->word == 8) {
        BLOB_WORDS(b, 8, value, size);
    }
}

static void elf_put_section(Blob *b, uint32_t name, uint32_t type, uint64_t addr, uint64_t at, uint64_t size,
                            uint32_t link, uint64_t entsize) {
    BLOB_WORDS(b, 4, name, type);
    BLOB_WORDS(b, b->word, 0, addr, at, size);
    BLOB_WORDS(b, 4, link, 0);
    BLOB_WORDS(b, b->word, 1, entsize);
}

static void elf_put_header(Blob *b, uint16_t machine, const ElfPlan *plan) {
    const uint8_t ident[EI_NIDENT] = {0x7f, 'E', 'L', 'F', b->word / 4, b->big_endian ? 2 : 1, 1};
    memcpy(b->bytes, ident, sizeof ident);
    b->len = sizeof ident;
    BLOB_WORDS(b, 2, ET_EXEC, machine);
    blob_put(b, 4, 1);
    BLOB_WORDS(b, b->word, 0x101, plan->segments, plan->sections);
    blob_put(b, 4, 0);
    BLOB_WORDS(b, 2, b->word == 8 ? 64 : 52, b->word == 8 ? 56 : 32, 4, b->word == 8 ? 64 : 40, ELF_SECTIONS, 7);
}

static void elf_put_symbols(Blob *b) {
    elf_put_symbol(b, 0, 0, 0, 0, 0, 0);
    elf_put_symbol(b, NAME_T, 0x100, 0, STB_LOCAL, STT_NOTYPE, ELF_TEXT);
    elf_put_symbol(b, NAME_T, 0x100, 0, STB_GLOBAL, STT_NOTYPE, ELF_TEXT);
    elf_put_symbol(b, NAME_LOOP, 0x104, 0, STB_LOCAL, STT_NOTYPE, ELF_TEXT);
    elf_put_symbol(b, NAME_MISSING, 0, 0, STB_GLOBAL, STT_FUNC, SHN_UNDEF);
    elf_put_symbol(b, NAME_LABEL, 0x108, 0, STB_GLOBAL, STT_NOTYPE, ELF_TEXT);
    elf_put_symbol(b, NAME_TABLE, 0x10c, 4, STB_LOCAL, STT_OBJECT, ELF_TEXT);
    elf_put_symbol(b, NAME_ABC, 0x100, 8, STB_LOCAL, STT_OBJECT, ELF_TEXT);
    elf_put_symbol(b, NAME_MAIN, 0x101, 8, STB_GLOBAL, STT_FUNC, ELF_TEXT);
    elf_put_symbol(b, NAME_LIMIT, 0x104, 0, STB_GLOBAL, STT_NOTYPE, SHN_ABS);
}

/* One compilation unit a.c at [0x100, 0x108): lines 11 (0x100) and 12 (0x104), and the rows of a function that the
 * linker dropped, left at address 0. DWARF 4, 4-byte addresses, little-endian. */
static size_t elf_put_debug_line(Blob *b) {
    /* clang-format off */
    static const uint8_t head[] = {
        1, 1, 1, 0xfb, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1, /* lengths of the opcodes below 13 */
        0, 'a', '.', 'c', 0, 0, 0, 0, 0, /* no directories; one file */
    };
    static const uint8_t program[] = {
        /* dead: line 99 from 0 and again from 0x102, inside the living code, to 0x302 */
        0, 5, 2, 0, 0, 0, 0, 3, 0xe2, 0, 1, 2, 0x82, 2, 1, 2, 0x80, 4, 0, 1, 1,
        /* line 11 at 0x100, 12 at 0x104, end at 0x108 */
        0, 5, 2, 0, 1, 0, 0, 3, 10, 1, 2, 4, 3, 1, 1, 2, 4, 0, 1, 1,
    };
    /* clang-format on */
    size_t at = b->len;
    blob_put(b, 4, 2 + 4 + sizeof head + sizeof program);
    blob_put(b, 2, 4);
    blob_put(b, 4, sizeof head);
    memcpy(b->bytes + b->len, head, sizeof head);
    memcpy(b->bytes + b->len + sizeof head, program, sizeof program);
    b->len += sizeof head + sizeof program;
    return b->len - at;
}

static void elf_put_debug(Blob *b, size_t at[3], size_t size[3]) {
    static const uint8_t abbrev[] = {1, 0x11, 0, 0x10, 0x17, 0x11, 0x01, 0x12, 0x06, 0x03, 0x08, 0, 0, 0};
    at[0] = b->len;
    blob_put(b, 4, 24);
    blob_put(b, 2, 4);
    blob_put(b, 4, 0);
    BLOB_WORDS(b, 1, 4, 1);
    BLOB_WORDS(b, 4, 0, 0x100, 8);
    BLOB_WORDS(b, 1, 'a', '.', 'c', 0);
    size[0] = b->len - at[0];
    blob_poke(b, at[0], 4, size[0] - 4);
    at[1] = b->len;
    memcpy(b->bytes + b->len, abbrev, sizeof abbrev);
    b->len += size[1] = sizeof abbrev;
    at[2] = b->len;
    size[2] = elf_put_debug_line(b);
}

static void elf_put_body(Blob *b, ElfPlan *plan) {
    size_t debug_at[3], debug_size[3], names_at;
    plan->segments = b->len;
    elf_put_segment(b, PT_LOAD, plan->text, 0x20000000, 0x20000000, 4, 12, PF_R | PF_W);
    elf_put_segment(b, PT_LOAD, plan->text, 0x100, 0x100, 16, 16, PF_R | PF_X);
    elf_put_segment(b, PT_LOAD, plan->text + 4, 0x20001000, 0x200, 4, 0x1000, PF_R | PF_W);
    elf_put_segment(b, PT_NOTE, 0xfffffff0, 0, 0, 0xffffff, 0, 0);
    plan->text = b->len;
    for (unsigned i = 0; i < 16; i++) {
        blob_put(b, 1, 0xc0 + i);
    }
    plan->symbols = b->len;
    elf_put_symbols(b);
    plan->strings = b->len;
    memcpy(b->bytes + b->len, elf_names, sizeof elf_names);
    b->len += sizeof elf_names;
    names_at = b->len;
    memcpy(b->bytes + b->len, elf_section_names, sizeof elf_section_names);
    b->len += sizeof elf_section_names;
    elf_put_debug(b, debug_at, debug_size);
    plan->sections = b->len;
    elf_put_section(b, 0, SHT_NULL, 0, 0, 0, 0, 0);
    elf_put_section(b, 0, SHT_PROGBITS, 0x100, plan->text, 16, 0, 0);
    elf_put_section(b, 0, SHT_SYMTAB, 0, plan->symbols, plan->strings - plan->symbols, ELF_STRTAB,
                    b->word == 8 ? 24 : 16);
    elf_put_section(b, 0, SHT_STRTAB, 0, plan->strings, sizeof elf_names, 0, 0);
    elf_put_section(b, NAME_INFO, SHT_PROGBITS, 0, debug_at[0], debug_size[0], 0, 0);
    elf_put_section(b, NAME_ABBREV, SHT_PROGBITS, 0, debug_at[1], debug_size[1], 0, 0);
    elf_put_section(b, NAME_LINE, SHT_PROGBITS, 0, debug_at[2], debug_size[2], 0, 0);
    elf_put_section(b, NAME_SHSTRTAB, SHT_STRTAB, 0, names_at, sizeof elf_section_names, 0, 0);
}

/* Built twice: the second time every offset is known. */
static Blob elf_build(bool big_endian, unsigned word, uint16_t machine, ElfPlan *plan) {
    Blob b;
    *plan = (ElfPlan){0};
    for (int pass = 0; pass < 2; pass++) {
        b = (Blob){.big_endian = big_endian, .word = word};
        elf_put_header(&b, machine, plan);
        elf_put_body(&b, plan);
    }
    return b;
}

static void elf_reads_segments(void **state) {
    (void)state;
    static const uint8_t text[] = {0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7,
                                   0xc8, 0xc9, 0xca, 0xcb, 0xcc, 0xcd, 0xce, 0xcf};
    for (unsigned i = 0; i < 4; i++) {
        ElfPlan plan;
        Blob b = elf_build(i & 1, i & 2 ? 8 : 4, EM_ARM, &plan);
        Arena arena = {0};
        Err err = {0};
        Image image;
        if (!parse_as(&image, &arena, b.bytes, b.len, IMAGE_AUTO, &err)) {
            fail_msg("%u: %s", i, err.text);
        }
        assert_int_equal(image.format, IMAGE_ELF);
        assert_int_equal(image.machine, EM_ARM);
        assert_int_equal(image.big_endian, i & 1);
        assert_int_equal(image.is_64bit, i >> 1);
        assert_true(image.has_entry);
        assert_int_equal(image.entry, 0x101);
        assert_int_equal(image.n_segments, 3);
        assert_segment(&image, 0, 0x100, 16, text, 16);
        assert_segment(&image, 1, 0x200, 4, text + 4, 4); /* loaded in flash, runs in RAM: no zero tail */
        assert_segment(&image, 2, 0x20000000, 12, text, 4);
        assert_int_equal(image.n_symbols, 5);
        assert_string_equal(image_symbol_named(&image, "main")->name, "main");
        arena_free(&arena);
    }
}

static const char *symbol_name_at(const Image *image, uint64_t addr) {
    const ImageSymbol *symbol = image_symbol_at(image, addr);
    return symbol ? symbol->name : "none";
}

static void elf_reads_symbols(void **state) {
    (void)state;
    static const struct {
        uint64_t addr;
        const char *name;
    } wants[] = {{0xff, "none"},    {0x100, "main"},  {0x107, "main"},  {0x104, "main"}, {0x108, "_label"},
                 {0x10b, "_label"}, {0x10c, "table"}, {0x10f, "table"}, {0x110, "none"}, {UINT64_MAX, "none"}};
    ElfPlan plan;
    Blob b = elf_build(false, 4, EM_ARM, &plan);
    Arena arena = {0};
    Err err = {0};
    Image image;
    assert_true(parse_as(&image, &arena, b.bytes, b.len, IMAGE_ELF, &err));
    static const char *const sorted[] = {"abc", "main", "_limit", "_label", "table"};
    assert_int_equal(image.n_symbols, ARRAY_LEN(sorted));
    for (size_t i = 0; i < ARRAY_LEN(sorted); i++) {
        assert_string_equal(image.symbols[i].name, sorted[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(wants); i++) {
        assert_string_equal(symbol_name_at(&image, wants[i].addr), wants[i].name);
    }
    const ImageSymbol *main_symbol = image_symbol_named(&image, "main");
    assert_int_equal(main_symbol->addr, 0x100);
    assert_int_equal(main_symbol->size, 8);
    assert_true(main_symbol->is_function);
    assert_false(image_symbol_named(&image, "table")->is_function);
    assert_int_equal(image_symbol_named(&image, "_label")->size, 4);
    assert_int_equal(image_symbol_named(&image, "_limit")->size, 0);
    assert_null(image_symbol_named(&image, "missing"));
    assert_null(image_symbol_named(&image, "$t"));
    arena_free(&arena);
    b = elf_build(false, 4, EM_SPARC, &plan);
    assert_true(parse_as(&image, &arena, b.bytes, b.len, IMAGE_ELF, &err));
    assert_non_null(image_symbol_named(&image, "$t")); /* an ordinary name elsewhere */
    assert_int_equal(image_symbol_named(&image, "main")->addr, 0x101); /* no Thumb bit elsewhere */
    arena_free(&arena);
}

static void elf_entry_zero_is_code_or_none(void **state) {
    (void)state;
    ElfPlan plan;
    Blob b = elf_build(false, 4, EM_ARM, &plan);
    Arena arena = {0};
    Err err = {0};
    Image image;
    blob_poke(&b, offsetof(Elf32_Ehdr, e_entry), 4, 0);
    assert_true(parse_as(&image, &arena, b.bytes, b.len, IMAGE_ELF, &err));
    assert_false(image.has_entry);
    blob_poke(&b, plan.segments + sizeof(Elf32_Phdr) + offsetof(Elf32_Phdr, p_vaddr), 4, 0);
    assert_true(parse_as(&image, &arena, b.bytes, b.len, IMAGE_ELF, &err));
    assert_true(image.has_entry);
    assert_int_equal(image.entry, 0);
    arena_free(&arena);
}

#define EHDR(field) offsetof(Elf32_Ehdr, field), sizeof(((Elf32_Ehdr *)0)->field)

static void elf_refuses_bad_headers(void **state) {
    (void)state;
    static const Patch patches[] = {
        {1, 1, 'e', "f: offset 0x0: expected an ELF header (0x7f 'ELF'), found other bytes"},
        {EI_CLASS, 1, 3, "f: offset 0x4: expected ELF class 1 (32-bit) or 2 (64-bit), found 3"},
        {EI_DATA, 1, 0, "f: offset 0x5: expected byte order 1 (little) or 2 (big), found 0"},
        {EI_VERSION, 1, 2, "f: offset 0x6: expected ELF version 1, found 2"},
        {EHDR(e_type), ET_REL, "f: offset 0x10: expected an executable (e_type 2), found e_type 1, a relocatable"},
        {EHDR(e_type), ET_DYN, "found e_type 3, a shared object or position-independent executable"},
        {EHDR(e_type), ET_CORE, "found e_type 4, a core file"},
        {EHDR(e_type), 0, "found e_type 0, no type"},
        {EHDR(e_type), 0xfe00, "found e_type 65024, which is unknown"},
        {EHDR(e_phnum), 0, "f: offset 0x2c: expected 1 to 65534 program headers, found 0"},
        {EHDR(e_phnum), 0xffff, "f: offset 0x2c: expected 1 to 65534 program headers, found more"},
        {EHDR(e_phnum), 0xfffe, "f: offset 0x1c: expected 65534 program headers inside the file of 0x"},
        {EHDR(e_phentsize), 33, "f: offset 0x2a: expected program headers of 32 bytes, found 33"},
        {EHDR(e_phoff), 0xffffffff, "found them at 0xffffffff"},
        {EHDR(e_shentsize), 41, "f: offset 0x2e: expected section headers of 40 bytes, found 41"},
        {EHDR(e_shoff), 0xfffffff0, "f: offset 0x20: expected 8 section headers inside the file of 0x"},
        {EHDR(e_shnum), 9, "f: offset 0x20: expected 9 section headers inside the file of 0x"},
    };
    ElfPlan plan;
    Blob good = elf_build(false, 4, EM_ARM, &plan);
    assert_patches_refused(&good, patches, ARRAY_LEN(patches), IMAGE_ELF);
    assert_prefixes_refused(&good, IMAGE_ELF, "expected");
    good = elf_build(true, 8, EM_RISCV, &plan);
    assert_prefixes_refused(&good, IMAGE_ELF, "expected");
}

static void elf_refuses_bad_segments(void **state) {
    (void)state;
    ElfPlan plan;
    Blob good = elf_build(false, 4, EM_ARM, &plan);
    size_t ram = plan.segments, text = ram + sizeof(Elf32_Phdr);
    const Patch patches[] = {
        {text + offsetof(Elf32_Phdr, p_filesz), 4, 17,
         "f: offset 0x64: expected p_filesz of at most p_memsz 0x10, found 0x11"},
        {text + offsetof(Elf32_Phdr, p_offset), 4, 0xfffffff8,
         "f: offset 0x58: expected a segment inside the file of 0x"},
        {text + offsetof(Elf32_Phdr, p_paddr), 4, 0xfffffff1,
         "f: offset 0x68: expected a segment that ends inside the address space, found 0x10 bytes at 0xfffffff1"},
        {text + offsetof(Elf32_Phdr, p_vaddr), 4, 0xfffffff1,
         "f: offset 0x68: expected a segment that ends inside the address space"},
        {ram + offsetof(Elf32_Phdr, p_memsz), 4, 0x40000000,
         "f: offset 0x68: expected segments of at most 1 GiB together, found 0x10 bytes more"},
        {ram + offsetof(Elf32_Phdr, p_memsz), 4, 0xc0000000,
         "f: offset 0x48: expected segments of at most 1 GiB together, found 0xc0000000 bytes more"},
        {text + offsetof(Elf32_Phdr, p_paddr), 4, 0x1f9,
         "f: offset 0x74: expected segments that do not overlap, found 0x4 bytes at 0x200 and 0x10 bytes at 0x1f9 "
         "(header at offset 0x54)"},
    };
    assert_patches_refused(&good, patches, ARRAY_LEN(patches), IMAGE_ELF);
    for (size_t i = 0; i < 3; i++) {
        blob_poke(&good, plan.segments + i * sizeof(Elf32_Phdr), 4, PT_NULL);
    }
    assert_refused(good.bytes, good.len, IMAGE_ELF, "f: offset 0x34: expected a segment to load (PT_LOAD), found none");
}

static void elf_refuses_bad_symbols(void **state) {
    (void)state;
    ElfPlan plan;
    Blob good = elf_build(false, 4, EM_ARM, &plan);
    size_t symtab = plan.sections + ELF_SYMTAB * sizeof(Elf32_Shdr), strtab = symtab + sizeof(Elf32_Shdr);
    const Patch patches[] = {
        {symtab + offsetof(Elf32_Shdr, sh_offset), 4, 0xfffffff0, "expected a section inside the file of 0x"},
        {symtab + offsetof(Elf32_Shdr, sh_size), 4, 0xfffffff0, "expected a section inside the file of 0x"},
        {symtab + offsetof(Elf32_Shdr, sh_entsize), 4, 0, "expected entries of 16 bytes, found 0"},
        {symtab + offsetof(Elf32_Shdr, sh_link), 4, 0, "expected a string table's section number below 8, found 0"},
        {symtab + offsetof(Elf32_Shdr, sh_link), 4, 8, "expected a string table's section number below 8, found 8"},
        {symtab + offsetof(Elf32_Shdr, sh_link), 4, ELF_TEXT, "expected a string table (sh_type 3), found 1"},
        {strtab + offsetof(Elf32_Shdr, sh_size), 4, 0xffffff, "found 0xffffff bytes at 0x"},
        {strtab + offsetof(Elf32_Shdr, sh_size), 4, 0, "expected a string table that ends with 0, found an empty one"},
        {strtab + offsetof(Elf32_Shdr, sh_size), 4, 3, "expected a string table that ends with 0, found another byte"},
        {plan.symbols + 16, 4, 0xffffff, "expected a name inside the string table of 0x3c bytes, found 0xffffff"},
    };
    assert_patches_refused(&good, patches, ARRAY_LEN(patches), IMAGE_ELF);
}

static void lines_come_from_dwarf(void **state) {
    (void)state;
    ElfPlan plan;
    Blob b = elf_build(false, 4, EM_ARM, &plan);
    Arena arena = {0};
    Err err = {0};
    Image image;
    assert_true(parse_as(&image, &arena, b.bytes, b.len, IMAGE_ELF, &err));
    ImageLines *lines = image_lines_open(&image);
#ifdef HAVE_LIBDW
    static const unsigned wants[][2] = {{0x100, 11}, {0x103, 11}, {0x104, 12}, {0x107, 12}};
    const char *file = NULL;
    unsigned line = 0;
    assert_non_null(lines);
    for (size_t i = 0; i < ARRAY_LEN(wants); i++) {
        assert_true(image_lines_at(lines, wants[i][0], &file, &line));
        assert_int_equal(line, wants[i][1]);
        assert_string_equal(file, "a.c");
    }
    assert_false(image_lines_at(lines, 0, &file, &line));
    assert_false(image_lines_at(lines, 0xff, &file, &line)); /* a dead row claims it */
    assert_false(image_lines_at(lines, 0x108, &file, &line));
#else
    assert_null(lines);
#endif
    image_lines_close(lines);
    image_lines_close(NULL);
    blob_poke(&b, offsetof(Elf32_Ehdr, e_shoff), 4, 0);
    assert_true(parse_as(&image, &arena, b.bytes, b.len, IMAGE_ELF, &err));
    assert_null(image_lines_open(&image));
    arena_free(&arena);
}

static void machines_have_names(void **state) {
    (void)state;
    assert_string_equal(image_machine_name(EM_ARM), "Arm");
    assert_string_equal(image_machine_name(EM_SPARC), "SPARC");
    assert_string_equal(image_machine_name(EM_RISCV), "RISC-V");
    assert_string_equal(image_machine_name(0), "no machine");
    assert_string_equal(image_machine_name(0xfff0), "an unknown machine");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ihex_merges_adjoining_records),
        cmocka_unit_test(ihex_wraps_as_specified),
        cmocka_unit_test(ihex_refuses),
        cmocka_unit_test(ihex_reads_the_microbit_firmware),
        cmocka_unit_test(srec_reads_all_widths),
        cmocka_unit_test(srec_entry_zero_is_none),
        cmocka_unit_test(srec_refuses),
        cmocka_unit_test(uf2_reads_blocks),
        cmocka_unit_test(uf2_skips_the_rp2350_e10_block),
        cmocka_unit_test(uf2_refuses),
        cmocka_unit_test(uf2_checks_flags_that_shorten_data),
        cmocka_unit_test(address_for_a_format_with_its_own),
        cmocka_unit_test(raw_goes_where_told),
        cmocka_unit_test(load_reports_missing_files),
        cmocka_unit_test(elf_reads_segments),
        cmocka_unit_test(elf_reads_symbols),
        cmocka_unit_test(elf_entry_zero_is_code_or_none),
        cmocka_unit_test(elf_refuses_bad_headers),
        cmocka_unit_test(elf_refuses_bad_segments),
        cmocka_unit_test(elf_refuses_bad_symbols),
        cmocka_unit_test(lines_come_from_dwarf),
        cmocka_unit_test(machines_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
