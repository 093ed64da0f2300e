/* Source lines from DWARF line tables (DWARF 5, section 6.2; versions 2 to 5). libdw finds the units, the tables and
 * the file names; the line programs are run here, because libdw hands out rows sorted over all sequences of a unit.
 * A linker that drops unused functions leaves their sequences behind at address 0, where flash may hold living code:
 * only sequence by sequence can the dead be told from the living. A sequence that starts at 0 counts only if the image
 * has a function or its entry there.
 * Not modelled: split DWARF (.dwo), separate debug files, VLIW operation indices. */
#include "load/image_internal.h"

#ifdef HAVE_LIBDW

#include "base/map.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <gelf.h>
#include <string.h>

enum { LINE_ROWS_MAX = 8 << 20 };

typedef struct LineRow {
    uint64_t lo, hi;
    const char *file;
    unsigned line;
} LineRow;

struct ImageLines {
    Elf *elf;
    Dwarf *dwarf;
    bool code_at_zero;
    const uint8_t *table; /* .debug_line */
    size_t table_len;
    Map tables_read; /* offsets of the line programs that have been run: units may share one */
    VEC(LineRow) rows; /* sorted by lo when all are read */
};

typedef struct LineCursor {
    const uint8_t *at, *end;
    bool big_endian;
    bool bad; /* read beyond the end: every later read gives 0 */
} LineCursor;

/* One run of a line program. */
typedef struct LineProgram {
    ImageLines *lines;
    LineCursor cursor;
    Dwarf_Files *files;
    size_t n_files;
    unsigned min_length, line_range, opcode_base;
    int line_base;
    uint8_t lengths[256]; /* operands of the standard opcodes */
    size_t first_row; /* of the sequence being read */
    bool open; /* the sequence has a row, the last one, whose hi is not known yet */
    uint64_t first, addr; /* of the sequence; of the machine's registers */
    uint64_t file, line;
} LineProgram;

static uint64_t cursor_uint(LineCursor *c, unsigned size) {
    if ((size_t)(c->end - c->at) < size) {
        c->bad = true;
        c->at = c->end;
        return 0;
    }
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++) {
        value = value << 8 | c->at[c->big_endian ? i : size - 1 - i];
    }
    c->at += size;
    return value;
}

static uint64_t cursor_leb(LineCursor *c, bool is_signed) {
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        uint64_t byte = cursor_uint(c, 1);
        if (shift < 64) {
            value |= (byte & 0x7f) << shift;
        }
        if (!(byte & 0x80)) {
            bool negative = is_signed && byte & 0x40 && shift + 7 < 64;
            return negative ? value | UINT64_MAX << (shift + 7) : value;
        }
    }
}

/* Ends the last row at the current address; rows that cover nothing or have no line are dropped. */
static void program_close_row(LineProgram *p) {
    if (p->open) {
        LineRow *row = &p->lines->rows.data[p->lines->rows.len - 1];
        row->hi = p->addr;
        p->lines->rows.len -= row->hi <= row->lo || row->line == 0 || !row->file;
        p->open = false;
    }
}

static void program_row(LineProgram *p) {
    bool begins = !p->open && p->lines->rows.len == p->first_row;
    program_close_row(p);
    if (begins) {
        p->first = p->addr;
    }
    if (p->lines->rows.len == LINE_ROWS_MAX) {
        p->cursor.bad = true;
        return;
    }
    const char *file = p->file < p->n_files ? dwarf_filesrc(p->files, p->file, NULL, NULL) : NULL;
    unsigned line = p->line <= INT32_MAX ? (unsigned)p->line : 0;
    LineRow row = {p->addr, p->addr, file, line};
    vec_push(&p->lines->rows, row);
    p->open = true;
}

static void program_begin_sequence(LineProgram *p) {
    p->first_row = p->lines->rows.len;
    p->open = false;
    p->first = p->addr = 0;
    p->file = p->line = 1;
}

static void program_extended(LineProgram *p) {
    LineCursor *c = &p->cursor;
    uint64_t len = cursor_leb(c, false);
    if (len == 0 || len > (uint64_t)(c->end - c->at)) {
        c->bad = true;
        return;
    }
    const uint8_t *next = c->at + len;
    switch (cursor_uint(c, 1)) {
    case DW_LNE_end_sequence:
        program_close_row(p);
        if (p->first == 0 && !p->lines->code_at_zero) {
            p->lines->rows.len = p->first_row;
        }
        program_begin_sequence(p);
        break;
    case DW_LNE_set_address:
        p->addr = len - 1 <= 8 ? cursor_uint(c, (unsigned)len - 1) : 0;
        break;
    default:
        break;
    }
    c->at = next;
}

static void program_standard(LineProgram *p, unsigned opcode) {
    LineCursor *c = &p->cursor;
    switch (opcode) {
    case DW_LNS_copy:
        program_row(p);
        break;
    case DW_LNS_advance_pc:
        p->addr += cursor_leb(c, false) * p->min_length;
        break;
    case DW_LNS_advance_line:
        p->line += cursor_leb(c, true);
        break;
    case DW_LNS_set_file:
        p->file = cursor_leb(c, false);
        break;
    case DW_LNS_const_add_pc:
        p->addr += (uint64_t)((255 - p->opcode_base) / p->line_range) * p->min_length;
        break;
    case DW_LNS_fixed_advance_pc:
        p->addr += cursor_uint(c, 2);
        break;
    default: /* the header tells how many operands to skip */
        for (unsigned i = 0; i < p->lengths[opcode]; i++) {
            cursor_leb(c, false);
        }
        break;
    }
}

static void program_run(LineProgram *p) {
    program_begin_sequence(p);
    while (!p->cursor.bad && p->cursor.at < p->cursor.end) {
        unsigned opcode = (unsigned)cursor_uint(&p->cursor, 1);
        if (opcode == 0) {
            program_extended(p);
        } else if (opcode < p->opcode_base) {
            program_standard(p, opcode);
        } else {
            unsigned step = opcode - p->opcode_base;
            p->addr += (uint64_t)(step / p->line_range) * p->min_length;
            p->line += (uint64_t)(int64_t)(p->line_base + (int)(step % p->line_range));
            program_row(p);
        }
    }
    p->lines->rows.len = p->first_row; /* a sequence without its end */
}

/* Reads the header (section 6.2.4) and leaves the cursor at the program. */
static bool program_header(LineProgram *p) {
    LineCursor *c = &p->cursor;
    uint64_t len = cursor_uint(c, 4);
    unsigned offset_size = len == UINT32_MAX ? 8 : 4;
    len = offset_size == 8 ? cursor_uint(c, 8) : len;
    if (len > (uint64_t)(c->end - c->at)) {
        return false;
    }
    c->end = c->at + len;
    uint64_t version = cursor_uint(c, 2);
    if (version >= 5) {
        cursor_uint(c, 2); /* sizes of addresses and segment selectors */
    }
    uint64_t header_len = cursor_uint(c, offset_size);
    if (version < 2 || version > 5 || header_len > (uint64_t)(c->end - c->at)) {
        return false;
    }
    const uint8_t *program = c->at + header_len;
    p->min_length = (unsigned)cursor_uint(c, 1);
    cursor_uint(c, version >= 4 ? 2 : 1); /* operations per instruction; whether rows are statements at first */
    p->line_base = (int8_t)cursor_uint(c, 1);
    p->line_range = (unsigned)cursor_uint(c, 1);
    p->opcode_base = (unsigned)cursor_uint(c, 1);
    for (unsigned i = 1; i < p->opcode_base; i++) {
        p->lengths[i] = (uint8_t)cursor_uint(c, 1);
    }
    bool good = !c->bad && p->line_range && p->opcode_base;
    c->at = program;
    return good;
}

static void lines_read_unit(ImageLines *lines, Dwarf_Die *unit) {
    Dwarf_Attribute attribute;
    Dwarf_Word at = 0;
    LineProgram p = {.lines = lines};
    if (!dwarf_attr(unit, DW_AT_stmt_list, &attribute) || dwarf_formudata(&attribute, &at) || at >= lines->table_len ||
        map_get(&lines->tables_read, at) || dwarf_getsrcfiles(unit, &p.files, &p.n_files)) {
        return;
    }
    map_set(&lines->tables_read, at, 1);
    bool big_endian = elf_getident(lines->elf, NULL)[EI_DATA] == ELFDATA2MSB;
    p.cursor = (LineCursor){lines->table + at, lines->table + lines->table_len, big_endian, false};
    if (program_header(&p)) {
        program_run(&p);
    }
}

static int row_compare(const void *a, const void *b) {
    uint64_t x = ((const LineRow *)a)->lo, y = ((const LineRow *)b)->lo;
    return (x > y) - (x < y);
}

/* After dwarf_begin_elf, which has uncompressed what was compressed. */
static void lines_find_table(ImageLines *lines) {
    size_t names = 0;
    if (elf_getshdrstrndx(lines->elf, &names) != 0) {
        return;
    }
    for (Elf_Scn *section = NULL; (section = elf_nextscn(lines->elf, section));) {
        GElf_Shdr header;
        if (!gelf_getshdr(section, &header)) {
            continue;
        }
        const char *name = elf_strptr(lines->elf, names, header.sh_name);
        Elf_Data *data = name && strcmp(name, ".debug_line") == 0 ? elf_getdata(section, NULL) : NULL;
        if (data && data->d_buf) {
            lines->table = data->d_buf;
            lines->table_len = data->d_size;
            return;
        }
    }
}

static void lines_read(ImageLines *lines) {
    Dwarf_CU *unit = NULL;
    Dwarf_Die die;
    lines_find_table(lines);
    while (dwarf_get_units(lines->dwarf, unit, &unit, NULL, NULL, &die, NULL) == 0) {
        lines_read_unit(lines, &die);
    }
    image_sort(lines->rows.data, lines->rows.len, sizeof(LineRow), row_compare);
}

ImageLines *image_lines_open(const Image *image) {
    if (image->format != IMAGE_ELF) {
        return NULL;
    }
    ImageLines *lines = mem_alloc(sizeof *lines);
    const ImageSymbol *zero = image_symbol_at(image, 0);
    lines->code_at_zero = (zero && zero->is_function) || (image->has_entry && image->entry <= 1);
    elf_version(EV_CURRENT);
    /* The cast is sound: a file opened from memory is only read. */
    lines->elf = elf_memory((char *)(uintptr_t)image->file, image->file_len);
    lines->dwarf = lines->elf ? dwarf_begin_elf(lines->elf, DWARF_C_READ, NULL) : NULL;
    if (lines->dwarf) {
        lines_read(lines);
    }
    if (lines->rows.len == 0) {
        image_lines_close(lines);
        return NULL;
    }
    return lines;
}

bool image_lines_at(ImageLines *lines, uint64_t addr, const char **file, unsigned *line) {
    size_t lo = 0, hi = lines->rows.len;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (lines->rows.data[mid].lo <= addr) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    if (lo == 0 || addr >= lines->rows.data[lo - 1].hi) {
        return false;
    }
    *file = lines->rows.data[lo - 1].file;
    *line = lines->rows.data[lo - 1].line;
    return true;
}

void image_lines_close(ImageLines *lines) {
    if (lines) {
        dwarf_end(lines->dwarf);
        elf_end(lines->elf);
        map_free(&lines->tables_read);
        vec_free(&lines->rows);
        mem_free(lines);
    }
}

#else

ImageLines *image_lines_open(const Image *image) {
    (void)image;
    return NULL;
}

bool image_lines_at(ImageLines *lines, uint64_t addr, const char **file, unsigned *line) {
    (void)lines;
    (void)addr;
    (void)file;
    (void)line;
    return false;
}

void image_lines_close(ImageLines *lines) {
    (void)lines;
}

#endif
