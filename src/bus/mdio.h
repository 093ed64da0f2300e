/* An Ethernet PHY as its management registers show it (IEEE 802.3 clause 22): 10 and 100 Mbit/s, full and half duplex,
 * auto-negotiation that is over at once. Not modelled: gigabit, extended pages, vendor registers, energy detection. */
#ifndef BUS_MDIO_H
#define BUS_MDIO_H

#include "base/field.h"

enum { PHY_BMCR = 0, PHY_BMSR = 1, PHY_ID1 = 2, PHY_ID2 = 3, PHY_ANAR = 4, PHY_ANLPAR = 5, PHY_ANER = 6 };
enum { PHY_REGS = 32 };
enum { PHY_BMCR_RESET_VALUE = 0x3100, PHY_ANAR_RESET_VALUE = 0x01E1 };

typedef struct EthPhy {
    uint32_t id; /* PHY_ID1 above PHY_ID2; no state */
    const uint32_t *more; /* PHY_REGS registers, of which those behind PHY_ANER read so; NULL: as 0 */
    uint16_t bmcr, anar;
    uint8_t link_lost; /* since BMSR was read: its link bit latches low */
} EthPhy;

uint16_t phy_read(EthPhy *phy, unsigned reg, bool link);
void phy_write(EthPhy *phy, unsigned reg, uint16_t value);
/** Loopback (BMCR): the controller gets its own frames, and is cut off from the link. */
bool phy_loops_back(const EthPhy *phy);

/** For the field table of the device that holds it. */
#define PHY_FIELDS(type, member)                                                                                       \
    FIELD(type, member.bmcr, PHY_BMCR_RESET_VALUE, "PHY: basic control"),                                              \
        FIELD(type, member.anar, PHY_ANAR_RESET_VALUE, "PHY: advertisement"),                                          \
        FIELD_MAX(type, member.link_lost, 0, 1, "PHY: the link was down")

#endif
