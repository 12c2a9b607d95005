#include "wake.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "feed.h"

namespace lease_feed {

Wake::Wake() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (fd_ < 0) throw FeedError(std::string("cannot make an eventfd: ") + std::strerror(errno));
}

Wake::~Wake() {
    ::close(fd_);
}

void Wake::signal() noexcept {
    const int before = errno;  // a caller in Kea may be about to read its own
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = ::write(fd_, &one, sizeof one);  // fails only when it is signalled already
    errno = before;
}

void Wake::drain() noexcept {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t n = ::read(fd_, &count, sizeof count);
}

}  // namespace lease_feed
