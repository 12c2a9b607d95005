// Text that a peer sent, on its way into Kea's log and status.
#pragma once

#include <string>

#include "lease.h"

namespace lease_feed {

/// At most `most` octets, and nothing that could forge a log line or break JSON: control characters, and all that is
/// not UTF-8, become '?'.
std::string cleanText(Octets text, std::size_t most);

}  // namespace lease_feed
