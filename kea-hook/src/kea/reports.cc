#include "kea.h"

#include "reports.h"

#include <stats/stats_mgr.h>

#include <utility>

#include "log.h"

using isc::data::Element;
using isc::data::ElementPtr;

namespace lease_feed {
namespace {

constexpr std::uint64_t kFollowerGoneMs = 35000;  // they report at least each 10 s

constexpr const char* kNoReportYet = "hello";  // the core's word for a follower that only said Hello

ElementPtr count(std::uint64_t number) {
    return Element::create(static_cast<long long>(number));
}

}  // namespace

const char* nameOf(ServiceFrom from) {
    switch (from) {
    case ServiceFrom::configuration:
        return "as configured";
    case ServiceFrom::last_good:
        return "at its last good configuration";
    case ServiceFrom::defaults:
        return "off, since no configuration of it was ever good";
    }
    return "";
}

void describeFeed(const ElementPtr& to, const FeedStatus& status) {
    to->set("epoch", Element::create(status.epoch_hex));
    to->set("last-seq", count(status.last_seq));
    to->set("oldest-seq", count(status.oldest_seq));
    to->set("overwritten", count(status.overwritten));
    to->set("published", count(status.published));
    to->set("lost", count(status.lost));
    to->set("cut", count(status.cut));
    to->set("pages", count(status.pages));
    to->set("pages-failed", count(status.pages_failed));
    to->set("longest-page-microseconds", count(status.page_longest_us));
    to->set("bad-requests", count(status.bad_requests));
    to->set("replays", count(status.replays));
    to->set("ring-events", count(status.ring_events));
    to->set("ring-octets", count(status.ring_octets));
    to->set("longest-lock-microseconds", count(status.ring_lock_longest_ns / 1000));
}

ElementPtr describeFollowers(const FeedStatus& status) {
    ElementPtr followers = Element::createList();
    for (const auto& report : status.followers) {
        ElementPtr follower = Element::createMap();
        follower->set("follower", Element::create(report.follower));
        follower->set("state", Element::create(report.state));
        follower->set("applied-seq", count(report.applied_seq));
        follower->set("bindings", count(report.bindings));
        follower->set("requestors", count(report.requestors));
        follower->set("age", count(report.age_ms / 1000));
        ElementPtr problems = Element::createList();
        for (const auto& problem : report.problems) {
            ElementPtr one = Element::createMap();
            one->set("parameter", Element::create(problem.first));
            one->set("text", Element::create(problem.second));
            problems->add(one);
        }
        follower->set("problems", problems);
        followers->add(follower);
    }
    return followers;
}

ElementPtr describeService(ServiceFrom from, const ElementPtr& parameters,
                           const std::vector<ConfigProblem>& problems) {
    ElementPtr service = Element::createMap();
    service->set("runs", Element::create(std::string(nameOf(from))));
    service->set("parameters", parameters);
    ElementPtr refused = Element::createList();
    for (const auto& problem : problems) {
        ElementPtr one = Element::createMap();
        one->set("parameter", Element::create(problem.parameter));
        one->set("value", Element::create(problem.value));
        one->set("place", Element::create(problem.place));
        one->set("text", Element::create(problem.reason));
        refused->add(one);
    }
    service->set("problems", refused);
    return service;
}

void countStatistics(const FeedStatus& status, std::uint64_t failures) {
    auto& stats = isc::stats::StatsMgr::instance();
    const auto set = [&stats](const char* name, std::uint64_t value) {
        stats.setValue(name, static_cast<std::int64_t>(value));
    };
    set("lease-feed.last-seq", status.last_seq);
    set("lease-feed.published", status.published);
    set("lease-feed.overwritten", status.overwritten);
    set("lease-feed.lost", status.lost);
    set("lease-feed.pages", status.pages);
    set("lease-feed.replays", status.replays);
    set("lease-feed.followers", status.followers.size());
    set("lease-feed.failures", failures);
}

void FollowerLog::look(const FeedStatus& status) {
    std::map<std::string, Follower> now;
    for (const auto& report : status.followers) {
        const auto known = followers_.find(report.follower);
        const bool was_gone = known != followers_.end() && known->second.gone;
        Follower follower{report.state, report.age_ms > kFollowerGoneMs};
        if (follower.gone) {
            if (!was_gone) {
                LOG_WARN(logger, LEASE_FEED_FOLLOWER_GONE).arg(report.follower).arg(report.age_ms / 1000);
            }
        } else if (report.state != kNoReportYet && (was_gone || known == followers_.end() ||
                                                    known->second.state != follower.state)) {
            LOG_INFO(logger, LEASE_FEED_FOLLOWER_STATE)
                .arg(report.follower).arg(report.state).arg(report.applied_seq).arg(report.bindings)
                .arg(report.requestors);
        }
        now.emplace(report.follower, std::move(follower));
    }
    followers_.swap(now);
}

}  // namespace lease_feed
