/* Where an Ethernet link leads on the host: an unprivileged user-mode network (libslirp), or a TAP interface. What
 * comes from there waits until the world stands, and enters through the journal at that virtual time. */
#ifndef FRONT_NET_H
#define FRONT_NET_H

#include <orrery/journal.h>

#include "front/front.h"

typedef struct Net Net;

/** Opens `user` or `tap:NAME` for link `link` of the world, whose host end is there. NULL and a text. */
Net *net_open(OrrWorld *world, size_t link, const char *where, OrrError *error);
/** Between runs: takes what the host has, waits for it up to wait_ms, and gives it to the world. */
void net_turn(Net *net, int wait_ms);
void net_close(Net *net);

/* ---- What net.c and the kinds of networks share ---- */

typedef struct NetKind {
    /** A frame from a board. */
    void (*send)(void *state, const void *bytes, size_t len);
    /** Looks at the host for up to wait_ms; what comes goes to net_received. */
    void (*poll)(void *state, int wait_ms);
    void (*close)(void *state);
} NetKind;

/** Keeps a frame for the world; what is no frame, or too many, are lost. */
void net_received(Net *net, const void *bytes, size_t len);
/** Virtual time. */
uint64_t net_now_ns(const Net *net);

/** State of a user-mode network; NULL and a text, also if this program was built without libslirp. */
void *net_slirp_open(Net *net, const NetKind **kind, OrrError *error);
/** State of a TAP interface: NULL and a text. */
void *net_tap_open(Net *net, const char *name, const NetKind **kind, OrrError *error);

#endif
