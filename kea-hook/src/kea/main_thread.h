// Jobs and a clock tick on Kea's main thread, through two descriptors in the select() of its main loop. Nothing is
// ever put into Kea's IOService, so nothing of ours can be left there when the library goes.
#pragma once

#include <deque>
#include <functional>
#include <mutex>

#include "../core/feed.h"

namespace lease_feed {

class KeaMainThread : public MainThread {
public:
    /// @param tick  called on the main thread about once a second while open; must not throw
    explicit KeaMainThread(std::function<void()> tick);
    ~KeaMainThread();
    KeaMainThread(const KeaMainThread&) = delete;
    KeaMainThread& operator=(const KeaMainThread&) = delete;

    /// On the main thread. Idempotent.
    /// @throws FeedError when the system gives no descriptors, or only such that select() cannot watch
    void open();
    /// On the main thread. Drops the jobs that wait; none runs afterwards. Idempotent.
    void close() noexcept;

    void post(std::function<void()> job) override;

private:
    void runOne();

    std::function<void()> tick_;
    std::mutex mutex_;  // guards the two below
    std::deque<std::function<void()>> jobs_;
    int wake_ = -1;
    int timer_ = -1;  // main thread only
};

}  // namespace lease_feed
