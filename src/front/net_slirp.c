/* A user-mode network (libslirp 4): no rights needed, boards reach what the user's own programs reach. The network is
 * 10.0.2.0/24: the host is 10.0.2.2 (it answers ARP, echo requests, and connections to it are connections to the host's
 * loopback), a DHCP server gives 10.0.2.15 and up, a name server is 10.0.2.3. Its clock is virtual time, so that its
 * time-outs fit those of boards.
 * The library is loaded when it is asked for: it brings others with it, which would cost each start their time.
 * Not offered: connections from outside to boards, IPv6, TFTP. */
#include "front/net.h"

#ifdef HAVE_SLIRP

#include <arpa/inet.h>
#include <dlfcn.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include <slirp/libslirp.h>

enum { FDS_MAX = 256 };

typedef struct NetTimer {
    SlirpTimerCb fire;
    void *user;
    int64_t due_ms; /* -1: not armed */
    struct NetTimer *next;
} NetTimer;

/* What is used of the library. */
typedef struct SlirpLibrary {
    void *handle;
    Slirp *(*new)(const SlirpConfig *config, const SlirpCb *callbacks, void *user);
    void (*cleanup)(Slirp *slirp);
    void (*input)(Slirp *slirp, const uint8_t *bytes, int len);
    void (*fill)(Slirp *slirp, uint32_t *timeout_ms, SlirpAddPollCb add, void *user);
    void (*poll)(Slirp *slirp, int failed, SlirpGetREventsCb events, void *user);
} SlirpLibrary;

typedef struct NetSlirp {
    Net *net;
    SlirpLibrary library;
    Slirp *slirp;
    NetTimer *timers;
    struct pollfd fds[FDS_MAX];
    unsigned n_fds;
} NetSlirp;

/* ---- What libslirp asks for ---- */

static ssize_t on_packet(const void *bytes, size_t len, void *user) {
    net_received(((NetSlirp *)user)->net, bytes, len);
    return (ssize_t)len;
}

static void on_guest_error(const char *text, void *user) {
    (void)user;
    complain("network: %s", text);
}

static int64_t clock_now_ns(void *user) {
    return (int64_t)net_now_ns(((NetSlirp *)user)->net);
}

static void *timer_new(SlirpTimerCb fire, void *timer_user, void *user) {
    NetSlirp *s = user;
    NetTimer *timer = calloc(1, sizeof *timer);
    if (!timer) {
        abort();
    }
    *timer = (NetTimer){fire, timer_user, -1, s->timers};
    s->timers = timer;
    return timer;
}

static void timer_free(void *timer, void *user) {
    NetSlirp *s = user;
    NetTimer **at = &s->timers;
    while (*at && *at != timer) {
        at = &(*at)->next;
    }
    if (*at) {
        *at = (*at)->next;
        free(timer);
    }
}

static void timer_mod(void *timer, int64_t due_ms, void *user) {
    (void)user;
    ((NetTimer *)timer)->due_ms = due_ms;
}

static void fd_seen(int fd, void *user) {
    (void)fd;
    (void)user; /* all are looked at each time */
}

static void on_notify(void *user) {
    (void)user;
}

static const SlirpCb callbacks = {
    .send_packet = on_packet,
    .guest_error = on_guest_error,
    .clock_get_ns = clock_now_ns,
    .timer_new = timer_new,
    .timer_free = timer_free,
    .timer_mod = timer_mod,
    .register_poll_fd = fd_seen,
    .unregister_poll_fd = fd_seen,
    .notify = on_notify,
};

/* ---- Its sockets ---- */

static const struct {
    int slirp;
    short host;
} events[] = {{SLIRP_POLL_IN, POLLIN}, {SLIRP_POLL_OUT, POLLOUT}, {SLIRP_POLL_PRI, POLLPRI},
              {SLIRP_POLL_ERR, POLLERR}, {SLIRP_POLL_HUP, POLLHUP}};

static int fd_add(int fd, int wanted, void *user) {
    NetSlirp *s = user;
    if (s->n_fds == FDS_MAX) {
        return -1;
    }
    struct pollfd *p = &s->fds[s->n_fds];
    *p = (struct pollfd){.fd = fd};
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        p->events = (short)(p->events | (wanted & events[i].slirp ? events[i].host : 0));
    }
    return (int)s->n_fds++;
}

static int fd_events(int index, void *user) {
    const NetSlirp *s = user;
    int found = 0;
    for (size_t i = 0; index >= 0 && i < sizeof events / sizeof *events; i++) {
        found |= s->fds[index].revents & events[i].host ? events[i].slirp : 0;
    }
    return found;
}

static void timers_run(NetSlirp *s) {
    int64_t now_ms = clock_now_ns(s) / 1000000;
    for (NetTimer *timer = s->timers, *next; timer; timer = next) {
        next = timer->next;
        if (timer->due_ms >= 0 && timer->due_ms <= now_ms) {
            timer->due_ms = -1;
            timer->fire(timer->user);
        }
    }
}

/* ---- The network ---- */

static void slirp_send(void *state, const void *bytes, size_t len) {
    const NetSlirp *s = state;
    s->library.input(s->slirp, bytes, (int)len);
}

static void slirp_poll(void *state, int wait_ms) {
    NetSlirp *s = state;
    uint32_t timeout_ms = (uint32_t)wait_ms;
    s->n_fds = 0;
    s->library.fill(s->slirp, &timeout_ms, fd_add, s);
    int n = poll(s->fds, s->n_fds, timeout_ms < (uint32_t)wait_ms ? (int)timeout_ms : wait_ms);
    s->library.poll(s->slirp, n < 0, fd_events, s);
    timers_run(s);
}

static void slirp_close(void *state) {
    NetSlirp *s = state;
    s->library.cleanup(s->slirp);
    for (NetTimer *timer = s->timers, *next; timer; timer = next) {
        next = timer->next;
        free(timer);
    }
    dlclose(s->library.handle);
    free(s);
}

static const NetKind slirp_kind = {slirp_send, slirp_poll, slirp_close};

static bool library_open(SlirpLibrary *library) {
    const struct {
        const char *name;
        void *to;
    } functions[] = {{"slirp_new", &library->new}, {"slirp_cleanup", &library->cleanup},
                     {"slirp_input", &library->input}, {"slirp_pollfds_fill", &library->fill},
                     {"slirp_pollfds_poll", &library->poll}};
    library->handle = dlopen("libslirp.so.0", RTLD_NOW | RTLD_LOCAL);
    for (size_t i = 0; library->handle && i < sizeof functions / sizeof *functions; i++) {
        void *function = dlsym(library->handle, functions[i].name);
        if (!function) {
            dlclose(library->handle);
            return false;
        }
        memcpy(functions[i].to, &function, sizeof function); /* POSIX: a pointer to a function fits */
    }
    return library->handle != NULL;
}

static void *fail(NetSlirp *s, const char *why, OrrError *error) {
    snprintf(error->text, sizeof error->text, "network 'user': %s", why);
    free(s);
    return NULL;
}

void *net_slirp_open(Net *net, const NetKind **kind, OrrError *error) {
    NetSlirp *s = calloc(1, sizeof *s);
    SlirpConfig config = {.version = 1, .in_enabled = true};
    if (!s) {
        abort();
    }
    config.vnetwork.s_addr = htonl(0x0a000200);
    config.vnetmask.s_addr = htonl(0xffffff00);
    config.vhost.s_addr = htonl(0x0a000202);
    config.vdhcp_start.s_addr = htonl(0x0a00020f);
    config.vnameserver.s_addr = htonl(0x0a000203);
    s->net = net;
    if (!library_open(&s->library)) {
        return fail(s, "libslirp.so.0 cannot be loaded (Debian: libslirp0)", error);
    }
    s->slirp = s->library.new(&config, &callbacks, s);
    if (!s->slirp) {
        dlclose(s->library.handle);
        return fail(s, "libslirp does not start", error);
    }
    *kind = &slirp_kind;
    return s;
}

#else

void *net_slirp_open(Net *net, const NetKind **kind, OrrError *error) {
    (void)net;
    (void)kind;
    snprintf(error->text, sizeof error->text,
             "network 'user': this program was built without libslirp (libslirp-dev, -Dslirp=enabled)");
    return NULL;
}

#endif
