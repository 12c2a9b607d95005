// Stands in for Kea's main thread: runs posted jobs one after another on a thread of its own.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "feed.h"

namespace lease_feed {

class JobThread final : public MainThread {
public:
    JobThread();
    ~JobThread() override;  ///< runs what was posted, then ends
    void post(std::function<void()> job) override;

private:
    void run();

    std::mutex mutex_;
    std::condition_variable posted_;
    std::deque<std::function<void()>> jobs_;
    bool ending_ = false;
    std::thread thread_;
};

}  // namespace lease_feed
