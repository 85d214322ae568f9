// See confined.c.
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int plain_work(int), library_work(int);
static const uid_t nobody = 65534;

static void limit(int resource, rlim_t value) { setrlimit(resource, &(struct rlimit){value, value}); }

// What only root may do fails for others, in the plain program as in the lazy one.
static void nothing(void) {}
static void change_root(void) {
    if (chroot(".") == 0 && chdir("/")) _exit(99);
}
static void users(void) {
    if (setgroups(0, NULL) == 0 && setgid(nobody) == 0 && setuid(nobody)) _exit(99);
}
static void effective_user(void) {
    if (geteuid() == 0 && seteuid(nobody)) _exit(99);
}
static void no_descriptors(void) { limit(RLIMIT_NOFILE, 0); }
static void closed_descriptors(void) { close_range(3, ~0U, 0); }
static void standard_closed(void) { close_range(0, ~0U, 0); }
static void address_space(void) { limit(RLIMIT_AS, 256 << 20); }
static void data(void) { prlimit(0, RLIMIT_DATA, &(struct rlimit){128 << 20, 128 << 20}, NULL); }
static void file_size(void) { limit(RLIMIT_FSIZE, 0); }
static void other_limits(void) {
    limit(RLIMIT_STACK, 64 << 10);
    limit(RLIMIT_CPU, 2);
    limit(RLIMIT_NPROC, 0);
    limit(RLIMIT_MEMLOCK, 0);
    limit(RLIMIT_SIGPENDING, 0);
    limit(RLIMIT_LOCKS, 0);
}
static void no_new_executable_memory(void) { prctl(65 /* PR_SET_MDWE */, 1, 0, 0, 0); }
static void filter(void) {
    // No file is opened any more, whatever way.
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_open, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_memfd_create, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
    };
    struct sock_fprog all = {sizeof program / sizeof *program, program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &all)) _exit(98);
}
static void not_dumpable(void) { prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }
static void namespaces(void) {
    if (unshare(CLONE_NEWNS | CLONE_FILES) == 0 && chroot(".")) _exit(99);
}

static const struct {
    const char *name;
    void (*confine)(void);
} cases[] = {
    {"nothing", nothing}, {"chroot", change_root}, {"users", users}, {"effective user", effective_user},
    {"no descriptors", no_descriptors}, {"closed descriptors", closed_descriptors},
    {"standard descriptors closed", standard_closed}, {"address space", address_space}, {"data", data},
    {"file size", file_size}, {"other limits", other_limits}, {"no new executable memory", no_new_executable_memory},
    {"system call filter", filter}, {"not dumpable", not_dumpable}, {"namespaces", namespaces},
};

int main(void) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int status;
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            cases[i].confine();
            errno = 0;
            int result = plain_work(9) + library_work(22);
            _exit(errno ? 97 : result);
        }
        waitpid(child, &status, 0);
        printf("%s: %d\n", cases[i].name, WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
    }
    printf("parent: %d\n", plain_work(9) + library_work(22));
    return 0;
}
