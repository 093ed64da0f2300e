/* Captures: files that show what happened in a world, for programs that people look with: VCD, pcapng, timelines.
 *
 * Sources put items on tracks as they happen, on the thread that runs their node or, for links, between windows. When
 * all nodes have passed a time (the horizon), what lies before it is written, in the order of (time, track, sequence).
 * So a file depends neither on threads nor on where runs were cut. Writing loses nothing: the first error is kept, told
 * at once, and makes capture_close fail. */
#ifndef API_CAPTURE_H
#define API_CAPTURE_H

#include <stdio.h>

#include "base/bytes.h"
#include "base/err.h"
#include "orrery/world.h"

typedef struct Capture Capture;

typedef struct CaptureItem {
    uint64_t time_ns;
    uint64_t value;
    size_t at; /* of its bytes, in those of the track */
    size_t len;
} CaptureItem;

typedef struct CaptureTrack {
    VEC(CaptureItem) items; /* by time */
    ByteVec bytes;
    size_t done; /* items written in the flush under way */
    void *user;
} CaptureTrack;

typedef struct CaptureType {
    const char *suffix; /* of files of this kind */
    bool chooses; /* takes a choice of sources (OrrCaptureOptions.of) */
    /** Attaches to sources, and writes what stands first. */
    bool (*open)(Capture *capture, Err *err);
    /** Up to where it may write, if nodes have passed `node_ns` and links `link_ns`. */
    uint64_t (*horizon)(const Capture *capture, uint64_t node_ns, uint64_t link_ns);
    /** Puts on its tracks what is known only now; NULL: nothing. */
    void (*settle)(Capture *capture, uint64_t node_ns);
    void (*write)(Capture *capture, const CaptureTrack *track, const CaptureItem *item, const uint8_t *bytes);
    void (*end)(Capture *capture, uint64_t time_ns); /* what stands last */
} CaptureType;

extern const CaptureType capture_vcd, capture_pcapng, capture_trace;

struct Capture {
    OrrWorld *world;
    const CaptureType *type;
    OrrCaptureOptions options; /* during `open` */
    char *path;
    Arena arena;
    FILE *file;
    int error; /* errno of the first failure */
    ByteVec out;
    VEC(CaptureTrack *) tracks; /* in the arena */
    void *state; /* the type's, in the arena */
};

Capture *capture_open(OrrWorld *world, const OrrCaptureOptions *options, Err *err);
/** Writes all that lies before the horizon. */
void capture_flush(Capture *capture, uint64_t node_ns, uint64_t link_ns);
/** Writes the rest and frees it; false and an error if anything could not be written. */
bool capture_close(Capture *capture, Err *err);

/* ---- For types ---- */

CaptureTrack *capture_track(Capture *capture, void *user);
/** Puts an item on a track; times do not run backwards: an earlier one counts as that of the last item. */
void capture_put(CaptureTrack *track, uint64_t time_ns, uint64_t value, const void *bytes, size_t len);
/** Appends to the file. */
void capture_bytes(Capture *capture, const void *bytes, size_t len);
void capture_printf(Capture *capture, const char *fmt, ...) PRINTF_LIKE(2, 3);
/** Whether a source is chosen, "node.uart0": all are if nothing is said. */
bool capture_wants(const Capture *capture, const char *node, const char *source);

/* ---- For the world ---- */

/** After a run that has reached `reached_ns`. */
void captures_flush(OrrWorld *world, uint64_t reached_ns);
/** Closes all; false and the first error. */
bool captures_close(OrrWorld *world, Err *err);

#endif
