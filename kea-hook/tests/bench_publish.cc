// What the feed costs where leases change. For the thread of Kea that makes a change: the time of one publish(), and how
// long another thread may keep it waiting at the ring. For the machine: the processor time of the publisher and ZeroMQ
// threads at ordinary rates, and how long a change takes to a subscriber.
//
//     bench_publish [events]
//
// Prints rows of three columns, divided by tabs: what, figure, unit.
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "fakes.h"
#include "feed.h"
#include "ring.h"

using namespace lease_feed;

namespace {

using Clock = std::chrono::steady_clock;

class DirectMain final : public MainThread {
public:
    void post(std::function<void()> job) override { job(); }
};

// ------------------------------------------------------------------------------------------------ leases and packets

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

// ------------------------------------------------------------------------------------------------ figures

void row(const std::string& what, double figure, const char* unit) {
    std::printf("%s\t%.6g\t%s\n", what.c_str(), figure, unit);
    std::fflush(stdout);
}

double nsBetween(Clock::time_point from, Clock::time_point to) {
    return std::chrono::duration<double, std::nano>(to - from).count();
}

double cpuNs() {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

/// Processor time so far of this process's other threads: the publisher's and ZeroMQ's.
double othersCpuNs() {
    double sum = 0;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
        if (task.path().filename() == std::to_string(::gettid())) continue;
        double ns = 0;
        std::ifstream(task.path() / "schedstat") >> ns;
        sum += ns;
    }
    return sum;
}

class Times {
public:
    void add(double ns) { all_.push_back(static_cast<float>(ns)); }
    void add(const Times& other) { all_.insert(all_.end(), other.all_.begin(), other.all_.end()); }
    double at(double share) {
        if (all_.empty()) return 0;
        std::sort(all_.begin(), all_.end());
        return static_cast<double>(all_[static_cast<std::size_t>(share * static_cast<double>(all_.size() - 1))]);
    }
    void reserve(std::size_t n) { all_.reserve(n); }

private:
    std::vector<float> all_;
};

/// A feed with its folder.
struct Stage {
    char directory[32] = "/tmp/lease-feed-bench-XXXXXX";
    fakes::Log log;
    DirectMain main;
    fakes::Leases leases;
    FeedSettings settings;
    Stage() {
        if (::mkdtemp(directory) == nullptr) std::exit(1);
        settings.endpoint = std::string("ipc://") + directory + "/f";
    }
    ~Stage() { std::filesystem::remove_all(directory); }
};

// ------------------------------------------------------------------------------------------------ one publish()

void publishing(const char* name, const Example& example, std::size_t producers, std::uint64_t events) {
    Stage stage;
    Feed feed(stage.settings, Identity{}, stage.leases, stage.main, stage.log);
    feed.start();
    std::vector<double> cpu(producers);
    std::vector<Times> single(producers);
    std::vector<std::thread> threads;
    for (std::size_t p = 0; p < producers; ++p) {
        threads.emplace_back([&, p] {
            const double cpu_start = cpuNs();
            for (std::uint64_t i = 0; i < events; ++i) {
                feed.publish(Operation::update, example.lease, Origin::client, &example.packet);
            }
            cpu[p] = cpuNs() - cpu_start;
            // Single calls, each timed: what the slow ones look like. The clock's own cost is in them.
            single[p].reserve(events / 10);
            for (std::uint64_t i = 0; i < events / 10; ++i) {
                const auto start = Clock::now();
                feed.publish(Operation::update, example.lease, Origin::client, &example.packet);
                single[p].add(nsBetween(start, Clock::now()));
            }
        });
    }
    for (auto& thread : threads) thread.join();
    for (std::size_t p = 1; p < producers; ++p) single[0].add(single[p]);
    feed.stop();
    const double slowest = *std::max_element(cpu.begin(), cpu.end());
    row(std::string("publish() ") + name, slowest / static_cast<double>(events), "ns of CPU");
    row(std::string("publish() ") + name + ", p99.9", single[0].at(0.999), "ns");
}

// ------------------------------------------------------------------------------------------------ ordinary rates

constexpr char kMark[] = "sent-at:";

/// Follows the feed in a process of its own, so that its processor time is not the feed's. Events carry the time of
/// their publish() in the host name; writes p50, p99 and the longest delay in ns to `to` when told to end.
void follow(const std::string& endpoint, int to) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    void* context = zmq_ctx_new();
    void* socket = zmq_socket(context, ZMQ_SUB);
    zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "", 0);
    zmq_connect(socket, endpoint.c_str());
    Times delays;
    for (bool last = false; !last;) {
        zmq_msg_t message;
        zmq_msg_init(&message);
        zmq_msg_recv(&message, socket, 0);
        const double now = nsBetween(Clock::time_point(), Clock::now());
        const std::string frame(static_cast<const char*>(zmq_msg_data(&message)), zmq_msg_size(&message));
        for (auto at = frame.find(kMark); at != std::string::npos; at = frame.find(kMark, at + 1)) {
            const double sent = std::strtod(frame.c_str() + at + sizeof kMark - 1, nullptr);
            if (sent == 0) last = true;
            else delays.add(now - sent);
        }
        zmq_msg_close(&message);
    }
    const double figures[] = {delays.at(0.5), delays.at(0.99), delays.at(1)};
    if (::write(to, figures, sizeof figures) != sizeof figures) ::_exit(1);
    ::_exit(0);
}

void ordinary(Example example, double a_second, double seconds) {
    Stage stage;
    int pipe[2];
    if (::pipe(pipe) != 0) std::exit(1);
    const pid_t follower = ::fork();
    if (follower == 0) follow(stage.settings.endpoint, pipe[1]);
    Feed feed(stage.settings, Identity{}, stage.leases, stage.main, stage.log);
    feed.start();
    std::this_thread::sleep_for(std::chrono::seconds(1));  // the follower connects

    const auto publish = [&](double at) {
        example.hostname = kMark + std::to_string(static_cast<std::uint64_t>(at)) + " ";
        example.lease.hostname = example.hostname;
        feed.publish(Operation::update, example.lease, Origin::client, &example.packet);
    };
    Times single;
    const auto events = static_cast<std::uint64_t>(a_second * seconds);
    const double cpu = othersCpuNs();
    auto next = Clock::now();
    unsigned random = 1;
    for (std::uint64_t i = 0; i < events; ++i) {
        // Not evenly: between 0 and twice the mean.
        next += std::chrono::nanoseconds(static_cast<std::int64_t>(2e9 / a_second * ::rand_r(&random) / RAND_MAX));
        std::this_thread::sleep_until(next);
        const auto start = Clock::now();
        publish(nsBetween(Clock::time_point(), start));
        single.add(nsBetween(start, Clock::now()));
    }
    const double cost = (othersCpuNs() - cpu) / static_cast<double>(events);
    publish(0);
    double delays[3] = {};
    if (::read(pipe[0], delays, sizeof delays) != sizeof delays) std::exit(1);
    ::waitpid(follower, nullptr, 0);
    ::close(pipe[0]);
    ::close(pipe[1]);
    feed.stop();
    const std::string name = "at " + std::to_string(static_cast<int>(a_second)) + " events/s: ";
    row(name + "publisher and ZeroMQ threads, an event", cost / 1000, "us of CPU");
    row(name + "publish(), p50", single.at(0.5), "ns");
    row(name + "publish(), p99", single.at(0.99), "ns");
    row(name + "from publish() to a subscriber, p50", delays[0] / 1e6, "ms");
    row(name + "from publish() to a subscriber, p99", delays[1] / 1e6, "ms");
}

// ------------------------------------------------------------------------------------------------ the ring's lock

/// What two threads of Kea meet at the ring while two others read it: one what is new, one all of it again and again, as
/// a follower that replays.
void meeting(const char* name, std::size_t ring_events, std::size_t entry_octets, std::uint64_t pushes) {
    Ring ring(ring_events, 32u << 20);
    const std::string entry(entry_octets, 'e');
    std::atomic<bool> ended{false};
    std::vector<std::thread> readers;
    for (const bool replays : {false, true}) {
        readers.emplace_back([&, replays] {
            std::vector<char> out(256 * 1024);
            std::uint64_t next = 1;
            while (!ended.load()) {
                const Ring::Slice slice = ring.copy(next, 4096, out.data(), out.size());
                next = slice.events > 0 ? slice.first + slice.events : replays ? 1 : next;
                if (slice.events == 0) std::this_thread::sleep_for(std::chrono::microseconds(500));
            }
        });
    }
    std::vector<Times> times(2);
    std::vector<std::thread> pushers;
    for (Times& each : times) {
        pushers.emplace_back([&] {
            each.reserve(pushes);
            for (std::uint64_t i = 0; i < pushes; ++i) {
                const auto start = Clock::now();
                ring.push(entry);
                each.add(nsBetween(start, Clock::now()));
                if (i % 1000 == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
            }
        });
    }
    for (auto& pusher : pushers) pusher.join();
    ended.store(true);
    for (auto& reader : readers) reader.join();
    times[0].add(times[1]);
    const std::string what = std::string("ring, ") + name + ": ";
    row(what + "push() and wait, p99.9", times[0].at(0.999), "ns");
    row(what + "push() and wait, longest", times[0].at(1), "ns");
    row(what + "lock held, longest", static_cast<double>(ring.longestLockNs()), "ns");
}

}  // namespace

int main(int argc, char** argv) {
    const std::uint64_t events = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1000000;
    Example v4, v6;
    makeV4(v4);
    finish(v4);
    makeV6(v6);
    finish(v6);
    const double seconds = std::max(0.5, 3 * static_cast<double>(events) / 1e6);
    for (const double a_second : {100.0, 600.0, 10000.0}) ordinary(v4, a_second, seconds);
    publishing("DHCPv4, one producer", v4, 1, events);
    publishing("DHCPv6, one producer", v6, 1, events);
    publishing("DHCPv4, two producers", v4, 2, events);
    meeting("ordinary events", 65536, 250, events);
    meeting("overflowing", 1024, 250, events);
    meeting("events of 16 KiB", 65536, kMaxEntryOctets, events / 20);
}
