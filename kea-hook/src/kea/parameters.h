// The library's parameters in kea.conf: checked, with defaults filled in. Files, keys and addresses are not touched
// here; they are the sidecar's to check.
#pragma once

#include <cc/data.h>

#include <cstdint>
#include <string>
#include <vector>

#include "../core/feed.h"

namespace lease_feed {

/// A parameter that cannot be accepted.
struct ConfigProblem {
    std::string parameter;  ///< e.g. "requesters[1].keepalive.interval"
    std::string value;      ///< as JSON, cut to a readable length
    std::string place;      ///< file, line and column; empty where Kea does not say, as for a command
    std::string reason;     ///< one sentence without its full stop
};

struct Config {
    FeedSettings feed;
    bool tap = true;                      ///< watch the lease manager
    std::vector<std::uint16_t> captured;  ///< codes of the client options kept with a lease, ascending
    isc::data::ElementPtr service;        ///< what Hello says of the requestor service
};

/// The configuration of an empty parameter block: a feed, and no service.
Config defaultConfig(Family family);

/// @param parameters  a map, or null for none
/// @param problems    gets every refused parameter; the result is to be used only if it got none
Config parseConfig(Family family, const isc::data::ConstElementPtr& parameters, std::vector<ConfigProblem>& problems);

/// "value 70000 at /etc/kea/kea-dhcp4.conf:12:33", for the log.
std::string valueAndPlace(const ConfigProblem& problem);

}  // namespace lease_feed
