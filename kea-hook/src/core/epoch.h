// One life of a feed: its sequence numbers mean nothing in another one.
#pragma once

#include <string>

#include "lease.h"

namespace lease_feed {

/// 16 octets: Unix milliseconds (8, big-endian), then 8 random ones, so that of two epochs the newer is known.
std::string newEpoch();

std::string toHex(Octets octets);

}  // namespace lease_feed
