// The callbacks that this library has in Kea's lease manager. The manager's container of callbacks has no lock, so all of
// this is for the main thread while no worker runs.
#pragma once

#include "../core/lease.h"

namespace lease_feed {

class LeaseTap {
public:
    explicit LeaseTap(Family family) : family_(family) {}
    LeaseTap(const LeaseTap&) = delete;
    LeaseTap& operator=(const LeaseTap&) = delete;

    /// Registers with the lease manager, if there is one: each write then comes to the loaded Hook. Failures are logged.
    void watch();
    void unwatch();
    /// Whether the lease manager that Kea has now is watched. Kea makes a new one when a lost database is back, and hands
    /// the callbacks on only if its first attempt succeeds.
    bool watching() const;

private:
    const Family family_;
    const void* manager_ = nullptr;  // the one that is watched, never used but for comparison
};

}  // namespace lease_feed
