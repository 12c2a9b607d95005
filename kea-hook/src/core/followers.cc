#include "followers.h"

#include <algorithm>

#include "log_ids.h"
#include "text.h"

namespace lease_feed {

Followers::Row& Followers::rowOf(const std::string& name, Steady::time_point now) {
    auto found =
        std::find_if(rows_.begin(), rows_.end(), [&](const Row& row) { return row.report.follower == name; });
    if (found == rows_.end()) {
        if (rows_.size() >= kMostFollowers) {
            rows_.erase(std::min_element(rows_.begin(), rows_.end(),
                                         [](const Row& a, const Row& b) { return a.heard < b.heard; }));
        }
        rows_.push_back({});
        found = rows_.end() - 1;
        found->report.follower = name;
    }
    found->heard = now;
    return *found;
}

void Followers::write(FeedLog::Level level, const char* id, const std::string& text, Steady::time_point now) {
    if (lines_ == 0 || now - minute_ >= std::chrono::minutes(1)) {
        minute_ = now;
        lines_ = 0;
    }
    if (++lines_ <= kMostLinesAMinute) log_.write(level, id, text);
}

void Followers::hello(const HelloRequest& hello, Steady::time_point now) {
    const std::string name = cleanText(hello.follower, kMostNameOctets);
    {
        const std::lock_guard<std::mutex> hold(mutex_);
        Row& row = rowOf(name, now);
        if (row.report.state.empty()) row.report.state = "hello";
    }
    if (hello.contract_major != kContractMajor) {
        write(FeedLog::Level::warn, log_id::follower_refused,
              "'" + name + "' speaks version " + std::to_string(hello.contract_major) +
                  " of the feed's contract, this hook " + std::to_string(kContractMajor) + ": it cannot follow",
              now);
        return;
    }
    write(FeedLog::Level::info, log_id::follower_hello, "'" + name + "' follows the feed", now);
}

void Followers::report(const ReportRequest& given, Steady::time_point now) {
    FollowerReport fresh;
    fresh.follower = cleanText(given.follower, kMostNameOctets);
    fresh.state = cleanText(given.state, kMostStateOctets);
    fresh.applied_seq = given.applied_seq;
    fresh.bindings = given.bindings;
    fresh.requestors = given.requestors;
    for (const auto& problem : given.problems) {
        fresh.problems.emplace_back(cleanText(problem.first, kMostParameterOctets),
                                    cleanText(problem.second, kMostProblemOctets));
    }
    std::vector<std::pair<std::string, std::string>> before;
    {
        const std::lock_guard<std::mutex> hold(mutex_);
        Row& row = rowOf(fresh.follower, now);
        before = row.report.problems;
        row.report = fresh;
    }
    for (const auto& problem : fresh.problems) {
        if (std::find(before.begin(), before.end(), problem) != before.end()) continue;
        write(FeedLog::Level::error, log_id::follower_problem,
              "'" + fresh.follower + "' reports" +
                  (problem.first.empty() ? "" : " about parameter '" + problem.first + "'") + ": " + problem.second,
              now);
    }
    if (!before.empty() && fresh.problems.empty()) {
        write(FeedLog::Level::info, log_id::follower_well, "'" + fresh.follower + "' reports no problem any more",
              now);
    }
}

std::vector<FollowerReport> Followers::list(Steady::time_point now) const {
    const std::lock_guard<std::mutex> hold(mutex_);
    std::vector<FollowerReport> all;
    for (const Row& row : rows_) {
        all.push_back(row.report);
        all.back().age_ms = static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::milliseconds>(now - row.heard).count());
    }
    return all;
}

}  // namespace lease_feed
