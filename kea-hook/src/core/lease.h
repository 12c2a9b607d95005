// What the core is told about a lease. Views only: nothing here owns memory, so that a callback in Kea's
// lease manager can describe a lease without allocating. Field meanings: proto/lease_feed.proto.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace lease_feed {

enum class Family : std::uint8_t { v4 = 4, v6 = 6 };
enum class LeaseType : std::uint8_t { address = 0, prefix = 1 };
enum class Operation : std::uint8_t { add = 1, update = 2, remove = 3 };
enum class Origin : std::uint8_t { unknown = 0, client = 1, reclamation = 2, operator_command = 3, partner = 4 };

/// Octets that somebody else owns.
using Octets = std::string_view;

/// Relay data. In v4 the payload of option 82; in v6 RelayHop messages, already in protobuf encoding
/// (each with its field tag), made by encodeRelayHop().
struct RelayView {
    Octets agent_info;
    Octets encoded_hops;
    Octets source;  ///< v6, packets only: address the relayed message came from; 16 octets or empty
    bool empty() const { return agent_info.empty() && encoded_hops.empty(); }
};

struct LeaseView {
    Octets address;  ///< 4 or 16 octets, network order
    LeaseType type = LeaseType::address;
    std::uint8_t prefix_length = 0;  ///< 1..128 for a prefix, else 0
    std::uint32_t state = 0;
    std::uint32_t valid_lifetime = 0;
    std::uint32_t preferred_lifetime = 0;
    std::uint64_t cltt = 0;
    std::uint32_t subnet_id = 0;
    std::uint32_t pool_id = 0;
    std::uint32_t iaid = 0;
    std::uint32_t hardware_type = 0;
    Octets hardware_address;
    Octets client_id;
    Octets hostname;
    bool fqdn_forward = false;
    bool fqdn_reverse = false;
    RelayView stored_relay;
};

struct PacketView {
    std::uint32_t message_type = 0;
    RelayView relay;
    Octets options;
};

struct AnnotationView {
    Octets address;
    std::uint32_t hardware_type = 0;
    Octets hardware_address;
    Octets client_id;
    Origin origin = Origin::unknown;
    const PacketView* packet = nullptr;  ///< null: leaves the stored packet data as it is
};

}  // namespace lease_feed
