/* Timed input: one line each, `TIME PORT "text"` for serial ports, `TIME DEVICE press|release` for buttons and other
 * devices with an input, `TIME power off|on`, `TIME reset`; in worlds with the node before it: `1s a.uart0 "x"`.
 * `#` begins a comment. In texts: \n \r \t \\ \" \xHH. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "front/front.h"

enum { LINE_BYTES = 4096 };

typedef struct Line {
    OrrWorld *world;
    OrrNode *node; /* that it is for */
    const char *path;
    unsigned number;
    const char *start, *at;
    OrrError *error;
} Line;

typedef struct Word {
    char text[64];
    const char *start;
} Word;

static bool fail(Line *l, const char *expected) {
    snprintf(l->error->text, sizeof l->error->text, "%s:%u:%u: expected %s", l->path, l->number,
             (unsigned)(l->at - l->start) + 1, expected);
    return false;
}

/* The mistake is at what has been read already. */
static bool fail_at(Line *l, const char *start, const char *expected) {
    l->at = start;
    return fail(l, expected);
}

static void skip_blanks(Line *l) {
    while (*l->at == ' ' || *l->at == '\t') {
        l->at++;
    }
}

/* False if there is none, or none so long. */
static bool word(Line *l, Word *out) {
    skip_blanks(l);
    out->start = l->at;
    while (*l->at && !isspace((unsigned char)*l->at)) {
        l->at++;
    }
    size_t len = (size_t)(l->at - out->start);
    if (len == 0 || len >= sizeof out->text) {
        return false;
    }
    memcpy(out->text, out->start, len);
    out->text[len] = '\0';
    return true;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool escape(Line *l, char *out) {
    static const char from[] = "nrt\\\"0", to[] = "\n\r\t\\\"";
    const char *known = strchr(from, *l->at);
    if (*l->at && known) {
        *out = to[known - from];
    } else if (*l->at == 'x' && hex_digit(l->at[1]) >= 0 && hex_digit(l->at[2]) >= 0) {
        *out = (char)(hex_digit(l->at[1]) * 16 + hex_digit(l->at[2]));
        l->at += 2;
    } else {
        return fail(l, "an escape: \\n \\r \\t \\0 \\\\ \\\" or \\xHH");
    }
    l->at++;
    return true;
}

static bool quoted(Line *l, char *out, size_t *len) {
    *len = 0;
    for (l->at++; *l->at != '"'; (*len)++) {
        if (*l->at == '\0' || *l->at == '\n') {
            return fail(l, "a closing quote");
        }
        if (*l->at == '\\') {
            l->at++;
            if (!escape(l, &out[*len])) {
                return false;
            }
        } else {
            out[*len] = *l->at++;
        }
    }
    l->at++;
    return true;
}

static bool at_end(Line *l) {
    while (isspace((unsigned char)*l->at)) {
        l->at++;
    }
    return *l->at == '\0' || *l->at == '#';
}

static bool text_input(Line *l, const Word *target, uint64_t time_ns) {
    char bytes[LINE_BYTES];
    size_t len;
    if (!quoted(l, bytes, &len)) {
        return false;
    }
    return orr_node_uart_input(l->node, target->text, time_ns, bytes, len) ||
           fail_at(l, target->start, "a serial port before a text");
}

static bool level_input(Line *l, const Word *target, uint64_t time_ns) {
    Word action;
    if (!word(l, &action) || (strcmp(action.text, "press") && strcmp(action.text, "release"))) {
        return fail_at(l, action.start, "\"text\", press or release");
    }
    return orr_node_signal_drive(l->node, target->text, 0, time_ns, strcmp(action.text, "press") == 0) ||
           fail_at(l, target->start, "a device with an input before press or release");
}

static bool power_input(Line *l, uint64_t time_ns) {
    Word action;
    if (!word(l, &action) || (strcmp(action.text, "off") && strcmp(action.text, "on"))) {
        return fail_at(l, action.start, "off or on");
    }
    orr_node_power(l->node, time_ns, strcmp(action.text, "on") == 0);
    return true;
}

static bool target_input(Line *l, const Word *target, uint64_t time_ns) {
    skip_blanks(l);
    if (*l->at == '"') {
        return text_input(l, target, time_ns);
    }
    if (strcmp(target->text, "power") == 0) {
        return power_input(l, time_ns);
    }
    if (strcmp(target->text, "reset") == 0 && at_end(l)) {
        orr_node_reset(l->node, time_ns);
        return true;
    }
    return level_input(l, target, time_ns);
}

/* Takes the node's name off the target. */
static bool find_node(Line *l, Word *target) {
    const char *dot = strchr(target->text, '.');
    OrrNode *node;
    for (size_t i = 0; dot && (node = orr_world_node(l->world, i)) != NULL; i++) {
        const char *name = orr_node_name(node);
        size_t len = (size_t)(dot - target->text);
        if (strlen(name) == len && memcmp(name, target->text, len) == 0) {
            l->node = node;
            memmove(target->text, dot + 1, strlen(dot));
            return true;
        }
    }
    return fail_at(l, target->start, "a node and what is in it, such as a.uart0");
}

static bool input_line(Line *l) {
    Word time, target;
    uint64_t time_ns;
    if (at_end(l)) {
        return true;
    }
    if (!word(l, &time) || !time_parse(time.text, &time_ns)) {
        return fail_at(l, time.start, "a time such as 1.5s");
    }
    if (l->node && time_ns < orr_node_time_ns(l->node)) {
        return fail_at(l, time.start, "a time that is not over: the machine's state was saved later");
    }
    if (!word(l, &target)) {
        return fail_at(l, target.start, "a serial port, a button, power or reset");
    }
    if (!l->node && !find_node(l, &target)) {
        return false;
    }
    if (!target_input(l, &target, time_ns)) {
        return false;
    }
    return at_end(l) || fail(l, "the end of the line");
}

bool input_file_load(OrrWorld *world, OrrNode *only, const char *path, OrrError *error) {
    FILE *f = fopen(path, "r");
    if (!f) {
        snprintf(error->text, sizeof error->text, "%s: %s", path, strerror(errno));
        return false;
    }
    char text[LINE_BYTES];
    bool ok = true;
    for (unsigned number = 1; ok && fgets(text, sizeof text, f); number++) {
        Line line = {world, only, path, number, text, text, error};
        if (!strchr(text, '\n') && !feof(f)) {
            line.at += strlen(text);
            ok = fail(&line, "a line of less than 4096 bytes");
        } else {
            ok = input_line(&line);
        }
    }
    fclose(f);
    return ok;
}
