/* Serial frames on wires: what receivers of other speeds and formats make of them, and what the ports of boards tell of
 * frames that are wrong and of bytes that find no room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "bus/link.h"
#include "fake_board.h"

extern const DeviceType gaisler_apbuart_type, nrf51_uart, cmsdk_uart_type;

enum { HEARD_MAX = 16, BIT_NS = 1000 };

typedef struct Heard {
    uint8_t byte;
    unsigned bad;
} Heard;

/* A port that takes all. */
typedef struct Model {
    Device dev;
    UartPort port;
    UartFormat format;
    uint64_t bit_ns;
    Heard heard[HEARD_MAX];
    unsigned n;
} Model;

static Model *model_of(Device *dev) {
    return (Model *)dev;
}

static void heard(Device *dev, uint8_t byte, unsigned bad) {
    Model *m = model_of(dev);
    assert_true(m->n < HEARD_MAX);
    m->heard[m->n++] = (Heard){byte, bad};
}

static void receive(Device *dev, uint8_t byte) {
    heard(dev, byte, 0);
}

static bool can_receive(Device *dev) {
    (void)dev;
    return true;
}

static UartFormat format(Device *dev) {
    return model_of(dev)->format;
}

static uint64_t frame_ns(Device *dev) {
    const Model *m = model_of(dev);
    return m->bit_ns * (10 + (m->format.parity != UART_PARITY_NONE) + m->format.two_stop_bits);
}

static uint64_t now_ns(Device *dev) {
    return device_now_ns(dev);
}

static const DeviceType model_type = {.name = "model", .struct_size = sizeof(Model),
                                      .uart_offset = offsetof(Model, port)};

static Model model_new(FakeBoard *fake, uint64_t bit_ns, UartParity parity, bool two_stop_bits) {
    Model m = {.dev = {.type = &model_type, .name = "model", .board = &fake->board},
               .format = {parity, two_stop_bits},
               .bit_ns = bit_ns};
    m.port = (UartPort){.now_ns = now_ns, .can_receive = can_receive, .receive = receive, .damaged = heard,
                        .frame_ns = frame_ns, .format = format};
    return m;
}

/* From one to the other; the frame begins at `start_ns`. */
static void pass(FakeBoard *fake, Model *from, Model *to, uint8_t byte, uint64_t start_ns, uint64_t *busy_ns) {
    from->port.device = &from->dev;
    to->port.device = &to->dev;
    UartWave wave = uart_wave(&from->port, byte);
    fake->now_ns = start_ns + wave.frame_ns;
    uart_wave_arrived(&to->port, &wave, busy_ns);
}

static void equal_formats(void **state) {
    (void)state;
    FakeBoard fake;
    fake_board_init(&fake);
    for (unsigned parity = UART_PARITY_NONE; parity <= UART_PARITY_ODD; parity++) {
        for (uint64_t bit_ns = 951; bit_ns <= 1052; bit_ns++) { /* up to 5 % apart */
            Model from = model_new(&fake, BIT_NS, parity, parity == 2), to = model_new(&fake, bit_ns, parity, false);
            uint64_t busy_ns = 0;
            for (unsigned byte = 0; byte < 256; byte += 5) {
                to.n = 0;
                pass(&fake, &from, &to, (uint8_t)byte, (byte + 1) * 100000, &busy_ns);
                bool far = parity && (bit_ns < 957 || bit_ns > 1047); /* one bit more to drift in */
                if (!far) {
                    assert_int_equal(to.n, 1);
                    assert_int_equal(to.heard[0].byte, byte);
                    assert_int_equal(to.heard[0].bad, 0);
                }
            }
        }
    }
    fake_board_free(&fake);
}

static void other_formats(void **state) {
    (void)state;
    FakeBoard fake;
    fake_board_init(&fake);
    Model plain = model_new(&fake, BIT_NS, UART_PARITY_NONE, false), even = model_new(&fake, BIT_NS, 1, false);
    Model odd = model_new(&fake, BIT_NS, UART_PARITY_ODD, false);
    uint64_t busy_ns = 0;
    pass(&fake, &odd, &even, 0x41, 1000000, &busy_ns);
    assert_int_equal(even.heard[0].byte, 0x41);
    assert_int_equal(even.heard[0].bad, UART_BAD_PARITY);
    /* 0x41 has two ones: its even parity bit is 0, where 8N1 expects the stop bit; 0x43's is 1 */
    pass(&fake, &even, &plain, 0x41, 2000000, &busy_ns);
    assert_int_equal(plain.heard[0].byte, 0x41);
    assert_int_equal(plain.heard[0].bad, UART_BAD_STOP);
    pass(&fake, &even, &plain, 0x43, 3000000, &busy_ns);
    assert_int_equal(plain.heard[1].bad, 0);
    /* the stop bit stands where the parity is expected, the idle line behind it */
    pass(&fake, &plain, &even, 0x43, 4000000, &busy_ns);
    assert_int_equal(even.heard[1].bad, 0);
    pass(&fake, &plain, &even, 0x41, 5000000, &busy_ns);
    assert_int_equal(even.heard[2].bad, UART_BAD_PARITY);
    fake_board_free(&fake);
}

/* Half the speed: samples at bits 1, 3, 5, 7, 9 of the frame and of the idle line behind it. 0x00 is low in bits 0 to
 * 8: start, three zeros, ones: 0xF8. 0x55 is high in bit 1: no start bit, and so at each of its falling edges.
 * Twice the speed: samples at bits 0, 0, 1, 1, 2, 2, 3, 3, 4, and the stop bit at 4. 0x0F is high in bits 1 to 4: one
 * more 0 and ones: 0xFE, stop bit high. The next falling edge is bit 5: 5, 5, 6, 6, 7, 7, 8, 8 low, then 9: 0x80. */
static void other_speeds(void **state) {
    (void)state;
    FakeBoard fake;
    fake_board_init(&fake);
    Model from = model_new(&fake, BIT_NS, UART_PARITY_NONE, false), slow = model_new(&fake, 2 * BIT_NS, 0, false);
    Model fast = model_new(&fake, BIT_NS / 2, UART_PARITY_NONE, false);
    uint64_t busy_ns = 0;
    pass(&fake, &from, &slow, 0x55, 1000000, &busy_ns);
    assert_int_equal(slow.n, 0);
    pass(&fake, &from, &slow, 0x00, 2000000, &busy_ns);
    assert_int_equal(slow.n, 1);
    assert_int_equal(slow.heard[0].byte, 0xF8);
    assert_int_equal(slow.heard[0].bad, 0);
    assert_int_equal(busy_ns, 2000000 + 19 * BIT_NS);
    pass(&fake, &from, &slow, 0x00, 2000000 + 10 * BIT_NS, &busy_ns); /* it is still in the middle of that */
    assert_int_equal(slow.n, 1);
    pass(&fake, &from, &slow, 0x00, 2000000 + 20 * BIT_NS, &busy_ns);
    assert_int_equal(slow.n, 2);
    busy_ns = 0;
    pass(&fake, &from, &fast, 0x0F, 3000000, &busy_ns);
    assert_int_equal(fast.n, 2);
    assert_int_equal(fast.heard[0].byte, 0xFE);
    assert_int_equal(fast.heard[1].byte, 0x80);
    assert_int_equal(fast.heard[0].bad | fast.heard[1].bad, 0);
    fake_board_free(&fake);
}

/* ---- Devices ---- */

static Device *device(FakeBoard *fake, const DeviceType *type) {
    Device *dev = fake_device_new(fake, type, "uart");
    assert_true(fake_device_start(dev));
    return dev;
}

/* A frame of the device's own speed whose bits `flip` are inverted. */
static void arrive(Device *dev, uint8_t byte, uint32_t flip) {
    UartPort *port = device_uart(dev);
    UartWave wave = uart_wave(port, byte);
    uint64_t busy_ns = 0;
    wave.levels ^= flip;
    CONTAINER_OF(dev->board, FakeBoard, board)->now_ns += wave.frame_ns;
    uart_wave_arrived(port, &wave, &busy_ns);
}

enum { STOP_8N1 = 1 << 9, PARITY_8E1 = 1 << 9, STOP_8E1 = 1 << 10 };

/* RE, PE; the FIFO has room for 8 bytes. */
static void apbuart_errors(void **state) {
    (void)state;
    FakeBoard fake;
    fake_board_init(&fake);
    Device *u = device(&fake, &gaisler_apbuart_type);
    enum { DATA = 0, STATUS = 4, CTRL = 8, SCALER = 12, ERRORS = 0x78 };
    device_reg_write(u, SCALER, 4, 53);
    arrive(u, 1, STOP_8N1); /* the receiver is off */
    device_reg_write(u, CTRL, 4, 1);
    assert_int_equal(device_reg_read(u, STATUS, 4) & (ERRORS | 1), 0);
    arrive(u, 1, STOP_8N1);
    assert_int_equal(device_reg_read(u, STATUS, 4) & (ERRORS | 1), 0x40);
    device_reg_write(u, STATUS, 4, 0);
    arrive(u, 0, STOP_8N1);
    assert_int_equal(device_reg_read(u, STATUS, 4) & (ERRORS | 1), 0x08);
    device_reg_write(u, STATUS, 4, 0);
    device_reg_write(u, CTRL, 4, 0x21);
    arrive(u, 1, PARITY_8E1);
    assert_int_equal(device_reg_read(u, STATUS, 4) & (ERRORS | 1), 0x20);
    device_reg_write(u, CTRL, 4, 0x31); /* odd */
    device_reg_write(u, STATUS, 4, 0);
    for (unsigned i = 0; i < 9; i++) {
        arrive(u, (uint8_t)i, 0);
    }
    assert_int_equal(device_reg_read(u, STATUS, 4) & ERRORS, 0); /* the ninth is in the shift register */
    arrive(u, 9, 0);
    assert_int_equal(device_reg_read(u, STATUS, 4) & ERRORS, 0x10);
    static const uint8_t expected[] = {0, 1, 2, 3, 4, 5, 6, 7, 9};
    for (unsigned i = 0; i < 9; i++) {
        assert_int_equal(device_reg_read(u, STATUS, 4) & 1, 1);
        assert_int_equal(device_reg_read(u, DATA, 4), expected[i]);
    }
    assert_int_equal(device_reg_read(u, STATUS, 4) & 1, 0);
    fake_board_free(&fake);
}

static void nrf51_errors(void **state) {
    (void)state;
    FakeBoard fake;
    fake_board_init(&fake);
    Device *u = device(&fake, &nrf51_uart);
    enum { STARTRX = 0, RXDRDY = 0x108, ERROR = 0x124, ERRORSRC = 0x480, ENABLE = 0x500, PSELRXD = 0x514, RXD = 0x518,
           CONFIG = 0x56C };
    device_reg_write(u, ENABLE, 4, 4);
    device_reg_write(u, PSELRXD, 4, 25);
    arrive(u, 1, STOP_8N1); /* not started */
    assert_int_equal(device_reg_read(u, ERROR, 4), 0);
    device_reg_write(u, STARTRX, 4, 1);
    arrive(u, 1, STOP_8N1);
    assert_int_equal(device_reg_read(u, ERROR, 4), 1);
    assert_int_equal(device_reg_read(u, ERRORSRC, 4), 4);
    arrive(u, 0, STOP_8N1);
    assert_int_equal(device_reg_read(u, ERRORSRC, 4), 12);
    device_reg_write(u, ERRORSRC, 4, 12);
    device_reg_write(u, CONFIG, 4, 0xE);
    arrive(u, 1, PARITY_8E1);
    assert_int_equal(device_reg_read(u, ERRORSRC, 4), 2);
    arrive(u, 1, STOP_8E1);
    assert_int_equal(device_reg_read(u, ERRORSRC, 4), 6);
    assert_int_equal(device_reg_read(u, RXDRDY, 4), 0); /* nothing of all that was received */
    device_reg_write(u, ERRORSRC, 4, 15);
    for (unsigned i = 0; i < 7; i++) {
        arrive(u, (uint8_t)(i + 1), 0);
        assert_int_equal(device_reg_read(u, ERRORSRC, 4), i < 6 ? 0 : 1);
    }
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(device_reg_read(u, RXD, 4), i + 1);
    }
    arrive(u, 0x5A, 0);
    assert_int_equal(device_reg_read(u, RXD, 4), 0x5A);
    fake_board_free(&fake);
}

/* It looks neither at the stop bit nor at anything else. */
static void cmsdk_takes_all(void **state) {
    (void)state;
    FakeBoard fake;
    fake_board_init(&fake);
    Device *u = device(&fake, &cmsdk_uart_type);
    enum { DATA = 0, STATE = 4, CTRL = 8, BAUDDIV = 16 };
    device_reg_write(u, BAUDDIV, 4, 217);
    device_reg_write(u, CTRL, 4, 2);
    arrive(u, 0x77, STOP_8N1);
    assert_int_equal(device_reg_read(u, STATE, 4), 2);
    assert_int_equal(device_reg_read(u, DATA, 4), 0x77);
    arrive(u, 1, 0);
    arrive(u, 2, 0);
    assert_int_equal(device_reg_read(u, STATE, 4), 0xA);
    assert_int_equal(device_reg_read(u, DATA, 4), 2);
    fake_board_free(&fake);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_formats),  cmocka_unit_test(other_formats), cmocka_unit_test(other_speeds),
        cmocka_unit_test(apbuart_errors), cmocka_unit_test(nrf51_errors),  cmocka_unit_test(cmsdk_takes_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
