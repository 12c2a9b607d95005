// For a server whose lease manager is not watched (feed.tap false): leases that callouts say may have changed are
// read anew on the main thread, and what is read is published. Slower, and blind to what no callout names, which
// followers find by walks; but nothing of it is in the way of a write.
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

    static constexpr std::size_t kMostMarks = 65536;

private:
    struct Mark {
        bool only_address = false;
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
    bool posted_ = false;
    bool overflown_ = false;
};

}  // namespace lease_feed
