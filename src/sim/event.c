#include "sim/event.h"

#include <string.h>

#include "base/alloc.h"

static bool before(const Event *a, const Event *b) {
    if (a->time_ns != b->time_ns) {
        return a->time_ns < b->time_ns;
    }
    if (a->priority != b->priority) {
        return a->priority < b->priority;
    }
    return a->sequence < b->sequence;
}

static void place(EventQueue *queue, uint32_t i, Event *event) {
    queue->heap[i] = event;
    event->slot = i + 1;
}

static void sift_up(EventQueue *queue, uint32_t i, Event *event) {
    while (i > 0 && before(event, queue->heap[(i - 1) / 2])) {
        place(queue, i, queue->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    place(queue, i, event);
}

static void sift_down(EventQueue *queue, uint32_t i, Event *event) {
    for (uint32_t child; (child = 2 * i + 1) < queue->len; i = child) {
        if (child + 1 < queue->len && before(queue->heap[child + 1], queue->heap[child])) {
            child++;
        }
        if (!before(queue->heap[child], event)) {
            break;
        }
        place(queue, i, queue->heap[child]);
    }
    place(queue, i, event);
}

/* Puts the event where it belongs, starting from slot i. */
static void settle(EventQueue *queue, uint32_t i, Event *event) {
    if (i > 0 && before(event, queue->heap[(i - 1) / 2])) {
        sift_up(queue, i, event);
    } else {
        sift_down(queue, i, event);
    }
}

void event_queue_lend(EventQueue *queue, Event **heap, uint32_t cap) {
    assert(!queue->heap);
    queue->heap = heap;
    queue->cap = cap;
    queue->borrowed = true;
}

static void grow(EventQueue *queue) {
    queue->cap = queue->cap ? queue->cap * 2 : 16;
    Event **heap = mem_realloc(queue->borrowed ? NULL : queue->heap, queue->cap * sizeof *heap);
    if (queue->borrowed) {
        memcpy(heap, queue->heap, queue->len * sizeof *heap);
    }
    queue->heap = heap;
    queue->borrowed = false;
}

static void insert(EventQueue *queue, Event *event) {
    if (queue->len == queue->cap) {
        grow(queue);
    }
    sift_up(queue, queue->len++, event);
}

void event_at(EventQueue *queue, Event *event, uint64_t time_ns) {
    if (time_ns == TIME_NEVER) {
        event_cancel(queue, event);
        return;
    }
    uint64_t first_ns = event_next_ns(queue);
    event->time_ns = time_ns;
    event->sequence = queue->sequence++;
    if (event_armed(event)) {
        settle(queue, event->slot - 1, event);
    } else {
        insert(queue, event);
    }
    if (time_ns < first_ns && queue->on_earlier) {
        queue->on_earlier(queue, time_ns);
    }
}

void event_cancel(EventQueue *queue, Event *event) {
    if (!event_armed(event)) {
        return;
    }
    uint32_t hole = event->slot - 1;
    event->slot = 0;
    Event *last = queue->heap[--queue->len];
    if (last != event) {
        settle(queue, hole, last);
    }
}

void event_restore(EventQueue *queue, Event *event, uint64_t time_ns, uint64_t sequence) {
    assert(!event_armed(event));
    event->time_ns = time_ns;
    event->sequence = sequence;
    insert(queue, event);
}

void event_cancel_all(EventQueue *queue) {
    for (uint32_t i = 0; i < queue->len; i++) {
        queue->heap[i]->slot = 0;
    }
    queue->len = 0;
}

void event_run(EventQueue *queue, uint64_t now_ns) {
    while (queue->len && queue->heap[0]->time_ns <= now_ns) {
        Event *event = queue->heap[0];
        event_cancel(queue, event);
        queue->firing = true;
        queue->firing_ns = event->time_ns;
        event->fire(event);
        queue->firing = false;
    }
}

void event_queue_free(EventQueue *queue) {
    event_cancel_all(queue);
    mem_free(queue->borrowed ? NULL : queue->heap);
    *queue = (EventQueue){0};
}
