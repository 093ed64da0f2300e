#include "bus/guest_log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES = 512 };

void guest_log_free(GuestLog *log) {
    vec_free(&log->entries);
    map_free(&log->index);
    arena_free(&log->arena);
}

static uint64_t mixed(uint64_t hash, uint64_t value) {
    hash ^= value;
    hash *= UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ (hash >> 29);
}

static uint64_t key_hash(const GuestEntry *e) {
    uint64_t hash = mixed((uint64_t)e->kind, (uint64_t)(uintptr_t)e->device);
    hash = mixed(hash, (uint64_t)(uintptr_t)e->what);
    return mixed(mixed(hash, e->where), e->pc);
}

static bool same_key(const GuestEntry *a, const GuestEntry *b) {
    return a->kind == b->kind && a->device == b->device && a->what == b->what && a->where == b->where &&
           a->pc == b->pc;
}

/* The entry with that key, or NULL and in *hash the index key that is free for it. */
static GuestEntry *entry_find(GuestLog *log, const GuestEntry *key, uint64_t *hash) {
    const uint64_t *place;
    for (*hash = key_hash(key); (place = map_get(&log->index, *hash)); ++*hash) {
        if (same_key(&log->entries.data[*place], key)) {
            return &log->entries.data[*place];
        }
    }
    return NULL;
}

static uint64_t running_pc(Board *board) {
    return board->current_pc ? board->current_pc(board) : 0;
}

static void strict_stop(Board *board, GuestMistake kind) {
    if (board->guest_log->strict && (kind == GUEST_UNMAPPED || kind == GUEST_UNMODELLED) && board->stop) {
        board->stop(board, STOP_STRICT, 0);
    }
}

bool guest_log_known(Board *board, GuestMistake kind, const Device *device, const char *what, uint64_t where) {
    if (!board->guest_log) {
        return true;
    }
    GuestEntry key = {.kind = kind, .device = device, .what = what, .where = where, .pc = running_pc(board)};
    uint64_t hash;
    GuestEntry *known = entry_find(board->guest_log, &key, &hash);
    if (!known) {
        return false;
    }
    known->count++;
    strict_stop(board, kind);
    return true;
}

/* "mps2 uart0.CTRL: write of ..., at pc 0x12a main+0x12 (main.c:88)" */
static char *entry_text(GuestLog *log, const Board *board, const GuestEntry *e, const char *text) {
    char subject[128] = "", pc[TEXT_BYTES] = "";
    if (e->device) {
        snprintf(subject, sizeof subject, " %s%s%s", e->device->name, e->what ? "." : "", e->what ? e->what : "");
    }
    if (log->describe) {
        log->describe(log->describe_user, e->pc, pc, sizeof pc);
    } else {
        snprintf(pc, sizeof pc, "pc 0x%08" PRIx64, e->pc);
    }
    return arena_printf(&log->arena, "%s%s: %s, at %s", board->name ? board->name : "node", subject, text, pc);
}

static void overflow_count(GuestLog *log, const Board *board) {
    if (log->overflow++ == 0) {
        log_line(board->log, LOG_WARN, "%s: more than %d different guest mistakes; further ones are only counted",
                 board->name ? board->name : "node", GUEST_LOG_ENTRIES_MAX);
    }
}

void guest_log_add(Board *board, GuestMistake kind, const Device *device, const char *what, uint64_t where,
                   const char *text) {
    if (guest_log_known(board, kind, device, what, where)) {
        return;
    }
    GuestLog *log = board->guest_log;
    GuestEntry e = {
        .kind = kind, .device = device, .what = what, .where = where, .pc = running_pc(board), .count = 1};
    uint64_t hash;
    entry_find(log, &e, &hash);
    if (log->entries.len == GUEST_LOG_ENTRIES_MAX) {
        overflow_count(log, board);
    } else {
        e.text = entry_text(log, board, &e, text);
        map_set(&log->index, hash, log->entries.len);
        vec_push(&log->entries, e);
        log_line(board->log, LOG_WARN, "%s", e.text);
    }
    strict_stop(board, kind);
}

void board_guest_unmapped(Board *board, uint64_t addr, unsigned size, bool store, uint64_t value) {
    const char *what = store ? "write" : "read";
    if (guest_log_known(board, GUEST_UNMAPPED, NULL, what, addr)) {
        return;
    }
    char text[96];
    const char *plural = size == 1 ? "" : "s";
    if (store) {
        snprintf(text, sizeof text, "unmapped write of 0x%0*" PRIx64 " (%u byte%s) to 0x%08" PRIx64, (int)size * 2,
                 value, size, plural, addr);
    } else {
        snprintf(text, sizeof text, "unmapped read of %u byte%s at 0x%08" PRIx64, size, plural, addr);
    }
    guest_log_add(board, GUEST_UNMAPPED, NULL, what, addr, text);
}

void device_guest_log(Device *dev, GuestMistake kind, const char *what, const char *fmt, ...) {
    if (guest_log_known(dev->board, kind, dev, what, 0)) {
        return;
    }
    char text[TEXT_BYTES];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    guest_log_add(dev->board, kind, dev, what, 0, text);
}

void guest_poll_full(Device *dev, const Reg *reg, unsigned index, uint32_t value) {
    char text[TEXT_BYTES], element[16] = "";
    if (reg->count > 1) {
        snprintf(element, sizeof element, "element %u ", index);
    }
    snprintf(text, sizeof text, "%sread %d times in a row with the same value 0x%08" PRIx32
             ": the guest waits for a change that does not come", element, GUEST_POLL_READS, value);
    guest_log_add(dev->board, GUEST_POLL, dev, reg->name, index, text);
}

/* 12,345: long runs make long numbers. */
static const char *grouped(char *out, size_t size, uint64_t n) {
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%" PRIu64, n);
    size_t k = 0;
    for (int i = 0; i < len && k + 2 < size; i++) {
        if (i > 0 && (len - i) % 3 == 0) {
            out[k++] = ',';
        }
        out[k++] = digits[i];
    }
    out[k] = '\0';
    return out;
}

static void total_tell(const GuestLog *log, const Log *out) {
    uint64_t total = guest_log_total(log);
    char count[32], different[48] = "";
    if (total > log->entries.len) {
        snprintf(different, sizeof different, ", %zu different%s", log->entries.len, log->overflow ? " and more" : "");
    }
    if (total) {
        log_line(out, LOG_WARN, "%s guest mistake%s in all%s", grouped(count, sizeof count, total),
                 total == 1 ? "" : "s", different);
    }
}

void guest_log_summary(const GuestLog *log, const Log *out) {
    char count[32];
    for (size_t i = 0; i < log->entries.len; i++) {
        const GuestEntry *e = &log->entries.data[i];
        if (e->count > 1) { /* what was told once happened once */
            log_line(out, LOG_WARN, "%s times: %s", grouped(count, sizeof count, e->count), e->text);
        }
    }
    if (log->overflow) {
        log_line(out, LOG_WARN, "%s times: guest mistakes beyond the first %d different ones",
                 grouped(count, sizeof count, log->overflow), GUEST_LOG_ENTRIES_MAX);
    }
    total_tell(log, out);
}

uint64_t guest_log_total(const GuestLog *log) {
    uint64_t total = log->overflow;
    for (size_t i = 0; i < log->entries.len; i++) {
        total += log->entries.data[i].count;
    }
    return total;
}

void mem_tell_unmapped(MemMap *map, uint64_t addr, unsigned size, bool store, uint64_t value) {
    board_guest_unmapped(map->board, addr, size, store, value);
    for (MemErrorListener *l = map->error_listeners; l; l = l->next) {
        l->error(l, addr, size, store);
    }
}
