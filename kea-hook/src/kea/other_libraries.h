// What the other libraries of a configuration do that ours has to reckon with.
#pragma once

#include <dhcpsrv/srv_config.h>

namespace lease_feed {

/// Whether the high-availability library is among them: it writes the partner's leases on threads of its own.
bool isHighlyAvailable(const isc::dhcp::ConstSrvConfigPtr& config);

/// Whether one of them may hold a packet back (Kea: park it). Such a packet goes on later, on another thread, or never.
bool othersMayPark(const isc::dhcp::ConstSrvConfigPtr& config);

}  // namespace lease_feed
