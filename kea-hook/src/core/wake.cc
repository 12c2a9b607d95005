#include "wake.h"

#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "feed.h"

namespace lease_feed {
namespace {

// A caller in Kea may be about to read its own.
class KeepErrno {
public:
    ~KeepErrno() { errno = before_; }

private:
    const int before_ = errno;
};

}  // namespace

Wake::Wake() : now_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)), later_(-1) {
    if (now_ < 0) throw FeedError(std::string("cannot make an eventfd: ") + std::strerror(errno));
    later_ = ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (later_ < 0) {
        const std::string reason = std::strerror(errno);
        ::close(now_);
        throw FeedError("cannot make a timer: " + reason);
    }
}

Wake::~Wake() {
    ::close(now_);
    ::close(later_);
}

void Wake::signal() noexcept {
    const KeepErrno keep;
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = ::write(now_, &one, sizeof one);  // fails only when it is signalled already
}

void Wake::signalIn(std::chrono::nanoseconds time) noexcept {
    const KeepErrno keep;
    itimerspec when{};
    when.it_value.tv_sec = time.count() / 1000000000;
    when.it_value.tv_nsec = time.count() % 1000000000;
    if (::timerfd_settime(later_, 0, &when, nullptr) != 0) signal();
}

void Wake::read(int fd) noexcept {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t n = ::read(fd, &count, sizeof count);
}

void Wake::takeNow() noexcept {
    read(now_);
    const itimerspec none{};
    ::timerfd_settime(later_, 0, &none, nullptr);
}

void Wake::takeLater() noexcept {
    read(later_);
}

}  // namespace lease_feed
