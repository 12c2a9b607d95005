/*
 * A requestor that costs next to nothing, so that the server is the limit: it looks at nothing but the ends of messages.
 *
 *   reader [-n TIMES] [-f] [-s FILE] [-c CA -k CERT_AND_KEY -g START_TLS(hex)] HOST PORT QUERY(hex) END
 *
 * Sends the query, reads until the message that ends the answer (END: its type, or "caught-up"), and prints a line of JSON:
 * milliseconds from query to first octet and to the end, messages (the last one counted too), octets, its own processor time
 * in milliseconds, and with TLS how many records held other than one whole message. That as often as -n says, on a connection
 * each; 0 = until killed. -f leaves after the first octets. -s keeps all octets in FILE. -c, -k and -g: TLS, asked for by
 * that message first.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static unsigned char buffer[2 * 1024 * 1024];

static void fail(const char* what) {
    fprintf(stderr, "reader: %s: %s\n", what, errno != 0 ? strerror(errno) : "failed");
    ERR_print_errors_fp(stderr);
    exit(1);
}

static double now_ms(clockid_t clock) {
    struct timespec at;
    clock_gettime(clock, &at);
    return at.tv_sec * 1e3 + at.tv_nsec / 1e6;
}

static int unhex(const char* text, unsigned char* out) {
    int length = 0;
    for (; text[0] != 0 && text[1] != 0; text += 2) {
        unsigned value;
        if (sscanf(text, "%2x", &value) != 1) fail("hexadecimal");
        out[length++] = value;
    }
    return length;
}

static int dial(const char* host, const char* port) {
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found;
    if (getaddrinfo(host, port, &hints, &found) != 0) fail("address");
    int fd = socket(found->ai_family, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) != 0) fail("connect");
    freeaddrinfo(found);
    /* A query behind a handshake is not to wait for the acknowledgement of that. */
    const int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return fd;
}

/* Asks for TLS, reads the go-ahead, and shakes hands. */
static SSL* secure(int fd, const char* ca, const char* own, const char* start) {
    unsigned char message[1024];
    int length = unhex(start, message);
    if (write(fd, message, length) != length) fail("start of TLS");
    if (recv(fd, message, 2, MSG_WAITALL) != 2) fail("go-ahead");
    length = message[0] << 8 | message[1];
    if (length > (int)sizeof message || recv(fd, message, length, MSG_WAITALL) != length) fail("go-ahead");
    SSL_CTX* context = SSL_CTX_new(TLS_client_method());
    if (context == NULL || SSL_CTX_load_verify_locations(context, ca, NULL) != 1 ||
        SSL_CTX_use_certificate_chain_file(context, own) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, own, SSL_FILETYPE_PEM) != 1)
        fail("certificates");
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL* tls = SSL_new(context);
    SSL_set_fd(tls, fd);
    /* Many small records a call to the kernel: the server is to be the limit. */
    BIO* gathered = BIO_new(BIO_f_buffer());
    BIO_set_read_buffer_size(gathered, 1 << 18);
    SSL_set0_rbio(tls, BIO_push(gathered, BIO_new_socket(fd, BIO_NOCLOSE)));
    if (SSL_connect(tls) != 1) fail("TLS");
    return tls;
}

/* What is asked, of whom, and how. */
static const char *host, *port, *keep, *ca, *own, *start, *end_word;
static int only_first;
static unsigned char query[1024];
static int query_length;

/* A status code in LEASEQUERY-DATA: of all of them only CatchUpComplete has one (RFC 7653 section 9.3). */
static int has_status(const unsigned char* at, const unsigned char* end) {
    enum { OPTION_STATUS_CODE = 13 };
    while (at + 4 <= end) {
        if ((at[0] << 8 | at[1]) == OPTION_STATUS_CODE) return 1;
        at += 4 + (at[2] << 8 | at[3]);
    }
    return 0;
}

/* Whether this frame is the last that is waited for. */
static int is_last(const unsigned char* frame, const unsigned char* end) {
    enum { DHCPLEASEQUERYSTATUS = 17, LEASEQUERY_DATA = 17 };
    const int v6 = strchr(host, ':') != NULL;
    /* Behind the size in DHCPv6; in DHCPv4 the value of option 53, which comes first. */
    const unsigned char* type = frame + (v6 ? 2 : 2 + 240 + 2);
    if (type >= end) return 0;
    if (strcmp(end_word, "caught-up") != 0) return *type == atoi(end_word);
    return v6 ? *type == LEASEQUERY_DATA && has_status(type + 4, end) : *type == DHCPLEASEQUERYSTATUS;
}

static void ask(void) {
    FILE* kept = keep != NULL ? fopen(keep, "wb") : NULL;
    if (keep != NULL && kept == NULL) fail(keep);
    const int fd = dial(host, port);
    SSL* tls = ca != NULL ? secure(fd, ca, own, start) : NULL;
    const double began = now_ms(CLOCK_MONOTONIC), cpu_began = now_ms(CLOCK_PROCESS_CPUTIME_ID);
    if ((tls != NULL ? SSL_write(tls, query, query_length) : write(fd, query, query_length)) != query_length)
        fail("query");
    double first = -1;
    uint64_t messages = 0, octets = 0, not_one = 0;
    size_t held = 0;
    int ended = 0;
    while (!ended) {
        /* A read of TLS gives what is in one record at most. */
        const ssize_t got = tls != NULL ? SSL_read(tls, buffer + held, sizeof buffer - held)
                                        : recv(fd, buffer + held, sizeof buffer - held, 0);
        if (got <= 0) fail("the server closed");
        if (first < 0) first = now_ms(CLOCK_MONOTONIC) - began;
        if (kept != NULL) fwrite(buffer + held, 1, got, kept);
        octets += got;
        const size_t end = held + got;
        const uint64_t before = messages;
        size_t at = 0;
        while (at + 2 <= end && !ended) {
            const size_t next = at + 2 + (buffer[at] << 8 | buffer[at + 1]);
            if (next > end) break;
            messages++;
            ended = is_last(buffer + at, buffer + next);
            at = next;
        }
        if (messages - before != 1 || at != end) not_one++;
        held = end - at;
        memmove(buffer, buffer + at, held);
        ended |= only_first;
    }
    printf("{\"firstMs\":%.3f,\"allMs\":%.3f,\"messages\":%llu,\"octets\":%llu,\"cpuMs\":%.3f,\"recordsNotOne\":%llu}\n", first,
           now_ms(CLOCK_MONOTONIC) - began, (unsigned long long)messages, (unsigned long long)octets,
           now_ms(CLOCK_PROCESS_CPUTIME_ID) - cpu_began, (unsigned long long)(tls != NULL ? not_one : 0));
    fflush(stdout);
    if (kept != NULL && fclose(kept) != 0) fail(keep);
    if (tls != NULL) {
        SSL_CTX* context = SSL_get_SSL_CTX(tls);
        SSL_free(tls);
        SSL_CTX_free(context);
    }
    close(fd);
}

int main(int argc, char** argv) {
    int times = 1;
    for (int option; (option = getopt(argc, argv, "n:fs:c:k:g:")) != -1;) {
        if (option == 'n') times = atoi(optarg);
        else if (option == 'f') only_first = 1;
        else if (option == 's') keep = optarg;
        else if (option == 'c') ca = optarg;
        else if (option == 'k') own = optarg;
        else if (option == 'g') start = optarg;
        else return 2;
    }
    if (argc - optind != 4) return 2;
    host = argv[optind];
    port = argv[optind + 1];
    query_length = unhex(argv[optind + 2], query);
    end_word = argv[optind + 3];
    for (int i = 0; i < times || times == 0; i++) ask();
    return 0;
}
