#include "feed.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <zmq.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

#include "batcher.h"
#include "clock.h"
#include "encoder.h"
#include "epoch.h"
#include "facts.h"
#include "followers.h"
#include "log_ids.h"
#include "pager.h"
#include "reply.h"
#include "ring.h"
#include "sockets.h"
#include "sync_server.h"
#include "wake.h"

namespace lease_feed {
namespace {

constexpr Steady::duration kHeartbeatEach = std::chrono::seconds(1);
// Of each kind of work, so much before the others have their turn.
constexpr int kBatchesATurn = 16;
constexpr int kRequestsATurn = 32;
// So many events in a batch, and it is all but certain that more come while the next one is gathered.
constexpr std::uint64_t kBusyEvents = 3;

// Threads made meanwhile inherit the mask: signals are Kea's main thread's, as for Kea's own workers.
class AllSignalsBlocked {
public:
    AllSignalsBlocked() {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~AllSignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    AllSignalsBlocked(const AllSignalsBlocked&) = delete;
    AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

private:
    sigset_t before_{};
};

// On a processor that is shared with Kea's threads, those go first: this one's wake-ups do not interrupt them. Inherited
// by libzmq's threads. Where the kernel refuses it, nothing is lost but that.
void yieldToOthers() {
    const sched_param none{};
    ::sched_setscheduler(0, SCHED_BATCH, &none);
}

timespec toTimespec(std::chrono::nanoseconds time) {
    timespec result{};
    result.tv_sec = time.count() / 1000000000;
    result.tv_nsec = time.count() % 1000000000;
    return result;
}

}  // namespace

class Feed::Impl {
public:
    Impl(FeedSettings settings, Identity identity, LeaseSource& source, MainThread& main, FeedLog& log)
        : settings_(std::move(settings)), identity_(std::move(identity)), log_(log), epoch_(newEpoch()),
          ring_(settings_.ring_events, settings_.ring_octets), followers_(log), batcher_(ring_, epoch_, log),
          pager_(settings_, epoch_, ring_, source, main, log, wake_),
          server_(settings_.family, identity_, epoch_, ring_, facts_, pager_, followers_, log) {}

    void start() {
        if (thread_.joinable()) throw FeedError("the feed at '" + settings_.endpoint + "' runs already");
        pager_.open();
        stopping_.store(false);
        std::promise<std::string> refusal;
        std::future<std::string> refused = refusal.get_future();
        try {
            const AllSignalsBlocked quiet;
            thread_ = std::thread([this](std::promise<std::string> to) { run(std::move(to)); }, std::move(refusal));
        } catch (const std::system_error& error) {
            throw FeedError(std::string("cannot start the feed's publisher thread: ") + error.what());
        }
        const std::string reason = refused.get();
        if (!reason.empty()) {
            thread_.join();
            pager_.close();
            throw FeedError(reason);
        }
    }

    void stop(std::uint32_t drain_ms) noexcept {
        if (!thread_.joinable()) return;
        drain_ms_.store(drain_ms);
        stopping_.store(true);
        wake_.signal();
        thread_.join();
        pager_.close();
        sockets_->close(static_cast<int>(drain_ms));
        sockets_.reset();
    }

    std::uint64_t put(const EncodedEvent& event) noexcept {
        if (event.how == Encoded::cut) cut_.fetch_add(1, std::memory_order_relaxed);
        const Ring::Pushed pushed = event.how == Encoded::too_long ? ring_.lose() : ring_.push(event.entry);
        if (pushed.wake == Ring::Wake::now) wake_.signal();
        else if (pushed.wake == Ring::Wake::soon) wake_.signalIn(kGatherTime);
        return pushed.seq;
    }

    void beatSoon() {
        beat_now_.store(true);
        wake_.signal();
    }

    FeedStatus status() const {
        FeedStatus status;
        status.epoch_hex = toHex(epoch_);
        const Ring::Bounds bounds = ring_.bounds();
        status.last_seq = bounds.newest;
        status.oldest_seq = bounds.oldest;
        status.overwritten = batcher_.overwritten();
        status.lost = ring_.lost();
        status.cut = cut_.load(std::memory_order_relaxed);
        status.published = batcher_.published();
        status.pages = pager_.pages();
        status.pages_failed = pager_.failed();
        status.page_longest_us = pager_.longestUs();
        status.replays = server_.replays();
        status.bad_requests = server_.badRequests();
        status.ring_lock_longest_ns = ring_.longestLockNs();
        status.ring_events = ring_.maxEvents();
        status.ring_octets = ring_.maxOctets();
        status.followers = followers_.list(Steady::now());
        return status;
    }

    Facts facts_;

private:
    // The sockets are made here, for what libzmq's threads inherit.
    std::string openSockets() noexcept {
        try {
            sockets_.emplace(settings_, log_);
            return {};
        } catch (const std::exception& error) {
            return error.what();
        }
    }

    /// @param refusal  of why it ends at once, "" when it runs
    void run(std::promise<std::string> refusal) noexcept {
        pthread_setname_np(pthread_self(), "lease-feed");
        yieldToOthers();
        const std::string reason = openSockets();
        refusal.set_value(reason);
        if (!reason.empty()) return;
        log(FeedLog::Level::info, log_id::started,
            "the feed is published at '" + settings_.endpoint + "', epoch " + toHex(epoch_));
        next_beat_ = Steady::now();
        Seldom failures(std::chrono::minutes(1));
        while (!stopping_.load()) {
            try {
                turn();
            } catch (const std::exception& error) {  // no memory; nothing else throws here
                if (failures.now(Steady::now())) log(FeedLog::Level::error, log_id::publisher_failed, error.what());
                std::this_thread::sleep_for(std::chrono::milliseconds(10));
            }
        }
        drain();
        log(FeedLog::Level::info, log_id::stopped,
            "the feed at '" + settings_.endpoint + "' has ended after number " + std::to_string(batcher_.next() - 1));
    }

    // Most turns only send what was gathered: sockets are read only where there is something to read.
    void turn() {
        const auto now = Steady::now();
        pager_.turn(now, send_);
        if (read_sockets_) {
            read_sockets_ = server_.turn(sockets_->sync(), now, kRequestsATurn);
            if (sockets_->tend()) read_sockets_ = true;
            pager_.turn(now, send_);
        }
        publishWaiting(now, kBatchesATurn);
        if (now >= next_beat_ || beat_now_.exchange(false)) beat(now);
        wait(std::min(next_beat_, pager_.due()));
    }

    void publishWaiting(Steady::time_point now, int most_batches) {
        const std::uint64_t before = batcher_.next();
        if (sockets_->heard()) batcher_.turn(sockets_->publish(), now, most_batches);
        else batcher_.pass(now);
        busy_ = batcher_.next() - before >= kBusyEvents;
    }

    // Threads of Kea wake this one as seldom as can be, since that costs them a call of the kernel: while events come
    // thick enough it looks by itself when it has gathered for long enough, and where nobody is connected only before
    // the ring is full.
    void wait(Steady::time_point until) {
        const bool heard = sockets_->heard();
        const std::uint64_t enough = heard ? kGatherEvents : unheard_;
        const std::uint64_t waiting = ring_.sleep(batcher_.next(), batcher_.next() + enough - 1, heard && !busy_);
        const auto now = Steady::now();
        if (waiting >= enough || read_sockets_) until = now;
        else if (heard && (busy_ || waiting > 0)) until = std::min(until, now + kGatherTime);
        const timespec timeout = toTimespec(std::max(until - now, Steady::duration::zero()));
        items_.clear();
        for (const int fd : {wake_.now(), wake_.later()}) items_.push_back({fd, POLLIN, 0});
        for (const int fd : sockets_->descriptors()) items_.push_back({fd, POLLIN, 0});
        if (::ppoll(items_.data(), items_.size(), &timeout, nullptr) > 0) {
            if (items_[0].revents != 0) wake_.takeNow();
            else if (items_[1].revents != 0) wake_.takeLater();
            for (std::size_t i = 2; i < items_.size(); ++i) read_sockets_ = read_sockets_ || items_[i].revents != 0;
        }
        ring_.awake();
    }

    void beat(Steady::time_point now) {
        sockets_->check();
        // All that was given out before this moment goes first, so that the heartbeat never announces what only
        // waits its turn.
        publishWaiting(now, kBatchesATurn);
        const std::uint64_t last = batcher_.next() - 1;
        const RingReport ring{ring_.maxEvents(), batcher_.overwritten(), ring_.lost(),
                              cut_.load(std::memory_order_relaxed)};
        const std::string frame =
            encodeHeartbeat(epoch_, last, ring_.bounds().oldest, wallClockMs(), facts_.view().generations, ring);
        zmq_send(sockets_->publish(), frame.data(), frame.size(), ZMQ_DONTWAIT);
        next_beat_ = now + kHeartbeatEach;
        read_sockets_ = true;
        tellLost(now);
    }

    void tellLost(Steady::time_point now) {
        const std::uint64_t lost = ring_.lost();
        if (lost != told_lost_ && lost_lines_.now(now)) {
            log(FeedLog::Level::error, log_id::event_lost,
                std::to_string(lost - told_lost_) +
                    " events could not be kept; the ring was emptied, followers walk");
            told_lost_ = lost;
        }
        const std::uint64_t cut = cut_.load(std::memory_order_relaxed);
        if (cut != told_cut_ && cut_lines_.now(now)) {
            log(FeedLog::Level::warn, log_id::event_cut,
                std::to_string(cut - told_cut_) + " events were longer than " + std::to_string(kMaxEntryOctets) +
                    " octets and are published without what the client's packet carried");
            told_cut_ = cut;
        }
    }

    void drain() noexcept {
        const auto end = Steady::now() + std::chrono::milliseconds(drain_ms_.load());
        try {
            const std::uint64_t last = ring_.bounds().newest;
            while (batcher_.next() <= last && Steady::now() < end) {
                publishWaiting(Steady::now(), 1);
            }
        } catch (const std::exception& error) {
            log(FeedLog::Level::error, log_id::publisher_failed, error.what());
        }
    }

    void log(FeedLog::Level level, const char* id, const std::string& text) noexcept {
        try {
            log_.write(level, id, text);
        } catch (...) {  // a line that cannot be written must not end the feed
        }
    }

    const FeedSettings settings_;
    const Identity identity_;
    FeedLog& log_;
    const std::string epoch_;
    Wake wake_;
    Ring ring_;
    Followers followers_;
    Batcher batcher_;
    Pager pager_;
    SyncServer server_;
    std::optional<Sockets> sockets_;
    std::thread thread_;
    std::atomic<bool> stopping_{false};
    std::atomic<bool> beat_now_{false};
    std::atomic<std::uint32_t> drain_ms_{0};
    std::atomic<std::uint64_t> cut_{0};
    const SendReply send_ = [this](const Asker& asker, const std::string& reply) {
        server_.send(sockets_->sync(), asker, reply);
        read_sockets_ = true;
    };

    // Of the publisher thread.
    // Set where a ZeroMQ socket may have something to read. Its descriptor says so once, and whatever else is done with
    // the socket may take that back: so after a reply, and at each heartbeat, for what publishing may have hidden.
    bool read_sockets_ = true;
    bool busy_ = false;  // events come thick
    // Of events that nobody is connected for, so many may wait: well before they are overwritten, for events of up to
    // half a KiB.
    const std::uint64_t unheard_ = std::max<std::uint64_t>(1, std::min(ring_.maxEvents() / 2, ring_.maxOctets() / 1024));
    std::vector<pollfd> items_;
    Steady::time_point next_beat_{};
    std::uint64_t told_lost_ = 0;
    std::uint64_t told_cut_ = 0;
    Seldom lost_lines_{std::chrono::minutes(1)};
    Seldom cut_lines_{std::chrono::minutes(1)};
};

Feed::Feed(FeedSettings settings, Identity identity, LeaseSource& source, MainThread& main, FeedLog& log)
    : impl_(std::make_unique<Impl>(std::move(settings), std::move(identity), source, main, log)) {}

Feed::~Feed() {
    impl_->stop(0);
}

void Feed::start() {
    impl_->start();
}

void Feed::stop(std::uint32_t drain_ms) noexcept {
    impl_->stop(drain_ms);
}

std::uint64_t Feed::publish(Operation op, const LeaseView& lease, Origin origin, const PacketView* packet) noexcept {
    EventBuffer buffer;
    return impl_->put(encodeChange(buffer, op, lease, origin, packet));
}

std::uint64_t Feed::annotate(const AnnotationView& annotation) noexcept {
    EventBuffer buffer;
    return impl_->put(encodeAnnotation(buffer, annotation));
}

std::size_t Feed::setConfig(std::string encoded) {
    ConfigPages pages(std::move(encoded));
    const std::size_t left_out = pages.leftOut();
    if (impl_->facts_.setConfig(std::move(pages))) impl_->beatSoon();
    return left_out;
}

void Feed::setService(std::string json) {
    if (impl_->facts_.setService(std::move(json))) impl_->beatSoon();
}

void Feed::requestResync() {
    impl_->facts_.resync();
    impl_->beatSoon();
}

FeedStatus Feed::status() const {
    return impl_->status();
}

}  // namespace lease_feed
