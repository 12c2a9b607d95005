// The two clocks of the core: Kea's wall clock, which followers are told, and one that only goes forward, for pacing.
#pragma once

#include <chrono>
#include <cstdint>

namespace lease_feed {

using Steady = std::chrono::steady_clock;

/// Unix milliseconds.
inline std::uint64_t wallClockMs() {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
            .count());
}

/// "At most once in this time" for log lines that a peer can cause.
class Seldom {
public:
    explicit Seldom(Steady::duration pause) : pause_(pause) {}
    /// @return true when it is time again; counts the others
    bool now(Steady::time_point at) {
        if (at < next_) {
            ++held_back_;
            return false;
        }
        next_ = at + pause_;
        return true;
    }
    /// @return how many were held back since the last call
    std::uint64_t takeHeldBack() {
        const std::uint64_t n = held_back_;
        held_back_ = 0;
        return n;
    }

private:
    Steady::duration pause_;
    Steady::time_point next_{};
    std::uint64_t held_back_ = 0;
};

}  // namespace lease_feed
