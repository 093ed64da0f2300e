/* What boards tell each other on a bus: who tells it, and a number. */
#ifndef FIRMWARE_LETTER_H
#define FIRMWARE_LETTER_H

typedef struct Letter {
    unsigned from, number;
} Letter;

#endif
