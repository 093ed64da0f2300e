/* The only file with process-wide state beside its constants: a signal handler has no argument to find anything by. */
#include "exec/fault.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <ucontext.h>

static FaultRange *_Atomic ranges; /* newest first */
static atomic_uint readers; /* threads in the handler, which may stand at any range */
static struct sigaction previous; /* written once, before the first range */
static atomic_flag lock = ATOMIC_FLAG_INIT;

/* Where to go on; NULL if the fault is none of ours. */
static const uint8_t *redirect(const uint8_t *pc) {
    const uint8_t *to = NULL;
    atomic_fetch_add(&readers, 1);
    for (FaultRange *r = atomic_load(&ranges); r && !to; r = atomic_load(&r->next)) {
        to = pc >= r->begin && pc < r->end ? r->redirect(r, pc) : NULL;
    }
    atomic_fetch_sub(&readers, 1);
    return to;
}

static void on_segv(int number, siginfo_t *info, void *context) {
    ucontext_t *c = context;
    const uint8_t *to = redirect((const uint8_t *)c->uc_mcontext.gregs[REG_RIP]);
    if (to) {
        c->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)to;
        return;
    }
    if (previous.sa_flags & SA_SIGINFO) {
        previous.sa_sigaction(number, info, context);
    } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
        previous.sa_handler(number);
    } else {
        signal(number, SIG_DFL); /* the instruction faults again, as it would have without us */
    }
}

static void take_lock(void) {
    while (atomic_flag_test_and_set(&lock)) {
    }
}

void fault_range_add(FaultRange *range) {
    take_lock();
    struct sigaction now;
    sigaction(SIGSEGV, NULL, &now);
    if (!(now.sa_flags & SA_SIGINFO) || now.sa_sigaction != on_segv) {
        previous = now;
        struct sigaction ours = {.sa_sigaction = on_segv, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK};
        sigaction(SIGSEGV, &ours, NULL);
    }
    atomic_store(&range->next, atomic_load(&ranges));
    atomic_store(&ranges, range);
    atomic_flag_clear(&lock);
}

void fault_range_remove(FaultRange *range) {
    take_lock();
    FaultRange *_Atomic *link = &ranges;
    while (atomic_load(link) != range) {
        link = &atomic_load(link)->next;
    }
    atomic_store(link, atomic_load(&range->next));
    atomic_flag_clear(&lock);
    while (atomic_load(&readers)) { /* a handler may have got there before; it never takes long */
    }
}
