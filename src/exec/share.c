#include "exec/share.h"

#include <sched.h>

#include "base/mutex.h"

enum { SEATS = 64 /* threads that run at the same time */, CACHE_LINE = 64 };

typedef struct ShareSeat {
    CodeCache *cache; /* NULL: nobody sits here */
    JitSeat *jit;
    uint8_t unused[CACHE_LINE - 2 * sizeof(void *)]; /* no two threads write the same line */
} ShareSeat;

struct CodeShare {
    ShareSeat seats[SEATS];
    Mutex lock;
    CacheOptions options;
    CodeCache *current;
    VEC(CodeCache *) retired; /* full; somebody may be in them */
    CodeCache *spare; /* empty */
    uint64_t serial; /* of the last cache that was put to use */
    uint64_t flushes, translations; /* of caches that were full */
    uint8_t **marks;
    unsigned n_memories;
};

CodeShare *share_new(const CacheOptions *options, unsigned n_memories) {
    CodeShare *share = mem_alloc(sizeof *share);
    mutex_init(&share->lock);
    share->options = *options;
    share->options.jit.shared = true;
    share->current = cache_new(&share->options, NULL);
    share->serial = 1;
    share->marks = mem_alloc(n_memories * sizeof *share->marks);
    share->n_memories = n_memories;
    return share;
}

void share_free(CodeShare *share) {
    if (!share) {
        return;
    }
    for (unsigned i = 0; i < SEATS; i++) {
        jit_seat_free(share->seats[i].jit);
    }
    for (size_t i = 0; i < share->retired.len; i++) {
        cache_free(share->retired.data[i]);
    }
    for (unsigned i = 0; i < share->n_memories; i++) {
        mem_free(share->marks[i]);
    }
    mem_free(share->marks);
    vec_free(&share->retired);
    cache_free(share->spare);
    cache_free(share->current);
    mutex_free(&share->lock);
    mem_free(share);
}

uint8_t *share_marks(CodeShare *share, unsigned index, uint64_t memory_bytes) {
    if (!share->marks[index]) {
        share->marks[index] = mem_alloc((size_t)((memory_bytes - 1) >> MEM_GRANULE_SHIFT) + 1);
    }
    return share->marks[index];
}

/* ---- Caches come and go ---- */

static bool is_empty(CodeShare *share, const CodeCache *cache) {
    for (unsigned i = 0; i < SEATS; i++) {
        if (__atomic_load_n(&share->seats[i].cache, __ATOMIC_SEQ_CST) == cache) {
            return false;
        }
    }
    return true;
}

/* Under the lock: caches that nobody is in. One is kept for the next time. */
static void reclaim(CodeShare *share) {
    for (size_t i = 0; i < share->retired.len;) {
        CodeCache *cache = share->retired.data[i];
        if (!is_empty(share, cache)) {
            i++;
            continue;
        }
        share->retired.data[i] = share->retired.data[--share->retired.len];
        if (share->spare) {
            cache_free(cache);
        } else {
            share->spare = cache;
        }
    }
}

/* Under the lock, by somebody who sits in the full cache: it goes when he has left. */
static void renew(CodeShare *share) {
    CodeCache *full = share->current, *next;
    share->flushes++;
    share->translations += full->translations;
    reclaim(share);
    next = share->spare ? share->spare : cache_new(&share->options, NULL);
    share->spare = NULL;
    cache_flush(next, ++share->serial);
    next->translations = 0;
    vec_push(&share->retired, full);
    __atomic_store_n(&share->current, next, __ATOMIC_SEQ_CST);
}

/* Says in the seat which cache it is, before that can be taken away: who empties a cache changes `current` first and
 * looks at the seats then. */
static CodeCache *sit(CodeShare *share, ShareSeat *seat) {
    CodeCache *cache;
    do {
        cache = __atomic_load_n(&share->current, __ATOMIC_SEQ_CST);
        __atomic_store_n(&seat->cache, cache, __ATOMIC_SEQ_CST);
    } while (cache != __atomic_load_n(&share->current, __ATOMIC_SEQ_CST));
    return cache;
}

/* Takes a seat in the cache that is to be used now. */
static ShareSeat *free_seat(CodeShare *share, uint8_t *first, CodeCache **cache) {
    for (;;) {
        CodeCache *current = __atomic_load_n(&share->current, __ATOMIC_SEQ_CST);
        for (unsigned n = 0; n < SEATS; n++) {
            unsigned i = (*first + n) % SEATS;
            CodeCache *nobody = NULL;
            if (!__atomic_load_n(&share->seats[i].cache, __ATOMIC_RELAXED) &&
                __atomic_compare_exchange_n(&share->seats[i].cache, &nobody, current, false, __ATOMIC_SEQ_CST,
                                            __ATOMIC_RELAXED)) {
                *first = (uint8_t)i;
                bool moved = __atomic_load_n(&share->current, __ATOMIC_SEQ_CST) != current;
                *cache = UNLIKELY(moved) ? sit(share, &share->seats[i]) : current;
                return &share->seats[i];
            }
        }
        sched_yield(); /* more threads than seats */
    }
}

void share_stats(CodeShare *share, CodeStats *stats) {
    mutex_lock(&share->lock);
    reclaim(share);
    stats->translations += share->translations + share->current->translations;
    stats->flushes += share->flushes;
    stats->code_bytes += share->current->jit ? jit_code_bytes(share->current->jit) : 0;
    stats->ir_bytes += cache_bytes(share->current);
    stats->caches += 1 + share->retired.len;
    mutex_unlock(&share->lock);
}

/* ---- A node's use ---- */

void code_use_own(CodeUse *use, const CacheOptions *options, const ExecWindows *windows) {
    *use = (CodeUse){.options = *options, .windows = *windows, .own = cache_new(options, windows), .next = use};
}

void code_use_share(CodeUse *use, CodeShare *share, const CacheOptions *options, const ExecWindows *windows) {
    *use = (CodeUse){.options = *options, .windows = *windows, .share = share, .next = use};
}

void code_use_bind(CodeUse *use, CodeUse *other) {
    other->next = use->next;
    use->next = other;
}

void code_use_will_leave(CodeUse *use) {
    CodeUse *u = use;
    do {
        u->leave = u->share != NULL;
        u = u->next;
    } while (u && u != use);
}

void code_use_leave(CodeUse *use, MemMap *map) {
    if (!use->share) {
        return;
    }
    mem_marks_own(map);
    CodeUse *u = use;
    do {
        u->leave = false;
        u->share = NULL;
        u->own = cache_new(&u->options, &u->windows);
        u = u->next;
    } while (u != use);
}

void code_use_free(CodeUse *use) {
    cache_free(use->own);
    use->own = NULL;
    use->share = NULL;
}

void code_use_stats(const CodeUse *use, CodeStats *stats) {
    if (use->own) {
        stats->translations += use->own->translations;
        stats->flushes += use->own->flushes;
        stats->code_bytes += use->own->jit ? jit_code_bytes(use->own->jit) : 0;
        stats->ir_bytes += cache_bytes(use->own);
        stats->caches++;
    }
}

CodeRun code_enter(CodeUse *use) {
    CodeRun run = {.cache = use->own};
    if (use->share) {
        run.place = free_seat(use->share, &use->seat, &run.cache);
        if (!run.place->jit) {
            run.place->jit = jit_seat_new();
        }
        run.seat = run.place->jit;
    } else if (run.cache->jit) {
        cache_cover(run.cache); /* other cores may have walked tables */
        run.seat = jit_own_seat(run.cache->jit);
    }
    return run;
}

void code_exit(CodeUse *use, CodeRun *run) {
    if (run->place) {
        __atomic_store_n(&run->place->cache, NULL, __ATOMIC_RELEASE);
        run->place = NULL;
    }
    (void)use;
}

void code_again(CodeUse *use, CodeRun *run, MemMap *map) {
    if (use->leave) {
        code_exit(use, run);
        code_use_leave(use, map);
        *run = code_enter(use);
    } else if (use->share) {
        run->cache = sit(use->share, run->place);
    }
}

bool share_moved(const CodeUse *use, const CodeRun *run) {
    return use->leave || run->cache != __atomic_load_n(&use->share->current, __ATOMIC_ACQUIRE);
}

void share_lock(CodeShare *share) {
    mutex_lock(&share->lock);
}

void share_unlock(CodeShare *share) {
    mutex_unlock(&share->lock);
}

void code_full(CodeUse *use, CodeRun *run) {
    if (use->own) {
        cache_flush(use->own, 0);
    } else if (run->cache == use->share->current) {
        renew(use->share);
    }
}
