/* A party (party.h) on a CAN bus. Identifiers are 0x100 * (node + 1) + number, so that all contend with all. */
#include "leon_can.h"

#include "../party.h"

static u32 identifier_of(const Letter *letter) {
    return 0x100 * (letter->from + 1) + letter->number;
}

static int party_send(const Letter *letter) {
    return can_send(0, identifier_of(letter), letter);
}

static int party_receive(Letter *letter) {
    u32 identifier;
    if (!can_receive(0, &identifier, letter)) {
        return 0;
    }
    check("identifier", identifier, identifier_of(letter));
    return 1;
}

int main(void) {
    can_start(0);
    party();
    return 1;
}
