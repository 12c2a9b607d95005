// Kea's leases and packets, seen through the core's views.
#pragma once

#include <dhcp/pkt4.h>
#include <dhcp/pkt6.h>
#include <dhcpsrv/lease.h>
#include <util/buffer.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "../core/feed.h"
#include "../core/lease.h"

namespace lease_feed {

/// Octets of a vector that Kea owns.
inline Octets octets(const std::vector<std::uint8_t>& data) {
    return Octets(reinterpret_cast<const char*>(data.data()), data.size());
}

/// An address in network order, 4 or 16 octets, without an allocation in IPv4.
struct AddressOctets {
    AddressOctets() = default;
    explicit AddressOctets(const isc::asiolink::IOAddress& address) { set(address); }
    void set(const isc::asiolink::IOAddress& address);
    Octets view() const { return Octets(data.data(), length); }

    std::array<char, 16> data{};
    std::uint8_t length = 0;
};

/// What a LeaseView points to that Kea does not hold in that form. Reused: its strings keep their memory.
struct LeaseScratch {
    AddressOctets address;
    std::string agent_info;
    std::string hops;
};

/// The view is good until lease or scratch change.
/// @param stored_relay  whether to read the row's extended info too
LeaseView viewOf(const isc::dhcp::Lease4& lease, LeaseScratch& scratch, bool stored_relay);
LeaseView viewOf(const isc::dhcp::Lease6& lease, LeaseScratch& scratch, bool stored_relay);

/// What a PacketView points to. Reused as well.
struct PacketScratch {
    PacketScratch() : buffer(512) {}
    std::string agent_info;
    std::string hops;
    std::string hop_options;
    std::string options;
    AddressOctets source;
    isc::util::OutputBuffer buffer;
};

/// Relay data and the captured options of a client's packet, in wire encoding.
/// @param captured  option codes, ascending
PacketView viewOf(const isc::dhcp::Pkt4& packet, const std::vector<std::uint16_t>& captured, PacketScratch& scratch);
PacketView viewOf(const isc::dhcp::Pkt6& packet, const std::vector<std::uint16_t>& captured, PacketScratch& scratch);

}  // namespace lease_feed
