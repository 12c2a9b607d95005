// What the library tells about itself: the answer to lease-feed-status, statistics, and log lines about followers.
#pragma once

#include <cc/data.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "../core/feed.h"
#include "parameters.h"

namespace lease_feed {

/// Which parameters the requestor service runs under.
enum class ServiceFrom { configuration, last_good, defaults };

/// For logs and status: "as configured" and the like.
const char* nameOf(ServiceFrom from);

/// The feed's part of lease-feed-status, added to what is there already.
void describeFeed(const isc::data::ElementPtr& to, const FeedStatus& status);
isc::data::ElementPtr describeFollowers(const FeedStatus& status);
/// @param problems  parameters that were refused
isc::data::ElementPtr describeService(ServiceFrom from, const isc::data::ElementPtr& parameters,
                                      const std::vector<ConfigProblem>& problems);

/// Sets Kea's statistics; once a second.
/// @param failures  calls from Kea that failed inside the library
void countStatistics(const FeedStatus& status, std::uint64_t failures);

/// Logs what changes about followers with time; their problems are logged by the core as they come. Main thread.
class FollowerLog {
public:
    void look(const FeedStatus& status);

private:
    struct Follower {
        std::string state;
        bool gone = false;
    };
    std::map<std::string, Follower> followers_;
};

}  // namespace lease_feed
