/* UF2 (Microsoft, "USB Flashing Format", github.com/microsoft/uf2): magics, block numbers, the flags for family,
 * MD5 and extension tags; blocks "not for main flash" are numbered but skipped. Several complete runs of blocks may
 * follow each other, as `cat a.uf2 b.uf2` makes them, provided they are of one family.
 * RP2350 files begin with one block that the boot ROM must not count (RP2350 datasheet, erratum E10): it is skipped,
 * whether it carries its "ignore" tag or comes from the SDK that did not write the tag yet.
 * Not modelled: the MD5 itself, which only tells a flasher what it may skip. Refused: file containers, which hold the
 * files of a file system, and files for several families, since an image has no family to choose by. */
#include "load/image_internal.h"

#include <string.h>

enum {
    BLOCK = 512,
    DATA_AT = 32,
    DATA_MAX = 476,
    MD5_BYTES = 24,
    E10_BYTES = 256,
    FLAG_NOT_MAIN_FLASH = 0x0001,
    FLAG_FILE_CONTAINER = 0x1000,
    FLAG_FAMILY = 0x2000,
    FLAG_MD5 = 0x4000,
    FLAG_TAGS = 0x8000,
    TAG_RP2_IGNORE = 0x9957e3,
    AT_FLAGS = 8, /* offsets of the fields */
    AT_ADDR = 12,
    AT_SIZE = 16,
    AT_NUMBER = 20,
    AT_TOTAL = 24,
    AT_FAMILY = 28,
    AT_MAGIC_END = 508
};

#define MAGIC_0 0x0a324655u
#define MAGIC_1 0x9e5d5157u
#define MAGIC_END 0x0ab16f30u
#define FAMILY_RP2_ABSOLUTE 0xe48bff57u

typedef struct Uf2Block {
    const uint8_t *bytes;
    uint32_t at; /* offset in the file */
    uint32_t flags, addr, size, number, total, family;
    bool ignored; /* the block of erratum E10 */
} Uf2Block;

typedef struct Uf2State {
    const ImageInput *in;
    Records records;
    uint32_t next, total; /* of the current run of blocks: number expected, blocks in all */
    bool any;
    bool has_family;
    uint32_t family;
} Uf2State;

static uint32_t read_le32(const uint8_t *p) {
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static bool uf2_want(const ImageInput *in, uint32_t at, const char *what, uint32_t want) {
    uint32_t found = read_le32(in->bytes + at);
    return found == want || image_fail(in, at, "expected the %s magic number 0x%08x, found 0x%08x", what, want, found);
}

/* Walks the tags behind the payload; each has its size, a 24-bit type and a value, padded to four bytes. */
static bool uf2_tags(const ImageInput *in, Uf2Block *block) {
    uint32_t end = DATA_AT + DATA_MAX - (block->flags & FLAG_MD5 ? MD5_BYTES : 0);
    for (uint32_t pos = (DATA_AT + block->size + 3) & ~3u; pos + 4 <= end;) {
        uint32_t head = read_le32(block->bytes + pos), size = head & 0xff, type = head >> 8;
        if (head == 0 || head == UINT32_MAX) {
            return true;
        }
        if (size < 4 || size > end - pos) {
            return image_fail(in, block->at + pos, "expected an extension tag of 4 to %u bytes, found %u", end - pos,
                              size);
        }
        block->ignored |= type == TAG_RP2_IGNORE;
        pos += (size + 3) & ~3u;
    }
    return true;
}

static bool uf2_is_e10(const Uf2Block *block) {
    for (unsigned i = 0; i < E10_BYTES; i++) {
        if (block->bytes[DATA_AT + i] != 0xef) {
            return false;
        }
    }
    return block->family == FAMILY_RP2_ABSOLUTE && block->size == E10_BYTES && block->number == 0 && block->total == 2;
}

static bool uf2_block_read(const ImageInput *in, uint32_t at, Uf2Block *block) {
    const uint8_t *p = in->bytes + at;
    *block = (Uf2Block){.bytes = p,
                        .at = at,
                        .flags = read_le32(p + AT_FLAGS),
                        .addr = read_le32(p + AT_ADDR),
                        .size = read_le32(p + AT_SIZE),
                        .number = read_le32(p + AT_NUMBER),
                        .total = read_le32(p + AT_TOTAL),
                        .family = read_le32(p + AT_FAMILY)};
    if (!uf2_want(in, at, "first", MAGIC_0) || !uf2_want(in, at + 4, "second", MAGIC_1) ||
        !uf2_want(in, at + AT_MAGIC_END, "final", MAGIC_END)) {
        return false;
    }
    if (block->flags & FLAG_FILE_CONTAINER) {
        return image_fail(in, at + AT_FLAGS, "expected blocks for memory, found a file container (flags 0x%08x)",
                          block->flags);
    }
    uint32_t room = DATA_MAX - (block->flags & FLAG_MD5 ? MD5_BYTES : 0);
    if (block->size > room) {
        return image_fail(in, at + AT_SIZE, "expected at most %u bytes of data in a block, found %u", room,
                          block->size);
    }
    if ((uint64_t)block->addr + block->size > UINT64_C(1) << 32) {
        return image_fail(in, at + AT_ADDR, "expected %u bytes that end below 2^32, found them at 0x%08x", block->size,
                          block->addr);
    }
    if (block->flags & FLAG_TAGS && !uf2_tags(in, block)) {
        return false;
    }
    block->ignored |= block->flags & FLAG_FAMILY && uf2_is_e10(block);
    return true;
}

static bool uf2_family(Uf2State *s, const Uf2Block *block) {
    bool has_family = block->flags & FLAG_FAMILY;
    if (!s->any) {
        s->has_family = has_family;
        s->family = block->family;
    } else if (s->has_family != has_family) {
        return image_fail(s->in, block->at + AT_FLAGS, "expected all blocks with a family or all without, found one %s",
                          has_family ? "with" : "without");
    } else if (has_family && s->family != block->family) {
        return image_fail(s->in, block->at + AT_FAMILY, "expected blocks of family 0x%08x only, found 0x%08x",
                          s->family, block->family);
    }
    s->any = true;
    return true;
}

static bool uf2_number(Uf2State *s, const Uf2Block *block) {
    if (s->next == 0) {
        s->total = block->total;
    }
    if (block->total != s->total) {
        return image_fail(s->in, block->at + AT_TOTAL, "expected %u blocks as the first block says, found %u", s->total,
                          block->total);
    }
    if (block->total == 0) {
        return image_fail(s->in, block->at + AT_TOTAL, "expected a number of blocks, found 0");
    }
    if (block->number != s->next) {
        return image_fail(s->in, block->at + AT_NUMBER, "expected block number %u of %u, found %u", s->next, s->total,
                          block->number);
    }
    s->next = s->next + 1 == s->total ? 0 : s->next + 1;
    return true;
}

static bool uf2_blocks(Uf2State *s) {
    const ImageInput *in = s->in;
    for (uint32_t at = 0; at < in->len; at += BLOCK) {
        Uf2Block block;
        if (in->len - at < BLOCK) {
            return image_fail(in, at, "expected a block of %d bytes, found %zu bytes", BLOCK, in->len - at);
        }
        if (!uf2_block_read(in, at, &block)) {
            return false;
        }
        if (block.ignored) {
            continue;
        }
        if (!uf2_family(s, &block) || !uf2_number(s, &block)) {
            return false;
        }
        bool skip = block.flags & FLAG_NOT_MAIN_FLASH;
        if (!skip && !records_add(&s->records, in, block.addr, block.bytes + DATA_AT, block.size, at)) {
            return false;
        }
    }
    if (s->next != 0) {
        return image_fail(in, in->len, "expected block %u of %u, found the end of the file", s->next, s->total);
    }
    return true;
}

bool image_uf2_parse(Image *image, const ImageInput *in) {
    Uf2State s = {.in = in};
    bool ok = records_check_size(in) && uf2_blocks(&s) && records_finish(&s.records, image, in);
    records_free(&s.records);
    return ok;
}
