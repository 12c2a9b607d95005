#include "kea.h"

#include "dirty_leases.h"

#include <dhcpsrv/lease_mgr_factory.h>

#include <chrono>
#include <stdexcept>

using isc::asiolink::IOAddress;
using isc::dhcp::Lease;
using isc::dhcp::LeaseMgrFactory;

namespace lease_feed {
namespace {

// Packets are received between two of these.
constexpr auto kMostAtOnce = std::chrono::milliseconds(2);

}  // namespace

DirtyLeases::Mark DirtyLeases::markOf(const LeaseView& lease, Origin origin) {
    Mark mark;
    mark.type = lease.type;
    mark.prefix_length = lease.prefix_length;
    mark.subnet_id = lease.subnet_id;
    mark.hardware_type = lease.hardware_type;
    mark.hardware_address.assign(lease.hardware_address);
    mark.client_id.assign(lease.client_id);
    mark.cltt = lease.cltt;
    mark.origin = origin;
    return mark;
}

void DirtyLeases::mark(const LeaseView& lease, Origin origin, const PacketView* packet) {
    Mark mark = markOf(lease, origin);
    if (packet) {
        mark.has_packet = true;
        mark.message_type = packet->message_type;
        mark.agent_info.assign(packet->relay.agent_info);
        mark.hops.assign(packet->relay.encoded_hops);
        mark.source.assign(packet->relay.source);
        mark.options.assign(packet->options);
    }
    insert(lease.address, std::move(mark));
}

void DirtyLeases::mark(const AddressOctets& address, Origin origin) {
    Mark mark;
    mark.only_address = true;
    mark.origin = origin;
    insert(address.view(), std::move(mark));
}

void DirtyLeases::doubt(const LeaseView& lease, Origin origin) {
    Mark mark = markOf(lease, origin);
    mark.doubted = true;
    std::lock_guard<std::mutex> lock(mutex_);
    if (doubts_.size() < kMostMarks) {
        doubts_[std::string(lease.address)] = std::move(mark);
        return;
    }
    overflown_ = true;
    if (!posted_) {
        posted_ = true;
        post();
    }
}

void DirtyLeases::confirm(Octets address) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!doubts_.empty()) {
        doubts_.erase(std::string(address));
    }
}

void DirtyLeases::tick() {
    std::lock_guard<std::mutex> lock(mutex_);
    for (auto it = doubts_.begin(); it != doubts_.end();) {
        if (!it->second.aged) {
            it->second.aged = true;
            ++it;
            continue;
        }
        marks_[it->first] = std::move(it->second);
        it = doubts_.erase(it);
    }
    // After a reading that failed, nobody has posted the next.
    if ((overflown_ || !marks_.empty()) && !posted_) {
        posted_ = true;
        post();
    }
}

void DirtyLeases::insert(Octets address, Mark&& mark) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (marks_.size() >= kMostMarks) {
        overflown_ = true;
    } else {
        marks_[std::string(address)] = std::move(mark);
    }
    if (!posted_) {
        posted_ = true;
        post();
    }
}

void DirtyLeases::post() {
    main_.post([this] { read(); });
}

void DirtyLeases::read() {
    const auto until = std::chrono::steady_clock::now() + kMostAtOnce;
    do {
        std::string address;
        Mark mark;
        {
            std::lock_guard<std::mutex> lock(mutex_);
            if (overflown_) {
                overflown_ = false;
                marks_.clear();
                doubts_.clear();
                feed_.requestResync();
            }
            if (marks_.empty()) {
                posted_ = false;
                return;
            }
            address = marks_.begin()->first;
            mark = std::move(marks_.begin()->second);
            marks_.erase(marks_.begin());
        }
        try {
            publish(address, mark);
        } catch (...) {
            // The database does not answer. Whatever changed meanwhile is for a walk to find.
            std::lock_guard<std::mutex> lock(mutex_);
            overflown_ = true;
            posted_ = false;
            return;
        }
    } while (std::chrono::steady_clock::now() < until);
    post();
}

void DirtyLeases::publish(const std::string& address, const Mark& mark) {
    if (!LeaseMgrFactory::haveInstance()) {
        throw std::runtime_error("no lease database");
    }
    auto& manager = LeaseMgrFactory::instance();
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(address.data());
    if (family_ == Family::v4) {
        const auto lease = manager.getLease4(IOAddress::fromBytes(AF_INET, bytes));
        lease ? publishLease(*lease, mark) : publishGone(address, mark);
    } else {
        const IOAddress key = IOAddress::fromBytes(AF_INET6, bytes);
        const bool prefix = mark.type == LeaseType::prefix;
        auto lease = manager.getLease6(prefix ? Lease::TYPE_PD : Lease::TYPE_NA, key);
        if (!lease && mark.only_address) {
            lease = manager.getLease6(Lease::TYPE_PD, key);
        }
        lease ? publishLease(*lease, mark) : publishGone(address, mark);
    }
}

template <typename L>
void DirtyLeases::publishLease(const L& lease, const Mark& mark) {
    const LeaseView view = viewOf(lease, scratch_, true);
    // Another client's by now: a mark of its own is on the way.
    const bool same = mark.only_address ||
                      (view.client_id == mark.client_id && view.hardware_address == mark.hardware_address);
    if (mark.doubted) {
        if (same && view.cltt == mark.cltt) {
            return;
        }
        // Between this reading and its publication a watched write may slip in: looked at once more.
        doubt(view, Origin::unknown);
    }
    PacketView packet;
    packet.message_type = mark.message_type;
    packet.relay = {mark.agent_info, mark.hops, mark.source};
    packet.options = mark.options;
    feed_.publish(Operation::update, view, same ? mark.origin : Origin::unknown,
                  same && mark.has_packet ? &packet : nullptr);
}

void DirtyLeases::publishGone(const std::string& address, const Mark& mark) {
    LeaseView view;
    view.address = address;
    view.type = mark.type;
    view.prefix_length = mark.prefix_length;
    view.subnet_id = mark.subnet_id;
    view.hardware_type = mark.hardware_type;
    view.hardware_address = mark.hardware_address;
    view.client_id = mark.client_id;
    feed_.publish(Operation::remove, view, mark.origin, nullptr);
}

}  // namespace lease_feed
