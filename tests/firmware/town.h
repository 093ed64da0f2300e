/* A board of a town (tests/e2e/town.py): boards of all kinds that talk to each other on all they have. Every 100 us
 * it wakes, takes what has come from its serial ports, CAN, Ethernet and pins, sends what is due, reads its parts, and
 * sleeps again. All that it hears goes into one sum in memory, so a difference anywhere shows in the state. What is
 * heard may be damaged: nothing is checked here. Each board file gives the functions declared first. */
#ifndef FIRMWARE_TOWN_H
#define FIRMWARE_TOWN_H

#include "letter.h"

enum { RING_PORTS_MAX = 2, RING_EVERY = 16, MEDIA_EVERY = 64, PINS_EVERY = 8, SENSE_EVERY = 64 };

static void board_start(void);
/** Sleeps until the next tick. */
static void board_wait(void);
static unsigned board_id(void);
/** A byte from one of the serial ports, -1 if none has come. */
static int ring_get(unsigned port);
static void ring_put(unsigned port, unsigned byte);
/** The message media of the board; false: no room, or nothing has come. */
static int media_send(unsigned medium, const Letter *letter);
static int media_receive(unsigned medium, Letter *letter);
/** Sets the output pin, gives the input pins. */
static unsigned board_pins(unsigned level);
/** Asks a part on I2C or SPI. */
static unsigned board_sense(unsigned number);

static volatile unsigned sum = 1, heard, posted;

static void mix(unsigned value) {
    sum = (sum ^ value) * 0x01000193;
    heard++;
}

/* A token goes on to the other port, one higher; the boards throw in new ones now and then. */
static void town_ring(unsigned id, unsigned tick) {
    for (unsigned port = 0; port < RING_PORTS; port++) {
        for (int byte = ring_get(port); byte >= 0; byte = ring_get(port)) {
            mix((unsigned)byte);
            if (byte & 7) {
                ring_put(RING_PORTS - 1 - port, (unsigned)byte - 1);
            }
        }
    }
    if (tick % RING_EVERY == id % RING_EVERY) {
        ring_put(tick / RING_EVERY % RING_PORTS, (id << 3 | 5) & 0xff);
    }
}

static void town_media(unsigned id, unsigned tick) {
    for (unsigned medium = MEDIA; medium-- > 0;) {
        Letter letter;
        while (media_receive(medium, &letter)) {
            mix(letter.from << 8 | letter.number);
        }
        letter = (Letter){id, tick / MEDIA_EVERY & 15};
        if (tick % MEDIA_EVERY == id % 8) { /* some contend */
            posted += (unsigned)media_send(medium, &letter);
        }
    }
}

static void town(void) {
    unsigned id = board_id();
    board_start();
    for (unsigned tick = 0;; tick++) {
        board_wait();
        town_ring(id, tick);
        town_media(id, tick);
        if (tick % PINS_EVERY == id % PINS_EVERY) {
            mix(board_pins(tick / PINS_EVERY & 1));
        }
        if (tick % SENSE_EVERY == id) {
            mix(board_sense(tick / SENSE_EVERY));
        }
    }
}

#endif
