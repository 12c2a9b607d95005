// Another library beside ours, that meddles with what Kea does as any library may:
//
//     "park": true                        packets are parked in leases4_committed, and never go on
//     "skip": [ "lease4_renew", ... ]     the status SKIP at these hook points
#include "kea.h"

#include <cc/data.h>
#include <dhcp/pkt4.h>
#include <hooks/hooks.h>
#include <hooks/parking_lots.h>

#include <cstddef>

using isc::hooks::CalloutHandle;
using isc::hooks::LibraryHandle;

namespace {

int park(CalloutHandle& handle) {
    isc::dhcp::Pkt4Ptr packet;
    handle.getArgument("query4", packet);
    handle.getParkingLotHandlePtr()->reference(packet);
    handle.setStatus(CalloutHandle::NEXT_STEP_PARK);
    return 0;
}

int skip(CalloutHandle& handle) {
    handle.setStatus(CalloutHandle::NEXT_STEP_SKIP);
    return 0;
}

}  // namespace

extern "C" {

int version() { return KEA_HOOKS_VERSION; }
int multi_threading_compatible() { return 1; }
int unload() { return 0; }

int load(LibraryHandle& handle) {
    const auto parking = handle.getParameter("park");
    if (parking && parking->boolValue()) {
        handle.registerCallout("leases4_committed", park);
    }
    const auto skipped = handle.getParameter("skip");
    for (std::size_t i = 0; skipped && i < skipped->size(); ++i) {
        handle.registerCallout(skipped->get(static_cast<int>(i))->stringValue(), skip);
    }
    return 0;
}

}
