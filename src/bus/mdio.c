#include "bus/mdio.h"

enum { BMCR_RESET = 0x8000, BMCR_LOOPBACK = 0x4000, BMCR_AN_ENABLE = 0x1000, BMCR_AN_RESTART = 0x0200,
       BMCR_KEPT = 0x7D80 };
enum { BMSR_ABILITIES = 0x7809, BMSR_AN_COMPLETE = 0x0020, BMSR_LINK = 0x0004 };
enum { ANAR_KEPT = 0x2DFF, ANLPAR_PARTNER = 0x41E1, ANER_PARTNER_ABLE = 0x0001 };

uint16_t phy_read(EthPhy *phy, unsigned reg, bool link) {
    uint16_t status = BMSR_ABILITIES;
    bool negotiated = link && (phy->bmcr & BMCR_AN_ENABLE);
    switch (reg) {
    case PHY_BMCR:
        return phy->bmcr;
    case PHY_BMSR:
        status |= negotiated ? BMSR_AN_COMPLETE : 0;
        status |= link && !phy->link_lost ? BMSR_LINK : 0;
        phy->link_lost = !link;
        return status;
    case PHY_ID1:
        return (uint16_t)(phy->id >> 16);
    case PHY_ID2:
        return (uint16_t)phy->id;
    case PHY_ANAR:
        return phy->anar;
    case PHY_ANLPAR:
        return negotiated ? ANLPAR_PARTNER : 0;
    case PHY_ANER:
        return negotiated ? ANER_PARTNER_ABLE : 0;
    default:
        return phy->more && reg < PHY_REGS ? (uint16_t)phy->more[reg] : 0;
    }
}

void phy_write(EthPhy *phy, unsigned reg, uint16_t value) {
    if (reg == PHY_BMCR && (value & BMCR_RESET)) {
        phy->bmcr = PHY_BMCR_RESET_VALUE;
        phy->anar = PHY_ANAR_RESET_VALUE;
    } else if (reg == PHY_BMCR) {
        phy->bmcr = value & BMCR_KEPT & (uint16_t)~BMCR_AN_RESTART;
    } else if (reg == PHY_ANAR) {
        phy->anar = value & ANAR_KEPT;
    }
}

bool phy_loops_back(const EthPhy *phy) {
    return phy->bmcr & BMCR_LOOPBACK;
}
