// The core's face: everything between "a lease changed" and the octets on the sockets. It knows neither Kea nor
// Node; the hook and the addon are two thin layers over it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "lease.h"

namespace lease_feed {

/// Receives the leases of one page. Views are read before add() returns.
class PageSink {
public:
    virtual void add(const LeaseView& lease) = 0;

protected:
    ~PageSink() = default;
};

/// Thrown by LeaseSource::readPage() while Kea is starting or being reconfigured.
class NotReady : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Where snapshot pages come from. Called on the main thread only (see MainThread).
class LeaseSource {
public:
    virtual ~LeaseSource() = default;
    /// Adds at most `limit` leases whose address is greater than `after` (empty: from the first), ascending.
    /// @return true when nothing follows the last lease added.
    /// @throws NotReady while there is no lease database to ask; the asker comes again.
    /// @throws std::exception when the leases cannot be read; the asker gets its text, and no page.
    virtual bool readPage(Octets after, std::size_t limit, PageSink& sink) = 0;
};

/// Runs jobs on the thread that may read leases. In Kea the main thread, woken at once.
class MainThread {
public:
    virtual ~MainThread() = default;
    /// May be called on any thread; never blocks. Jobs posted after Feed::stop() has returned are never run.
    virtual void post(std::function<void()> job) = 0;
};

/// Log lines of the core, for the layer above to put into Kea's log. Called on the publisher thread, never in
/// publish().
class FeedLog {
public:
    enum class Level { debug, info, warn, error };
    virtual ~FeedLog() = default;
    /// @param id one of those in log_ids.h, e.g. "LEASE_FEED_RING_OVERWRITTEN"
    virtual void write(Level level, const char* id, const std::string& text) = 0;
};

struct FeedSettings {
    Family family = Family::v4;
    std::string endpoint;  ///< PUB; ROUTER is this plus "-sync" for ipc://, the next port for tcp://
    std::size_t ring_events = 65536;
    std::size_t ring_octets = 32u << 20;
    double page_share = 0.1;  ///< share of the main thread's time that all pages together may take
    std::size_t page_leases = 256;
    std::uint32_t page_slow_ms = 50;    ///< a page slower than this makes the pager back off
    std::string curve_secret_key_file;  ///< tcp:// endpoints need it: a ZeroMQ certificate (see curve_key.h)
};

/// What Hello says; see the message Hello.
struct Identity {
    std::string kea_version;
    std::string hook_version;
    std::string server_duid;
    std::vector<std::string> server_identifiers;  ///< 4 octets each
    bool tap = true;
    bool extended_info = false;
};

struct FollowerReport {  ///< the newest Report of each follower
    std::string follower;
    std::string state;
    std::uint64_t applied_seq = 0;
    std::uint64_t bindings = 0;
    std::uint32_t requestors = 0;
    std::vector<std::pair<std::string, std::string>> problems;  ///< parameter, text
    std::uint64_t age_ms = 0;
};

struct FeedStatus {
    std::string epoch_hex;
    std::uint64_t last_seq = 0;
    std::uint64_t oldest_seq = 0;
    std::uint64_t overwritten = 0;  ///< events that left the ring before they were published
    std::uint64_t lost = 0;         ///< events that could not be kept at all: the ring was emptied for each
    std::uint64_t cut = 0;          ///< events too long to keep whole, kept without packet data
    std::uint64_t published = 0;
    std::uint64_t pages = 0;
    std::uint64_t pages_failed = 0;
    std::uint64_t page_longest_us = 0;  ///< of the main thread's time
    std::uint64_t replays = 0;
    std::uint64_t bad_requests = 0;
    std::uint64_t ring_lock_longest_ns = 0;
    std::size_t ring_events = 0;
    std::size_t ring_octets = 0;
    std::vector<FollowerReport> followers;
};

/// Thrown by Feed::start(): the feed cannot run, and `what()` says why in one sentence (path, owner, reason).
class FeedError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

class Feed {
public:
    /// `source`, `main` and `log` must outlive the feed. Opens nothing yet: events may be published before start().
    Feed(FeedSettings settings, Identity identity, LeaseSource& source, MainThread& main, FeedLog& log);
    ~Feed();  ///< stops
    Feed(const Feed&) = delete;
    Feed& operator=(const Feed&) = delete;

    /// Takes the lock file, binds the sockets, starts the publisher thread (all signals blocked in it).
    void start();
    /// Sends what the ring still holds for at most `drain_ms`, then ends the thread and closes all. Idempotent.
    /// Bounded by twice `drain_ms`, and by the page that another thread may be reading just now.
    /// Not to be called from within LeaseSource::readPage().
    void stop(std::uint32_t drain_ms = 200) noexcept;

    /// A write to the lease database. Any thread; never blocks beyond the ring's lock, never throws.
    /// @return its sequence number
    std::uint64_t publish(Operation op, const LeaseView& lease, Origin origin, const PacketView* packet) noexcept;
    /// Same rules as publish().
    std::uint64_t annotate(const AnnotationView& annotation) noexcept;

    /// Replaces what ConfigRequest answers. Any thread.
    /// @param encoded what encodeSubnet() and encodeReserved() made, one entry after the other
    /// @return octets left out at its end, since followers are told kMostConfigOctets at most
    std::size_t setConfig(std::string encoded);
    /// Replaces `service` in Hello. Any thread.
    void setService(std::string json);
    /// Asks every follower to walk anew.
    void requestResync();

    FeedStatus status() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

/// Appends one RelayHop to RelayView::encoded_hops.
void encodeRelayHop(std::string& hops, std::uint32_t hop_count, Octets link_address, Octets peer_address,
                    Octets options);

/// Appends one Subnet to the argument of Feed::setConfig().
struct SubnetView {
    std::uint32_t id = 0;
    Octets prefix;
    std::uint8_t prefix_length = 0;
    Octets shared_network;
    struct Pool {
        Octets first, last;
    };
    struct PrefixPool {
        Octets prefix;
        std::uint8_t prefix_length, delegated_length;
    };
    std::vector<Pool> pools;
    std::vector<PrefixPool> prefix_pools;
    std::vector<Octets> relay_addresses;
    std::uint32_t renew_timer = 0;
    std::uint32_t rebind_timer = 0;
};
void encodeSubnet(std::string& config, const SubnetView& subnet);

/// Appends a range of reserved addresses, after the subnets.
void encodeReserved(std::string& config, Octets first, Octets last);

}  // namespace lease_feed
