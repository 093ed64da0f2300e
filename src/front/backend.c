/* Where serial ports lead on the host: stdio, a file, a pseudo-terminal, a TCP port on the loopback interface. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <orrery/journal.h>

#include "front/front.h"

enum { OUT_BYTES = 65536, CTRL_A = 1 };

typedef struct HostPort {
    int in, out; /* -1: none */
    int kept; /* open as long as the port: the listening socket, the other side of a pty; -1: none */
} HostPort;

struct Backend {
    OrrNode *node;
    const char *uart;
    HostPort host;
    bool terminal; /* a person: raw mode, Ctrl-A keys */
    bool escape; /* Ctrl-A was typed */
    bool live; /* more may come in */
    bool unheard; /* output may be dropped: maybe nobody has opened the other side */
    bool lost; /* output was dropped, and the user was told */
    struct termios saved;
    size_t out_len;
    uint8_t out[OUT_BYTES];
};

static void hand_over(Backend *b, const uint8_t *bytes, size_t len) {
    if (len) {
        uint64_t now_ns = orr_node_time_ns(b->node), ran_ns = orr_world_ran_ns(orr_node_world(b->node));
        orr_node_uart_input(b->node, b->uart, now_ns > ran_ns ? now_ns : ran_ns, bytes, len);
    }
}

/* Writes as much as the host takes, or everything if `wait`. A host that is gone gets nothing any more; the guest never
 * notices. */
static void write_out(Backend *b, bool wait) {
    size_t done = 0;
    while (done < b->out_len && b->host.out >= 0) {
        ssize_t n = write(b->host.out, b->out + done, b->out_len - done);
        if (n > 0) {
            done += (size_t)n;
        } else if (errno == EAGAIN && !wait) {
            break;
        } else if (errno == EAGAIN) {
            struct pollfd p = {.fd = b->host.out, .events = POLLOUT};
            poll(&p, 1, 100);
        } else if (errno != EINTR) {
            complain("%s: %s: its output is lost from here on", b->uart, strerror(errno));
            b->lost = true;
            b->host.out = -1;
        }
    }
    b->out_len = b->host.out >= 0 ? b->out_len - done : 0;
    memmove(b->out, b->out + done, b->out_len);
}

void backend_flush(Backend *b) {
    write_out(b, false);
}

static void sent(void *user, uint8_t byte) {
    Backend *b = user;
    if (b->out_len == OUT_BYTES) {
        write_out(b, !b->unheard);
    }
    if (b->out_len == OUT_BYTES) {
        if (!b->lost) {
            complain("%s: nobody reads its output: some is lost", b->uart);
        }
        b->lost = true;
        b->out_len = 0;
    }
    b->out[b->out_len++] = byte;
}

/* ---- Opening ---- */

static bool fail(OrrError *error, const char *uart, const char *spec, const char *why) {
    snprintf(error->text, sizeof error->text, "--uart %s=%s: %s", uart, spec, why);
    return false;
}

static void raw_mode(Backend *b) {
    struct termios raw;
    tcgetattr(STDIN_FILENO, &b->saved);
    raw = b->saved;
    cfmakeraw(&raw);
    raw.c_oflag |= OPOST; /* log lines on stderr share the screen */
    raw.c_lflag |= ISIG; /* Ctrl-C ends the run */
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

/* A pipe or file: what its writer has ready at the start arrives at time 0, so that `printf ... | orrery run` gives the
 * same receipt each time. A writer that stays silent is listened to while the run goes on. */
static void read_ahead(Backend *b) {
    enum { PATIENCE_MS = 200 };
    struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
    uint8_t bytes[4096];
    while (poll(&p, 1, PATIENCE_MS) > 0) {
        ssize_t n = read(STDIN_FILENO, bytes, sizeof bytes);
        if (n <= 0) {
            b->live = false;
            b->host.in = -1;
            return;
        }
        hand_over(b, bytes, (size_t)n);
    }
}

static bool open_stdio(Backend *b) {
    b->host = (HostPort){STDIN_FILENO, STDOUT_FILENO, -1};
    b->live = true;
    b->terminal = isatty(STDIN_FILENO);
    if (b->terminal) {
        raw_mode(b);
        fprintf(stderr, "orrery: %s is on this terminal; Ctrl-A x quits, Ctrl-A h helps\n", b->uart);
    } else {
        read_ahead(b);
    }
    return true;
}

static bool open_file(Backend *b, const char *spec, const char *path, OrrError *error) {
    b->host.out = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    return b->host.out >= 0 || fail(error, b->uart, spec, strerror(errno));
}

static bool open_pty(Backend *b, const char *spec, OrrError *error) {
    int master, slave;
    char name[128];
    struct termios raw;
    if (openpty(&master, &slave, name, NULL, NULL) != 0) {
        return fail(error, b->uart, spec, strerror(errno));
    }
    tcgetattr(slave, &raw);
    cfmakeraw(&raw);
    tcsetattr(slave, TCSANOW, &raw);
    /* The slave stays open: bytes are kept until somebody opens it, and closing it is no end of file. */
    fcntl(master, F_SETFL, O_NONBLOCK);
    b->host = (HostPort){master, master, slave};
    b->live = b->unheard = true;
    fprintf(stderr, "orrery: %s is on %s\n", b->uart, name);
    return true;
}

static bool open_tcp(Backend *b, const char *spec, const char *port, OrrError *error) {
    char *end;
    unsigned long number = strtoul(port, &end, 10);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)number)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t len = sizeof address;
    int yes = 1, s;
    if (*end || end == port || number > 65535) {
        return fail(error, b->uart, spec, "expected a port number, 0 for any free one");
    }
    s = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(s, (struct sockaddr *)&address, sizeof address) != 0 || listen(s, 1) != 0) {
        close(s);
        return fail(error, b->uart, spec, strerror(errno));
    }
    getsockname(s, (struct sockaddr *)&address, &len);
    fprintf(stderr, "orrery: %s waits on 127.0.0.1:%u\n", b->uart, ntohs(address.sin_port));
    b->host.kept = s;
    b->host.in = b->host.out = accept(s, NULL, NULL);
    if (b->host.in < 0) {
        close(s);
        return fail(error, b->uart, spec, strerror(errno));
    }
    fcntl(b->host.in, F_SETFL, O_NONBLOCK);
    b->live = true;
    return true;
}

static bool open_kind(Backend *b, const char *spec, OrrError *error) {
    if (strcmp(spec, "null") == 0) {
        return true;
    }
    if (strcmp(spec, "stdio") == 0) {
        return open_stdio(b);
    }
    if (strncmp(spec, "file:", 5) == 0) {
        return open_file(b, spec, spec + 5, error);
    }
    if (strcmp(spec, "pty") == 0) {
        return open_pty(b, spec, error);
    }
    if (strncmp(spec, "tcp:", 4) == 0) {
        return open_tcp(b, spec, spec + 4, error);
    }
    return fail(error, b->uart, spec, "expected stdio, null, file:PATH, pty or tcp:PORT");
}

Backend *backend_open(OrrNode *node, const char *uart, const char *spec, OrrError *error) {
    Backend *b = calloc(1, sizeof *b);
    if (!b) {
        abort();
    }
    *b = (Backend){.node = node, .uart = uart, .host = {-1, -1, -1}};
    if (!orr_node_uart_output(node, uart, sent, b)) {
        fail(error, uart, spec, "the machine has no serial port of that name");
        free(b);
        return NULL;
    }
    if (!open_kind(b, spec, error)) {
        orr_node_uart_output(node, uart, NULL, NULL);
        free(b);
        return NULL;
    }
    return b;
}

/* ---- Running ---- */

bool backend_is_live(const Backend *b) {
    return b->live;
}

bool backend_is_terminal(const Backend *b) {
    return b->terminal;
}

/* Keys behind Ctrl-A. False: quit. */
static bool escape_key(Backend *b, uint8_t key) {
    static const uint8_t ctrl_a = CTRL_A;
    if (key == 'x') {
        return false;
    }
    if (key == 'h') {
        char time[TIME_TEXT_BYTES];
        fprintf(stderr, "\norrery: %s s, %llu instructions. Ctrl-A x quit, Ctrl-A Ctrl-A sends Ctrl-A\n",
                time_text(time, orr_node_time_ns(b->node)), (unsigned long long)orr_node_instructions(b->node));
    } else if (key == CTRL_A) {
        hand_over(b, &ctrl_a, 1);
    }
    return true;
}

static bool typed(Backend *b, const uint8_t *bytes, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (b->escape) {
            b->escape = false;
            if (!escape_key(b, bytes[i])) {
                return false;
            }
        } else if (bytes[i] == CTRL_A) {
            b->escape = true;
        } else {
            hand_over(b, &bytes[i], 1);
        }
    }
    return true;
}

bool backend_poll(Backend *b, int wait_ms) {
    struct pollfd p = {.fd = b->host.in, .events = POLLIN};
    uint8_t bytes[4096];
    if (!b->live || poll(&p, 1, wait_ms) <= 0) {
        return true;
    }
    ssize_t n = read(b->host.in, bytes, sizeof bytes);
    if (n > 0) {
        if (b->terminal) {
            return typed(b, bytes, (size_t)n);
        }
        hand_over(b, bytes, (size_t)n);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR && errno != EIO)) {
        b->live = false;
    }
    return true;
}

void backend_close(Backend *b) {
    write_out(b, !b->unheard);
    if (b->terminal) {
        tcsetattr(STDIN_FILENO, TCSANOW, &b->saved);
    }
    const int files[] = {b->host.in, b->host.out != b->host.in ? b->host.out : -1, b->host.kept};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (files[i] > STDERR_FILENO) {
            close(files[i]);
        }
    }
    free(b);
}
