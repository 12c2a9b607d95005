#include "kea.h"

#include "snapshot.h"

#include <dhcpsrv/lease_mgr.h>
#include <dhcpsrv/lease_mgr_factory.h>

#include <stdexcept>

using isc::asiolink::IOAddress;
using isc::dhcp::LeaseMgrFactory;
using isc::dhcp::LeasePageSize;

namespace lease_feed {
namespace {

template <typename Leases>
bool addAll(const Leases& leases, std::size_t limit, PageSink& sink, LeaseScratch& scratch) {
    for (const auto& lease : leases) {
        sink.add(viewOf(*lease, scratch, true));
    }
    return leases.size() < limit;
}

}  // namespace

bool KeaLeases::readPage(Octets after, std::size_t limit, PageSink& sink) {
    if (!LeaseMgrFactory::haveInstance()) {
        throw NotReady("Kea has no lease database open at the moment");
    }
    auto& manager = LeaseMgrFactory::instance();
    const LeasePageSize page(limit);
    const bool v4 = family_ == Family::v4;
    if (!after.empty() && after.size() != (v4 ? 4U : 16U)) {
        throw std::runtime_error("the address to begin after has " + std::to_string(after.size()) + " octets");
    }
    const IOAddress begin = after.empty()
                                ? (v4 ? IOAddress::IPV4_ZERO_ADDRESS() : IOAddress::IPV6_ZERO_ADDRESS())
                                : IOAddress::fromBytes(v4 ? AF_INET : AF_INET6,
                                                       reinterpret_cast<const std::uint8_t*>(after.data()));
    try {
        return v4 ? addAll(manager.getLeases4(begin, page), limit, sink, scratch_)
                  : addAll(manager.getLeases6(begin, page), limit, sink, scratch_);
    } catch (const std::exception& error) {
        // Kea does not say which row it is, and gives none of the page: an operator has to find it.
        throw std::runtime_error("among the next " + std::to_string(limit) + " leases after " + begin.toText() + ": " +
                                 error.what());
    }
}

}  // namespace lease_feed
