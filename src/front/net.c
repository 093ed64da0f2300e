#include "front/net.h"

#include <stdlib.h>
#include <string.h>

enum { FRAME_MIN = 14, FRAME_MAX = 1518, WAITING_MAX = 256 };

typedef struct NetFrame {
    uint16_t len;
    uint8_t bytes[FRAME_MAX];
} NetFrame;

struct Net {
    OrrWorld *world;
    size_t link;
    const NetKind *kind;
    void *state; /* the kind's */
    NetFrame waiting[WAITING_MAX]; /* for the world to stand */
    size_t n_waiting;
};

void net_received(Net *net, const void *bytes, size_t len) {
    if (len >= FRAME_MIN && len <= FRAME_MAX && net->n_waiting < WAITING_MAX) {
        NetFrame *frame = &net->waiting[net->n_waiting++];
        frame->len = (uint16_t)len;
        memcpy(frame->bytes, bytes, len);
    }
}

uint64_t net_now_ns(const Net *net) {
    return orr_world_ran_ns(net->world);
}

/* While the world runs, on the thread that runs it. */
static void on_frame(void *user, uint64_t time_ns, const void *bytes, size_t len) {
    Net *net = user;
    (void)time_ns; /* the host is later anyway */
    net->kind->send(net->state, bytes, len);
}

Net *net_open(OrrWorld *world, size_t link, const char *where, OrrError *error) {
    static const char tap[] = "tap:";
    Net *net = calloc(1, sizeof *net);
    if (!net) {
        abort();
    }
    net->world = world;
    net->link = link;
    if (strcmp(where, "user") == 0) {
        net->state = net_slirp_open(net, &net->kind, error);
    } else if (strncmp(where, tap, sizeof tap - 1) == 0) {
        net->state = net_tap_open(net, where + sizeof tap - 1, &net->kind, error);
    } else {
        snprintf(error->text, sizeof error->text, "network '%.200s': expected user or tap:NAME", where);
    }
    if (!net->state) {
        free(net);
        return NULL;
    }
    orr_link_host_output(orr_world_link(world, link), on_frame, net);
    return net;
}

void net_turn(Net *net, int wait_ms) {
    net->kind->poll(net->state, wait_ms);
    for (size_t i = 0; i < net->n_waiting; i++) {
        orr_world_frame(net->world, net->link, net_now_ns(net), net->waiting[i].bytes, net->waiting[i].len);
    }
    net->n_waiting = 0;
}

void net_close(Net *net) {
    orr_link_host_output(orr_world_link(net->world, net->link), NULL, NULL);
    net->kind->close(net->state);
    free(net);
}
