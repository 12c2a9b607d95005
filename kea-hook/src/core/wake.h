// Wakes the publisher thread from its poll: at once, or a moment later. One call of the kernel, and only when it sleeps.
#pragma once

#include <chrono>

namespace lease_feed {

class Wake {
public:
    /// @throws FeedError when the process has no file descriptor left
    Wake();
    ~Wake();
    Wake(const Wake&) = delete;
    Wake& operator=(const Wake&) = delete;

    /// Readable when signalled: to be polled.
    int now() const { return now_; }
    /// Readable when the time of a signalIn() has come: to be polled.
    int later() const { return later_; }

    void signal() noexcept;
    /// Whoever signals so does not pay for waking a thread; who sleeps is woken once, with what has come until then.
    void signalIn(std::chrono::nanoseconds time) noexcept;
    /// Takes a signal back, after now() was readable; a signalIn() whose time has not come too.
    void takeNow() noexcept;
    /// Takes a signalIn() back, after later() was readable.
    void takeLater() noexcept;

private:
    static void read(int fd) noexcept;

    int now_;
    int later_;
};

}  // namespace lease_feed
