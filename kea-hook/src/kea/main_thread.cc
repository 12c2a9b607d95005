#include "kea.h"

#include "main_thread.h"

#include <dhcp/iface_mgr.h>

#include <cerrno>
#include <cstring>
#include <string>

#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/timerfd.h>
#include <unistd.h>

using isc::dhcp::IfaceMgr;

namespace lease_feed {
namespace {

void signal(int fd) noexcept {
    const std::uint64_t one = 1;
    static_cast<void>(!::write(fd, &one, sizeof(one)));
}

void drain(int fd) noexcept {
    std::uint64_t count;
    static_cast<void>(!::read(fd, &count, sizeof(count)));
}

int watched(int fd, const char* what) {
    if (fd < 0) {
        throw FeedError(std::string("no ") + what + " for the main thread: " + std::strerror(errno));
    }
    if (fd >= FD_SETSIZE) {
        ::close(fd);
        throw FeedError(std::string("Kea's main loop cannot watch another descriptor (") + what + " got number " +
                        std::to_string(fd) + ")");
    }
    return fd;
}

}  // namespace

KeaMainThread::KeaMainThread(std::function<void()> tick) : tick_(std::move(tick)) {}

KeaMainThread::~KeaMainThread() {
    close();
}

void KeaMainThread::open() {
    if (timer_ >= 0) {
        return;
    }
    const int wake = watched(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd");
    int timer = -1;
    try {
        timer = watched(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), "timerfd");
        const itimerspec second = {{1, 0}, {1, 0}};
        ::timerfd_settime(timer, 0, &second, nullptr);
        IfaceMgr::instance().addExternalSocket(wake, [this](int fd) {
            drain(fd);
            runOne();
        });
        IfaceMgr::instance().addExternalSocket(timer, [this](int fd) {
            drain(fd);
            tick_();
        });
    } catch (...) {
        IfaceMgr::instance().deleteExternalSocket(wake);
        ::close(wake);
        if (timer >= 0) {
            IfaceMgr::instance().deleteExternalSocket(timer);
            ::close(timer);
        }
        throw;
    }
    timer_ = timer;
    std::lock_guard<std::mutex> lock(mutex_);
    wake_ = wake;
}

void KeaMainThread::close() noexcept {
    if (timer_ < 0) {
        return;
    }
    int wake;
    std::deque<std::function<void()>> dropped;
    {
        std::lock_guard<std::mutex> lock(mutex_);
        wake = wake_;
        wake_ = -1;
        dropped.swap(jobs_);
    }
    IfaceMgr::instance().deleteExternalSocket(wake);
    IfaceMgr::instance().deleteExternalSocket(timer_);
    ::close(wake);
    ::close(timer_);
    timer_ = -1;
}

void KeaMainThread::post(std::function<void()> job) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (wake_ < 0) {
        return;
    }
    jobs_.push_back(std::move(job));
    signal(wake_);
}

// One job each time, so that packets are received between two of them.
void KeaMainThread::runOne() {
    std::function<void()> job;
    {
        std::lock_guard<std::mutex> lock(mutex_);
        if (jobs_.empty()) {
            return;
        }
        job = std::move(jobs_.front());
        jobs_.pop_front();
        if (!jobs_.empty() && wake_ >= 0) {
            signal(wake_);
        }
    }
    try {
        job();
    } catch (...) {
        // A job answers for its own errors; one that does not must not end Kea's main loop.
    }
}

}  // namespace lease_feed
