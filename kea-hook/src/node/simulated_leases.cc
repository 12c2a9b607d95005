#include "simulated_leases.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>
#include <stdexcept>
#include <thread>

#include "clock.h"

namespace lease_feed {
namespace {

// What has happened to a generated lease, in 32 bits: seconds from its first cltt to its last, the number of its
// client, whether it is gone.
constexpr std::uint32_t kSeconds = 0x00ffffff;
constexpr std::uint32_t kClientOne = 0x01000000;
constexpr std::uint32_t kClients = 0x7f000000;
constexpr std::uint32_t kGone = 0x80000000;

void addBig(std::string& to, std::uint64_t value, int octets) {
    for (int shift = 8 * (octets - 1); shift >= 0; shift -= 8) to.push_back(static_cast<char>(value >> shift));
}

std::uint64_t readBig(Octets octets) {
    std::uint64_t value = 0;
    for (const char c : octets) value = value << 8 | static_cast<unsigned char>(c);
    return value;
}

void addOption4(std::string& to, int code, const std::string& data) {
    to.push_back(static_cast<char>(code));
    to.push_back(static_cast<char>(data.size()));
    to += data;
}

void addOption6(std::string& to, int code, const std::string& data) {
    addBig(to, static_cast<std::uint64_t>(code), 2);
    addBig(to, data.size(), 2);
    to += data;
}

std::string text(const char* format, std::uint32_t number) {
    char buffer[64];
    std::snprintf(buffer, sizeof buffer, format, number);
    return buffer;
}

}  // namespace

LeaseView OwnedLease::view() const {
    LeaseView v;
    v.address = address;
    v.type = type;
    v.prefix_length = prefix_length;
    v.state = state;
    v.valid_lifetime = valid_lifetime;
    v.preferred_lifetime = preferred_lifetime;
    v.cltt = cltt;
    v.subnet_id = subnet_id;
    v.pool_id = pool_id;
    v.iaid = iaid;
    v.hardware_type = hardware_type;
    v.hardware_address = hardware_address;
    v.client_id = client_id;
    v.hostname = hostname;
    v.fqdn_forward = fqdn_forward;
    v.fqdn_reverse = fqdn_reverse;
    v.stored_relay.agent_info = agent_info;
    v.stored_relay.encoded_hops = hops;
    return v;
}

PacketView OwnedPacket::view() const {
    PacketView v;
    v.message_type = message_type;
    v.relay.agent_info = agent_info;
    v.relay.encoded_hops = hops;
    v.relay.source = source;
    v.options = options;
    return v;
}

struct SimulatedLeases::Formula {
    OwnedLease lease;
    OwnedPacket packet;
};

std::string SimulatedLeases::addressOf(std::uint32_t index) const {
    const std::string& first = generated_.first;
    const std::size_t low = std::min<std::size_t>(first.size(), 8);
    std::string address = first.substr(0, first.size() - low);
    addBig(address, readBig(Octets(first).substr(first.size() - low)) + index, static_cast<int>(low));
    return address;
}

std::optional<std::uint32_t> SimulatedLeases::indexOf(Octets address) const {
    const std::string& first = generated_.first;
    if (address.size() != first.size() || generated_.count == 0) return std::nullopt;
    const std::size_t low = std::min<std::size_t>(first.size(), 8);
    const std::size_t high = first.size() - low;
    if (address.substr(0, high) != Octets(first).substr(0, high)) return std::nullopt;
    const std::uint64_t distance = readBig(address.substr(high)) - readBig(Octets(first).substr(high));
    if (distance >= generated_.count) return std::nullopt;
    return static_cast<std::uint32_t>(distance);
}

bool SimulatedLeases::isThere(std::uint32_t index) const {
    return (changes_[index] & kGone) == 0;
}

void SimulatedLeases::compute(std::uint32_t index, Formula& room) const {
    const std::uint32_t changes = changes_[index];
    const std::uint32_t client = (changes & kClients) >> 24;
    const std::uint32_t relay = index / std::max<std::uint32_t>(generated_.leases_per_relay, 1);
    OwnedLease& lease = room.lease;
    OwnedPacket& packet = room.packet;
    lease.address = addressOf(index);
    lease.subnet_id = 1 + index / std::max<std::uint32_t>(generated_.leases_per_subnet, 1);
    lease.valid_lifetime = generated_.valid_lifetime;
    lease.cltt = generated_.cltt + (changes & kSeconds);
    lease.hardware_type = 1;
    lease.hardware_address.assign(1, 2);
    addBig(lease.hardware_address, client, 1);
    addBig(lease.hardware_address, index, 4);
    lease.hostname = text("subscriber-%08x.example.net", index);
    packet = {};
    if (family_ == Family::v4) {
        lease.client_id = '\x01' + lease.hardware_address;
        std::string relay_id("\x00\x03\x00\x01\x02\x00", 6);
        addBig(relay_id, relay, 4);
        addOption4(packet.agent_info, 1, text("eth 0/1/0:%08x", index));
        addOption4(packet.agent_info, 2, text("access-node-%06x", relay));
        addOption4(packet.agent_info, 12, relay_id);
        packet.message_type = 3;
        addOption4(packet.options, 12, text("cpe-%08x", index));
        addOption4(packet.options, 60, "urn:example:cpe:model-7:firmware-1.2");
        addOption4(packet.options, 61, lease.client_id);
    } else {
        lease.preferred_lifetime = lease.valid_lifetime / 2;
        lease.iaid = 1;
        lease.client_id = std::string("\x00\x01\x00\x01\x2a\x3b\x4c\x5d", 8) + lease.hardware_address;
        std::string link = lease.address.substr(0, 8);
        addBig(link, 1, 8);
        std::string peer("\xfe\x80\0\0\0\0\0\0", 8);
        addBig(peer, index, 8);
        std::string options;
        addOption6(options, 18, text("eth 0/1/0:%08x", index));
        std::string remote;
        addBig(remote, 4491, 4);
        remote += text("access-node-%06x", relay);
        addOption6(options, 37, remote);
        encodeRelayHop(packet.hops, 0, link, peer, options);
        packet.message_type = 3;
        std::string vendor;
        addBig(vendor, 4491, 4);
        addBig(vendor, 7, 2);
        vendor += "model-7";
        addOption6(packet.options, 16, vendor);
    }
    lease.agent_info.clear();
    lease.hops.clear();
    if (generated_.stored_relay) {
        lease.agent_info = packet.agent_info;
        lease.hops = packet.hops;
    }
}

bool SimulatedLeases::page(Octets after, std::size_t limit, const std::function<void(const LeaseView&)>& add) {
    auto put = after.empty() ? leases_.begin() : leases_.upper_bound(std::string(after));
    std::uint64_t index = 0;
    if (!after.empty() && generated_.count != 0) {
        const auto at = indexOf(after);
        if (at) index = std::uint64_t{*at} + 1;
        else index = after < Octets(generated_.first) ? 0 : generated_.count;
    }
    Formula room;
    for (std::size_t added = 0;;) {
        while (index < generated_.count && !isThere(static_cast<std::uint32_t>(index))) ++index;
        const bool more_generated = index < generated_.count;
        if (put == leases_.end() && !more_generated) return true;
        if (added++ == limit) return false;
        const std::string address = more_generated ? addressOf(static_cast<std::uint32_t>(index)) : std::string();
        if (put != leases_.end() && (!more_generated || put->first <= address)) {
            if (more_generated && put->first == address) ++index;  // one that was put hides a generated one
            add(put->second.view());
            ++put;
        } else {
            compute(static_cast<std::uint32_t>(index), room);
            add(room.lease.view());
            ++index;
        }
    }
}

bool SimulatedLeases::readPage(Octets after, std::size_t limit, PageSink& sink) {
    if (const std::uint32_t ms = delay_ms_.load()) std::this_thread::sleep_for(std::chrono::milliseconds(ms));
    const std::lock_guard<std::mutex> hold(mutex_);
    if (failure_ && not_ready_) throw NotReady(*failure_);
    if (failure_) throw std::runtime_error(*failure_);
    return page(after, limit, [&sink](const LeaseView& lease) { sink.add(lease); });
}

bool SimulatedLeases::list(Octets after, std::size_t limit, const std::function<void(const LeaseView&)>& add) {
    const std::lock_guard<std::mutex> hold(mutex_);
    return page(after, limit, add);
}

std::uint64_t SimulatedLeases::count() {
    const std::lock_guard<std::mutex> hold(mutex_);
    std::uint64_t all = leases_.size() + generated_there_;
    for (const auto& put : leases_) {
        const auto index = indexOf(put.first);
        if (index && isThere(*index)) --all;
    }
    return all;
}

std::uint64_t SimulatedLeases::put(OwnedLease lease, const Publish& publish) {
    const std::lock_guard<std::mutex> hold(mutex_);
    const auto index = indexOf(lease.address);
    const bool there = leases_.count(lease.address) != 0 || (index && isThere(*index));
    OwnedLease& held = leases_[lease.address] = std::move(lease);
    return publish ? publish(there ? Operation::update : Operation::add, held.view()) : 0;
}

std::uint64_t SimulatedLeases::remove(const std::string& address, const Publish& publish) {
    const std::lock_guard<std::mutex> hold(mutex_);
    OwnedLease was;
    const auto index = indexOf(address);
    const bool generated = index && isThere(*index);
    const auto found = leases_.find(address);
    if (found != leases_.end()) {
        was = std::move(found->second);
        leases_.erase(found);
    } else if (generated) {
        Formula room;
        compute(*index, room);
        was = room.lease;
    } else {
        return 0;
    }
    if (generated) {
        changes_[*index] |= kGone;
        --generated_there_;
    }
    return publish ? publish(Operation::remove, was.view()) : 0;
}

void SimulatedLeases::clear() {
    const std::lock_guard<std::mutex> hold(mutex_);
    leases_.clear();
    generated_ = {};
    changes_.clear();
    generated_there_ = 0;
}

void SimulatedLeases::generate(Generated generated) {
    const std::lock_guard<std::mutex> hold(mutex_);
    generated_ = std::move(generated);
    changes_.assign(generated_.count, 0);
    generated_there_ = generated_.count;
}

std::uint64_t SimulatedLeases::churn(const Churn& churn, Feed& feed, const std::atomic<bool>& cancel) {
    std::mt19937_64 random(churn.seed);
    std::uniform_real_distribution<double> share(0, 1);
    Formula room;
    const auto start = Steady::now();
    std::uint64_t done = 0;
    for (; done < churn.changes && !cancel.load(std::memory_order_relaxed); ++done) {
        if (churn.rate > 0 && done % 16 == 0) {
            const auto due = start + std::chrono::nanoseconds(
                                         static_cast<std::int64_t>(static_cast<double>(done) / churn.rate * 1e9));
            while (Steady::now() < due && !cancel.load(std::memory_order_relaxed)) {
                std::this_thread::sleep_until(std::min(due, Steady::now() + std::chrono::milliseconds(50)));
            }
        }
        const std::uint64_t pick = churn.in_order ? done : random();
        const double kind = share(random);
        const std::lock_guard<std::mutex> hold(mutex_);
        if (generated_.count == 0) break;
        const auto index = static_cast<std::uint32_t>(pick % generated_.count);
        std::uint32_t& changes = changes_[index];
        if (!leases_.empty()) leases_.erase(addressOf(index));  // one that was put no longer hides it
        Operation op = Operation::update;
        Origin origin = Origin::client;
        if ((changes & kGone) != 0) {
            changes &= ~kGone;
            ++generated_there_;
            op = Operation::add;
        } else if (kind < churn.removals) {
            op = Operation::remove;
            origin = Origin::reclamation;
        } else if (kind < churn.removals + churn.new_clients) {
            changes = (changes & ~kClients) | ((changes + kClientOne) & kClients);
        }
        if (op == Operation::remove) {
            compute(index, room);
            changes |= kGone;
            --generated_there_;
            feed.publish(op, room.lease.view(), origin, nullptr);
        } else {
            const std::uint64_t now = wallClockMs() / 1000;
            const std::uint64_t seconds = now > generated_.cltt ? now - generated_.cltt : 0;
            changes = (changes & ~kSeconds) | static_cast<std::uint32_t>(std::min<std::uint64_t>(seconds, kSeconds));
            compute(index, room);
            const PacketView packet = room.packet.view();
            feed.publish(op, room.lease.view(), origin, &packet);
        }
    }
    return done;
}

void SimulatedLeases::failPages(std::optional<std::string> text, bool not_ready) {
    const std::lock_guard<std::mutex> hold(mutex_);
    failure_ = std::move(text);
    not_ready_ = not_ready;
}

}  // namespace lease_feed
