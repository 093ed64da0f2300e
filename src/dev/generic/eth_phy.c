/* An Ethernet PHY as a part of its own (bus/mdio.h), for controllers whose platform file names one:
 * `phy: Network.EthernetPhysicalLayer @ greth 0`, where the number is its management address. Properties are its
 * registers, as Renode calls them. Control, status and auto-negotiation (registers 0, 1, 4 to 6) follow the link
 * whatever is said of them; the identifiers and all others read as given. */
#include "bus/device.h"
#include "bus/mdio.h"

typedef struct PhyPart {
    Device dev;
    EthPhy phy;
    uint32_t given[PHY_REGS];
} PhyPart;

static bool phy_init(Device *dev, Err *err) {
    PhyPart *p = (PhyPart *)dev;
    for (unsigned i = 0; i < PHY_REGS; i++) {
        if (p->given[i] > UINT16_MAX) {
            return err_set(err, "%s: register %u has 16 bits", dev->name, i);
        }
    }
    p->phy.id = p->given[PHY_ID1] << 16 | p->given[PHY_ID2];
    p->phy.more = p->given;
    return true;
}

#define GIVEN(number, name, text) PROP_U32(PhyPart, given[number], name, 0, text)
#define FOLLOWS(number, name) GIVEN(number, name, "follows the link, whatever is said here")
static const Prop props[] = {
    FOLLOWS(PHY_BMCR, "BasicControl"),
    FOLLOWS(PHY_BMSR, "BasicStatus"),
    GIVEN(PHY_ID1, "Id1", "upper half of the identifier"),
    GIVEN(PHY_ID2, "Id2", "lower half of the identifier"),
    FOLLOWS(PHY_ANAR, "AutoNegotiationAdvertisement"),
    FOLLOWS(PHY_ANLPAR, "AutoNegotiationLinkPartnerBasePageAbility"),
    FOLLOWS(PHY_ANER, "AutoNegotiationExpansion"),
    GIVEN(7, "AutoNegotiationNextPageTransmit", "register 7"),
    GIVEN(8, "AutoNegotiationLinkPartnerReceivedNextPage", "register 8"),
    GIVEN(9, "MasterSlaveControl", "register 9"),
    GIVEN(10, "MasterSlaveStatus", "register 10"),
    GIVEN(11, "PowerSourcingEquipmentControl", "register 11"),
    GIVEN(12, "PowerSourcingEquipmentStatus", "register 12"),
    GIVEN(13, "MDIOManageableDeviceAccessControl", "register 13"),
    GIVEN(15, "ExtendedStatus", "register 15"),
    GIVEN(16, "VendorSpecific0", "register 16"),
    GIVEN(17, "VendorSpecific1", "register 17"),
    GIVEN(18, "VendorSpecific2", "register 18"),
    GIVEN(19, "VendorSpecific3", "register 19"),
    GIVEN(20, "VendorSpecific4", "register 20"),
    GIVEN(21, "VendorSpecific5", "register 21"),
    GIVEN(22, "VendorSpecific6", "register 22"),
    GIVEN(23, "VendorSpecific7", "register 23"),
    GIVEN(24, "VendorSpecific8", "register 24"),
    GIVEN(25, "VendorSpecific9", "register 25"),
    GIVEN(26, "VendorSpecific10", "register 26"),
    GIVEN(27, "VendorSpecific11", "register 27"),
    GIVEN(28, "VendorSpecific12", "register 28"),
    GIVEN(29, "VendorSpecific13", "register 29"),
    GIVEN(30, "VendorSpecific14", "register 30"),
    GIVEN(31, "VendorSpecific15", "register 31"),
};

static const Field fields[] = {PHY_FIELDS(PhyPart, phy)};
static const char *const repl_types[] = {"Network.EthernetPhysicalLayer", NULL};

const DeviceType eth_phy_type = {
    .name = "ethernet-phy",
    .summary = "PHY of an Ethernet controller, at its management address",
    .repl_types = repl_types,
    .struct_size = sizeof(PhyPart),
    DEVICE_TABLE(props, props),
    DEVICE_TABLE(fields, fields),
    .phy_offset = offsetof(PhyPart, phy),
    .init = phy_init,
};
