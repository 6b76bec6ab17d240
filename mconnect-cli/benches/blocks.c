/* The physical limit: OCTETS from ready blocks of 256 KiB, no input and no translation; then half-close, and the
 * server's close is awaited. blocks HOST PORT OCTETS */
#include "dial.h"

enum { BLOCK = 256 * 1024 };
static char block[BLOCK];

int main(int argc, char **argv)
{
    if (argc != 4)
        errx(64, "usage: blocks HOST PORT OCTETS");
    int server = dial(argv[1], argv[2]);
    memset(block, 'x', sizeof block);
    for (size_t left = strtoull(argv[3], NULL, 10), n; left > 0; left -= n) {
        n = left < BLOCK ? left : BLOCK;
        write_all(server, block, n);
    }
    shutdown(server, SHUT_WR);
    ssize_t n;
    while ((n = read(server, block, sizeof block)) > 0)
        write_all(STDOUT_FILENO, block, (size_t)n);
    return n < 0 ? 74 : 0;
}
