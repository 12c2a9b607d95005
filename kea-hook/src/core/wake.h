// Wakes the publisher thread from its poll. One write, and only when it sleeps.
#pragma once

namespace lease_feed {

class Wake {
public:
    /// @throws FeedError when the process has no file descriptor left
    Wake();
    ~Wake();
    Wake(const Wake&) = delete;
    Wake& operator=(const Wake&) = delete;

    int fd() const { return fd_; }
    void signal() noexcept;
    void drain() noexcept;

private:
    int fd_;
};

}  // namespace lease_feed
