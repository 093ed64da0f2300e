/* Asks 10.0.2.2 for its Ethernet address and for an echo, as 10.0.2.15, by the LAN9220 of the MPS2; again if nothing
 * comes for a while. Prints the address and what came back; exits with 0 behind the third echo. RFC 826, RFC 792. */
#include "guest.h"

#define LAN(offset) REG32(0x40200000 + (offset))
enum { RX_DATA = 0, TX_DATA = 0x20, RX_STATUS = 0x40, TX_CFG = 0x70, RX_FIFO_INF = 0x7c, MAC_CMD = 0xa4,
       MAC_DATA = 0xa8 };
enum { ON = 2, FIRST_AND_LAST = 3 << 12, MAC_CR = 1, MAC_ADDRH, MAC_ADDRL, RXEN = 4, TXEN = 8 };
enum { FRAME = 74, WORDS = 400, PATIENCE = 200000, TRIES = 50, ECHOS = 3, ARP = 0x0806, IP = 0x0800 };

typedef struct Frame {
    uint32_t len;
    union {
        uint8_t bytes[4 * WORDS];
        uint32_t words[WORDS];
    };
} Frame;

static const uint8_t own_mac[6] = {2, 0, 0, 0, 0, 0x15}, own_ip[4] = {10, 0, 2, 15}, host_ip[4] = {10, 0, 2, 2};
static uint8_t host_mac[6];
static Frame out, in;

static void mac_write(uint32_t reg, uint32_t value) {
    LAN(MAC_DATA) = value;
    LAN(MAC_CMD) = 0x80000000u | reg;
}

static void copy(uint8_t *to, const uint8_t *from, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        to[i] = from[i];
    }
}

static void put16(uint32_t at, uint32_t value) {
    out.bytes[at] = (uint8_t)(value >> 8);
    out.bytes[at + 1] = (uint8_t)value;
}

static uint32_t get16(uint32_t at) {
    return (uint32_t)in.bytes[at] << 8 | in.bytes[at + 1];
}

static void send(uint32_t len) {
    LAN(TX_DATA) = FIRST_AND_LAST | len;
    LAN(TX_DATA) = len;
    for (uint32_t i = 0; i < (len + 3) / 4; i++) {
        LAN(TX_DATA) = out.words[i];
    }
}

static bool receive(void) {
    if (!(LAN(RX_FIFO_INF) >> 16 & 0xff)) {
        return false;
    }
    in.len = LAN(RX_STATUS) >> 16 & 0x3fff;
    for (uint32_t i = 0; i < (in.len + 3) / 4; i++) {
        uint32_t word = LAN(RX_DATA);
        if (i < WORDS) {
            in.words[i] = word;
        }
    }
    return true;
}

static void header(const uint8_t *to, uint32_t type) {
    for (uint32_t i = 0; i < WORDS; i++) {
        out.words[i] = 0;
    }
    copy(out.bytes, to, 6);
    copy(out.bytes + 6, own_mac, 6);
    put16(12, type);
}

static void arp_send(const uint8_t *to, uint32_t operation, const uint8_t *ip) {
    static const uint8_t everybody[6] = {255, 255, 255, 255, 255, 255};
    header(operation == 1 ? everybody : to, ARP);
    put16(14, 1);
    put16(16, IP);
    put16(18, 0x0604);
    put16(20, operation);
    copy(out.bytes + 22, own_mac, 6);
    copy(out.bytes + 28, own_ip, 4);
    copy(out.bytes + 32, to, 6);
    copy(out.bytes + 38, ip, 4);
    send(60);
}

static uint32_t checksum(const uint8_t *bytes, uint32_t len) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < len; i += 2) {
        sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
    }
    sum = (sum & 0xffff) + (sum >> 16);
    return ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
}

static void echo_send(uint32_t number) {
    header(host_mac, IP);
    put16(14, 0x4500);
    put16(16, FRAME - 14);
    put16(22, 0x4001); /* 64 hops, ICMP */
    copy(out.bytes + 26, own_ip, 4);
    copy(out.bytes + 30, host_ip, 4);
    put16(24, checksum(out.bytes + 14, 20));
    out.bytes[34] = 8;
    put16(38, 0x1234);
    put16(40, number);
    for (uint32_t i = 42; i < FRAME; i++) {
        out.bytes[i] = (uint8_t)(i * 7);
    }
    put16(36, checksum(out.bytes + 34, FRAME - 34));
    send(FRAME);
}

static bool is_ip(uint32_t at, const uint8_t *ip) {
    return in.bytes[at] == ip[0] && in.bytes[at + 1] == ip[1] && in.bytes[at + 2] == ip[2] && in.bytes[at + 3] == ip[3];
}

/* Answers those who look for us; true if it is the host's answer. */
static bool is_arp_answer(void) {
    if (get16(12) == ARP && get16(20) == 1 && is_ip(38, own_ip)) {
        arp_send(in.bytes + 22, 2, in.bytes + 28);
    }
    return get16(12) == ARP && get16(20) == 2 && is_ip(28, host_ip);
}

static bool is_echo_answer(uint32_t number) {
    bool ours = get16(12) == IP && in.bytes[23] == 1 && in.bytes[34] == 0 && get16(38) == 0x1234 &&
                get16(40) == number && is_ip(26, host_ip) && is_ip(30, own_ip);
    if (ours) {
        CHECK_EQ(get16(16), FRAME - 14);
        CHECK_EQ(checksum(in.bytes + 34, FRAME - 34), 0);
        CHECK_EQ(in.bytes[FRAME - 1], (uint8_t)((FRAME - 1) * 7));
    }
    return ours;
}

/* Number 0: the address, else an echo. */
static bool ask(uint32_t number) {
    static const uint8_t nobody[6];
    for (uint32_t try = 0; try < TRIES; try++) {
        if (number == 0) {
            arp_send(nobody, 1, host_ip);
        } else {
            echo_send(number);
        }
        for (uint32_t i = 0; i < PATIENCE; i++) {
            if (receive() && (is_arp_answer() ? number == 0 : number > 0 && is_echo_answer(number))) {
                return true;
            }
        }
    }
    return false;
}

int main(void) {
    mac_write(MAC_ADDRL, 2);
    mac_write(MAC_ADDRH, 0x1500);
    mac_write(MAC_CR, TXEN | RXEN);
    LAN(TX_CFG) = ON;
    CHECK(ask(0));
    copy(host_mac, in.bytes + 22, 6);
    guest_print("host is at ");
    guest_print_hex((uint32_t)host_mac[0] << 24 | (uint32_t)host_mac[1] << 16 | (uint32_t)host_mac[2] << 8 |
                    host_mac[3]);
    guest_print("\n");
    for (uint32_t i = 1; i <= ECHOS; i++) {
        CHECK(ask(i));
        guest_print("echo\n");
    }
    return 0;
}
