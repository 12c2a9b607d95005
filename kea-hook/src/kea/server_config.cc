#include "kea.h"

#include "server_config.h"

#include <asiolink/addr_utilities.h>
#include <dhcp/dhcp4.h>
#include <dhcp/iface_mgr.h>
#include <dhcp/option_custom.h>
#include <dhcpsrv/cfg_option.h>
#include <dhcpsrv/cfg_shared_networks.h>
#include <dhcpsrv/cfg_subnets4.h>
#include <dhcpsrv/cfg_subnets6.h>
#include <dhcpsrv/pool.h>
#include <dhcpsrv/shared_network.h>
#include <dhcpsrv/subnet.h>

#include <algorithm>
#include <deque>

#include "from_kea.h"
#include "reservations.h"

using isc::asiolink::IOAddress;
using isc::data::ConstElementPtr;
using isc::data::Element;
using isc::dhcp::ConstSrvConfigPtr;
using isc::dhcp::IfaceMgr;
using isc::dhcp::Lease;
using isc::dhcp::OptionPtr;
using isc::dhcp::Pool6;
using isc::dhcp::Pool6Ptr;
using isc::dhcp::SharedNetwork4Ptr;
using isc::dhcp::SharedNetwork6Ptr;

namespace lease_feed {
namespace {

// Holds the octets that a SubnetView points to.
class SubnetScratch {
public:
    Octets keep(const IOAddress& address) {
        octets_.emplace_back(address);
        return octets_.back().view();
    }

private:
    std::deque<AddressOctets> octets_;
};

template <typename Subnet>
void describe(const Subnet& subnet, SubnetView& view, SubnetScratch& scratch) {
    const auto prefix = subnet.get();
    view.id = subnet.getID();
    view.prefix = scratch.keep(prefix.first);
    view.prefix_length = prefix.second;
    for (const auto& address : subnet.getRelayAddresses()) {
        view.relay_addresses.push_back(scratch.keep(address));
    }
    if (!subnet.getT1().unspecified()) {
        view.renew_timer = subnet.getT1().get();
    }
    if (!subnet.getT2().unspecified()) {
        view.rebind_timer = subnet.getT2().get();
    }
}

// The network's relays stand for its subnets that name none of their own.
template <typename NetworkPtr, typename Subnet>
std::string joinNetwork(const Subnet& subnet, SubnetView& view, SubnetScratch& scratch) {
    NetworkPtr network;
    subnet.getSharedNetwork(network);
    if (!network) {
        return std::string();
    }
    if (view.relay_addresses.empty()) {
        for (const auto& address : network->getRelayAddresses()) {
            view.relay_addresses.push_back(scratch.keep(address));
        }
    }
    return network->getName();
}

template <typename Subnet>
void describePools(const Subnet& subnet, Lease::Type type, SubnetView& view, SubnetScratch& scratch) {
    for (const auto& pool : subnet.getPools(type)) {
        view.pools.push_back({scratch.keep(pool->getFirstAddress()), scratch.keep(pool->getLastAddress())});
    }
}

std::string encodeSubnets4(const ConstSrvConfigPtr& config) {
    std::string encoded;
    for (const auto& subnet : *config->getCfgSubnets4()->getAll()) {
        SubnetView view;
        SubnetScratch scratch;
        describe(*subnet, view, scratch);
        const std::string network = joinNetwork<SharedNetwork4Ptr>(*subnet, view, scratch);
        view.shared_network = network;
        describePools(*subnet, Lease::TYPE_V4, view, scratch);
        encodeSubnet(encoded, view);
    }
    return encoded;
}

std::string encodeSubnets6(const ConstSrvConfigPtr& config) {
    std::string encoded;
    for (const auto& subnet : *config->getCfgSubnets6()->getAll()) {
        SubnetView view;
        SubnetScratch scratch;
        describe(*subnet, view, scratch);
        const std::string network = joinNetwork<SharedNetwork6Ptr>(*subnet, view, scratch);
        view.shared_network = network;
        describePools(*subnet, Lease::TYPE_NA, view, scratch);
        for (const auto& pool : subnet->getPools(Lease::TYPE_PD)) {
            const Pool6Ptr prefixes = boost::dynamic_pointer_cast<Pool6>(pool);
            if (!prefixes) {
                continue;
            }
            view.prefix_pools.push_back(
                {scratch.keep(prefixes->getFirstAddress()),
                 static_cast<std::uint8_t>(isc::asiolink::prefixLengthFromRange(prefixes->getFirstAddress(),
                                                                            prefixes->getLastAddress())),
                 prefixes->getLength()});
        }
        encodeSubnet(encoded, view);
    }
    return encoded;
}

void addOnce(std::vector<std::string>& identifiers, const IOAddress& address) {
    if (!address.isV4() || address.isV4Zero()) {
        return;
    }
    const std::string octets(AddressOctets(address).view());
    if (std::find(identifiers.begin(), identifiers.end(), octets) == identifiers.end()) {
        identifiers.push_back(octets);
    }
}

void addConfigured(std::vector<std::string>& identifiers, const isc::dhcp::ConstCfgOptionPtr& options) {
    const auto option = options->get("dhcp4", isc::dhcp::DHO_DHCP_SERVER_IDENTIFIER).option_;
    if (!option) {
        return;
    }
    const auto address = boost::dynamic_pointer_cast<const isc::dhcp::OptionCustom>(option);
    if (address) {
        addOnce(identifiers, address->readAddress());
    }
}

// The option where it is configured, since it replaces the address; then the addresses of the open sockets.
std::vector<std::string> serverIdentifiers(const ConstSrvConfigPtr& config) {
    std::vector<std::string> identifiers;
    addConfigured(identifiers, config->getCfgOption());
    for (const auto& network : *config->getCfgSharedNetworks4()->getAll()) {
        addConfigured(identifiers, network->getCfgOption());
    }
    for (const auto& subnet : *config->getCfgSubnets4()->getAll()) {
        addConfigured(identifiers, subnet->getCfgOption());
    }
    for (const auto& iface : IfaceMgr::instance().getIfaces()) {
        for (const auto& socket : iface->getSockets()) {
            addOnce(identifiers, socket.addr_);
        }
    }
    return identifiers;
}

template <typename Subnets>
ExtendedInfo count(const Subnets& subnets) {
    ExtendedInfo result;
    for (const auto& subnet : subnets) {
        ++result.subnets;
        if (subnet->getStoreExtendedInfo().unspecified() || !subnet->getStoreExtendedInfo().get()) {
            ++result.without;
        }
    }
    return result;
}

}  // namespace

std::string keaVersion() {
    return std::to_string(LEASE_FEED_KEA_VERSION / 10000) + "." + std::to_string(LEASE_FEED_KEA_VERSION / 100 % 100) +
           "." + std::to_string(LEASE_FEED_KEA_VERSION % 100);
}

std::string encodeConfig(Family family, const ConstSrvConfigPtr& config) {
    std::string encoded = family == Family::v4 ? encodeSubnets4(config) : encodeSubnets6(config);
    encodeReservations(encoded, family, config);
    return encoded;
}

Identity identityOf(Family family, const ConstSrvConfigPtr& config, bool tap) {
    Identity identity;
    identity.kea_version = keaVersion();
    identity.hook_version = LEASE_FEED_VERSION;
    if (family == Family::v6) {
        const auto duid = config->getCfgDUID()->getCurrentDuid();
        if (duid) {
            identity.server_duid = std::string(octets(duid->getDuid()));
        }
    } else {
        identity.server_identifiers = serverIdentifiers(config);
    }
    identity.tap = tap;
    const ExtendedInfo info = extendedInfoOf(family, config);
    identity.extended_info = info.without == 0;
    return identity;
}

ExtendedInfo extendedInfoOf(Family family, const ConstSrvConfigPtr& config) {
    return family == Family::v4 ? count(*config->getCfgSubnets4()->getAll())
                                : count(*config->getCfgSubnets6()->getAll());
}

bool isConfigurationTest(const ConstSrvConfigPtr& config) {
    // Under -T, and only there, Kea itself appends these words to the access string of the lease database.
    const std::string access = config->getCfgDbAccess()->getLeaseDbAccessString();
    return access.find("universe=4 persist=false") != std::string::npos ||
           access.find("universe=6 persist=false") != std::string::npos;
}

}  // namespace lease_feed
