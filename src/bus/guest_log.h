/* What a guest did wrong: accesses to nothing, to registers without a model, against the manual, and polls without
 * progress. Each (kind, device, register, PC) is told once, when it happens first, and counted from then on; the counts
 * are told at exit. One GuestLog belongs to one node. It is no part of the machine's state: it can stop a run (strict),
 * but it never changes one. */
#ifndef BUS_GUEST_LOG_H
#define BUS_GUEST_LOG_H

#include "base/map.h"
#include "base/vec.h"
#include "bus/device.h"

enum {
    GUEST_LOG_ENTRIES_MAX = 4096, /* further ones are only counted */
    GUEST_POLL_READS = 100000, /* reads of one value in a row that are told as a poll */
};

typedef struct GuestEntry {
    GuestMistake kind;
    const Device *device; /* NULL: no device at that address */
    const char *what; /* register, or NULL */
    uint64_t where; /* address, offset or index, by kind of `what` */
    uint64_t pc;
    uint64_t count;
    const char *text; /* the line told at the first occurrence */
} GuestEntry;

typedef struct GuestLog {
    bool strict; /* GUEST_UNMAPPED and GUEST_UNMODELLED stop the run */
    /** Text for a PC, such as `pc 0x0000012a main+0x12 (clock.c:88)`; NULL: the number alone. */
    void (*describe)(void *user, uint64_t pc, char *out, size_t size);
    void *describe_user;

    VEC(GuestEntry) entries; /* in order of first occurrence */
    Map index; /* hash of an entry's key to its place in entries */
    uint64_t overflow; /* mistakes that found the table full */
    Arena arena; /* texts */
} GuestLog;

/** A zeroed GuestLog is ready to use; frees what it gathered. */
void guest_log_free(GuestLog *log);

/** True if that mistake of the running instruction has been told before: it is counted then. Saves the caller the work
 * of writing a text. A board without a guest_log has heard it all. */
bool guest_log_known(Board *board, GuestMistake kind, const Device *device, const char *what, uint64_t where);
/** Counts one mistake of the running instruction; if it is new, tells it through board->log at warning level. `text` is
 * what happened. */
void guest_log_add(Board *board, GuestMistake kind, const Device *device, const char *what, uint64_t where,
                   const char *text);

/** An access to an address where nothing is, by the running instruction. */
void board_guest_unmapped(Board *board, uint64_t addr, unsigned size, bool store, uint64_t value);

/** Writes one line with its count per entry that occurred again, by first occurrence, and one with the total; nothing
 * if there was no mistake. */
void guest_log_summary(const GuestLog *log, const Log *out);

/** Mistakes counted so far, of all kinds. */
uint64_t guest_log_total(const GuestLog *log);

/** Tells of a poll. */
void guest_poll_full(Device *dev, const Reg *reg, unsigned index, uint32_t value);
/** Called for each register read with its value: true if it is a poll that is to be told. The value tells a poll from
 * firmware that reads a timer; who gave it first does not matter yet. */
static inline bool guest_poll_read(MemPoll *poll, const Device *dev, uint64_t offset, uint32_t value) {
    if (LIKELY(poll->value != value)) {
        mem_poll_new(poll, value);
        return false;
    }
    if (UNLIKELY(poll->device != dev || poll->offset != offset)) {
        poll->device = dev;
        poll->offset = offset;
        poll->count = 0;
    }
    return ++poll->count == GUEST_POLL_READS;
}
/** Called for each device access that is not such a read: the guest does something else too. */
static inline void guest_poll_end(MemPoll *poll) {
    poll->device = NULL;
}

#endif
