// Answers what followers ask on the ROUTER socket.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "clock.h"
#include "facts.h"
#include "feed.h"
#include "followers.h"
#include "pager.h"
#include "request.h"
#include "ring.h"

namespace lease_feed {

constexpr std::size_t kReplayEvents = 256;  ///< most in one reply
constexpr std::size_t kReplayOctets = 256 * 1024;

class SyncServer {
public:
    SyncServer(Family family, const Identity& identity, std::string epoch, Ring& ring, const Facts& facts,
               Pager& pager, Followers& followers, FeedLog& log);

    /// Answers at most `most` requests that have arrived.
    /// @return true when more may be waiting
    bool turn(void* socket, Steady::time_point now, int most);
    /// Sends a reply; drops it where the asker takes none.
    void send(void* socket, const Asker& asker, const std::string& reply) const;

    std::uint64_t replays() const { return replays_.load(std::memory_order_relaxed); }
    std::uint64_t badRequests() const { return bad_requests_.load(std::memory_order_relaxed); }

private:
    // Empty: no reply now (a page comes later, or nobody to answer).
    std::string answer(const Asker& asker, Octets frame, Steady::time_point now);
    std::string answerHello(std::uint64_t id, const HelloRequest& hello, Steady::time_point now);
    std::string answerReplay(std::uint64_t id, const ReplayRequest& replay);
    std::string answerConfig(std::uint64_t id, const ConfigRequest& config, Steady::time_point now);
    std::string answerPage(const Asker& asker, std::uint64_t id, const PageRequest& page, Steady::time_point now);
    std::string refuse(std::uint64_t id, const std::string& text, Steady::time_point now);
    void countBad(const std::string& text, Steady::time_point now);

    const Family family_;
    const Identity& identity_;
    const std::string epoch_;
    Ring& ring_;
    const Facts& facts_;
    Pager& pager_;
    Followers& followers_;
    FeedLog& log_;
    std::unique_ptr<char[]> replay_buffer_;
    std::vector<std::string> frames_;
    Seldom bad_lines_{std::chrono::minutes(1)};
    Seldom busy_lines_{std::chrono::minutes(1)};
    std::atomic<std::uint64_t> replays_{0}, bad_requests_{0};
};

}  // namespace lease_feed
