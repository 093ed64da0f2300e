/* A TAP interface of the host (Linux, Documentation/networking/tuntap.rst): frames go in and out as they are. It must
 * be there and belong to the user (ip tuntap add NAME mode tap user USER), or the user must be allowed to make it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "front/net.h"

typedef struct NetTap {
    Net *net;
    int fd;
} NetTap;

static void tap_send(void *state, const void *bytes, size_t len) {
    const NetTap *tap = state;
    ssize_t written = write(tap->fd, bytes, len);
    (void)written; /* as on a cable: what the host does not take is lost */
}

static void tap_poll(void *state, int wait_ms) {
    const NetTap *tap = state;
    struct pollfd p = {.fd = tap->fd, .events = POLLIN};
    uint8_t frame[2048];
    ssize_t n;
    if (poll(&p, 1, wait_ms) > 0) {
        while ((n = read(tap->fd, frame, sizeof frame)) > 0) {
            net_received(tap->net, frame, (size_t)n);
        }
    }
}

static void tap_close(void *state) {
    NetTap *tap = state;
    close(tap->fd);
    free(tap);
}

static const NetKind tap_kind = {tap_send, tap_poll, tap_close};

static void *fail(const char *name, int fd, OrrError *error) {
    snprintf(error->text, sizeof error->text,
             "tap:%.100s: %s: the interface must be yours (ip tuntap add %.100s mode tap user $USER)", name,
             strerror(errno), name);
    if (fd >= 0) {
        close(fd);
    }
    return NULL;
}

void *net_tap_open(Net *net, const char *name, const NetKind **kind, OrrError *error) {
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    if (name[0] == '\0' || strlen(name) >= sizeof request.ifr_name) {
        snprintf(error->text, sizeof error->text, "tap:%.100s: expected the name of an interface, up to %zu letters",
                 name, sizeof request.ifr_name - 1);
        return NULL;
    }
    memcpy(request.ifr_name, name, strlen(name));
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &request) != 0) {
        return fail(name, fd, error);
    }
    NetTap *tap = calloc(1, sizeof *tap);
    if (!tap) {
        abort();
    }
    *tap = (NetTap){net, fd};
    *kind = &tap_kind;
    return tap;
}
