/* The host side of a run: where serial ports lead, and how fast it goes. Nothing of it reaches guests but input, which
 * enters between runs, at the virtual time where they stand. */
#ifndef FRONT_HOST_H
#define FRONT_HOST_H

#include "front/net.h"

/* How often a live port looks for host input, in virtual time, and a network, where somebody waits for an answer. */
enum { HOST_CHUNK_NS = 5000000, HOST_NET_CHUNK_NS = 1000000, HOST_NETS_MAX = 32 };

typedef struct Host {
    OrrWorld *world;
    Backend **backends;
    size_t n_backends, cap;
    bool has_stdio;
    Net *nets[HOST_NETS_MAX];
    size_t n_nets;
    double pace; /* virtual seconds per second at most; 0: none */
    uint64_t start_ns, start_virtual_ns;
    bool quit; /* the user asks for the end (Ctrl-A x) */
} Host;

/** Opens a back end for a port; false and a text. */
bool host_open(Host *host, OrrNode *node, const char *uart, const char *spec, OrrError *error);
/** The same for a link. */
/** Whether there are such places as host_open and host_open_net are given; for OrrWorldFileOptions. */
bool host_place_known(bool net, const char *where, OrrError *error);
bool host_open_net(Host *host, OrrWorld *world, size_t link, const char *where, OrrError *error);
/** The run begins; `pace` as of --pace, negative: 1 for people at a terminal, else none. */
void host_begin(Host *host, OrrWorld *world, double pace);
/** Where the next run should end so that the host is not kept waiting: `end_ns`, or sooner. */
uint64_t host_until(const Host *host, uint64_t end_ns);
/** Between runs: lets the host catch up and takes its input; waits if virtual time is ahead of the pace. */
void host_turn(Host *host);
/** Writes what ports have sent, as far as the host takes it now. */
void host_flush(Host *host);
void host_close(Host *host);

#endif
