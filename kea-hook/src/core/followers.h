// Who follows, and what each said of itself last: for Kea's log and `lease-feed-status`. What it keeps is bounded
// in every direction, for any local process that may open the socket can write here.
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include "clock.h"
#include "feed.h"
#include "request.h"

namespace lease_feed {

constexpr std::size_t kMostFollowers = 16;  ///< the one silent longest makes room
constexpr std::size_t kMostNameOctets = 128;
constexpr std::size_t kMostStateOctets = 32;
constexpr std::size_t kMostParameterOctets = 128;
constexpr std::size_t kMostProblemOctets = 512;
constexpr int kMostLinesAMinute = 30;  ///< that followers can cause in Kea's log

class Followers {
public:
    explicit Followers(FeedLog& log) : log_(log) {}

    void hello(const HelloRequest& hello, Steady::time_point now);
    void report(const ReportRequest& report, Steady::time_point now);
    /// Any thread.
    std::vector<FollowerReport> list(Steady::time_point now) const;

private:
    struct Row {
        FollowerReport report;
        Steady::time_point heard;
    };
    Row& rowOf(const std::string& name, Steady::time_point now);
    void write(FeedLog::Level level, const char* id, const std::string& text, Steady::time_point now);

    FeedLog& log_;
    mutable std::mutex mutex_;
    std::vector<Row> rows_;
    Steady::time_point minute_{};
    int lines_ = 0;
};

}  // namespace lease_feed
