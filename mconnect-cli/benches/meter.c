/* Runs a command and reports what it took: wall and CPU (user + system) microseconds, peak memory in KiB and the exit
 * status, on descriptor 3. A small parent of its own, because the peak that the kernel reports for a child is never
 * below that of the process that started it, and a script's would be. meter INPUT COMMAND [ARGUMENT ...]
 * With -INPUT the lines of that file are typed: each when the reply to the one before is there, whole. */
#define _GNU_SOURCE
#include <ctype.h>
#include <err.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Copies what the command says, and writes a line to it whenever a reply ends: three digits that no '-' follows. */
static void type(FILE *lines, int to, int from)
{
    static char said[65536], next[4096], start[4];
    size_t column = 0;
    ssize_t n;
    while ((n = read(from, said, sizeof said)) > 0) {
        if (write(STDOUT_FILENO, said, (size_t)n) != n)
            err(74, "write");
        for (char *at = said; at < said + n; at++) {
            if (column < sizeof start)
                start[column] = *at;
            column++;
            if (*at != '\n')
                continue;
            bool is_last = column > 3 && isdigit(start[0]) && isdigit(start[1]) && isdigit(start[2]) && start[3] != '-';
            column = 0;
            if (is_last && fgets(next, sizeof next, lines) && write(to, next, strlen(next)) < 0)
                warn("cannot type");
        }
    }
}

int main(int argc, char **argv)
{
    struct timespec start, end;
    struct rusage use;
    int status, typed[2], said[2];
    if (argc < 3)
        errx(64, "usage: meter [-]INPUT COMMAND [ARGUMENT ...]");
    bool is_typed = argv[1][0] == '-';
    FILE *input = fopen(argv[1] + is_typed, "re");
    if (!input || (is_typed && (pipe2(typed, O_CLOEXEC) < 0 || pipe2(said, O_CLOEXEC) < 0)))
        err(66, "%s", argv[1]);
    clock_gettime(CLOCK_MONOTONIC, &start);
    pid_t child = vfork();
    if (child == 0) {
        dup2(is_typed ? typed[0] : fileno(input), STDIN_FILENO);
        if (is_typed)
            dup2(said[1], STDOUT_FILENO);
        close(3);
        execvp(argv[2], argv + 2);
        _exit(127);
    }
    if (is_typed) {
        close(said[1]);
        type(input, typed[1], said[0]);
    }
    if (child < 0 || wait4(child, &status, 0, &use) != child)
        err(71, "cannot run %s", argv[2]);
    clock_gettime(CLOCK_MONOTONIC, &end);
    dprintf(3, "%.1f %lld %ld %d\n",
            (double)(end.tv_sec - start.tv_sec) * 1e6 + (double)(end.tv_nsec - start.tv_nsec) / 1e3,
            (use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000000LL + use.ru_utime.tv_usec + use.ru_stime.tv_usec,
            use.ru_maxrss, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}
