// Takes events out of the ring and sends them, in order, in batches.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "clock.h"
#include "feed.h"
#include "ring.h"

namespace lease_feed {

constexpr std::size_t kBatchEvents = 256;  ///< most in one batch
constexpr std::size_t kBatchOctets = 64 * 1024;
constexpr std::size_t kGatherEvents = 64;  ///< enough not to wait for more
/// So long a lone event waits for others. What a batch costs the machine does not depend on its size, so at ordinary
/// rates this divides the cost; nobody who asks for leases over TCP can tell the difference.
constexpr Steady::duration kGatherTime = std::chrono::microseconds(2500);

class Batcher {
public:
    Batcher(Ring& ring, std::string epoch, FeedLog& log);

    /// Sends what is there, at most `most_batches` batches; after the first, only while there is enough not to wait for
    /// more.
    void turn(void* socket, Steady::time_point now, int most_batches);
    /// Passes over what is there, where nobody would get it: who comes later finds it in the ring.
    void pass(Steady::time_point now);

    /// The next number to publish: all before it were sent, passed over, or overwritten before they could be.
    std::uint64_t next() const { return next_.load(std::memory_order_relaxed); }
    std::uint64_t published() const { return published_.load(std::memory_order_relaxed); }
    std::uint64_t overwritten() const { return overwritten_.load(std::memory_order_relaxed); }

private:
    void skipTo(std::uint64_t seq, Steady::time_point now);
    void tellOverwritten(Steady::time_point now, bool caught_up);

    Ring& ring_;
    const std::string epoch_;
    FeedLog& log_;
    std::unique_ptr<char[]> buffer_;  // head room, then events
    std::atomic<std::uint64_t> next_{1};
    std::atomic<std::uint64_t> published_{0};
    std::atomic<std::uint64_t> overwritten_{0};
    std::uint64_t untold_ = 0;  // overwritten in this episode, not logged yet
    Steady::time_point episode_{};
    Steady::time_point tell_from_{};  // the next line about it, at the earliest
};

}  // namespace lease_feed
