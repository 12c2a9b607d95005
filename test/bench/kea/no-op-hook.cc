// A library that does nothing, at the hook points and with the callbacks of the lease manager that the lease feed has:
// what is measured with it is what Kea spends on any such library.
#include "kea.h"

#include <dhcpsrv/lease_mgr_factory.h>
#include <dhcpsrv/tracking_lease_mgr.h>
#include <hooks/hooks.h>

using isc::dhcp::Lease;
using isc::dhcp::LeaseMgrFactory;
using isc::dhcp::LeasePtr;
using isc::dhcp::TrackingLeaseMgr;
using isc::hooks::CalloutHandle;
using isc::hooks::LibraryHandle;

namespace {

int watch(std::initializer_list<Lease::Type> types) {
    for (const Lease::Type type : types) {
        auto& manager = LeaseMgrFactory::instance();
        manager.unregisterCallbacks(isc::dhcp::SUBNET_ID_GLOBAL, type);
        for (const auto event : {TrackingLeaseMgr::TRACK_ADD_LEASE, TrackingLeaseMgr::TRACK_UPDATE_LEASE,
                                 TrackingLeaseMgr::TRACK_DELETE_LEASE}) {
            manager.registerCallback(event, "no-op", type, [](LeasePtr) {});
        }
    }
    return 0;
}

}  // namespace

extern "C" {

int version() { return KEA_HOOKS_VERSION; }
int multi_threading_compatible() { return 1; }
int load(LibraryHandle&) { return 0; }
int unload() { return 0; }

int dhcp4_srv_configured(CalloutHandle&) { return watch({Lease::TYPE_V4}); }
int dhcp6_srv_configured(CalloutHandle&) { return watch({Lease::TYPE_NA, Lease::TYPE_PD}); }
int lease4_select(CalloutHandle&) { return 0; }
int lease4_renew(CalloutHandle&) { return 0; }
int lease4_release(CalloutHandle&) { return 0; }
int lease4_decline(CalloutHandle&) { return 0; }
int lease4_expire(CalloutHandle&) { return 0; }
int pkt6_receive(CalloutHandle&) { return 0; }
int lease6_select(CalloutHandle&) { return 0; }
int lease6_renew(CalloutHandle&) { return 0; }
int lease6_rebind(CalloutHandle&) { return 0; }
int lease6_release(CalloutHandle&) { return 0; }
int lease6_decline(CalloutHandle&) { return 0; }
int lease6_expire(CalloutHandle&) { return 0; }
int leases6_committed(CalloutHandle&) { return 0; }

}
