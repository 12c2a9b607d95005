// Pages of leases out of Kea's lease manager.
#pragma once

#include "../core/feed.h"
#include "from_kea.h"

namespace lease_feed {

/// On the main thread only: nowhere else is it safe to ask the lease manager while Kea may be reconfigured.
class KeaLeases : public LeaseSource {
public:
    explicit KeaLeases(Family family) : family_(family) {}
    bool readPage(Octets after, std::size_t limit, PageSink& sink) override;

private:
    Family family_;
    LeaseScratch scratch_;
};

}  // namespace lease_feed
