/* The only file with threads. The jobs of a round are cut into a stripe for each thread, so that the same thread runs
 * the same jobs in round after round and finds them in its cache; who has finished his stripe helps with the others. A
 * stripe is one word, `ticket`: the number of the round, how many pieces the stripe has, and the next of them. Whoever
 * raises the last part has taken a piece, so a thread that comes late can only take one of the round that is under way;
 * the caller waits for jobs, not for threads. Where each thread has a processor, all wait a short time awake, since the
 * next round usually begins soon, and then asleep. */
#include "sim/worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/alloc.h"

enum { SPINS = 2000, COUNT_BITS = 24, CACHE_LINE = 64, PIECES = 16 /* of a stripe, as a rule */, PIECE_MAX = 128 };
#define COUNT_MASK ((UINT64_C(1) << COUNT_BITS) - 1)

typedef struct Stripe {
    _Alignas(CACHE_LINE) _Atomic uint64_t ticket;
} Stripe;

typedef struct Worker {
    Workers *workers;
    unsigned stripe; /* its own */
} Worker;

struct Workers {
    pthread_t threads[WORKERS_MAX];
    Worker each[WORKERS_MAX];
    unsigned n_threads; /* beside the caller's, who has stripe 0 */
    unsigned n_stripes; /* as many as threads were asked for */
    unsigned spins;
    pthread_mutex_t mutex;
    pthread_cond_t begun, finished;
    _Atomic unsigned asleep; /* threads */
    _Atomic bool caller_asleep, quit;
    WorkerJob job;
    void *arg;
    size_t n, piece; /* jobs, and how many are taken at once */
    size_t begin[WORKERS_MAX + 1]; /* first job of each stripe */
    _Alignas(CACHE_LINE) _Atomic size_t done; /* jobs of the round */
    Stripe stripes[WORKERS_MAX];
};

static inline void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static bool has_piece(uint64_t ticket) {
    return (ticket & COUNT_MASK) < (ticket >> COUNT_BITS & COUNT_MASK);
}

static void jobs_done(Workers *w, size_t n, size_t all) {
    if (atomic_fetch_add(&w->done, n) + n == all && atomic_load(&w->caller_asleep)) {
        pthread_mutex_lock(&w->mutex);
        pthread_cond_signal(&w->finished);
        pthread_mutex_unlock(&w->mutex);
    }
}

static void take_stripe(Workers *w, unsigned stripe) {
    _Atomic uint64_t *at = &w->stripes[stripe].ticket;
    uint64_t ticket = atomic_load(at);
    while (has_piece(ticket)) {
        if (atomic_compare_exchange_weak(at, &ticket, ticket + 1)) {
            /* The round lasts until this is done. */
            size_t from = w->begin[stripe] + (size_t)(ticket & COUNT_MASK) * w->piece, end = w->begin[stripe + 1];
            size_t to = end - from < w->piece ? end : from + w->piece, all = w->n;
            w->job(w->arg, from, to);
            jobs_done(w, to - from, all);
            ticket = atomic_load(at);
        }
    }
}

static void take_jobs(Workers *w, unsigned own) {
    unsigned n = w->n_stripes;
    for (unsigned i = 0; i < n; i++) {
        take_stripe(w, (own + i) % n);
    }
}

static bool is_called(Workers *w) {
    for (unsigned i = 0; i < w->n_stripes; i++) {
        if (has_piece(atomic_load(&w->stripes[i].ticket))) {
            return true;
        }
    }
    return atomic_load(&w->quit);
}

static void wait_round(Workers *w) {
    for (unsigned i = 0; i < w->spins; i++) {
        if (is_called(w)) {
            return;
        }
        relax();
    }
    pthread_mutex_lock(&w->mutex);
    atomic_fetch_add(&w->asleep, 1);
    while (!is_called(w)) {
        pthread_cond_wait(&w->begun, &w->mutex);
    }
    atomic_fetch_sub(&w->asleep, 1);
    pthread_mutex_unlock(&w->mutex);
}

static void *worker_main(void *user) {
    const Worker *self = user;
    Workers *w = self->workers;
    while (!atomic_load(&w->quit)) {
        wait_round(w);
        take_jobs(w, self->stripe);
    }
    return NULL;
}

static void wake_all(Workers *w) {
    if (atomic_load(&w->asleep)) {
        pthread_mutex_lock(&w->mutex);
        pthread_cond_broadcast(&w->begun);
        pthread_mutex_unlock(&w->mutex);
    }
}

static void wait_done(Workers *w) {
    for (unsigned i = 0; i < w->spins; i++) {
        if (atomic_load(&w->done) == w->n) {
            return;
        }
        relax();
    }
    pthread_mutex_lock(&w->mutex);
    atomic_store(&w->caller_asleep, true);
    while (atomic_load(&w->done) != w->n) {
        pthread_cond_wait(&w->finished, &w->mutex);
    }
    atomic_store(&w->caller_asleep, false);
    pthread_mutex_unlock(&w->mutex);
}

void workers_run(Workers *w, WorkerJob job, void *arg, size_t n) {
    unsigned stripes = w->n_stripes;
    assert(n <= COUNT_MASK);
    if (n <= 1 || w->n_threads == 0) { /* nobody need be woken */
        if (n) {
            job(arg, 0, n);
        }
        return;
    }
    uint64_t round = (atomic_load(&w->stripes[0].ticket) >> 2 * COUNT_BITS) + 1;
    size_t piece = n / stripes / PIECES;
    w->job = job;
    w->arg = arg;
    w->n = n;
    w->piece = piece < 1 ? 1 : piece > PIECE_MAX ? PIECE_MAX : piece;
    for (unsigned i = 0; i <= stripes; i++) {
        w->begin[i] = n * i / stripes;
    }
    atomic_store(&w->done, 0);
    for (unsigned i = 0; i < stripes; i++) {
        uint64_t pieces = (w->begin[i + 1] - w->begin[i] + w->piece - 1) / w->piece;
        atomic_store(&w->stripes[i].ticket, round << 2 * COUNT_BITS | pieces << COUNT_BITS);
    }
    wake_all(w);
    take_jobs(w, 0);
    wait_done(w);
}

Workers *workers_new(unsigned threads) {
    assert(threads >= 1 && threads <= WORKERS_MAX);
    Workers *w = mem_alloc_aligned(sizeof *w, CACHE_LINE);
    pthread_mutex_init(&w->mutex, NULL);
    pthread_cond_init(&w->begun, NULL);
    pthread_cond_init(&w->finished, NULL);
    w->n_stripes = threads;
    w->spins = sysconf(_SC_NPROCESSORS_ONLN) >= (long)threads ? SPINS : 0;
    /* Signals of the program go to its own threads; faults of translated code are not affected. */
    sigset_t program, none;
    sigfillset(&none);
    sigdelset(&none, SIGSEGV);
    sigdelset(&none, SIGBUS);
    pthread_sigmask(SIG_SETMASK, &none, &program);
    for (unsigned i = 0; i + 1 < threads; i++) {
        w->each[i] = (Worker){w, i + 1};
        if (pthread_create(&w->threads[i], NULL, worker_main, &w->each[i]) != 0) {
            break;
        }
        w->n_threads++;
    }
    pthread_sigmask(SIG_SETMASK, &program, NULL);
    return w;
}

void workers_free(Workers *w) {
    atomic_store(&w->quit, true);
    wake_all(w);
    for (unsigned i = 0; i < w->n_threads; i++) {
        pthread_join(w->threads[i], NULL);
    }
    pthread_cond_destroy(&w->begun);
    pthread_cond_destroy(&w->finished);
    pthread_mutex_destroy(&w->mutex);
    mem_free(w);
}
