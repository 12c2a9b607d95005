// A lease database for tests: what Kea's memfile back end and its tap are to the hook. Changes and their publication
// are one atomic step, under the mutex under which pages are read. Leases are put one by one, or generated: millions
// that exist as a formula and four octets each.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "feed.h"

namespace lease_feed {

/// A lease that owns its octets.
struct OwnedLease {
    std::string address, hardware_address, client_id, hostname, agent_info, hops;
    LeaseType type = LeaseType::address;
    std::uint8_t prefix_length = 0;
    std::uint32_t state = 0, valid_lifetime = 0, preferred_lifetime = 0, subnet_id = 0, pool_id = 0, iaid = 0,
                  hardware_type = 0;
    std::uint64_t cltt = 0;
    bool fqdn_forward = false, fqdn_reverse = false;

    LeaseView view() const;
};

struct OwnedPacket {
    std::uint32_t message_type = 0;
    std::string agent_info, hops, source, options;

    PacketView view() const;
};

/// Leases by formula. Lease i has the address `first` + i; its client, relay data and options follow from i.
struct Generated {
    std::uint32_t count = 0;
    std::string first;  ///< 4 or 16 octets
    std::uint32_t valid_lifetime = 3600;
    std::uint32_t leases_per_subnet = 65536;
    std::uint32_t leases_per_relay = 1000;
    bool stored_relay = false;  ///< pages carry relay data too (store-extended-info)
    std::uint64_t cltt = 0;     ///< of a lease never changed since, Unix seconds
};

struct Churn {
    std::uint64_t changes = 0;
    std::uint64_t seed = 1;
    double rate = 0;         ///< a second; 0 = as fast as it goes
    double removals = 0;     ///< share of changes that remove a lease, if it is there
    bool in_order = false;   ///< one lease after the other instead of by chance
    double new_clients = 0;  ///< share of changes that give the lease to another client
};

class SimulatedLeases final : public LeaseSource {
public:
    explicit SimulatedLeases(Family family) : family_(family) {}

    bool readPage(Octets after, std::size_t limit, PageSink& sink) override;

    using Publish = std::function<std::uint64_t(Operation, const LeaseView&)>;

    /// @param publish called under the mutex; empty = a change that the tap does not see
    /// @return what publish returned
    std::uint64_t put(OwnedLease lease, const Publish& publish);
    /// @return what publish returned; 0 when there was no such lease
    std::uint64_t remove(const std::string& address, const Publish& publish);
    void clear();
    void generate(Generated generated);
    /// Changes generated leases and publishes each change, until done or `cancel`.
    /// @return how many changes were made
    std::uint64_t churn(const Churn& churn, Feed& feed, const std::atomic<bool>& cancel);

    /// Copies of what readPage() would give, without its failures and delays.
    bool list(Octets after, std::size_t limit, const std::function<void(const LeaseView&)>& add);
    std::uint64_t count();

    void failPages(std::optional<std::string> text, bool not_ready);
    void delayPages(std::uint32_t ms) { delay_ms_.store(ms); }

private:
    struct Formula;  // room in which one generated lease is made
    void compute(std::uint32_t index, Formula& room) const;
    std::optional<std::uint32_t> indexOf(Octets address) const;
    std::string addressOf(std::uint32_t index) const;
    bool isThere(std::uint32_t index) const;
    bool page(Octets after, std::size_t limit, const std::function<void(const LeaseView&)>& add);

    const Family family_;
    std::mutex mutex_;  // the lease manager's
    std::map<std::string, OwnedLease> leases_;
    Generated generated_;
    std::vector<std::uint32_t> changes_;  // of each generated lease: see the .cc file
    std::uint64_t generated_there_ = 0;
    std::optional<std::string> failure_;
    bool not_ready_ = false;
    std::atomic<std::uint32_t> delay_ms_{0};
};

}  // namespace lease_feed
