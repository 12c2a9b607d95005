// The feed's two ZeroMQ sockets, and what keeps them where followers look for them: bounded queues, files with the
// right permissions, a new file when somebody removed it, a limit of connections.
//
// Made by the publisher thread, and used by no other, until that has ended. libzmq's threads are made with them, and
// inherit the signal mask and the scheduling policy of the thread that makes them.
#pragma once

#include <cstddef>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "clock.h"
#include "curve_key.h"
#include "endpoint.h"
#include "feed.h"
#include "lock_file.h"

namespace lease_feed {

/// Connections of all followers together, to each socket. Kea's select() knows no more than 1024 descriptors in all,
/// and what waits for each of them is in Kea's memory.
constexpr std::size_t kMostConnections = 32;
/// Subscriptions of all followers together. Each costs memory in Kea, and a follower needs one.
constexpr int kMostSubscriptions = 1024;
/// Octets of the longest request. A Report with all its problems is below it.
constexpr int kMostRequestOctets = 64 * 1024;
/// Batches of at most 64 KiB that wait for one follower, in Kea's memory.
constexpr int kPublishQueue = 128;
/// Replies that wait for one asker.
constexpr int kReplyQueue = 16;

/// A ZeroMQ socket, closed with its owner.
class Socket {
public:
    Socket() = default;
    /// @throws FeedError
    Socket(void* context, int type);
    ~Socket();
    Socket(Socket&& other) noexcept;
    Socket& operator=(Socket&& other) noexcept;
    void* get() const { return socket_; }
    /// Readable when the socket may have something to read; see ZMQ_FD: read it then until there is nothing left.
    int descriptor() const { return descriptor_; }
    void close();
    /// @throws FeedError naming the option
    void set(int option, int value, const char* name);
    void set(int option, const std::string& value, const char* name);

private:
    void* socket_ = nullptr;
    int descriptor_ = -1;
};

/// Reads one message of any number of frames, and keeps the first `most` of them. Never blocks.
/// @return false when there is none
bool receiveFrames(void* socket, std::vector<std::string>& frames, std::size_t most);

class Sockets {
public:
    /// @throws FeedError when a socket cannot be made or bound; nothing is left behind then
    Sockets(const FeedSettings& settings, FeedLog& log);
    ~Sockets();
    Sockets(const Sockets&) = delete;
    Sockets& operator=(const Sockets&) = delete;

    void* publish() const { return publish_.socket.get(); }
    void* sync() const { return sync_.socket.get(); }
    /// Whether somebody is connected to publish(), as of the last tend().
    bool heard() const { return !publish_.connections.empty(); }

    /// What to poll for reading: of all sockets.
    const std::vector<int>& descriptors();
    /// Reads subscriptions, connections and (CURVE) keys that followers show; all but sync(). Never blocks.
    /// @return whether there may be more to read, here or from sync()
    bool tend();
    /// Binds anew where the socket file has gone. Once a second.
    void check();
    /// Closes; what is queued may still leave for `linger_ms`.
    void close(int linger_ms) noexcept;

private:
    struct Bound {
        explicit Bound(const char* called) : name(called) {}
        const char* name;  // for the log
        std::string address;
        std::string path;  // of an ipc socket, else empty
        Socket socket;
        Socket monitor;
        unsigned long long inode = 0;
        std::set<int> connections;  // their descriptors
        bool listening = false;
        bool full = false;  // not listening because of kMostConnections, until the next check()
        bool lost = false;  // not listening because binding failed
    };

    void prepare(Bound& bound, int type);
    void bind(Bound& bound);
    void rebind(Bound& bound);
    void stopListening(Bound& bound);
    bool fileIsOurs(const Bound& bound) const;
    bool readMonitor(Bound& bound);
    bool readSubscriptions();
    bool answerKeyCheck();
    void dropSubscribers();
    void destroyContext() noexcept;

    FeedLog& log_;
    Endpoint endpoint_;
    CurveKeys keys_;
    std::unique_ptr<LockFile> lock_;
    void* context_ = nullptr;
    Socket key_check_;  // ZAP: libzmq asks here whether a client's key is known
    Bound publish_{"publish"};
    Bound sync_{"sync"};
    std::vector<int> descriptors_;
    int subscriptions_ = 0;
    int monitors_ = 0;
};

}  // namespace lease_feed
