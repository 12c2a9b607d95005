// The whole core over its sockets, with libzmq at the other end.
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <set>
#include <thread>

#include <protozero/pbf_reader.hpp>

#include "check.h"
#include "fakes.h"
#include "feed.h"

using namespace lease_feed;

namespace {

class Directory {
public:
    Directory() {
        char name[] = "/tmp/lease-feed-test-XXXXXX";
        if (::mkdtemp(name) == nullptr) throw std::runtime_error("mkdtemp");
        path_ = name;
    }
    ~Directory() {
        for (const char* file : {"/f", "/f-sync", "/f.lock", "/keys"}) ::unlink((path_ + file).c_str());
        ::rmdir(path_.c_str());
    }
    std::string path(const std::string& file) const { return path_ + "/" + file; }
    std::string endpoint() const { return "ipc://" + path_ + "/f"; }

private:
    std::string path_;
};

// Runs jobs at once, on the thread that posts them.
class DirectMain final : public MainThread {
public:
    void post(std::function<void()> job) override { job(); }
};

// A main thread of its own, as Kea's is: pages are read while the publisher thread publishes.
class OwnMain final : public MainThread {
public:
    OwnMain() : thread_([this] { run(); }) {}
    ~OwnMain() override {
        {
            const std::lock_guard<std::mutex> hold(mutex_);
            ending_ = true;
        }
        posted_.notify_one();
        thread_.join();
    }
    void post(std::function<void()> job) override {
        const std::lock_guard<std::mutex> hold(mutex_);
        jobs_.push_back(std::move(job));
        posted_.notify_one();
    }

private:
    void run() {
        std::unique_lock<std::mutex> hold(mutex_);
        for (;;) {
            posted_.wait(hold, [this] { return ending_ || !jobs_.empty(); });
            if (jobs_.empty()) return;
            const auto job = std::move(jobs_.front());
            jobs_.pop_front();
            hold.unlock();
            job();
            hold.lock();
        }
    }
    std::mutex mutex_;
    std::condition_variable posted_;
    std::deque<std::function<void()>> jobs_;
    bool ending_ = false;
    std::thread thread_;
};

struct Stage {
    Directory directory;
    fakes::Log log;
    DirectMain main;
    fakes::Leases leases;
    FeedSettings settings;
    Stage() {
        settings.endpoint = directory.endpoint();
        settings.ring_events = 4096;
        settings.ring_octets = 1 << 20;
    }
    std::unique_ptr<Feed> make() { return std::make_unique<Feed>(settings, Identity{}, leases, main, log); }
};

// Subscribes and follows batches, counting gaps.
class Subscriber {
public:
    explicit Subscriber(const std::string& endpoint)
        : context_(zmq_ctx_new()), socket_(zmq_socket(context_, ZMQ_SUB)) {
        const int linger = 0, timeout = 10000;
        zmq_setsockopt(socket_, ZMQ_LINGER, &linger, sizeof linger);
        zmq_setsockopt(socket_, ZMQ_RCVTIMEO, &timeout, sizeof timeout);
        zmq_setsockopt(socket_, ZMQ_SUBSCRIBE, "", 0);
        zmq_connect(socket_, endpoint.c_str());
    }
    ~Subscriber() {
        zmq_close(socket_);
        zmq_ctx_term(context_);
    }
    // @return false when nothing came in time
    bool receive() {
        zmq_msg_t message;
        zmq_msg_init(&message);
        if (zmq_msg_recv(&message, socket_, 0) < 0) return false;
        protozero::pbf_reader frame(static_cast<const char*>(zmq_msg_data(&message)), zmq_msg_size(&message));
        while (frame.next()) {
            const auto kind = frame.tag();  // before the contents are taken: a debug build forgets it then
            protozero::pbf_reader body = frame.get_message();
            std::uint64_t number = 0, events = 0;  // field 2: first_seq, or last_seq of a heartbeat
            while (body.next()) {
                if (body.tag() == 1) epoch = body.get_bytes();
                else if (body.tag() == 2) number = body.get_uint64();
                else if (body.tag() == 4 && kind == 1) {
                    body.skip();
                    ++events;
                } else body.skip();
            }
            if (kind == 2) {
                ++heartbeats;
                heartbeat_last = number;
                continue;
            }
            if (next != 0 && number != next) lost += number - next;
            if (first == 0) first = number;
            next = number + events;
            got += events;
            largest = std::max(largest, events);
        }
        zmq_msg_close(&message);
        return true;
    }
    std::string epoch;
    std::uint64_t first = 0, next = 0, got = 0, lost = 0, heartbeats = 0, heartbeat_last = 0, largest = 0;

private:
    void* context_;
    void* socket_;
};

std::uint64_t publishOne(Feed& feed, std::uint32_t n) {
    const std::string address{10, 0, static_cast<char>(n >> 8), static_cast<char>(n)};
    LeaseView lease;
    lease.address = address;
    lease.valid_lifetime = n;
    PacketView packet;
    packet.message_type = 3;
    packet.options = "options";
    return feed.publish(Operation::update, lease, Origin::client, &packet);
}

void publishesInOrder() {
    Stage stage;
    auto feed = stage.make();
    feed->start();
    Subscriber subscriber(stage.settings.endpoint);
    CHECK(subscriber.receive() && subscriber.heartbeats == 1);
    constexpr std::uint64_t each = 20000;
    std::atomic<std::uint64_t> read{0};
    std::vector<std::thread> producers;
    for (int p = 0; p < 3; ++p) {
        producers.emplace_back([&] {
            for (std::uint32_t i = 0; i < each; ++i) {
                const std::uint64_t seq = publishOne(*feed, i);
                // Not faster than the follower: this case shows order, the next one overflow.
                while (seq > read.load() + 1000) std::this_thread::sleep_for(std::chrono::milliseconds(1));
            }
        });
    }
    while (subscriber.next != 3 * each + 1 && subscriber.receive()) {
        if (subscriber.next != 0) read.store(subscriber.next - 1);
    }
    read.store(3 * each);  // where receiving failed: let them end
    for (auto& producer : producers) producer.join();
    CHECK(subscriber.first == 1 && subscriber.got == 3 * each && subscriber.lost == 0);
    CHECK(subscriber.largest <= 256);
    const FeedStatus status = feed->status();
    CHECK(status.last_seq == 3 * each && status.overwritten == 0);
    while (subscriber.heartbeat_last != 3 * each && subscriber.receive()) {
    }
    CHECK(subscriber.heartbeat_last == 3 * each);
    CHECK(feed->status().published == 3 * each);
}

void countsWhatItOverwrites() {
    Stage stage;
    stage.settings.ring_events = 100;
    auto feed = stage.make();
    for (std::uint32_t i = 0; i < 1000; ++i) publishOne(*feed, i);  // nobody publishes yet
    feed->start();
    feed->stop();
    const FeedStatus status = feed->status();
    CHECK(status.last_seq == 1000 && status.oldest_seq == 901);
    CHECK(status.overwritten == 900 && status.published == 100);
    CHECK(stage.log.count("LEASE_FEED_RING_OVERWRITTEN 900 events") == 1);
}

void losesNothingWhileNobodyIsConnected() {
    Stage stage;
    stage.settings.ring_events = 100;
    auto feed = stage.make();
    feed->start();
    const auto until = [&](std::uint64_t published) {
        const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(60);
        while (feed->status().published < published && std::chrono::steady_clock::now() < patience) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    };
    std::uint32_t n = 0;
    for (int turn = 1; turn <= 20; ++turn) {
        for (int i = 0; i < 50; ++i) publishOne(*feed, n++);
        until(n);
    }
    CHECK(feed->status().published == 1000 && feed->status().overwritten == 0);
    Subscriber subscriber(stage.settings.endpoint);
    CHECK(subscriber.receive());  // it is connected by now
    publishOne(*feed, n++);
    while (subscriber.next != n + 1 && subscriber.receive()) {
    }
    CHECK(subscriber.next == 1002 && subscriber.lost == 0);
    CHECK(feed->status().oldest_seq == 902);
}

std::set<int> ownThreads() {
    std::set<int> threads;
    DIR* const tasks = ::opendir("/proc/self/task");
    while (const dirent* task = ::readdir(tasks)) threads.insert(std::atoi(task->d_name));
    ::closedir(tasks);
    threads.erase(0);  // "." and ".."
    return threads;
}

void letsKeaGoFirst() {
    const int before = ::sched_getscheduler(0);
    const std::set<int> others = ownThreads();
    Stage stage;
    auto feed = stage.make();
    feed->start();
    CHECK(::sched_getscheduler(0) == before);
    int made = 0;
    for (const int thread : ownThreads()) {
        if (others.count(thread) != 0) continue;
        ++made;
        CHECK(::sched_getscheduler(thread) == SCHED_BATCH);
    }
    CHECK(made >= 2);  // the publisher's and libzmq's
}

void ownsItsPath() {
    Stage stage;
    auto feed = stage.make();
    feed->start();
    struct stat about{};
    CHECK(::stat(stage.directory.path("f").c_str(), &about) == 0 && (about.st_mode & 0777) == 0660);
    CHECK(::stat(stage.directory.path("f-sync").c_str(), &about) == 0 && (about.st_mode & 0777) == 0660);
    auto second = stage.make();
    std::string what;
    try {
        second->start();
    } catch (const FeedError& error) {
        what = error.what();
    }
    CHECK(what.find(stage.directory.path("f.lock")) != std::string::npos);
    CHECK(what.find("process " + std::to_string(::getpid())) != std::string::npos);
    feed->stop();
    CHECK(::stat(stage.directory.path("f").c_str(), &about) != 0 &&
          ::stat(stage.directory.path("f.lock").c_str(), &about) != 0);
    second->start();
    second->stop();
    second->stop();
}

void saysWhatIsWrongWithAnEndpoint() {
    const auto whatOf = [](const std::string& endpoint, const std::string& keys = {}) -> std::string {
        Stage stage;
        stage.settings.endpoint = endpoint;
        stage.settings.curve_secret_key_file = keys;
        try {
            stage.make()->start();
        } catch (const FeedError& error) {
            return error.what();
        }
        return {};
    };
    CHECK(whatOf("ipc:///nowhere/at/all/dhcp4").find("'/nowhere/at/all' does not exist") != std::string::npos);
    CHECK(whatOf("ipc://relative").find("absolute") != std::string::npos);
    CHECK(whatOf("udp://x").find("neither") != std::string::npos);
    CHECK(whatOf("tcp://127.0.0.1:5555").find("CURVE key file") != std::string::npos);
    CHECK(whatOf("tcp://127.0.0.1", "/nowhere").find("port") != std::string::npos);
    CHECK(whatOf("tcp://127.0.0.1:0", "/nowhere").find("port") != std::string::npos);
    CHECK(whatOf("tcp://127.0.0.1:5555", "/nowhere").find("'/nowhere'") != std::string::npos);
    CHECK(whatOf("ipc:///tmp/" + std::string(120, 'x')).find("longer") != std::string::npos);
}

void blocksSignalsAndInheritsNothing() {
    std::set<int> before;
    for (int fd = 0; fd < 200; ++fd) {
        if (::fcntl(fd, F_GETFD) >= 0) before.insert(fd);
    }
    Stage stage;
    auto feed = stage.make();
    feed->start();
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    CHECK(sigismember(&mask, SIGTERM) == 0);
    int descriptors = 0, inherited = 0;
    for (int fd = 3; fd < 200; ++fd) {
        const int flags = ::fcntl(fd, F_GETFD);
        if (flags < 0) continue;
        ++descriptors;
        if ((flags & FD_CLOEXEC) == 0 && before.count(fd) == 0) ++inherited;
    }
    CHECK(descriptors > 3);
    CHECK(inherited == 0);
}

void startsAgain() {
    Stage stage;
    auto feed = stage.make();
    publishOne(*feed, 1);
    feed->start();
    CHECK([&] {
        try {
            feed->start();
        } catch (const FeedError&) {
            return true;
        }
        return false;
    }());
    const std::string epoch = feed->status().epoch_hex;
    feed->stop();
    publishOne(*feed, 2);
    feed->start();
    Subscriber subscriber(stage.settings.endpoint);
    CHECK(subscriber.receive());
    while (subscriber.heartbeat_last != 2 && subscriber.receive()) {
    }
    CHECK(subscriber.heartbeat_last == 2);
    CHECK(feed->status().epoch_hex == epoch);
    CHECK(stage.make()->status().epoch_hex != epoch);
}

void isNotHeldUpByWhoDoesNotRead() {
    Stage stage;
    auto feed = stage.make();
    feed->start();
    void* context = zmq_ctx_new();
    void* lazy = zmq_socket(context, ZMQ_SUB);
    const int one = 1, zero = 0;
    zmq_setsockopt(lazy, ZMQ_RCVHWM, &one, sizeof one);
    zmq_setsockopt(lazy, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(lazy, ZMQ_SUBSCRIBE, "", 0);
    zmq_connect(lazy, stage.settings.endpoint.c_str());
    Subscriber eager(stage.settings.endpoint);
    CHECK(eager.receive());
    std::uint64_t seq = 0;
    for (std::uint32_t i = 0; i < 200000; ++i) {
        seq = publishOne(*feed, i);
        if (i % 1000 == 0) {
            while (eager.next + 2000 < seq && eager.receive()) {
            }
        }
    }
    while (eager.heartbeat_last != seq && eager.receive()) {
    }
    CHECK(eager.heartbeat_last == seq);
    const auto before = std::chrono::steady_clock::now();
    feed->stop(200);
    CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(5));
    zmq_close(lazy);
    zmq_ctx_term(context);
}

std::string hexToOctets(const std::string& text) {
    return check::hex(text);
}

// Walks with pages of 16 leases while a producer publishes; then the feed ends, with a page on its way.
void servesPagesWhileItPublishes() {
    Stage stage;
    OwnMain main;
    stage.settings.page_share = 1;
    std::atomic<bool> slow{false};
    stage.leases.before = [&] {
        if (slow.load()) std::this_thread::sleep_for(std::chrono::milliseconds(100));
    };
    auto feed = std::make_unique<Feed>(stage.settings, Identity{}, stage.leases, main, stage.log);
    feed->start();
    const std::string epoch = hexToOctets(feed->status().epoch_hex);
    std::atomic<bool> done{false};
    std::thread producer([&] {
        for (std::uint32_t i = 0; !done.load(); ++i) {
            publishOne(*feed, i);
            if (i % 100 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    });
    void* context = zmq_ctx_new();
    void* dealer = zmq_socket(context, ZMQ_DEALER);
    const int zero = 0, timeout = 20000;
    zmq_setsockopt(dealer, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(dealer, ZMQ_RCVTIMEO, &timeout, sizeof timeout);
    zmq_connect(dealer, (stage.settings.endpoint + "-sync").c_str());
    const auto ask = [&](const std::string& after) {
        std::string request = std::string("\x08\x01\x12\x10", 4) + epoch + '\x2a';
        request.push_back(static_cast<char>(4 + (after.empty() ? 0 : 6)));
        request += std::string("\x08\x01\x18\x10", 4);
        if (!after.empty()) request += std::string("\x12\x04", 2) + after;
        zmq_send(dealer, request.data(), request.size(), 0);
    };
    std::string after;
    std::uint64_t leases = 0, stamp = 0;
    bool end = false, ascending = true;
    while (!end) {
        ask(after);
        char buffer[65536];
        const int octets = zmq_recv(dealer, buffer, sizeof buffer, 0);
        if (octets <= 0) break;
        protozero::pbf_reader reply(buffer, static_cast<std::size_t>(octets));
        if (!reply.next(5)) break;
        protozero::pbf_reader page = reply.get_message();
        while (page.next()) {
            if (page.tag() == 3) {
                const std::uint64_t next = page.get_uint64();
                if (next < stamp) ascending = false;
                stamp = next;
            } else if (page.tag() == 5) {
                protozero::pbf_reader lease = page.get_message();
                lease.next(1);
                const std::string address = lease.get_bytes();
                if (address <= after) ascending = false;
                after = address;
                ++leases;
            } else if (page.tag() == 6) end = page.get_bool();
            else page.skip();
        }
    }
    CHECK(end && leases == 1000 && ascending && stamp > 0);
    slow.store(true);
    ask({});
    while (feed->status().pages < 64) {  // the last one is the slow one, perhaps on its way: stop() copes with both
        if (stage.leases.reads > 63) break;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    done.store(true);
    producer.join();
    feed->stop();
    feed.reset();
    zmq_close(dealer);
    zmq_ctx_term(context);
}

}  // namespace

int main() {
    return check::run({
        {"publishes events of several threads in order and without gaps", publishesInOrder},
        {"counts and logs what was overwritten before it could be published", countsWhatItOverwrites},
        {"loses nothing while nobody is connected, and serves who comes then", losesNothingWhileNobodyIsConnected},
        {"has its threads leave the processor to Kea's, and changes nothing of the caller's", letsKeaGoFirst},
        {"owns its path: a second feed is told who holds it", ownsItsPath},
        {"says what is wrong with an endpoint", saysWhatIsWrongWithAnEndpoint},
        {"leaves the caller's signals alone and no descriptor to children", blocksSignalsAndInheritsNothing},
        {"starts again under the same epoch", startsAgain},
        {"serves pages from another thread while it publishes, and ends in the middle of one",
         servesPagesWhileItPublishes},
        {"is not held up by a subscriber that does not read", isNotHeldUpByWhoDoesNotRead},
    });
}
