#include "lock_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "confinement.h"
#include "feed.h"

namespace lease_feed {
namespace {

std::string reason(int error) {
    return std::strerror(error);
}

std::string ownerOf(int fd) {
    char text[24];
    const ssize_t n = ::pread(fd, text, sizeof text - 1, 0);
    std::string pid;
    for (ssize_t i = 0; i < n && text[i] >= '0' && text[i] <= '9'; ++i) pid.push_back(text[i]);
    return pid.empty() ? "another process" : "process " + pid;
}

}  // namespace

LockFile::LockFile(const std::string& path) : path_(path) {
    // Again when the file we locked was just removed by its owner: a lock on a file without a name holds nobody off.
    for (int attempt = 0; attempt < 10; ++attempt) {
        fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
        if (fd_ < 0) {
            const int error = errno;
            const std::string directory = path.substr(0, path.rfind('/'));
            if (error == ENOENT) {
                throw FeedError("feed directory '" + directory + "' does not exist");
            }
            throw FeedError("cannot open feed lock file '" + path + "': " + reason(error) + confinementHint(error));
        }
        if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
            const int error = errno;
            const std::string owner = ownerOf(fd_);
            ::close(fd_);
            fd_ = -1;
            if (error == EWOULDBLOCK) {
                throw FeedError("the feed at '" + path.substr(0, path.rfind('.')) + "' belongs to " + owner +
                                ", which holds '" + path + "'");
            }
            throw FeedError("cannot lock feed lock file '" + path + "': " + reason(error));
        }
        struct stat mine{}, named{};
        if (::fstat(fd_, &mine) == 0 && ::stat(path.c_str(), &named) == 0 && mine.st_ino == named.st_ino &&
            mine.st_dev == named.st_dev) {
            const std::string pid = std::to_string(::getpid()) + "\n";
            // The id is for the sentence above only; a full disk must not keep the feed from running.
            if (::ftruncate(fd_, 0) != 0 || ::pwrite(fd_, pid.data(), pid.size(), 0) < 0) errno = 0;
            return;
        }
        ::close(fd_);
        fd_ = -1;
    }
    throw FeedError("feed lock file '" + path + "' keeps being replaced");
}

LockFile::~LockFile() {
    if (fd_ < 0) return;
    ::unlink(path_.c_str());
    ::close(fd_);
}

}  // namespace lease_feed
