// What followers learn of the server itself: subnets, pools and reservations for the feed's Config, who it is for its Hello.
#pragma once

#include <dhcpsrv/srv_config.h>

#include <cstddef>
#include <string>

#include "../core/feed.h"

namespace lease_feed {

/// The Kea that this library was built for, and so the one that it runs in: "3.0.3".
std::string keaVersion();

/// Subnets and reservations of a configuration, staged or current, for Feed::setConfig().
std::string encodeConfig(Family family, const isc::dhcp::ConstSrvConfigPtr& config);

/// The server's DUID (v6) or the addresses it answers with (v4), versions, and whether relay data is stored.
Identity identityOf(Family family, const isc::dhcp::ConstSrvConfigPtr& config, bool tap);

struct ExtendedInfo {
    std::size_t subnets = 0;
    std::size_t without = 0;  ///< subnets that do not store relay data with their leases
};
ExtendedInfo extendedInfoOf(Family family, const isc::dhcp::ConstSrvConfigPtr& config);

/// Whether the configuration belongs to `kea-dhcp4 -T` or `kea-dhcp6 -T`, which call the callouts of a real start.
bool isConfigurationTest(const isc::dhcp::ConstSrvConfigPtr& config);

}  // namespace lease_feed
