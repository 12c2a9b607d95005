#include "kea.h"

#include "hook.h"

#include <dhcp/dhcp4.h>
#include <dhcp/dhcp6.h>
#include <dhcp/option6_iaaddr.h>
#include <dhcpsrv/cfg_db_access.h>
#include <dhcpsrv/cfgmgr.h>
#include <dhcpsrv/lease_mgr_factory.h>
#include <util/multi_threading_mgr.h>

#include <algorithm>
#include <fstream>

#include "../core/config_pages.h"
#include "lease_commands.h"

using isc::data::ConstElementPtr;
using isc::data::Element;
using isc::data::ElementPtr;
using isc::dhcp::CfgMgr;
using isc::dhcp::Lease;
using isc::dhcp::Lease4;
using isc::dhcp::Lease6;
using isc::dhcp::Lease6Ptr;
using isc::dhcp::LeaseMgrFactory;
using isc::dhcp::Pkt6Ptr;
using isc::dhcp::SrvConfigPtr;

namespace lease_feed {
namespace {

constexpr std::uint32_t kDrainMs = 200;
constexpr unsigned kRetrySeconds = 5;
constexpr unsigned kFailureQuietSeconds = 60;

// Lease4 and Lease6 name the same thing differently only here.
bool isDeclined(const Lease& lease) {
    return lease.state_ == Lease::STATE_DECLINED;
}

bool isReclaimed(Operation operation, const Lease& lease) {
    return operation == Operation::remove || lease.state_ == Lease::STATE_EXPIRED_RECLAIMED;
}

// Kea's profiles in Debian know nothing of the feed's folder until a rule is added.
std::string hintOfAppArmor(const std::string& error) {
    if (error.find("Permission denied") == std::string::npos) {
        return std::string();
    }
    std::string profile;
    std::ifstream file("/proc/self/attr/current");
    std::getline(file, profile, '\0');
    if (profile.empty() || profile.compare(0, 10, "unconfined") == 0) {
        return std::string();
    }
    while (!profile.empty() && profile.back() == '\n') {
        profile.pop_back();
    }
    return " (AppArmor confines this process by the profile " + profile +
           ", which needs a rule for the feed's folder: see the lease feed's README)";
}

}  // namespace

std::atomic<Hook*> Hook::loaded_{nullptr};

Hook::Hook(Family family, Config config, ServiceFrom from, std::vector<ConfigProblem> problems)
    : family_(family), config_(std::move(config)), from_(from), problems_(std::move(problems)),
      main_id_(std::this_thread::get_id()), leases_(family), tap_(family), main_([this] { tick(); }) {
    for (const auto& problem : problems_) {
        LOG_ERROR(logger, LEASE_FEED_PARAMETER_REFUSED)
            .arg(problem.parameter).arg(problem.reason).arg(valueAndPlace(problem));
    }
    if (!problems_.empty()) {
        LOG_ERROR(logger, LEASE_FEED_SERVICE_KEPT).arg(problems_.size()).arg(nameOf(from_));
    }
}

Hook::~Hook() {
    unwatchLeases();
    main_.close();
    if (feed_) {
        feed_->stop(kDrainMs);
    }
}

void Hook::configured(const SrvConfigPtr& staged) {
    if (isConfigurationTest(staged)) {
        return;  // -T must leave the feed of the server that runs alone
    }
    unwatchLeases();
    main_.close();
    if (feed_) {
        feed_->stop(kDrainMs);
        dirty_.reset();
        feed_.reset();
    }
    started_ = false;
    ThreadContext::forgetAll();
    high_availability_ = isHighlyAvailable(staged);
    in_sql_ = leasesInSql(staged);

    const ExtendedInfo info = extendedInfoOf(family_, staged);
    if (info.without != 0) {
        LOG_WARN(logger, LEASE_FEED_EXTENDED_INFO_OFF).arg(info.without).arg(info.subnets);
    }
    try {
        feed_ = std::make_unique<Feed>(config_.feed, identityOf(family_, staged, config_.tap), leases_, main_, log_);
        feed_->setService(config_.service->str());
        if (!config_.tap || in_sql_) {
            dirty_ = std::make_unique<DirtyLeases>(family_, *feed_, main_);
        }
    } catch (const std::exception& problem) {
        LOG_ERROR(logger, LEASE_FEED_LOAD_FAILED).arg(problem.what());
        feed_.reset();
        return;
    }
    sendConfig(staged);
    config_stale_ = false;
    if (config_.tap) {
        tap_.watch();
    }
    watching_ = tap_.watching();
    start();
}

// Kea may not have opened its lease database yet: the configuration says what it will be.
bool Hook::leasesInSql(const SrvConfigPtr& config) {
    return config->getCfgDbAccess()->getLeaseDbAccessString().find("type=memfile") == std::string::npos;
}

void Hook::start() {
    std::string error;
    try {
        main_.open();
        feed_->start();
        started_ = true;
    } catch (const std::exception& problem) {
        error = problem.what() + hintOfAppArmor(problem.what());
    }
    std::lock_guard<std::mutex> lock(text_mutex_);
    if (!error.empty() && error != start_error_) {
        LOG_ERROR(logger, LEASE_FEED_START_FAILED).arg(error).arg(kRetrySeconds);
    }
    start_error_ = error;
    retry_in_ = kRetrySeconds;
}

void Hook::unwatchLeases() noexcept {
    try {
        watching_ = false;
        tap_.unwatch();
    } catch (const std::exception& problem) {
        failed(problem.what());
    }
}

// Kea opened its lease database after the library was configured, or again after it was lost.
void Hook::watchNewManager() {
    {
        isc::util::MultiThreadingCriticalSection workers_paused;
        tap_.watch();
    }
    watching_ = tap_.watching();
    if (watching_) {
        LOG_INFO(logger, LEASE_FEED_TAP_RENEWED);
        feed_->requestResync();  // for what was written before
    }
}

template <typename L>
void Hook::tappedAny(Operation operation, const L& lease) noexcept {
    try {
        ThreadContext& thread = ThreadContext::current();
        const PacketView* packet = thread.packetOf(lease, config_.captured);
        const LeaseView view = viewOf(lease, thread.leaseScratch(), !packet || packet->relay.empty());
        const Origin origin = originOf(operation, lease, view.address, packet != nullptr, thread);
        feed_->publish(operation, view, origin, origin == Origin::reclamation ? nullptr : packet);
        thread.written(view.address);
        if (in_sql_ && operation == Operation::add) {
            dirty_->doubt(view, origin);
        }
        // On the main thread a packet that waits in a parking lot may still look as if it were being answered.
        if (origin == Origin::unknown || origin == Origin::partner ||
            (origin == Origin::client && std::this_thread::get_id() == main_id_)) {
            thread.remember(operation, origin, view);
        }
    } catch (const std::exception& problem) {
        failed(problem.what());
    } catch (...) {
        failed("unknown exception");
    }
}

template void Hook::tappedAny(Operation, const Lease4&) noexcept;
template void Hook::tappedAny(Operation, const Lease6&) noexcept;

template <typename L>
Origin Hook::originOf(Operation operation, const L& lease, Octets address, bool of_packet,
                      ThreadContext& thread) const {
    if (thread.isReclaiming(lease) && isReclaimed(operation, lease)) {
        thread.reclaimed();
        return Origin::reclamation;
    }
    // A declined lease has lost its client, so that it never looks like the packet's.
    if (of_packet || (isDeclined(lease) && thread.isDeclining(address))) {
        return Origin::client;
    }
    // Leases are written by packets, commands and timers, all on threads that are known by now, and by the
    // high-availability library's own threads, for the partner.
    if (high_availability_ && !thread.answersPackets() && std::this_thread::get_id() != main_id_) {
        return Origin::partner;
    }
    return Origin::unknown;
}

template <typename L>
void Hook::markedAny(const L& lease, Origin origin) {
    if (!dirty_ || config_.tap) {
        return;
    }
    ThreadContext& thread = ThreadContext::current();
    const PacketView* packet = origin == Origin::client ? thread.packetOf(lease, config_.captured) : nullptr;
    const LeaseView view = viewOf(lease, thread.leaseScratch(), false);
    dirty_->mark(view, origin, packet);
    thread.written(view.address);
}

template void Hook::markedAny(const Lease4&, Origin);
template void Hook::markedAny(const Lease6&, Origin);

template <typename L>
void Hook::annotatePacket(const L& lease, const PacketView& packet, ThreadContext& thread) {
    const LeaseView view = viewOf(lease, thread.leaseScratch(), false);
    feed_->annotate(
        {view.address, view.hardware_type, view.hardware_address, view.client_id, Origin::unknown, &packet});
}

void Hook::cached(const Lease4& lease) {
    ThreadContext& thread = ThreadContext::current();
    const PacketView* packet = thread.packetOf(lease, config_.captured);
    // The same callout comes for a Discover, which changes nothing.
    if (feed_ && packet && packet->message_type == isc::dhcp::DHCPREQUEST) {
        annotatePacket(lease, *packet, thread);
    }
}

void Hook::cached(const Lease6& lease) {
    ThreadContext& thread = ThreadContext::current();
    const PacketView* packet = thread.packetOf(lease, config_.captured);
    if (feed_ && packet) {
        annotatePacket(lease, *packet, thread);
    }
}

void Hook::answered(const Pkt6Ptr& query, const Pkt6Ptr& response) {
    ThreadContext& thread = ThreadContext::current();
    thread.resume(query);
    if (feed_) {
        // Encoded only where there is something to tell.
        const auto packet = [&] { return thread.packetInHand(config_.captured); };
        // What Kea wrote before this packet came into sight of a callout: on a thread that it was moved to, or the
        // removal of a lease that no longer fits.
        const Octets duid = thread.clientInHand();
        thread.settle([&](const Tapped& write) {
            if (write.client_id != duid) {
                return false;
            }
            if (write.origin == Origin::unknown) {
                feed_->annotate(write.about(Origin::client, packet()));
            }
            return true;
        });
        thread.eachUnwritten([&](const Tapped& lease) { feed_->annotate(lease.about(Origin::unknown, packet())); });
        if (response && (query->getType() == DHCPV6_REQUEST || query->getType() == DHCPV6_SOLICIT)) {
            annotateReused(thread, response);
        }
    }
    thread.endPacket();
}

// A repeated Request inside the cache's time gets its leases again without a write, and no callout names them.
void Hook::annotateReused(ThreadContext& thread, const Pkt6Ptr& response) {
    // In memory a look-up costs nothing; in SQL the client's answer would wait for a query of ours.
    if (!LeaseMgrFactory::haveInstance() || LeaseMgrFactory::instance().getType() != "memfile") {
        return;
    }
    for (const auto& ia : response->options_) {
        if (ia.first != D6O_IA_NA && ia.first != D6O_IA_PD) {
            continue;
        }
        for (const auto& option : ia.second->getOptions()) {
            const auto address = boost::dynamic_pointer_cast<isc::dhcp::Option6IAAddr>(option.second);
            if (!address || address->getValid() == 0 ||
                thread.wasWritten(AddressOctets(address->getAddress()).view())) {
                continue;
            }
            const Lease6Ptr lease = LeaseMgrFactory::instance().getLease6(
                ia.first == D6O_IA_NA ? Lease::TYPE_NA : Lease::TYPE_PD, address->getAddress());
            if (lease) {
                cached(*lease);
            }
        }
    }
}

void Hook::serverDeclined() {
    ThreadContext& thread = ThreadContext::current();
    thread.settle([this](const Tapped& write) {
        if (feed_ && write.origin == Origin::unknown) {
            feed_->annotate(write.about(Origin::client, nullptr));
        }
        return true;
    });
}

void Hook::confirmed(const isc::asiolink::IOAddress& address) {
    if (dirty_ && config_.tap) {
        dirty_->confirm(AddressOctets(address).view());
    }
}

void Hook::commandProcessed(const std::string& name, const ConstElementPtr& arguments, bool done) {
    ThreadContext& thread = ThreadContext::current();
    if (feed_ && writesLeases(name)) {
        const Origin origin = saysPartner(arguments) ? Origin::partner : Origin::operator_command;
        const std::vector<AddressOctets> addresses = addressesOf(arguments);
        if (!config_.tap) {
            for (const AddressOctets& address : addresses) {
                dirty_->mark(address, origin);
            }
            if (addresses.empty()) {
                feed_->requestResync();  // by client or subnet: only a walk finds which
            }
        } else if (in_sql_) {
            if (done) {
                for (const AddressOctets& address : addresses) {
                    dirty_->confirm(address.view());
                }
            }
            if (done && wipesLeases(name)) {
                feed_->requestResync();  // one statement, which the lease manager does not tell of
            }
        }
        thread.settle([&](const Tapped& write) {
            const auto same = [&write](const AddressOctets& one) { return one.view() == write.address.view(); };
            if (!addresses.empty() && std::none_of(addresses.begin(), addresses.end(), same)) {
                return false;
            }
            if (write.origin != origin) {
                feed_->annotate(write.about(origin, nullptr));
            }
            return true;
        });
    }
    thread.endPacket();
    if (changesConfig(name)) {
        configChanged();
    }
}

bool Hook::resync() {
    if (!feed_ || !started_) {
        return false;
    }
    feed_->requestResync();
    LOG_INFO(logger, LEASE_FEED_RESYNC);
    return true;
}

void Hook::failed(const char* reason) noexcept {
    try {
        failures_.fetch_add(1);
        std::lock_guard<std::mutex> lock(text_mutex_);
        failure_ = reason;
    } catch (...) {
        // Out of memory for a text: the count stands.
    }
}

void Hook::tick() noexcept {
    try {
        if (!feed_) {
            return;
        }
        watching_ = tap_.watching();
        if (config_.tap && !watching_ && LeaseMgrFactory::haveInstance()) {
            watchNewManager();
        }
        if (!started_ && --retry_in_ == 0) {
            start();
        }
        const auto now = std::chrono::steady_clock::now();
        if (now >= config_due_ && config_stale_.exchange(false)) {
            sendConfig(CfgMgr::instance().getCurrentCfg());
            // However many commands come, and however many reservations there are: a twentieth of this thread's time.
            const auto after = std::chrono::steady_clock::now();
            config_due_ = after + 20 * (after - now);
        }
        if (dirty_) {
            dirty_->tick();
        }
        const FeedStatus status = feed_->status();
        follower_log_.look(status);
        countStatistics(status, failures_);
        logFailures();
    } catch (const std::exception& problem) {
        failed(problem.what());
    } catch (...) {
        failed("unknown exception");
    }
}

void Hook::sendConfig(const isc::dhcp::ConstSrvConfigPtr& config) {
    try {
        const std::size_t left_out = feed_->setConfig(encodeConfig(family_, config));
        if (left_out != 0) {
            LOG_WARN(logger, LEASE_FEED_CONFIG_CUT).arg(left_out).arg(kMostConfigOctets);
        }
    } catch (const std::exception& problem) {
        LOG_WARN(logger, LEASE_FEED_CONFIG_FAILED).arg(problem.what());
    }
}

void Hook::logFailures() {
    const std::uint64_t failures = failures_;
    if (failures == failures_logged_) {
        return;
    }
    if (failures_quiet_ != 0) {
        --failures_quiet_;
        return;
    }
    std::lock_guard<std::mutex> lock(text_mutex_);
    LOG_ERROR(logger, LEASE_FEED_CALLOUTS_FAILED).arg(failures).arg(failure_);
    failures_logged_ = failures;
    failures_quiet_ = kFailureQuietSeconds;
}

ElementPtr Hook::status() const {
    ElementPtr feed = Element::createMap();
    feed->set("endpoint", Element::create(config_.feed.endpoint));
    feed->set("running", Element::create(started_.load()));
    feed->set("tap", Element::create(watching_.load()));
    feed->set("failures", Element::create(static_cast<long long>(failures_)));
    {
        std::lock_guard<std::mutex> lock(text_mutex_);
        if (!start_error_.empty()) {
            feed->set("error", Element::create(start_error_));
        }
        if (!failure_.empty()) {
            feed->set("last-failure", Element::create(failure_));
        }
    }
    const FeedStatus status = feed_ ? feed_->status() : FeedStatus();
    if (feed_) {
        describeFeed(feed, status);
    }
    ElementPtr result = Element::createMap();
    result->set("kea-version", Element::create(keaVersion()));
    result->set("hook-version", Element::create(std::string(LEASE_FEED_VERSION)));
    result->set("feed", feed);
    result->set("service", describeService(from_, config_.service, problems_));
    result->set("followers", describeFollowers(status));
    return result;
}

}  // namespace lease_feed
