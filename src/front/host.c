#include "front/host.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <orrery/journal.h>

bool host_open(Host *host, OrrNode *node, const char *uart, const char *spec, OrrError *error) {
    bool is_stdio = strcmp(spec, "stdio") == 0;
    if (is_stdio && host->has_stdio) {
        snprintf(error->text, sizeof error->text, "--uart %s=stdio: another port is on stdio already", uart);
        return false;
    }
    host->has_stdio |= is_stdio;
    if (host->n_backends == host->cap) {
        host->cap = host->cap ? host->cap * 2 : 8;
        host->backends = realloc(host->backends, host->cap * sizeof *host->backends);
        if (!host->backends) {
            abort();
        }
    }
    Backend *b = backend_open(node, uart, spec, error);
    if (b) {
        host->backends[host->n_backends++] = b;
    }
    return b != NULL;
}

bool host_open_net(Host *host, OrrWorld *world, size_t link, const char *where, OrrError *error) {
    if (host->n_nets == HOST_NETS_MAX) {
        snprintf(error->text, sizeof error->text, "more than %d networks", HOST_NETS_MAX);
        return false;
    }
    Net *net = net_open(world, link, where, error);
    if (net) {
        host->nets[host->n_nets++] = net;
    }
    return net != NULL;
}

static bool any(const Host *host, bool (*is)(const Backend *backend)) {
    for (size_t i = 0; i < host->n_backends; i++) {
        if (is(host->backends[i])) {
            return true;
        }
    }
    return false;
}

void host_begin(Host *host, OrrWorld *world, double pace) {
    host->world = world;
    host->pace = pace >= 0 ? pace : any(host, backend_is_terminal) ? 1 : 0;
    host->start_ns = host_ns();
    host->start_virtual_ns = orr_world_time_ns(world);
}

uint64_t host_until(const Host *host, uint64_t end_ns) {
    uint64_t now_ns = orr_world_time_ns(host->world), ran_ns = orr_world_ran_ns(host->world);
    now_ns = ran_ns > now_ns ? ran_ns : now_ns; /* nodes that have not started yet have no time */
    bool chunked = host->pace > 0 || host->n_nets || any(host, backend_is_live);
    uint64_t chunk_ns = host->n_nets ? HOST_NET_CHUNK_NS : HOST_CHUNK_NS;
    return chunked && end_ns > now_ns && end_ns - now_ns > chunk_ns ? now_ns + chunk_ns : end_ns;
}

static int wait_ms(const Host *host) {
    if (host->pace <= 0) {
        return 0;
    }
    double virtual_ns = (double)(orr_world_time_ns(host->world) - host->start_virtual_ns);
    double ahead_ms = virtual_ns / host->pace / 1e6 - (double)(host_ns() - host->start_ns) / 1e6;
    return ahead_ms < 1 ? 0 : ahead_ms > 1000 ? 1000 : (int)ahead_ms;
}

bool host_place_known(bool net, const char *where, OrrError *error) {
    static const struct {
        bool net, prefix;
        const char *text;
    } places[] = {{false, false, "stdio"}, {false, false, "null"}, {false, true, "file:"}, {false, false, "pty"},
                  {false, true, "tcp:"},   {true, false, "user"},  {true, true, "tap:"}};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const char *text = places[i].text;
        if (places[i].net == net && strncmp(where, text, strlen(text) + !places[i].prefix) == 0) {
            return true;
        }
    }
    snprintf(error->text, sizeof error->text, "'%.200s': expected %s", where,
             net ? "user or tap:NAME" : "stdio, null, file:PATH, pty or tcp:PORT");
    return false;
}

void host_turn(Host *host) {
    int wait = wait_ms(host);
    bool waited = false;
    for (size_t i = 0; i < host->n_backends; i++) {
        Backend *b = host->backends[i];
        bool live = backend_is_live(b);
        backend_flush(b);
        host->quit |= !backend_poll(b, live && !waited ? wait : 0); /* only one of them can wait */
        waited |= live;
    }
    for (size_t i = 0; i < host->n_nets; i++) {
        net_turn(host->nets[i], waited ? 0 : wait);
        waited = true;
    }
    if (wait > 0 && !waited) {
        struct timespec pause = {wait / 1000, wait % 1000 * 1000000L};
        nanosleep(&pause, NULL);
    }
}

void host_flush(Host *host) {
    for (size_t i = 0; i < host->n_backends; i++) {
        backend_flush(host->backends[i]);
    }
}

void host_close(Host *host) {
    for (size_t i = 0; i < host->n_backends; i++) {
        backend_close(host->backends[i]);
    }
    for (size_t i = 0; i < host->n_nets; i++) {
        net_close(host->nets[i]);
    }
    free(host->backends);
    *host = (Host){0};
}
