// What stands around a feed in the tests.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "feed.h"

namespace fakes {

class Log final : public lease_feed::FeedLog {
public:
    void write(Level level, const char* id, const std::string& text) override {
        const std::lock_guard<std::mutex> hold(mutex_);
        lines_.push_back(std::string(level == Level::error  ? "error "
                                     : level == Level::warn ? "warn "
                                                            : "info ") +
                         id + " " + text);
    }
    int count(const std::string& part) {
        const std::lock_guard<std::mutex> hold(mutex_);
        int n = 0;
        for (const auto& line : lines_) n += line.find(part) != std::string::npos;
        return n;
    }

private:
    std::mutex mutex_;
    std::vector<std::string> lines_;
};

/// Keeps jobs until the test runs them.
class HeldMain final : public lease_feed::MainThread {
public:
    void post(std::function<void()> job) override {
        const std::lock_guard<std::mutex> hold(mutex_);
        if (refuse) throw std::runtime_error("no main thread");
        jobs_.push_back(std::move(job));
    }
    std::size_t waiting() {
        const std::lock_guard<std::mutex> hold(mutex_);
        return jobs_.size();
    }
    bool runOne() {
        std::function<void()> job;
        {
            const std::lock_guard<std::mutex> hold(mutex_);
            if (jobs_.empty()) return false;
            job = std::move(jobs_.front());
            jobs_.pop_front();
        }
        job();
        return true;
    }
    bool refuse = false;

private:
    std::mutex mutex_;
    std::deque<std::function<void()>> jobs_;
};

/// Addresses 10.0.0.0 and up, `count` of them.
class Leases final : public lease_feed::LeaseSource {
public:
    bool readPage(lease_feed::Octets after, std::size_t limit, lease_feed::PageSink& sink) override {
        ++reads;
        limits.push_back(limit);
        if (before) before();
        std::uint32_t next = 0;
        if (!after.empty()) {
            next = (static_cast<std::uint32_t>(static_cast<unsigned char>(after[2])) << 8 |
                    static_cast<unsigned char>(after[3])) +
                   1;
        }
        for (std::size_t n = 0; next < count && n < limit; ++n, ++next) {
            const std::string address{10, 0, static_cast<char>(next >> 8), static_cast<char>(next)};
            lease_feed::LeaseView lease;
            lease.address = address;
            sink.add(lease);
        }
        return next >= count;
    }
    std::uint32_t count = 1000;
    std::atomic<int> reads{0};
    std::vector<std::size_t> limits;
    std::function<void()> before;
};

}  // namespace fakes
