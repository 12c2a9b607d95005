// What Kea's commands do to leases, subnets and reservations, as far as their names, arguments and answers tell.
#pragma once

#include <cc/data.h>

#include <string>
#include <vector>

#include "from_kea.h"

namespace lease_feed {

/// One of the lease_cmds library's that write.
bool writesLeases(const std::string& command);
/// Of these, those that take the leases of a whole subnet away.
bool wipesLeases(const std::string& command);
/// Commands after which subnets or reservations may be others.
bool changesConfig(const std::string& command);
/// The addresses that a command names; none for one that names a client or a subnet.
std::vector<AddressOctets> addressesOf(const isc::data::ConstElementPtr& arguments);
/// Whether the command says of itself that a high-availability partner sent it, as it does since Kea 3.0.
bool saysPartner(const isc::data::ConstElementPtr& arguments);
/// Whether a command's answer reports success, and no exception to it (as lease6-bulk-apply does).
bool isDone(const isc::data::ConstElementPtr& response);

}  // namespace lease_feed
