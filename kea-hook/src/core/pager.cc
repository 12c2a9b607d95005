#include "pager.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <utility>

#include "encoder.h"
#include "log_ids.h"
#include "reply.h"
#include "text.h"

namespace lease_feed {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr double kMostCreditNs = 2e6;     // so much may be used at once after a rest
constexpr std::size_t kLeastLeases = 16;  // of a page, however slow they are
constexpr milliseconds kLongestSlowPause{60000};
constexpr milliseconds kFirstFailurePause{50};
constexpr milliseconds kLongestFailurePause{2000};
constexpr std::size_t kMostErrorOctets = 512;

class PageEncoder final : public PageSink {
public:
    PageEncoder(std::string& leases, std::size_t most) : leases_(leases), most_(most) {}
    void add(const LeaseView& lease) override {
        if (++added_ > most_) throw std::length_error("the lease source gave more leases than it was asked for");
        encodePageLease(leases_, lease);
    }
    std::size_t added() const { return added_; }

private:
    std::string& leases_;
    std::size_t most_;
    std::size_t added_ = 0;
};

}  // namespace

struct Pager::Result {
    std::optional<ErrorCode> error;
    std::string text;
    PageHead head;
    std::string leases;
    nanoseconds took{};
};

// Lives as long as the last job that may still run.
struct Pager::Reader {
    Reader(Ring& r, LeaseSource& s, Wake& w) : ring(r), source(s), wake(w) {}

    std::mutex running;  // held while a job runs
    bool alive = true;
    Ring& ring;
    LeaseSource& source;
    Wake& wake;

    std::mutex result_mutex;
    std::optional<Result> result;

    // On the main thread.
    void read(const std::string& after, std::size_t limit) {
        const std::lock_guard<std::mutex> hold(running);
        if (!alive) return;
        Result page;
        const auto start = Steady::now();
        try {
            // Before the read: an event numbered up to here is in what is read, a later one may be or not.
            page.head.stamp = ring.bounds().newest;
            page.head.clock = wallClockMs();
            PageEncoder encoder(page.leases, limit);
            page.head.end = source.readPage(after, limit, encoder);
            if (!page.head.end && encoder.added() == 0) {
                throw std::logic_error("the lease source gave no lease and said that more follow");
            }
        } catch (const NotReady& error) {
            fail(page, ErrorCode::not_ready, error.what());
        } catch (const std::exception& error) {
            fail(page, ErrorCode::lease_database, error.what());
        } catch (...) {
            fail(page, ErrorCode::lease_database, "unknown exception");
        }
        page.took = Steady::now() - start;
        {
            const std::lock_guard<std::mutex> hold_result(result_mutex);
            result = std::move(page);
        }
        wake.signal();
    }

    static void fail(Result& page, ErrorCode code, const char* what) {
        page.error = code;
        page.text = cleanText(what, kMostErrorOctets);
        page.leases.clear();
    }

    std::optional<Result> take() {
        const std::lock_guard<std::mutex> hold(result_mutex);
        std::optional<Result> taken = std::move(result);
        result.reset();
        return taken;
    }
};

Pager::Pager(const FeedSettings& settings, std::string epoch, Ring& ring, LeaseSource& source, MainThread& main,
             FeedLog& log, Wake& wake)
    : epoch_(std::move(epoch)),
      most_leases_(std::min<std::size_t>(std::max<std::size_t>(settings.page_leases, 1), 256)),
      share_(std::min(std::max(settings.page_share, 0.001), 1.0)),
      slow_ms_(std::max<std::uint32_t>(settings.page_slow_ms, 1)), main_(main), log_(log),
      make_reader_([&ring, &source, &wake] { return std::make_shared<Reader>(ring, source, wake); }),
      leases_now_(most_leases_), credit_ns_(kMostCreditNs), credited_(Steady::now()) {
    open();
}

Pager::~Pager() {
    close();
}

void Pager::open() {
    if (!reader_) reader_ = make_reader_();
}

void Pager::close() noexcept {
    if (!reader_) return;
    {
        const std::lock_guard<std::mutex> hold(reader_->running);
        reader_->alive = false;
    }
    reader_.reset();
    forget();
}

void Pager::forget() {
    waiting_.clear();
    asked_.clear();
    reading_ = false;
}

bool Pager::ask(const Asker& asker, std::uint64_t id, const PageRequest& request) {
    const std::size_t limit = request.limit == 0 ? most_leases_ : std::min<std::size_t>(request.limit, most_leases_);
    std::size_t of_asker = 0;
    for (Waiting& waiting : waiting_) {
        if (!(waiting.asker == asker)) continue;
        ++of_asker;
        if (waiting.after == request.after && waiting.limit == limit && waiting.walk == request.walk) {
            waiting.id = id;  // asked again: the first reply would be for nobody
            return true;
        }
    }
    if (waiting_.size() >= kMostWaitingPages || of_asker >= kMostWaitingPagesEach) return false;
    waiting_.push_back({asker, id, request.walk, std::string(request.after), limit});
    return true;
}

void Pager::turn(Steady::time_point now, const SendReply& send) {
    if (reading_) {
        const std::optional<Result> result = reader_->take();
        if (!result) return;
        reading_ = false;
        take(*result, now);
        deliver(*result, send);
        asked_.clear();
    }
    const double earned = static_cast<double>(duration_cast<nanoseconds>(now - credited_).count()) * share_;
    credit_ns_ = std::min(kMostCreditNs, credit_ns_ + std::max(earned, 0.0));
    credited_ = now;
    if (waiting_.empty() || credit_ns_ <= 0 || now < not_before_) return;
    post(now);
}

Steady::time_point Pager::due() const {
    if (reading_ || waiting_.empty()) return Steady::time_point::max();
    Steady::time_point when = not_before_;
    if (credit_ns_ <= 0) {
        when = std::max(when, credited_ + nanoseconds(static_cast<std::int64_t>(1 - credit_ns_ / share_)));
    }
    return when;
}

void Pager::post(Steady::time_point now) {
    const std::string after = waiting_.front().after;
    const std::size_t limit = waiting_.front().limit;
    // Whoever waits for the same page when it is about to be read gets the same one. A page is never kept for later
    // askers: they may need a younger stamp.
    for (auto it = waiting_.begin(); it != waiting_.end();) {
        if (it->after == after && it->limit == limit) {
            asked_.push_back(std::move(*it));
            it = waiting_.erase(it);
        } else {
            ++it;
        }
    }
    reading_ = true;
    try {
        main_.post([reader = reader_, after, most = std::min(limit, leases_now_)] { reader->read(after, most); });
    } catch (const std::exception& error) {
        not_before_ = now + kFirstFailurePause;
        Result failed;
        Reader::fail(failed, ErrorCode::not_ready, error.what());
        const std::lock_guard<std::mutex> hold(reader_->result_mutex);
        reader_->result = std::move(failed);
        reader_->wake.signal();
    }
}

void Pager::take(const Result& result, Steady::time_point now) {
    pages_.fetch_add(1, std::memory_order_relaxed);
    credit_ns_ -= static_cast<double>(result.took.count());
    const auto took_us = static_cast<std::uint64_t>(result.took.count() / 1000);
    if (took_us > longest_us_.load(std::memory_order_relaxed)) longest_us_.store(took_us, std::memory_order_relaxed);

    if (result.error) {
        failed_.fetch_add(1, std::memory_order_relaxed);
        const milliseconds pause = kFirstFailurePause * (1 << std::min(failed_in_a_row_, 10));
        not_before_ = now + std::min(pause, kLongestFailurePause);
        // Of several followers one may fail at a row that the others have not come to.
        if (failed_in_a_row_++ == 0 && *result.error != ErrorCode::not_ready && failure_lines_.now(now)) {
            failure_told_ = true;
            log_.write(FeedLog::Level::warn, log_id::page_failed,
                       "leases cannot be read for followers: " + result.text);
        }
    } else if (failed_in_a_row_ > 0) {
        failed_in_a_row_ = 0;
        if (std::exchange(failure_told_, false))
            log_.write(FeedLog::Level::info, log_id::pages_well, "leases can be read for followers again");
    }

    if (result.took > milliseconds(slow_ms_)) {
        const auto took = duration_cast<milliseconds>(result.took) + milliseconds(1);
        const milliseconds pause = took * (1 << std::min(slow_in_a_row_, 6));
        not_before_ = std::max(not_before_, now + std::min(pause, kLongestSlowPause));
        leases_now_ = std::max(std::min(kLeastLeases, most_leases_), leases_now_ / 2);
        if (slow_in_a_row_++ == 0) {
            log_.write(FeedLog::Level::warn, log_id::pages_slow,
                       "a page of leases took " + std::to_string(took.count()) +
                           " ms of Kea's main thread, more than the " + std::to_string(slow_ms_) +
                           " allowed: followers get smaller and fewer pages");
        }
    } else if (!result.error) {
        if (slow_in_a_row_ > 0)
            log_.write(FeedLog::Level::info, log_id::pages_well, "pages of leases are fast again");
        slow_in_a_row_ = 0;
        leases_now_ = std::min(most_leases_, leases_now_ * 2);
    }
}

void Pager::deliver(const Result& result, const SendReply& send) {
    for (const Waiting& asked : asked_) {
        send(asked.asker, result.error
                              ? replyError(asked.id, epoch_, *result.error, result.text)
                              : replyPage(asked.id, epoch_, asked.walk, asked.after, result.head, result.leases));
    }
}

}  // namespace lease_feed
