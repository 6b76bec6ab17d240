/* Line mode's yardstick: 256 KiB are read, LF becomes CRLF in one buffer (a CRLF stays as it is), which is written.
 * All of standard input goes out at once; then the write side is shut down, and the server's words are printed.
 * bulk HOST PORT <file */
#include "dial.h"

enum { BLOCK = 256 * 1024 };
static char input[BLOCK], wire[2 * BLOCK];

/* Translates a block; the CR of a CRLF may have been the last octet of the block before. */
static size_t translate(const char *from, size_t len, bool *after_cr)
{
    const char *end = from + len, *lf;
    char *to = wire;
    while (from < end && (lf = memchr(from, '\n', (size_t)(end - from)))) {
        size_t line = (size_t)(lf - from);
        memcpy(to, from, line);
        to += line;
        if (line > 0 ? lf[-1] != '\r' : !*after_cr)
            *to++ = '\r';
        *to++ = '\n';
        from = lf + 1;
        *after_cr = false;
    }
    memcpy(to, from, (size_t)(end - from));
    if (from < end)
        *after_cr = end[-1] == '\r';
    return (size_t)(to - wire) + (size_t)(end - from);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        errx(64, "usage: bulk HOST PORT");
    int server = dial(argv[1], argv[2]);
    bool after_cr = false;
    ssize_t n;
    while ((n = read(STDIN_FILENO, input, sizeof input)) > 0)
        write_all(server, wire, translate(input, (size_t)n, &after_cr));
    if (n < 0)
        err(74, "read");
    shutdown(server, SHUT_WR);
    while ((n = read(server, input, sizeof input)) > 0)
        write_all(STDOUT_FILENO, input, (size_t)n);
    return n < 0 ? 74 : 0;
}
