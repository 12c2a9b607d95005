// What a publish() costs the thread of Kea that makes the change: nanoseconds, with the publisher thread running.
//
//     bench_publish [events]
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <thread>
#include <vector>

#include "fakes.h"
#include "feed.h"

using namespace lease_feed;

namespace {

class DirectMain final : public MainThread {
public:
    void post(std::function<void()> job) override { job(); }
};

struct Example {
    std::string address, hardware, client, hostname, agent, hops, options;
    LeaseView lease;
    PacketView packet;
};

void makeV4(Example& e) {
    e.address = std::string("\xc0\x00\x02\x01", 4);
    e.hardware = std::string("\x02\x00\x00\x00\x00\x01", 6);
    e.client = '\x01' + e.hardware;
    e.hostname = "subscriber-00000001.example.net";
    e.agent = std::string("\x01\x12", 2) + "eth 0/1/0:00000001" + std::string("\x02\x12", 2) + "access-node-000001";
    e.options = std::string("\x0c\x0c", 2) + "cpe-00000001" + std::string("\x3c\x24", 2) +
                "urn:example:cpe:model-7:firmware-1.2";
    e.lease.address = e.address;
    e.packet.relay.agent_info = e.agent;
}

void makeV6(Example& e) {
    e.address = std::string("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
    e.hardware = std::string("\x02\x00\x00\x00\x00\x01", 6);
    e.client = std::string("\x00\x01\x00\x01\x2a\x3b\x4c\x5d", 8) + e.hardware;
    e.hostname = "subscriber-00000001.example.net";
    const std::string options = std::string("\x00\x12\x00\x12", 4) + "eth 0/1/0:00000001" +
                                std::string("\x00\x25\x00\x16\x00\x00\x11\x8b", 8) + "access-node-000001";
    encodeRelayHop(e.hops, 0, e.address, e.address, options);
    e.options = std::string("\x00\x10\x00\x0d\x00\x00\x11\x8b\x00\x07", 10) + "model-7";
    e.lease.address = e.address;
    e.lease.preferred_lifetime = 1800;
    e.lease.iaid = 1;
    e.packet.relay.encoded_hops = e.hops;
    e.packet.relay.source = e.address;
}

void finish(Example& e) {
    e.lease.valid_lifetime = 3600;
    e.lease.cltt = 1700000000;
    e.lease.subnet_id = 17;
    e.lease.hardware_type = 1;
    e.lease.hardware_address = e.hardware;
    e.lease.client_id = e.client;
    e.lease.hostname = e.hostname;
    e.packet.message_type = 3;
    e.packet.options = e.options;
}

double cpuNs() {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

void measure(const char* name, const Example& example, int producers, std::uint64_t events, bool paced) {
    char directory[] = "/tmp/lease-feed-bench-XXXXXX";
    if (::mkdtemp(directory) == nullptr) std::exit(1);
    fakes::Log log;
    DirectMain main;
    fakes::Leases leases;
    FeedSettings settings;
    settings.endpoint = std::string("ipc://") + directory + "/f";
    Feed feed(settings, Identity{}, leases, main, log);
    feed.start();
    std::vector<double> wall(static_cast<std::size_t>(producers)), cpu(static_cast<std::size_t>(producers));
    std::vector<std::vector<float>> single(static_cast<std::size_t>(producers));
    std::vector<std::thread> threads;
    for (std::size_t p = 0; p < static_cast<std::size_t>(producers); ++p) {
        threads.emplace_back([&, p] {
            // Single calls, each timed: what the slow ones look like. The clock's own cost is in them.
            single[p].reserve(events / 10);
            for (std::uint64_t i = 0; i < events / 10; ++i) {
                if (paced && i % 10 == 0) std::this_thread::sleep_for(std::chrono::microseconds(500));
                const auto start = std::chrono::steady_clock::now();
                feed.publish(Operation::update, example.lease, Origin::client, &example.packet);
                single[p].push_back(
                    std::chrono::duration<float, std::nano>(std::chrono::steady_clock::now() - start).count());
            }
            if (paced) return;
            const double cpu_start = cpuNs();
            const auto start = std::chrono::steady_clock::now();
            for (std::uint64_t i = 0; i < events; ++i) {
                feed.publish(Operation::update, example.lease, Origin::client, &example.packet);
            }
            wall[p] = std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
            cpu[p] = cpuNs() - cpu_start;
        });
    }
    for (auto& thread : threads) thread.join();
    std::vector<float> all;
    for (auto& some : single) all.insert(all.end(), some.begin(), some.end());
    std::sort(all.begin(), all.end());
    const auto at = [&all](double q) {
        return static_cast<double>(all[static_cast<std::size_t>(q * static_cast<double>(all.size() - 1))]);
    };
    feed.stop();
    const FeedStatus status = feed.status();
    std::printf("%-34s", name);
    if (paced) std::printf("  %27s", "");
    else
        std::printf("  %6.0f ns wall %6.0f ns cpu",
                    *std::max_element(wall.begin(), wall.end()) / static_cast<double>(events),
                    *std::max_element(cpu.begin(), cpu.end()) / static_cast<double>(events));
    std::printf("   single: p50 %5.0f  p99 %6.0f  p99.9 %7.0f ns   longest lock %6.1f us, overwritten %llu\n",
                at(0.5), at(0.99), at(0.999), static_cast<double>(status.ring_lock_longest_ns) / 1000,
                static_cast<unsigned long long>(status.overwritten));
    ::rmdir(directory);
}

}  // namespace

int main(int argc, char** argv) {
    const std::uint64_t events = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1000000;
    Example v4, v6;
    makeV4(v4);
    finish(v4);
    makeV6(v6);
    finish(v6);
    measure("DHCPv4, one producer", v4, 1, events, false);
    measure("DHCPv6, one producer", v6, 1, events, false);
    measure("DHCPv4, two producers", v4, 2, events, false);
    measure("DHCPv6, two producers", v6, 2, events, false);
    measure("DHCPv4, one, about 10 k events/s", v4, 1, std::min<std::uint64_t>(events, 200000), true);
}
