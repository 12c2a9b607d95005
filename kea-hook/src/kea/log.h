// The hook's lines in Kea's log. Every id has a paragraph in kea-hook/README.md.
#pragma once

#include <log/logger.h>
#include <log/macros.h>

#include "../core/feed.h"

namespace lease_feed {

// X(id, text); %1 ... are the arguments.
#define LEASE_FEED_MESSAGES(X) \
    X(LEASE_FEED_CALLOUTS_FAILED, "%1 calls from Kea failed inside the lease feed, the last with: %2") \
    X(LEASE_FEED_CONFIG_CUT, "followers are not told %1 octets of subnets and reservations at the end of the " \
                             "configuration: it has more than %2") \
    X(LEASE_FEED_CONFIG_FAILED, "the server's subnets could not be put on the lease feed: %1") \
    X(LEASE_FEED_EXTENDED_INFO_OFF, "store-extended-info is off for %1 of %2 subnets: relay data of their leases " \
                                    "does not survive the loss of an event") \
    X(LEASE_FEED_FOLLOWER_GONE, "follower %1 has not reported for %2 seconds") \
    X(LEASE_FEED_FOLLOWER_STATE, "follower %1 is %2: applied %3, %4 active bindings, %5 requestors") \
    X(LEASE_FEED_LOAD_FAILED, "the lease feed cannot be loaded: %1") \
    X(LEASE_FEED_PARAMETER_REFUSED, "%1: %2 (%3)") \
    X(LEASE_FEED_RESYNC, "every follower of the lease feed is asked to read all leases anew") \
    X(LEASE_FEED_SERVICE_KEPT, "%1 refused parameters: the lease feed runs, the requestor service stays %2") \
    X(LEASE_FEED_START_FAILED, "leases are not fed: %1; DHCP is served, the feed tries again every %2 seconds") \
    X(LEASE_FEED_TAP_FAILED, "the lease manager cannot be watched: %1; changes reach followers by walks only") \
    X(LEASE_FEED_TAP_RENEWED, "Kea opened its lease database anew; it is watched again, and followers read all " \
                              "leases for what was written meanwhile") \
    X(LEASE_FEED_WRONG_DAEMON, "the lease feed is for kea-dhcp4 and kea-dhcp6, not for %1")

// The core's (log_ids.h): it makes the whole text itself. The last one is for an id that is missing here.
#define LEASE_FEED_CORE_MESSAGES(X) \
    X(LEASE_FEED_STARTED, "%1") \
    X(LEASE_FEED_STOPPED, "%1") \
    X(LEASE_FEED_RING_OVERWRITTEN, "%1") \
    X(LEASE_FEED_EVENT_LOST, "%1") \
    X(LEASE_FEED_EVENT_CUT, "%1") \
    X(LEASE_FEED_FOLLOWER_HELLO, "%1") \
    X(LEASE_FEED_FOLLOWER_CONTRACT, "%1") \
    X(LEASE_FEED_FOLLOWER_PROBLEM, "%1") \
    X(LEASE_FEED_FOLLOWER_WELL, "%1") \
    X(LEASE_FEED_PAGE_FAILED, "%1") \
    X(LEASE_FEED_PAGES_SLOW, "%1") \
    X(LEASE_FEED_PAGES_RECOVERED, "%1") \
    X(LEASE_FEED_PAGES_BUSY, "%1") \
    X(LEASE_FEED_BAD_REQUEST, "%1") \
    X(LEASE_FEED_SOCKET_REBOUND, "%1") \
    X(LEASE_FEED_SOCKET_LOST, "%1") \
    X(LEASE_FEED_TOO_MANY_CONNECTIONS, "%1") \
    X(LEASE_FEED_TOO_MANY_SUBSCRIPTIONS, "%1") \
    X(LEASE_FEED_PUBLISHER_FAILED, "%1") \
    X(LEASE_FEED_NOTE, "%1")

#define LEASE_FEED_DECLARE(id, text) extern const isc::log::MessageID id;
LEASE_FEED_MESSAGES(LEASE_FEED_DECLARE)
LEASE_FEED_CORE_MESSAGES(LEASE_FEED_DECLARE)
#undef LEASE_FEED_DECLARE

extern isc::log::Logger logger;

/// Puts the core's lines into Kea's log. Safe on any thread.
class KeaLog : public FeedLog {
public:
    void write(Level level, const char* id, const std::string& text) override;
};

}  // namespace lease_feed
