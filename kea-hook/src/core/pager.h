// Snapshot pages: asked for on the publisher thread, read on the main thread. All askers share one queue, one job at
// a time, and one budget of the main thread's time, so that ten followers (or one that asks like ten) cost Kea no
// more than one.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "clock.h"
#include "feed.h"
#include "request.h"
#include "ring.h"
#include "wake.h"

namespace lease_feed {

constexpr std::size_t kMostWaitingPages = 64;     ///< of all askers; more get BUSY
constexpr std::size_t kMostWaitingPagesEach = 8;  ///< of one asker

/// Where a reply goes: what the ROUTER socket put before the request.
struct Asker {
    std::string identity;
    bool delimiter = false;  ///< a REQ socket asks with an empty frame between
    bool operator==(const Asker& other) const { return identity == other.identity; }
};
using SendReply = std::function<void(const Asker&, const std::string& reply)>;

class Pager {
public:
    Pager(const FeedSettings& settings, std::string epoch, Ring& ring, LeaseSource& source, MainThread& main,
          FeedLog& log, Wake& wake);
    ~Pager();

    /// Queues a request. @return false when too many wait already
    bool ask(const Asker& asker, std::uint64_t id, const PageRequest& request);
    /// Sends the page that was read meanwhile; has the next one read if the budget allows.
    void turn(Steady::time_point now, const SendReply& send);
    /// When turn() has something to do again; max() = when woken, or asked.
    Steady::time_point due() const;
    /// From here on no job touches the source, the ring or this. Waits for the page that is being read just now.
    void close() noexcept;
    /// Forgets who waits.
    void forget();
    /// Serves again after close().
    void open();

    std::uint64_t pages() const { return pages_.load(std::memory_order_relaxed); }
    std::uint64_t failed() const { return failed_.load(std::memory_order_relaxed); }
    std::uint64_t longestUs() const { return longest_us_.load(std::memory_order_relaxed); }

private:
    struct Waiting {
        Asker asker;
        std::uint64_t id;
        std::uint64_t walk;
        std::string after;
        std::size_t limit;
    };
    struct Result;
    struct Reader;

    void post(Steady::time_point now);
    void take(const Result& result, Steady::time_point now);
    void deliver(const Result& result, const SendReply& send);

    const std::string epoch_;
    const std::size_t most_leases_;
    const double share_;
    const std::uint32_t slow_ms_;
    MainThread& main_;
    FeedLog& log_;
    std::function<std::shared_ptr<Reader>()> make_reader_;
    std::shared_ptr<Reader> reader_;  // shared with the job that is on its way

    std::deque<Waiting> waiting_;
    std::vector<Waiting> asked_;  // share the page that is being read
    bool reading_ = false;
    std::size_t leases_now_;  // fewer than most_leases_ while pages are slow
    double credit_ns_;        // of the main thread's time; below 0: wait
    Steady::time_point credited_;
    Steady::time_point not_before_{};
    int slow_in_a_row_ = 0;
    int failed_in_a_row_ = 0;
    bool failure_told_ = false;
    Seldom failure_lines_{std::chrono::minutes(1)};
    std::atomic<std::uint64_t> pages_{0}, failed_{0}, longest_us_{0};
};

}  // namespace lease_feed
