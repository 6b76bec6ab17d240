/* What every client here begins with: the addresses of HOST are tried in turn. */
#define _POSIX_C_SOURCE 200809L
#include <err.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int dial(const char *host, const char *port)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *all;
    int fault = getaddrinfo(host, port, &hints, &all);
    if (fault)
        errx(68, "unknown host %s: %s", host, gai_strerror(fault));
    for (struct addrinfo *a = all; a; a = a->ai_next) {
        char address[64];
        getnameinfo(a->ai_addr, a->ai_addrlen, address, sizeof address, NULL, 0, NI_NUMERICHOST);
        fprintf(stderr, "connecting to host %s (%s), port %s\n", host, address, port);
        int fd = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
        if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) == 0) {
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
            fprintf(stderr, "connection open\n");
            freeaddrinfo(all);
            return fd;
        }
        fprintf(stderr, "connect failed (%s), next address ...\n", strerror(errno));
        if (fd >= 0)
            close(fd);
    }
    errx(69, "cannot connect to %s port %s", host, port);
}

static void write_all(int fd, const char *from, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, from, len);
        if (n < 0)
            err(74, "write");
        from += n;
        len -= (size_t)n;
    }
}
