/* A party (party.h) over Ethernet: LAN9220 of the MPS2. */
#include "lan9118.h"

enum { NODE = 2, MHZ = 25 };

#define print guest_print
#define print_hex guest_print_hex
#include "party.h"

static int party_send(const Letter *letter) {
    return lan_send(letter);
}

static int party_receive(Letter *letter) {
    uint32_t status = lan_receive(letter);
    if (status) {
        CHECK_EQ(status >> 16 & 0x3fff, LAN_FRAME + 4); /* with the check sequence */
    }
    return status && !(status & LAN_ERROR_STATUS);
}

int main(void) {
    lan_start();
    party();
    return 1;
}
