/* The only file with threads. A round begins when `round` changes; threads take indices from `next` until there are
 * none, and the last one that is done tells the caller. All wait a short time awake, since the next window usually
 * begins soon, and then asleep. */
#include "sim/worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "base/alloc.h"

enum { SPINS = 2000 };

struct Workers {
    pthread_t threads[WORKERS_MAX];
    unsigned n_threads; /* beside the caller's */
    pthread_mutex_t mutex;
    pthread_cond_t begun, done;
    _Atomic unsigned round;
    _Atomic unsigned busy; /* threads that have not finished the round */
    _Atomic size_t next;
    _Atomic bool quit;
    void (*job)(void *arg, size_t i);
    void *arg;
    size_t n;
};

static inline void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static void take_jobs(Workers *w) {
    for (size_t i; (i = atomic_fetch_add(&w->next, 1)) < w->n;) {
        w->job(w->arg, i);
    }
}

static void wait_round(Workers *w, unsigned seen) {
    for (unsigned i = 0; i < SPINS; i++) {
        if (atomic_load(&w->round) != seen) {
            return;
        }
        relax();
    }
    pthread_mutex_lock(&w->mutex);
    while (atomic_load(&w->round) == seen) {
        pthread_cond_wait(&w->begun, &w->mutex);
    }
    pthread_mutex_unlock(&w->mutex);
}

static void *worker_main(void *user) {
    Workers *w = user;
    for (unsigned seen = 0;; seen++) {
        wait_round(w, seen);
        if (atomic_load(&w->quit)) {
            return NULL;
        }
        take_jobs(w);
        if (atomic_fetch_sub(&w->busy, 1) == 1) {
            pthread_mutex_lock(&w->mutex);
            pthread_cond_signal(&w->done);
            pthread_mutex_unlock(&w->mutex);
        }
    }
}

static void round_begin(Workers *w) {
    pthread_mutex_lock(&w->mutex);
    atomic_fetch_add(&w->round, 1);
    pthread_cond_broadcast(&w->begun);
    pthread_mutex_unlock(&w->mutex);
}

static void wait_done(Workers *w) {
    for (unsigned i = 0; i < SPINS; i++) {
        if (atomic_load(&w->busy) == 0) {
            return;
        }
        relax();
    }
    pthread_mutex_lock(&w->mutex);
    while (atomic_load(&w->busy) != 0) {
        pthread_cond_wait(&w->done, &w->mutex);
    }
    pthread_mutex_unlock(&w->mutex);
}

void workers_run(Workers *w, void (*job)(void *arg, size_t i), void *arg, size_t n) {
    if (n <= 1 || w->n_threads == 0) { /* nobody need be woken */
        for (size_t i = 0; i < n; i++) {
            job(arg, i);
        }
        return;
    }
    w->job = job;
    w->arg = arg;
    w->n = n;
    atomic_store(&w->next, 0);
    atomic_store(&w->busy, w->n_threads);
    round_begin(w);
    take_jobs(w);
    wait_done(w);
}

Workers *workers_new(unsigned threads) {
    assert(threads >= 1 && threads <= WORKERS_MAX);
    Workers *w = mem_alloc(sizeof *w);
    pthread_mutex_init(&w->mutex, NULL);
    pthread_cond_init(&w->begun, NULL);
    pthread_cond_init(&w->done, NULL);
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
    round_begin(w);
    for (unsigned i = 0; i < w->n_threads; i++) {
        pthread_join(w->threads[i], NULL);
    }
    pthread_cond_destroy(&w->begun);
    pthread_cond_destroy(&w->done);
    pthread_mutex_destroy(&w->mutex);
    mem_free(w);
}
