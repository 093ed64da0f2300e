/* A party on a bus that all NODES boards share: each tells the others the numbers 0 to LAST, in order, and hears
 * theirs; nothing may be lost or come twice. What knows the bus gives it party_send and party_receive, and calls
 * party() once its controller is on; who includes this has NODE, MHZ, print, print_hex, guest_exit. */
#ifndef FIRMWARE_PARTY_H
#define FIRMWARE_PARTY_H

#include "letter.h"

enum { NODES = 3, LAST = 19, FIRST_WAIT = 700 * MHZ };

/** False: there is no room now. */
static int party_send(const Letter *letter);
/** False: nothing has come. */
static int party_receive(Letter *letter);

static void party_fail(const char *what, unsigned from, unsigned number) {
    print(what);
    print_hex(from);
    print(" ");
    print_hex(number);
    print("\n");
    guest_exit(1);
}

static void party(void) {
    unsigned next[NODES] = {0}, heard = 0;
    for (volatile unsigned i = 0; i < FIRST_WAIT; i++) { /* until all are there */
    }
    while (next[NODE] <= LAST || heard < (NODES - 1) * (LAST + 1)) {
        Letter letter = {NODE, next[NODE]};
        if (next[NODE] <= LAST && party_send(&letter)) {
            next[NODE]++;
        }
        if (party_receive(&letter)) {
            if (letter.from >= NODES || letter.from == NODE || letter.number != next[letter.from]) {
                party_fail("party: unexpected ", letter.from, letter.number);
            }
            next[letter.from]++;
            heard++;
        }
    }
    for (volatile unsigned i = 0; i < FIRST_WAIT; i++) { /* the last one goes out */
    }
    print("party: heard all\n");
    guest_exit(0);
}

#endif
