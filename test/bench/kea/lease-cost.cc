// What a library costs the thread of Kea that gives a lease, in nanoseconds: Kea's own lease manager (memory only) and its
// own way to call libraries, on one thread, without packets on a network.
//
//     lease-cost LEASES [LIBRARY PARAMETERS]
//
// Prints the nanoseconds of processor time that each lease took, whatever of that is Kea's.
#include "kea.h"

#include <asiolink/io_service.h>
#include <cc/data.h>
#include <dhcp/hwaddr.h>
#include <dhcp/option.h>
#include <dhcp/pkt4.h>
#include <dhcpsrv/cfgmgr.h>
#include <dhcpsrv/lease.h>
#include <dhcpsrv/lease_mgr_factory.h>
#include <dhcpsrv/network_state.h>
#include <dhcpsrv/subnet.h>
#include <hooks/callout_handle.h>
#include <hooks/hooks_manager.h>
#include <hooks/server_hooks.h>
#include <log/logger_support.h>
#include <process/daemon.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <stdexcept>
#include <string>
#include <vector>

using namespace isc::dhcp;
using namespace isc::hooks;
using isc::asiolink::IOAddress;
using isc::data::ConstElementPtr;
using isc::data::Element;

namespace {

double cpuNs() {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

// As kea-dhcp4 does once it has a configuration.
void tellConfigured() {
    const auto handle = HooksManager::createCalloutHandle();
    const isc::asiolink::IOServicePtr service(new isc::asiolink::IOService());
    handle->setArgument("io_context", service);
    handle->setArgument("json_config", ConstElementPtr(Element::createMap()));
    handle->setArgument("server_config", CfgMgr::instance().getStagingCfg());
    handle->setArgument("network_state", NetworkStatePtr(new NetworkState()));
    HooksManager::callCallouts(ServerHooks::getServerHooks().getIndex("dhcp4_srv_configured"), *handle);
}

struct Client {
    Pkt4Ptr packet;
    Lease4Ptr lease;
};

Client makeClient(std::uint32_t n) {
    const std::vector<std::uint8_t> mac{2, 0, static_cast<std::uint8_t>(n >> 24), static_cast<std::uint8_t>(n >> 16),
                                        static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n)};
    const HWAddrPtr hardware(new HWAddr(mac, HTYPE_ETHER));
    std::vector<std::uint8_t> id{1};
    id.insert(id.end(), mac.begin(), mac.end());
    Pkt4Ptr packet(new Pkt4(DHCPREQUEST, n));
    packet->setHWAddr(hardware);
    packet->setGiaddr(IOAddress("10.0.0.2"));
    packet->setHops(1);
    packet->addOption(OptionPtr(new Option(Option::V4, DHO_DHCP_CLIENT_IDENTIFIER, id)));
    const std::string vendor = "urn:example:cpe:model-7:firmware-1.2";
    packet->addOption(OptionPtr(new Option(Option::V4, DHO_VENDOR_CLASS_IDENTIFIER,
                                           std::vector<std::uint8_t>(vendor.begin(), vendor.end()))));
    OptionPtr agent(new Option(Option::V4, DHO_DHCP_AGENT_OPTIONS));
    const std::string circuit = "eth 0/1/0:00000001";
    agent->addOption(OptionPtr(new Option(Option::V4, 1, std::vector<std::uint8_t>(circuit.begin(), circuit.end()))));
    packet->addOption(agent);
    packet->pack();
    const Lease4Ptr lease(new Lease4(IOAddress(0x0a010000 + n), hardware, id.data(), id.size(), 3600, time(nullptr), 1,
                                     false, false, "subscriber.example.net"));
    return {packet, lease};
}

double leases(std::uint32_t count) {
    const int select = ServerHooks::getServerHooks().getIndex("lease4_select");
    const Subnet4Ptr subnet(new Subnet4(IOAddress("10.0.0.0"), 8, 1000, 2000, 3600, 1));
    LeaseMgr& manager = LeaseMgrFactory::instance();
    std::vector<Client> clients;
    clients.reserve(count);
    for (std::uint32_t n = 0; n < count; ++n) clients.push_back(makeClient(n));
    const double start = cpuNs();
    for (const Client& client : clients) {
        if (HooksManager::calloutsPresent(select)) {
            const auto handle = HooksManager::createCalloutHandle();
            handle->setArgument("query4", client.packet);
            handle->setArgument("subnet4", subnet);
            handle->setArgument("fake_allocation", false);
            handle->setArgument("lease4", client.lease);
            HooksManager::callCallouts(select, *handle);
        }
        if (!manager.addLease(client.lease)) throw std::runtime_error("the lease manager refused a lease");
    }
    return (cpuNs() - start) / count;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const auto count = static_cast<std::uint32_t>(std::strtoul(argc > 1 ? argv[1] : "100000", nullptr, 10));
        isc::process::Daemon::setProcName("kea-dhcp4");
        isc::log::initLogger("kea-dhcp4", isc::log::ERROR);
        for (const char* point : {"dhcp4_srv_configured", "cb4_updated", "command_processed", "lease4_select",
                                  "lease4_renew", "lease4_release", "lease4_decline", "lease4_expire",
                                  "lease4_server_decline", "lease4_offer", "leases4_committed"}) {
            ServerHooks::getServerHooks().registerHook(point);
        }
        CfgMgr::instance().setFamily(AF_INET);
        LeaseMgrFactory::create("type=memfile universe=4 persist=false");
        if (argc > 3) {
            HookLibsCollection libraries;
            libraries.emplace_back(argv[2], Element::fromJSON(argv[3]));
            if (!HooksManager::loadLibraries(libraries, false)) throw std::runtime_error("the library was not loaded");
            tellConfigured();
        }
        std::printf("%.1f\n", leases(count));
        LeaseMgrFactory::destroy();  // first: it may hold what is the library's
        HooksManager::prepareUnloadLibraries();
        HooksManager::unloadLibraries();
        return 0;
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "lease-cost: %s\n", problem.what());
        return 1;
    }
}
