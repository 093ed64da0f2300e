/* ELF executables (TIS Portable Formats Specification 1.2; ELF-64 Object File Format 1.5; ELF for the Arm
 * Architecture, "Mapping symbols" and st_value of Thumb functions), both classes and byte orders. libelf knows the
 * structures and converts them; every range is checked here first, so it never sees a pointer of the file's own.
 *
 * Segments go to p_paddr. The zero tail (p_memsz beyond p_filesz) belongs to where the program runs, so it is dropped
 * where p_paddr differs from p_vaddr: there it would be the .bss of a program that starts from flash, laid over
 * whatever follows .data in flash; such a program clears its .bss itself.
 * An e_entry of 0 means none, unless code runs at address 0.
 * Refused: relocatable and shared objects, core files, overlapping segments, 65535 or more program headers. */
#include "load/image_internal.h"

#include <gelf.h>
#include <inttypes.h>
#include <string.h>

/* They bound the time and memory a hostile symbol table can take. */
enum { SYMBOLS_MAX = 4 << 20, SYMBOL_NAME_BYTES_MAX = 64 << 20 };

typedef struct ElfReader {
    const ImageInput *in;
    bool is_64;
    unsigned encoding; /* ELFDATA2LSB or ELFDATA2MSB */
    GElf_Ehdr header;
    uint64_t n_sections;
} ElfReader;

/* A segment or symbol with what is needed until all of them are known. */
typedef struct ElfLoad {
    ImageSegment segment;
    uint64_t header_at; /* offset of its program header */
} ElfLoad;

typedef struct ElfSymbol {
    ImageSymbol symbol;
    uint64_t limit; /* end of its section; 0 for a constant */
} ElfSymbol;

typedef struct ElfSymbols {
    uint64_t at, n; /* offset and number of entries */
    const char *names;
    uint64_t names_len; /* names[names_len - 1] is NUL */
    uint64_t names_used; /* bytes of names taken so far */
    VEC(ElfSymbol) taken;
} ElfSymbols;

#define FIELD_AT(r, Type, field) ((r)->is_64 ? offsetof(Elf64_##Type, field) : offsetof(Elf32_##Type, field))
#define STRUCT_SIZE(r, Type) ((r)->is_64 ? sizeof(Elf64_##Type) : sizeof(Elf32_##Type))

static bool range_fits(uint64_t at, uint64_t size, uint64_t len) {
    return at <= len && size <= len - at;
}

/* Copies one structure out of the file in host order; the caller has checked that it is there. */
static void elf_copy(const ElfReader *r, uint64_t at, Elf_Type type, void *out, size_t size) {
    assert(range_fits(at, size, r->in->len));
    memcpy(out, r->in->bytes + at, size);
    Elf_Data data = {.d_buf = out, .d_type = type, .d_version = EV_CURRENT, .d_size = size};
    Elf_Data *done = r->is_64 ? elf64_xlatetom(&data, &data, r->encoding) : elf32_xlatetom(&data, &data, r->encoding);
    assert(done);
}

static void elf_read_header(ElfReader *r) {
    if (r->is_64) {
        elf_copy(r, 0, ELF_T_EHDR, &r->header, sizeof r->header);
        return;
    }
    Elf32_Ehdr h;
    elf_copy(r, 0, ELF_T_EHDR, &h, sizeof h);
    r->header = (GElf_Ehdr){.e_type = h.e_type,
                            .e_machine = h.e_machine,
                            .e_version = h.e_version,
                            .e_entry = h.e_entry,
                            .e_phoff = h.e_phoff,
                            .e_shoff = h.e_shoff,
                            .e_flags = h.e_flags,
                            .e_ehsize = h.e_ehsize,
                            .e_phentsize = h.e_phentsize,
                            .e_phnum = h.e_phnum,
                            .e_shentsize = h.e_shentsize,
                            .e_shnum = h.e_shnum,
                            .e_shstrndx = h.e_shstrndx};
}

static GElf_Phdr elf_read_segment(const ElfReader *r, uint64_t at) {
    GElf_Phdr segment;
    Elf32_Phdr p;
    if (r->is_64) {
        elf_copy(r, at, ELF_T_PHDR, &segment, sizeof segment);
        return segment;
    }
    elf_copy(r, at, ELF_T_PHDR, &p, sizeof p);
    return (GElf_Phdr){p.p_type, p.p_flags, p.p_offset, p.p_vaddr, p.p_paddr, p.p_filesz, p.p_memsz, p.p_align};
}

static uint64_t elf_section_at(const ElfReader *r, uint64_t index) {
    return r->header.e_shoff + index * STRUCT_SIZE(r, Shdr);
}

static GElf_Shdr elf_read_section(const ElfReader *r, uint64_t index) {
    GElf_Shdr section;
    Elf32_Shdr s;
    if (r->is_64) {
        elf_copy(r, elf_section_at(r, index), ELF_T_SHDR, &section, sizeof section);
        return section;
    }
    elf_copy(r, elf_section_at(r, index), ELF_T_SHDR, &s, sizeof s);
    return (GElf_Shdr){s.sh_name, s.sh_type, s.sh_flags, s.sh_addr,      s.sh_offset,
                       s.sh_size, s.sh_link, s.sh_info,  s.sh_addralign, s.sh_entsize};
}

static GElf_Sym elf_read_symbol(const ElfReader *r, uint64_t at) {
    GElf_Sym symbol;
    Elf32_Sym s;
    if (r->is_64) {
        elf_copy(r, at, ELF_T_SYM, &symbol, sizeof symbol);
        return symbol;
    }
    elf_copy(r, at, ELF_T_SYM, &s, sizeof s);
    return (GElf_Sym){s.st_name, s.st_info, s.st_other, s.st_shndx, s.st_value, s.st_size};
}

static bool elf_check_ident(ElfReader *r) {
    const ImageInput *in = r->in;
    if (in->len < EI_NIDENT || memcmp(in->bytes, ELFMAG, SELFMAG) != 0) {
        return image_fail(in, 0, "expected an ELF header (0x7f 'ELF'), found %s",
                          in->len < EI_NIDENT ? "the end of the file" : "other bytes");
    }
    uint8_t class = in->bytes[EI_CLASS], encoding = in->bytes[EI_DATA], version = in->bytes[EI_VERSION];
    if (class != ELFCLASS32 && class != ELFCLASS64) {
        return image_fail(in, EI_CLASS, "expected ELF class 1 (32-bit) or 2 (64-bit), found %u", class);
    }
    if (encoding != ELFDATA2LSB && encoding != ELFDATA2MSB) {
        return image_fail(in, EI_DATA, "expected byte order 1 (little) or 2 (big), found %u", encoding);
    }
    if (version != EV_CURRENT) {
        return image_fail(in, EI_VERSION, "expected ELF version 1, found %u", version);
    }
    r->is_64 = class == ELFCLASS64;
    r->encoding = encoding;
    if (in->len < STRUCT_SIZE(r, Ehdr)) {
        return image_fail(in, in->len, "expected an ELF header of %zu bytes, found the end of the file",
                          STRUCT_SIZE(r, Ehdr));
    }
    return true;
}

static bool elf_check_type(const ElfReader *r) {
    static const char *const kinds[] = {
        [ET_NONE] = "no type",
        [ET_REL] = "a relocatable object (link it first)",
        [ET_DYN] = "a shared object or position-independent executable (link it for a fixed address)",
        [ET_CORE] = "a core file",
    };
    unsigned type = r->header.e_type;
    if (type == ET_EXEC) {
        return true;
    }
    return image_fail(r->in, FIELD_AT(r, Ehdr, e_type), "expected an executable (e_type 2), found e_type %u, %s", type,
                      type < ARRAY_LEN(kinds) && kinds[type] ? kinds[type] : "which is unknown");
}

static bool elf_check_tables(ElfReader *r) {
    const ImageInput *in = r->in;
    const GElf_Ehdr *h = &r->header;
    if (h->e_phnum == 0 || h->e_phnum == PN_XNUM) {
        return image_fail(in, FIELD_AT(r, Ehdr, e_phnum), "expected 1 to 65534 program headers, found %s",
                          h->e_phnum ? "more" : "0");
    }
    if (h->e_phentsize != STRUCT_SIZE(r, Phdr)) {
        return image_fail(in, FIELD_AT(r, Ehdr, e_phentsize), "expected program headers of %zu bytes, found %u",
                          STRUCT_SIZE(r, Phdr), h->e_phentsize);
    }
    if (!range_fits(h->e_phoff, h->e_phnum * STRUCT_SIZE(r, Phdr), in->len)) {
        return image_fail(in, FIELD_AT(r, Ehdr, e_phoff),
                          "expected %u program headers inside the file of 0x%zx bytes, found them at 0x%" PRIx64,
                          h->e_phnum, in->len, h->e_phoff);
    }
    if (h->e_shoff == 0) {
        return true;
    }
    if (h->e_shentsize != STRUCT_SIZE(r, Shdr)) {
        return image_fail(in, FIELD_AT(r, Ehdr, e_shentsize), "expected section headers of %zu bytes, found %u",
                          STRUCT_SIZE(r, Shdr), h->e_shentsize);
    }
    r->n_sections = h->e_shnum;
    /* Too many sections for e_shnum: the number stands in section header 0 (gABI, "sh_size"). */
    if (r->n_sections == 0 && range_fits(h->e_shoff, STRUCT_SIZE(r, Shdr), in->len)) {
        r->n_sections = elf_read_section(r, 0).sh_size;
    }
    if (h->e_shoff > in->len || r->n_sections > (in->len - h->e_shoff) / STRUCT_SIZE(r, Shdr)) {
        return image_fail(in, FIELD_AT(r, Ehdr, e_shoff),
                          "expected %" PRIu64 " section headers inside the file of 0x%zx bytes, found them at "
                          "0x%" PRIx64,
                          r->n_sections, in->len, h->e_shoff);
    }
    return true;
}

static bool elf_check_segment(const ElfReader *r, const GElf_Phdr *p, uint64_t at) {
    const ImageInput *in = r->in;
    uint64_t addr_max = r->is_64 ? UINT64_MAX : UINT32_MAX;
    if (p->p_filesz > p->p_memsz) {
        return image_fail(in, at + FIELD_AT(r, Phdr, p_filesz),
                          "expected p_filesz of at most p_memsz 0x%" PRIx64 ", found 0x%" PRIx64, p->p_memsz,
                          p->p_filesz);
    }
    if (!range_fits(p->p_offset, p->p_filesz, in->len)) {
        return image_fail(in, at + FIELD_AT(r, Phdr, p_offset),
                          "expected a segment inside the file of 0x%zx bytes, found 0x%" PRIx64 " bytes at 0x%" PRIx64,
                          in->len, p->p_filesz, p->p_offset);
    }
    if (p->p_memsz && (p->p_memsz - 1 > addr_max - p->p_paddr || p->p_memsz - 1 > addr_max - p->p_vaddr)) {
        return image_fail(in, at + FIELD_AT(r, Phdr, p_memsz),
                          "expected a segment that ends inside the address space, found 0x%" PRIx64
                          " bytes at 0x%" PRIx64,
                          p->p_memsz, p->p_paddr);
    }
    return true;
}

static int load_compare(const void *a, const void *b) {
    uint64_t x = ((const ElfLoad *)a)->segment.addr, y = ((const ElfLoad *)b)->segment.addr;
    return (x > y) - (x < y);
}

static bool elf_check_overlap(const ImageInput *in, const ElfLoad *loads, size_t n) {
    for (size_t i = 1; i < n; i++) {
        const ImageSegment *a = &loads[i - 1].segment, *b = &loads[i].segment;
        if (b->addr - a->addr < a->size) {
            return image_fail(in, loads[i].header_at,
                              "expected segments that do not overlap, found 0x%" PRIx64 " bytes at 0x%" PRIx64
                              " and 0x%" PRIx64 " bytes at 0x%" PRIx64 " (header at offset 0x%" PRIx64 ")",
                              b->size, b->addr, a->size, a->addr, loads[i - 1].header_at);
        }
    }
    return true;
}

/* What of an executable segment are instructions: from the first section to the last one that says so. A file without
 * sections, or with very many, does not tell: all of it. */
static void elf_find_code(const ElfReader *r, const GElf_Phdr *p, ImageSegment *segment) {
    enum { LOOKS_MAX = 1 << 20 };
    uint64_t begin = segment->size, end = 0;
    bool few = r->n_sections <= LOOKS_MAX / r->header.e_phnum;
    for (uint64_t i = 0; p->p_flags & PF_X && few && i < r->n_sections; i++) {
        GElf_Shdr s = elf_read_section(r, i);
        uint64_t at = s.sh_addr - p->p_vaddr;
        if (s.sh_flags & SHF_EXECINSTR && s.sh_addr >= p->p_vaddr && at < segment->size) {
            begin = at < begin ? at : begin;
            at += s.sh_size < segment->size - at ? s.sh_size : segment->size - at;
            end = at > end ? at : end;
        }
    }
    bool told = begin < end;
    segment->code_told = told;
    segment->code_at = told ? begin : 0;
    segment->code_size = told ? end - begin : p->p_flags & PF_X ? segment->size : 0;
}

/* Collects the PT_LOAD segments that put bytes anywhere; NULL and an error if one is wrong. */
static ElfLoad *elf_collect_loads(const ElfReader *r, Image *image, size_t *n) {
    ElfLoad *loads = ARENA_ARRAY(r->in->arena, ElfLoad, r->header.e_phnum);
    uint64_t total = 0;
    image->has_entry = r->header.e_entry != 0;
    *n = 0;
    for (uint64_t i = 0; i < r->header.e_phnum; i++) {
        uint64_t at = r->header.e_phoff + i * STRUCT_SIZE(r, Phdr);
        GElf_Phdr p = elf_read_segment(r, at);
        if (p.p_type != PT_LOAD) {
            continue;
        }
        if (!elf_check_segment(r, &p, at)) {
            return NULL;
        }
        image->has_entry |= p.p_vaddr == 0 && p.p_memsz && p.p_flags & PF_X;
        uint64_t size = p.p_paddr == p.p_vaddr ? p.p_memsz : p.p_filesz;
        if (size == 0) {
            continue;
        }
        if (size > IMAGE_BYTES_MAX - total) {
            image_fail(r->in, at + FIELD_AT(r, Phdr, p_memsz),
                       "expected segments of at most 1 GiB together, found 0x%" PRIx64 " bytes more", size);
            return NULL;
        }
        total += size;
        loads[*n] = (ElfLoad){{p.p_paddr, size, p.p_filesz, r->in->bytes + p.p_offset, 0, 0, false}, at};
        elf_find_code(r, &p, &loads[(*n)++].segment);
    }
    return loads;
}

static bool elf_segments(const ElfReader *r, Image *image) {
    size_t n = 0;
    ElfLoad *loads = elf_collect_loads(r, image, &n);
    if (!loads) {
        return false;
    }
    if (n == 0) {
        return image_fail(r->in, r->header.e_phoff, "expected a segment to load (PT_LOAD), found none");
    }
    image_sort(loads, n, sizeof *loads, load_compare);
    if (!elf_check_overlap(r->in, loads, n)) {
        return false;
    }
    image->segments = ARENA_ARRAY(r->in->arena, ImageSegment, n);
    image->n_segments = n;
    for (size_t i = 0; i < n; i++) {
        image->segments[i] = loads[i].segment;
    }
    return true;
}

/* A section's bytes must be in the file, and its sh_entsize that of its entries. */
static bool elf_check_section(const ElfReader *r, uint64_t index, const GElf_Shdr *s, uint64_t entry_size) {
    uint64_t at = elf_section_at(r, index);
    if (!range_fits(s->sh_offset, s->sh_size, r->in->len)) {
        return image_fail(r->in, at + FIELD_AT(r, Shdr, sh_offset),
                          "expected a section inside the file of 0x%zx bytes, found 0x%" PRIx64 " bytes at 0x%" PRIx64,
                          r->in->len, s->sh_size, s->sh_offset);
    }
    if (entry_size && s->sh_entsize != entry_size) {
        return image_fail(r->in, at + FIELD_AT(r, Shdr, sh_entsize),
                          "expected entries of %" PRIu64 " bytes, found %" PRIu64, entry_size, s->sh_entsize);
    }
    return true;
}

static bool elf_open_names(const ElfReader *r, uint64_t index, const GElf_Shdr *table, ElfSymbols *symbols) {
    if (table->sh_link == 0 || table->sh_link >= r->n_sections) {
        return image_fail(r->in, elf_section_at(r, index) + FIELD_AT(r, Shdr, sh_link),
                          "expected a string table's section number below %" PRIu64 ", found %u", r->n_sections,
                          table->sh_link);
    }
    GElf_Shdr names = elf_read_section(r, table->sh_link);
    if (names.sh_type != SHT_STRTAB) {
        return image_fail(r->in, elf_section_at(r, table->sh_link) + FIELD_AT(r, Shdr, sh_type),
                          "expected a string table (sh_type 3), found %u", names.sh_type);
    }
    if (!elf_check_section(r, table->sh_link, &names, 0)) {
        return false;
    }
    if (names.sh_size == 0 || r->in->bytes[names.sh_offset + names.sh_size - 1] != 0) {
        return image_fail(r->in, names.sh_offset + names.sh_size, "expected a string table that ends with 0, found %s",
                          names.sh_size ? "another byte" : "an empty one");
    }
    symbols->names = (const char *)r->in->bytes + names.sh_offset;
    symbols->names_len = names.sh_size;
    return true;
}

/* Marks of the toolchain for what follows: $a, $t, $d, $x, also "$d.7"; RISC-V puts its ISA string behind $x. */
static bool is_mapping_symbol(unsigned machine, const char *name) {
    bool has_them = machine == EM_ARM || machine == EM_AARCH64 || machine == EM_RISCV;
    if (!has_them || name[0] != '$' || !name[1] || !strchr("atdx", name[1])) {
        return false;
    }
    return name[2] == 0 || name[2] == '.' || (machine == EM_RISCV && name[1] == 'x');
}

static bool symbol_wanted(const ElfReader *r, const GElf_Sym *s, const char *name) {
    unsigned type = GELF_ST_TYPE(s->st_info);
    if (s->st_shndx == SHN_UNDEF || s->st_shndx == SHN_COMMON || !name[0]) {
        return false;
    }
    if (is_mapping_symbol(r->header.e_machine, name)) {
        return false;
    }
    return type == STT_FUNC || type == STT_OBJECT || type == STT_GNU_IFUNC ||
           (type == STT_NOTYPE && GELF_ST_BIND(s->st_info) != STB_LOCAL);
}

/* End of the section that holds a symbol, 0 if it is in none. */
static uint64_t symbol_limit(const ElfReader *r, const GElf_Sym *s) {
    if (s->st_shndx >= SHN_LORESERVE || s->st_shndx >= r->n_sections) {
        return 0;
    }
    GElf_Shdr section = elf_read_section(r, s->st_shndx);
    bool inside = s->st_value >= section.sh_addr && s->st_value - section.sh_addr <= section.sh_size;
    uint64_t end = section.sh_addr + section.sh_size;
    return inside && end >= section.sh_addr ? end : 0;
}

static bool elf_take_symbol(const ElfReader *r, ElfSymbols *symbols, uint64_t at) {
    GElf_Sym s = elf_read_symbol(r, at);
    if (s.st_name >= symbols->names_len) {
        return image_fail(r->in, at, "expected a name inside the string table of 0x%" PRIx64 " bytes, found 0x%x",
                          symbols->names_len, s.st_name);
    }
    const char *name = symbols->names + s.st_name;
    if (!symbol_wanted(r, &s, name)) {
        return true;
    }
    uint64_t room = SYMBOL_NAME_BYTES_MAX - symbols->names_used;
    size_t len = strnlen(name, room);
    if (len == room) {
        return image_fail(r->in, at, "expected at most %d bytes of symbol names, found more", SYMBOL_NAME_BYTES_MAX);
    }
    symbols->names_used += len;
    bool is_function = GELF_ST_TYPE(s.st_info) == STT_FUNC || GELF_ST_TYPE(s.st_info) == STT_GNU_IFUNC;
    uint64_t addr = is_function && r->header.e_machine == EM_ARM ? s.st_value & ~UINT64_C(1) : s.st_value;
    ElfSymbol taken = {{addr, s.st_size, name, is_function}, symbol_limit(r, &s)};
    vec_push(&symbols->taken, taken);
    return true;
}

static int symbol_compare(const void *a, const void *b) {
    const ImageSymbol *x = &((const ElfSymbol *)a)->symbol, *y = &((const ElfSymbol *)b)->symbol;
    return x->addr != y->addr ? (x->addr > y->addr) - (x->addr < y->addr) : strcmp(x->name, y->name);
}

/* Sorts the symbols and gives those without a size the room up to the next one of their section. */
static void elf_finish_symbols(ElfSymbols *symbols, Image *image, Arena *arena) {
    size_t n = symbols->taken.len;
    image_sort(symbols->taken.data, n, sizeof(ElfSymbol), symbol_compare);
    image->symbols = ARENA_ARRAY(arena, ImageSymbol, n);
    image->n_symbols = n;
    uint64_t addr = UINT64_MAX, next = UINT64_MAX; /* the lowest address seen, and the one above it */
    for (size_t i = n; i-- > 0;) {
        ElfSymbol *taken = &symbols->taken.data[i];
        ImageSymbol *symbol = &image->symbols[i];
        *symbol = taken->symbol;
        if (taken->limit == 0) {
            continue;
        }
        if (symbol->addr != addr) {
            next = addr;
            addr = symbol->addr;
        }
        if (symbol->size == 0) {
            symbol->size = (next < taken->limit ? next : taken->limit) - addr;
        }
    }
}

static bool elf_symbols(const ElfReader *r, Image *image) {
    uint64_t index = 1;
    while (index < r->n_sections && elf_read_section(r, index).sh_type != SHT_SYMTAB) {
        index++;
    }
    if (index >= r->n_sections) {
        return true;
    }
    GElf_Shdr table = elf_read_section(r, index);
    ElfSymbols symbols = {.at = table.sh_offset, .n = table.sh_size / STRUCT_SIZE(r, Sym)};
    if (!elf_check_section(r, index, &table, STRUCT_SIZE(r, Sym)) || !elf_open_names(r, index, &table, &symbols)) {
        return false;
    }
    if (symbols.n > SYMBOLS_MAX) {
        return image_fail(r->in, elf_section_at(r, index) + FIELD_AT(r, Shdr, sh_size),
                          "expected at most %d symbols, found %" PRIu64, SYMBOLS_MAX, symbols.n);
    }
    bool ok = true;
    for (uint64_t i = 1; i < symbols.n && ok; i++) {
        ok = elf_take_symbol(r, &symbols, symbols.at + i * STRUCT_SIZE(r, Sym));
    }
    if (ok) {
        elf_finish_symbols(&symbols, image, r->in->arena);
    }
    vec_free(&symbols.taken);
    return ok;
}

bool image_elf_parse(Image *image, const ImageInput *in) {
    ElfReader r = {.in = in};
    elf_version(EV_CURRENT); /* libelf converts nothing before it has been told the version */
    if (!elf_check_ident(&r)) {
        return false;
    }
    elf_read_header(&r);
    image->machine = r.header.e_machine;
    image->big_endian = r.encoding == ELFDATA2MSB;
    image->is_64bit = r.is_64;
    image->entry = r.header.e_entry;
    return elf_check_type(&r) && elf_check_tables(&r) && elf_segments(&r, image) && elf_symbols(&r, image);
}
