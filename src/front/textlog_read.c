/* Reading text logs: what is in them may be anything. */
#include <stdlib.h>
#include <string.h>

#include "front/textlog.h"

bool textlog_fail(const LogReader *r, const char *expected) {
    snprintf(r->error->text, sizeof r->error->text, "%.200s:%u:%u: expected %s", r->head->name, r->number,
             (unsigned)(r->at - r->line) + 1, expected);
    return false;
}

bool textlog_word(LogReader *r, const char *word) {
    size_t len = strlen(word);
    if (strncmp(r->at, word, len) != 0 || (r->at[len] != ' ' && r->at[len] != '\0')) {
        return false;
    }
    r->at += len + (r->at[len] == ' ');
    return true;
}

static int hex_digit(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool textlog_decimal(LogReader *r, uint64_t *value) {
    const char *begin = r->at;
    *value = 0;
    for (; *r->at >= '0' && *r->at <= '9'; r->at++) {
        unsigned digit = (unsigned)(*r->at - '0');
        if (*value > (UINT64_MAX - digit) / 10) {
            return textlog_fail(r, "a number below 2^64");
        }
        *value = *value * 10 + digit;
    }
    return r->at > begin || textlog_fail(r, "a number");
}

bool textlog_hash(LogReader *r, uint64_t *value) {
    *value = 0;
    for (int i = 0; i < 16; i++, r->at++) {
        int digit = hex_digit(*r->at);
        if (digit < 0) {
            return textlog_fail(r, "16 hexadecimal digits (0-9, a-f)");
        }
        *value = *value << 4 | (unsigned)digit;
    }
    return true;
}

bool textlog_space(LogReader *r) {
    return *r->at == ' ' ? (r->at++, true) : textlog_fail(r, "a space");
}

bool textlog_end(LogReader *r) {
    return *r->at == '\0' || textlog_fail(r, "the end of the line");
}

/* Up to `stop` or the end of the line, in place: it only gets shorter. */
static bool unescape(LogReader *r, char stop, bool may_be_nul, char **out, size_t *len) {
    char *to = *out = r->at;
    for (; *r->at && *r->at != stop; r->at++) {
        int high, low;
        if (*r->at != '\\') {
            *to++ = *r->at;
            continue;
        }
        if (r->at[1] != 'x' || (high = hex_digit(r->at[2])) < 0 || (low = hex_digit(r->at[3])) < 0 ||
            (high + low == 0 && !may_be_nul)) {
            return textlog_fail(r, may_be_nul ? "\\x and two hexadecimal digits"
                                          : "\\x and two hexadecimal digits, not 00");
        }
        *to++ = (char)(high << 4 | low);
        r->at += 3;
    }
    *len = (size_t)(to - *out);
    return true;
}

bool textlog_text(LogReader *r, char **out) {
    size_t len;
    bool taken = unescape(r, '\0', false, out, &len);
    if (taken) {
        (*out)[len] = '\0';
    }
    return taken;
}

bool textlog_bytes(LogReader *r, char **out, size_t *len) {
    return unescape(r, '\0', true, out, len);
}

bool textlog_name(LogReader *r, char **out) {
    size_t len;
    if (*r->at == ' ' || *r->at == '\0') {
        return textlog_fail(r, "a name");
    }
    if (!unescape(r, ' ', false, out, &len)) {
        return false;
    }
    r->at += *r->at == ' ';
    (*out)[len] = '\0';
    return true;
}

bool textlog_head_line(LogReader *r, const char *last) {
    LogHead *head = r->head;
    if (textlog_word(r, "version")) {
        return textlog_text(r, &head->version);
    }
    if (textlog_word(r, "argument")) {
        return head->n_arguments < LOG_ARGUMENTS_MAX ? textlog_text(r, &head->arguments[head->n_arguments++])
                                                     : textlog_fail(r, "at most 256 arguments");
    }
    if (textlog_word(r, "file")) {
        LogFile *file = &head->files[head->n_files];
        if (head->n_files == LOG_FILES_MAX) {
            return textlog_fail(r, "at most 1024 files");
        }
        head->n_files++;
        return textlog_hash(r, &file->sum) && textlog_space(r) && textlog_text(r, &file->path);
    }
    char expected[64];
    snprintf(expected, sizeof expected, "version, argument, file or %s", last);
    return textlog_fail(r, expected);
}

bool textlog_open(LogReader *r, LogHead *head, const char *name, const char *text, size_t len, OrrError *error) {
    *head = (LogHead){.name = name, .text = malloc(len + 1)};
    *r = (LogReader){.head = head, .at = head->text, .line = head->text, .next = head->text, .error = error};
    if (!head->text) {
        snprintf(error->text, sizeof error->text, "%.200s: the host has no memory for it", name);
        return false;
    }
    memcpy(head->text, text, len);
    head->text[len] = '\0';
    r->end = head->text + len;
    return true;
}

bool textlog_line(LogReader *r, bool *failed) {
    r->line = r->at = r->next;
    r->number++;
    if (r->at >= r->end) {
        return false;
    }
    char *newline = memchr(r->at, '\n', (size_t)(r->end - r->at));
    char *line_end = newline ? newline : r->end;
    r->next = newline ? newline + 1 : r->end;
    *line_end = '\0';
    if (strlen(r->line) != (size_t)(line_end - r->line)) {
        r->at = r->line + strlen(r->line);
        *failed = true;
        return textlog_fail(r, "a text without zero bytes");
    }
    return true;
}
