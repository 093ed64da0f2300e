/* Threads that run the nodes of a window. Which thread runs which node, and when, decides nothing: nodes of one window
 * share no state. */
#ifndef SIM_WORKER_H
#define SIM_WORKER_H

#include "base/common.h"

enum { WORKERS_MAX = 256 };

typedef struct Workers Workers;

/** `threads` in all, the caller's among them: 1 to WORKERS_MAX. If the host gives fewer, there are fewer. */
Workers *workers_new(unsigned threads);
void workers_free(Workers *workers);
/** Does the jobs [from, to). */
typedef void (*WorkerJob)(void *arg, size_t from, size_t to);
/** Has all jobs below n done, each once; returns when they are. */
void workers_run(Workers *workers, WorkerJob job, void *arg, size_t n);

#endif
