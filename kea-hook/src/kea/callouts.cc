// What Kea calls. Each callout fetches its arguments and hands over; none throws, blocks, or touches status or
// arguments. Callouts of the other family's server are never called.
//
// Which hook points, and why no others: each one costs Kea the preparation of its arguments for every packet, which
// is most of what this library costs it. So only those stand here that come on the thread that writes the lease, right
// before it does. In IPv4 each write has one (lease4_select, lease4_renew, lease4_release, lease4_decline). In IPv6
// some writes have none; pkt6_receive stands for them.
//
// Kea may move an IPv6 packet to another thread after pkt6_receive: the end of the packet tells what that has hidden.
// It shows at pkt6_send, for half of what leases6_committed costs, unless a library holds packets back: beside such
// ones leases6_committed it is, and lease6_select for what is then never sent.
#include "kea.h"

#include <dhcp/dhcp6.h>
#include <dhcpsrv/cfgmgr.h>
#include <hooks/hooks.h>
#include <process/daemon.h>

#include <memory>

#include "commands.h"
#include "hook.h"
#include "lease_commands.h"
#include "other_libraries.h"

using isc::data::ConstElementPtr;
using isc::dhcp::CfgMgr;
using isc::dhcp::Lease4CollectionPtr;
using isc::dhcp::Lease4Ptr;
using isc::dhcp::Lease6CollectionPtr;
using isc::dhcp::Lease6Ptr;
using isc::dhcp::Pkt4Ptr;
using isc::dhcp::Pkt6Ptr;
using isc::dhcp::SrvConfigPtr;
using isc::hooks::CalloutHandle;
using isc::hooks::LibraryHandle;

namespace lease_feed {
namespace {

std::unique_ptr<Hook> hook;

// The last parameters without a mistake, in this process. They outlive unload(): Kea unloads and loads the library at
// each reconfiguration, and the library stays mapped (see CMakeLists.txt).
std::unique_ptr<Config> last_good;

// A server that has had a configuration serves clients: from then on no mistake of ours may stop it.
bool serverRuns() {
    return CfgMgr::instance().getCurrentCfg()->getSequence() != 0;
}

template <typename F>
int guarded(F&& f) noexcept {
    Hook* loaded = Hook::loaded();
    if (!loaded) {
        return 0;
    }
    try {
        f(*loaded);
    } catch (const std::exception& problem) {
        loaded->failed(problem.what());
    } catch (...) {
        loaded->failed("unknown exception");
    }
    return 0;
}

template <typename T>
T argument(CalloutHandle& handle, const char* name) {
    T value;
    handle.getArgument(name, value);
    return value;
}

// The packet that the callout is about is the one that this thread answers.
int packet4(CalloutHandle& handle) noexcept {
    return guarded([&](Hook&) { ThreadContext::current().begin(argument<Pkt4Ptr>(handle, "query4")); });
}

int packet6(CalloutHandle& handle) noexcept {
    return guarded([&](Hook&) { ThreadContext::current().resume(argument<Pkt6Ptr>(handle, "query6")); });
}

// What Kea has written for a packet. Marks where the lease manager is not watched, confirms in SQL databases where it
// is: each does nothing where it is not wanted.
template <typename Leases>
void written(Hook& loaded, CalloutHandle& handle, std::initializer_list<const char*> names) {
    for (const char* name : names) {
        for (const auto& lease : *argument<Leases>(handle, name)) {
            loaded.marked(*lease, Origin::client);
            loaded.confirmed(lease->addr_);
        }
    }
}

int committed4(CalloutHandle& handle) {
    return guarded([&](Hook& loaded) {
        ThreadContext::current().begin(argument<Pkt4Ptr>(handle, "query4"));
        written<Lease4CollectionPtr>(loaded, handle, {"deleted_leases4", "leases4"});
    });
}

int offered4(CalloutHandle& handle) {
    return guarded([&](Hook& loaded) {
        if (argument<std::uint32_t>(handle, "offer_lifetime") == 0) {
            return;  // nothing was written
        }
        ThreadContext::current().begin(argument<Pkt4Ptr>(handle, "query4"));
        written<Lease4CollectionPtr>(loaded, handle, {"leases4"});
    });
}

int committed6(CalloutHandle& handle) {
    return guarded([&](Hook& loaded) {
        const auto query = argument<Pkt6Ptr>(handle, "query6");
        ThreadContext::current().resume(query);
        if (loaded.wantsWritten()) {
            written<Lease6CollectionPtr>(loaded, handle, {"deleted_leases6", "leases6"});
        }
        // Since 2.7.7 the answer is there.
        loaded.answered(query, LEASE_FEED_KEA_VERSION >= 20707 ? argument<Pkt6Ptr>(handle, "response6") : Pkt6Ptr());
    });
}

int sent6(CalloutHandle& handle) {
    return guarded([&](Hook& loaded) {
        const auto response = argument<Pkt6Ptr>(handle, "response6");
        if (response && response->getType() == DHCPV6_REPLY) {
            loaded.answered(argument<Pkt6Ptr>(handle, "query6"), response);
        }
    });
}

int renewal6(CalloutHandle& handle) noexcept {
    return guarded([&](Hook&) {
        ThreadContext& thread = ThreadContext::current();
        thread.resume(argument<Pkt6Ptr>(handle, "query6"));
        const auto lease = argument<Lease6Ptr>(handle, "lease6");
        if (lease) {
            thread.renewing(*lease);
        }
    });
}

// What not every configuration needs.
void registerCommitted(LibraryHandle& handle, Family family, bool tap) {
    const SrvConfigPtr staged = CfgMgr::instance().getStagingCfg();
    const bool wants_written = !tap || Hook::leasesInSql(staged);
    if (family == Family::v4) {
        if (wants_written) {
            handle.registerCallout("leases4_committed", committed4);
            handle.registerCallout("lease4_offer", offered4);
        }
    } else if (wants_written || othersMayPark(staged)) {
        handle.registerCallout("lease6_select", packet6);
        handle.registerCallout("leases6_committed", committed6);
    } else {
        handle.registerCallout("pkt6_send", sent6);
    }
}

int loadFor(Family family, LibraryHandle& handle) {
    std::vector<ConfigProblem> problems;
    Config config = parseConfig(family, handle.getParameters(), problems);
    ServiceFrom from = ServiceFrom::configuration;
    if (problems.empty()) {
        last_good = std::make_unique<Config>(config);
    } else if (!serverRuns()) {
        for (const auto& problem : problems) {
            LOG_ERROR(logger, LEASE_FEED_PARAMETER_REFUSED)
                .arg(problem.parameter).arg(problem.reason).arg(valueAndPlace(problem));
        }
        return 1;
    } else if (last_good) {
        config = *last_good;
        from = ServiceFrom::last_good;
    } else {
        config = defaultConfig(family);
        from = ServiceFrom::defaults;
    }
    registerCommitted(handle, family, config.tap);
    hook = std::make_unique<Hook>(family, std::move(config), from, std::move(problems));
    Hook::setLoaded(hook.get());
    registerCommands(handle);
    return 0;
}

}  // namespace
}  // namespace lease_feed

using namespace lease_feed;

extern "C" {

int load(LibraryHandle& handle) {
    bool running = false;
    try {
        running = serverRuns();
        const std::string daemon = isc::process::Daemon::getProcName();
        if (daemon != "kea-dhcp4" && daemon != "kea-dhcp6") {
            LOG_ERROR(logger, LEASE_FEED_WRONG_DAEMON).arg(daemon);
            return 1;
        }
        return loadFor(daemon == "kea-dhcp4" ? Family::v4 : Family::v6, handle);
    } catch (const std::exception& problem) {
        LOG_ERROR(logger, LEASE_FEED_LOAD_FAILED).arg(problem.what());
    } catch (...) {
        LOG_ERROR(logger, LEASE_FEED_LOAD_FAILED).arg("unknown exception");
    }
    return running ? 0 : 1;
}

int unload() {
    try {
        Hook::setLoaded(nullptr);
        hook.reset();
        ThreadContext::forgetAll();
    } catch (...) {
        // Nothing that could be done here would be better than going on.
    }
    return 0;
}

int dhcp4_srv_configured(CalloutHandle& handle) {
    return guarded([&](Hook& loaded) { loaded.configured(argument<SrvConfigPtr>(handle, "server_config")); });
}

int dhcp6_srv_configured(CalloutHandle& handle) {
    return guarded([&](Hook& loaded) { loaded.configured(argument<SrvConfigPtr>(handle, "server_config")); });
}

int cb4_updated(CalloutHandle&) {
    return guarded([](Hook& loaded) { loaded.configChanged(); });
}

int cb6_updated(CalloutHandle&) {
    return guarded([](Hook& loaded) { loaded.configChanged(); });
}

int command_processed(CalloutHandle& handle) {
    return guarded([&](Hook& loaded) {
        loaded.commandProcessed(argument<std::string>(handle, "name"),
                                argument<ConstElementPtr>(handle, "arguments"),
                                isDone(argument<ConstElementPtr>(handle, "response")));
    });
}

int lease4_select(CalloutHandle& handle) {
    return packet4(handle);
}

int lease4_renew(CalloutHandle& handle) {
    return guarded([&](Hook& loaded) {
        ThreadContext::current().begin(argument<Pkt4Ptr>(handle, "query4"));
        const auto lease = argument<Lease4Ptr>(handle, "lease4");
        if (lease && lease->reuseable_valid_lft_ != 0) {
            loaded.cached(*lease);
        }
    });
}

int lease4_release(CalloutHandle& handle) {
    return packet4(handle);
}

int lease4_decline(CalloutHandle& handle) {
    return guarded([&](Hook&) {
        ThreadContext& thread = ThreadContext::current();
        thread.begin(argument<Pkt4Ptr>(handle, "query4"));
        thread.declining(argument<Lease4Ptr>(handle, "lease4")->addr_);
    });
}

int lease4_expire(CalloutHandle& handle) {
    return guarded([&](Hook& loaded) {
        const auto lease = argument<Lease4Ptr>(handle, "lease4");
        ThreadContext::current().reclaiming(lease);
        loaded.marked(*lease, Origin::reclamation);
    });
}

int lease4_server_decline(CalloutHandle& handle) {
    return guarded([&](Hook& loaded) {
        const auto lease = argument<Lease4Ptr>(handle, "lease4");
        loaded.serverDeclined();
        loaded.marked(*lease, Origin::client);
        loaded.confirmed(lease->addr_);
    });
}

int pkt6_receive(CalloutHandle& handle) {
    return guarded([&](Hook&) { ThreadContext::current().begin(argument<Pkt6Ptr>(handle, "query6")); });
}

int lease6_renew(CalloutHandle& handle) {
    return renewal6(handle);
}

int lease6_rebind(CalloutHandle& handle) {
    return renewal6(handle);
}

int lease6_release(CalloutHandle& handle) {
    return packet6(handle);
}

int lease6_decline(CalloutHandle& handle) {
    return guarded([&](Hook&) {
        ThreadContext& thread = ThreadContext::current();
        thread.resume(argument<Pkt6Ptr>(handle, "query6"));
        thread.declining(argument<Lease6Ptr>(handle, "lease6")->addr_);
    });
}

int lease6_expire(CalloutHandle& handle) {
    return guarded([&](Hook& loaded) {
        const auto lease = argument<Lease6Ptr>(handle, "lease6");
        ThreadContext::current().reclaiming(lease);
        loaded.marked(*lease, Origin::reclamation);
    });
}

int addr6_register(CalloutHandle& handle) {
    return packet6(handle);
}

}
