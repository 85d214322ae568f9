// Programs that give up rights and resources before they make their first call: files, users, descriptors, memory. The
// functions are lazy, what calls them (main.c) is not, so nothing is loaded when the process confines itself.
//# plain: main.c
//# linkers: bfd
//# prints: nothing: 42
//# prints: chroot: 42
//# prints: users: 42
//# prints: effective user: 42
//# prints: no descriptors: 42
//# prints: closed descriptors: 42
//# prints: standard descriptors closed: 42
//# prints: address space: 42
//# prints: data: 42
//# prints: file size: 42
//# prints: other limits: 42
//# prints: no new executable memory: 42
//# prints: system call filter: 42
//# prints: not dumpable: 42
//# prints: namespaces: 42
//# prints: parent: 42
//# lazy: plain_work library_work
//# dynamic: nothing is interposed there, so nothing is fetched before
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int helper(int x) { return x + 1; }
int plain_work(int x) { return helper(x) * 2; }

int library_work(int x) {
    char text[100];
    snprintf(text, sizeof text, "%d %s", x, "bottles");
    char *end;
    long number = strtol(text, &end, 10);
    return (int)number + (int)strlen(end) - 8;
}
