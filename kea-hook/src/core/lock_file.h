// One feed owns a path. libzmq unlinks what it finds at an ipc path before it binds, so without a lock a second
// server with the same configuration would take the sockets away from the first, and nobody would be told.
#pragma once

#include <string>

namespace lease_feed {

class LockFile {
public:
    /// Locks `path` until destroyed; writes this process's id into it.
    /// @throws FeedError naming the path, and the owner's process id if it can be read
    explicit LockFile(const std::string& path);
    ~LockFile();  ///< removes the file
    LockFile(const LockFile&) = delete;
    LockFile& operator=(const LockFile&) = delete;

private:
    std::string path_;
    int fd_ = -1;
};

}  // namespace lease_feed
