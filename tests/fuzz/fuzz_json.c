/* Fuzz target: requests of the control interface (front/json.h). Texts stay within the line and the storage; what was
 * parsed is found again under its name. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "front/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char mistake[64] = "";
    char *line = malloc(size + 1), *storage = malloc(size + 1); /* exact sizes: the sanitizer sees each step beyond */
    uint8_t *bytes = malloc(size + 1);
    JsonObject object;
    memcpy(line, data, size);
    if (!json_parse(&object, line, size, storage, mistake, sizeof mistake)) {
        assert(strstr(mistake, ": expected "));
    }
    for (size_t i = 0; i < object.n && !mistake[0]; i++) {
        const JsonMember *m = &object.members[i];
        size_t len;
        assert(json_member(&object, m->name) == m);
        assert(m->source >= line && m->source + m->source_len <= line + size && m->source_len > 0);
        if (m->kind == JSON_TEXT) {
            assert(m->text[m->text_len] == '\0' && m->text_len + 2 <= m->source_len);
            assert(!json_bytes(m, bytes, &len) || len <= m->text_len);
        }
    }
    free(bytes);
    free(storage);
    free(line);
    return 0;
}
