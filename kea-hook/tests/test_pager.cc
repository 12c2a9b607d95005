#include <chrono>
#include <stdexcept>
#include <thread>

#include "check.h"
#include "fakes.h"
#include "pager.h"

using namespace lease_feed;
using std::chrono::milliseconds;

namespace {

struct Bench {
    Bench() { settings.page_share = 0.5; }
    FeedSettings settings;
    Ring ring{16, 0};
    fakes::Log log;
    fakes::HeldMain main;
    fakes::Leases leases;
    Wake wake;
    std::vector<std::pair<std::string, std::string>> replies;
    SendReply send = [this](const Asker& asker, const std::string& reply) {
        replies.emplace_back(asker.identity, reply);
    };
    Steady::time_point now = Steady::now();

    Pager make() { return Pager(settings, "0123456789abcdef", ring, leases, main, log, wake); }
    // Until the page that was asked for has been read and answered.
    void serve(Pager& pager) {
        for (int i = 0; i < 1000 && !main.runOne(); ++i) {
            now += milliseconds(100);
            pager.turn(now, send);
        }
        pager.turn(now, send);
    }
};

PageRequest pageAfter(const std::string& after, std::uint32_t limit = 0, std::uint64_t walk = 1) {
    PageRequest request;
    request.after = after;
    request.limit = limit;
    request.walk = walk;
    return request;
}

void sharesOnePage() {
    Bench bench;
    Pager pager = bench.make();
    CHECK(pager.ask({"a", false}, 1, pageAfter("")));
    CHECK(pager.ask({"b", false}, 2, pageAfter("", 256, 9)));
    CHECK(pager.ask({"c", false}, 3, pageAfter("", 5)));
    pager.turn(bench.now, bench.send);
    CHECK(bench.main.waiting() == 1 && bench.leases.reads == 0);
    bench.serve(pager);
    CHECK(bench.leases.reads == 1 && bench.replies.size() == 2);
    bench.serve(pager);
    CHECK(bench.leases.reads == 2 && bench.replies.size() == 3 && bench.replies[2].first == "c");
    CHECK(bench.leases.limits[0] == 256 && bench.leases.limits[1] == 5);
}

void stampsBeforeItReads() {
    Bench bench;
    bench.ring.push("one");
    bench.leases.count = 1;
    bench.leases.before = [&] { bench.ring.push("while reading"); };
    Pager pager = bench.make();
    pager.ask({"a", false}, 1, pageAfter(""));
    pager.turn(bench.now, bench.send);
    bench.serve(pager);
    CHECK(bench.replies.size() == 1);
    // page { walk 1, stamp 1, …
    CHECK(bench.replies[0].second.find(std::string("\x08\x01\x18\x01\x20", 5)) != std::string::npos);
    CHECK(bench.ring.bounds().newest == 2);
}

void boundsWhoWaits() {
    Bench bench;
    Pager pager = bench.make();
    pager.ask({"first", false}, 0, pageAfter(""));
    pager.turn(bench.now, bench.send);  // on its way: no longer waiting
    for (std::size_t i = 0; i < kMostWaitingPagesEach; ++i) {
        CHECK(pager.ask({"greedy", false}, i, pageAfter(std::string(4, static_cast<char>(i)))));
    }
    CHECK(!pager.ask({"greedy", false}, 99, pageAfter("zzzz")));
    CHECK(pager.ask({"greedy", false}, 99, pageAfter(std::string(4, '\0'))));  // asked again: takes no more room
    std::size_t others = kMostWaitingPagesEach;
    while (pager.ask({"x" + std::to_string(others), false}, 1, pageAfter(""))) ++others;
    CHECK(others == kMostWaitingPages);
}

void answersTheLastOfRepeatedRequests() {
    Bench bench;
    bench.leases.count = 1;
    Pager pager = bench.make();
    pager.ask({"a", false}, 1, pageAfter(""));
    pager.ask({"a", false}, 2, pageAfter(""));
    pager.turn(bench.now, bench.send);
    bench.serve(pager);
    CHECK(bench.replies.size() == 1 && bench.replies[0].second.substr(0, 2) == "\x08\x02");
}

void keepsToItsShare() {
    Bench bench;
    bench.settings.page_share = 0.1;
    bench.settings.page_slow_ms = 1000;
    bench.leases.before = [] { std::this_thread::sleep_for(milliseconds(20)); };
    Pager pager = bench.make();
    pager.ask({"a", false}, 1, pageAfter(""));
    pager.turn(bench.now, bench.send);
    bench.main.runOne();
    pager.ask({"a", false}, 2, pageAfter(std::string{10, 0, 0, 9}));
    pager.turn(bench.now, bench.send);
    CHECK(bench.replies.size() == 1);
    CHECK(bench.main.waiting() == 0);
    // 20 ms at a tenth: not for 200 ms, less the 2 ms that were saved before (20 ms of waiting).
    const auto wait = pager.due() - bench.now;
    CHECK(wait > milliseconds(170) && wait < milliseconds(2000));
    pager.turn(bench.now + wait / 2, bench.send);
    CHECK(bench.main.waiting() == 0);
    pager.turn(bench.now + wait + milliseconds(1), bench.send);
    CHECK(bench.main.waiting() == 1);
}

void backsOffFromSlowPages() {
    Bench bench;
    bench.settings.page_share = 1;
    bench.settings.page_slow_ms = 5;
    bench.leases.before = [] { std::this_thread::sleep_for(milliseconds(10)); };
    Pager pager = bench.make();
    std::vector<Steady::duration> waits;
    for (std::uint64_t i = 0; i < 6; ++i) {
        pager.ask({"a", false}, i, pageAfter(""));
        pager.turn(bench.now, bench.send);
        bench.serve(pager);
        pager.ask({"b", false}, i, pageAfter(std::string(4, '\xff')));
        waits.push_back(pager.due() - bench.now);
        pager.forget();
    }
    CHECK(waits[0] >= milliseconds(10) && waits[4] >= 8 * milliseconds(10));
    CHECK(bench.leases.limits[0] == 256 && bench.leases.limits[1] == 128 && bench.leases.limits[4] == 16 &&
          bench.leases.limits[5] == 16);
    CHECK(bench.log.count("LEASE_FEED_PAGES_SLOW") == 1);
    bench.leases.before = nullptr;
    for (std::uint64_t i = 0; i < 6; ++i) {
        pager.ask({"a", false}, i, pageAfter(""));
        bench.serve(pager);
    }
    CHECK(bench.leases.limits.back() == 256);
    CHECK(bench.log.count("LEASE_FEED_PAGES_RECOVERED") == 1);
}

void failuresAreErrorsNotPages() {
    Bench bench;
    bench.leases.before = [] { throw std::runtime_error("connection lost\nto database"); };
    Pager pager = bench.make();
    for (std::uint64_t i = 1; i <= 3; ++i) {
        pager.ask({"a", false}, i, pageAfter(""));
        bench.serve(pager);
        CHECK(bench.replies.size() == i);
        CHECK(bench.replies.back().second.find("connection lost?to database") != std::string::npos);
        CHECK(bench.replies.back().second.find(std::string("\x7a")) != std::string::npos);
    }
    CHECK(bench.log.count("LEASE_FEED_PAGE_FAILED") == 1 && pager.failed() == 3);
    bench.leases.before = [] { throw NotReady("being reconfigured"); };
    pager.ask({"a", false}, 9, pageAfter(""));
    bench.serve(pager);
    CHECK(bench.replies.back().second.find(std::string("\x08\x03\x12")) != std::string::npos);
    bench.leases.before = nullptr;
    pager.ask({"a", false}, 10, pageAfter(""));
    bench.serve(pager);
    CHECK(bench.log.count("LEASE_FEED_PAGES_RECOVERED") == 1);
    bench.main.refuse = true;
    pager.ask({"a", false}, 11, pageAfter(""));
    bench.now += milliseconds(5000);
    pager.turn(bench.now, bench.send);
    pager.turn(bench.now, bench.send);
    CHECK(bench.replies.back().second.find("no main thread") != std::string::npos);
}

// A source that says "more follows" and gives nothing would keep every walk going round for ever.
class Stuck final : public LeaseSource {
public:
    bool readPage(Octets, std::size_t, PageSink&) override { return false; }
};

void anEmptyPageInTheMiddleIsAnError() {
    Bench bench;
    Stuck stuck;
    Pager pager(bench.settings, "0123456789abcdef", bench.ring, stuck, bench.main, bench.log, bench.wake);
    pager.ask({"a", false}, 1, pageAfter(""));
    bench.serve(pager);
    CHECK(bench.replies.size() == 1 && bench.replies[0].second.find("gave no lease") != std::string::npos);
}

void jobsOutliveThePager() {
    Bench bench;
    {
        Pager pager = bench.make();
        pager.ask({"a", false}, 1, pageAfter(""));
        pager.turn(bench.now, bench.send);
        CHECK(bench.main.waiting() == 1);
    }
    CHECK(bench.main.runOne());
    CHECK(bench.leases.reads == 0);
}

void servesAgainAfterClose() {
    Bench bench;
    Pager pager = bench.make();
    pager.ask({"a", false}, 1, pageAfter(""));
    pager.turn(bench.now, bench.send);
    pager.close();
    pager.open();
    bench.main.runOne();
    CHECK(bench.leases.reads == 0);
    pager.ask({"a", false}, 2, pageAfter(""));
    bench.serve(pager);
    CHECK(bench.leases.reads == 1 && bench.replies.size() == 1);
}

}  // namespace

int main() {
    return check::run({
        {"reads a page once for all who wait for it", sharesOnePage},
        {"stamps a page with the newest number before the read", stampsBeforeItReads},
        {"bounds how many requests wait, of all and of each asker", boundsWhoWaits},
        {"answers the last of repeated requests", answersTheLastOfRepeatedRequests},
        {"keeps to its share of the main thread's time", keepsToItsShare},
        {"makes slow pages smaller and fewer, and recovers", backsOffFromSlowPages},
        {"answers a failed read with an error, never with a page", failuresAreErrorsNotPages},
        {"takes an empty page in the middle for an error", anEmptyPageInTheMiddleIsAnError},
        {"leaves jobs that do nothing behind when it ends", jobsOutliveThePager},
        {"serves again after it was closed", servesAgainAfterClose},
    });
}
