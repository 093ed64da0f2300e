/* Fuzzes the image loaders. The first byte selects the format (unless FUZZ_FORMAT does), the rest is the file. What was
 * read must keep the promises of load/image.h: sorted, disjoint, inside the input, at most 1 GiB; what was refused must
 * say why. */
#include "load/image.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool held) {
    if (!held) {
        abort(); /* not assert: the fuzzer must stop in every build */
    }
}

static uint64_t check_segments(const Image *image) {
    uint64_t total = 0, sum = 0;
    require(image->n_segments > 0);
    for (size_t i = 0; i < image->n_segments; i++) {
        const ImageSegment *s = &image->segments[i];
        require(s->size > 0 && s->file_size <= s->size && s->size - 1 <= UINT64_MAX - s->addr);
        require(i == 0 || s->addr - s[-1].addr >= s[-1].size);
        require(i == 0 || s->addr > s[-1].addr);
        total += s->size;
        for (uint64_t j = 0; j < s->file_size; j++) {
            sum += s->data[j]; /* the sanitizer sees bytes outside the input */
        }
    }
    require(total <= UINT64_C(1) << 30);
    return sum;
}

static void check_symbols(const Image *image) {
    for (size_t i = 0; i < image->n_symbols; i++) {
        const ImageSymbol *s = &image->symbols[i];
        require(s->name[0] != 0 && image_symbol_named(image, s->name) != NULL);
        require(i == 0 || s[-1].addr < s->addr || (s[-1].addr == s->addr && strcmp(s[-1].name, s->name) <= 0));
        const ImageSymbol *at = image_symbol_at(image, s->addr);
        require(at && at->addr <= s->addr && (at->addr == s->addr || s->addr - at->addr < at->size));
    }
}

#ifdef FUZZ_LINES
static void check_lines(const Image *image) {
    ImageLines *lines = image_lines_open(image);
    for (size_t i = 0; lines && i < image->n_segments; i++) {
        const char *file = NULL;
        unsigned line = 0;
        if (image_lines_at(lines, image->segments[i].addr, &file, &line)) {
            require(strlen(file) < (size_t)1 << 30 && line > 0);
        }
    }
    image_lines_close(lines);
}
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) {
        return 0;
    }
#ifdef FUZZ_FORMAT
    ImageFormat format = FUZZ_FORMAT;
#else
    ImageFormat format = (ImageFormat)((data[0] & 0x1f) % (IMAGE_RAW + 1));
#endif
    /* An address is a mistake for formats that have their own: not too often. */
    bool takes_addr = format == IMAGE_RAW || format == IMAGE_AUTO || data[0] & 0x20;
    bool has_raw_addr = data[0] & 0x80 && takes_addr;
    uint64_t raw_addr = data[0] & 0x40 ? UINT64_MAX - 16 : 0x8000;
    /* An exact copy, so that one byte too far is seen. */
    uint8_t *file = mem_alloc(size - 1);
    memcpy(file, data + 1, size - 1);
    Arena arena = {0};
    Err err = {0};
    Image image;
    if (image_parse(&image, &arena, "fuzz", file, size - 1, format, has_raw_addr, raw_addr, &err)) {
        require(image.format != IMAGE_AUTO && check_segments(&image) != UINT64_MAX);
        check_symbols(&image);
#ifdef FUZZ_LINES
        check_lines(&image);
#endif
    } else {
        require(strncmp(err.text, "fuzz:", 5) == 0 && strlen(err.text) > 8);
        require(image.n_segments == 0 && image.n_symbols == 0);
    }
    arena_free(&arena);
    mem_free(file);
    return 0;
}
