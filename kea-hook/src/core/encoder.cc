#include "encoder.h"

#include <protozero/buffer_fixed.hpp>
#include <protozero/buffer_string.hpp>
#include <protozero/pbf_writer.hpp>

#include "proto_fields.h"

namespace lease_feed {
namespace {

using FixedBuffer = protozero::fixed_size_buffer_adaptor;

// Tags, lengths and numbers of all messages of one event together stay below this.
constexpr std::size_t kFixedPart = 256;

std::size_t sizeOf(const RelayView& relay) {
    return relay.agent_info.size() + relay.encoded_hops.size() + relay.source.size();
}

std::size_t sizeOf(const PacketView& packet) {
    return sizeOf(packet.relay) + packet.options.size();
}

std::size_t sizeOf(const LeaseView& lease) {
    return lease.address.size() + lease.hardware_address.size() + lease.client_id.size() + lease.hostname.size() +
           sizeOf(lease.stored_relay);
}

// proto3: what has its default value is left out.
template <typename Writer>
void addNumber(Writer& to, field::Tag tag, std::uint64_t value) {
    if (value != 0) to.add_uint64(tag, value);
}

template <typename Writer>
void addOctets(Writer& to, field::Tag tag, Octets value) {
    if (!value.empty()) to.add_bytes(tag, value.data(), value.size());
}

// encoded_hops are complete fields of RelayInfo already, so they are appended as they are to the open message.
template <typename Writer, typename Buffer>
void addRelay(Writer& to, Buffer& octets, field::Tag tag, const RelayView& relay) {
    if (relay.empty()) return;
    Writer info{to, tag};
    addOctets(info, field::relay_info::agent_info, relay.agent_info);
    octets.append(relay.encoded_hops.data(), relay.encoded_hops.size());
    addOctets(info, field::relay_info::source, relay.source);
}

template <typename Writer, typename Buffer>
void addPacket(Writer& to, Buffer& octets, field::Tag tag, const PacketView* packet) {
    if (packet == nullptr) return;
    if (packet->message_type == 0 && packet->relay.empty() && packet->options.empty()) {
        to.add_message(tag, "", 0);  // there was a packet, and it said nothing: not the same as no packet
        return;
    }
    Writer data{to, tag};
    addNumber(data, field::packet_data::message_type, packet->message_type);
    addRelay(data, octets, field::packet_data::relay, packet->relay);
    addOctets(data, field::packet_data::options, packet->options);
}

template <typename Writer, typename Buffer>
void addLeaseFields(Writer& to, Buffer& octets, const LeaseView& lease) {
    addOctets(to, field::lease::address, lease.address);
    addNumber(to, field::lease::type, static_cast<std::uint64_t>(lease.type));
    addNumber(to, field::lease::prefix_length, lease.prefix_length);
    addNumber(to, field::lease::state, lease.state);
    addNumber(to, field::lease::valid_lifetime, lease.valid_lifetime);
    addNumber(to, field::lease::preferred_lifetime, lease.preferred_lifetime);
    addNumber(to, field::lease::cltt, lease.cltt);
    addNumber(to, field::lease::subnet_id, lease.subnet_id);
    addNumber(to, field::lease::pool_id, lease.pool_id);
    addNumber(to, field::lease::iaid, lease.iaid);
    addNumber(to, field::lease::hardware_type, lease.hardware_type);
    addOctets(to, field::lease::hardware_address, lease.hardware_address);
    addOctets(to, field::lease::client_id, lease.client_id);
    addOctets(to, field::lease::hostname, lease.hostname);
    addNumber(to, field::lease::fqdn_forward, lease.fqdn_forward ? 1 : 0);
    addNumber(to, field::lease::fqdn_reverse, lease.fqdn_reverse ? 1 : 0);
    addRelay(to, octets, field::lease::stored_relay, lease.stored_relay);
}

using EventWriter = protozero::basic_pbf_writer<FixedBuffer>;

// Sizes are checked before, so that the fixed buffer never throws.
template <typename Body>
Octets writeEntry(EventBuffer& buffer, Body body) {
    FixedBuffer octets{buffer.octets, sizeof buffer.octets};
    EventWriter batch{octets};
    {
        EventWriter event{batch, field::event_batch::events};
        body(event, octets);
    }
    return {octets.data(), octets.size()};
}

}  // namespace

EncodedEvent encodeChange(EventBuffer& buffer, Operation op, const LeaseView& given, Origin origin,
                          const PacketView* packet) noexcept {
    constexpr std::size_t room = kMaxEntryOctets - kFixedPart;
    EncodedEvent result;
    result.how = Encoded::whole;
    LeaseView lease = given;
    if (packet != nullptr && sizeOf(lease) + sizeOf(*packet) > room) {
        packet = nullptr;
        result.how = Encoded::cut;
    }
    if (sizeOf(lease) > room) {
        lease.stored_relay = {};
        lease.hostname = {};
        result.how = Encoded::cut;
        if (sizeOf(lease) > room) {
            result.how = Encoded::too_long;
            return result;
        }
    }
    result.entry = writeEntry(buffer, [&](EventWriter& event, FixedBuffer& octets) {
        EventWriter change{event, field::event::change};
        addNumber(change, field::lease_change::operation, static_cast<std::uint64_t>(op));
        {
            EventWriter message{change, field::lease_change::lease};
            addLeaseFields(message, octets, lease);
        }
        addNumber(change, field::lease_change::origin, static_cast<std::uint64_t>(origin));
        addPacket(change, octets, field::lease_change::packet, packet);
    });
    return result;
}

EncodedEvent encodeAnnotation(EventBuffer& buffer, const AnnotationView& annotation) noexcept {
    constexpr std::size_t room = kMaxEntryOctets - kFixedPart;
    EncodedEvent result;
    result.how = Encoded::whole;
    const PacketView* packet = annotation.packet;
    const std::size_t client =
        annotation.address.size() + annotation.hardware_address.size() + annotation.client_id.size();
    if (packet != nullptr && client + sizeOf(*packet) > room) {
        packet = nullptr;
        result.how = Encoded::cut;
    }
    if (client > room) {
        result.how = Encoded::too_long;
        return result;
    }
    result.entry = writeEntry(buffer, [&](EventWriter& event, FixedBuffer& octets) {
        EventWriter message{event, field::event::annotation};
        addOctets(message, field::annotation::address, annotation.address);
        addOctets(message, field::annotation::hardware_address, annotation.hardware_address);
        addOctets(message, field::annotation::client_id, annotation.client_id);
        addNumber(message, field::annotation::hardware_type, annotation.hardware_type);
        addNumber(message, field::annotation::origin, static_cast<std::uint64_t>(annotation.origin));
        addPacket(message, octets, field::annotation::packet, packet);
    });
    return result;
}

void encodePageLease(std::string& leases, const LeaseView& given) {
    LeaseView lease = given;
    if (sizeOf(lease) > kMaxEntryOctets) lease.stored_relay = {};
    protozero::pbf_writer page{leases};
    protozero::pbf_writer message{page, field::page::leases};
    addLeaseFields(message, leases, lease);
}

void encodeRelayHop(std::string& hops, std::uint32_t hop_count, Octets link_address, Octets peer_address,
                    Octets options) {
    protozero::pbf_writer info{hops};
    protozero::pbf_writer hop{info, field::relay_info::hops};
    addNumber(hop, field::relay_hop::hop_count, hop_count);
    addOctets(hop, field::relay_hop::link_address, link_address);
    addOctets(hop, field::relay_hop::peer_address, peer_address);
    addOctets(hop, field::relay_hop::options, options);
}

void encodeSubnet(std::string& config, const SubnetView& subnet) {
    protozero::pbf_writer list{config};
    protozero::pbf_writer message{list, field::config::subnets};
    addNumber(message, field::subnet::id, subnet.id);
    addOctets(message, field::subnet::prefix, subnet.prefix);
    addNumber(message, field::subnet::prefix_length, subnet.prefix_length);
    addOctets(message, field::subnet::shared_network, subnet.shared_network);
    for (const auto& pool : subnet.pools) {
        protozero::pbf_writer to{message, field::subnet::pools};
        addOctets(to, field::pool::first, pool.first);
        addOctets(to, field::pool::last, pool.last);
    }
    for (const auto& pool : subnet.prefix_pools) {
        protozero::pbf_writer to{message, field::subnet::prefix_pools};
        addOctets(to, field::prefix_pool::prefix, pool.prefix);
        addNumber(to, field::prefix_pool::prefix_length, pool.prefix_length);
        addNumber(to, field::prefix_pool::delegated_length, pool.delegated_length);
    }
    for (const auto& address : subnet.relay_addresses) addOctets(message, field::subnet::relay_addresses, address);
    addNumber(message, field::subnet::renew_timer, subnet.renew_timer);
    addNumber(message, field::subnet::rebind_timer, subnet.rebind_timer);
}

void encodeReserved(std::string& config, Octets first, Octets last) {
    protozero::pbf_writer list{config};
    protozero::pbf_writer range{list, field::config::reserved};
    addOctets(range, field::address_range::first, first);
    addOctets(range, field::address_range::last, last);
}

}  // namespace lease_feed
