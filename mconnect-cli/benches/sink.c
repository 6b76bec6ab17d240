/* The server of every measurement, on 127.0.0.1, one connection after another:
 *   discard  reads and forgets until the client's half-close, then closes
 *   smtp     greets, agrees to everything, counts the octets of a DATA body and says how many; closes on QUIT
 *   echo     sends everything back, reading and writing as each is possible; closes when all is back
 * sink discard|smtp|echo PORT: prints the port on one line, which is of use with port 0. */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BLOCK = 256 * 1024, RING = 4 * BLOCK };
static char buffer[RING];

static void discard(int client)
{
    while (read(client, buffer, BLOCK) > 0)
        ;
}

static void say(int client, const char *text)
{
    if (write(client, text, strlen(text)) < 0)
        warn("write");
}

/* The dot of CRLF.CRLF, or NULL; dots are rare, so that memchr leaps. */
static char *find_end_of_data(char *from, char *end)
{
    for (char *dot = from; (dot = memchr(dot, '.', (size_t)(end - dot))); dot++)
        if (dot - from >= 2 && end - dot >= 3 && memcmp(dot - 2, "\r\n.\r\n", 5) == 0)
            return dot;
    return NULL;
}

static void smtp(int client)
{
    size_t have = 0;
    long long octets = 0;
    bool body = false;
    ssize_t n;
    say(client, "220 sink.example ESMTP\r\n");
    while ((n = read(client, buffer + have, BLOCK - have)) > 0) {
        char *at = buffer, *end = buffer + have + n;
        while (at < end) {
            if (body) {
                char *dot = find_end_of_data(at, end), reply[64];
                /* Without an end, the last four octets may still be the beginning of one. */
                char *upto = dot ? dot : end - at > 4 ? end - 4 : at;
                octets += upto - at;
                at = upto;
                if (!dot)
                    break;
                snprintf(reply, sizeof reply, "250 2.0.0 %lld octets\r\n", octets);
                say(client, reply);
                body = false;
                at += 3;
                continue;
            }
            char *lf = memchr(at, '\n', (size_t)(end - at));
            if (!lf)
                break;
            if (strncasecmp(at, "QUIT", 4) == 0) {
                say(client, "221 2.0.0 bye\r\n");
                shutdown(client, SHUT_WR);
                discard(client);
                return;
            }
            if (strncasecmp(at, "EHLO", 4) == 0)
                say(client, "250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 0\r\n");
            else if (strncasecmp(at, "DATA", 4) == 0)
                say(client, "354 go on\r\n");
            else
                say(client, "250 2.0.0 ok\r\n");
            body = strncasecmp(at, "DATA", 4) == 0;
            at = lf + 1;
            if (body) { /* the CRLF of DATA is the one before the dot of an empty body */
                at -= 2;
                octets = -2;
            }
        }
        have = (size_t)(end - at);
        if (have == BLOCK)
            errx(1, "a command line of %d octets", BLOCK);
        memmove(buffer, at, have);
    }
}

static void echo(int client)
{
    fcntl(client, F_SETFL, O_NONBLOCK);
    size_t in = 0, out = 0; /* octets read and written so far: they differ by at most RING */
    bool ended = false;
    while (!ended || out < in) {
        ssize_t got = -1, put = -1;
        size_t room = RING - (in - out);
        if (!ended && room > 0) {
            size_t start = in % RING, span = RING - start < room ? RING - start : room;
            got = read(client, buffer + start, span < BLOCK ? span : BLOCK);
            ended = got == 0 || (got < 0 && errno != EAGAIN);
            in += got > 0 ? (size_t)got : 0;
        }
        if (out < in) {
            size_t start = out % RING, span = RING - start < in - out ? RING - start : in - out;
            put = write(client, buffer + start, span);
            if (put < 0 && errno != EAGAIN)
                return;
            out += put > 0 ? (size_t)put : 0;
        }
        if (got > 0 || put > 0)
            continue;
        bool full = in - out == RING;
        struct pollfd fd = { client, (short)((ended || full ? 0 : POLLIN) | (out < in ? POLLOUT : 0)), 0 };
        if (fd.events)
            poll(&fd, 1, -1);
    }
}

int main(int argc, char **argv)
{
    void (*serve)(int) = argc != 3                       ? NULL
                         : strcmp(argv[1], "discard") == 0 ? discard
                         : strcmp(argv[1], "smtp") == 0    ? smtp
                         : strcmp(argv[1], "echo") == 0    ? echo
                                                           : NULL;
    if (!serve)
        errx(64, "usage: sink discard|smtp|echo PORT");
    signal(SIGPIPE, SIG_IGN);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((unsigned short)atoi(argv[2])),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof address;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
    if (bind(listener, (struct sockaddr *)&address, len) < 0 || listen(listener, 64) < 0)
        err(69, "cannot listen on port %s", argv[2]);
    getsockname(listener, (struct sockaddr *)&address, &len);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        int client = accept(listener, NULL, NULL);
        if (client < 0)
            continue;
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
        serve(client);
        close(client);
    }
}
