// Every line that the core can write, once. kea-hook/README.md has a paragraph for each.
#pragma once

namespace lease_feed {
namespace log_id {

constexpr const char* started = "LEASE_FEED_STARTED";
constexpr const char* stopped = "LEASE_FEED_STOPPED";
constexpr const char* ring_overwritten = "LEASE_FEED_RING_OVERWRITTEN";          // warn, once per episode
constexpr const char* event_lost = "LEASE_FEED_EVENT_LOST";                      // error, once per episode
constexpr const char* event_cut = "LEASE_FEED_EVENT_CUT";                        // warn, once per episode
constexpr const char* follower_hello = "LEASE_FEED_FOLLOWER_HELLO";              // info
constexpr const char* follower_refused = "LEASE_FEED_FOLLOWER_CONTRACT";         // warn: another major version
constexpr const char* follower_problem = "LEASE_FEED_FOLLOWER_PROBLEM";          // error, when its problems change
constexpr const char* follower_well = "LEASE_FEED_FOLLOWER_WELL";                // info, when they are gone
constexpr const char* page_failed = "LEASE_FEED_PAGE_FAILED";                    // warn, once per episode, and a minute
constexpr const char* pages_slow = "LEASE_FEED_PAGES_SLOW";                      // warn, once per episode
constexpr const char* pages_well = "LEASE_FEED_PAGES_RECOVERED";                 // info
constexpr const char* pages_busy = "LEASE_FEED_PAGES_BUSY";                      // warn, at most once a minute
constexpr const char* bad_request = "LEASE_FEED_BAD_REQUEST";                    // warn, at most once a minute
constexpr const char* socket_rebound = "LEASE_FEED_SOCKET_REBOUND";              // warn
constexpr const char* socket_lost = "LEASE_FEED_SOCKET_LOST";                    // error
constexpr const char* too_many_connections = "LEASE_FEED_TOO_MANY_CONNECTIONS";  // warn
constexpr const char* too_many_subscriptions = "LEASE_FEED_TOO_MANY_SUBSCRIPTIONS";  // warn
constexpr const char* publisher_failed = "LEASE_FEED_PUBLISHER_FAILED";              // error, at most once a minute

}  // namespace log_id
}  // namespace lease_feed
