// Leases that have to be read anew, on the main thread, because what was heard of them is not what the database holds
// for sure; what is read is published.
//
// Where the lease manager is not watched (feed.tap false), these are all that callouts name. Slower, and blind to what
// no callout names, which followers find by walks; but nothing of it is in the way of a write.
//
// Where it is watched, these are leases added in SQL databases. Kea tells its watchers of an added lease also when the
// database refused it, because another server, or an operator, was faster with the same address. So each is in doubt
// until a callout confirms it, and what no callout confirms within a second or two is read.
#pragma once

#include <cstddef>
#include <mutex>
#include <string>
#include <unordered_map>

#include "../core/feed.h"
#include "from_kea.h"

namespace lease_feed {

class DirtyLeases {
public:
    DirtyLeases(Family family, Feed& feed, MainThread& main) : family_(family), feed_(feed), main_(main) {}
    DirtyLeases(const DirtyLeases&) = delete;
    DirtyLeases& operator=(const DirtyLeases&) = delete;

    /// Any thread; copies. The newest mark of an address replaces older ones. Beyond kMostMarks followers are asked
    /// to walk instead.
    void mark(const LeaseView& lease, Origin origin, const PacketView* packet);
    /// The same where nothing but the address is known, as of a command.
    void mark(const AddressOctets& address, Origin origin);

    /// A lease was published as added, and may not have been. Any thread.
    void doubt(const LeaseView& lease, Origin origin);
    /// The lease of this address was written. Any thread.
    void confirm(Octets address);
    /// Each second: what has been in doubt since before the last call is read.
    void tick();

    static constexpr std::size_t kMostMarks = 65536;

private:
    struct Mark {
        bool only_address = false;
        bool doubted = false;  ///< published already: only another state than this is
        bool aged = false;
        std::uint64_t cltt = 0;
        LeaseType type = LeaseType::address;
        std::uint8_t prefix_length = 0;
        std::uint32_t subnet_id = 0;
        std::uint32_t hardware_type = 0;
        std::string hardware_address;
        std::string client_id;
        Origin origin = Origin::unknown;
        bool has_packet = false;
        std::uint32_t message_type = 0;
        std::string agent_info;
        std::string hops;
        std::string source;
        std::string options;
    };

    static Mark markOf(const LeaseView& lease, Origin origin);
    void insert(Octets address, Mark&& mark);
    void post();
    void read();
    void publish(const std::string& address, const Mark& mark);
    template <typename Lease>
    void publishLease(const Lease& lease, const Mark& mark);
    void publishGone(const std::string& address, const Mark& mark);

    const Family family_;
    Feed& feed_;
    MainThread& main_;
    LeaseScratch scratch_;  // main thread only

    std::mutex mutex_;  // guards the rest
    std::unordered_map<std::string, Mark> marks_;
    std::unordered_map<std::string, Mark> doubts_;
    bool posted_ = false;
    bool overflown_ = false;
};

}  // namespace lease_feed
