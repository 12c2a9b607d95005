#include "job_thread.h"

namespace lease_feed {

JobThread::JobThread() : thread_([this] { run(); }) {}

JobThread::~JobThread() {
    {
        const std::lock_guard<std::mutex> hold(mutex_);
        ending_ = true;
    }
    posted_.notify_one();
    thread_.join();
}

void JobThread::post(std::function<void()> job) {
    {
        const std::lock_guard<std::mutex> hold(mutex_);
        jobs_.push_back(std::move(job));
    }
    posted_.notify_one();
}

void JobThread::run() {
    std::unique_lock<std::mutex> hold(mutex_);
    for (;;) {
        posted_.wait(hold, [this] { return ending_ || !jobs_.empty(); });
        if (jobs_.empty()) return;
        const std::function<void()> job = std::move(jobs_.front());
        jobs_.pop_front();
        hold.unlock();
        job();
        hold.lock();
    }
}

}  // namespace lease_feed
