/* Events in virtual time. An event is a member of its owner; a queue holds pointers to the armed ones in a heap ordered
 * by (time, priority, sequence), so there are no ties and no allocation per event. */
#ifndef SIM_EVENT_H
#define SIM_EVENT_H

#include "base/common.h"

#define TIME_NEVER UINT64_MAX

typedef struct Event Event;
typedef struct EventQueue EventQueue;

struct Event {
    uint64_t time_ns;
    uint64_t sequence;
    void (*fire)(Event *event); /* the event is no longer armed when it is called */
    uint32_t slot; /* place in the heap + 1; 0 = not armed */
    uint8_t priority; /* lower first at equal times */
};

struct EventQueue {
    Event **heap;
    uint32_t len, cap;
    uint64_t sequence;
    void (*on_earlier)(EventQueue *queue, uint64_t time_ns); /* told when the first event moves forward, or NULL */
    uint64_t firing_ns;
    bool firing; /* an event is being fired: virtual time is exactly firing_ns */
    bool borrowed; /* the room of the heap */
};

/** An empty queue gets its first room from its owner, who frees it. */
void event_queue_lend(EventQueue *queue, Event **heap, uint32_t cap);
/** Arms (or moves) the event. A time in the past fires at the next instruction boundary; TIME_NEVER disarms. */
void event_at(EventQueue *queue, Event *event, uint64_t time_ns);
/** Disarms; no effect if it is not armed. */
void event_cancel(EventQueue *queue, Event *event);
/** Arms a disarmed event as it was armed before: with its place among those of the same time. */
void event_restore(EventQueue *queue, Event *event, uint64_t time_ns, uint64_t sequence);
/** Disarms all. */
void event_cancel_all(EventQueue *queue);
static inline bool event_armed(const Event *event) {
    return event->slot != 0;
}
/** Time of the first event, TIME_NEVER if there is none. */
static inline uint64_t event_next_ns(const EventQueue *queue) {
    return queue->len ? queue->heap[0]->time_ns : TIME_NEVER;
}
/** Fires all events with time <= now_ns, in order, including those that they arm. */
void event_run(EventQueue *queue, uint64_t now_ns);
void event_queue_free(EventQueue *queue);

#endif
