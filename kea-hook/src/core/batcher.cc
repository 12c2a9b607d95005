#include "batcher.h"

#include <zmq.h>

#include "log_ids.h"
#include "reply.h"

namespace lease_feed {
namespace {

// An episode that does not end is told of after this, and episodes that follow each other no sooner: a flood through a
// small ring must not become a flood of log lines.
constexpr Steady::duration kLongestEpisode = std::chrono::seconds(10);

}  // namespace

Batcher::Batcher(Ring& ring, std::string epoch, FeedLog& log)
    : ring_(ring), epoch_(std::move(epoch)), log_(log), buffer_(new char[kBatchHead + kBatchOctets]) {}

void Batcher::turn(void* socket, Steady::time_point now, int most_batches) {
    std::uint64_t waiting = 0;
    int batches = 0;
    for (;;) {
        const Ring::Bounds bounds = ring_.bounds();
        if (bounds.oldest > next()) skipTo(bounds.oldest, now);
        waiting = bounds.newest + 1 - next();
        // What little came while a batch was sent waits for others: a follower's queue counts batches, not events.
        if (waiting < (batches == 0 ? 1 : kGatherEvents) || batches == most_batches) break;
        char* const events = buffer_.get() + kBatchHead;
        const Ring::Slice slice = ring_.copy(next(), kBatchEvents, events, kBatchOctets);
        if (slice.first > next()) skipTo(slice.first, now);
        if (slice.events == 0) continue;
        const Octets frame = encodeBatch(events, slice.octets, epoch_, slice.first, wallClockMs());
        // Never blocks and never fails for want of room: a subscriber that is behind loses the frame, sees the gap,
        // and asks for a replay.
        zmq_send(socket, frame.data(), frame.size(), ZMQ_DONTWAIT);
        published_.fetch_add(slice.events, std::memory_order_relaxed);
        next_.store(slice.first + slice.events, std::memory_order_relaxed);
        ++batches;
    }
    tellOverwritten(now, waiting < kGatherEvents);
}

void Batcher::pass(Steady::time_point now) {
    const Ring::Bounds bounds = ring_.bounds();
    if (bounds.oldest > next()) skipTo(bounds.oldest, now);
    published_.fetch_add(bounds.newest + 1 - next(), std::memory_order_relaxed);
    next_.store(bounds.newest + 1, std::memory_order_relaxed);
    tellOverwritten(now, true);
}

void Batcher::skipTo(std::uint64_t seq, Steady::time_point now) {
    const std::uint64_t gone = seq - next();
    overwritten_.fetch_add(gone, std::memory_order_relaxed);
    if (untold_ == 0) episode_ = now;
    untold_ += gone;
    next_.store(seq, std::memory_order_relaxed);
}

void Batcher::tellOverwritten(Steady::time_point now, bool caught_up) {
    if (untold_ == 0 || now < tell_from_ || (!caught_up && now - episode_ < kLongestEpisode)) return;
    log_.write(FeedLog::Level::warn, log_id::ring_overwritten,
               std::to_string(untold_) +
                   " events were overwritten before they could be published, the last one was number " +
                   std::to_string(next() - 1) + ": followers walk; a larger ring-size avoids it");
    untold_ = 0;
    tell_from_ = now + kLongestEpisode;
}

}  // namespace lease_feed
