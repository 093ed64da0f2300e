/* SMSC LAN9118 and LAN9220: Ethernet controller on a memory bus. LAN9118 data sheet (SMSC, rev. 1.5), chapters 3 and 5;
 * LAN9220 differs by its ID here.
 *
 * Frames go through FIFOs: to send, two command words and the data; received ones as a status word and data with the
 * check sequence. A frame takes its time on the link before its status comes. Interrupts: TX_IOC, TSFL, RSFL, RXDFL,
 * TXSO, GPT, SW. The IRQ output is the asserted state, whatever IRQ_CFG's POL and TYPE make of the pin: boards undo its
 * polarity (Arm's driver for MPS2 leaves the pin low active, Zephyr's makes it high active; idle is no request for
 * either). Timers: GPT in steps of 100 us, FREE_RUN of 25 MHz. Address filter: own, broadcast, multicast, hash,
 * inverse, all. The PHY has address 1 (bus/mdio.h).
 * Not modelled: the EEPROM (none is connected: commands end with a time-out), 16-bit bus mode, interrupt deassertion
 * interval, flow control, wake-up, checksum offload, GPIO, PHY interrupts, the split of TX and RX FIFO by TX_FIF_SZ. */
#include <string.h>

#include "bus/device.h"
#include "bus/mdio.h"
#include "sim/clock.h"

enum { RX_WORDS = 2640, RX_FRAMES = 176, TX_STATUS = 128, TX_BYTES = 4608, TX_WORDS = TX_BYTES / 4 };
enum { PHY_ADDRESS = 1, PHY_ID = 0x0007C0D1 };
enum { INT_TSFL = 1 << 7, INT_RSFF = 1 << 4, INT_RSFL = 1 << 3, INT_TDFA = 1 << 9, INT_TXE = 1 << 13,
       INT_RXE = 1 << 14, INT_TXSO = 1 << 16, INT_GPT = 1 << 19, INT_TX_IOC = 1 << 21, INT_RXDF = 1 << 6 };
#define INT_SW (UINT32_C(1) << 31)
enum { IRQ_ACTIVE = 0x1000, IRQ_EN = 0x100 };
enum { TX_ON = 2, TX_STOP = 1, TXS_DUMP = 0x8000, TXD_DUMP = 0x4000, RX_DUMP = 0x8000 };
enum { HW_SRST = 1, HW_RESET = 0x00050004, PMT_READY = 1, PMT_PHY_RST = 0x400, GPT_RELOAD = 0xFFFF };
#define GPT_EN (UINT32_C(1) << 29)
#define BUSY (UINT32_C(1) << 31)
enum { MAC_CR = 1, MAC_ADDRH, MAC_ADDRL, MAC_HASHH, MAC_HASHL, MAC_MII_ACC, MAC_MII_DATA, MAC_REGS = 13 };
enum { CR_RXEN = 4, CR_TXEN = 8, CR_BCAST = 0x800, CR_HPFILT = 0x2000, CR_HO = 0x8000, CR_INVFILT = 0x20000,
       CR_PRMS = 0x40000, CR_MCPAS = 0x80000 };
enum { CMD_FIRST = 1 << 13, CMD_LAST = 1 << 12, CMD_SIZE = 0x7FF, MII_WRITE = 2, E2P_TIMEOUT = 0x200 };
enum { STATUS_BROADCAST = 1 << 13, STATUS_MULTICAST = 1 << 10, STATUS_ETHERNET = 1 << 5, STATUS_CRC = 1 << 1,
       STATUS_ERROR = 1 << 15, FCS_BYTES = 4 };
enum { TX_COMMAND_A, TX_COMMAND_B, TX_DATA };
#define GPT_STEP_NS UINT64_C(100000)
#define MBIT_100 UINT64_C(100000000)

/* Where the content of a FIFO lies in its array. */
typedef struct Ring {
    uint32_t head, len;
} Ring;

/* Index of the place behind the last. */
static uint32_t ring_put(Ring *ring, uint32_t size) {
    return (ring->head + ring->len++) % size;
}

/* Index of the first, which leaves. */
static uint32_t ring_take(Ring *ring, uint32_t size) {
    uint32_t at = ring->head;
    ring->head = (at + 1) % size;
    ring->len--;
    return at;
}

typedef struct Lan9118 {
    Device dev;
    EthPort port;
    EthPhy phy;
    Line irq;
    Event sent, gpt;
    uint32_t id; /* property */
    uint32_t irq_cfg, int_sts, int_en, fifo_int, rx_cfg, tx_cfg, hw_cfg, gpt_cfg, word_swap, mac_cmd, mac_data;
    uint32_t afc_cfg, gpio_cfg, mac[MAC_REGS];
    uint32_t rx_data[RX_WORDS], rx_status[RX_FRAMES], tx_status[TX_STATUS];
    uint16_t rx_frame_words[RX_FRAMES]; /* of each frame in the data FIFO, that are still to be read */
    uint32_t tx_fifo[TX_WORDS];
    Ring rx_ring, rx_status_ring, frame_ring, tx_status_ring, tx_ring;
    uint32_t dropped;
    uint8_t tx_state, sending;
    uint32_t command_a, command_b, tx_words, tx_skip, tx_left;
    EthFrame tx;
} Lan9118;

static Lan9118 *lan_of(Device *dev) {
    return (Lan9118 *)dev;
}

static void irq_update(Lan9118 *l) {
    bool active = (l->int_sts & l->int_en) != 0;
    l->irq_cfg = active ? l->irq_cfg | IRQ_ACTIVE : l->irq_cfg & ~(uint32_t)IRQ_ACTIVE;
    line_set(&l->irq, active && (l->irq_cfg & IRQ_EN));
}

static void interrupt(Lan9118 *l, uint32_t which) {
    l->int_sts |= which;
    irq_update(l);
}

/* ---- Sending ----------------------------------------------------------------------------------------------------- */

static void tx_abandon(Lan9118 *l) {
    l->tx_state = TX_COMMAND_A;
    l->tx.len = 0;
    interrupt(l, INT_TXE);
}

static void frame_go(Lan9118 *l) {
    if (!(l->tx_cfg & TX_ON) || !(l->mac[MAC_CR] & CR_TXEN)) {
        device_guest_log(&l->dev, GUEST_MISUSE, "TX_DATA_FIFO", "a frame is lost: the transmitter is off");
        tx_abandon(l);
        return;
    }
    if (l->tx.len < ETH_FRAME_MIN) {
        memset(l->tx.bytes + l->tx.len, 0, ETH_FRAME_MIN - l->tx.len);
        l->tx.len = ETH_FRAME_MIN;
    }
    l->sending = 1;
    device_event_at(&l->dev, &l->sent, device_now_ns(&l->dev) + eth_frame_ns(l->tx.len, MBIT_100));
}

static void tx_drain(Lan9118 *l);

static void lan_sent(Event *event) {
    Lan9118 *l = CONTAINER_OF(event, Lan9118, sent);
    eth_port_sent(&l->port, &l->tx);
    l->sending = 0;
    l->tx.len = 0;
    if (l->tx_status_ring.len == TX_STATUS) {
        interrupt(l, INT_TXSO);
    } else {
        l->tx_status[ring_put(&l->tx_status_ring, TX_STATUS)] = l->command_b & 0xFFFF0000;
    }
    interrupt(l, (l->command_a & BUSY ? INT_TX_IOC : 0) |
                     (l->tx_status_ring.len > (l->fifo_int >> 16 & 0xFF) ? INT_TSFL : 0));
    tx_drain(l);
}

/* Words of a buffer with the offset before it and the padding behind it. */
static void buffer_begin(Lan9118 *l) {
    uint32_t size = l->command_a & CMD_SIZE, skip = l->command_a >> 16 & 31, align = l->command_a >> 24 & 3;
    uint32_t unit = align == 1 ? 16 : align == 2 ? 32 : 4;
    l->tx_words = (skip + size + unit - 1) / unit * unit / 4;
    l->tx_skip = skip;
    l->tx_left = size;
    l->tx_state = l->tx_words ? TX_DATA : TX_COMMAND_A;
}

static void data_take(Lan9118 *l, uint32_t word) {
    for (unsigned i = 0; i < 4; i++, word >>= 8) {
        if (l->tx_skip) {
            l->tx_skip--;
        } else if (l->tx_left) {
            l->tx_left--;
            if (l->tx.len < ETH_FRAME_MAX) {
                l->tx.bytes[l->tx.len++] = (uint8_t)word;
            }
        }
    }
    l->tx_words -= l->tx_words > 0;
    if (l->tx_words) {
        return;
    }
    l->tx_state = TX_COMMAND_A;
    if (l->command_a & CMD_LAST) {
        if (l->tx.len == (l->command_b & CMD_SIZE)) {
            frame_go(l);
        } else {
            tx_abandon(l); /* the lengths of the buffers and of the frame differ */
        }
    }
}

/* Words wait in the FIFO while a frame is on the wire. */
static void tx_drain(Lan9118 *l) {
    while (!l->sending && l->tx_ring.len) {
        uint32_t word = l->tx_fifo[ring_take(&l->tx_ring, TX_WORDS)];
        if (l->tx_state == TX_COMMAND_A) {
            l->command_a = word;
            l->tx.len = word & CMD_FIRST ? 0 : l->tx.len;
            l->tx_state = TX_COMMAND_B;
        } else if (l->tx_state == TX_COMMAND_B) {
            l->command_b = word;
            buffer_begin(l);
        } else {
            data_take(l, word);
        }
    }
}

static void tx_fifo_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Lan9118 *l = lan_of(dev);
    if (l->tx_ring.len == TX_WORDS) {
        device_guest_log(dev, GUEST_MISUSE, "TX_DATA_FIFO", "word 0x%08x is lost: the FIFO is full",
                         (unsigned)value);
        interrupt(l, INT_TXE);
        return;
    }
    l->tx_fifo[ring_put(&l->tx_ring, TX_WORDS)] = value;
    tx_drain(l);
}

/* ---- Receiving --------------------------------------------------------------------------------------------------- */

static bool is_own(const Lan9118 *l, const uint8_t *address) {
    for (unsigned i = 0; i < ETH_ADDRESS; i++) {
        uint32_t word = i < 4 ? l->mac[MAC_ADDRL] >> (8 * i) : l->mac[MAC_ADDRH] >> (8 * (i - 4));
        if ((word & 0xFF) != address[i]) {
            return false;
        }
    }
    return true;
}

static bool wanted(const Lan9118 *l, const uint8_t *address) {
    uint32_t cr = l->mac[MAC_CR];
    bool group = eth_is_group(address);
    if (cr & CR_PRMS) {
        return true;
    }
    if (eth_is_broadcast(address)) {
        return !(cr & CR_BCAST);
    }
    if (group && (cr & CR_MCPAS)) {
        return true;
    }
    if (group ? cr & CR_HPFILT : cr & CR_HO) {
        unsigned hash = eth_hash6(address);
        return bit(l->mac[hash < 32 ? MAC_HASHL : MAC_HASHH], hash % 32);
    }
    return is_own(l, address) != ((cr & CR_INVFILT) != 0);
}

static void rx_store(Lan9118 *l, const EthFrame *frame) {
    uint32_t skip = l->rx_cfg >> 8 & 31, align = l->rx_cfg >> 30, unit = align == 1 ? 16 : align == 2 ? 32 : 4;
    uint32_t bytes = skip + frame->len + FCS_BYTES, words = (bytes + unit - 1) / unit * unit / 4;
    if (l->rx_status_ring.len == RX_FRAMES || l->frame_ring.len == RX_FRAMES || l->rx_ring.len + words > RX_WORDS) {
        l->dropped++;
        interrupt(l, INT_RSFF);
        return;
    }
    uint32_t fcs = eth_fcs(frame->bytes, frame->len) ^ (frame->damaged ? UINT32_MAX : 0); /* what came is not known */
    for (uint32_t i = 0; i < words; i++) {
        uint32_t word = 0;
        for (unsigned k = 0; k < 4; k++) {
            uint32_t at = 4 * i + k - skip; /* wraps before the frame */
            uint32_t behind = at - frame->len;
            uint8_t byte = at < frame->len ? frame->bytes[at] : behind < FCS_BYTES ? (uint8_t)(fcs >> 8 * behind) : 0;
            word |= (uint32_t)byte << (8 * k);
        }
        l->rx_data[ring_put(&l->rx_ring, RX_WORDS)] = word;
    }
    bool broadcast = eth_is_broadcast(frame->bytes), group = eth_is_group(frame->bytes);
    bool ethernet = frame->bytes[12] > 5;
    l->rx_frame_words[ring_put(&l->frame_ring, RX_FRAMES)] = (uint16_t)words;
    l->rx_status[ring_put(&l->rx_status_ring, RX_FRAMES)] =
        (uint32_t)(frame->len + FCS_BYTES) << 16 | (broadcast ? STATUS_BROADCAST : group ? STATUS_MULTICAST : 0) |
        (ethernet ? STATUS_ETHERNET : 0) | (frame->damaged ? STATUS_CRC | STATUS_ERROR : 0);
    interrupt(l, l->rx_status_ring.len > (l->fifo_int & 0xFF) ? INT_RSFL : 0);
}

static void lan_receive(Device *dev, const EthFrame *frame) {
    Lan9118 *l = lan_of(dev);
    if ((l->mac[MAC_CR] & CR_RXEN) && wanted(l, frame->bytes)) {
        rx_store(l, frame);
    }
}

static uint32_t rx_word_take(Lan9118 *l) {
    return l->rx_data[ring_take(&l->rx_ring, RX_WORDS)];
}

static uint32_t rx_fifo_read(Device *dev, unsigned index) {
    (void)index;
    Lan9118 *l = lan_of(dev);
    if (!l->frame_ring.len || !l->rx_ring.len) {
        interrupt(l, INT_RXE);
        return 0;
    }
    uint16_t *left = &l->rx_frame_words[l->frame_ring.head];
    *left = *left ? (uint16_t)(*left - 1) : 0;
    if (*left == 0) {
        ring_take(&l->frame_ring, RX_FRAMES);
    }
    return rx_word_take(l);
}

/* Fast forward: what is left of the first frame goes. */
static void dp_ctrl_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Lan9118 *l = lan_of(dev);
    if ((value & BUSY) && l->frame_ring.len) {
        for (uint32_t n = l->rx_frame_words[l->frame_ring.head]; n && l->rx_ring.len; n--) {
            rx_word_take(l);
        }
        ring_take(&l->frame_ring, RX_FRAMES);
    }
}

static uint32_t status_peek(const uint32_t *fifo, const Ring *ring) {
    return ring->len ? fifo[ring->head] : 0;
}

static uint32_t status_take(const uint32_t *fifo, Ring *ring, uint32_t size) {
    return ring->len ? fifo[ring_take(ring, size)] : 0;
}

static uint32_t rx_status_peek(Device *dev, unsigned index) {
    (void)index;
    return status_peek(lan_of(dev)->rx_status, &lan_of(dev)->rx_status_ring);
}

static uint32_t rx_status_read(Device *dev, unsigned index) {
    (void)index;
    return status_take(lan_of(dev)->rx_status, &lan_of(dev)->rx_status_ring, RX_FRAMES);
}

static uint32_t tx_status_peek(Device *dev, unsigned index) {
    (void)index;
    return status_peek(lan_of(dev)->tx_status, &lan_of(dev)->tx_status_ring);
}

static uint32_t tx_status_read(Device *dev, unsigned index) {
    (void)index;
    return status_take(lan_of(dev)->tx_status, &lan_of(dev)->tx_status_ring, TX_STATUS);
}

/* ---- Registers --------------------------------------------------------------------------------------------------- */

static uint32_t id_read(Device *dev, unsigned index) {
    (void)index;
    return lan_of(dev)->id;
}

static uint32_t byte_test_read(Device *dev, unsigned index) {
    (void)dev, (void)index;
    return 0x87654321;
}

static uint32_t ready_read(Device *dev, unsigned index) {
    (void)dev, (void)index;
    return PMT_READY;
}

static void pmt_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    if (value & PMT_PHY_RST) {
        phy_write(&lan_of(dev)->phy, PHY_BMCR, 0x8000);
    }
}

static void irq_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)value, (void)old;
    irq_update(lan_of(dev));
}

static void int_en_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    interrupt(lan_of(dev), value & INT_SW);
}

static void hw_cfg_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    if (value & HW_SRST) {
        device_reset(dev, false);
    }
}

static void rx_cfg_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Lan9118 *l = lan_of(dev);
    if (value & RX_DUMP) {
        l->rx_ring.len = l->rx_status_ring.len = l->frame_ring.len = 0;
    }
}

static void tx_cfg_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Lan9118 *l = lan_of(dev);
    if (value & TX_STOP) {
        l->tx_cfg &= ~(uint32_t)TX_ON;
    }
    if (value & TXD_DUMP) {
        l->tx_state = TX_COMMAND_A;
        l->tx.len = l->sending ? l->tx.len : 0;
        l->tx_ring.len = 0;
    }
    if (value & TXS_DUMP) {
        l->tx_status_ring.len = 0;
    }
}

static uint32_t rx_inf_read(Device *dev, unsigned index) {
    (void)index;
    return lan_of(dev)->rx_status_ring.len << 16 | 4 * lan_of(dev)->rx_ring.len;
}

static uint32_t tx_inf_read(Device *dev, unsigned index) {
    (void)index;
    const Lan9118 *l = lan_of(dev);
    return l->tx_status_ring.len << 16 | (TX_BYTES - 4 * l->tx_ring.len);
}

static void gpt_cfg_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Lan9118 *l = lan_of(dev);
    if (value & GPT_EN) {
        device_event_at(dev, &l->gpt, device_now_ns(dev) + ((value & 0xFFFF) + UINT64_C(1)) * GPT_STEP_NS);
    } else {
        device_event_cancel(dev, &l->gpt);
    }
}

static void lan_gpt(Event *event) {
    Lan9118 *l = CONTAINER_OF(event, Lan9118, gpt);
    device_event_at(&l->dev, &l->gpt, event->time_ns + (GPT_RELOAD + UINT64_C(1)) * GPT_STEP_NS);
    interrupt(l, INT_GPT);
}

static uint32_t gpt_cnt_read(Device *dev, unsigned index) {
    (void)index;
    const Lan9118 *l = lan_of(dev);
    if (!event_armed(&l->gpt)) {
        return GPT_RELOAD;
    }
    return (uint32_t)((l->gpt.time_ns - device_now_ns(dev) - 1) / GPT_STEP_NS) & GPT_RELOAD;
}

static uint32_t free_run_read(Device *dev, unsigned index) {
    (void)index;
    return (uint32_t)(device_now_ns(dev) / 40);
}

static uint32_t dropped_read(Device *dev, unsigned index) {
    (void)index;
    uint32_t value = lan_of(dev)->dropped;
    lan_of(dev)->dropped = 0;
    return value;
}

static void mii_access(Lan9118 *l) {
    uint32_t acc = l->mac[MAC_MII_ACC];
    unsigned reg = acc >> 6 & 31;
    bool present = (acc >> 11 & 31) == PHY_ADDRESS;
    if ((acc & MII_WRITE) && present) {
        phy_write(&l->phy, reg, (uint16_t)l->mac[MAC_MII_DATA]);
    } else if (!(acc & MII_WRITE)) {
        l->mac[MAC_MII_DATA] = present ? phy_read(&l->phy, reg, eth_port_up(&l->port)) : 0xFFFF;
    }
    l->mac[MAC_MII_ACC] &= ~UINT32_C(1);
}

static void mac_cmd_write(Device *dev, unsigned index, uint32_t value, uint32_t old) {
    (void)index, (void)old;
    Lan9118 *l = lan_of(dev);
    unsigned reg = value & 0xFF;
    if (!(value & BUSY) || reg == 0 || reg >= MAC_REGS) {
        return;
    }
    if (value & UINT32_C(1) << 30) {
        l->mac_data = l->mac[reg];
    } else {
        l->mac[reg] = l->mac_data;
        if (reg == MAC_MII_ACC) {
            mii_access(l);
        }
    }
}

static uint32_t e2p_read(Device *dev, unsigned index) {
    (void)dev, (void)index;
    return E2P_TIMEOUT;
}

static bool lan_init(Device *dev, Err *err) {
    (void)err;
    lan_of(dev)->port.receive = lan_receive;
    lan_of(dev)->phy.id = PHY_ID;
    return true;
}

static void lan_reset(Device *dev) {
    Lan9118 *l = lan_of(dev);
    l->mac[MAC_CR] = CR_PRMS;
    l->mac[MAC_ADDRH] = 0xFFFF;
    l->mac[MAC_ADDRL] = UINT32_MAX;
    irq_update(l);
}

static const Prop lan_props[] = {PROP_U32(Lan9118, id, "idRev", 0x01180001, "ID_REV: 0x92200000 for a LAN9220")};

static const Field lan_fields[] = {
    PHY_FIELDS(Lan9118, phy),
    FIELD_ARRAY(Lan9118, mac, 0, "MAC registers"),
    FIELD_ARRAY(Lan9118, rx_data, 0, "RX data FIFO"),
    FIELD_MAX(Lan9118, rx_ring.head, 0, RX_WORDS - 1, "its first word"),
    FIELD_MAX(Lan9118, rx_ring.len, 0, RX_WORDS, "words in it"),
    FIELD_ARRAY(Lan9118, rx_frame_words, 0, "words of its frames"),
    FIELD_MAX(Lan9118, frame_ring.head, 0, RX_FRAMES - 1, "its first frame"),
    FIELD_MAX(Lan9118, frame_ring.len, 0, RX_FRAMES, "frames in it"),
    FIELD_ARRAY(Lan9118, rx_status, 0, "RX status FIFO"),
    FIELD_MAX(Lan9118, rx_status_ring.head, 0, RX_FRAMES - 1, "its first word"),
    FIELD_MAX(Lan9118, rx_status_ring.len, 0, RX_FRAMES, "words in it"),
    FIELD_ARRAY(Lan9118, tx_status, 0, "TX status FIFO"),
    FIELD_MAX(Lan9118, tx_status_ring.head, 0, TX_STATUS - 1, "its first word"),
    FIELD_MAX(Lan9118, tx_status_ring.len, 0, TX_STATUS, "words in it"),
    FIELD(Lan9118, dropped, 0, "frames dropped"),
    FIELD_ARRAY(Lan9118, tx_fifo, 0, "TX data FIFO"),
    FIELD_MAX(Lan9118, tx_ring.head, 0, TX_WORDS - 1, "its first word"),
    FIELD_MAX(Lan9118, tx_ring.len, 0, TX_WORDS, "words in it"),
    FIELD_MAX(Lan9118, tx_state, TX_COMMAND_A, TX_DATA, "what the next word to send is"),
    FIELD_MAX(Lan9118, sending, 0, 1, "a frame is on the wire"),
    FIELD(Lan9118, command_a, 0, "TX command A"),
    FIELD(Lan9118, command_b, 0, "TX command B"),
    FIELD(Lan9118, tx_words, 0, "words of the buffer to come"),
    FIELD(Lan9118, tx_skip, 0, "bytes before its data"),
    FIELD(Lan9118, tx_left, 0, "bytes of its data to come"),
    FIELD_MAX(Lan9118, tx.len, 0, ETH_FRAME_MAX, "bytes of the frame to send"),
    FIELD_ARRAY(Lan9118, tx.bytes, 0, "that frame"),
};

#define LAN_REG(reg_name, at, member, bits) {.name = (reg_name), .offset = (at), .storage = offsetof(Lan9118, member), \
    .writable = (bits)}

static const Reg lan_regs[] = {
    {.name = "RX_DATA_FIFO", .offset = 0x00, .count = 8, .read = rx_fifo_read, .access = REG_RO},
    {.name = "TX_DATA_FIFO", .offset = 0x20, .count = 8, .write = tx_fifo_write, .access = REG_WO},
    {.name = "RX_STATUS_FIFO", .offset = 0x40, .read = rx_status_read, .access = REG_RO},
    {.name = "RX_STATUS_PEEK", .offset = 0x44, .read = rx_status_peek, .access = REG_RO},
    {.name = "TX_STATUS_FIFO", .offset = 0x48, .read = tx_status_read, .access = REG_RO},
    {.name = "TX_STATUS_PEEK", .offset = 0x4C, .read = tx_status_peek, .access = REG_RO},
    {.name = "ID_REV", .offset = 0x50, .read = id_read, .access = REG_RO},
    {.name = "IRQ_CFG", .offset = 0x54, .storage = offsetof(Lan9118, irq_cfg), .writable = 0xFF000111,
     .write = irq_write},
    {.name = "INT_STS", .offset = 0x58, .storage = offsetof(Lan9118, int_sts), .clear_on_one = UINT32_MAX,
     .write = irq_write},
    {.name = "INT_EN", .offset = 0x5C, .storage = offsetof(Lan9118, int_en), .writable = UINT32_MAX,
     .write = int_en_write},
    {.name = "BYTE_TEST", .offset = 0x64, .read = byte_test_read, .access = REG_RO},
    {.name = "FIFO_INT", .offset = 0x68, .storage = offsetof(Lan9118, fifo_int), .reset = 0x48000000,
     .writable = UINT32_MAX},
    {.name = "RX_CFG", .offset = 0x6C, .storage = offsetof(Lan9118, rx_cfg), .writable = 0xCFFF1F00,
     .write = rx_cfg_write},
    {.name = "TX_CFG", .offset = 0x70, .storage = offsetof(Lan9118, tx_cfg), .writable = 0x6, .write = tx_cfg_write},
    {.name = "HW_CFG", .offset = 0x74, .storage = offsetof(Lan9118, hw_cfg), .reset = HW_RESET,
     .writable = 0x001F0000, .write = hw_cfg_write},
    {.name = "RX_DP_CTRL", .offset = 0x78, .write = dp_ctrl_write},
    {.name = "RX_FIFO_INF", .offset = 0x7C, .read = rx_inf_read, .access = REG_RO},
    {.name = "TX_FIFO_INF", .offset = 0x80, .read = tx_inf_read, .access = REG_RO},
    {.name = "PMT_CTRL", .offset = 0x84, .read = ready_read, .write = pmt_write},
    {.name = "GPIO_CFG", .offset = 0x88, .storage = offsetof(Lan9118, gpio_cfg), .writable = UINT32_MAX},
    {.name = "GPT_CFG", .offset = 0x8C, .storage = offsetof(Lan9118, gpt_cfg), .reset = 0xFFFF,
     .writable = 0x2000FFFF, .write = gpt_cfg_write},
    {.name = "GPT_CNT", .offset = 0x90, .read = gpt_cnt_read, .access = REG_RO},
    {.name = "WORD_SWAP", .offset = 0x98, .storage = offsetof(Lan9118, word_swap), .writable = UINT32_MAX,
     .unmodelled = true},
    {.name = "FREE_RUN", .offset = 0x9C, .read = free_run_read, .access = REG_RO},
    {.name = "RX_DROP", .offset = 0xA0, .read = dropped_read, .access = REG_RO},
    {.name = "MAC_CSR_CMD", .offset = 0xA4, .storage = offsetof(Lan9118, mac_cmd), .writable = 0x400000FF,
     .write = mac_cmd_write},
    LAN_REG("MAC_CSR_DATA", 0xA8, mac_data, UINT32_MAX),
    LAN_REG("AFC_CFG", 0xAC, afc_cfg, UINT32_MAX),
    {.name = "E2P_CMD", .offset = 0xB0, .read = e2p_read},
    {.name = "E2P_DATA", .offset = 0xB4},
};

static const Output lan_outputs[] = {{.name = "IRQ", .offset = offsetof(Lan9118, irq)}};
static const EventField lan_events[] = {
    {.name = "sent", .offset = offsetof(Lan9118, sent), .fire = lan_sent},
    {.name = "gpt", .offset = offsetof(Lan9118, gpt), .fire = lan_gpt},
};
static const char *const lan_names[] = {"Network.LAN9118", "Network.SMSC_LAN9118", NULL};
static const char *const lan_compatible[] = {"smsc,lan9118", "smsc,lan9220", NULL};

const DeviceType lan9118_type = {
    .name = "lan9118",
    .summary = "SMSC LAN9118 or LAN9220 Ethernet controller",
    .repl_types = lan_names,
    .compatible = lan_compatible,
    .struct_size = sizeof(Lan9118),
    DEVICE_TABLE(props, lan_props),
    DEVICE_TABLE(fields, lan_fields),
    DEVICE_TABLE(regs, lan_regs),
    DEVICE_TABLE(outputs, lan_outputs),
    DEVICE_TABLE(events, lan_events),
    .eth_offset = offsetof(Lan9118, port),
    .window_size = 0x100,
    .init = lan_init,
    .reset = lan_reset,
};
