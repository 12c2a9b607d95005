#include "kea.h"

#include "reservations.h"

#include <asiolink/addr_utilities.h>
#include <dhcpsrv/cfg_hosts.h>
#include <dhcpsrv/cfg_subnets4.h>
#include <dhcpsrv/cfg_subnets6.h>
#include <dhcpsrv/host.h>
#include <dhcpsrv/network.h>
#include <dhcpsrv/subnet.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include "from_kea.h"

using isc::asiolink::IOAddress;
using isc::dhcp::ConstCfgHostsPtr;
using isc::dhcp::ConstHostCollection;
using isc::dhcp::ConstSrvConfigPtr;
using isc::dhcp::IPv6Resrv;
using isc::dhcp::Network;
using isc::dhcp::Subnet6;
using isc::dhcp::SUBNET_ID_GLOBAL;

namespace lease_feed {
namespace {

// Ranges of addresses of `Size` octets, in any order, some of them twice.
template <std::size_t Size>
class Ranges {
public:
    void add(const IOAddress& first, const IOAddress& last) { ranges_.push_back({address(first), address(last)}); }

    // Ascending, what meets or overlaps joined.
    void encode(std::string& encoded) {
        std::sort(ranges_.begin(), ranges_.end());
        for (auto range = ranges_.cbegin(); range != ranges_.cend();) {
            const Address first = range->first;
            Address last = range->second;
            while (++range != ranges_.cend() && (range->first <= last || follows(range->first, last))) {
                last = std::max(last, range->second);
            }
            encodeReserved(encoded, view(first), view(last));
        }
    }

private:
    using Address = std::array<unsigned char, Size>;

    static Address address(const IOAddress& given) {
        const AddressOctets octets(given);
        Address result{};
        std::memcpy(result.data(), octets.data.data(), Size);
        return result;
    }
    static Octets view(const Address& address) {
        return Octets(reinterpret_cast<const char*>(address.data()), address.size());
    }
    static bool follows(const Address& next, Address last) {
        for (auto octet = last.rbegin(); octet != last.rend() && ++*octet == 0; ++octet) {
        }
        return next == last;
    }

    std::vector<std::pair<Address, Address>> ranges_;
};

// Kea's own getters look into the configuration that runs for what a subnet inherits from the top level, but this one
// may be staged yet.
class Inherited {
public:
    Inherited(const ConstSrvConfigPtr& config, const char* name, bool unless_given) : global_(unless_given) {
        const isc::data::ConstElementPtr given = config->getConfiguredGlobal(name);
        if (given && given->getType() == isc::data::Element::boolean) {
            global_ = given->boolValue();
        }
    }
    template <typename Getter>
    bool of(Getter getter) const {
        for (const Network::Inheritance from : {Network::Inheritance::NONE, Network::Inheritance::PARENT_NETWORK}) {
            const auto value = getter(from);
            if (!value.unspecified()) {
                return value.get();
            }
        }
        return global_;
    }

private:
    bool global_;
};

// What subnets heed, of a whole configuration.
class Heeds {
public:
    explicit Heeds(const ConstSrvConfigPtr& config)
        : in_subnet_(config, "reservations-in-subnet", true), global_(config, "reservations-global", false) {}

    template <typename Subnet>
    bool inSubnet(const Subnet& subnet) const {
        return in_subnet_.of([&](Network::Inheritance from) { return subnet.getReservationsInSubnet(from); });
    }
    template <typename Subnet>
    bool global(const Subnet& subnet) const {
        return global_.of([&](Network::Inheritance from) { return subnet.getReservationsGlobal(from); });
    }

private:
    Inherited in_subnet_, global_;
};

void add4(Ranges<4>& ranges, const ConstHostCollection& hosts) {
    for (const auto& host : hosts) {
        const IOAddress& address = host->getIPv4Reservation();
        if (!address.isV4Zero()) {
            ranges.add(address, address);
        }
    }
}

// @param subnet  whose addresses are left out: they are on its link anyway
void add6(Ranges<16>& ranges, const ConstHostCollection& hosts, const Subnet6* subnet) {
    for (const auto& host : hosts) {
        const auto addresses = host->getIPv6Reservations(IPv6Resrv::TYPE_NA);
        for (auto it = addresses.first; it != addresses.second; ++it) {
            const IOAddress& address = it->second.getPrefix();
            if (!subnet || !subnet->inRange(address)) {
                ranges.add(address, address);
            }
        }
        const auto prefixes = host->getIPv6Reservations(IPv6Resrv::TYPE_PD);
        for (auto it = prefixes.first; it != prefixes.second; ++it) {
            const IOAddress& prefix = it->second.getPrefix();
            const std::uint8_t length = it->second.getPrefixLen();
            ranges.add(isc::asiolink::firstAddrInPrefix(prefix, length),
                       isc::asiolink::lastAddrInPrefix(prefix, length));
        }
    }
}

}  // namespace

void encodeReservations(std::string& encoded, Family family, const ConstSrvConfigPtr& config) {
    const ConstCfgHostsPtr hosts = config->getCfgHosts();
    const Heeds heeds(config);
    bool global = false;
    if (family == Family::v4) {
        Ranges<4> ranges;
        for (const auto& subnet : *config->getCfgSubnets4()->getAll()) {
            global = global || heeds.global(*subnet);
            if (heeds.inSubnet(*subnet)) {
                add4(ranges, hosts->getAll4(subnet->getID()));
            }
        }
        if (global) {
            add4(ranges, hosts->getAll4(SUBNET_ID_GLOBAL));
        }
        ranges.encode(encoded);
        return;
    }
    Ranges<16> ranges;
    for (const auto& subnet : *config->getCfgSubnets6()->getAll()) {
        global = global || heeds.global(*subnet);
        if (heeds.inSubnet(*subnet)) {
            add6(ranges, hosts->getAll6(subnet->getID()), subnet.get());
        }
    }
    if (global) {
        add6(ranges, hosts->getAll6(SUBNET_ID_GLOBAL), nullptr);
    }
    ranges.encode(encoded);
}

}  // namespace lease_feed
