/* Scans AMBA plug and play and prints what it finds, one line for each record, as the GRLIB IP Library User's Manual
 * describes the tables: AHB masters (M) and slaves (S) from the last 4 KiB of an I/O area, APB slaves (A) from the last
 * 4 KiB of each bridge, and on through bridges whose second user-defined word is the I/O area behind them.
 *
 *     S 1:054 v0 irq 0 00000000+20000000 20000000+20000000 40000000+40000000 */
#include "guest.h"

enum { MASTERS = 64, SLAVES = 62, APB_SLAVES = 512, RECORD_WORDS = 8, BARS = 4 };
enum { SPACE_APB_IO = 1, SPACE_AHB_MEMORY = 2, SPACE_AHB_IO = 3 };
enum { GAISLER = 1, AHB2AHB = 0x020, L2CACHE = 0x04b, APBMST = 0x006 };

static void print_digits(u32 value, unsigned digits) {
    while (digits-- > 0) {
        put_char("0123456789abcdef"[value >> (4 * digits) & 15]);
    }
}

static void print_decimal(u32 value) {
    if (value >= 10) {
        print_decimal(value / 10);
    }
    put_char((char)('0' + value % 10));
}

static void print_id(char kind, u32 id) {
    put_char(kind);
    put_char(' ');
    print_decimal(id >> 24);
    put_char(':');
    print_digits(id >> 12 & 0xfff, 3);
    print(" v");
    print_decimal(id >> 5 & 0x1f);
    print(" irq ");
    print_decimal(id & 0x1f);
}

/* Gives the address. */
static u32 print_bar(u32 bar, u32 io_base) {
    u32 address = bar >> 20, size = (~(bar >> 4) & 0xfff) + 1, space = bar & 15;
    unsigned shift = space == SPACE_AHB_MEMORY ? 20 : 8;
    if (space != SPACE_AHB_MEMORY && space != SPACE_AHB_IO && space != SPACE_APB_IO) {
        return 0;
    }
    u32 base = space == SPACE_AHB_MEMORY ? address << shift : io_base | address << shift;
    put_char(' ');
    print_hex(base);
    put_char('+');
    print_hex(size << shift);
    return base;
}

static void scan_apb(u32 base) {
    const volatile u32 *record = (const volatile u32 *)(base + 0xff000);
    for (unsigned i = 0; i < APB_SLAVES; i++, record += 2) {
        if (record[0]) {
            print_id('A', record[0]);
            print_bar(record[1], base);
            put_char('\n');
        }
    }
}

static void scan_ahb(u32 io_area) {
    const volatile u32 *record = (const volatile u32 *)(io_area + 0xff000);
    for (unsigned i = 0; i < MASTERS + SLAVES; i++, record += RECORD_WORDS) {
        u32 id = record[0], device = id >> 12 & 0xfff, first = 0;
        if (!id) {
            continue;
        }
        print_id(i < MASTERS ? 'M' : 'S', id);
        for (unsigned bar = 0; bar < BARS; bar++) {
            u32 base = print_bar(record[4 + bar], io_area);
            first = bar == 0 ? base : first;
        }
        put_char('\n');
        if (i < MASTERS || id >> 24 != GAISLER) {
            continue;
        }
        if (device == APBMST) {
            scan_apb(first);
        } else if ((device == AHB2AHB || device == L2CACHE) && record[2]) {
            scan_ahb(record[2]);
        }
    }
}

int main(void) {
    print("plug and play\n");
    scan_ahb(0xfff00000);
    print("done\n");
    guest_exit(0);
}
