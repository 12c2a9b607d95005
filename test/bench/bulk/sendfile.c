/*
 * The ceiling: a server that answers each query with the octets of FILE by sendfile(2) and closes.
 *
 *   sendfile FILE      listens on 127.0.0.1, prints the port, and serves one connection after the other until it is killed
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char** argv) {
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof at;
    struct stat file;
    const int fd = argc == 2 ? open(argv[1], O_RDONLY) : -1;
    const int server = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || fstat(fd, &file) != 0 || bind(server, (struct sockaddr*)&at, size) != 0 || listen(server, 8) != 0 ||
        getsockname(server, (struct sockaddr*)&at, &size) != 0) {
        perror("sendfile");
        return 1;
    }
    printf("%d\n", ntohs(at.sin_port));
    fflush(stdout);
    for (;;) {
        char query[2048];
        off_t sent = 0;
        const int peer = accept(server, NULL, NULL);
        if (peer < 0 || read(peer, query, sizeof query) <= 0) return 1;
        while (sent < file.st_size && sendfile(peer, fd, &sent, file.st_size - sent) > 0) {}
        close(peer);
    }
}
