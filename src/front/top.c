#include "front/top.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <orrery/debug.h>

/* ECMA-48: the alternate screen (as xterm has it), no cursor, no wrapping; home; erase to the end of the line, of the
 * screen. */
#define SCREEN_ENTER "\x1b[?1049h\x1b[?25l\x1b[?7l"
#define SCREEN_LEAVE "\x1b[?7h\x1b[?25h\x1b[?1049l"
#define HOME "\x1b[H"
#define LINE_END "\x1b[K\n"
#define SCREEN_END "\x1b[J"

enum { ROWS_DEFAULT = 24, ROWS_HEAD = 8, ENDS_SHOWN = 4 };
#define DRAW_NS UINT64_C(250000000) /* between two pictures, in time of the host */
#define PRINT_NS UINT64_C(1000000000) /* between two lines */
#define SPAN_FIRST_NS UINT64_C(1000000)
#define SPAN_MAX_NS UINT64_C(10000000000)

/* What a counter was when the last picture was made. */
typedef struct Seen {
    uint64_t count, busy_ns;
} Seen;

typedef struct Kept {
    OrrLogLevel level;
    char *line;
} Kept;

struct Top {
    OrrWorld *world;
    const char *title;
    uint64_t end_ns;
    bool terminal;
    uint64_t span_ns; /* of virtual time, between two looks */
    uint64_t looked_host_ns, shown_host_ns, shown_ns;
    size_t n_nodes, n_links;
    Seen *nodes, *links; /* at shown_ns */
    uint64_t instructions; /* of all nodes, at shown_ns */
    Kept *kept; /* lines of the log, until the screen is no longer in their way */
    size_t n_kept, kept_cap;
};

/* Set while the terminal is ours; the signal handler takes it away. */
static const char *volatile leave_text;

void top_abandon(void) {
    const char *text = leave_text;
    leave_text = NULL;
    if (text && write(STDOUT_FILENO, text, strlen(text)) < 0) {
        return; /* nobody is there to be told */
    }
}

static void *zeroed(size_t n, size_t size) {
    void *data = calloc(n + 1, size);
    if (!data) {
        abort();
    }
    return data;
}

Top *top_open(OrrWorld *world, const char *title, uint64_t end_ns) {
    Top *top = zeroed(1, sizeof *top);
    OrrLinkInfo info;
    *top = (Top){.world = world, .title = title, .end_ns = end_ns, .span_ns = SPAN_FIRST_NS};
    while (orr_world_node(world, top->n_nodes)) {
        top->n_nodes++;
    }
    while (orr_world_link_info(world, top->n_links, &info)) {
        top->n_links++;
    }
    top->nodes = zeroed(top->n_nodes, sizeof *top->nodes);
    top->links = zeroed(top->n_links, sizeof *top->links);
    top->terminal = isatty(STDOUT_FILENO);
    top->looked_host_ns = top->shown_host_ns = host_ns();
    orr_world_meter_start(world);
    if (top->terminal) {
        leave_text = SCREEN_LEAVE;
        fputs(SCREEN_ENTER, stdout);
        fflush(stdout);
    }
    return top;
}

uint64_t top_span_ns(const Top *top) {
    return top->span_ns;
}

/* ---- Numbers ---- */

static double per(double a, double b) {
    return b > 0 ? a / b : 0;
}

/* Four columns or so, with k, M, G. */
static const char *short_number(char out[16], double value) {
    static const char units[] = " kMGTP";
    size_t unit = 0;
    while (value >= 999.5 && unit + 2 < sizeof units) {
        value /= 1000;
        unit++;
    }
    snprintf(out, 16, value < 9.95 && unit ? "%.1f%c" : "%.0f%c", value, units[unit]);
    if (!unit) {
        out[strlen(out) - 1] = '\0';
    }
    return out;
}

/* What passed since the last picture. */
typedef struct Span {
    double host_s, virtual_s;
    uint64_t instructions; /* of all nodes */
} Span;

static uint64_t instructions_now(const Top *top) {
    uint64_t sum = 0;
    for (size_t i = 0; i < top->n_nodes; i++) {
        sum += orr_node_instructions(orr_world_node(top->world, i));
    }
    return sum;
}

static size_t asleep(const Top *top) {
    size_t n = 0;
    for (size_t i = 0; i < top->n_nodes; i++) {
        n += orr_core_state(orr_world_node(top->world, i), 0) != ORR_CORE_RUNS;
    }
    return n;
}

static uint64_t messages_now(const Top *top, uint64_t *lost) {
    uint64_t sum = 0;
    OrrLinkInfo info;
    *lost = 0;
    for (size_t i = 0; orr_world_link_info(top->world, i, &info); i++) {
        sum += info.sent;
        *lost += info.lost + info.corrupted;
    }
    return sum;
}

/* ---- Lines, where stdout is no terminal ---- */

static void print_line(const Top *top, const Span *span) {
    char time[TIME_TEXT_BYTES], mips[16], sent[16];
    uint64_t lost, n = messages_now(top, &lost);
    printf("%s s, %.2f virtual s/s, %s instructions/s, %zu of %zu nodes asleep, %s messages, %llu lost\n",
           time_text(time, orr_world_time_ns(top->world)), per(span->virtual_s, span->host_s),
           short_number(mips, per((double)span->instructions, span->host_s)), asleep(top), top->n_nodes,
           short_number(sent, (double)n), (unsigned long long)lost);
    fflush(stdout);
}

/* ---- The picture ---- */

static const char *state_text(const OrrNode *node) {
    static const char *const names[] = {"run", "sleep", "held", "dead"};
    return names[orr_core_state(node, 0)];
}

static unsigned rows_of_terminal(void) {
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row : ROWS_DEFAULT;
}

static void draw_head(const Top *top, const Span *span) {
    char time[TIME_TEXT_BYTES], end[TIME_TEXT_BYTES], mips[16];
    printf("orrery top: %.60s" LINE_END, top->title);
    printf("%s s", time_text(time, orr_world_time_ns(top->world)));
    if (top->end_ns != ORR_TIME_NEVER) {
        printf(" of %s s", time_text(end, top->end_ns));
    }
    printf(", %.3f virtual s per s, %s instructions/s, %zu of %zu nodes asleep" LINE_END,
           per(span->virtual_s, span->host_s), short_number(mips, per((double)span->instructions, span->host_s)),
           asleep(top), top->n_nodes);
}

/* Instructions per second of the host and of the node's own time. */
static void draw_node(const Top *top, size_t i, const Span *span) {
    OrrNode *node = orr_world_node(top->world, i);
    char host[16], own[16], total[16];
    uint64_t count = orr_node_instructions(node);
    double new_count = (double)(count - top->nodes[i].count);
    printf("%-20.20s %-6s %9s %9s %9s" LINE_END, orr_node_name(node), state_text(node),
           short_number(host, per(new_count, span->host_s)), short_number(own, per(new_count, span->virtual_s)),
           short_number(total, (double)count));
}

static void draw_link(const Top *top, size_t i, const Span *span) {
    OrrLinkInfo info;
    char rate[16], total[16], ends[128] = "";
    const char *node, *port;
    orr_world_link_info(top->world, i, &info);
    for (size_t k = 0, n = 0; k < info.n_ends && k < ENDS_SHOWN && n < sizeof ends; k++) {
        node = orr_world_link_end(top->world, i, k, &port);
        n += (size_t)snprintf(ends + n, sizeof ends - n, "%s%s.%s", k ? " " : "", node, port);
    }
    printf("%-9.9s %-36.36s %9s %6.1f%% %9s %6llu" LINE_END, info.kind, ends,
           short_number(rate, per((double)(info.sent - top->links[i].count), span->virtual_s)),
           100 * per((double)(info.busy_ns - top->links[i].busy_ns) / 1e9, span->virtual_s),
           short_number(total, (double)info.sent), (unsigned long long)(info.lost + info.corrupted));
}

static void draw(const Top *top, const Span *span) {
    unsigned rows = rows_of_terminal();
    size_t room = rows > ROWS_HEAD + 2 ? rows - ROWS_HEAD - 2 : 1;
    size_t n_links = top->n_links < room / 2 ? top->n_links : room / 2;
    size_t n_nodes = top->n_nodes < room - n_links ? top->n_nodes : room - n_links;
    fputs(HOME, stdout);
    draw_head(top, span);
    printf(LINE_END "%-20s %-6s %9s %9s %9s" LINE_END, "node", "", "instr/s", "per own s", "instr");
    for (size_t i = 0; i < n_nodes; i++) {
        draw_node(top, i, span);
    }
    if (n_nodes < top->n_nodes) {
        printf("and %zu more" LINE_END, top->n_nodes - n_nodes);
    }
    if (n_links > 0) {
        printf(LINE_END "%-9s %-36s %9s %7s %9s %6s" LINE_END, "link", "ends", "msg/s", "load", "messages", "lost");
    }
    for (size_t i = 0; i < n_links; i++) {
        draw_link(top, i, span);
    }
    if (top->n_kept > 0) {
        printf(LINE_END "%.200s" LINE_END, top->kept[top->n_kept - 1].line);
    }
    fputs(SCREEN_END, stdout);
    fflush(stdout);
}

/* ---- Looks ---- */

void top_log(Top *top, OrrLogLevel level, const char *line) {
    if (!top || !leave_text) {
        print_log_line(NULL, level, line);
        return;
    }
    if (top->n_kept == top->kept_cap) {
        top->kept_cap = top->kept_cap ? top->kept_cap * 2 : 16;
        top->kept = realloc(top->kept, top->kept_cap * sizeof *top->kept);
    }
    char *copy = strdup(line);
    if (!top->kept || !copy) {
        abort();
    }
    top->kept[top->n_kept++] = (Kept){level, copy};
}

static void remember(Top *top, uint64_t host) {
    OrrLinkInfo info;
    for (size_t i = 0; i < top->n_nodes; i++) {
        top->nodes[i].count = orr_node_instructions(orr_world_node(top->world, i));
    }
    for (size_t i = 0; i < top->n_links && orr_world_link_info(top->world, i, &info); i++) {
        top->links[i] = (Seen){info.sent, info.busy_ns};
    }
    top->instructions = instructions_now(top);
    top->shown_ns = orr_world_time_ns(top->world);
    top->shown_host_ns = host;
}

static void picture(Top *top, uint64_t host) {
    Span span = {(double)(host - top->shown_host_ns) / 1e9,
                 (double)(orr_world_time_ns(top->world) - top->shown_ns) / 1e9,
                 instructions_now(top) - top->instructions};
    if (!top->terminal) {
        print_line(top, &span);
    } else if (leave_text) {
        draw(top, &span);
    }
    remember(top, host);
}

void top_look(Top *top) {
    uint64_t host = host_ns(), took = host - top->looked_host_ns;
    top->looked_host_ns = host;
    if (took < DRAW_NS / 8 && top->span_ns < SPAN_MAX_NS) {
        top->span_ns *= 2;
    } else if (took > DRAW_NS / 2 && top->span_ns > 1) {
        top->span_ns /= 2;
    }
    if (host - top->shown_host_ns >= (top->terminal ? DRAW_NS : PRINT_NS)) {
        picture(top, host);
    }
}

void top_close(Top *top) {
    if (!top) {
        return;
    }
    bool drawn = leave_text != NULL;
    top_abandon();
    if (drawn || !top->terminal) {
        top->terminal = false;
        picture(top, host_ns());
    }
    for (size_t i = 0; i < top->n_kept; i++) {
        print_log_line(NULL, top->kept[i].level, top->kept[i].line);
        free(top->kept[i].line);
    }
    free(top->kept);
    free(top->nodes);
    free(top->links);
    free(top);
}
