#include "api/match.h"

#include <string.h>

static void borders(Match *m) {
    for (size_t i = 1, k = 0; i < m->len; i++) {
        while (k > 0 && m->text[i] != m->text[k]) {
            k = m->border[k - 1];
        }
        k += m->text[i] == m->text[k];
        m->border[i] = (uint32_t)k;
    }
}

bool match_open(Match *m, Arena *arena, const char *text, const char *regex, Err *err) {
    *m = (Match){.is_regex = regex != NULL};
    const char *wanted = regex ? regex : text;
    size_t len = wanted ? strlen(wanted) : 0;
    if (len == 0 || len > MATCH_TEXT_BYTES_MAX) {
        return err_set(err, "expected a text of 1 to %d bytes", MATCH_TEXT_BYTES_MAX);
    }
    if (!regex) {
        m->len = len;
        m->text = arena_strdup(arena, text);
        m->border = ARENA_ARRAY(arena, uint32_t, len);
        borders(m);
        return true;
    }
    int code = regcomp(&m->regex, regex, REG_EXTENDED | REG_NOSUB);
    if (code != 0) {
        char reason[128];
        regerror(code, &m->regex, reason, sizeof reason);
        m->is_regex = false;
        return err_set(err, "'%.200s' is no regular expression: %s", regex, reason);
    }
    m->line = arena_alloc(arena, MATCH_LINE_BYTES + 1);
    return true;
}

void match_close(Match *m) {
    if (m->is_regex) {
        regfree(&m->regex);
        m->is_regex = false;
    }
}

static bool text_byte(Match *m, char byte) {
    while (m->have > 0 && (m->have == m->len || m->text[m->have] != byte)) {
        m->have = m->border[m->have - 1];
    }
    m->have += m->text[m->have] == byte;
    return m->have == m->len;
}

static bool line_matches(Match *m, int flags) {
    m->line[m->line_len] = '\0';
    return regexec(&m->regex, m->line, 0, NULL, flags) == 0;
}

static bool regex_byte(Match *m, char byte) {
    if (byte == '\n') {
        m->line_len -= m->line_len > 0 && m->line[m->line_len - 1] == '\r';
        bool matches = line_matches(m, 0);
        m->line_len = 0;
        return matches;
    }
    if (byte == '\0') {
        return false;
    }
    if (m->line_len == MATCH_LINE_BYTES) {
        memmove(m->line, m->line + 1, --m->line_len);
    }
    m->line[m->line_len++] = byte;
    return line_matches(m, REG_NOTEOL); /* the line may go on */
}

bool match_byte(Match *m, uint8_t byte) {
    return m->is_regex ? regex_byte(m, (char)byte) : text_byte(m, (char)byte);
}
