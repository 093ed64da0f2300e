/* Frames of CAN, Ethernet and I2C links as pcapng (draft-ietf-opsawg-pcapng), for Wireshark: one interface per link,
 * times in virtual nanoseconds. A packet's time is when the frame had passed; the comment says who sent it and when it
 * began. Hubs and switches of a platform file, within a board, are no links.
 *
 * Link types: LINKTYPE_ETHERNET (1), without preamble and check sequence; LINKTYPE_CAN_SOCKETCAN (227). An attempt that
 * an error frame ended is an error message as SocketCAN makes them (linux/can/error.h): bus error, protocol violation,
 * and no acknowledge if that was it; the comment has the frame. LINKTYPE_I2C_LINUX (209): number of the interface, four
 * bytes of flags, which are 0, address and data bytes. */
#include <string.h>

#include "api/api.h"
#include "api/capture.h"

enum { BLOCK_SECTION = 0x0a0d0d0a, BLOCK_INTERFACE = 1, BLOCK_PACKET = 6, BYTE_ORDER = 0x1a2b3c4d };
enum { OPTION_END = 0, OPTION_COMMENT = 1, SHB_USERAPPL = 4, IF_NAME = 2, IF_DESCRIPTION = 3, IF_TSRESOL = 9 };
enum { TSRESOL_NS = 9, SNAP_BYTES = 262144 };
enum { CAN_ERR_FLAG = 0x20, CAN_ERR_PROT = 0x08, CAN_ERR_ACK = 0x20, CAN_ERR_BUSERROR = 0x80 };
enum { CAN_ERR_PROT_LOC_ACK = 0x19, CAN_HEAD = 8 };

static const struct {
    const char *kind;
    uint16_t link_type;
} link_types[] = {{"ethernet", 1}, {"can", 227}, {"i2c", 209}};

typedef struct Interface {
    LinkTap tap;
    Link *link;
    CaptureTrack *track;
    uint32_t number;
} Interface;

typedef VEC(Interface *) Interfaces;

/* ---- Blocks: little-endian, lengths are patched when they end ---- */

static size_t block_begin(ByteVec *out, uint32_t type) {
    size_t begin = out->len;
    bytes_put_u32(out, type);
    bytes_put_u32(out, 0);
    return begin;
}

static void block_end(ByteVec *out, size_t begin) {
    uint32_t len = (uint32_t)(out->len - begin) + 4;
    bytes_put_u32(out, len);
    for (unsigned i = 0; i < 4; i++) {
        out->data[begin + 4 + i] = (uint8_t)(len >> 8 * i);
    }
}

static void put_u16(ByteVec *out, uint16_t value) {
    bytes_put_u8(out, (uint8_t)value);
    bytes_put_u8(out, (uint8_t)(value >> 8));
}

static void put_padded(ByteVec *out, const void *bytes, size_t len) {
    static const uint8_t zeros[4];
    bytes_put(out, bytes, len);
    bytes_put(out, zeros, (4 - len % 4) % 4);
}

static void put_option(ByteVec *out, uint16_t code, const void *bytes, size_t len) {
    put_u16(out, code);
    put_u16(out, (uint16_t)len);
    put_padded(out, bytes, len);
}

static void put_text_option(ByteVec *out, uint16_t code, const char *text) {
    put_option(out, code, text, strlen(text));
}

/* ---- Packets ---- */

/* "123#11223344", as candump writes it. */
static size_t can_text(char *out, size_t size, const uint8_t *frame, uint32_t len) {
    uint32_t id = (uint32_t)(frame[0] & 0x1f) << 24 | (uint32_t)frame[1] << 16 | (uint32_t)frame[2] << 8 | frame[3];
    bool extended = frame[0] & 0x80, remote = frame[0] & 0x40;
    size_t n = (size_t)snprintf(out, size, extended ? "%08X#%s" : "%03X#%s", (unsigned)id, remote ? "R" : "");
    for (uint32_t i = CAN_HEAD; i < len && n + 3 < size; i++) {
        n += (size_t)snprintf(out + n, size - n, "%02X", frame[i]);
    }
    return n;
}

static void put_comment(ByteVec *out, const Interface *interface, const LinkRecord *record) {
    const LinkEnd *from = interface->link->ends[record->from];
    char text[512];
    int n = snprintf(text, sizeof text, "from %.100s.%.100s since %llu.%09llu s", link_end_node(from),
                     link_end_port(from), (unsigned long long)(record->start_ns / 1000000000),
                     (unsigned long long)(record->start_ns % 1000000000));
    if (record->flags & LINK_RECORD_DROPPED) {
        n += snprintf(text + n, sizeof text - (size_t)n, ", dropped");
    }
    if (record->kind == LINK_RECORD_CAN && record->flags & LINK_RECORD_ERROR) {
        n += snprintf(text + n, sizeof text - (size_t)n, ", destroyed: ");
        can_text(text + n, sizeof text - (size_t)n, record->data, record->len);
    } else if (record->flags & LINK_RECORD_NACK) {
        snprintf(text + n, sizeof text - (size_t)n, ", not acknowledged");
    } else if (record->flags & LINK_RECORD_ERROR) {
        snprintf(text + n, sizeof text - (size_t)n, ", damaged");
    }
    put_text_option(out, OPTION_COMMENT, text);
}

/* What stands in place of a CAN frame that was destroyed. */
static void put_can_error(ByteVec *data, const LinkRecord *record) {
    uint8_t error[CAN_HEAD + 8] = {CAN_ERR_FLAG, 0, 0, CAN_ERR_PROT | CAN_ERR_BUSERROR, 8};
    if (record->flags & LINK_RECORD_NACK) {
        error[3] |= CAN_ERR_ACK;
        error[CAN_HEAD + 3] = CAN_ERR_PROT_LOC_ACK;
    }
    bytes_put(data, error, sizeof error);
}

static void put_data(ByteVec *data, const Interface *interface, const LinkRecord *record) {
    if (record->kind == LINK_RECORD_CAN && record->flags & LINK_RECORD_ERROR) {
        put_can_error(data, record);
        return;
    }
    if (record->kind == LINK_RECORD_I2C) {
        bytes_put_u8(data, interface->number & 0x7f); /* of the bus; the top bit would say that it is an event */
        bytes_put_u32(data, 0); /* flags of Linux's i2c_msg */
    }
    bytes_put(data, record->data, record->len);
}

static void put_packet(ByteVec *out, const Interface *interface, const LinkRecord *record) {
    ByteVec data = {0};
    put_data(&data, interface, record);
    size_t begin = block_begin(out, BLOCK_PACKET);
    bytes_put_u32(out, interface->number);
    bytes_put_u32(out, (uint32_t)(record->end_ns >> 32));
    bytes_put_u32(out, (uint32_t)record->end_ns);
    bytes_put_u32(out, (uint32_t)data.len);
    bytes_put_u32(out, (uint32_t)data.len);
    put_padded(out, data.data, data.len);
    put_comment(out, interface, record);
    put_u16(out, OPTION_END);
    put_u16(out, 0);
    block_end(out, begin);
    vec_free(&data);
}

static void on_record(void *user, const Link *link, const LinkRecord *record) {
    const Interface *interface = user;
    ByteVec block = {0};
    (void)link;
    put_packet(&block, interface, record);
    capture_put(interface->track, record->end_ns, 0, block.data, block.len);
    vec_free(&block);
}

/* ---- The file ---- */

static void put_section(ByteVec *out) {
    size_t begin = block_begin(out, BLOCK_SECTION);
    bytes_put_u32(out, BYTE_ORDER);
    put_u16(out, 1); /* version 1.0 */
    put_u16(out, 0);
    bytes_put_u64(out, UINT64_MAX); /* length: not told */
    put_text_option(out, SHB_USERAPPL, "Orrery " ORR_VERSION);
    put_u16(out, OPTION_END);
    put_u16(out, 0);
    block_end(out, begin);
}

static void put_interface(ByteVec *out, const Interface *interface, uint16_t link_type) {
    const Link *link = interface->link;
    const uint8_t resolution = TSRESOL_NS;
    char text[1024];
    size_t begin = block_begin(out, BLOCK_INTERFACE), n = 0;
    put_u16(out, link_type);
    put_u16(out, 0);
    bytes_put_u32(out, SNAP_BYTES);
    snprintf(text, sizeof text, "%s%u", link->options.type->name, (unsigned)interface->number);
    put_text_option(out, IF_NAME, text);
    text[0] = '\0';
    for (unsigned i = 0; i < link->n_ends && n + 220 < sizeof text; i++) {
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%.100s.%.100s", i ? " " : "", link_end_node(link->ends[i]),
                              link_end_port(link->ends[i]));
    }
    put_text_option(out, IF_DESCRIPTION, text);
    put_option(out, IF_TSRESOL, &resolution, 1);
    put_u16(out, OPTION_END);
    put_u16(out, 0);
    block_end(out, begin);
}

/* 0: frames of such links have no place in the file. */
static uint16_t link_type_of(const Link *link) {
    for (size_t i = 0; i < ARRAY_LEN(link_types); i++) {
        if (strcmp(link->options.type->name, link_types[i].kind) == 0) {
            return link_types[i].link_type;
        }
    }
    return 0;
}

static void add_link(Capture *c, ByteVec *out, Link *link) {
    Interfaces *interfaces = c->state;
    Interface *interface = ARENA_NEW(&c->arena, Interface);
    interface->link = link;
    interface->number = (uint32_t)interfaces->len;
    interface->track = capture_track(c, interface);
    interface->tap = (LinkTap){.record = on_record, .user = interface};
    vec_push(interfaces, interface);
    put_interface(out, interface, link_type_of(link));
    link_tap_add(link, &interface->tap);
}

static bool pcapng_open(Capture *c, Err *err) {
    ByteVec out = {0};
    c->state = ARENA_NEW(&c->arena, Interfaces);
    put_section(&out);
    for (size_t i = 0; i < c->world->sim.links.len; i++) {
        if (link_type_of(c->world->sim.links.data[i])) {
            add_link(c, &out, c->world->sim.links.data[i]);
        }
    }
    capture_bytes(c, out.data, out.len);
    vec_free(&out);
    return ((const Interfaces *)c->state)->len > 0 ||
           err_set(err, "%.300s: the world has no can, ethernet or i2c link (what a board has among its own devices is "
                   "captured if a link of a world file joins them)", c->path);
}

static uint64_t pcapng_horizon(const Capture *c, uint64_t node_ns, uint64_t link_ns) {
    (void)c;
    return node_ns < link_ns ? node_ns : link_ns;
}

static void pcapng_write(Capture *c, const CaptureTrack *track, const CaptureItem *item, const uint8_t *bytes) {
    (void)track;
    capture_bytes(c, bytes, item->len);
}

static void pcapng_end(Capture *c, uint64_t time_ns) {
    Interfaces *interfaces = c->state;
    (void)time_ns;
    for (size_t i = 0; i < interfaces->len; i++) {
        link_tap_remove(interfaces->data[i]->link, &interfaces->data[i]->tap);
    }
    vec_free(interfaces);
}

const CaptureType capture_pcapng = {
    .suffix = ".pcapng",
    .open = pcapng_open,
    .horizon = pcapng_horizon,
    .write = pcapng_write,
    .end = pcapng_end,
};
