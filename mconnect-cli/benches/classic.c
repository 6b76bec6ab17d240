/* The tool's shape in classic C, for the start-up figure: one poll loop between standard input and the server,
 * LF sent as CRLF, in step: each line waits for the whole reply to the one before, a body flows after its 354.
 * classic HOST PORT <script */
#include "dial.h"
#include <poll.h>

static char input[65536], wire[2 * sizeof input];
static size_t have;                                 /* octets in input */
static int ended, waiting = 1, body;                /* input at its end; a reply is due; within a DATA body */

/* Sends the lines whose turn it is, and shuts the write side down after the last. */
static void send_lines(int server)
{
    size_t used = 0, out = 0;
    while (!waiting && used < have) {
        char *line = input + used, *lf = memchr(line, '\n', have - used);
        if (!lf && !ended && have < sizeof input)
            break;
        size_t len = lf ? (size_t)(lf - line) : have - used;
        memcpy(wire + out, line, len);
        out += len;
        if (lf && (out == 0 || wire[out - 1] != '\r'))
            wire[out++] = '\r';
        if (lf)
            wire[out++] = '\n';
        used += len + (lf != NULL);
        bool dot = (len == 1 && line[0] == '.') || (len == 2 && memcmp(line, ".\r", 2) == 0);
        waiting = lf && (!body || dot);
    }
    write_all(server, wire, out);
    have -= used;
    memmove(input, input + used, have);
    if (ended && have == 0 && !waiting) {
        shutdown(server, SHUT_WR);
        waiting = 1;
    }
}

/* Ends the wait at a reply's last line: three digits that no '-' follows. */
static void received(const char *bytes, size_t len)
{
    static char line[5];
    static size_t column;
    for (size_t i = 0; i < len; i++) {
        if (column < 4)
            line[column] = bytes[i];
        column++;
        if (bytes[i] != '\n')
            continue;
        if (column > 3 && line[3] != '-') {
            waiting = 0;
            body = memcmp(line, "354", 3) == 0;
        }
        column = 0;
    }
}

int main(int argc, char **argv)
{
    if (argc != 3)
        errx(64, "usage: classic HOST PORT");
    int server = dial(argv[1], argv[2]);
    static char screen[65536];
    for (;;) {
        bool wants_input = !waiting && !ended && have < sizeof input;
        struct pollfd fds[2] = { { server, POLLIN, 0 }, { wants_input ? STDIN_FILENO : -1, POLLIN, 0 } };
        if (poll(fds, 2, -1) < 0)
            err(74, "poll");
        if (fds[0].revents) {
            ssize_t n = read(server, screen, sizeof screen);
            if (n < 0)
                err(74, "read from server");
            if (n == 0)
                return 0;
            write_all(STDOUT_FILENO, screen, (size_t)n);
            received(screen, (size_t)n);
        }
        if (fds[1].revents) {
            ssize_t n = read(STDIN_FILENO, input + have, sizeof input - have);
            if (n < 0)
                err(74, "read");
            ended = n == 0;
            have += (size_t)n;
        }
        send_lines(server);
    }
}
