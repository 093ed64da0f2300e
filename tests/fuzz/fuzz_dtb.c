/* Fuzzes device trees: bit 0 of the first byte asks for stubs, the rest is the blob. What was built with the device
 * types of this program must be the same the second time, and keep its windows apart; what was refused must name the
 * file. Blobs that libfdt's own check refuses end there: the seeds are whole, and most mutations of values are, too. */
#include <stdlib.h>
#include <string.h>

#include "bus/device_types.h"
#include "sim/machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool held) {
    if (!held) {
        abort(); /* not assert: the fuzzer must stop in every build */
    }
}

static void text_hash(Hash *hash, const char *text) {
    hash_bytes(hash, text, strlen(text));
}

static void value_hash(Hash *hash, const ReplValue *value) {
    if (value) {
        hash_u64(hash, value->kind);
        hash_u64(hash, value->number);
        hash_u64(hash, value->size);
        text_hash(hash, value->text ? value->text : "");
    }
}

static void entry_hash(Hash *hash, const ReplEntry *entry) {
    require(entry->name[0] && entry->pos.file && (entry->type || strcmp(entry->name, "sysbus") == 0));
    text_hash(hash, entry->name);
    for (const ReplReg *reg = entry->regs; reg; reg = reg->next) {
        text_hash(hash, reg->parent);
        value_hash(hash, reg->value);
    }
    for (const ReplAttr *attr = entry->attrs; attr; attr = attr->next) {
        text_hash(hash, attr->name ? attr->name : "");
        value_hash(hash, attr->value);
        for (const ReplIrqDest *dest = attr->dests; dest; dest = dest->next) {
            text_hash(hash, dest->device);
            hash_u64(hash, dest->ends->first);
        }
    }
}

/* Of the platform file that the tree amounts to, or of the message. The blob is copied, so that reads beyond it are
 * found, and is gone before the tree is read. */
static uint64_t run(const uint8_t *data, size_t size, bool stub) {
    Arena tree = {0};
    Err err = {0};
    Log log = {.level = LOG_ERROR};
    MachineOptions options = {device_types, device_types_count, stub};
    uint8_t *blob = malloc(size ? size : 1);
    memcpy(blob, data, size);
    const ReplFile *file = machine_dtb(&tree, "fuzz.dtb", blob, size, &options, &log, &err);
    free(blob);
    Hash *hash = hash_new();
    for (const ReplEntry *entry = file ? file->entries : NULL; entry; entry = entry->next) {
        entry_hash(hash, entry);
    }
    require(file || strncmp(err.text, "fuzz.dtb:", 9) == 0);
    text_hash(hash, err.text);
    uint64_t value = hash_value(hash);
    hash_free(hash);
    arena_free(&tree);
    return value;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > 0) {
        require(run(data + 1, size - 1, data[0] & 1) == run(data + 1, size - 1, data[0] & 1));
    }
    return 0;
}
