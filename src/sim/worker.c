/* The only file with threads. A round is one word, `ticket`: its number, how many jobs it has, and the next of them.
 * Whoever raises the last part has taken a job, so a thread that comes late can only take a job of the round that is
 * under way; the caller waits for jobs, not for threads. Where each thread has a processor, all wait a short time
 * awake, since the next round usually begins soon, and then asleep. */
#include "sim/worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/alloc.h"

enum { SPINS = 2000, JOB_BITS = 24 };
#define JOB_MASK ((UINT64_C(1) << JOB_BITS) - 1)

struct Workers {
    pthread_t threads[WORKERS_MAX];
    unsigned n_threads; /* beside the caller's */
    unsigned spins;
    pthread_mutex_t mutex;
    pthread_cond_t begun, finished;
    _Atomic uint64_t ticket;
    _Atomic size_t done; /* jobs of the round */
    _Atomic unsigned asleep; /* threads */
    _Atomic bool caller_asleep, quit;
    void (*job)(void *arg, size_t i);
    void *arg;
    size_t n;
};

static inline void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static bool has_job(uint64_t ticket) {
    return (ticket & JOB_MASK) < (ticket >> JOB_BITS & JOB_MASK);
}

static void job_done(Workers *w, size_t n) {
    if (atomic_fetch_add(&w->done, 1) + 1 == n && atomic_load(&w->caller_asleep)) {
        pthread_mutex_lock(&w->mutex);
        pthread_cond_signal(&w->finished);
        pthread_mutex_unlock(&w->mutex);
    }
}

static void take_jobs(Workers *w) {
    uint64_t ticket = atomic_load(&w->ticket);
    while (has_job(ticket)) {
        if (atomic_compare_exchange_weak(&w->ticket, &ticket, ticket + 1)) {
            w->job(w->arg, ticket & JOB_MASK); /* the round lasts until this is done */
            job_done(w, ticket >> JOB_BITS & JOB_MASK);
            ticket = atomic_load(&w->ticket);
        }
    }
}

static bool is_called(Workers *w) {
    return has_job(atomic_load(&w->ticket)) || atomic_load(&w->quit);
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
    Workers *w = user;
    while (!atomic_load(&w->quit)) {
        wait_round(w);
        take_jobs(w);
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

void workers_run(Workers *w, void (*job)(void *arg, size_t i), void *arg, size_t n) {
    assert(n <= JOB_MASK);
    if (n <= 1 || w->n_threads == 0) { /* nobody need be woken */
        for (size_t i = 0; i < n; i++) {
            job(arg, i);
        }
        return;
    }
    uint64_t round = (atomic_load(&w->ticket) >> 2 * JOB_BITS) + 1;
    w->job = job;
    w->arg = arg;
    w->n = n;
    atomic_store(&w->done, 0);
    atomic_store(&w->ticket, round << 2 * JOB_BITS | (uint64_t)n << JOB_BITS);
    wake_all(w);
    take_jobs(w);
    wait_done(w);
}

Workers *workers_new(unsigned threads) {
    assert(threads >= 1 && threads <= WORKERS_MAX);
    Workers *w = mem_alloc(sizeof *w);
    pthread_mutex_init(&w->mutex, NULL);
    pthread_cond_init(&w->begun, NULL);
    pthread_cond_init(&w->finished, NULL);
    w->spins = sysconf(_SC_NPROCESSORS_ONLN) >= (long)threads ? SPINS : 0;
    /* Signals of the program go to its own threads; faults of translated code are not affected. */
    sigset_t program, none;
    sigfillset(&none);
    sigdelset(&none, SIGSEGV);
    sigdelset(&none, SIGBUS);
    pthread_sigmask(SIG_SETMASK, &none, &program);
    while (w->n_threads + 1 < threads &&
           pthread_create(&w->threads[w->n_threads], NULL, worker_main, w) == 0) {
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
