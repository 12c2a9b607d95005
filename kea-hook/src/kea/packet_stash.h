// What each of Kea's threads is doing: the packet it answers, the lease it is about to reclaim or decline, and the
// writes whose cause it does not know yet. The lease manager's callbacks say only what was written; why, and with
// which relay data, they learn here.
//
// A packet is remembered by a weak pointer, so one that was dropped anywhere in Kea is forgotten by itself, and
// nothing of it is read until a lease of its own client is written.
#pragma once

#include <dhcp/pkt4.h>
#include <dhcp/pkt6.h>
#include <dhcpsrv/lease.h>

#include <boost/weak_ptr.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "../core/feed.h"
#include "from_kea.h"

namespace lease_feed {

/// Captured option codes, ascending.
using OptionCodes = std::vector<std::uint16_t>;

/// A write to the lease database whose cause may become known yet.
struct Tapped {
    Operation operation;
    Origin origin;  ///< as published
    std::uint32_t subnet_id;
    std::uint32_t hardware_type;
    AddressOctets address;
    std::string hardware_address;
    std::string client_id;

    /// An annotation for the client of that write.
    AnnotationView about(Origin known, const PacketView* packet) const;
};

/// Belongs to one thread, and is touched by no other.
class ThreadContext {
public:
    /// This thread's. Emptied when the library was loaded anew since.
    static ThreadContext& current();
    /// Makes every thread forget what it remembers. While no other thread is in Kea.
    static void forgetAll();

    /// This packet is the one that this thread answers. Nothing was written for it yet.
    void begin(const isc::dhcp::Pkt4Ptr& packet);
    void begin(const isc::dhcp::Pkt6Ptr& packet);
    /// The same in the midst of a packet, which Kea may have moved to this thread unseen: what was written remains.
    void resume(const isc::dhcp::Pkt6Ptr& packet) { take(packet6_, packet); }
    void endPacket();

    /// Kea is about to reclaim this lease. Another library may forbid it: then Kea lets go of this very object, so
    /// that it is not taken for the one that a command deletes later.
    void reclaiming(const isc::dhcp::LeasePtr& lease) { reclaiming_ = lease; }
    /// Kea is about to decline the lease of this address for the packet in hand.
    void declining(const isc::asiolink::IOAddress& address);
    bool isReclaiming(const isc::dhcp::Lease& lease) const { return reclaiming_.lock().get() == &lease; }
    bool isDeclining(Octets address) const { return declining_.view() == address; }
    void reclaimed() { reclaiming_.reset(); }

    /// The data of the packet in hand if it is of the lease's client, else null. Good until the next call.
    const PacketView* packetOf(const isc::dhcp::Lease4& lease, const OptionCodes& captured);
    const PacketView* packetOf(const isc::dhcp::Lease6& lease, const OptionCodes& captured);

    /// The same for the IPv6 packet in hand, whoever's; and its client's DUID.
    const PacketView* packetInHand(const OptionCodes& captured);
    Octets clientInHand() const;

    /// Whether this thread has ever answered packets: one that has is Kea's own.
    bool answersPackets() const { return answers_packets_; }

    /// Remembers a write; the oldest is forgotten beyond kMostTapped.
    void remember(Operation operation, Origin origin, const LeaseView& lease);
    /// Calls f(const Tapped&) for each remembered write, and forgets those for which it returns true.
    template <typename F>
    void settle(F&& f) {
        std::size_t kept = 0;
        for (std::size_t i = 0; i < tapped_count_; ++i) {
            if (!f(static_cast<const Tapped&>(tapped_[i]))) {
                if (kept != i) {
                    std::swap(tapped_[kept], tapped_[i]);
                }
                ++kept;
            }
        }
        tapped_count_ = kept;
        next_ = 0;
    }
    void forgetTapped() { tapped_count_ = next_ = 0; }

    /// v6: a lease that the packet in hand renews. Kea may answer an early renewal from its cache, without a write,
    /// which shows only at the packet's end.
    void renewing(const isc::dhcp::Lease6& lease);
    /// The lease of this address was written for the packet in hand.
    void written(Octets address);
    bool wasWritten(Octets address) const;
    /// Calls f(const Tapped&) for each renewed lease that was not written.
    template <typename F>
    void eachUnwritten(F&& f) const {
        for (std::size_t i = 0; i < renewing_count_; ++i) {
            if (!wasWritten(renewing_[i].address.view())) {
                f(renewing_[i]);
            }
        }
    }

    /// For the view of the lease in hand.
    LeaseScratch& leaseScratch() { return lease_scratch_; }

    static constexpr std::size_t kMostTapped = 4096;
    static constexpr std::size_t kMostOfPacket = 64;

private:
    template <typename Packet>
    bool take(boost::weak_ptr<Packet>& mine, const boost::shared_ptr<Packet>& packet);

    std::uint64_t generation_ = 0;
    boost::weak_ptr<isc::dhcp::Pkt4> packet4_;
    boost::weak_ptr<isc::dhcp::Pkt6> packet6_;
    const void* packet_ = nullptr;  // the same, for a cheap comparison
    bool encoded_ = false;          // view_ is the packet's
    bool answers_packets_ = false;
    PacketView view_;
    PacketScratch scratch_;
    boost::weak_ptr<isc::dhcp::Lease> reclaiming_;
    AddressOctets declining_;
    std::vector<Tapped> tapped_;    // grows to kMostTapped, then is overwritten from next_ on
    std::size_t tapped_count_ = 0;
    std::size_t next_ = 0;
    std::vector<Tapped> renewing_;
    std::size_t renewing_count_ = 0;
    std::vector<AddressOctets> written_;
    LeaseScratch lease_scratch_;
};

}  // namespace lease_feed
