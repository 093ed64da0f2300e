/* Mutual exclusion between the host's threads. What it guards may make them wait, never decide what a guest sees. */
#ifndef BASE_MUTEX_H
#define BASE_MUTEX_H

#include <pthread.h>

typedef struct Mutex {
    pthread_mutex_t mutex;
} Mutex;

static inline void mutex_init(Mutex *m) {
    pthread_mutex_init(&m->mutex, NULL);
}

static inline void mutex_free(Mutex *m) {
    pthread_mutex_destroy(&m->mutex);
}

static inline void mutex_lock(Mutex *m) {
    pthread_mutex_lock(&m->mutex);
}

static inline void mutex_unlock(Mutex *m) {
    pthread_mutex_unlock(&m->mutex);
}

#endif
