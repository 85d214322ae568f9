// A server's child that confines itself as that of OpenSSH's sshd does, by a filter that kills it at a system call that it does not
// need, and calls functions then that nothing has called before.
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define IF(number, what, is) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), BPF_STMT(BPF_RET | BPF_K, what)
#define MAY(number) IF(number, SECCOMP_RET_ALLOW, 0)
#define FAILS(number) IF(number, SECCOMP_RET_ERRNO | EACCES, 0)
// Memory for data alone.
#define MAY_MAP(number) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 4), \
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])), \
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, ~(PROT_READ | PROT_WRITE), 0, 1), \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS), ALLOW

static int confine(void) {
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        FAILS(SYS_open), FAILS(SYS_openat), FAILS(SYS_newfstatat), FAILS(SYS_fstat), FAILS(SYS_stat),
        MAY(SYS_brk), MAY(SYS_clock_gettime), MAY(SYS_close), MAY(SYS_exit), MAY(SYS_exit_group), MAY(SYS_futex),
        MAY(SYS_getpid), MAY(SYS_getrandom), MAY(SYS_gettid), MAY(SYS_getuid), MAY(SYS_geteuid), MAY(SYS_madvise),
        MAY(SYS_mremap), MAY(SYS_munmap), MAY(SYS_nanosleep), MAY(SYS_poll), MAY(SYS_ppoll), MAY(SYS_read),
        MAY(SYS_rt_sigprocmask), MAY(SYS_write), MAY(SYS_writev),
        MAY_MAP(SYS_mmap), MAY_MAP(SYS_mprotect),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog all = {sizeof program / sizeof *program, program};
    // No files, no descriptors, no processes.
    struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_FSIZE, &none) || setrlimit(RLIMIT_NOFILE, &none) || setrlimit(RLIMIT_NPROC, &none)) return -1;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all);
}

// As large as all that a server does for a client.
#define F(n) \
    __attribute__((noinline)) int f##n(int x) { \
        char text[64]; \
        snprintf(text, sizeof text, "%d of %d", x, n); \
        for (int i = 0; i < x % 3; i++) text[0] ^= (char)(i * n); \
        switch (x % 7) { \
        case 0: return x + n; \
        case 1: return x - n + (int)strlen(text); \
        case 2: return x ^ n; \
        case 3: return text[0] + n; \
        case 4: return abs(x) * 2; \
        default: return x; \
        } \
    }
#define F10(n) F(n##0) F(n##1) F(n##2) F(n##3) F(n##4) F(n##5) F(n##6) F(n##7) F(n##8) F(n##9)
#define F100(n) F10(n##0) F10(n##1) F10(n##2) F10(n##3) F10(n##4) F10(n##5) F10(n##6) F10(n##7) F10(n##8) F10(n##9)
F100(1) F100(2) F100(3) F100(4) F100(5) F100(6) F100(7) F100(8)

// The baseline compiler leaves it to LLVM.
__attribute__((noinline)) int by_llvm(int x) {
    __asm__ volatile("cld");
    return x * 3;
}

#define C(n) + f##n(x)
#define C10(n) C(n##0) C(n##1) C(n##2) C(n##3) C(n##4) C(n##5) C(n##6) C(n##7) C(n##8) C(n##9)
#define C100(n) C10(n##0) C10(n##1) C10(n##2) C10(n##3) C10(n##4) C10(n##5) C10(n##6) C10(n##7) C10(n##8) C10(n##9)
__attribute__((noinline)) int serve(int x) {
    struct tm then = {.tm_year = 120, .tm_mday = 1};
    return 0 C100(1) C100(2) C100(3) C100(4) C100(5) C100(6) C100(7) C100(8) + by_llvm(x) + (int)(mktime(&then) > 0);
}

int main(void) {
    int status;
    // What a server has done before.
    tzset();
    printf("%d\n", f100(4));
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (confine()) _exit(99);
        int result = 0;
        for (int i = 0; i < 9; i++) result += serve(i);
        char text[20];
        int length = snprintf(text, sizeof text, "%d\n", result);
        _exit(write(1, text, (size_t)length) == length ? 7 : 98);
    }
    waitpid(child, &status, 0);
    printf("%x\n", status);
    return 0;
}
