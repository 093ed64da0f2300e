/* A party (party.h) over Ethernet: GRETH of the GR712RC and the GR740. */
#include "greth.h"

#include "../party.h"

static int party_send(const Letter *letter) {
    return eth_send(letter);
}

static int party_receive(Letter *letter) {
    u32 status = eth_receive(letter);
    if (status) {
        check("length", status & 0x7ff, ETH_FRAME);
    }
    return status && !(status & ETH_CRC_ERROR);
}

int main(void) {
    eth_start(NODE);
    party();
    return 1;
}
