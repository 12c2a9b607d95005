#include "sockets.h"

#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "confinement.h"
#include "log_ids.h"

namespace lease_feed {
namespace {

constexpr int kHandshakeMs = 5000;
constexpr int kHeartbeatMs = 10000;
constexpr int kMostFramesAtOnce = 256;
constexpr int kHandshakeFailed =
    ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;

std::string zmqReason() {
    return zmq_strerror(zmq_errno());
}

}  // namespace

bool receiveFrames(void* socket, std::vector<std::string>& frames, std::size_t most) {
    frames.clear();
    for (;;) {
        zmq_msg_t message;
        zmq_msg_init(&message);
        if (zmq_msg_recv(&message, socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&message);
            return false;
        }
        if (frames.size() < most) {
            frames.emplace_back(static_cast<const char*>(zmq_msg_data(&message)), zmq_msg_size(&message));
        }
        const bool more = zmq_msg_more(&message) != 0;
        zmq_msg_close(&message);
        if (!more) return true;
    }
}

Socket::Socket(void* context, int type) : socket_(zmq_socket(context, type)) {
    if (socket_ == nullptr) throw FeedError("cannot make a ZeroMQ socket: " + zmqReason());
    set(ZMQ_LINGER, 0, "linger");
    std::size_t size = sizeof descriptor_;
    if (zmq_getsockopt(socket_, ZMQ_FD, &descriptor_, &size) != 0) {
        throw FeedError("cannot poll a ZeroMQ socket: " + zmqReason());
    }
}

Socket::~Socket() {
    close();
}

Socket::Socket(Socket&& other) noexcept : socket_(other.socket_), descriptor_(other.descriptor_) {
    other.socket_ = nullptr;
    other.descriptor_ = -1;
}

Socket& Socket::operator=(Socket&& other) noexcept {
    std::swap(socket_, other.socket_);
    std::swap(descriptor_, other.descriptor_);
    return *this;
}

void Socket::close() {
    if (socket_ != nullptr) zmq_close(socket_);
    socket_ = nullptr;
    descriptor_ = -1;
}

void Socket::set(int option, int value, const char* name) {
    if (zmq_setsockopt(socket_, option, &value, sizeof value) != 0) {
        throw FeedError(std::string("cannot set ZeroMQ option ") + name + ": " + zmqReason());
    }
}

void Socket::set(int option, const std::string& value, const char* name) {
    if (zmq_setsockopt(socket_, option, value.data(), value.size()) != 0) {
        throw FeedError(std::string("cannot set ZeroMQ option ") + name + ": " + zmqReason());
    }
}

Sockets::Sockets(const FeedSettings& settings, FeedLog& log)
    : log_(log), endpoint_(parseEndpoint(settings.endpoint)) {
    const bool tcp = endpoint_.kind == Endpoint::Kind::tcp;
    if (tcp) {
        if (settings.curve_secret_key_file.empty()) {
            throw FeedError("feed endpoint '" + settings.endpoint + "': tcp:// needs a CURVE key file");
        }
        if (zmq_has("curve") != 1) throw FeedError("tcp:// needs CURVE, and this libzmq was built without it");
        keys_ = readCurveKeys(settings.curve_secret_key_file);
    } else {
        lock_ = std::make_unique<LockFile>(endpoint_.path + ".lock");
    }
    publish_.address = endpoint_.publish;
    publish_.path = endpoint_.path;
    sync_.address = endpoint_.sync;
    sync_.path = endpoint_.sync_path;
    try {
        context_ = zmq_ctx_new();
        if (context_ == nullptr) throw FeedError("cannot make a ZeroMQ context: " + zmqReason());
        if (!keys_.secret_key.empty()) {
            key_check_ = Socket(context_, ZMQ_REP);
            if (zmq_bind(key_check_.get(), "inproc://zeromq.zap.01") != 0) {
                throw FeedError("cannot check CURVE keys: " + zmqReason());
            }
        }
        // XPUB is PUB that shows subscriptions: with PUB their number could not be bounded.
        prepare(publish_, ZMQ_XPUB);
        prepare(sync_, ZMQ_ROUTER);
        bind(sync_);
        bind(publish_);
    } catch (...) {
        close(0);
        throw;
    }
}

Sockets::~Sockets() {
    close(0);
}

void Sockets::prepare(Bound& bound, int type) {
    bound.monitor.close();
    bound.socket.close();
    Socket socket(context_, type);
    const bool sync = type == ZMQ_ROUTER;
    socket.set(ZMQ_SNDHWM, sync ? kReplyQueue : kPublishQueue, "sndhwm");
    socket.set(ZMQ_RCVHWM, 64, "rcvhwm");
    const std::int64_t longest = sync ? kMostRequestOctets : 256;
    if (zmq_setsockopt(socket.get(), ZMQ_MAXMSGSIZE, &longest, sizeof longest) != 0) {
        throw FeedError("cannot set ZeroMQ option maxmsgsize: " + zmqReason());
    }
    socket.set(ZMQ_HANDSHAKE_IVL, kHandshakeMs, "handshake_ivl");
    socket.set(ZMQ_HEARTBEAT_IVL, kHeartbeatMs, "heartbeat_ivl");
    socket.set(ZMQ_HEARTBEAT_TIMEOUT, 3 * kHeartbeatMs, "heartbeat_timeout");
    if (sync) socket.set(ZMQ_ROUTER_MANDATORY, 0, "router_mandatory");
    if (!keys_.secret_key.empty()) {
        socket.set(ZMQ_IPV6, 1, "ipv6");
        socket.set(ZMQ_CURVE_SERVER, 1, "curve_server");
        socket.set(ZMQ_CURVE_SECRETKEY, keys_.secret_key, "curve_secretkey");
        socket.set(ZMQ_ZAP_DOMAIN, "lease-feed", "zap_domain");
    }
    bound.socket = std::move(socket);
    bound.connections.clear();

    const std::string events = "inproc://lease-feed-monitor-" + std::to_string(++monitors_);
    if (zmq_socket_monitor(bound.socket.get(), events.c_str(),
                           ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED | kHandshakeFailed) != 0) {
        throw FeedError("cannot watch a ZeroMQ socket: " + zmqReason());
    }
    Socket monitor(context_, ZMQ_PAIR);
    if (zmq_connect(monitor.get(), events.c_str()) != 0) {
        throw FeedError("cannot watch a ZeroMQ socket: " + zmqReason());
    }
    bound.monitor = std::move(monitor);
}

void Sockets::bind(Bound& bound) {
    if (zmq_bind(bound.socket.get(), bound.address.c_str()) != 0) {
        throw FeedError("cannot bind the feed's " + std::string(bound.name) + " socket to '" + bound.address +
                        "': " + zmqReason() + confinementHint(zmq_errno()));
    }
    bound.listening = true;
    bound.full = bound.lost = false;
    if (bound.path.empty()) return;
    // Followers of the directory's group need write permission to connect; Kea's umask denies it, and a umask
    // cannot be changed safely in a process with threads.
    struct stat about{};
    if (::chmod(bound.path.c_str(), 0660) != 0 || ::stat(bound.path.c_str(), &about) != 0) {
        throw FeedError("cannot open the socket '" + bound.path + "' to its group: " + std::strerror(errno));
    }
    bound.inode = about.st_ino;
}

// Ends the listener's connections too: libzmq takes them for its children. They come back by themselves, and replay.
void Sockets::stopListening(Bound& bound) {
    if (!bound.listening) return;
    bound.listening = false;
    bound.connections.clear();
    if (zmq_unbind(bound.socket.get(), bound.address.c_str()) != 0 && zmq_errno() == ENOENT) {
        // libzmq knows an endpoint under the name it gave itself, e.g. with a host name resolved.
        std::array<char, 512> last{};
        std::size_t size = last.size();
        if (zmq_getsockopt(bound.socket.get(), ZMQ_LAST_ENDPOINT, last.data(), &size) == 0) {
            zmq_unbind(bound.socket.get(), last.data());
        }
    }
}

bool Sockets::fileIsOurs(const Bound& bound) const {
    struct stat about{};
    return ::lstat(bound.path.c_str(), &about) == 0 && about.st_ino == bound.inode && S_ISSOCK(about.st_mode);
}

void Sockets::rebind(Bound& bound) {
    const bool was_lost = bound.lost;
    stopListening(bound);
    try {
        if (bound.monitor.get() == nullptr) prepare(bound, ZMQ_XPUB);
        bind(bound);
        log_.write(FeedLog::Level::warn, log_id::socket_rebound, "bound '" + bound.address + "' anew");
    } catch (const FeedError& error) {
        bound.lost = true;
        if (!was_lost) log_.write(FeedLog::Level::error, log_id::socket_lost, error.what());
    }
}

void Sockets::check() {
    for (Bound* bound : {&publish_, &sync_}) {
        if (bound->full || bound->lost || (!bound->path.empty() && !fileIsOurs(*bound))) rebind(*bound);
    }
}

const std::vector<int>& Sockets::descriptors() {
    descriptors_.clear();
    for (const Socket* socket : {&publish_.socket, &publish_.monitor, &sync_.socket, &sync_.monitor, &key_check_}) {
        if (socket->get() != nullptr) descriptors_.push_back(socket->descriptor());
    }
    return descriptors_;
}

bool Sockets::tend() {
    const bool more_keys = answerKeyCheck();
    const bool more_publish = readMonitor(publish_);
    const bool more_sync = readMonitor(sync_);
    return readSubscriptions() || more_keys || more_publish || more_sync;
}

bool Sockets::readMonitor(Bound& bound) {
    std::vector<std::string> frames;
    if (bound.monitor.get() == nullptr) return false;
    int read = 0;
    for (; read < kMostFramesAtOnce && receiveFrames(bound.monitor.get(), frames, 2); ++read) {
        if (frames.empty() || frames[0].size() < 6) continue;
        std::uint16_t event = 0;
        std::uint32_t descriptor = 0;
        std::memcpy(&event, frames[0].data(), sizeof event);
        std::memcpy(&descriptor, frames[0].data() + sizeof event, sizeof descriptor);
        if (event == ZMQ_EVENT_ACCEPTED) bound.connections.insert(static_cast<int>(descriptor));
        else bound.connections.erase(static_cast<int>(descriptor));
    }
    // Which of them are honest cannot be known, so all go.
    if (bound.listening && bound.connections.size() > kMostConnections) {
        log_.write(FeedLog::Level::warn, log_id::too_many_connections,
                   std::to_string(bound.connections.size()) + " connections to '" + bound.address +
                       "', more than the " + std::to_string(kMostConnections) +
                       " allowed: all were ended, and may come back");
        stopListening(bound);
        bound.full = true;
        return true;
    }
    return read == kMostFramesAtOnce;
}

bool Sockets::readSubscriptions() {
    std::vector<std::string> frames;
    if (publish_.socket.get() == nullptr) return false;
    int read = 0;
    for (; read < kMostFramesAtOnce && receiveFrames(publish_.socket.get(), frames, 1); ++read) {
        if (frames.empty() || frames[0].empty()) continue;
        if (frames[0][0] == 1) ++subscriptions_;
        if (frames[0][0] == 0) subscriptions_ = std::max(0, subscriptions_ - 1);
    }
    if (subscriptions_ > kMostSubscriptions) {
        dropSubscribers();
        return true;
    }
    return read == kMostFramesAtOnce;
}

// Whose subscriptions they are cannot be known, so all go; the honest ones connect again and replay what they missed.
void Sockets::dropSubscribers() {
    log_.write(FeedLog::Level::warn, log_id::too_many_subscriptions,
               std::to_string(subscriptions_) + " subscriptions, more than the " +
                   std::to_string(kMostSubscriptions) + " allowed: all subscribers were disconnected");
    subscriptions_ = 0;
    publish_.monitor.close();
    publish_.socket.close();
    publish_.listening = false;
    rebind(publish_);  // with a new socket; where none can be made, check() tries again
}

bool Sockets::answerKeyCheck() {
    if (key_check_.get() == nullptr) return false;
    // RFC 27/ZAP: version, request id, domain, address, identity, mechanism, credentials
    std::vector<std::string> ask;
    int read = 0;
    for (; read < kMostFramesAtOnce && receiveFrames(key_check_.get(), ask, 7); ++read) {
        bool known = false;
        if (ask.size() == 7 && ask[5] == "CURVE" && ask[6].size() == 32) {
            std::array<char, 41> text{};
            zmq_z85_encode(text.data(), reinterpret_cast<const std::uint8_t*>(ask[6].data()), ask[6].size());
            known =
                std::find(keys_.client_keys.begin(), keys_.client_keys.end(), text.data()) != keys_.client_keys.end();
        }
        const std::string request_id = ask.size() > 1 ? ask[1] : std::string();
        const std::array<std::string, 6> answer{
            "1.0", request_id, known ? "200" : "400", known ? "OK" : "unknown key", "", ""};
        for (std::size_t part = 0; part < answer.size(); ++part) {
            zmq_send(key_check_.get(), answer[part].data(), answer[part].size(),
                     ZMQ_DONTWAIT | (part + 1 < answer.size() ? ZMQ_SNDMORE : 0));
        }
    }
    return read == kMostFramesAtOnce;
}

void Sockets::close(int linger_ms) noexcept {
    for (Bound* bound : {&publish_, &sync_}) {
        if (bound->socket.get() == nullptr) continue;
        zmq_setsockopt(bound->socket.get(), ZMQ_LINGER, &linger_ms, sizeof linger_ms);
        zmq_socket_monitor(bound->socket.get(), nullptr, 0);
        // Only what is ours: after a removal somebody else may have put a file there.
        if (!bound->path.empty() && bound->inode != 0 && fileIsOurs(*bound)) ::unlink(bound->path.c_str());
        bound->monitor.close();
        bound->socket.close();
    }
    key_check_.close();
    destroyContext();
    lock_.reset();
}

void Sockets::destroyContext() noexcept {
    if (context_ == nullptr) return;
    while (zmq_ctx_term(context_) != 0 && zmq_errno() == EINTR) {
    }
    context_ = nullptr;
}

}  // namespace lease_feed
