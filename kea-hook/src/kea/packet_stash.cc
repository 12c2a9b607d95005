#include "kea.h"

#include "packet_stash.h"

#include <dhcp/dhcp4.h>
#include <dhcp/dhcp6.h>
#include <dhcp/option.h>

#include <algorithm>
#include <atomic>

using isc::dhcp::Lease4;
using isc::dhcp::Lease6;
using isc::dhcp::Option;
using isc::dhcp::OptionBuffer;
using isc::dhcp::OptionCollection;
using isc::dhcp::DHO_DHCP_CLIENT_IDENTIFIER;
using isc::dhcp::Pkt4;
using isc::dhcp::Pkt6;

namespace lease_feed {
namespace {

std::atomic<std::uint64_t> newest_generation{1};

const OptionBuffer* data(const OptionCollection& options, std::uint16_t code) {
    const auto found = options.find(code);
    return found == options.end() || !found->second ? nullptr : &found->second->getData();
}

// Kea's own rule for whose a lease is (Lease4::belongsToClient): by client identifier if both have one, else by
// hardware address.
bool belongs(const Lease4& lease, const Pkt4& packet) {
    const OptionBuffer* id = data(packet.options_, DHO_DHCP_CLIENT_IDENTIFIER);
    if (id && lease.client_id_) {
        return *id == lease.client_id_->getClientId();
    }
    const auto& hardware = packet.getHWAddr();
    return hardware && lease.hwaddr_ && !lease.hwaddr_->hwaddr_.empty() &&
           hardware->htype_ == lease.hwaddr_->htype_ && hardware->hwaddr_ == lease.hwaddr_->hwaddr_;
}

bool belongs(const Lease6& lease, const Pkt6& packet) {
    const OptionBuffer* duid = data(packet.options_, D6O_CLIENTID);
    return duid && lease.duid_ && *duid == lease.duid_->getDuid();
}

void fill(Tapped& tapped, Operation operation, Origin origin, const LeaseView& lease) {
    tapped.operation = operation;
    tapped.origin = origin;
    tapped.subnet_id = lease.subnet_id;
    tapped.hardware_type = lease.hardware_type;
    tapped.address.length = static_cast<std::uint8_t>(lease.address.copy(tapped.address.data.data(), 16));
    tapped.hardware_address.assign(lease.hardware_address);
    tapped.client_id.assign(lease.client_id);
}

}  // namespace

AnnotationView Tapped::about(Origin known, const PacketView* packet) const {
    AnnotationView view;
    view.address = address.view();
    view.hardware_type = hardware_type;
    view.hardware_address = hardware_address;
    view.client_id = client_id;
    view.origin = known;
    view.packet = packet;
    return view;
}

ThreadContext& ThreadContext::current() {
    static thread_local ThreadContext context;
    const std::uint64_t generation = newest_generation.load(std::memory_order_relaxed);
    if (context.generation_ != generation) {
        context = ThreadContext();
        context.generation_ = generation;
    }
    return context;
}

void ThreadContext::forgetAll() {
    newest_generation.fetch_add(1);
}

// @return false if it is the packet in hand already
template <typename Packet>
bool ThreadContext::take(boost::weak_ptr<Packet>& mine, const boost::shared_ptr<Packet>& packet) {
    answers_packets_ = true;
    reclaiming_.reset();
    // The same address may be another packet's memory by now: only a living one is the same packet.
    if (packet_ == packet.get() && !mine.expired()) {
        return false;
    }
    mine = packet;
    packet_ = packet.get();
    encoded_ = false;
    declining_.length = 0;
    renewing_count_ = 0;
    written_.clear();
    return true;
}

template bool ThreadContext::take(boost::weak_ptr<Pkt6>&, const boost::shared_ptr<Pkt6>&);

void ThreadContext::begin(const isc::dhcp::Pkt4Ptr& packet) {
    if (take(packet4_, packet)) {
        forgetTapped();
    }
}

void ThreadContext::begin(const isc::dhcp::Pkt6Ptr& packet) {
    if (take(packet6_, packet)) {
        forgetTapped();
    }
}

void ThreadContext::endPacket() {
    packet4_.reset();
    packet6_.reset();
    packet_ = nullptr;
    encoded_ = false;
    reclaiming_.reset();
    declining_.length = 0;
    renewing_count_ = 0;
    written_.clear();
    forgetTapped();
}

void ThreadContext::declining(const isc::asiolink::IOAddress& address) {
    declining_.set(address);
}

const PacketView* ThreadContext::packetOf(const Lease4& lease, const OptionCodes& captured) {
    if (!packet_ || packet4_.expired()) {
        return nullptr;
    }
    const Pkt4& packet = *static_cast<const Pkt4*>(packet_);
    if (!belongs(lease, packet)) {
        return nullptr;
    }
    if (!encoded_) {
        view_ = viewOf(packet, captured, scratch_);
        encoded_ = true;
    }
    return &view_;
}

const PacketView* ThreadContext::packetOf(const Lease6& lease, const OptionCodes& captured) {
    if (!packet_ || packet6_.expired() || !belongs(lease, *static_cast<const Pkt6*>(packet_))) {
        return nullptr;
    }
    return packetInHand(captured);
}

const PacketView* ThreadContext::packetInHand(const OptionCodes& captured) {
    if (!packet_ || packet6_.expired()) {
        return nullptr;
    }
    if (!encoded_) {
        view_ = viewOf(*static_cast<const Pkt6*>(packet_), captured, scratch_);
        encoded_ = true;
    }
    return &view_;
}

Octets ThreadContext::clientInHand() const {
    if (!packet_ || packet6_.expired()) {
        return Octets();
    }
    const OptionBuffer* duid = data(static_cast<const Pkt6*>(packet_)->options_, D6O_CLIENTID);
    return duid ? octets(*duid) : Octets();
}

void ThreadContext::remember(Operation operation, Origin origin, const LeaseView& lease) {
    std::size_t at;
    if (tapped_count_ < kMostTapped) {
        at = tapped_count_++;
        if (at == tapped_.size()) {
            tapped_.emplace_back();
        }
    } else {
        at = next_;
        next_ = (next_ + 1) % kMostTapped;
    }
    fill(tapped_[at], operation, origin, lease);
}

void ThreadContext::renewing(const Lease6& lease) {
    if (renewing_count_ == kMostOfPacket) {
        return;
    }
    if (renewing_count_ == renewing_.size()) {
        renewing_.emplace_back();
    }
    fill(renewing_[renewing_count_++], Operation::update, Origin::client, viewOf(lease, lease_scratch_, false));
}

void ThreadContext::written(Octets address) {
    if (packet_ && written_.size() < kMostOfPacket) {
        written_.emplace_back();
        written_.back().length = static_cast<std::uint8_t>(address.copy(written_.back().data.data(), 16));
    }
}

bool ThreadContext::wasWritten(Octets address) const {
    return std::any_of(written_.begin(), written_.end(),
                       [address](const AddressOctets& one) { return one.view() == address; });
}

}  // namespace lease_feed
