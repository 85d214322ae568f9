/* Moves to an empty root between first calls: by chroot ("chroot"), or by pivot_root in a namespace of its own, through
   the C library ("pivot") or past it ("call"). */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

int pivot_root(const char *, const char *);

static int first(int x) { return x + 1; }
static int second(int x) { return x * 3; }
static int third(int x) {
    char text[20];
    return snprintf(text, sizeof text, "%d", x);
}
/* Not called by name: the compiler would take them along. */
static int (*volatile functions[])(int) = {first, second, third};

static int move(const char *how, const char *root) {
    if (!strcmp(how, "chroot")) return chdir(root) || chroot(".");
    if (unshare(CLONE_NEWNS) || mount(0, "/", 0, MS_REC | MS_PRIVATE, 0) || mount(root, root, 0, MS_BIND, 0)) return 1;
    if (chdir(root)) return 1;
    long result = !strcmp(how, "call") ? syscall(SYS_pivot_root, ".", ".") : pivot_root(".", ".");
    return result || umount2(".", MNT_DETACH) || chdir("/");
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    int before = functions[0](1);
    if (move(argv[1], argv[2])) {
        perror(argv[1]);
        return 1;
    }
    int after = functions[1](4) + functions[2](1234);
    printf("%d %d %d\n", before, after, access("/proc/self", F_OK));
    return 0;
}
