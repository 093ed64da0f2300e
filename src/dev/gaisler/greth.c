/* GRETH and GRETH_GBIT: Ethernet MAC with DMA. GRLIB IP Core User's Manual, "GRETH"; register bits as in RTEMS 6
 * (bsps/include/grlib/grethgbit-regs.h, made from Gaisler's manuals). The rest was compared with the RTL of the 10/100
 * core in GRLIB; that of GRETH_GBIT is not public.
 *
 * Descriptors of two words stand in areas of 1 KiB; the core takes them in turn until it finds one without EN, and
 * then clears TE or RE; the receiver looks at the next one before a frame comes. All bits of a descriptor but its
 * status are 0 when it comes back. A frame takes its time on the link (10, 100, 1000 Mbit/s by SP and GB) before its
 * descriptor is given back. Short frames are padded. Received ones with a wrong check sequence are stored, with CE and
 * RE. Address filter: own, broadcast, multicast by hash (ME), all (PM); control frames are dropped. MDIO reaches one
 * PHY (bus/mdio.h), its own or one that stands in the platform file, which may loop frames back; an operation takes 64
 * periods of 2.5 MHz. The output IRQ is pulsed, for descriptors only. GBIT: frames gathered from several descriptors
 * (MO). Not modelled: checksum offload, the debug link (EDCL), half duplex, PHY interrupts, the transmitter's FIFO. */
#include <string.h>

#include "bus/mdio.h"
#include "dev/gaisler/gaisler.h"

enum { CTRL_TE = 1, CTRL_RE = 2, CTRL_TI = 4, CTRL_RI = 8, CTRL_PM = 0x20, CTRL_RS = 0x40, CTRL_SP = 0x80,
       CTRL_GB = 0x100, CTRL_ME = 0x800, CTRL_BITS = 0x1FBF };
#define CTRL_MC (UINT32_C(1) << 25)
#define CTRL_GA (UINT32_C(1) << 27)
enum { STATUS_RE = 1, STATUS_TE = 2, STATUS_RI = 4, STATUS_TI = 8, STATUS_RA = 0x10, STATUS_TA = 0x20,
       STATUS_TS = 0x40, STATUS_IA = 0x80, STATUS_BITS = 0x1FF };
enum { BD_LEN = 0x7FF, BD_EN = 0x800, BD_WR = 0x1000, BD_IE = 0x2000, BD_TX_MO = 0x20000,
       BD_TX_CHECKSUMS = 0x1C0000, BD_RX_TOO_LONG = 0x8000, BD_RX_CRC = 0x10000 };
#define BD_RX_MC (UINT32_C(1) << 26)
enum { BD_BYTES = 8, BD_AREA = 0x400, RX_BUFFER = 1518, TX_MAX = 1514, TYPE_AT = 12, TYPE_CONTROL = 0x8808 };
enum { MDIO_WR = 1, MDIO_RD = 2, MDIO_LF = 4, MDIO_BUSY = 8, MDIO_NV = 0x10, MDIO_ABSENT = MDIO_LF | MDIO_NV,
       MDIO_NS = 64 * 400 };
enum { PHY_ID = 0x00221555 };

typedef struct Greth {
    Device dev;
    uint32_t phy_address;
    bool gigabit;
    EthPort port;
    EthPhy own;
    EthPhy *phy; /* its own, or one that the platform file attaches */
    Line irq;
    uint32_t ctrl, status, mac_high, mac_low, mdio, tx_bd, rx_bd, hash_high, hash_low;
    EthFrame tx; /* on its way out, or being gathered */
    uint32_t tx_word; /* first word of its last descriptor */
    uint8_t sending;
    Event sent, mdio_done;
} Greth;

static Greth *greth_of(Device *dev) {
    return (Greth *)dev;
}

/* `cause` is one of the two enables; a descriptor without IE keeps quiet. */
static void tell(Greth *g, uint32_t status, uint32_t enable, uint32_t bd_word) {
    g->status |= status;
    if ((g->ctrl & enable) && (bd_word & BD_IE)) {
        line_pulse(&g->irq);
    }
}

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

static bool word_read(Greth *g, uint32_t addr, uint32_t *word) {
    uint64_t value = 0;
    bool good = mem_read(&g->dev.board->map, addr, 4, true, &value);
    *word = (uint32_t)value;
    return good;
}

static bool word_write(Greth *g, uint32_t addr, uint32_t word) {
    return mem_write(&g->dev.board->map, addr, 4, true, word);
}

static bool bytes_read(Greth *g, uint32_t addr, uint8_t *out, unsigned len) {
    for (unsigned i = 0; i < len; i++) {
        uint64_t byte = 0;
        if (!mem_read(&g->dev.board->map, addr + i, 1, true, &byte)) {
            return false;
        }
        out[i] = (uint8_t)byte;
    }
    return true;
}

static bool bytes_write(Greth *g, uint32_t addr, const uint8_t *bytes, unsigned len) {
    for (unsigned i = 0; i < len; i++) {
        if (!mem_write(&g->dev.board->map, addr + i, 1, true, bytes[i])) {
            return false;
        }
    }
    return true;
}

static void bd_advance(uint32_t *pointer, uint32_t word) {
    uint32_t next = word & BD_WR ? 0 : (*pointer + BD_BYTES) % BD_AREA;
    *pointer = (*pointer & ~(uint32_t)(BD_AREA - 1)) | next;
}

/* ---- Transmitter ------------------------------------------------------------------------------------------------- */

static uint64_t bits_per_s(const Greth *g) {
    return g->gigabit && (g->ctrl & CTRL_GB) ? 1000000000 : g->ctrl & CTRL_SP ? 100000000 : 10000000;
}

static void transmit_stop(Greth *g, uint32_t status) {
    g->ctrl &= ~(uint32_t)CTRL_TE;
    g->tx.len = 0;
    g->status |= status;
}

/* Gives a descriptor back. */
static void transmit_done(Greth *g, uint32_t word) {
    g->tx.len = 0;
    word_write(g, g->tx_bd, 0);
    bd_advance(&g->tx_bd, word);
    tell(g, STATUS_TI, CTRL_TI, word);
}

/* The 10/100 core has no bytes within a word to begin with. */
static uint32_t buffer_at(const Greth *g, uint32_t addr) {
    return g->gigabit ? addr : addr & ~UINT32_C(3);
}

/* Takes descriptors until a frame is whole; it is on the wire then. */
static void transmit_next(Greth *g) {
    for (unsigned taken = 0; (g->ctrl & CTRL_TE) && !g->sending; taken++) {
        uint32_t word, addr;
        if (taken > BD_AREA / BD_BYTES) { /* descriptors that do not change: no memory */
            transmit_stop(g, STATUS_TA);
            return;
        }
        if (!word_read(g, g->tx_bd, &word) || !word_read(g, g->tx_bd + 4, &addr)) {
            transmit_stop(g, STATUS_TA);
            return;
        }
        unsigned len = word & BD_LEN;
        if (!(word & BD_EN)) {
            transmit_stop(g, 0);
            return;
        }
        if (word & BD_TX_CHECKSUMS && g->gigabit) {
            device_guest_log(&g->dev, GUEST_UNMODELLED, "descriptor", "checksum offload is not modelled");
        }
        if (len == 0 || g->tx.len + len > (g->gigabit ? ETH_FRAME_MAX : TX_MAX)) {
            transmit_done(g, word); /* such a frame is not sent */
            continue;
        }
        if (!bytes_read(g, buffer_at(g, addr), g->tx.bytes + g->tx.len, len)) {
            transmit_stop(g, STATUS_TA);
            return;
        }
        g->tx.len = (uint16_t)(g->tx.len + len);
        g->tx_word = word;
        if (g->gigabit && (word & BD_TX_MO)) {
            word_write(g, g->tx_bd, 0);
            bd_advance(&g->tx_bd, word);
            continue;
        }
        g->sending = 1;
        uint64_t end_ns = device_now_ns(&g->dev) + eth_frame_ns(g->tx.len, bits_per_s(g));
        device_event_at(&g->dev, &g->sent, end_ns);
    }
}

static void receive(Greth *g, const EthFrame *frame);

static void greth_sent(Event *event) {
    Greth *g = CONTAINER_OF(event, Greth, sent);
    if (g->tx.len < ETH_FRAME_MIN) {
        memset(g->tx.bytes + g->tx.len, 0, ETH_FRAME_MIN - g->tx.len);
        g->tx.len = ETH_FRAME_MIN;
    }
    if (phy_loops_back(g->phy)) {
        receive(g, &g->tx);
    } else {
        eth_port_sent(&g->port, &g->tx);
    }
    g->sending = 0;
    transmit_done(g, g->tx_word);
    transmit_next(g);
}

/* ---- Receiver ---------------------------------------------------------------------------------------------------- */

/* The lower 6 bits of the CRC as the standard draws it: the first bit that is sent is the uppermost. */
static unsigned hash_of(const uint8_t *address) {
    uint32_t sent = ~eth_fcs(address, ETH_ADDRESS);
    unsigned hash = 0;
    for (unsigned i = 0; i < 6; i++) {
        hash |= (sent >> (31 - i) & 1) << i;
    }
    return hash;
}

static bool is_own(const Greth *g, const uint8_t *address) {
    uint64_t own = (uint64_t)(g->mac_high & 0xFFFF) << 32 | g->mac_low, seen = 0;
    for (unsigned i = 0; i < ETH_ADDRESS; i++) {
        seen = seen << 8 | address[i];
    }
    return own == seen;
}

static bool in_hash(const Greth *g, const uint8_t *address) {
    unsigned hash = hash_of(address);
    return eth_is_group(address) && (g->ctrl & CTRL_ME) && bit(hash < 32 ? g->hash_low : g->hash_high, hash % 32);
}

static bool wanted(const Greth *g, const EthFrame *frame) {
    const uint8_t *address = frame->bytes;
    if (frame->len >= TYPE_AT + 2 && (frame->bytes[TYPE_AT] << 8 | frame->bytes[TYPE_AT + 1]) == TYPE_CONTROL) {
        return false;
    }
    return (g->ctrl & CTRL_PM) || eth_is_broadcast(address) || is_own(g, address) || in_hash(g, address);
}

static void receive_stop(Greth *g, uint32_t status) {
    g->ctrl &= ~(uint32_t)CTRL_RE;
    g->status |= status;
}

/* The next descriptor is taken, or the receiver stops. */
static bool receive_arm(Greth *g, uint32_t *word, uint32_t *addr) {
    if (!word_read(g, g->rx_bd, word) || !word_read(g, g->rx_bd + 4, addr)) {
        receive_stop(g, STATUS_RA);
    } else if (!(*word & BD_EN)) {
        receive_stop(g, 0);
    }
    return g->ctrl & CTRL_RE;
}

static void receive(Greth *g, const EthFrame *frame) {
    uint32_t word, addr;
    if (!(g->ctrl & CTRL_RE) || !receive_arm(g, &word, &addr)) {
        return;
    }
    if (!wanted(g, frame)) {
        g->status |= STATUS_IA;
        return;
    }
    bool too_long = frame->len > RX_BUFFER;
    unsigned len = too_long ? RX_BUFFER : frame->len;
    if (!bytes_write(g, buffer_at(g, addr), frame->bytes, len)) {
        receive_stop(g, STATUS_RA);
        return;
    }
    bool by_hash = in_hash(g, frame->bytes) && !eth_is_broadcast(frame->bytes);
    uint32_t status = (too_long ? BD_RX_TOO_LONG : 0) | (frame->damaged ? BD_RX_CRC : 0) | (by_hash ? BD_RX_MC : 0);
    word_write(g, g->rx_bd, len | status);
    bd_advance(&g->rx_bd, word);
    tell(g, too_long || frame->damaged ? STATUS_RE : STATUS_RI, CTRL_RI, word);
    receive_arm(g, &word, &addr);
}

static void greth_receive(Device *dev, const EthFrame *frame) {
    if (!phy_loops_back(greth_of(dev)->phy)) {
        receive(greth_of(dev), frame);
    }
}

/* ---- Registers --------------------------------------------------------------------------------------------------- */

static uint32_t ctrl_read(Device *dev, unsigned index) {
    (void)index;
    const Greth *g = greth_of(dev);
    return g->ctrl | CTRL_MC | (g->gigabit ? CTRL_GA : 0);
}

static void ctrl_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Greth *g = greth_of(dev);
    if (value & CTRL_RS) {
        device_reset(dev, false);
        return;
    }
    uint32_t word, addr;
    if (g->ctrl & CTRL_RE) {
        receive_arm(g, &word, &addr);
    }
    transmit_next(g);
}

static void mdio_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index;
    Greth *g = greth_of(dev);
    if (old & MDIO_BUSY) {
        g->mdio = old;
        device_guest_log(dev, GUEST_MISUSE, "MDIO", "write of 0x%08x while busy", (unsigned)value);
    } else if (value & (MDIO_RD | MDIO_WR)) {
        g->mdio |= MDIO_BUSY;
        device_event_at(dev, &g->mdio_done, device_now_ns(dev) + MDIO_NS);
    }
}

static void greth_mdio_done(Event *event) {
    Greth *g = CONTAINER_OF(event, Greth, mdio_done);
    unsigned reg = g->mdio >> 6 & 31;
    bool present = (g->mdio >> 11 & 31) == g->phy_address;
    if (g->mdio & MDIO_RD) {
        uint32_t data = present ? phy_read(g->phy, reg, eth_port_up(&g->port)) : 0xFFFF;
        g->mdio = (g->mdio & 0xFFFF & ~(uint32_t)MDIO_ABSENT) | data << 16 | (present ? 0 : MDIO_ABSENT);
    } else if (present) {
        phy_write(g->phy, reg, (uint16_t)(g->mdio >> 16));
    }
    g->mdio &= ~(uint32_t)(MDIO_BUSY | MDIO_RD | MDIO_WR);
}

static bool greth_init(Device *dev, Err *err) {
    Greth *g = greth_of(dev);
    g->port.receive = greth_receive;
    g->own.id = PHY_ID;
    g->phy = g->phy ? g->phy : &g->own;
    return g->phy_address < 32 || err_set(err, "%s: phyAddress must be below 32", dev->name);
}

static bool greth_attach(Device *dev, Device *child, uint64_t address, Err *err) {
    Greth *g = greth_of(dev);
    if (!device_phy(child) || g->phy || address > UINT32_MAX) {
        return err_set(err, "%s: expected one PHY at %s", child->name, dev->name);
    }
    g->phy = device_phy(child);
    g->phy_address = (uint32_t)address;
    return true;
}

static void greth_reset(Device *dev) {
    Greth *g = greth_of(dev);
    g->mdio = g->phy_address << 11;
}

static const Prop props[] = {
    PROP_U32(Greth, phy_address, "phyAddress", 0, "address of the PHY, if none is attached"),
    PROP_BOOL(Greth, gigabit, "gigabit", false, "GRETH_GBIT"),
};

static const Field fields[] = {
    PHY_FIELDS(Greth, own),
    FIELD_MAX(Greth, tx.len, 0, ETH_FRAME_MAX, "bytes of the frame to send"),
    FIELD_ARRAY(Greth, tx.bytes, 0, "that frame"),
    FIELD(Greth, tx_word, 0, "its descriptor"),
    FIELD_MAX(Greth, sending, 0, 1, "it is on the wire"),
};

static const Reg regs[] = {
    {.name = "CTRL", .offset = 0x00, .storage = offsetof(Greth, ctrl), .writable = CTRL_BITS, .reset = CTRL_SP,
     .read = ctrl_read, .write = ctrl_write},
    {.name = "STATUS", .offset = 0x04, .storage = offsetof(Greth, status), .clear_on_one = STATUS_BITS},
    {.name = "MACMSB", .offset = 0x08, .storage = offsetof(Greth, mac_high), .writable = 0xFFFF},
    {.name = "MACLSB", .offset = 0x0C, .storage = offsetof(Greth, mac_low), .writable = UINT32_MAX},
    {.name = "MDIO", .offset = 0x10, .storage = offsetof(Greth, mdio), .writable = 0xFFFFFFC3, .write = mdio_write},
    {.name = "TXDESC", .offset = 0x14, .storage = offsetof(Greth, tx_bd), .writable = 0xFFFFFFF8},
    {.name = "RXDESC", .offset = 0x18, .storage = offsetof(Greth, rx_bd), .writable = 0xFFFFFFF8},
    {.name = "EDCLIP", .offset = 0x1C, .unmodelled = true},
    {.name = "HASHMSB", .offset = 0x20, .storage = offsetof(Greth, hash_high), .writable = UINT32_MAX},
    {.name = "HASHLSB", .offset = 0x24, .storage = offsetof(Greth, hash_low), .writable = UINT32_MAX},
};

static const Output outputs[] = {{.name = "IRQ", .offset = offsetof(Greth, irq)}};
static const EventField events[] = {
    {.name = "sent", .offset = offsetof(Greth, sent), .fire = greth_sent},
    {.name = "mdio", .offset = offsetof(Greth, mdio_done), .fire = greth_mdio_done},
};
static const AmbaCore amba = {.vendor = AMBA_VENDOR_GAISLER, .device = 0x01D};
static const char *const repl_types[] = {"Network.GaislerEthernet", "Network.GaislerGRETH", "Network.GaislerEth",
                                         NULL};
static const char *const compatible[] = {"gaisler,greth", "gaisler,ethmac", NULL};

const DeviceType gaisler_greth_type = {
    .name = "grlib-greth",
    .summary = "GRLIB GRETH: Ethernet MAC with DMA",
    .repl_types = repl_types,
    .compatible = compatible,
    .struct_size = sizeof(Greth),
    DEVICE_TABLE(props, props),
    DEVICE_TABLE(fields, fields),
    DEVICE_TABLE(regs, regs),
    DEVICE_TABLE(outputs, outputs),
    DEVICE_TABLE(events, events),
    .eth_offset = offsetof(Greth, port),
    .window_size = GAISLER_APB_WINDOW,
    .init = greth_init,
    .reset = greth_reset,
    .attach = greth_attach,
    .amba = &amba,
};
