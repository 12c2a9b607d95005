// One loaded life of the library: from Kea's load() to its unload(). It joins the tap, the threads' contexts and the
// core's feed; the callouts are thin over it.
#pragma once

#include <cc/data.h>
#include <dhcpsrv/lease.h>
#include <dhcpsrv/srv_config.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "../core/feed.h"
#include "dirty_leases.h"
#include "lease_tap.h"
#include "log.h"
#include "main_thread.h"
#include "other_libraries.h"
#include "packet_stash.h"
#include "parameters.h"
#include "reports.h"
#include "server_config.h"
#include "snapshot.h"

namespace lease_feed {

class Hook {
public:
    /// @param problems  refused parameters, if `config` is not the configuration's
    Hook(Family family, Config config, ServiceFrom from, std::vector<ConfigProblem> problems);
    ~Hook();
    Hook(const Hook&) = delete;
    Hook& operator=(const Hook&) = delete;

    /// The one that is loaded now, or null. Changes only while no other thread is in Kea.
    static Hook* loaded() { return loaded_.load(std::memory_order_acquire); }
    static void setLoaded(Hook* hook) { loaded_.store(hook, std::memory_order_release); }

    /// Kea has a new configuration: starts a feed, of a new epoch, over its lease manager. Main thread.
    /// @param staged  the new one; CfgMgr's current one is still the old
    void configured(const isc::dhcp::SrvConfigPtr& staged);

    /// A lease was written. On any thread, under the lease manager's lock: copies and publishes, nothing else.
    void tapped(Operation operation, const isc::dhcp::Lease4& lease) noexcept { tappedAny(operation, lease); }
    void tapped(Operation operation, const isc::dhcp::Lease6& lease) noexcept { tappedAny(operation, lease); }

    /// Without the tap: a callout says that a lease was, or is about to be, written.
    void marked(const isc::dhcp::Lease4& lease, Origin origin) { markedAny(lease, origin); }
    void marked(const isc::dhcp::Lease6& lease, Origin origin) { markedAny(lease, origin); }
    /// Whether it matters here which leases callouts say were written.
    bool wantsWritten() const { return dirty_ != nullptr; }
    static bool leasesInSql(const isc::dhcp::SrvConfigPtr& config);

    /// Kea answered from its cache: nothing was written, but the client may be behind another port now.
    void cached(const isc::dhcp::Lease4& lease);
    void cached(const isc::dhcp::Lease6& lease);
    /// An IPv6 packet is done: whatever it was to write is written.
    /// @param response  Kea's answer, null where Kea does not tell
    void answered(const isc::dhcp::Pkt6Ptr& query, const isc::dhcp::Pkt6Ptr& response);
    /// Kea declined an address of its own accord (ping check), for this packet.
    void serverDeclined();
    /// A lease that callouts name after it was written.
    void confirmed(const isc::asiolink::IOAddress& address);
    /// @param done  whether Kea reports success, and no exception to it
    void commandProcessed(const std::string& name, const isc::data::ConstElementPtr& arguments, bool done);
    /// Subnets or reservations may have changed; they are read anew within seconds.
    void configChanged() { config_stale_ = true; }

    /// For the command lease-feed-status. Any thread.
    isc::data::ElementPtr status() const;
    /// For the command lease-feed-resync. Any thread.
    bool resync();

    /// A call from Kea failed inside: counted here, logged by the clock tick.
    void failed(const char* reason) noexcept;

private:
    template <typename Lease>
    void markedAny(const Lease& lease, Origin origin);
    template <typename Lease>
    void tappedAny(Operation operation, const Lease& lease) noexcept;
    template <typename Lease>
    Origin originOf(Operation operation, const Lease& lease, Octets address, bool of_packet,
                    ThreadContext& thread) const;
    template <typename Lease>
    void annotatePacket(const Lease& lease, const PacketView& packet, ThreadContext& thread);
    void annotateReused(ThreadContext& thread, const isc::dhcp::Pkt6Ptr& response);
    void start();
    void unwatchLeases() noexcept;
    void watchNewManager();
    void tick() noexcept;
    void sendConfig(const isc::dhcp::ConstSrvConfigPtr& config);
    void logFailures();

    static std::atomic<Hook*> loaded_;

    const Family family_;
    const Config config_;
    const ServiceFrom from_;
    const std::vector<ConfigProblem> problems_;
    const std::thread::id main_id_;

    KeaLog log_;
    KeaLeases leases_;
    LeaseTap tap_;
    KeaMainThread main_;
    std::unique_ptr<Feed> feed_;  // after what it uses: members are destroyed in reverse
    std::unique_ptr<DirtyLeases> dirty_;

    std::atomic<bool> watching_{false};  // as of the last tick
    bool in_sql_ = false;  // the leases: what is told of them then, see dirty_leases.h
    bool high_availability_ = false;
    std::atomic<bool> started_{false};
    unsigned retry_in_ = 0;
    std::atomic<bool> config_stale_{false};
    std::chrono::steady_clock::time_point config_due_{};  // main thread only: no sooner is it read anew

    FollowerLog follower_log_;

    std::atomic<std::uint64_t> failures_{0};
    std::uint64_t failures_logged_ = 0;
    unsigned failures_quiet_ = 0;
    mutable std::mutex text_mutex_;  // guards the two below
    std::string failure_;
    std::string start_error_;
};

}  // namespace lease_feed
