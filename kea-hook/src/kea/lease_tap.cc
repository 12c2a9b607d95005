#include "kea.h"

#include "lease_tap.h"

#include <dhcpsrv/lease_mgr_factory.h>

#include <utility>
#include <vector>

#include "hook.h"

using isc::dhcp::Lease;
using isc::dhcp::Lease4;
using isc::dhcp::Lease6;
using isc::dhcp::LeaseMgrFactory;
using isc::dhcp::LeasePtr;
using isc::dhcp::TrackingLeaseMgr;

namespace lease_feed {
namespace {

const char* const kOwner = "lease-feed";

std::vector<Lease::Type> leaseTypes(Family family) {
    return family == Family::v4 ? std::vector<Lease::Type>{Lease::TYPE_V4}
                                : std::vector<Lease::Type>{Lease::TYPE_NA, Lease::TYPE_PD};
}

// By the Hook that is loaded when it is called: the manager may outlive the one that registered it.
template <typename L>
TrackingLeaseMgr::CallbackFn tellHook(Operation operation) {
    return [operation](LeasePtr lease) {
        if (Hook* hook = Hook::loaded()) {
            hook->tapped(operation, static_cast<const L&>(*lease));
        }
    };
}

}  // namespace

void LeaseTap::watch() {
    if (!LeaseMgrFactory::haveInstance()) {
        return;  // a database that Kea could not open yet: the clock tick tries again
    }
    try {
        auto& manager = LeaseMgrFactory::instance();
        for (const Lease::Type type : leaseTypes(family_)) {
            manager.unregisterCallbacks(isc::dhcp::SUBNET_ID_GLOBAL, type);
            for (const auto& kind : {std::make_pair(TrackingLeaseMgr::TRACK_ADD_LEASE, Operation::add),
                                     std::make_pair(TrackingLeaseMgr::TRACK_UPDATE_LEASE, Operation::update),
                                     std::make_pair(TrackingLeaseMgr::TRACK_DELETE_LEASE, Operation::remove)}) {
                manager.registerCallback(kind.first, kOwner, type,
                                         type == Lease::TYPE_V4 ? tellHook<Lease4>(kind.second)
                                                                : tellHook<Lease6>(kind.second));
            }
        }
        manager_ = &manager;
    } catch (const std::exception& problem) {
        LOG_ERROR(logger, LEASE_FEED_TAP_FAILED).arg(problem.what());
    }
}

void LeaseTap::unwatch() {
    if (!manager_) {
        return;
    }
    manager_ = nullptr;
    // Up to Kea 3.0.3 the manager outlives the library at a reconfiguration, later it is gone by now.
    if (LeaseMgrFactory::haveInstance()) {
        for (const Lease::Type type : leaseTypes(family_)) {
            LeaseMgrFactory::instance().unregisterCallbacks(isc::dhcp::SUBNET_ID_GLOBAL, type);
        }
    }
}

bool LeaseTap::watching() const {
    // A new manager may be where the old one was; then it has no callbacks.
    return manager_ && LeaseMgrFactory::haveInstance() && manager_ == &LeaseMgrFactory::instance() &&
           LeaseMgrFactory::instance().hasCallbacks();
}

}  // namespace lease_feed
