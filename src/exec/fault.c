/* The only file with process-wide state beside its constants: a signal handler has no argument to find anything by. */
#include "exec/fault.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <ucontext.h>

static FaultRange *_Atomic ranges; /* newest first; a link never changes while the handler can follow it */
static struct sigaction previous; /* written once, before the first range */
static atomic_flag lock = ATOMIC_FLAG_INIT;

static void on_segv(int number, siginfo_t *info, void *context) {
    ucontext_t *c = context;
    const uint8_t *pc = (const uint8_t *)c->uc_mcontext.gregs[REG_RIP];
    for (FaultRange *r = atomic_load(&ranges); r; r = r->next) {
        const uint8_t *to = pc >= r->begin && pc < r->end ? r->redirect(r, pc) : NULL;
        if (to) {
            c->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)to;
            return;
        }
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
    range->next = atomic_load(&ranges);
    atomic_store(&ranges, range);
    atomic_flag_clear(&lock);
}

void fault_range_remove(FaultRange *range) {
    take_lock();
    if (atomic_load(&ranges) == range) {
        atomic_store(&ranges, range->next);
    } else {
        FaultRange *r = atomic_load(&ranges);
        while (r && r->next != range) {
            r = r->next;
        }
        if (r) {
            r->next = range->next;
        }
    }
    atomic_flag_clear(&lock);
}
