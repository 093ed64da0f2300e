#include "front/show.h"

#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 4096 };

/* A finished line of a port. */
typedef struct Shown {
    uint64_t time_ns;
    size_t begin, len; /* in `text` of the port */
} Shown;

typedef struct Port {
    OrrNode *node;
    const char *name;
    char *text; /* of the lines, and of the one under way */
    size_t text_len, text_cap, line_begin;
    Shown *lines;
    size_t n_lines, lines_cap, next;
} Port;

struct Show {
    Port *ports;
    size_t n_ports;
    bool quiet;
};

static void *grown(void *data, size_t *cap, size_t need, size_t size) {
    if (need <= *cap) {
        return data;
    }
    *cap = need * 2;
    data = realloc(data, *cap * size);
    if (!data) {
        abort();
    }
    return data;
}

static void line_end(Port *port) {
    port->lines = grown(port->lines, &port->lines_cap, port->n_lines + 1, sizeof *port->lines);
    port->lines[port->n_lines++] = (Shown){orr_node_time_ns(port->node), port->line_begin,
                                           port->text_len - port->line_begin};
    port->line_begin = port->text_len;
}

/* On the thread that runs the node. */
static void on_byte(void *user, uint8_t byte) {
    Port *port = user;
    if (byte == '\r') {
        return;
    }
    if (byte != '\n') {
        port->text = grown(port->text, &port->text_cap, port->text_len + 1, 1);
        port->text[port->text_len++] = (char)byte;
    }
    if (byte == '\n' || port->text_len - port->line_begin == LINE_BYTES) {
        line_end(port);
    }
}

Show *show_open(OrrWorld *world, bool quiet) {
    Show *show = calloc(1, sizeof *show);
    size_t cap = 0;
    OrrNode *node;
    const char *name;
    if (!show) {
        abort();
    }
    show->quiet = quiet;
    for (size_t i = 0; (node = orr_world_node(world, i)) != NULL; i++) {
        for (size_t k = 0; (name = orr_node_uart_name(node, k)) != NULL; k++) {
            show->ports = grown(show->ports, &cap, show->n_ports + 1, sizeof *show->ports);
            show->ports[show->n_ports++] = (Port){.node = node, .name = name};
        }
    }
    for (size_t i = 0; i < show->n_ports; i++) { /* they do not move any more */
        orr_node_uart_output(show->ports[i].node, show->ports[i].name, on_byte, &show->ports[i]);
    }
    return show;
}

/* Bytes that a terminal would obey are shown as escapes. */
static void print_text(const char *text, size_t len) {
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            printf("\\x%02x", c);
        } else {
            putchar(c);
        }
    }
}

static Port *port_next(const Show *show) {
    Port *first = NULL;
    for (size_t i = 0; i < show->n_ports; i++) {
        Port *p = &show->ports[i];
        if (p->next < p->n_lines && (!first || p->lines[p->next].time_ns < first->lines[first->next].time_ns)) {
            first = p;
        }
    }
    return first;
}

void show_lines(Show *show, bool end) {
    char time[TIME_TEXT_BYTES];
    for (size_t i = 0; i < show->n_ports && end; i++) {
        if (show->ports[i].text_len > show->ports[i].line_begin) {
            line_end(&show->ports[i]);
        }
    }
    for (Port *p; !show->quiet && (p = port_next(show)) != NULL;) {
        const Shown *line = &p->lines[p->next++];
        printf("%s %s.%s: ", time_text(time, line->time_ns), orr_node_name(p->node), p->name);
        print_text(p->text + line->begin, line->len);
        putchar('\n');
    }
    for (size_t i = 0; i < show->n_ports; i++) { /* the line under way moves to the front */
        Port *p = &show->ports[i];
        if (p->line_begin) {
            memmove(p->text, p->text + p->line_begin, p->text_len - p->line_begin);
            p->text_len -= p->line_begin;
        }
        p->line_begin = p->n_lines = p->next = 0;
    }
    fflush(stdout);
}

void show_close(Show *show) {
    for (size_t i = 0; show && i < show->n_ports; i++) {
        free(show->ports[i].text);
        free(show->ports[i].lines);
    }
    if (show) {
        free(show->ports);
        free(show);
    }
}
