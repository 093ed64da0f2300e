/* Timed input: one line each, `TIME PORT "text"` for serial ports, `TIME DEVICE press|release` for buttons and other
 * devices with an input. `#` begins a comment. In texts: \n \r \t \\ \" \xHH. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "front/front.h"

enum { LINE_BYTES = 4096 };

typedef struct Line {
    OrrNode *node;
    const char *path;
    unsigned number;
    const char *start, *at;
    OrrError *error;
} Line;

static bool fail(Line *l, const char *expected) {
    snprintf(l->error->text, sizeof l->error->text, "%s:%u:%u: expected %s", l->path, l->number,
             (unsigned)(l->at - l->start) + 1, expected);
    return false;
}

static bool word(Line *l, char *out, size_t size) {
    size_t n = 0;
    while (*l->at == ' ' || *l->at == '\t') {
        l->at++;
    }
    while (*l->at && !isspace((unsigned char)*l->at) && n + 1 < size) {
        out[n++] = *l->at++;
    }
    out[n] = '\0';
    return n > 0;
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

static bool text_input(Line *l, const char *target, uint64_t time_ns) {
    char bytes[LINE_BYTES];
    size_t len;
    const char *start = l->at;
    if (!quoted(l, bytes, &len)) {
        return false;
    }
    if (!orr_node_uart_input(l->node, target, time_ns, bytes, len)) {
        l->at = start;
        return fail(l, "a serial port before a text");
    }
    return true;
}

static bool level_input(Line *l, const char *target, uint64_t time_ns) {
    char action[16];
    const char *start = l->at;
    if (!word(l, action, sizeof action) || (strcmp(action, "press") && strcmp(action, "release"))) {
        l->at = start;
        return fail(l, "\"text\", press or release");
    }
    if (!orr_node_signal_drive(l->node, target, 0, time_ns, strcmp(action, "press") == 0)) {
        l->at = start;
        return fail(l, "a device with an input before press or release");
    }
    return true;
}

static bool input_line(Line *l) {
    char time[32], target[64];
    uint64_t time_ns;
    if (at_end(l)) {
        return true;
    }
    const char *start = l->at;
    if (!word(l, time, sizeof time) || !time_parse(time, &time_ns)) {
        l->at = start;
        return fail(l, "a time such as 1.5s");
    }
    if (time_ns < orr_node_time_ns(l->node)) {
        l->at = start;
        return fail(l, "a time that is not over: the machine's state was saved later");
    }
    if (!word(l, target, sizeof target)) {
        return fail(l, "a serial port or a button");
    }
    while (*l->at == ' ' || *l->at == '\t') {
        l->at++;
    }
    if (!(*l->at == '"' ? text_input(l, target, time_ns) : level_input(l, target, time_ns))) {
        return false;
    }
    return at_end(l) || fail(l, "the end of the line");
}

bool input_file_load(OrrNode *node, const char *path, OrrError *error) {
    FILE *f = fopen(path, "r");
    if (!f) {
        snprintf(error->text, sizeof error->text, "%s: %s", path, strerror(errno));
        return false;
    }
    char text[LINE_BYTES];
    bool ok = true;
    for (unsigned number = 1; ok && fgets(text, sizeof text, f); number++) {
        Line line = {node, path, number, text, text, error};
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
