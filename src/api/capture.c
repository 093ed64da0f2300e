#include "api/capture.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <string.h>

#include "api/api.h"
#include "orrery/debug.h"

enum { OUT_BYTES = 1 << 16, LINE_BYTES = 4096 };

static const CaptureType *const types[] = {&capture_vcd, &capture_pcapng, &capture_trace};

/* ---- The file ---- */

static void failed(Capture *c) {
    if (!c->error) {
        c->error = errno ? errno : EIO;
        log_line(&c->world->log, LOG_ERROR, "capture %s: %s", c->path, strerror(c->error));
    }
}

static void out_flush(Capture *c) {
    errno = 0;
    if (c->out.len && fwrite(c->out.data, 1, c->out.len, c->file) != c->out.len) {
        failed(c);
    }
    c->out.len = 0;
}

void capture_bytes(Capture *c, const void *bytes, size_t len) {
    bytes_put(&c->out, bytes, len);
    if (c->out.len >= OUT_BYTES) {
        out_flush(c);
    }
}

void capture_printf(Capture *c, const char *fmt, ...) {
    char line[LINE_BYTES];
    va_list ap;
    va_start(ap, fmt);
    int len = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    assert(len >= 0 && (size_t)len < sizeof line);
    capture_bytes(c, line, (size_t)len);
}

/* ---- Tracks ---- */

CaptureTrack *capture_track(Capture *c, void *user) {
    CaptureTrack *track = ARENA_NEW(&c->arena, CaptureTrack);
    track->user = user;
    vec_push(&c->tracks, track);
    return track;
}

void capture_put(CaptureTrack *track, uint64_t time_ns, uint64_t value, const void *bytes, size_t len) {
    uint64_t last_ns = track->items.len ? track->items.data[track->items.len - 1].time_ns : 0;
    CaptureItem item = {time_ns > last_ns ? time_ns : last_ns, value, track->bytes.len, len};
    if (len) {
        bytes_put(&track->bytes, bytes, len);
    }
    vec_push(&track->items, item);
}

/* Forgets the first `done` items. */
static void track_drop(CaptureTrack *track) {
    size_t left = track->items.len - track->done;
    size_t at = left ? track->items.data[track->done].at : track->bytes.len;
    if (track->done) {
        memmove(track->items.data, track->items.data + track->done, left * sizeof *track->items.data);
    }
    if (at) {
        memmove(track->bytes.data, track->bytes.data + at, track->bytes.len - at);
    }
    track->items.len = left;
    track->bytes.len -= at;
    for (size_t i = 0; i < left; i++) {
        track->items.data[i].at -= at;
    }
    track->done = 0;
}

/* ---- The order: a heap of tracks by (time of the first item, number) ---- */

typedef struct Head {
    uint64_t time_ns;
    size_t track;
} Head;

static bool before(const Head *a, const Head *b) {
    return a->time_ns != b->time_ns ? a->time_ns < b->time_ns : a->track < b->track;
}

static void sift_down(Head *heap, size_t n, size_t at) {
    for (;;) {
        size_t first = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < n; child++) {
            first = before(&heap[child], &heap[first]) ? child : first;
        }
        if (first == at) {
            return;
        }
        Head head = heap[at];
        heap[at] = heap[first];
        heap[first] = head;
        at = first;
    }
}

/* The track's next item before the horizon; false: there is none. */
static bool head_next(const Capture *c, Head *head, uint64_t horizon_ns) {
    const CaptureTrack *track = c->tracks.data[head->track];
    if (track->done == track->items.len || track->items.data[track->done].time_ns >= horizon_ns) {
        return false;
    }
    head->time_ns = track->items.data[track->done].time_ns;
    return true;
}

static void write_before(Capture *c, uint64_t horizon_ns) {
    Head *heap = mem_alloc((c->tracks.len + 1) * sizeof *heap);
    size_t n = 0;
    for (size_t i = 0; i < c->tracks.len; i++) {
        heap[n].track = i;
        n += head_next(c, &heap[n], horizon_ns);
    }
    for (size_t i = n; i-- > 0;) {
        sift_down(heap, n, i);
    }
    while (n > 0) {
        CaptureTrack *track = c->tracks.data[heap[0].track];
        const CaptureItem *item = &track->items.data[track->done++];
        c->type->write(c, track, item, item->len ? track->bytes.data + item->at : NULL);
        if (!head_next(c, &heap[0], horizon_ns)) {
            heap[0] = heap[--n];
        }
        sift_down(heap, n, 0);
    }
    for (size_t i = 0; i < c->tracks.len; i++) {
        track_drop(c->tracks.data[i]);
    }
    mem_free(heap);
}

void capture_flush(Capture *c, uint64_t node_ns, uint64_t link_ns) {
    if (c->type->settle) {
        c->type->settle(c, node_ns);
    }
    write_before(c, c->type->horizon(c, node_ns, link_ns));
}

/* ---- Life ---- */

static const CaptureType *type_of(const char *path, Err *err) {
    size_t len = strlen(path);
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        size_t n = strlen(types[i]->suffix);
        if (len > n && strcmp(path + len - n, types[i]->suffix) == 0) {
            return types[i];
        }
    }
    err_set(err, "%.300s: expected a file named *.vcd, *.pcapng or *.json", path);
    return NULL;
}

bool capture_wants(const Capture *c, const char *node, const char *source) {
    char name[256];
    snprintf(name, sizeof name, "%s.%s", node, source);
    for (size_t i = 0; i < c->options.n_of; i++) {
        if (fnmatch(c->options.of[i], name, 0) == 0) {
            return true;
        }
    }
    return c->options.n_of == 0;
}

static void capture_free(Capture *c) {
    for (size_t i = 0; i < c->tracks.len; i++) {
        vec_free(&c->tracks.data[i]->items);
        vec_free(&c->tracks.data[i]->bytes);
    }
    vec_free(&c->tracks);
    vec_free(&c->out);
    arena_free(&c->arena);
    mem_free(c);
}

Capture *capture_open(OrrWorld *world, const OrrCaptureOptions *options, Err *err) {
    const CaptureType *type = type_of(options->path, err);
    if (!type) {
        return NULL;
    }
    if (options->n_of && !type->chooses) {
        err_set(err, "%.300s: only a VCD has a choice of what is in it", options->path);
        return NULL;
    }
    Capture *c = mem_alloc(sizeof *c);
    c->world = world;
    c->type = type;
    c->options = *options;
    c->path = arena_strdup(&c->arena, options->path);
    c->file = fopen(options->path, "wb");
    if (!c->file) {
        err_set(err, "%.300s: %s", options->path, strerror(errno));
        capture_free(c);
        return NULL;
    }
    if (!type->open(c, err)) { /* before anything listens */
        fclose(c->file);
        capture_free(c);
        return NULL;
    }
    c->options = (OrrCaptureOptions){0};
    return c;
}

bool capture_close(Capture *c, Err *err) {
    uint64_t now_ns = world_time_ns(&c->world->sim);
    if (c->type->settle) {
        c->type->settle(c, TIME_NEVER);
    }
    write_before(c, TIME_NEVER);
    c->type->end(c, now_ns);
    out_flush(c);
    errno = 0;
    if (fclose(c->file) != 0) {
        failed(c);
    }
    bool ok = !c->error || err_set(err, "capture %.300s: %s", c->path, strerror(c->error));
    capture_free(c);
    return ok;
}

/* ---- The world's ---- */

void captures_flush(OrrWorld *world, uint64_t reached_ns) {
    uint64_t link_ns = TIME_NEVER;
    for (size_t i = 0; i < world->nodes.len; i++) { /* between meetings cores are behind */
        const OrrNode *node = world->nodes.data[i];
        for (unsigned k = 1; k < orr_node_core_count(node) && !node->slot->ended; k++) {
            uint64_t core_ns = orr_core_time_ns(node, k);
            reached_ns = core_ns < reached_ns ? core_ns : reached_ns;
        }
    }
    for (size_t i = 0; i < world->sim.links.len; i++) {
        uint64_t horizon_ns = world->sim.links.data[i]->horizon_ns;
        link_ns = horizon_ns < link_ns ? horizon_ns : link_ns;
    }
    for (size_t i = 0; i < world->captures.len; i++) {
        capture_flush(world->captures.data[i], reached_ns, link_ns);
    }
}

bool captures_close(OrrWorld *world, Err *err) {
    bool ok = true;
    for (size_t i = 0; i < world->captures.len; i++) {
        ok &= capture_close(world->captures.data[i], ok ? err : NULL);
    }
    vec_free(&world->captures);
    return ok;
}

bool orr_world_capture(OrrWorld *world, const OrrCaptureOptions *options, OrrError *error) {
    Capture *capture = capture_open(world, options, (Err *)error);
    if (!capture) {
        return api_failed(error, ORR_ERROR_FILE);
    }
    vec_push(&world->captures, capture);
    return true;
}

bool orr_world_capture_end(OrrWorld *world, OrrError *error) {
    return captures_close(world, (Err *)error) || api_failed(error, ORR_ERROR_FILE);
}
