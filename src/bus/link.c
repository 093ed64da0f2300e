#include "bus/link.h"

#include <string.h>

#include "base/text.h"

enum { QUEUE_BYTES = 4096, ARRIVE_PRIORITY = 1 /* behind the node's own events of the same time */ };

/* One line per medium. */
static const LinkType *const types[] = {&link_uart_type, &link_gpio_type, &link_can_type,
                                        &link_ethernet_type, &link_i2c_type, &link_spi_type};

const LinkType *link_type_at(size_t index) {
    return index < ARRAY_LEN(types) ? types[index] : NULL;
}

const LinkType *link_type_named(const char *name, Err *err) {
    const char *names[ARRAY_LEN(types)];
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        names[i] = types[i]->name;
        if (strcmp(name, names[i]) == 0) {
            return types[i];
        }
    }
    const char *nearest = text_nearest(name, names, ARRAY_LEN(names));
    err_set(err, "no kind of link '%s': did you mean %s?", name, nearest ? nearest : names[0]);
    return NULL;
}

/* ---- Queues: a header, and its bytes up to the next multiple of eight ---- */

static size_t record_bytes(uint32_t len) {
    return sizeof(LinkMessage) + ((size_t)len + 7) / 8 * 8;
}

static void queue_push(LinkQueue *q, const LinkMessage *message, const void *bytes) {
    size_t need = record_bytes(message->len);
    if (q->head + q->len + need > q->cap) {
        if (q->head) {
            memmove(q->data, q->data + q->head, q->len);
            q->head = 0;
        }
        if ((q->len + need) * 2 > q->cap) { /* half empty: so each record moves once in all */
            q->cap = (q->len + need) * 2;
            q->data = mem_realloc(q->data, q->cap);
        }
    }
    uint8_t *at = q->data + q->head + q->len;
    memset(at, 0, need);
    memcpy(at, message, sizeof *message);
    if (message->len) {
        memcpy(at + sizeof *message, bytes, message->len);
    }
    q->len += need;
}

/* The first message; false if there is none. */
static bool queue_first(const LinkQueue *q, LinkMessage *message, const uint8_t **bytes) {
    if (q->len == 0) {
        return false;
    }
    memcpy(message, q->data + q->head, sizeof *message);
    *bytes = q->data + q->head + sizeof *message;
    return true;
}

static void queue_drop(LinkQueue *q, const LinkMessage *first) {
    size_t n = record_bytes(first->len);
    q->len -= n;
    q->head = q->len ? q->head + n : 0;
}

/* ---- Ends ---- */

/* In the node's time: everything that has arrived by now. */
static void end_arrive(Event *event) {
    LinkEnd *end = CONTAINER_OF(event, LinkEnd, arrive);
    uint64_t now_ns = event->time_ns;
    LinkMessage message;
    const uint8_t *bytes;
    while (queue_first(&end->in, &message, &bytes) && message.time_ns <= now_ns) {
        if (!end->board->off || end->link->options.type->is_level) {
            end->link->options.type->deliver(end, &message, bytes);
        }
        queue_drop(&end->in, &message);
    }
    if (end->in.len) {
        event_at(&end->board->events, event, message.time_ns);
    }
}

static LinkEnd *end_new(Link *link, Err *err) {
    const LinkType *type = link->options.type;
    if (link->n_ends == type->ends_max) {
        err_set(err, "%s links have at most %u end%s", type->name, type->ends_max, type->ends_max == 1 ? "" : "s");
        return NULL;
    }
    LinkEnd *end = mem_alloc(sizeof *end);
    *end = (LinkEnd){.link = link, .index = link->n_ends};
    return end;
}

static LinkEnd *end_add(LinkEnd *end) {
    /* Room for the windows to come; more is taken when it is needed. */
    end->in.data = mem_alloc(end->in.cap = QUEUE_BYTES);
    end->out.data = mem_alloc(end->out.cap = QUEUE_BYTES);
    end->link->ends[end->link->n_ends++] = end;
    return end;
}

LinkEnd *link_attach(Link *link, Device *device, const char *port, Err *err) {
    LinkEnd *end = end_new(link, err);
    if (!end) {
        return NULL;
    }
    end->board = device->board;
    end->device = device;
    end->arrive.fire = end_arrive;
    end->arrive.priority = ARRIVE_PRIORITY;
    if (!link->options.type->attach(end, device, port, err)) {
        mem_free(end);
        return NULL;
    }
    end->next_of_board = device->board->link_ends;
    device->board->link_ends = end;
    return end_add(end);
}

void link_board_off(Board *board) {
    for (LinkEnd *end = board->link_ends; end; end = end->next_of_board) {
        if (end->link->options.type->power_off) {
            end->link->options.type->power_off(end);
        }
    }
}

/* ---- The host as an end: its messages come between windows, so nothing of it needs a node's time ---- */

LinkEnd *link_host_end(const Link *link) {
    for (unsigned i = 0; i < link->n_ends; i++) {
        if (!link->ends[i]->board) {
            return link->ends[i];
        }
    }
    return NULL;
}

LinkEnd *link_host_attach(Link *link, Err *err) {
    const LinkType *type = link->options.type;
    if (!(type->takes & LINK_TAKES_HOST)) {
        err_set(err, "a %s link cannot lead to the host", type->name);
        return NULL;
    }
    if (link_host_end(link)) {
        err_set(err, "the link leads to the host already");
        return NULL;
    }
    LinkEnd *end = end_new(link, err);
    if (end) {
        end->hears = true;
        end_add(end);
    }
    return end;
}

void link_host_send(LinkEnd *end, uint64_t time_ns, const void *bytes, uint32_t len) {
    assert(!end->board && len <= LINK_BYTES_MAX && time_ns >= end->last_ns);
    LinkMessage message = {.time_ns = time_ns, .source = end->index, .len = len};
    end->last_ns = time_ns;
    queue_push(&end->out, &message, bytes);
}

/* What has reached the host; it has no use for damaged frames. */
static void host_hear(LinkEnd *to, const LinkMessage *arriving, const uint8_t *bytes, bool damaged) {
    to->link->corrupted += damaged;
    if (to->host && !damaged && arriving->len) {
        to->host(to->host_user, arriving->time_ns, bytes, arriving->len);
    }
}

void link_send(LinkEnd *end, uint64_t value, uint64_t extra, const void *bytes, uint32_t len) {
    assert(len <= LINK_BYTES_MAX);
    LinkMessage message = {.time_ns = end->board->now_ns(end->board), .value = value, .extra = extra,
                           .source = end->index, .len = len};
    queue_push(&end->out, &message, bytes);
}

/* ---- Between windows ---- */

uint64_t link_cut_ns(const Link *link, uint64_t from_ns) {
    uint64_t first_ns = TIME_NEVER;
    for (size_t i = 0; i < link->options.n_cuts; i++) {
        const LinkCut *cut = &link->options.cuts[i];
        uint64_t at_ns = cut->from_ns > from_ns ? cut->from_ns : from_ns;
        first_ns = at_ns < cut->to_ns && at_ns < first_ns ? at_ns : first_ns;
    }
    return first_ns;
}

bool link_is_cut_within(const Link *link, uint64_t from_ns, uint64_t to_ns) {
    return link_cut_ns(link, from_ns) <= to_ns;
}

bool link_is_cut(const Link *link, uint64_t time_ns) {
    return link_is_cut_within(link, time_ns, time_ns);
}

/* Messages are sent when they end; the medium knows when they began. */
static bool is_cut_off(const Link *link, const LinkMessage *message) {
    LinkRecord record = {.start_ns = message->time_ns};
    if (link->options.n_cuts && link->options.type->describe) {
        link->options.type->describe(link, message, &record);
    }
    return link_is_cut_within(link, record.start_ns, message->time_ns);
}

/* A chance of 0 takes no random number, so an error model that is off changes nothing. */
bool link_chance(Link *link, uint32_t chance) {
    return chance && rng_below(&link->rng, LINK_CHANCE_ONE) < chance;
}

/* Into the inbox, behind what is there already; false if the node has no power then. */
static bool end_put(LinkEnd *to, LinkMessage *arriving, const uint8_t *bytes) {
    if (arriving->time_ns < to->last_ns) {
        arriving->time_ns = to->last_ns;
    }
    assert(arriving->time_ns >= to->link->horizon_ns); /* or the receiver is past it */
    if (arriving->time_ns < to->powered_ns) {
        return false;
    }
    if (to->in.len == 0) {
        event_at(&to->board->events, &to->arrive, arriving->time_ns);
        if (to->link->woken) {
            to->link->woken(to->link->woken_user, to->owner, arriving->time_ns);
        }
    }
    to->last_ns = arriving->time_ns;
    queue_push(&to->in, arriving, bytes);
    return true;
}

void link_hand(Link *link, LinkEnd *to, const LinkMessage *message, const uint8_t *bytes, uint64_t time_ns) {
    LinkMessage arriving = *message;
    arriving.time_ns = time_ns;
    link->lost += to->board && !end_put(to, &arriving, bytes); /* the host does not look at its cable */
}

void link_pass(Link *link, LinkEnd *to, const LinkMessage *message, const uint8_t *bytes, uint64_t delay_ns) {
    const LinkOptions *o = &link->options;
    /* All are drawn, whatever the others say. */
    bool dropped = link_chance(link, o->loss), damaged = link_chance(link, o->corrupt);
    LinkMessage arriving = *message;
    uint64_t jitter_ns = o->jitter_ns ? rng_below(&link->rng, o->jitter_ns + 1) : 0;
    arriving.time_ns += o->latency_ns + delay_ns + to->delay_ns + jitter_ns;
    if (dropped || is_cut_off(link, message)) {
        link->lost++;
        return;
    }
    if (!to->board) {
        host_hear(to, &arriving, bytes, damaged);
        return;
    }
    if (!end_put(to, &arriving, bytes)) {
        link->lost++;
        return;
    }
    for (const LinkTap *tap = link->taps; tap; tap = tap->next) {
        if (tap->passed) {
            tap->passed(tap->user, link, to, message->source, arriving.time_ns);
        }
    }
    if (damaged) {
        uint8_t *record = to->in.data + to->in.head + to->in.len - record_bytes(arriving.len);
        o->type->corrupt(&arriving, record + sizeof arriving, &link->rng);
        memcpy(record, &arriving, sizeof arriving);
        link->corrupted++;
    }
}

void link_broadcast(Link *link, const LinkMessage *message, const uint8_t *bytes) {
    for (unsigned i = 0; i < link->n_ends; i++) {
        if (i != message->source && link->ends[i]->hears) {
            link_pass(link, link->ends[i], message, bytes, 0);
        }
    }
}

/* FNV-1a over words: cheap, and order counts. */
static uint64_t mix(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * UINT64_C(0x100000001b3);
    return hash ^ hash >> 32;
}

static void traffic_add(Link *link, const LinkMessage *m, const uint8_t *bytes) {
    const uint64_t words[] = {m->time_ns, m->value, m->extra, m->source, m->len};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        link->traffic = mix(link->traffic, words[i]);
    }
    for (uint32_t i = 0; i < m->len; i++) {
        link->traffic = mix(link->traffic, bytes[i]);
    }
}

void link_tap_add(Link *link, LinkTap *tap) {
    LinkTap **last = &link->taps;
    while (*last) {
        last = &(*last)->next;
    }
    *last = tap;
}

void link_tap_remove(Link *link, LinkTap *tap) {
    LinkTap **at = &link->taps;
    while (*at && *at != tap) {
        at = &(*at)->next;
    }
    if (*at) {
        *at = tap->next;
    }
}

void link_record(Link *link, const LinkRecord *record) {
    link->sent++;
    for (const LinkTap *tap = link->taps; tap; tap = tap->next) {
        tap->record(tap->user, link, record);
    }
}

/* A message, counted and as the taps get it: its bytes, or the value as one. */
static void message_record(Link *link, const LinkMessage *m, const uint8_t *bytes) {
    uint8_t small = (uint8_t)m->value;
    LinkRecord record = {.start_ns = m->time_ns, .end_ns = m->time_ns, .from = m->source,
                         .len = m->len ? m->len : 1, .data = m->len ? bytes : &small};
    link->options.type->describe(link, m, &record);
    link_record(link, &record);
}

void link_exchange(Link *link, uint64_t horizon_ns) {
    link->horizon_ns = horizon_ns;
    for (;;) {
        LinkEnd *first = NULL;
        LinkMessage message = {0}, candidate;
        const uint8_t *bytes = NULL, *at;
        for (unsigned i = 0; i < link->n_ends; i++) {
            bool is_due = queue_first(&link->ends[i]->out, &candidate, &at) &&
                          (link->ends[i]->board || candidate.time_ns < horizon_ns);
            if (is_due && (!first || candidate.time_ns < message.time_ns)) {
                first = link->ends[i];
                message = candidate;
                bytes = at;
            }
        }
        if (!first) {
            break;
        }
        traffic_add(link, &message, bytes);
        if (link->options.type->describe) {
            message_record(link, &message, bytes);
        }
        if (link->options.type->route) {
            link->options.type->route(link, &message, bytes);
        }
        queue_drop(&first->out, &message);
    }
    if (link->options.type->settle) {
        link->options.type->settle(link);
    }
}

uint64_t link_next_ns(const Link *link) {
    uint64_t medium_ns = link->options.type->next_ns ? link->options.type->next_ns(link) : TIME_NEVER;
    const LinkEnd *host = link->options.type->takes & LINK_TAKES_HOST ? link_host_end(link) : NULL;
    LinkMessage first;
    const uint8_t *bytes;
    bool sends = host && queue_first(&host->out, &first, &bytes);
    return sends && first.time_ns < medium_ns ? first.time_ns : medium_ns;
}

/* ---- Life ---- */

Link *link_new(const LinkOptions *options) {
    assert(options->latency_ns > 0);
    Link *link = mem_alloc(sizeof *link);
    link->options = *options;
    link->state = options->type->state_size ? mem_alloc(options->type->state_size) : NULL;
    rng_seed(&link->rng, options->seed);
    return link;
}

void link_free(Link *link) {
    for (unsigned i = 0; i < link->n_ends; i++) {
        LinkEnd *end = link->ends[i];
        mem_free(end->in.data);
        mem_free(end->out.data);
        mem_free(end);
    }
    mem_free(link->state);
    mem_free(link);
}

void link_hash(const Link *link, Hash *hash) {
    for (size_t i = 0; i < ARRAY_LEN(link->rng.s); i++) {
        hash_u64(hash, link->rng.s[i]);
    }
    const uint64_t words[] = {link->sent, link->lost, link->corrupted, link->traffic};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        hash_u64(hash, words[i]);
    }
    if (link->options.type->hash) {
        link->options.type->hash(link, hash);
    }
    for (unsigned i = 0; i < link->n_ends; i++) {
        hash_u64(hash, link->ends[i]->busy_ns);
        const LinkQueue *queues[] = {&link->ends[i]->in, &link->ends[i]->out};
        for (size_t k = 0; k < ARRAY_LEN(queues); k++) {
            hash_u64(hash, queues[k]->len);
            hash_bytes(hash, queues[k]->data + queues[k]->head, queues[k]->len);
        }
    }
}
