#include "sync_server.h"

#include <zmq.h>

#include <algorithm>

#include "log_ids.h"
#include "reply.h"
#include "sockets.h"

namespace lease_feed {

SyncServer::SyncServer(Family family, const Identity& identity, std::string epoch, Ring& ring, const Facts& facts,
                       Pager& pager, Followers& followers, FeedLog& log)
    : family_(family), identity_(identity), epoch_(std::move(epoch)), ring_(ring), facts_(facts), pager_(pager),
      followers_(followers), log_(log), replay_buffer_(new char[kReplayOctets]) {}

bool SyncServer::turn(void* socket, Steady::time_point now, int most) {
    for (int i = 0; i < most; ++i) {
        if (!receiveFrames(socket, frames_, 4)) return false;
        // DEALER: identity, request. REQ: identity, nothing, request.
        const bool delimiter = frames_.size() == 3 && frames_[1].empty();
        if (frames_.size() != 2 && !delimiter) {
            countBad("a message of " + std::to_string(frames_.size()) + " or more frames", now);
            continue;
        }
        const Asker asker{frames_.front(), delimiter};
        const std::string reply = answer(asker, frames_.back(), now);
        if (!reply.empty()) send(socket, asker, reply);
    }
    return true;
}

void SyncServer::send(void* socket, const Asker& asker, const std::string& reply) const {
    // The socket is not mandatory: for an asker that has gone or does not read, all frames are dropped together.
    if (zmq_send(socket, asker.identity.data(), asker.identity.size(), ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0) return;
    if (asker.delimiter && zmq_send(socket, "", 0, ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0) return;
    zmq_send(socket, reply.data(), reply.size(), ZMQ_DONTWAIT);
}

std::string SyncServer::answer(const Asker& asker, Octets frame, Steady::time_point now) {
    try {
        const Request request = decodeRequest(frame);
        if (const auto* hello = std::get_if<HelloRequest>(&request.body)) return answerHello(request.id, *hello, now);
        if (request.epoch != epoch_) {
            return replyError(request.id, epoch_, ErrorCode::wrong_epoch,
                              "the feed has another epoch now: say Hello");
        }
        if (const auto* replay = std::get_if<ReplayRequest>(&request.body)) return answerReplay(request.id, *replay);
        if (const auto* page = std::get_if<PageRequest>(&request.body))
            return answerPage(asker, request.id, *page, now);
        if (const auto* report = std::get_if<ReportRequest>(&request.body)) {
            followers_.report(*report, now);
            return replyReportAccepted(request.id, epoch_);
        }
        return answerConfig(request.id, std::get<ConfigRequest>(request.body), now);
    } catch (const BadRequest& bad) {
        if (bad.id) return refuse(*bad.id, bad.what(), now);
        countBad(bad.what(), now);
        return {};
    }
}

std::string SyncServer::answerHello(std::uint64_t id, const HelloRequest& hello, Steady::time_point now) {
    followers_.hello(hello, now);
    const Facts::View facts = facts_.view();
    const Ring::Bounds bounds = ring_.bounds();
    return replyHello(id, epoch_, family_, identity_, bounds.newest, bounds.oldest, wallClockMs(), *facts.service,
                      facts.generations);
}

std::string SyncServer::answerReplay(std::uint64_t id, const ReplayRequest& replay) {
    if (replay.from_seq == 0) {
        return replyError(id, epoch_, ErrorCode::bad_request, "from_seq is 0: numbers begin at 1");
    }
    const std::size_t most = replay.limit == 0 ? kReplayEvents : std::min<std::size_t>(replay.limit, kReplayEvents);
    const Ring::Slice slice = ring_.copy(replay.from_seq, most, replay_buffer_.get(), kReplayOctets);
    if (slice.first != replay.from_seq) {
        return replyError(id, epoch_, ErrorCode::not_in_ring,
                          "number " + std::to_string(replay.from_seq) + " has been overwritten, the oldest is " +
                              std::to_string(slice.oldest));
    }
    replays_.fetch_add(1, std::memory_order_relaxed);
    return replyReplay(id, epoch_, slice.first, wallClockMs(), {replay_buffer_.get(), slice.octets});
}

std::string SyncServer::answerConfig(std::uint64_t id, const ConfigRequest& config, Steady::time_point now) {
    const Facts::View facts = facts_.view();
    const std::uint64_t generation = facts.generations.config;
    const std::size_t pages = facts.config->count();
    if (config.page == 0 && pages > 1) {
        return refuse(id,
                      "the configuration has " + std::to_string(pages) +
                          " pages: ask for one after the other, as of version 1.1 of the contract",
                      now);
    }
    // Pages of two generations make no configuration.
    const bool anew = config.page == 0 || config.generation != generation;
    const std::size_t page = anew ? 1 : config.page;
    if (page > pages) {
        return refuse(id, "page " + std::to_string(page) + " of " + std::to_string(pages) + " of the configuration",
                      now);
    }
    return replyConfig(id, epoch_, generation, page, pages, facts.config->page(page));
}

std::string SyncServer::answerPage(const Asker& asker, std::uint64_t id, const PageRequest& page,
                                   Steady::time_point now) {
    const std::size_t address = family_ == Family::v4 ? 4 : 16;
    if (!page.after.empty() && page.after.size() != address) {
        return refuse(
            id, "after has " + std::to_string(page.after.size()) + " octets, not 0 or " + std::to_string(address),
            now);
    }
    if (pager_.ask(asker, id, page)) return {};
    if (busy_lines_.now(now)) {
        log_.write(FeedLog::Level::warn, log_id::pages_busy,
                   "too many page requests wait for Kea's main thread: further ones are answered BUSY");
    }
    return replyError(id, epoch_, ErrorCode::busy, "too many page requests wait for Kea's main thread");
}

std::string SyncServer::refuse(std::uint64_t id, const std::string& text, Steady::time_point now) {
    countBad(text, now);
    return replyError(id, epoch_, ErrorCode::bad_request, text);
}

void SyncServer::countBad(const std::string& text, Steady::time_point now) {
    bad_requests_.fetch_add(1, std::memory_order_relaxed);
    if (!bad_lines_.now(now)) return;
    const std::uint64_t more = bad_lines_.takeHeldBack();
    log_.write(FeedLog::Level::warn, log_id::bad_request,
               "a request on the sync socket was refused: " + text +
                   (more == 0 ? std::string() : " (and " + std::to_string(more) + " before it)"));
}

}  // namespace lease_feed
