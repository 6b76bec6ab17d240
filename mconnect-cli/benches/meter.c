/* Runs a command and reports what it took: wall and CPU (user + system) microseconds, peak memory in KiB and the exit
 * status, on descriptor 3. A small parent of its own, because the peak that the kernel reports for a child is never
 * below that of the process that started it, and a script's would be. meter INPUT COMMAND [ARGUMENT ...] */
#define _DEFAULT_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct timespec start, end;
    struct rusage use;
    int status;
    if (argc < 3)
        errx(64, "usage: meter INPUT COMMAND [ARGUMENT ...]");
    int input = open(argv[1], O_RDONLY);
    if (input < 0 || dup2(input, STDIN_FILENO) < 0)
        err(66, "%s", argv[1]);
    close(input);
    clock_gettime(CLOCK_MONOTONIC, &start);
    pid_t child = vfork();
    if (child == 0) {
        close(3);
        execvp(argv[2], argv + 2);
        _exit(127);
    }
    if (child < 0 || wait4(child, &status, 0, &use) != child)
        err(71, "cannot run %s", argv[2]);
    clock_gettime(CLOCK_MONOTONIC, &end);
    dprintf(3, "%.1f %lld %ld %d\n",
            (double)(end.tv_sec - start.tv_sec) * 1e6 + (double)(end.tv_nsec - start.tv_nsec) / 1e3,
            (use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000000LL + use.ru_utime.tv_usec + use.ru_stime.tv_usec,
            use.ru_maxrss, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}
